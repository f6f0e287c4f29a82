"""Which strip of the picture the network is shown, and where its answer is put."""

import numpy as np
import pytest

from detectors.preprocess import Plane
from detectors.smoke.attention import looked_at

HEIGHT, WIDTH = 360, 640
ROWS, COLUMNS = 23, 40


class Eye:
    """Answers with the blue of each cell's first pixel, so that a cell in a wrong place is seen; notes what it saw."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []

    def probabilities(self, now: np.ndarray, slow: np.ndarray, fast: np.ndarray) -> Plane:
        assert now.shape == slow.shape == fast.shape
        assert now.shape[0] % 16 == now.shape[1] % 16 == 0
        self.seen.append(now.shape[:2])
        return now[::16, ::16, 0].astype(np.float32)


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(4).integers(1, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8)


def wanted(*places: tuple[float, float]) -> np.ndarray:
    """A grid as the rule's, coarser than the picture and finer than the network's cells."""
    grid = np.zeros((90, 160), bool)
    for y, x in places:
        grid[int(y * 90), int(x * 160)] = True
    return grid


def test_nothing_that_changes_is_nothing_to_look_at(picture: np.ndarray) -> None:
    eye = Eye()
    plane = looked_at(eye, (picture, picture, picture), wanted())
    assert plane.shape == (ROWS, COLUMNS)
    assert not plane.any()
    assert not eye.seen


def test_all_that_changes_lies_in_one_strip_with_four_cells_around_it(picture: np.ndarray) -> None:
    eye = Eye()
    plane = looked_at(eye, (picture, picture, picture), wanted((0.5, 0.25), (0.55, 0.5)))
    rows, columns = np.nonzero(plane)
    # 0.5 of 360 rows is in cell 11, 0.55 in cell 12; 0.25 of 640 columns in cell 10, 0.5 in cell 20.
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (7, 16, 6, 24)
    assert eye.seen == [(10 * 16, 19 * 16)]


def test_answers_stand_where_they_were_seen(picture: np.ndarray) -> None:
    plane = looked_at(Eye(), (picture, picture, picture), wanted((0.3, 0.7)))
    shown = plane > 0
    assert (plane[shown] == picture[::16, ::16, 0].astype(np.float32)[shown]).all()


@pytest.mark.parametrize(("place", "rows", "columns"), [
    ((0.0, 0.0), (0, 4), (0, 4)),
    ((0.99, 0.99), (18, 22), (35, 39)),
])  # fmt: skip
def test_the_picture_ends_at_its_edges(
    picture: np.ndarray, place: tuple[float, float], rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    plane = looked_at(Eye(), (picture, picture, picture), wanted(place))
    found = np.nonzero(plane)
    assert (found[0].min(), found[0].max()) == rows
    assert (found[1].min(), found[1].max()) == columns
