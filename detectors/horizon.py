"""Where sky ends: smoke rises from terrain, clouds do not touch it. Pure."""

import numpy as np
from numpy.typing import NDArray

from detectors.preprocess import Plane

__all__ = ["horizon_rows"]

Rows = NDArray[np.int64]

_LEAST_STEP = (
    0.08  # brightness, 0–1: hazy ridges of the shared sites keep 0.1 and more, terrain alone has no such split
)
_LEAST_WATER_STEP = (
    0.10  # the same above the first split, where that is the far shore of a lake; clouds over a plain reach 0.09
)
_LEAST_COLUMN_STEP = 0.05  # of one column, there
_LEAST_ROWS = 8
_COLUMN_WINDOW = 9  # columns a mast or a tree may hide
_SEARCH_UP = 0.12  # of the height: in haze the best split lies under far ridges, by up to 0.09 on the shared sites
_LEAST_EDGE = 0.03  # brightness: a far ridge against the sky; sky itself changes by less than 0.015 in two rows


def horizon_rows(blue: Plane) -> Rows:
    """Returns, for each column, the first row of terrain; 0 in every column where no sky is found.

    `blue` is the blue channel in cells, 0–1: by day sky is bright in blue under any weather, vegetation and soil
    are not. Each column is split where the means above and below differ most (Otsu's criterion, sky above being
    brighter; once more above water, which is as bright), then moved up to the first clear step down in brightness,
    where far ridges fade into haze; a median over neighbouring columns removes masts.
    """
    height, width = blue.shape
    none = np.zeros(width, dtype=np.int64)
    if height < _LEAST_ROWS:
        return none
    split, step = _best_split(blue, np.full(width, height, dtype=np.int64))
    if float(np.median(step)) < _LEAST_STEP:
        return none
    split = _above_water(blue, _smoothed(split))
    ridge = _topmost_edge(blue, _smoothed(split))
    return _smoothed(ridge)


def _above_water(blue: Plane, split: Rows) -> Rows:
    """A lake and a pale plain in haze are as bright as the sky: where what lies above the split is split as clearly
    once more, that is the skyline."""
    upper, step = _best_split(blue, split)
    if float(np.median(step)) < _LEAST_WATER_STEP:
        return split
    return np.where(step >= _LEAST_COLUMN_STEP, upper, split)


def _best_split(blue: Plane, heights: Rows) -> tuple[Rows, Plane]:
    """Splits the first `heights` rows of each column: the first row below, and by how much what lies above is brighter.

    No split (0 and 0) where nothing above is brighter.
    """
    total = np.cumsum(blue, axis=0)
    rows = np.arange(1, len(blue), dtype=np.float32)[:, None]
    below = heights - rows
    whole = total[np.maximum(heights - 1, 0), np.arange(len(heights))]
    step = total[:-1] / rows - (whole - total[:-1]) / np.maximum(below, 1)
    between = np.where((step > 0) & (below > 0), step * step * rows * below, 0.0)
    split = np.argmax(between, axis=0)
    is_found = between.max(axis=0) > 0
    best = np.take_along_axis(step, split[None], axis=0)[0]
    return np.where(is_found, split + 1, 0), np.where(is_found, best, 0.0).astype(np.float32)


def _topmost_edge(blue: Plane, split: Rows) -> Rows:
    height = blue.shape[0]
    drop = np.zeros_like(blue)
    drop[1:-1] = blue[:-2] - blue[2:]
    rows = np.arange(height)[:, None]
    within = (rows >= split[None] - round(_SEARCH_UP * height)) & (rows <= split[None])
    edge = within & (drop > _LEAST_EDGE)
    first = np.argmax(edge, axis=0)
    return np.where(edge.any(axis=0), first, split)


def _smoothed(rows: Rows) -> Rows:
    side = min(_COLUMN_WINDOW, (len(rows) - 1) // 2 * 2 + 1)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(rows, side // 2, mode="edge"), side)
    return np.asarray(np.median(windows, axis=1), dtype=np.int64)
