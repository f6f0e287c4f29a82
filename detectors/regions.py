"""Connected cells as regions with boxes. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.preprocess import Plane
from ioc.detections import Box
from ioc.opencv import cv2

__all__ = ["Region", "regions_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Cells that touch. `left`, `top` are the first, `right`, `bottom` one past the last; `strength` their mean."""

    left: int
    top: int
    right: int
    bottom: int
    cells: int
    strength: float
    box: Box


def regions_of(mask: NDArray[np.bool_], strength: Plane, *, most: int = 32) -> list[Region]:
    """Returns the regions of `mask` (8-connected), largest first, at most `most`: memory and time stay bounded."""
    height, width = mask.shape
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 1:
        return []
    order = np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable")[:most] + 1
    regions = []
    for label in order:
        left, top, w, h, area = (int(value) for value in stats[label])
        inside = labels[top : top + h, left : left + w] == label
        regions.append(
            Region(
                left=left,
                top=top,
                right=left + w,
                bottom=top + h,
                cells=area,
                strength=float(strength[top : top + h, left : left + w][inside].mean()),
                box=Box.from_edges(left / width, top / height, (left + w) / width, (top + h) / height),
            )
        )
    return regions
