from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ioc.oncall.delivery_lanes import ACTIONS, MACHINES, PEOPLE, Bucket, LaneRules, Plan, lane_of, overdue, plan
from ioc.oncall.outcomes import OutboxRow
from tests.unit.oncall.making import NOW

LAN, MINH = ("lan", "lan@x"), ("minh", "minh@x")


def row(number: int, *, person: str = "lan", attempts: int = 0, due_s: float = 0, spare: bool = False) -> OutboxRow:
    return OutboxRow(
        entry_id=number,
        idempotency_key=f"msg_{number}",
        incident_id=f"i{number}",
        channel="email",
        recipient=person,
        payload={},
        attempts=attempts,
        created_at=NOW,
        address=f"{person}@x",
        next_attempt_at=NOW + timedelta(seconds=due_s),
        spare=({"channel": "sms", "address": "1"},) if spare else (),
    )


def planned(*rows: OutboxRow, rules: LaneRules = PEOPLE, **state: object) -> Plan:
    known = {"in_flight": {}, "stuck": set(), "probes": set(), "draining": {}, "buckets": {}} | state
    return plan(rows, rules, NOW, **known)  # type: ignore[arg-type]


def numbers(found: Plan) -> list[list[int]]:
    return [[row.entry_id for row in start.rows] for start in found.starts]


@pytest.mark.parametrize(
    ("rows", "rules", "state", "expected"),
    [
        pytest.param([row(1), row(2)], PEOPLE, {}, [[1]], id="a person reads one after the other"),
        pytest.param([row(1), row(2, person="minh")], PEOPLE, {}, [[1], [2]], id="two people are two lanes"),
        pytest.param([row(1), row(2)], PEOPLE, {"in_flight": {LAN: {1}}}, [], id="one is on its way"),
        pytest.param([row(n) for n in range(6)], PEOPLE, {}, [[0, 1, 2, 3, 4, 5]], id="six are a digest"),
        pytest.param([row(n) for n in range(5)], PEOPLE, {}, [[0]], id="five are not"),
        pytest.param([row(n) for n in range(9)], MACHINES, {}, [[n] for n in range(8)], id="a machine takes eight"),
        pytest.param([row(1, attempts=2, due_s=9), row(2)], PEOPLE, {}, [], id="who failed first is waited for"),
        pytest.param([row(1, attempts=2), row(2)], MACHINES, {}, [[1]], id="a lane that was down is tried by one"),
        pytest.param([row(1), row(2)], MACHINES, {"draining": {LAN: 2}}, [[1]], id="its backlog goes one by one"),
        pytest.param([row(3), row(4)], MACHINES, {"draining": {LAN: 2}}, [[3], [4]], id="what came after does not"),
        pytest.param(
            [row(1, attempts=7, due_s=9), row(2), row(3)], MACHINES, {"probes": {LAN}}, [[2]], id="a probe past it"
        ),
        pytest.param([row(1, attempts=9, due_s=9), row(2)], MACHINES, {"stuck": {1}}, [[2]], id="left behind"),
        pytest.param([row(1, attempts=9), row(2)], MACHINES, {"stuck": {1}}, [[1], [2]], id="and tried when due"),
        pytest.param(
            [row(1), row(2, person="minh")], ACTIONS, {}, [[1], [2]], id="actions are one lane with many at once"
        ),
        pytest.param([row(1, attempts=1, due_s=5), row(2, person="minh")], ACTIONS, {}, [], id="and wait together"),
    ],
)
def test_what_may_be_tried_now(
    rows: list[OutboxRow], rules: LaneRules, state: dict[str, object], expected: list[list[int]]
) -> None:
    assert numbers(planned(*rows, rules=rules, **state)) == expected


def test_digest_that_failed_is_tried_again_as_it_was_whatever_came_since() -> None:
    failed = [row(n, attempts=1, due_s=0) for n in range(6)]
    later = [replace(row(n), next_attempt_at=NOW - timedelta(seconds=1)) for n in range(6, 30)]
    assert numbers(planned(*failed, *later)) == [[0, 1, 2, 3, 4, 5]]


def test_waiting_lane_says_when_to_look_again() -> None:
    assert planned(row(1, attempts=1, due_s=9), row(2)).next_at == NOW + timedelta(seconds=9)


def test_probe_names_what_it_goes_past() -> None:
    (start,) = planned(row(1, attempts=7, due_s=9), row(2), rules=MACHINES, probes={LAN}).starts
    assert start.behind == 1


def test_recipient_with_an_empty_bucket_waits_and_others_do_not() -> None:
    bucket = Bucket(1, timedelta(seconds=5), NOW)
    bucket.take(NOW)
    found = planned(row(1), row(2, person="minh"), buckets={LAN: bucket})
    assert numbers(found) == [[2]]
    assert found.next_at == NOW + timedelta(seconds=5)


def test_bucket_fills_with_time_and_a_clock_that_jumps_back_does_not_break_it() -> None:
    bucket = Bucket(2, timedelta(seconds=5), NOW)
    for _ in range(2):
        assert bucket.ready_at(NOW) == NOW
        bucket.take(NOW)
    assert bucket.ready_at(NOW) == NOW + timedelta(seconds=5)
    earlier = NOW - timedelta(hours=1)
    assert bucket.ready_at(earlier) == earlier + timedelta(seconds=5)
    assert bucket.ready_at(earlier + timedelta(seconds=5)) == earlier + timedelta(seconds=5)
    assert bucket.ready_at(NOW) == NOW


def test_who_waits_too_long_and_has_another_address_is_overdue() -> None:
    late, early = row(1, spare=True), replace(row(2, spare=True), created_at=NOW + timedelta(seconds=1))
    assert overdue([late, row(3), early], NOW) == [late]


@given(st.lists(st.tuples(st.sampled_from(["lan", "minh"]), st.integers(0, 3), st.floats(-5, 5)), max_size=30))
def test_no_person_gets_two_messages_at_once_and_none_out_of_order(facts: list[tuple[str, int, float]]) -> None:
    rows = [row(n, person=person, attempts=tries, due_s=due) for n, (person, tries, due) in enumerate(facts)]
    starts = planned(*rows).starts
    assert len({start.lane for start in starts}) == len(starts)
    for start in starts:
        mine = [each.entry_id for each in rows if lane_of(each, PEOPLE) == start.lane]
        assert start.rows[0].entry_id == mine[0]
        assert start.rows[0].attempts == 0 or start.rows[0].next_attempt_at <= NOW  # type: ignore[operator]
