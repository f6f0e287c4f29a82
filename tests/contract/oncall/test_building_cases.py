"""Building work at on-call: what stands there calls nobody twice, and a term that has passed is heard once."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ioc.building_case import BuildingCase, Judged
from ioc.case_terms import CaseTerm
from ioc.incidents import Incident
from ioc.oncall.case_terms import MOST_AT_ONCE, OverdueWatch
from ioc.oncall.desk import Desk
from ioc.oncall.lifecycle import Actor, Dismiss, PersonCommand, Resolve
from ioc.oncall.plans import PlanKeeper
from ioc.oncall.store import Store
from tests.unit.oncall.making import NOW, MovingClock, incident, opened
from tests.unit.oncall.plans import PLAN

LAN = Actor(actor_id="lan", name="Lan", role="operator", door="web")
CASE = "construction-1"


@dataclass(slots=True)
class Site:
    store: Store
    desk: Desk
    clock: MovingClock

    async def state(self, incident_id: str = CASE) -> str:
        view = await self.store.incident(incident_id)
        assert view is not None
        return view.row.life.state

    async def term(self, name: str = "record", case_id: str = CASE) -> str:
        return await self.state(f"term-{name}-{case_id}")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    clock = MovingClock(NOW)
    async with opened(tmp_path) as store:
        yield Site(store, Desk(store, PlanKeeper(PLAN, clock=clock), clock=clock, wake=lambda: None), clock)


def building(days: float, rule: str = "no_permit", permit_id: str = "", **changes: Any) -> Incident:
    """The case as it is told `days` after today: judged when that rule began to hold."""
    at = NOW + timedelta(days=days)
    case = BuildingCase(judgements=(Judged(at=at, rule=rule, permit_id=permit_id),), is_confirmed=True)
    values: dict[str, Any] = {
        "incident_id": CASE, "kind": "construction", "severity": "warning", "revision": 10 + round(days * 10),
        "last_seen_at": at, "permit_rule": rule, "permit_id": permit_id, "case": case,
    }  # fmt: skip
    return incident(**values | changes)


def with_term(told: Incident, due_days: float, met_days: float | None = None, name: str = "record") -> Incident:
    assert told.case is not None
    term = CaseTerm(
        name=name,
        name_vi="lập biên bản",
        name_en="record",
        basis="Điều 12",
        since=NOW,
        due_at=NOW + timedelta(days=due_days),
        met_at=None if met_days is None else NOW + timedelta(days=met_days),
    )
    return replace(told, case=replace(told.case, terms=(term,)))


# ---- a house goes on standing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("closing", "later", "state"),
    [
        (Resolve(verdict="true_positive"), building(30), "resolved"),
        (Resolve(verdict="true_positive"), building(30, "too_many_storeys", "GPXD-1"), "open"),
        (Resolve(verdict="false_positive"), building(30), "resolved"),
        (Resolve(verdict="false_positive"), building(30, "too_many_storeys", "GPXD-1"), "resolved"),
        (Dismiss(verdict="false_positive"), building(30, "too_many_storeys", "GPXD-1"), "dismissed"),
    ],
    ids=["still there", "breaks another rule", "was nothing", "was nothing, and still is", "dismissed"],
)
async def test_what_a_person_has_closed_opens_again_only_where_it_breaks_another_rule(
    site: Site, closing: PersonCommand, later: Incident, state: str
) -> None:
    await site.desk.take([building(0)])
    await site.desk.act(CASE, closing, LAN)
    await site.desk.take([later])
    assert await site.state() == state


async def test_a_permit_that_is_withdrawn_soon_after_it_closed_a_case_opens_it_again(site: Site) -> None:
    await site.desk.take([building(0)])
    await site.desk.take([building(0.1, "permit_valid", "GPXD-1", state="resolved")])
    assert await site.state() == "resolved"
    site.clock.now = NOW + timedelta(days=0.2)
    await site.desk.take([building(0.2, "permit_revoked", "GPXD-1")])
    assert await site.state() == "open"


async def test_an_early_sign_that_was_dismissed_opens_when_it_is_an_alarm(site: Site) -> None:
    await site.desk.take([building(0, state="candidate", opened_at=None)])
    await site.desk.act(CASE, Dismiss(verdict="unsure"), LAN)
    await site.desk.take([building(1)])
    assert await site.state() == "open"


# ---- terms -----------------------------------------------------------------------------------------------------------


async def test_a_term_that_has_passed_is_heard_once_and_is_over_when_it_is_met(site: Site) -> None:
    await site.desk.take([with_term(building(0), due_days=2)])
    watch = OverdueWatch(site.desk)
    assert await watch.look() == 0
    site.clock.now = NOW + timedelta(days=2)
    assert await watch.look() == 1
    told = await site.store.incident(f"term-record-{CASE}")
    assert told is not None
    assert (told.row.life.state, told.row.unit) == ("open", incident().admin_unit)
    assert told.row.payload["extra"]["description_vi"].startswith(f"Hồ sơ {CASE}: hạn cuối là ngày 23/11/2026")
    assert await watch.look() == await OverdueWatch(site.desk).look() == 0
    await site.desk.take([with_term(building(3), due_days=2, met_days=2.5)])
    assert await watch.look() == 0
    assert await site.term() == "resolved"


async def test_what_a_person_closed_is_not_told_again_and_a_term_that_is_taken_back_is_over(site: Site) -> None:
    site.clock.now = NOW + timedelta(days=9)
    other = "construction-2"
    await site.desk.take([with_term(building(0), 2), with_term(building(0, incident_id=other), 2)])
    watch = OverdueWatch(site.desk)
    assert await watch.look() == 2
    await site.desk.act(f"term-record-{CASE}", Resolve(verdict="unsure"), LAN)
    await site.desk.take([building(3, incident_id=other)])
    assert await watch.look() == 0
    assert (await site.term(), await site.term(case_id=other)) == ("resolved", "resolved")


async def test_many_terms_at_once_come_in_portions_the_oldest_first(site: Site) -> None:
    site.clock.now = NOW + timedelta(days=99)
    cases = [with_term(building(0, incident_id=f"c{n:02}"), due_days=90 - n) for n in range(MOST_AT_ONCE + 3)]
    await site.desk.take(cases)
    watch = OverdueWatch(site.desk)
    assert [await watch.look() for _ in range(3)] == [MOST_AT_ONCE, 3, 0]
    assert await site.term(case_id="c00") == "open"
