"""Routing, escalation, holds: tables and laws."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ioc.oncall.escalation import advance, begin, steps_of
from ioc.oncall.quiet import hold_of
from ioc.oncall.routing import Facts, call, policy_of, span_end
from ioc.oncall_plan import Flaps, Hours, Maintenance, QuietHours, Route, limited_to, with_duty
from ioc.windows import LOCAL_ZONE
from tests.unit.oncall.making import NOW
from tests.unit.oncall.plans import PLAN, person, policy, target

FIRE = Facts(kind="smoke", severity="critical", unit="24846", camera_id="cam-01")
PLOT = Facts(kind="construction", severity="warning", unit="24778", camera_id="cam-02")


def local(hour: int, minute: int = 0, day: int = 23) -> datetime:
    """A time of Monday, 23 November 2026, in Vietnam."""
    return datetime(2026, 11, day, hour, minute, tzinfo=LOCAL_ZONE).astimezone(UTC)


NIGHT = Hours(begins=time(22), ends=time(6))
WEEK = Hours(begins=time(7), ends=time(17), days=frozenset(range(5)))


@pytest.mark.parametrize(
    ("hours", "at", "ends"),
    [
        pytest.param(NIGHT, local(21, 59), None, id="before it"),
        pytest.param(NIGHT, local(22), local(6, day=24), id="it begins"),
        pytest.param(NIGHT, local(3), local(6), id="after midnight it is the night of the day before"),
        pytest.param(NIGHT, local(6), None, id="it has ended"),
        pytest.param(WEEK, local(8), local(17), id="on a Monday"),
        pytest.param(WEEK, local(8, day=22), None, id="on a Sunday"),
        pytest.param(Hours(begins=time(0), ends=time(0)), local(8), local(0, day=24), id="the whole day"),
        pytest.param(replace(NIGHT, days=frozenset({6})), local(3), local(6), id="Sunday's night reaches into Monday"),
    ],
)
def test_span_of_hours_ends_where_it_says(hours: Hours, at: datetime, ends: datetime | None) -> None:
    assert span_end(hours, at) == ends


@pytest.mark.parametrize(
    ("route", "facts", "matches"),
    [
        (Route(kinds=("smoke",), policy="fire"), FIRE, True),
        (Route(kinds=("alert_*",), policy="fire"), FIRE, False),
        (Route(kinds=("alert_*",), policy="fire"), replace(FIRE, kind="alert_worker_down"), True),
        (Route(severities=("info",), policy="fire"), FIRE, False),
        (Route(units=("24846",), policy="fire"), FIRE, True),
        (Route(units=("24846",), policy="fire"), PLOT, False),
        (Route(units=("*",), policy="fire"), PLOT, True),
        (Route(hours=WEEK, policy="fire"), PLOT, False),
    ],
)
def test_first_route_that_matches_says_the_chain(route: Route, facts: Facts, matches: bool) -> None:
    plan = replace(PLAN, routes=(route, Route(policy="everyday")))
    assert policy_of(plan, facts, local(20)).name == ("fire" if matches else "everyday")


def test_level_calls_each_person_once_at_the_first_address_with_the_others_to_spare() -> None:
    found = call(PLAN, PLAN.policies["fire"], (target("roster:centre"), target("person:lan")), local(8))
    (lan,) = found.recipients
    assert (lan.person_id, lan.address.channel, [spare.channel for spare in lan.spare]) == (
        "lan",
        "telegram",
        ["email"],
    )


def test_person_told_everywhere_has_nothing_to_spare() -> None:
    plan = replace(PLAN, people={**PLAN.people, "lan": person("lan", "telegram", "email", is_told_everywhere=True)})
    found = call(plan, plan.policies["fire"], (target("person:lan"),), local(8))
    assert [(each.address.channel, each.spare) for each in found.recipients] == [("telegram", ()), ("email", ())]


def test_channels_that_are_not_served_are_left_out_and_the_settings_receiver_is_added() -> None:
    plan = with_duty(limited_to(PLAN, {"email"}), ("webhook",), "duty")
    assert [address.channel for address in plan.people["lan"].addresses] == ["email"]
    assert plan.people["minh"].addresses == ()
    assert plan.always == (target("person:duty"),)


# ---- holds -----------------------------------------------------------------------------------------------------------


def work(**names: tuple[str, ...]) -> Maintenance:
    return Maintenance(begins_at=local(1), ends_at=local(5), reason="thay camera", **names)


@pytest.mark.parametrize(
    ("maintenance", "facts", "reason"),
    [
        ((), PLOT, "quiet_hours"),
        ((), FIRE, None),
        ((work(cameras=("cam-01",)),), FIRE, "maintenance"),
        ((work(cameras=("cam-02",)),), FIRE, None),
        ((work(kinds=("smoke",), units=("24778",)),), FIRE, None),
        ((work(kinds=("smoke",), units=("24846",)),), FIRE, "maintenance"),
    ],
)
def test_night_holds_warnings_and_maintenance_what_it_names(
    maintenance: tuple[Maintenance, ...], facts: Facts, reason: str | None
) -> None:
    hold = hold_of(replace(PLAN, maintenance=maintenance), facts, local(3))
    assert (hold.reason if hold else None) == reason


def test_longest_hold_counts() -> None:
    plan = replace(PLAN, maintenance=(work(cameras=("cam-02",)),))
    hold = hold_of(plan, PLOT, local(3))
    assert hold is not None
    assert (hold.until, hold.reason) == (local(6), "quiet_hours")


@pytest.mark.parametrize(
    ("openings", "told", "is_held"),
    [
        pytest.param((0, 5, 9), 5, True, id="three times in half an hour"),
        pytest.param((0, 5, 9), None, False, id="nobody has been told yet"),
        pytest.param((5, 9), 5, False, id="twice is no flapping"),
        pytest.param((-40, 0, 9), 0, False, id="long ago does not count"),
        pytest.param((0, 5, 9), -25, False, id="told long ago"),
    ],
)
def test_flapping_is_damped_once_people_know(openings: tuple[int, ...], told: int | None, is_held: bool) -> None:
    plan = replace(PLAN, flaps=Flaps(count=3, within=timedelta(minutes=30)))
    at = local(9)
    times = [at - timedelta(minutes=9 - minute) for minute in openings]
    told_at = None if told is None else at - timedelta(minutes=9 - told)
    assert (hold_of(plan, FIRE, at, opened_at=times, told_at=told_at) is not None) == is_held


@given(
    st.integers(0, 365 * 24 * 60).map(lambda minutes: local(0, day=1) + timedelta(minutes=minutes)),
    st.times(),
    st.times(),
    st.sampled_from(["info", "warning", "critical"]),
)
def test_quiet_hours_never_silence_what_is_critical_and_always_end(
    at: datetime, begins: time, ends: time, severity: Any
) -> None:
    quiet = (QuietHours(severities=("info", "warning", "critical"), hours=Hours(begins=begins, ends=ends)),)
    hold = hold_of(replace(PLAN, quiet_hours=quiet), replace(FIRE, severity=severity), at)
    assert hold is None or severity != "critical"
    assert hold is None or at < hold.until <= at + timedelta(days=1)


# ---- escalation ------------------------------------------------------------------------------------------------------

CHAIN = policy("chain", ("person:lan", 2), ("person:chief", 3), repeat=1)


def test_chain_is_its_levels_once_more_for_each_repetition_and_then_the_fall_back() -> None:
    assert [(step.level, step.targets[0].name, step.is_fallback) for step in steps_of(CHAIN)] == [
        (1, "lan", False),
        (2, "chief", False),
        (3, "lan", False),
        (4, "chief", False),
        (5, "director", True),
    ]


@pytest.mark.parametrize(
    ("minutes_late", "step", "people", "next_in"),
    [
        (0, 2, ["chief"], 3),
        (2.9, 2, ["chief"], 3),
        (3, 3, ["lan", "chief"], 2),
        (5, 4, ["chief", "lan"], 3),
        (60, 5, ["director", "chief", "lan"], None),
    ],
)
def test_after_downtime_the_step_due_now_is_taken_and_its_people_have_their_whole_time(
    minutes_late: float, step: int, people: list[str], next_in: float | None
) -> None:
    due_at = NOW + timedelta(minutes=2)
    now = due_at + timedelta(minutes=minutes_late)
    found = advance(CHAIN, 1, due_at, now)
    assert found is not None
    assert (found.step, [each.name for each in found.targets]) == (step, people)
    assert found.next_due_at == (None if next_in is None else now + timedelta(minutes=next_in))


def test_nothing_is_due_early_and_nobody_comes_after_the_fall_back() -> None:
    assert advance(CHAIN, 1, NOW, NOW - timedelta(seconds=1)) is None
    assert advance(CHAIN, 5, NOW, NOW + timedelta(days=1)) is None
    assert begin(policy("last", ("person:lan", None)), NOW).next_due_at is None


@given(st.lists(st.floats(0, 20), max_size=30))
def test_however_often_it_is_looked_at_the_chain_goes_up_and_ends(minutes: list[float]) -> None:
    now, found = NOW, begin(CHAIN, NOW)
    told = 1
    for pause in (*minutes, *[20.0] * 5):
        now += timedelta(minutes=pause)
        if found.next_due_at is None:
            break
        after = advance(CHAIN, found.step, found.next_due_at, now)
        if after is None:
            assert now < found.next_due_at
            continue
        assert after.step > found.step
        assert len(after.targets) == len(set(after.targets))
        found, told = after, told + 1
    assert found.is_fallback
    assert told <= 5
