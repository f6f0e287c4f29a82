"""Structure of a picture that its reference can't explain. Pure."""

import numpy as np
from numpy.typing import NDArray

from detectors.preprocess import Plane
from ioc.opencv import cv2

__all__ = ["unexplained_structure"]

Grey = NDArray[np.uint8]


def unexplained_structure(reference: Grey, current: Grey, *, side_px: int = 11) -> Plane:
    """Returns, for each pixel, the spread of `current` around it that no a·reference + b explains, 0–255.

    Both height × width. In each window `current` is fitted to `reference` by least squares, and
    var(c) − cov(c, r)² / var(r) is left over. A shadow changes a, haze and smoke lower a and raise b: neither leaves
    anything over; a new edge or a new texture does. What disappears under smoke or darkness doesn't either: that is
    meant.
    """
    window = (side_px, side_px)
    r, c = _fine(reference, window), _fine(current, window)
    mean_r, mean_c = cv2.blur(r, window), cv2.blur(c, window)
    var_r = np.maximum(cv2.blur(r * r, window) - mean_r * mean_r, 0.0)
    var_c = np.maximum(cv2.blur(c * c, window) - mean_c * mean_c, 0.0)
    cov = cv2.blur(r * c, window) - mean_r * mean_c
    left_over = var_c - cov * cov / (var_r + np.float32(1.0))
    return np.asarray(np.sqrt(np.maximum(left_over, 0.0)), dtype=np.float32)


def _fine(grey: Grey, window: tuple[int, int]) -> Plane:
    """Returns what varies within the window: walls, beams and roofs have edges, billows of smoke have none."""
    level = grey.astype(np.float32)
    return np.asarray(level - cv2.blur(level, window), dtype=np.float32)
