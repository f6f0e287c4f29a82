"""How long an incident's stills are kept: on-call's states and verdicts against the evidence store."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from typer.testing import CliRunner

from ioc.adapters.case_stills import CaseStills, Swept
from ioc.adapters.evidence import EvidenceStore, open_evidence
from ioc.cli import build_cli
from ioc.evidence.retention import Retention
from ioc.frames import sha256_hex
from ioc.oncall.case_sweep import CaseSweeper, standings, sweep_once
from ioc.oncall.delivery_turns import always
from ioc.oncall.desk import Desk
from ioc.oncall.lifecycle import Actor, Dismiss, Resolve, Verdict
from ioc.oncall.plans import PlanKeeper
from ioc.oncall.store import Store
from tests.unit.oncall.making import MovingClock, incident, opened
from tests.unit.oncall.plans import PLAN

LAN = Actor(actor_id="lan", name="Lan", role="operator", door="web")


@dataclass(slots=True)
class Site:
    """On-call's desk whose clock stands at today, and a store of stills."""

    store: Store
    desk: Desk
    evidence: EvidenceStore
    cases: CaseStills
    now: datetime

    async def take(self, incident_id: str, still: bytes, **changes: object) -> None:
        """Takes an incident that was last seen now, with one still in its case."""
        times = {"first_frame_at": self.now, "last_seen_at": self.now, "opened_at": self.now}
        named = {"evidence": self.evidence.put(still), "evidence_sha256": sha256_hex(still)}
        await self.desk.take([incident(incident_id=incident_id, **times | named | changes)])
        self.cases.add(incident_id, self.now, sha256_hex(still))

    async def close(self, incident_id: str, verdict: Verdict, *, is_fire: bool) -> None:
        command = Resolve(verdict=verdict) if is_fire else Dismiss(verdict=verdict)
        await self.desk.act(incident_id, command, LAN)

    async def after(self, days: float) -> Swept:
        return await sweep_once(self.store, self.cases, Retention(), self.now + timedelta(days=days))

    def has(self, still: bytes) -> bool:
        path = self.evidence.path_of(f"evidence://sha256/{sha256_hex(still)}")
        assert path is not None
        return path.exists()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    clock = MovingClock(datetime.now(UTC))
    async with opened(tmp_path) as store:
        desk = Desk(store, PlanKeeper(PLAN, clock=clock), clock=clock, wake=lambda: None)
        evidence = open_evidence(tmp_path / "evidence")
        yield Site(store, desk, evidence, CaseStills(evidence), clock())


async def test_a_verdict_says_when_stills_go_and_what_is_open_keeps_everything(site: Site) -> None:
    await site.take("false", b"false")
    await site.take("fire", b"fire")
    await site.take("open", b"open")
    await site.close("false", "false_positive", is_fire=False)
    await site.close("fire", "true_positive", is_fire=True)
    assert await site.after(179) == Swept(0, 0)
    assert await site.after(181) == Swept(1, 1, len(b"false"))
    assert [site.has(still) for still in (b"false", b"fire", b"open")] == [False, True, True]
    assert await site.after(1826) == Swept(1, 1, len(b"fire"))
    assert await site.after(36_500) == Swept(0, 0)
    assert site.has(b"open")
    assert [still.at for still in site.cases.of("open")], "a hundred years, and still nobody has closed it"


async def test_what_belongs_to_nothing_goes_after_a_month_and_so_does_a_candidate_that_came_to_nothing(
    site: Site,
) -> None:
    await site.take("watched", b"watched", state="candidate", opened_at=None)
    site.evidence.put(b"loose")
    assert await site.after(29) == Swept(0, 0)
    assert await site.after(31) == Swept(1, 2, len(b"watched") + len(b"loose"))


