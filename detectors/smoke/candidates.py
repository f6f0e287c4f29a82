"""Cells that changed like smoke become regions; a region that can't be smoke is refused with its reason. Pure."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.regions import Region, regions_of
from detectors.smoke.masks import Terrain
from detectors.smoke.planes import Change
from ioc.opencv import cv2

__all__ = ["Bounds", "covered", "evidence", "kept_regions", "refusal_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a region of smoke keeps to; shares of the picture but for `least_cells`."""

    least_cells: int
    max_width: float
    into_terrain: float
    below_terrain: float
    activity: float


def evidence(change: Change, terrain: Terrain, *, rise: float, drop: float) -> NDArray[np.bool_]:
    """Returns the cells that turned greyer and hazier than the frame did."""
    rise3, drop3 = cv2.blur(change.rise, (3, 3)), cv2.blur(change.drop, (3, 3))
    return np.asarray((rise3 > rise) & (drop3 > drop) & ~terrain.hidden)


def kept_regions(
    mask: NDArray[np.bool_], change: Change, terrain: Terrain, bounds: Bounds
) -> tuple[list[Region], Counter[str]]:
    """Returns the regions of `mask` that may be smoke, and why the others may not."""
    kept: list[Region] = []
    rejected: Counter[str] = Counter()
    for region in regions_of(mask, change.rise):
        reason = _refusal(region, change, terrain, bounds)
        if reason:
            rejected[reason] += 1
        else:
            kept.append(region)
    return kept, rejected


def _refusal(region: Region, change: Change, terrain: Terrain, bounds: Bounds) -> str:
    if region.cells < bounds.least_cells:
        return "too_small"
    if place := refusal_of(region, terrain, bounds):
        return place
    quick = change.quick[region.top : region.bottom, region.left : region.right]
    return "still" if float(quick.mean()) < bounds.activity else ""


def refusal_of(region: Region, terrain: Terrain, bounds: Bounds) -> str:
    """Returns why smoke can't have this size and place, "" where it can. The region's grid may be a coarser one."""
    if region.box.w > bounds.max_width:
        return "too_wide"
    columns = terrain.rows[slice(*_span(region.box.edges[0], region.box.edges[2], len(terrain.rows)))]
    bottom = region.box.edges[3]
    line = float(np.median(columns)) / terrain.hidden.shape[0] if columns.size else 0.0
    if line <= 0:
        return ""
    if bottom < line + bounds.into_terrain:
        return "above_terrain"
    return "foreground" if bottom > line + bounds.below_terrain else ""


def covered(regions: Iterable[Region], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Returns the cells of a grid of `shape` that the boxes of regions of any grid touch."""
    cells = np.zeros(shape, dtype=bool)
    for region in regions:
        left, top, right, bottom = region.box.edges
        cells[slice(*_span(top, bottom, shape[0])), slice(*_span(left, right, shape[1]))] = True
    return cells


def _span(low: float, high: float, count: int) -> tuple[int, int]:
    """Returns the cells [first, last) of `count` that low–high (shares) touches."""
    return max(0, math.floor(low * count + 1e-6)), min(count, math.ceil(high * count - 1e-6))
