"""The network looks only where something could be: squares of the picture with a change in them. Pure but for the net.

A whole picture of 640 × 360 costs the network 20 ms, a square of 160 pixels (the size it was trained on) 2 ms.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from detectors.base import BgrImage
from detectors.preprocess import Plane
from ioc.opencv import cv2

__all__ = ["Net", "looked_at", "squares"]

_CELL_PX = 16
_SQUARE = 10  # cells
_RULE_WEIGHT = 1000.0  # more than all cells of a square
_STEP = 8  # cells; squares overlap by two, and the cell at a square's inner edge is its neighbour's to judge

Square = tuple[int, int, int, int]
"""Top, left, bottom, right in cells of 16 pixels."""


class Net(Protocol):
    """What the detector asks of a network (detectors.smoke.network.SmokeNetwork)."""

    def probabilities(self, now: BgrImage, slow: BgrImage, fast: BgrImage) -> Plane:
        """Returns the probability of smoke in each cell of 16 pixels, rows × columns."""


def squares(wanted: NDArray[np.bool_], first: NDArray[np.bool_], rows: int, columns: int, *, most: int) -> list[Square]:
    """Returns at most `most` squares of a picture of rows × columns cells: those with most of `first` in them, where
    the rule sees something, then those with most of `wanted`.

    Both are grids of one size over the whole picture.
    """
    weight = wanted.astype(np.float32) + np.float32(_RULE_WEIGHT) * first
    share = cv2.resize(weight, (columns, rows), interpolation=cv2.INTER_AREA)
    found: list[tuple[float, Square]] = []
    for top in _starts(rows):
        for left in _starts(columns):
            square = top, left, min(rows, top + _SQUARE), min(columns, left + _SQUARE)
            own = _own(square, rows, columns)
            inside = float(share[own[0] : own[2], own[1] : own[3]].sum())
            if inside > 0:
                found.append((inside, square))
    found.sort(key=lambda one: -one[0])
    return [square for _, square in found[:most]]


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
