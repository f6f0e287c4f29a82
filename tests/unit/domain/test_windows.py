"""Windows, by semantics.md, "Time": sliding minutes, local days, whole periods."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ioc.errors import ConfigurationError
from ioc.windows import (
    bucket_of,
    day_number,
    grain_of,
    local_date,
    microseconds_of,
    minute_number,
    moment_of,
    window_range,
)
from tests.unit.domain.making import us

HANOI = timezone(timedelta(hours=7))
TIMES = st.integers(min_value=6 * 365 * 86_400, max_value=130 * 365 * 86_400).map(
    lambda seconds: datetime.fromtimestamp(seconds, UTC)
)


def counts(window: str, fact: str, clock: str) -> bool:
    """Whether a fact falls in the window at the clock."""
    first, last = window_range(window, us(clock))
    return first <= bucket_of(grain_of(window), us(fact)) <= last


@pytest.mark.parametrize(
    ("window", "clock", "fact", "is_in"),
    [
        # From the start of the running minute minus 5 (60) minutes through the running minute.
        pytest.param("5m", "08:03:59", "07:58:00", True, id="5m begins with a whole minute"),
        pytest.param("5m", "08:03:00", "07:58:00", True, id="5m is the same all through the minute"),
        pytest.param("5m", "08:03:59", "07:57:59.999999", False, id="5m before"),
        pytest.param("5m", "08:03:00", "08:03:59", True, id="5m later in the running minute"),
        pytest.param("5m", "08:03:59", "08:04:00", False, id="5m next minute"),
        pytest.param("1h", "08:03:59", "07:03:00", True, id="1h begins"),
        pytest.param("1h", "08:03:59", "07:02:59", False, id="1h before"),
        # Days, months, quarters and years run to the end of their local period.
        pytest.param("day", "08:00", "22T00:00", True, id="day begins at local midnight"),
        pytest.param("day", "08:00", "21T23:59:59.999999", False, id="day yesterday"),
        pytest.param("day", "23:50", "22T23:59:59", True, id="day ten minutes ahead"),
        pytest.param("day", "23:55", "23T00:05", False, id="day tomorrow"),
        pytest.param("mtd", "08:00", "2026-11-01T00:00", True, id="month begins"),
        pytest.param("mtd", "08:00", "2026-10-31T23:59:59", False, id="month before"),
        pytest.param("mtd", "2026-11-30T23:55", "2026-11-30T23:59:59", True, id="month ends"),
        pytest.param("mtd", "2026-11-30T23:55", "2026-12-01T00:05", False, id="month after"),
        pytest.param("mtd", "2028-02-10T08:00", "2028-02-29T23:59", True, id="month leap"),
        pytest.param("qtd", "08:00", "2026-10-01T00:00", True, id="quarter begins"),
        pytest.param("qtd", "08:00", "2026-09-30T23:59:59", False, id="quarter before"),
        pytest.param("qtd", "2026-02-01T08:00", "2026-03-31T23:59:59", True, id="quarter ends"),
        pytest.param("qtd", "2026-12-31T23:55", "2027-01-01T00:05", False, id="quarter after"),
        pytest.param("ytd", "08:00", "2026-01-01T00:00", True, id="year begins"),
        pytest.param("ytd", "08:00", "2025-12-31T23:59:59", False, id="year before"),
        pytest.param("ytd", "08:00", "2026-12-31T23:59:59", True, id="year ends"),
        # rNd: the last N local days including today.
        pytest.param("r30d", "08:00", "2026-10-24T00:00", True, id="30 days with today"),
        pytest.param("r30d", "08:00", "2026-10-23T23:59:59", False, id="31 days"),
        pytest.param("r30d", "08:00", "22T23:59", True, id="rolling: later today"),
        pytest.param("r1d", "08:00", "22T00:00", True, id="one day is today"),
        pytest.param("r1d", "08:00", "21T23:59:59", False, id="one day is not yesterday"),
        pytest.param("now", "08:00", "2001-01-01T00:00", True, id="now knows no time"),
    ],
)
def test_a_fact_falls_in_a_window(window: str, clock: str, fact: str, is_in: bool) -> None:
    assert counts(window, fact, clock) is is_in


def test_the_local_day_changes_at_17_00_utc() -> None:
    before = microseconds_of(datetime(2026, 11, 21, 16, 59, 59, 999_999, tzinfo=UTC))
    assert local_date(before) == date(2026, 11, 21)
    assert local_date(before + 1) == date(2026, 11, 22)
    assert day_number(before + 1) == day_number(before) + 1


@pytest.mark.parametrize("window", ["", "week", "5h", "r0d", "rd", "r-3d", "r1.5d", "r99999d", "R30D", "mtd ", "r٣d "])
def test_an_unknown_window_is_refused_with_those_that_exist(window: str) -> None:
    with pytest.raises(ConfigurationError, match=r"window .* is unknown; use now, 5m, 1h, day, mtd, qtd, ytd or rNd"):
        grain_of(window)


@given(TIMES)
def test_microseconds_and_moments_are_the_same_instant(moment: datetime) -> None:
    assert moment_of(microseconds_of(moment)) == moment
    assert microseconds_of(moment.astimezone(HANOI)) == microseconds_of(moment)


@given(TIMES)
def test_local_days_are_those_of_the_calendar(moment: datetime) -> None:
    assert local_date(microseconds_of(moment)) == moment.astimezone(HANOI).date()


@given(TIMES, st.sampled_from(["day", "mtd", "qtd", "ytd", "r7d", "r365d", "5m", "1h"]))
def test_the_present_is_in_every_window_and_a_window_never_runs_backwards(moment: datetime, window: str) -> None:
    now_us = microseconds_of(moment)
    first, last = window_range(window, now_us)
    assert first <= bucket_of(grain_of(window), now_us) <= last
    later = window_range(window, now_us + 3_600_000_000)
    assert later >= (first, last)


def test_times_before_1970_have_buckets_too() -> None:
    assert minute_number(-1) == -1
    assert local_date(microseconds_of(datetime(1969, 12, 31, 16, 59, tzinfo=UTC))) == date(1969, 12, 31)
