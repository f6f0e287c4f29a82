"""Dirt on the lens, from gains of cells: which spots are told, and what of the weather looks like them."""

from collections.abc import Iterable

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors.camera_health.dirt import LensDirt

ROWS, COLUMNS = 18, 32
PATTERN = np.ones((ROWS, COLUMNS), np.bool_)
Gains = NDArray[np.float32]


def spots(count: int) -> NDArray[np.bool_]:
    chosen = np.zeros(ROWS * COLUMNS, np.bool_)
    chosen[np.random.default_rng(3).permutation(ROWS * COLUMNS)[:count]] = True
    return chosen.reshape(ROWS, COLUMNS)


def cells(number: int, *, dirty: int = 0, rest: float = 1.0, spot: float = 0.35) -> tuple[Gains, Gains]:
    """(coarse, fine) gains of look `number`, with so many spots of dirt."""
    rng = np.random.default_rng(1000 + number)
    where = spots(dirty)
    coarse, fine = (rng.normal(rest, 0.03, (ROWS, COLUMNS)).astype(np.float32) for _ in range(2))
    coarse[where], fine[where] = 1.4 * spot * rest, spot * rest
    return coarse, fine


def told(looks: Iterable[tuple[int, tuple[Gains, Gains]]]) -> list[bool]:
    dirt = LensDirt()
    return [dirt.observe(coarse, fine, PATTERN, look=look) for look, (coarse, fine) in looks]


def clean(looks: Iterable[int]) -> list[tuple[int, tuple[Gains, Gains]]]:
    return [(look, cells(look)) for look in looks]


def dirty(looks: Iterable[int], **how: float) -> list[tuple[int, tuple[Gains, Gains]]]:
    return [(look, cells(look, dirty=30, **how)) for look in looks]


def test_spots_are_told_at_the_third_look_and_until_they_are_gone() -> None:
    seen = told([*clean(range(8)), *dirty(range(8, 30)), *clean(range(30, 33))])
    assert seen == [False] * 10 + [True] * 20 + [False] * 3


def test_a_film_that_comes_with_the_spots_hides_them_no_more() -> None:
    assert told([*clean(range(8)), *dirty(range(8, 14), rest=0.72)])[-4:] == [True] * 4


@pytest.mark.parametrize(
    ("before", "is_told"),
    [
        (range(6, 14), True),
        ((6, 8, 9, 10, 12, 13), True),  # two looks at which nothing could be told
        (range(6, 11), False),  # fog lay over the last ones
        (range(-400, -390), False),  # hours ago
        ((6, 7, 8, 12, 13), False),
    ],
)
def test_only_what_was_seen_just_before_tells_what_is_new(before: Iterable[int], is_told: bool) -> None:
    assert told([*clean(before), *dirty(range(14, 17))])[-1] is is_told


def test_looks_at_spots_have_to_follow_each_other() -> None:
    assert not any(told([*clean(range(8)), *dirty((8, 10, 12, 14))]))


def test_gusts_that_hide_the_same_places_now_and_then_are_no_dirt() -> None:
    shaken = [*clean(range(8)), *dirty((8, 9)), *clean((10,)), *dirty((11,)), *clean((12, 13)), *dirty((14, 15))]
    assert not any(told(shaken))


def test_what_spreads_or_goes_on_hiding_is_weather() -> None:
    begun = [*clean(range(8)), *dirty(range(8, 11))]
    assert told([*begun, (11, cells(11, dirty=90))])[-2:] == [True, False]
    assert told([*begun, (11, cells(11, dirty=30, rest=0.8))])[-2:] == [True, False]
    assert told([*begun, (11, cells(11, dirty=12))])[-2:] == [True, False]


def test_dirt_stays_in_weather_that_comes_later_and_is_over_when_it_shows_as_much_as_the_rest() -> None:
    begun = [*clean(range(8)), *dirty(range(8, 16))]
    assert all(told([*begun, *dirty(range(16, 20), rest=0.5)])[10:])
    assert told([*begun, *((look, cells(look, rest=0.5)) for look in range(16, 18))])[-2:] == [False] * 2
