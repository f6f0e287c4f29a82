"""From bearings (and distances, where known) to one position and its uncertainty. Pure.

Least squares on the ellipsoid: the place x whose geodesics from the cameras leave them at the azimuths that were seen,
each weighed by its error. Gauss-Newton with the geodesic's own derivatives: a step of dx to the right of a geodesic
turns its azimuth at the start by dx / m12, where m12 is the reduced length (Karney, 2013, "Algorithms for geodesics").
A distance along a bearing, where a terrain line gives one, is one more observation. The covariance is that of the
linear problem; `ioc bench cameras` tests it by simulation.

Where bearings give no place, the answer is a reason, never a guess.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from geographiclib.geodesic import Geodesic

from ioc.detections import Box
from ioc.places.bearings import View, bearing_of, turn_deg
from ioc.places.ellipse import Ellipse
from ioc.places.reasons import REASONS, Reason
from ioc.places.terrain_line import band_of

__all__ = ["Fix", "NoFix", "Sight", "chi2_limit", "locate", "sight_of"]

CHI2_95_OF_2 = 5.991
_CHI2_Z = 2.576  # the 99.5 % quantile of a normal distribution: one true triple in 200 is refused
_BASELINE_M = 30.0  # two lenses of one mast are one place
_NEAREST_M = 20.0
_MAX_STRETCH = 0.5
"""Semi-major axis of the 95 % ellipse over the largest distance. Above it the crossing is next to parallel: the linear
covariance no longer tells the truth (coverage in simulation falls below 93 %) and the place would mislead."""
_MIN_ANGLE_SDS = 4.0  # the same bound for bearings that would cross far out of range
_MAX_STEPS = 20
_CLOSE_M = 0.05
_GEOMETRY = Geodesic.AZIMUTH | Geodesic.DISTANCE | Geodesic.REDUCEDLENGTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One bearing from one place. `distance_m` and its error come from a terrain line, None where there is none."""

    lon: float
    lat: float
    azimuth_deg: float
    sd_deg: float
    range_m: float = 20_000.0
    distance_m: float | None = None
    distance_sd_m: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """A position. `covariance` is (north-north, north-east, east-east) in m²; `chi2` of `freedom` degrees says how well
    the sights agree; `left_out` are the indices of sights that did not."""

    lon: float
    lat: float
    ellipse: Ellipse
    covariance: tuple[float, float, float]
    chi2: float
    freedom: int
    distances_m: tuple[float, ...]
    left_out: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NoFix:
    """Why there is no position."""

    reason: Reason

    @property
    def vi(self) -> str:
        return REASONS[self.reason][0]

    @property
    def en(self) -> str:
        return REASONS[self.reason][1]


def sight_of(view: View, box: Box) -> Sight:
    """Returns what `box` in a picture of `view` says of the place: a bearing, and a distance where there is a terrain
    line."""
    bearing = bearing_of(view, box)
    band = band_of(view.terrain, min(1.0, box.edges[3]), view.range_m)
    return Sight(
        lon=view.lon,
        lat=view.lat,
        azimuth_deg=bearing.azimuth_deg,
        sd_deg=bearing.sd_deg,
        range_m=view.range_m,
        distance_m=band.distance_m if band else None,
        distance_sd_m=band.sd_m if band else None,
    )


def locate(sights: Sequence[Sight], *, is_robust: bool = True) -> Fix | NoFix:
    """Returns where the sights meet, or why they do not.

    With `is_robust`, one sight that contradicts the others is left out where exactly one can be: of four it is
    outvoted; of three only where a distance speaks against it or the other two pairs meet nowhere in sight (three that
    meet two by two are three explanations, so the answer is `disagree`).
    """
    found = _meet(sights)
    if isinstance(found, Fix) or not is_robust or len(sights) < 3:
        return found
    others = [
        (index, fix)
        for index in range(len(sights))
        if isinstance(fix := _meet([*sights[:index], *sights[index + 1 :]]), Fix)
    ]
    if not others:
        return found
    most = max(fix.freedom for _, fix in others)  # agreement of more than is needed is evidence; two always meet
    others = [(index, fix) for index, fix in others if fix.freedom == most]
    if len(others) != 1:
        return NoFix(reason="disagree")
    index, fix = others[0]
    return replace(fix, left_out=(index,))


