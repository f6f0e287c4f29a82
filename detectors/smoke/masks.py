"""Where smoke can't be, drawn by hand for a pose: sky above the ridges, and what stands before the camera. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.horizon import horizon_rows
from detectors.preprocess import Plane
from ioc.opencv import cv2

__all__ = ["NO_MASKS", "PoseMasks", "Terrain", "terrain_of"]

Polygon = tuple[tuple[float, float], ...]
"""Corners (x, y) as shares of the picture, 0–1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseMasks:
    """Polygons of one pose. `hidden`: what stands in the way or must not be looked at."""

    sky: tuple[Polygon, ...] = ()
    hidden: tuple[Polygon, ...] = ()


NO_MASKS = PoseMasks()


@dataclass(frozen=True, slots=True)
class Terrain:
    """Of one grid of cells: `rows` the first row of terrain in each column (0 in all: no sky), `hidden` cells that are
    not looked at."""

    rows: NDArray[np.int64]
    hidden: NDArray[np.bool_]


def terrain_of(blue: Plane, masks: PoseMasks) -> Terrain:
    """Returns where terrain begins: below the drawn sky where there is one, else as the picture tells."""
    shape = (blue.shape[0], blue.shape[1])
    if masks.sky:
        sky = _filled(masks.sky, shape)
        lowest = shape[0] - np.argmax(sky[::-1], axis=0)
        rows = np.where(sky.any(axis=0), lowest, 0).astype(np.int64)
    else:
        rows = horizon_rows(blue)
    return Terrain(rows, _filled(masks.hidden, shape))


def _filled(polygons: tuple[Polygon, ...], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Returns the cells whose middle lies inside a polygon."""
    fine = 4
    height, width = shape[0] * fine, shape[1] * fine
    drawn = np.zeros((height, width), dtype=np.uint8)
    for polygon in polygons:
        corners = np.array([(x * width, y * height) for x, y in polygon], dtype=np.float64)
        cv2.fillPoly(drawn, [np.floor(corners).astype(np.int32)], (1,))
    return np.asarray(drawn[fine // 2 :: fine, fine // 2 :: fine] > 0)
