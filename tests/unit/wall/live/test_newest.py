"""Figures that go back in time are a zombie's, whatever it says of them."""

from datetime import UTC, datetime, timedelta

import pytest

from ioc.wall.live.newest import REMEMBERED, NewestSeen
from ioc.wall.live.tiles import Reading

NOON = datetime(2026, 11, 22, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def is_marked(seen: NewestSeen, as_of: datetime | None, at: datetime) -> bool:
    return seen.marked({"online": Reading(value=0.5, as_of=as_of)}, at)["online"].is_stale


@pytest.mark.parametrize(
    ("as_of", "after", "is_old"),
    [
        pytest.param(NOON, MINUTE, False, id="the same"),
        pytest.param(NOON + MINUTE, MINUTE, False, id="newer"),
        pytest.param(NOON - MINUTE, MINUTE, True, id="older"),
        pytest.param(None, MINUTE, True, id="who never heard of anything"),
        pytest.param(NOON - MINUTE, REMEMBERED + MINUTE, False, id="somebody has looked after it by then"),
    ],
)
def test_what_is_older_than_what_was_told_within_the_hour_is_marked(
    as_of: datetime | None, after: timedelta, *, is_old: bool
) -> None:
    seen = NewestSeen()
    assert not is_marked(seen, NOON, NOON)
    assert is_marked(seen, as_of, NOON + after) == is_old


def test_a_zombie_that_is_asked_again_and_again_stays_marked_and_the_newer_one_is_not() -> None:
    seen = NewestSeen()
    asked = [(NOON, 0), (NOON - MINUTE, 1), (NOON - MINUTE, 2), (NOON, 3), (NOON - MINUTE, 4), (NOON + MINUTE, 5)]
    marked = [is_marked(seen, as_of, NOON + minutes * MINUTE) for as_of, minutes in asked]
    assert marked == [False, True, True, False, True, False]


def test_a_figure_that_never_had_a_fact_has_none_to_be_older_than() -> None:
    seen = NewestSeen()
    assert not is_marked(seen, None, NOON)
    assert not is_marked(seen, NOON, NOON + MINUTE)
