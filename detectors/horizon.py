"""Where sky ends: smoke rises from terrain, clouds do not touch it. Pure."""

import numpy as np
from numpy.typing import NDArray

from detectors.preprocess import Plane

__all__ = ["horizon_rows"]

_LEAST_STEP = 0.08  # brightness, 0–1: hazy ridges of the shared sites keep 0.1 and more, terrain alone has no such split
_COLUMN_WINDOW = 9  # columns a mast or a tree may hide


def horizon_rows(blue: Plane) -> NDArray[np.intp]:
    """Returns, for each column, the first row of terrain; 0 in every column where no sky is found.

    `blue` is the blue channel in cells, 0–1: sky is bright in blue under any weather by day, vegetation and soil are not.
    Each column is split where the means above and below differ most (Otsu's criterion, sky above being brighter);
    a median over neighbouring columns removes masts.
    """
    height, width = blue.shape
    none = np.zeros(width, dtype=np.intp)
    if height < 4:
        return none
    total = np.cumsum(blue, axis=0)
    rows = np.arange(1, height, dtype=np.float32)[:, None]
    above = total[:-1] / rows
    below = (total[-1] - total[:-1]) / (height - rows)
    step = above - below
    between = np.where(step > 0, step * step * rows * (height - rows), 0.0)
    split = np.argmax(between, axis=0)
    if float(np.median(np.take_along_axis(step, split[None], axis=0))) < _LEAST_STEP:
        return none
    side = min(_COLUMN_WINDOW, width if width % 2 else width - 1)
    padded = np.pad(split + 1, side // 2, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, side)
    return np.median(windows, axis=1).astype(np.intp)
