"""The network looks only where something could be: a strip of the picture with every change in it. Pure but for the
net.

A whole picture of 640 × 360 costs the network 14 ms, a strip its share of that. It is one strip, not several squares
with an edge each: near the edge of a square a plume was answered 0.2 where the whole picture gave 0.9.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from detectors.base import BgrImage
from detectors.preprocess import Plane
from detectors.smoke.network import CELL_PX
from ioc.opencv import cv2

__all__ = ["Net", "looked_at"]

_CONTEXT = 4  # cells around, so that an edge is far from what is judged


class Net(Protocol):
    """What the detector asks of a network (detectors.smoke.network.SmokeNetwork)."""

    def probabilities(self, now: BgrImage, slow: BgrImage, fast: BgrImage) -> Plane:
        """Returns the probability of smoke in each cell of 16 pixels, rows × columns."""


def looked_at(net: Net, pictures: tuple[BgrImage, BgrImage, BgrImage], wanted: NDArray[np.bool_]) -> Plane:
    """Returns the probabilities of all cells of 16 pixels; 0 outside the least strip with all of `wanted` in it.

    The pictures are now, slow and fast; `wanted` is a grid of any size over the whole picture.
    """
    rows, columns = (-(-side // CELL_PX) for side in pictures[0].shape[:2])
    plane = np.zeros((rows, columns), dtype=np.float32)
    asked = cv2.resize(wanted.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA) > 0
    places = np.nonzero(asked)
    if not len(places[0]):
        return plane
    top, bottom = _span(places[0], rows)
    left, right = _span(places[1], columns)
    part = slice(top * CELL_PX, bottom * CELL_PX), slice(left * CELL_PX, right * CELL_PX)
    now, slow, fast = (_padded(picture[part]) for picture in pictures)
    plane[top:bottom, left:right] = net.probabilities(now, slow, fast)
    return plane


def _span(places: NDArray[np.int64], count: int) -> tuple[int, int]:
    """Returns the cells [first, last) of `count` from the first to the last of `places`, and what lies around."""
    return max(0, int(places.min()) - _CONTEXT), min(count, int(places.max()) + 1 + _CONTEXT)


def _padded(picture: BgrImage) -> BgrImage:
    below, right = -picture.shape[0] % CELL_PX, -picture.shape[1] % CELL_PX
    if not below and not right:
        return picture
    return np.asarray(cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REPLICATE), dtype=np.uint8)
