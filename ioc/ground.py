"""From the picture to the ground and back: a homography from control points, with its error in metres. Pure.

A pose that looks down at a hillside sees a nearly flat piece of it; four or more points that are known both in the
picture and on the map fix the projective map between the two (Hartley, Zisserman: "Multiple View Geometry", 4.1: the
normalised direct linear transform).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray
from shapely import Polygon, box
from shapely import transform as mapped

from ioc.errors import ConfigurationError

__all__ = ["VIETNAM_LATITUDES", "VIETNAM_LONGITUDES", "ControlPoint", "Footprint", "GroundMap", "LocalPlane"]

Points = NDArray[np.float64]

VIETNAM_LONGITUDES = (102.0, 118.0)  # with its archipelagos; no number is in both, so swapped ones are told
VIETNAM_LATITUDES = (6.0, 24.0)

_AXIS_M = 6_378_137.0  # WGS 84
_ECCENTRICITY_2 = 6.694379990141e-3
_PICKED = 0.002  # of the picture's width: 2–3 pixels of 1280, as a person points at a corner of a roof
_LEAST_SPREAD = 0.02  # singular values of the points about their middle, least over greatest: below it, a line


@dataclass(frozen=True, slots=True)
class LocalPlane:
    """Metres east and north of a place: exact to centimetres within a kilometre (WGS 84's radii at its latitude)."""

    lon: float
    lat: float

    def _metres_per_degree(self) -> tuple[float, float]:
        sine = math.sin(math.radians(self.lat))
        root = 1 - _ECCENTRICITY_2 * sine * sine
        east = _AXIS_M / math.sqrt(root) * math.cos(math.radians(self.lat))
        north = _AXIS_M * (1 - _ECCENTRICITY_2) / root**1.5
        return math.radians(east), math.radians(north)

    def to_metres(self, lonlat: Points) -> Points:
        """Returns n × 2 metres (east, north) of n × 2 degrees (longitude, latitude)."""
        return np.asarray((lonlat - (self.lon, self.lat)) * self._metres_per_degree(), dtype=np.float64)

    def to_degrees(self, metres: Points) -> Points:
        """Returns n × 2 degrees (longitude, latitude) of n × 2 metres (east, north)."""
        return np.asarray(metres / self._metres_per_degree() + (self.lon, self.lat), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPoint:
    """One place known twice: `x`, `y` in shares of the picture (0–1), `lon`, `lat` in degrees of WGS 84."""

    x: float
    y: float
    lon: float
    lat: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Where something stands: an outline in longitude and latitude, and how wrong its edges may be, in metres."""

    outline: Polygon
    error_m: float

    @property
    def area_m2(self) -> float:
        return float(self._in_metres(self.outline).area)

    def area_outside_m2(self, parcel: Polygon) -> float:
        """Returns the area that lies outside `parcel` (longitude, latitude) by more than the error."""
        allowed = self._in_metres(parcel).buffer(self.error_m)
        return float(self._in_metres(self.outline).difference(allowed).area)

    def _in_metres(self, outline: Polygon) -> Polygon:
        middle = self.outline.centroid
        return mapped(outline, LocalPlane(middle.x, middle.y).to_metres)


class GroundMap:
    """The map between one pose's picture and the ground; `error_m` is the error to expect of a place, in metres.

    `error_m`, root mean square over the control points: what misses the points in the picture (their scatter, at least
    0.2 % of the width, as people point) does on the ground, widened by what the eight numbers of the map may be wrong
    themselves. Ground that bends shows as scatter.
    """

    def __init__(self, points: Sequence[ControlPoint]) -> None:
        """Makes the map of at least four points, no three of four on a line.

        Raises:
            ConfigurationError: too few points, on a line or twice the same, outside the picture, or latitude and
                longitude swapped.
        """
        _check(points)
        self._plane = LocalPlane(float(np.mean([p.lon for p in points])), float(np.mean([p.lat for p in points])))
        picture = np.array([(p.x, p.y) for p in points], dtype=np.float64)
        ground = self._plane.to_metres(np.array([(p.lon, p.lat) for p in points], dtype=np.float64))
        if _spread(picture) < _LEAST_SPREAD or _spread(ground) < _LEAST_SPREAD:
            raise ConfigurationError(
                "the control points lie on a line, in the picture or on the map; add points beside it"
            )
        self._to_ground = _homography(picture, ground)
        self._to_picture = np.asarray(np.linalg.inv(self._to_ground), dtype=np.float64)
        self._horizon_side = math.copysign(1.0, float(np.median(_depths(self._to_ground, picture))))
        if not (self._horizon_side * _depths(self._to_ground, picture) > 0).all():
            raise ConfigurationError(
                "the control points fit no view of a plane: one of them, or two swapped, must be wrong"
            )
        self.error_m = self._expected_error(picture, ground)

    def to_lonlat(self, x: float, y: float) -> tuple[float, float] | None:
        """Returns (longitude, latitude) of a place in the picture; None at and above the horizon of the plane."""
        found = self._ground_of(np.array([(x, y)], dtype=np.float64))
        if found is None:
            return None
        lon, lat = self._plane.to_degrees(found)[0]
        return float(lon), float(lat)

    def to_picture(self, lon: float, lat: float) -> tuple[float, float]:
        """Returns (x, y) in shares of the picture (may lie outside of 0–1)."""
        metres = self._plane.to_metres(np.array([(lon, lat)], dtype=np.float64))
        x, y = _apply(self._to_picture, metres)[0]
        return float(x), float(y)

    def footprint(self, corners: Sequence[tuple[float, float]]) -> Footprint | None:
        """Returns where an outline of the picture (shares, at least three corners) stands, None above the horizon."""
        found = self._ground_of(np.array(corners, dtype=np.float64))
        if found is None:
            return None
        degrees = self._plane.to_degrees(found)
        outline = Polygon(degrees)
        if not outline.is_valid:
            outline = cast(Polygon, outline.convex_hull)
        return Footprint(outline=outline, error_m=self.error_m)

    def in_picture(self, outline: Polygon) -> tuple[tuple[float, float], ...]:
        """Returns the part of an outline (longitude, latitude) that the picture shows, as corners in shares (0–1).

        Of what a picture's edge cuts in pieces the largest; empty where nothing of it is in the picture.
        """
        corners = self._plane.to_metres(np.array(outline.exterior.coords[:-1], dtype=np.float64))
        side = math.copysign(1.0, float(_depths(self._to_picture, np.zeros((1, 2)))[0]))
        before = _before_the_camera(corners, side * self._to_picture[2])
        if len(before) < 3:
            return ()
        shown = Polygon(_apply(self._to_picture, before)).buffer(0).intersection(box(0, 0, 1, 1))
        parts = [part for part in getattr(shown, "geoms", [shown]) if isinstance(part, Polygon) and part.area > 0]
        if not parts:
            return ()
        found = max(parts, key=lambda part: part.area)
        return tuple((float(x), float(y)) for x, y in found.exterior.coords[:-1])

    def _ground_of(self, picture: Points) -> Points | None:
        if not (self._horizon_side * _depths(self._to_ground, picture) > 1e-9).all():
            return None
        return _apply(self._to_ground, picture)

    def _expected_error(self, picture: Points, ground: Points) -> float:
        spare = 2 * len(picture) - 8  # eight numbers make a homography
        missed = _apply(self._to_picture, ground) - picture
        scatter = math.sqrt(float((missed**2).sum()) / spare) if spare > 0 else 0.0
        pointing = max(scatter, _PICKED)
        here = _apply(self._to_ground, picture)
        squares = np.zeros(len(picture))
        for step in ((pointing, 0.0), (0.0, pointing)):
            there = _apply(self._to_ground, np.asarray(picture + step, dtype=np.float64))
            squares += ((there - here) ** 2).sum(axis=1)
        return math.sqrt(float(squares.mean()) * (1 + 8 / (2 * len(picture))))


def _check(points: Sequence[ControlPoint]) -> None:
    if len(points) < 4:
        raise ConfigurationError(f"{len(points)} control points; a ground map needs four or more, spread over the view")
    for number, point in enumerate(points, 1):
        if not (0 <= point.x <= 1 and 0 <= point.y <= 1):
            raise ConfigurationError(
                f"control point {number}: ({point.x:g}, {point.y:g}) is outside the picture; x and y are shares, 0 to 1"
            )
        if _within(point.lon, VIETNAM_LATITUDES) and _within(point.lat, VIETNAM_LONGITUDES):
            raise ConfigurationError(
                f"control point {number}: longitude {point.lon:g} and latitude {point.lat:g} are swapped"
            )
        if not (-180 <= point.lon <= 180 and -90 < point.lat < 90):
            raise ConfigurationError(f"control point {number}: ({point.lon:g}, {point.lat:g}) is no place on earth")


def _within(degrees: float, bounds: tuple[float, float]) -> bool:
    return bounds[0] <= degrees <= bounds[1]


def _spread(points: Points) -> float:
    """Least over greatest singular value about the middle: 0 on a line, 1 in a circle."""
    values = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return float(values[-1] / values[0]) if values[0] > 0 else 0.0


def _normalising(points: Points) -> Points:
    middle = points.mean(axis=0)
    scale = math.sqrt(2) / float(np.mean(np.linalg.norm(points - middle, axis=1)))
    return np.array([[scale, 0, -scale * middle[0]], [0, scale, -scale * middle[1]], [0, 0, 1.0]])


def _homography(source: Points, target: Points) -> Points:
    """The least-squares projective map of n × 2 onto n × 2 points, n ≥ 4."""
    before, after = _normalising(source), _normalising(target)
    a, b = _apply(before, source), _apply(after, target)
    rows = []
    for (x, y), (u, v) in zip(a, b, strict=True):
        rows.append([-x, -y, -1, 0, 0, 0, u * x, u * y, u])
        rows.append([0, 0, 0, -x, -y, -1, v * x, v * y, v])
    *_, vectors = np.linalg.svd(np.array(rows))
    return np.asarray(np.linalg.inv(after) @ vectors[-1].reshape(3, 3) @ before, dtype=np.float64)


def _depths(matrix: Points, points: Points) -> Points:
    return np.asarray(points @ matrix[2, :2] + matrix[2, 2], dtype=np.float64)


def _before_the_camera(corners: Points, row: Points) -> Points:
    """A ring of n × 2 points cut at the line where `row` (a homography's last) says that depth is next to nothing."""
    depths = corners @ row[:2] + row[2]
    least = 1e-3 * float(np.abs(depths).max())
    kept: list[Points] = []
    for index in range(len(corners)):
        here, there = corners[index - 1], corners[index]
        depth, next_depth = depths[index - 1] - least, depths[index] - least
        if (depth > 0) != (next_depth > 0):
            kept.append(here + (there - here) * (depth / (depth - next_depth)))
        if next_depth > 0:
            kept.append(there)
    return np.array(kept, dtype=np.float64).reshape(-1, 2)


def _apply(matrix: Points, points: Points) -> Points:
    flat = points @ matrix[:2, :2].T + matrix[:2, 2]
    return np.asarray(flat / _depths(matrix, points)[:, None], dtype=np.float64)