async def test_a_large_frame_in_which_nothing_was_found_goes_after_two_days_and_one_with_a_find_does_not(
    site: Site,
) -> None:
    site.evidence.put_passing(b"nothing on it")
    site.evidence.put_passing(b"a find without an incident")
    site.evidence.put(b"a find without an incident")
    site.evidence.put(b"kept before")
    site.evidence.put_passing(b"kept before")
    site.evidence.put_passing(b"in a case")
    await site.take("open", b"in a case")
    assert await site.after(1) == Swept(0, 0)
    assert await site.after(3) == Swept(0, 1, len(b"nothing on it"))
    assert await site.after(29) == Swept(0, 0)
    assert await site.after(31) == Swept(0, 2, len(b"a find without an incident") + len(b"kept before"))
    assert site.has(b"in a case")
    assert await site.after(400) == Swept(0, 0), "no mark is left behind that would let something else go"


async def test_the_still_that_an_open_incident_names_stays_also_without_a_case(site: Site) -> None:
    named, by_another = b"named", b"named by another camera"
    await site.take("open", named)
    site.evidence.put(by_another)
    await site.desk.take([incident(incident_id="other", evidence_sha256=sha256_hex(by_another), revision=9)])
    site.cases.sweep(["open"], now=site.now, loose=timedelta(days=30))
    assert await site.after(400) == Swept(0, 0)
    assert site.has(named)
    assert site.has(by_another)


async def test_an_incident_that_on_call_does_not_know_keeps_its_stills(site: Site) -> None:
    site.evidence.put(b"unknown")
    site.cases.add("unknown", site.now, sha256_hex(b"unknown"))
    assert await site.after(5000) == Swept(0, 0)
    assert await standings(site.store.engine, ["unknown"]) == {}


async def test_the_service_sweeps_once_a_day_also_after_a_restart(site: Site) -> None:
    clock, registry = MovingClock(site.now), CollectorRegistry()

    def sweeper(registry: CollectorRegistry) -> CaseSweeper:
        return CaseSweeper(site.store, site.cases, Retention(), turn=always, registry=registry, clock=clock)

    assert await sweeper(registry).sweep_if_due() == Swept(0, 0)
    clock.now = site.now + timedelta(hours=23)
    assert await sweeper(CollectorRegistry()).sweep_if_due() is None
    site.evidence.put(b"loose")
    clock.now = site.now + timedelta(days=31)
    again = CollectorRegistry()
    assert await sweeper(again).sweep_if_due() == Swept(0, 1, len(b"loose"))
    assert again.get_sample_value("ioc_evidence_swept_bytes_total") == len(b"loose")
    assert again.get_sample_value("ioc_evidence_last_sweep_seconds") == clock.now.timestamp()


async def test_the_command_lists_shows_and_sweeps(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await site.take("false", b"false")
    await site.close("false", "false_positive", is_fire=False)
    monkeypatch.setenv("IOC_STATE", str(tmp_path))
    monkeypatch.delenv("IOC_CONFIG", raising=False)

    async def said(*arguments: str) -> tuple[int, str]:
        answer = await asyncio.to_thread(CliRunner().invoke, build_cli(), ["evidence", *arguments])
        return answer.exit_code, answer.output

    (row,) = json.loads((await said("list", "--json"))[1])
    assert (row["incident_id"], row["state"], row["verdict"]) == ("false", "dismissed", "false_positive")
    assert datetime.fromisoformat(row["keep_until"]) == site.now + timedelta(days=180)
    shown = json.loads((await said("show", "false", "--json"))[1])
    assert [Path(still["path"]).read_bytes() for still in shown["stills"]] == [b"false"]
    assert "1 stills" in (await said("show", "false"))[1]
    monkeypatch.setenv("IOC_NOW", (site.now + timedelta(days=200)).isoformat())
    expected = {"cases": 1, "stills": 1, "bytes": 5}
    assert json.loads((await said("sweep", "--dry-run", "--json"))[1]) == expected | {"is_dry_run": True}
    assert site.has(b"false")
    assert json.loads((await said("sweep", "--json"))[1]) == expected | {"is_dry_run": False}
    assert not site.has(b"false")
