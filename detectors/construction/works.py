"""What the shape of something new says of a building: its stage, its height, where it stands. Pure.

The camera looks down at a slant, so what rises from a plot covers the ground behind it. How far it covers it tells the
height, if one knows where the house ends: it is taken to end a fifth of the plot before the plot's far edge. Everything
is rounded so that only what is certain is said.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.base import SeenWork
from detectors.construction.standing import Standing
from detectors.construction.zone_masks import ZoneMask
from ioc.ground import GroundMap, LocalPlane

__all__ = ["Outline", "describe", "outline_of"]

_REAR_SHARE = 0.2
_BLUR_CELLS = 1.5  # what the window of the structure measure adds at each edge
_STOREY_M = 3.6
_PLINTH_AND_ROOF_M = 3.1
_SURE = 0.3  # of a storey, above which the next one is said to be there
_FRAME_M = 2.5  # higher than a tent, a fence or a digger's arm
_CLEARED_SHARE = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """Of something new on a zone, in cells: columns of what rises, its top, and the house's far and near row.

    `lean` is how many columns the plot goes to the right with each row towards the camera.
    """

    left: float
    right: float
    top: float
    rear: float
    front: float
    share: float
    lean: float

    @property
    def corners(self) -> tuple[tuple[float, float], ...]:
        """(column, row) of the footprint: it leans as the plot does, seen from the side."""
        away = self.lean * (self.front - self.rear) / 2
        return (
            (self.left + away, self.front),
            (self.right + away, self.front),
            (self.right - away, self.rear),
            (self.left - away, self.rear),
        )


def describe(mask: ZoneMask, standing: Standing, ground: GroundMap | None, *, is_active: bool) -> SeenWork:
    """Returns what is certain of what stands in the zone."""
    outline = outline_of(mask, standing)
    if outline is None:
        return SeenWork(stage="cleared", is_active=is_active)
    rows, columns = mask.inside.shape
    corners = tuple((round(x / columns, 5), round(y / rows, 5)) for x, y in outline.corners)
    high_m = _height_m(outline, ground, (rows, columns))
    storeys = None if high_m is None else max(0, int((high_m - _PLINTH_AND_ROOF_M) / _STOREY_M + _SURE))
    return SeenWork(stage=_stage(outline, high_m), storeys=storeys, footprint=corners, is_active=is_active)


def outline_of(mask: ZoneMask, standing: Standing) -> Outline | None:
    """Returns where something rises from the zone, or stands across its side; None where the ground only changed."""
    rows, columns = np.nonzero(mask.inside)
    rises = _columns_above(standing.mask, rows.min(), columns.min(), columns.max() + 1, rows.max() + 1)
    if len(rises) < 2:
        return None
    left, right = float(rises.min()) + _BLUR_CELLS, float(rises.max() + 1) - _BLUR_CELLS
    # of the polygon, not of the cells: seen flat, a cell is as deep as half a house
    heights = [y * mask.inside.shape[0] for _, y in mask.zone.polygon]
    far, near = min(heights), max(heights)
    tops = np.argmax(standing.mask[:, rises], axis=0)
    rear = far + _REAR_SHARE * (near - far)
    slant = (near - far) / float(np.ptp(columns) + 1)
    front = min(near - 0.1 * (near - far), rear + (right - left) * slant)
    return Outline(
        left=left,
        right=max(right, left + 0.5),
        top=float(np.percentile(tops, 25)) + _BLUR_CELLS,
        rear=rear,
        front=front,
        share=standing.cells / max(1, len(rows)),
        lean=float(np.cov(rows, columns)[0, 1] / max(float(np.var(rows)), 0.1)),
    )


def _columns_above(present: NDArray[np.bool_], far: int, left: int, right: int, near: int) -> NDArray[np.int_]:
    """Columns in which something is to be seen behind the zone, or beside it on the ground."""
    behind: NDArray[np.bool_] = np.asarray(np.any(present[: max(0, far - 1)], axis=0))
    behind[:left], behind[right:] = False, False  # shadows and neighbours
    beside = np.asarray(np.sum(present[far:near], axis=0) >= max(2.0, 0.5 * (near - far)))
    beside[max(0, left - 1) : right + 1] = False
    return np.nonzero(behind | beside)[0]


def _stage(outline: Outline, high_m: float | None) -> str:
    if high_m is None:
        return "frame"
    if high_m < _FRAME_M:
        return "foundation" if outline.share > _CLEARED_SHARE else "cleared"
    return "frame"


def _height_m(outline: Outline, ground: GroundMap | None, shape: tuple[int, int]) -> float | None:
    """How far above the ground the top is; a metre upwards is as long in the picture as one across."""
    if ground is None:
        return None
    rows, columns = shape
    row = outline.rear / rows
    ends = [ground.to_lonlat(x / columns, row) for x in (outline.left, outline.right)]
    if ends[0] is None or ends[1] is None:
        return None
    plane = LocalPlane(*ends[0])
    across_m = float(np.linalg.norm(plane.to_metres(np.array([ends[1]]))[0]))
    if across_m <= 0:
        return None
    return (outline.rear - outline.top) / (outline.right - outline.left) * across_m
