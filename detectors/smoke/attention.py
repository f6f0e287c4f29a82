"""The network looks only where something could be: squares of the picture with a change in them. Pure but for the net.

A whole picture of 640 × 360 costs the network 20 ms, a square of 160 pixels (the size it was trained on) 2 ms.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from detectors.base import BgrImage
from detectors.preprocess import Plane
from ioc.opencv import cv2

__all__ = ["Attention", "Net", "looked_at"]

_CELL_PX = 16
_SQUARE = 10  # cells
_LEAST_TURN, _MOST_CHANGE, _RULE_TURN = (
    5.0,
    10.0,
    20.0,
)  # what hurries a square's turn: any change, more of it, the rule
_WARM = 0.1  # of the network's answer: worth a second look
_TURNS = 2  # squares a frame that are left for turns, however much is warm
_STEP = 8  # cells; squares overlap by two, and the cell at a square's inner edge is its neighbour's to judge

Square = tuple[int, int, int, int]
"""Top, left, bottom, right in cells of 16 pixels."""


class Net(Protocol):
    """What the detector asks of a network (detectors.smoke.network.SmokeNetwork)."""

    def probabilities(self, now: BgrImage, slow: BgrImage, fast: BgrImage) -> Plane:
        """Returns the probability of smoke in each cell of 16 pixels, rows × columns."""


class Attention:
    """Chooses what the network is shown of one pose: where it has just seen something, then each place in its turn.

    A place's turn comes the sooner the more changes there and the longer it has waited, and soonest where the rule sees
    something. Without turns a busy forest hid a thin plume beside it for many minutes.
    """

    def __init__(self) -> None:
        self._waited: dict[Square, int] = {}
        self._warm: frozenset[Square] = frozenset()

    def squares(
        self, wanted: NDArray[np.bool_], first: NDArray[np.bool_], rows: int, columns: int, *, most: int
    ) -> list[Square]:
        """Returns at most `most` squares of a picture of rows × columns cells with some of `wanted` or `first` in them.

        `first` is where the rule sees something. Both are grids of one size over the whole picture.
        """
        changed = cv2.resize((wanted | first).astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
        ruled = cv2.resize(first.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
        urgent: dict[Square, float] = {}
        for top in _starts(rows):
            for left in _starts(columns):
                square = top, left, min(rows, top + _SQUARE), min(columns, left + _SQUARE)
                own_top, own_left, own_bottom, own_right = _own(square, rows, columns)
                own = slice(own_top, own_bottom), slice(own_left, own_right)
                change = float(changed[own].sum())
                if change > 0:
                    hurry = _LEAST_TURN + min(change, _MOST_CHANGE) + _RULE_TURN * bool(ruled[own].any())
                    urgent[square] = hurry * (1 + self._waited.get(square, 0))
        turns = sorted(urgent, key=lambda square: -urgent[square])
        warm = [square for square in turns if square in self._warm][: most - _TURNS]
        chosen = [*warm, *(square for square in turns if square not in warm)][:most]
        self._waited = {square: 0 if square in chosen else self._waited.get(square, 0) + 1 for square in urgent}
        return chosen

    def answered(self, plane: Plane, chosen: Sequence[Square]) -> None:
        """Takes in what the network said of the squares."""
        rows, columns = plane.shape
        owns = {square: _own(square, rows, columns) for square in chosen}
        self._warm = frozenset(
            square for square, own in owns.items() if plane[own[0] : own[2], own[1] : own[3]].max() >= _WARM
        )


def looked_at(net: Net, pictures: tuple[BgrImage, BgrImage, BgrImage], chosen: list[Square]) -> Plane:
    """Returns the probabilities of all cells; 0 outside the chosen squares. The pictures are now, slow and fast."""
    now, slow, fast = (_padded(picture) for picture in pictures)
    rows, columns = now.shape[0] // _CELL_PX, now.shape[1] // _CELL_PX
    plane = np.zeros((rows, columns), dtype=np.float32)
    for square in chosen:
        top, left, bottom, right = square
        part = slice(top * _CELL_PX, bottom * _CELL_PX), slice(left * _CELL_PX, right * _CELL_PX)
        seen = net.probabilities(now[part], slow[part], fast[part])
        own_top, own_left, own_bottom, own_right = _own(square, rows, columns)
        mine = seen[own_top - top : own_bottom - top, own_left - left : own_right - left]
        known = plane[own_top:own_bottom, own_left:own_right]
        np.maximum(known, mine, out=known)
    return plane


def _starts(cells: int) -> list[int]:
    if cells <= _SQUARE:
        return [0]
    return [*range(0, cells - _SQUARE, _STEP), cells - _SQUARE]


def _own(square: Square, rows: int, columns: int) -> Square:
    top, left, bottom, right = square
    return top + (top > 0), left + (left > 0), bottom - (bottom < rows), right - (right < columns)


def _padded(picture: BgrImage) -> BgrImage:
    below, right = -picture.shape[0] % _CELL_PX, -picture.shape[1] % _CELL_PX
    if not below and not right:
        return picture
    return np.asarray(cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REPLICATE), dtype=np.uint8)
