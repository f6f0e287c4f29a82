"""Which squares of the picture the network is shown, frame after frame."""

import numpy as np
import pytest

from detectors.smoke.attention import Attention

ROWS, COLUMNS = 30, 60
MOST = 4


def cells(*places: tuple[int, int], size: int = 3) -> np.ndarray:
    grid = np.zeros((ROWS, COLUMNS), bool)
    for row, column in places:
        grid[row : row + size, column : column + size] = True
    return grid


BUSY = cells(*((row, column) for row in (2, 12, 22) for column in range(2, 58, 8)), size=4)
THIN = cells((14, 42), size=1)
NONE = cells()


def holds(square: tuple[int, int, int, int], row: int, column: int) -> bool:
    top, left, bottom, right = square
    return top <= row < bottom and left <= column < right


@pytest.mark.parametrize("wanted", [BUSY, BUSY | THIN])
def test_no_more_are_shown_than_may_be(wanted: np.ndarray) -> None:
    assert len(Attention().squares(wanted, NONE, ROWS, COLUMNS, most=MOST)) == MOST


def test_nothing_that_changes_is_nothing_to_show() -> None:
    assert Attention().squares(NONE, NONE, ROWS, COLUMNS, most=MOST) == []


def test_every_place_has_its_turn_however_busy_the_rest_is() -> None:
    attention = Attention()
    wanted = BUSY.copy()
    wanted[10:20, 38:50] = THIN[10:20, 38:50]
    shown = [attention.squares(wanted, NONE, ROWS, COLUMNS, most=MOST) for _ in range(24)]
    assert any(holds(square, 14, 42) for squares in shown for square in squares)


def test_what_the_rule_sees_is_shown_at_once() -> None:
    first = Attention().squares(BUSY, THIN, ROWS, COLUMNS, most=MOST)
    assert any(holds(square, 14, 42) for square in first)


def test_where_the_network_saw_something_it_looks_again_and_still_leaves_turns() -> None:
    attention = Attention()
    plane = np.zeros((ROWS, COLUMNS), np.float32)
    plane[14, 42] = 0.2
    shown = attention.squares(BUSY | THIN, THIN, ROWS, COLUMNS, most=MOST)
    attention.answered(plane, shown)
    for _ in range(5):
        shown = attention.squares(BUSY, NONE, ROWS, COLUMNS, most=MOST)
        assert any(holds(square, 14, 42) for square in shown), "warm"
        attention.answered(plane, shown)
    everything = np.ones_like(plane)
    attention.answered(everything, shown)
    again = attention.squares(BUSY, NONE, ROWS, COLUMNS, most=MOST)
    assert set(again) != set(shown), "two places of four go on in turn"
