"""Coverage as facts: what a record says, that it reads back, and what is told of the time when nobody counted."""

from datetime import UTC, datetime, timedelta

import pytest

from ioc.cloudevents import decode_json
from ioc.coverage_facts import (
    COVERAGE_EVENT,
    COVERAGE_TOPIC,
    COVERAGE_TYPE,
    Span,
    coverage_record,
    gap_before,
    read_coverage,
)
from ioc.events import Rejected
from ioc.windows import microseconds_of
from tests.unit.domain.making import catalog

EIGHT = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)


def span(minute: int = 0, *, expected: int = 5, **reasons: int) -> Span:
    return Span(
        camera_id="cam-02",
        pose_id="p0",
        detector="smoke",
        begins_at=EIGHT + timedelta(minutes=minute),
        expected=expected,
        reasons=reasons,
    )


def data_of(told: Span) -> dict[str, object]:
    _, value, headers = coverage_record(told, province="lam-dong", unit="24778")
    return decode_json(COVERAGE_TYPE, value, headers)


def test_a_record_is_what_the_starting_catalogue_declares() -> None:
    declared = catalog().event_types[COVERAGE_EVENT]
    key, value, headers = coverage_record(span(offline=2), province="lam-dong", unit="24778")
    assert (declared.topic, declared.ce_type, key) == (COVERAGE_TOPIC, COVERAGE_TYPE, b"cam-02:p0")
    (event,) = catalog().decoder().decode(COVERAGE_TOPIC, headers, value, microseconds_of(EIGHT + timedelta(minutes=6)))
    assert not isinstance(event, Rejected)
    assert set(data_of(span())) == {field.name for field in declared.fields}


@pytest.mark.parametrize(
    ("reasons", "told", "main"),
    [
        ({}, {}, None),
        ({"offline": 2}, {"offline": 2}, "offline"),
        ({"darkness": 2, "visibility_degraded": 1, "offline": 2}, {"degraded": 3, "offline": 2}, "degraded"),
        ({"suspended": 1, "warming_up": 1, "skipped": 1}, {"not_ready": 2, "skipped": 1}, "not_ready"),
        ({"a word that is new": 1}, {"not_ready": 1}, "not_ready"),
    ],
)
def test_every_reason_is_told_in_the_words_of_the_catalogue(
    reasons: dict[str, int], told: dict[str, int], main: str | None
) -> None:
    data = data_of(span(**reasons))
    assert {name: data[name] for name in told} == told
    assert (data["main_reason"], data["analysed"]) == (main, 5 - sum(told.values()))


def test_a_record_reads_back() -> None:
    told = span(10, offline=1, masked=2)
    _, value, headers = coverage_record(told, province="lam-dong", unit="")
    assert read_coverage(value, headers) == told


def test_what_is_told_twice_has_one_id_and_another_span_another() -> None:
    ids = [
        dict(coverage_record(each, province="lam-dong", unit="")[2])["ce_id"]
        for each in (span(), span(offline=5), span(5))
    ]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(
    ("told_until", "begins"),
    [(0, []), (-5, [-5]), (-12, [-10, -5]), (5, []), (-2 * 24 * 60, list(range(-24 * 60, 0, 5)))],
    ids=["nothing between", "one span", "told by spans of another length", "told already", "a day at most"],
)
def test_the_time_in_which_nobody_ran_is_told_as_not_looked_at(told_until: int, begins: list[int]) -> None:
    gap = list(gap_before(span(), EIGHT + timedelta(minutes=told_until)))
    assert [(each.begins_at - EIGHT) // timedelta(minutes=1) for each in gap] == begins
    assert all((each.analysed, dict(each.reasons)) == (0, {"not_running": 5}) for each in gap)
