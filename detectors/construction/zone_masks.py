"""A zone as cells of the picture: its ground, and what a building on it may rise into."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.preprocess import cells
from ioc.opencv import cv2
from ioc.permits import Zone

__all__ = ["KEPT_FREE", "Window", "ZoneMask", "zone_mask"]

Window = tuple[slice, slice]
_RIM_CELLS = 3

KEPT_FREE = frozenset({"road_corridor", "lake_shore"})
"""Kinds of zones in which nothing may stand: things in them are told after a dwell, whatever they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneMask:
    """`inside` is the zone, `around` with what rises from it or stands across its edge; rows × columns of cells.

    The windows hold each of them with a rim, as rows and columns.
    """

    zone: Zone
    inside: NDArray[np.bool_]
    around: NDArray[np.bool_]
    inside_window: Window
    around_window: Window

    @property
    def is_kept_free(self) -> bool:
        return self.zone.kind in KEPT_FREE


def zone_mask(zone: Zone, shape: tuple[int, int], cell_px: int) -> ZoneMask:
    """Returns the zone's cells on a working picture of `shape` (height × width, pixels)."""
    rows, columns = cells(np.zeros(shape, np.float32), cell_px).shape
    points = np.array([(x * columns, y * rows) for x, y in zone.polygon], dtype=np.float64)
    mask = np.zeros((rows, columns), np.uint8)
    cv2.fillPoly(mask, [np.floor(points).astype(np.int32)], (1,))
    inside = mask > 0
    if zone.kind in KEPT_FREE:
        return _masked(zone, inside, inside)
    across, along = np.ptp(points[:, 0]), np.ptp(points[:, 1])
    # four storeys on a plot are about as high in the picture as the plot is wide; half a house may stand beside it
    rise, beside = int(np.ceil(min(across, 6 * along))), int(np.ceil(across / 3))
    kernel = np.zeros((2 * rise + 1, 2 * beside + 1), np.uint8)
    kernel[rise:, :] = 1  # OpenCV's dilation takes the greatest of what lies under the kernel: from below, upwards
    around = cv2.dilate(mask, kernel) > 0
    lowest = int(np.nonzero(mask.any(axis=1))[0].max(initial=0))
    around[lowest + 2 :] = False
    return _masked(zone, inside, np.asarray(around))


def _masked(zone: Zone, inside: NDArray[np.bool_], around: NDArray[np.bool_]) -> ZoneMask:
    return ZoneMask(
        zone=zone, inside=inside, around=around, inside_window=_window(inside), around_window=_window(around)
    )


def _window(mask: NDArray[np.bool_]) -> Window:
    """The least rows and columns that hold the mask and a rim; one cell where it is empty."""
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return slice(0, 1), slice(0, 1)
    return _rimmed(rows, mask.shape[0]), _rimmed(columns, mask.shape[1])


def _rimmed(places: NDArray[np.int_], most: int) -> slice:
    return slice(max(0, int(places.min()) - _RIM_CELLS), min(most, int(places.max()) + 1 + _RIM_CELLS))
