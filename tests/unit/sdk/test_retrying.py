"""When to try again, and what to do after a try that failed."""

from datetime import UTC, datetime

import pytest

from ioc.sdk.patience import ALONE_TRIES, MAX_BATCH_EVENTS, Patience, not_taken
from ioc.sdk.results import Problem, Trouble, Verdict
from ioc.sdk.retrying import CAP_S, pause_s, retry_after_s

NOW = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
REFUSAL = Verdict(outcome="rejected", reason="too_large", vi="Quá lớn.", en="too large")


def trouble(problem: Problem, retry_after_s: float | None = None, refusal: Verdict | None = None) -> Trouble:
    return Trouble(problem=problem, vi="v", en="e", retry_after_s=retry_after_s, refusal=refusal)


@pytest.mark.parametrize(
    ("given", "attempts", "lowest_s", "highest_s"),
    [
        (trouble("away"), 1, 0.0, 0.25),
        (trouble("away"), 4, 0.0, 2.0),
        (trouble("away"), 1000, 0.0, CAP_S),
        (trouble("busy", 2.0), 1, 2.0, 2.25),
        (trouble("busy", 2.0), 9, 2.0, 3.0),
        (trouble("busy", 0.0), 9, 0.0, 0.0),
        (trouble("busy", 1e9), 1, 300.0, 300.25),
    ],
    ids=["first", "fourth", "capped", "asked", "asked-and-jitter", "asked-at-once", "asked-a-year"],
)
def test_pauses_are_jittered_bounded_and_never_shorter_than_asked(
    given: Trouble, attempts: int, lowest_s: float, highest_s: float
) -> None:
    assert pause_s(given, attempts, lambda: 0.0) == pytest.approx(lowest_s)
    assert pause_s(given, attempts, lambda: 1.0) == pytest.approx(highest_s)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Sun, 22 Nov 2026 01:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 00:00:00 GMT", 0.0),
        ("9" * 400, 999_999_999.0),
        ("-3", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("²", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_nothing(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header, NOW) == seconds


def test_an_outage_keeps_the_batch_as_it_is() -> None:
    patience = Patience()
    for problem in ("away", "busy", "locked_out"):
        assert patience.failed(trouble(problem), 500) == "wait"
        assert patience.failed(trouble(problem), 1) == "wait"
    assert (patience.size, patience.failures, patience.alone) == (MAX_BATCH_EVENTS, 6, 0)


def test_a_batch_too_large_is_halved_at_once_and_one_event_too_large_is_refused() -> None:
    patience = Patience()
    assert patience.failed(trouble("too_large", refusal=REFUSAL), 500) == "at_once"
    assert patience.size == 250
    assert patience.failed(trouble("too_large", refusal=REFUSAL), 1) == "reject"
    assert patience.failures == 0


def test_a_request_that_is_refused_as_a_whole_is_tried_event_by_event() -> None:
    patience = Patience()
    assert patience.failed(trouble("unclear", refusal=REFUSAL), 500) == "at_once"
    assert patience.size == 1
    assert patience.failed(trouble("unclear", refusal=REFUSAL), 1) == "reject"


def test_an_unclear_failure_is_narrowed_down_and_suspected_after_some_tries_alone() -> None:
    patience = Patience()
    assert patience.failed(trouble("unclear"), 500) == "wait"
    assert [patience.failed(trouble("unclear"), patience.size) for _ in range(ALONE_TRIES)] == [
        *["wait"] * (ALONE_TRIES - 1),
        "suspect",
    ]
    patience.succeeded()
    assert (patience.size, patience.failures, patience.alone) == (4, 0, 0)
    assert not_taken(trouble("unclear")).reason == "not_taken"