def chi2_limit(freedom: int) -> float:
    """The 99.5 % quantile of χ² with `freedom` degrees (Wilson and Hilferty, 1931; within 1 %)."""
    part = 2 / (9 * freedom)
    return freedom * (1 - part + _CHI2_Z * math.sqrt(part)) ** 3


# ---- least squares ---------------------------------------------------------------------------------------------------


def _meet(sights: Sequence[Sight]) -> Fix | NoFix:
    start = _start(sights)
    if isinstance(start, NoFix):
        return start
    lon, lat = start
    for _ in range(_MAX_STEPS):
        normal, pull, chi2, lines = _system(sights, lon, lat)
        if _is_singular(normal):
            return NoFix(reason="parallel")
        north_m, east_m = (float(part) for part in np.linalg.solve(normal, pull))
        step_m = math.hypot(north_m, east_m)
        if step_m < _CLOSE_M:
            return _judged(sights, lon, lat, np.linalg.inv(normal), chi2, lines)
        bound_m = max(_NEAREST_M, 0.5 * min(float(line["s12"]) for line in lines))
        end = Geodesic.WGS84.Direct(lat, lon, math.degrees(math.atan2(east_m, north_m)), min(step_m, bound_m))
        lon, lat = float(end["lon2"]), float(end["lat2"])
    return NoFix(reason="parallel")


def _system(
    sights: Sequence[Sight], lon: float, lat: float
) -> tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]", float, list[dict[str, float]]]:
    """The normal equations at a place: matrix (2 × 2, north and east), right side, χ², and the geodesics to it."""
    rows: list[tuple[float, float]] = []
    gaps: list[float] = []
    lines = []
    for sight in sights:
        line = Geodesic.WGS84.Inverse(sight.lat, sight.lon, lat, lon, _GEOMETRY)
        lines.append(line)
        ahead = math.radians(line["azi2"])
        sd = math.radians(sight.sd_deg)
        reduced_m = max(line["m12"], 1.0)
        rows.append((-math.sin(ahead) / reduced_m / sd, math.cos(ahead) / reduced_m / sd))
        gaps.append(math.radians(turn_deg(line["azi1"], sight.azimuth_deg)) / sd)
        if sight.distance_m is not None and sight.distance_sd_m is not None:
            rows.append((math.cos(ahead) / sight.distance_sd_m, math.sin(ahead) / sight.distance_sd_m))
            gaps.append((sight.distance_m - line["s12"]) / sight.distance_sd_m)
    design, gap = np.array(rows), np.array(gaps)
    return design.T @ design, design.T @ gap, float(gap @ gap), lines


