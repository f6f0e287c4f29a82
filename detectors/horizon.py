"""Where sky ends: smoke rises from terrain, clouds do not touch it. Pure."""

import numpy as np
from numpy.typing import NDArray

from detectors.preprocess import Plane

__all__ = ["horizon_rows"]

Rows = NDArray[np.int64]

_LEAST_STEP = (
    0.08  # brightness, 0–1: hazy ridges of the shared sites keep 0.1 and more, terrain alone has no such split
)
_COLUMN_WINDOW = 9  # columns a mast or a tree may hide
_SEARCH_UP = 0.12  # of the height: in haze the best split lies under far ridges, by up to 0.09 on the shared sites
_LEAST_EDGE = 0.03  # brightness: a far ridge against the sky; sky itself changes by less than 0.015 in two rows


def horizon_rows(blue: Plane) -> Rows:
    """Returns, for each column, the first row of terrain; 0 in every column where no sky is found.

    `blue` is the blue channel in cells, 0–1: by day sky is bright in blue under any weather, vegetation and soil
    are not. Each column is split where the means above and below differ most (Otsu's criterion, sky above being
    brighter), then moved up to the first clear step down in brightness, where far ridges fade into haze; a median over
    neighbouring columns removes masts.
    """
    height, width = blue.shape
    none = np.zeros(width, dtype=np.int64)
    if height < 8:
        return none
    split, step = _best_split(blue)
    if float(np.median(step)) < _LEAST_STEP:
        return none
    ridge = _topmost_edge(blue, _smoothed(split))
    return _smoothed(ridge)


def _best_split(blue: Plane) -> tuple[Rows, Plane]:
    height = blue.shape[0]
    total = np.cumsum(blue, axis=0)
    rows = np.arange(1, height, dtype=np.float32)[:, None]
    step = total[:-1] / rows - (total[-1] - total[:-1]) / (height - rows)
    between = np.where(step > 0, step * step * rows * (height - rows), 0.0)
    split = np.argmax(between, axis=0)
    return split + 1, np.take_along_axis(step, split[None], axis=0)[0].astype(np.float32)


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
