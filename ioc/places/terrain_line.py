"""From a picture's row to a distance, by the ground that the rows of one pose show. Pure.

A terrain line says, for a few rows from the foreground to the skyline, how far away the ground is that is seen there
(measured on a map once). Between two rows the inverse of the distance is taken as linear: exact for even ground.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ioc.errors import ConfigurationError

__all__ = ["DistanceBand", "TerrainPoint", "band_of", "check_terrain"]

ROW_SD = 0.01
"""How well the foot of a box is known, in shares of the height: 7 pixels of 720, with what the tilt is off."""
_GROUND_SD = 0.15  # of the distance: what a few points on a map miss of real ground


@dataclass(frozen=True, slots=True, kw_only=True)
class TerrainPoint:
    """The ground seen at `row` (share of the height, 0 at the top) is `distance_m` away."""

    row: float
    distance_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DistanceBand:
    """Where on its bearing the thing stands: `distance_m` with its standard deviation, and the ends of the band."""

    distance_m: float
    sd_m: float
    from_m: float
    to_m: float


def check_terrain(points: Sequence[TerrainPoint]) -> None:
    """Raises ConfigurationError where `points` is no line from near to far: from the lower rows up, each farther."""
    if len(points) == 1:
        raise ConfigurationError("one point is no line; give at least two, the nearest ground first")
    for near, far in pairwise(points):
        if far.row >= near.row or far.distance_m <= near.distance_m:
            raise ConfigurationError(
                f"after row {near.row:g} at {near.distance_m:g} m comes row {far.row:g} at {far.distance_m:g} m; list "
                "the points from the nearest ground up to the skyline: rows fall (0 is the top), distances grow"
            )


def band_of(terrain: Sequence[TerrainPoint], row: float, range_m: float) -> DistanceBand | None:
    """Returns how far away the foot of a box at `row` stands; None without a terrain line.

    Above the skyline the fire is behind it: from the skyline to the end of the range. Below the nearest row it is
    nearer than that.
    """
    if not terrain:
        return None
    low, high = _at(terrain, row + ROW_SD, range_m)[0], _at(terrain, row - ROW_SD, range_m)[1]
    low, high = low * (1 - _GROUND_SD), high * (1 + _GROUND_SD)
    middle = (low + high) / 2
    # The band's ends as ± 1.7 sd: those of an even spread, and near to 90 % of a normal one.
    return DistanceBand(distance_m=middle, sd_m=max((high - low) / math.sqrt(12), 1.0), from_m=low, to_m=high)


def _at(terrain: Sequence[TerrainPoint], row: float, range_m: float) -> tuple[float, float]:
    """The nearest and the farthest that ground at `row` can be."""
    nearest, skyline = terrain[0], terrain[-1]
    if row > nearest.row:
        return 0.0, nearest.distance_m
    if row < skyline.row:
        return skyline.distance_m, max(range_m, skyline.distance_m)
    for near, far in pairwise(terrain):
        if far.row <= row <= near.row:
            share = (near.row - row) / (near.row - far.row)
            distance_m = 1 / ((1 - share) / near.distance_m + share / far.distance_m)
            return distance_m, distance_m
    raise AssertionError("a row between two others lies between two of the line")
