"""What the faces of a building say: a roof is on, a tarpaulin hangs over it, sheet metal stands around it. Pure.

A slab is pale and grey on the earth of its plot. Bare concrete is paler than the brick below it, a roof darker than the
walls below. A tarpaulin is a colour that neither brick nor ground has, or one that goes from the top down to the
ground. Sheet metal around a plot is as wide as the plot and as high as a man reaches.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from detectors.base import BgrImage
from detectors.construction.kept import KeptSurfaces
from detectors.construction.thresholds import ConstructionThresholds
from detectors.construction.works import Outline
from ioc.opencv import cv2

__all__ = ["Surfaces", "face_of", "slab_share"]

Colour = NDArray[np.float32]
"""CIE Lab, 0–255 each."""
_LEAST_PX = 6  # of a face's width and height
_INSET = 0.15  # of the width: the edges of an outline are a cell or so off
_TOP, _WALL = (0.1, 0.3), (0.5, 0.85)  # of the height, from the top
_BESIDE = (0.4, 1.2)  # of the width, from either edge
_PALER = 5.0  # CIE Lab lightness of 255
_WARM = 5.0  # of CIE Lab's a and b


class Surfaces:
    """Of one plot: how often the last frames showed each sign."""

    def __init__(self, thresholds: ConstructionThresholds) -> None:
        self._t = thresholds
        self._roofs: deque[bool] = deque(maxlen=thresholds.sign_of)
        self._covers: deque[bool] = deque(maxlen=thresholds.sign_of)
        self._slabs: deque[bool] = deque(maxlen=thresholds.sign_of)

    @property
    def is_founded(self) -> bool:
        return sum(self._slabs) >= self._t.sign_frames

    @property
    def is_roofed(self) -> bool:
        return sum(self._roofs) >= self._t.sign_frames

    @property
    def is_covered(self) -> bool:
        return sum(self._covers) >= self._t.sign_frames

    def kept(self) -> KeptSurfaces:
        return KeptSurfaces(roofs=list(self._roofs), covers=list(self._covers), slabs=list(self._slabs))

    def resume(self, kept: KeptSurfaces) -> None:
        self._roofs.extend(kept.roofs)
        self._covers.extend(kept.covers)
        self._slabs.extend(kept.slabs)

    def forget(self) -> None:
        for signs in (self._roofs, self._covers, self._slabs):
            signs.clear()

    def take_ground(self, picture: BgrImage, plot: NDArray[np.bool_]) -> None:
        """Takes the plot's part of a frame, and which of its pixels are the plot's."""
        self._slabs.append(slab_share(picture, plot, self._t.slab_chroma) >= self._t.slab_share)

    def take(self, picture: BgrImage, outline: Outline, high_m: float | None, width_share: float) -> None:
        """Takes a frame laid over the reference; `width_share`: of the plot's width that the outline takes."""
        t = self._t
        is_fenced = high_m is not None and t.fence_m[0] < high_m < t.fence_m[1] and width_share > t.fence_share
        face = face_of(picture, outline, t.cell_px)
        if face is None:
            self._covers.append(is_fenced)
            return
        top, wall, beside = face
        self._roofs.append(bool(wall[0] - top[0] > t.roof_darker))
        self._covers.append(is_fenced or self._is_tarpaulin(top, wall, beside))

    def _is_tarpaulin(self, top: Colour, wall: Colour, beside: Colour) -> bool:
        hue = wall[1:] - 128
        if np.hypot(*hue) < self._t.cover_chroma or np.hypot(*(wall - beside)[1:]) < self._t.cover_unlike:
            return False
        # brick and earth are red and yellow too: there only what is of one colour from top to bottom is no wall
        is_warm = bool((hue > _WARM).all())
        return not is_warm or bool(np.hypot(*(wall - top)[1:]) < self._t.cover_even)


def slab_share(picture: BgrImage, plot: NDArray[np.bool_], chroma: float) -> float:
    """Returns the share of the plot's pixels that are grey and paler than most of it."""
    if not plot.any():
        return 0.0
    ground = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2LAB), dtype=np.float32)[plot]
    is_grey = np.hypot(ground[:, 1] - 128, ground[:, 2] - 128) < chroma
    return float((is_grey & (ground[:, 0] > np.median(ground[:, 0]) + _PALER)).mean())


def face_of(picture: BgrImage, outline: Outline, cell_px: int) -> tuple[Colour, Colour, Colour] | None:
    """Returns the median colours of the top, of the walls and of what is beside them; None where
    too little is seen. `picture`: height × width × 3, BGR."""
    left, right, top, front = (cell_px * side for side in (outline.left, outline.right, outline.top, outline.front))
    width, high = right - left, front - top
    if width < _LEAST_PX or high < _LEAST_PX:
        return None
    first, last = max(0, int(left - _BESIDE[1] * width)), int(right + _BESIDE[1] * width) + 1
    upper = max(0, int(top))
    area = picture[upper : int(front) + 1, first:last]
    if not area.size:
        return None
    lab = np.asarray(cv2.cvtColor(area, cv2.COLOR_BGR2LAB), dtype=np.float32)
    columns = slice(int(left + _INSET * width) - first, int(right - _INSET * width) + 1 - first)
    bands = [lab[_rows(band, high), columns] for band in (_TOP, _WALL)]
    near, far = (int(share * width) for share in _BESIDE)
    start, end = max(0, int(left) - first), int(right) - first
    sides = [lab[:, max(0, start - far) : max(0, start - near)], lab[:, end + near : end + far]]
    beside = np.concatenate([side.reshape(-1, 3) for side in sides])
    if not len(beside) or not all(band.size for band in bands):
        return None
    return _middle(bands[0]), _middle(bands[1]), _middle(beside)


def _middle(colours: Colour) -> Colour:
    return np.asarray(np.median(colours.reshape(-1, 3), axis=0), dtype=np.float32)


def _rows(band: tuple[float, float], high: float) -> slice:
    first = round(band[0] * high)
    return slice(first, max(first + 1, round(band[1] * high)))
