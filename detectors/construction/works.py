"""What the shape of something new says of a building: its stage, its height, where it stands. Pure.

The camera looks down at a slant, so what rises from a plot covers the ground behind it. How far it covers it tells the
height, if one knows where the house ends: it is taken to end a fifth of the plot before the plot's far edge. Everything
is rounded so that only what is certain is said.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.construction.standing import Standing
from detectors.construction.zone_masks import ZoneMask
from ioc.ground import GroundMap, LocalPlane

__all__ = ["Outline", "height_m", "outline_of", "stage_of", "storeys_of"]

_REAR_SHARE = 0.2
_BLUR_CELLS = 1.5  # what the window of the structure measure adds at each edge
_STOREY_M = 3.6
_FRAME_M = 2.5  # higher than a tent, a fence or a digger's arm
_CLEARED_SHARE = 0.35
_BESIDE_SHARE = 0.4  # of what the house rises on its own plot


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


def storeys_of(high_m: float) -> int:
    """Returns the least number of storeys that a measured height (metres) leaves possible.

    A plinth and what is seen of a roof are some 2 m, less than a storey: they make no storey of their own.
    """
    return max(0, int(high_m / _STOREY_M))


def stage_of(outline: Outline | None, high_m: float | None) -> str:
    """Returns how far the work is: cleared, foundation or frame. Without a height what rises is a frame."""
    if outline is None:
        return "cleared"
    if high_m is None or high_m >= _FRAME_M:
        return "frame"
    return "foundation" if outline.share > _CLEARED_SHARE else "cleared"


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
    """Columns in which something is to be seen behind the zone; beside it, only what also stands on the ground there:
    a shadow lies on the ground and rises no further, a neighbour's house rises and does not stand on this ground."""
    behind: NDArray[np.int_] = np.asarray(np.sum(present[: max(0, far - 1)], axis=0))
    on_ground = np.asarray(np.sum(present[far:near], axis=0) >= max(2.0, 0.5 * (near - far)))
    own = np.zeros(behind.shape, dtype=bool)
    own[left:right] = True
    rises = behind[own & (behind > 0)]
    least = max(1.0, _BESIDE_SHARE * float(np.median(rises))) if len(rises) else 1.0
    own_rises = own & (behind > 0)
    return np.nonzero(own_rises | (~own & on_ground & (behind >= least)))[0]


def height_m(outline: Outline, ground: GroundMap | None, shape: tuple[int, int]) -> float | None:
    """Returns how far above the ground the top is; a metre upwards is as long in the picture as one across."""
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