def _start(sights: Sequence[Sight]) -> tuple[float, float] | NoFix:
    """A first place, (longitude, latitude): at a known distance, else where the lines cross on a flat map."""
    measured = next((sight for sight in sights if sight.distance_m is not None), None)
    if measured is not None and measured.distance_m is not None:
        end = Geodesic.WGS84.Direct(measured.lat, measured.lon, measured.azimuth_deg, measured.distance_m)
        return float(end["lon2"]), float(end["lat2"])
    if len(sights) < 2:
        return NoFix(reason="one_bearing")
    origin = sights[0]
    feet = [_flat(origin, sight) for sight in sights]
    if all(math.hypot(*foot) < _BASELINE_M for foot in feet):
        return NoFix(reason="no_baseline")
    if all(_is_parallel(one, other) for one, other in combinations(sights, 2)):
        return NoFix(reason="parallel")
    ahead = [(math.cos(a), math.sin(a)) for a in (math.radians(sight.azimuth_deg) for sight in sights)]
    normals = np.array([(-east / s.sd_deg, north / s.sd_deg) for (north, east), s in zip(ahead, sights, strict=True)])
    offsets = np.array([float(row @ np.array(foot)) for row, foot in zip(normals, feet, strict=True)])
    matrix = normals.T @ normals
    if _is_singular(matrix):
        return NoFix(reason="parallel")
    north_m, east_m = (float(part) for part in np.linalg.solve(matrix, normals.T @ offsets))
    if any((north_m - f[0]) * a[0] + (east_m - f[1]) * a[1] <= 0 for f, a in zip(feet, ahead, strict=True)):
        return NoFix(reason="behind")
    far_m = max(math.hypot(north_m - f[0], east_m - f[1]) / s.range_m for f, s in zip(feet, sights, strict=True))
    if far_m > 3:
        return NoFix(reason="out_of_range")
    end = Geodesic.WGS84.Direct(
        origin.lat, origin.lon, math.degrees(math.atan2(east_m, north_m)), math.hypot(north_m, east_m)
    )
    return float(end["lon2"]), float(end["lat2"])


def _is_parallel(one: Sight, other: Sight) -> bool:
    """Whether the angle between two bearings is lost in their errors; also of two that face each other."""
    angle = math.radians(turn_deg(one.azimuth_deg, other.azimuth_deg))
    return abs(math.sin(angle)) < _MIN_ANGLE_SDS * math.radians(math.hypot(one.sd_deg, other.sd_deg))


def _flat(origin: Sight, sight: Sight) -> tuple[float, float]:
    """(north, east) of a sight's camera from the origin's, metres."""
    line = Geodesic.WGS84.Inverse(origin.lat, origin.lon, sight.lat, sight.lon)
    angle = math.radians(line["azi1"])
    return line["s12"] * math.cos(angle), line["s12"] * math.sin(angle)


def _is_singular(matrix: "np.ndarray[Any, Any]") -> bool:
    return not np.all(np.isfinite(matrix)) or float(np.linalg.cond(matrix)) > 1e8


def _judged(
    sights: Sequence[Sight],
    lon: float,
    lat: float,
    covariance: "np.ndarray[Any, Any]",
    chi2: float,
    lines: Sequence[dict[str, float]],
) -> Fix | NoFix:
    """A solution of the equations is a position only where every camera can have seen it."""
    distances = tuple(float(line["s12"]) for line in lines)
    ellipse = _ellipse(covariance)
    measured = sum(sight.distance_m is not None for sight in sights)
    freedom = len(sights) + measured - 2
    for sight, line in zip(sights, lines, strict=True):
        if abs(turn_deg(line["azi1"], sight.azimuth_deg)) > 90 or line["s12"] < _NEAREST_M:
            return NoFix(reason="behind")
    if freedom > 0 and chi2 > chi2_limit(freedom):
        return NoFix(reason="disagree")
    if any(distance > sight.range_m for distance, sight in zip(distances, sights, strict=True)):
        return NoFix(reason="out_of_range")
    if not measured and ellipse.semi_major_m > _MAX_STRETCH * max(distances):
        return NoFix(reason="parallel")
    return Fix(
        lon=lon,
        lat=lat,
        ellipse=ellipse,
        covariance=(float(covariance[0, 0]), float(covariance[0, 1]), float(covariance[1, 1])),
        chi2=chi2,
        freedom=freedom,
        distances_m=distances,
    )


def _ellipse(covariance: "np.ndarray[Any, Any]") -> Ellipse:
    sizes, axes = np.linalg.eigh(covariance)
    minor, major = (math.sqrt(max(0.0, float(size)) * CHI2_95_OF_2) for size in sizes)
    north, east = axes[:, 1]
    return Ellipse(
        semi_major_m=major, semi_minor_m=minor, azimuth_deg=math.degrees(math.atan2(float(east), float(north))) % 180
    )
