"""From a box in a picture to a bearing and its uncertainty, and what a view covers on the map. Pure.

A pinhole: with azimuth a, field of view w and no tilt, the column x (share of the width) looks to
a + atan((2x − 1) tan(w/2)). A linear rule is off by up to 1.1° with a lens of 60°.
"""

import math
from dataclasses import dataclass
from typing import Any

from geographiclib.geodesic import Geodesic

from ioc.detections import Box
from ioc.places.terrain_line import TerrainPoint

__all__ = ["Bearing", "View", "bearing_of", "cone", "direction_of", "is_in_view", "pixel_of", "turn_deg"]

PIXEL_SD = 0.002
"""How well a box's middle is known, in shares of the width: 2.5 pixels of 1280 (a registered box shivers by 1 to 3)."""

_PANORAMA_DEG = 150.0  # wider pictures are stitched: their columns are equal angles
_ARC_STEP_DEG = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Where the lens of one pose stands and looks.

    Azimuth and tilt (up is positive) are of the picture's middle; roll is of the camera, clockwise as seen from behind
    it; `fov_deg` is the picture's whole width, `aspect` its width over its height. `azimuth_sd_deg` is how well the
    pose is known; `range_m` how far a fire is seen on a clear day.
    """

    lon: float
    lat: float
    azimuth_deg: float
    fov_deg: float
    tilt_deg: float = 0.0
    roll_deg: float = 0.0
    aspect: float = 16 / 9
    azimuth_sd_deg: float = 1.0
    range_m: float = 20_000.0
    terrain: tuple[TerrainPoint, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearing:
    """The direction of a thing from a camera; `sd_deg` holds the pose's error, the pixels' and the width of the box."""

    azimuth_deg: float
    elevation_deg: float
    sd_deg: float


def bearing_of(view: View, box: Box) -> Bearing:
    """Returns the direction of the foot of `box`: its middle column, its lower edge.

    Where in the box the thing stands is not known (smoke leans): its width counts as an even spread, w/√12.
    """
    left, _, right, bottom = box.edges
    foot = min(1.0, bottom)
    azimuth_deg, elevation_deg = direction_of(view, box.cx, foot)
    spread_deg = turn_deg(direction_of(view, left, foot)[0], direction_of(view, right, foot)[0]) / math.sqrt(12)
    pixel_deg = turn_deg(azimuth_deg, direction_of(view, box.cx + PIXEL_SD, foot)[0])
    sd_deg = math.sqrt(view.azimuth_sd_deg**2 + spread_deg**2 + pixel_deg**2)
    return Bearing(azimuth_deg=azimuth_deg, elevation_deg=elevation_deg, sd_deg=sd_deg)


def direction_of(view: View, x: float, y: float) -> tuple[float, float]:
    """Returns (azimuth 0–360, elevation) in degrees of the picture's point (x, y), shares of width and height."""
    if view.fov_deg > _PANORAMA_DEG:
        rise_deg = (0.5 - y) / view.aspect * view.fov_deg
        return (view.azimuth_deg + (x - 0.5) * view.fov_deg) % 360, view.tilt_deg + rise_deg
    across, up, ahead = x - 0.5, (0.5 - y) / view.aspect, 0.5 / math.tan(math.radians(view.fov_deg) / 2)
    roll, tilt = math.radians(view.roll_deg), math.radians(view.tilt_deg)
    right = across * math.cos(roll) + up * math.sin(roll)
    up = up * math.cos(roll) - across * math.sin(roll)
    forward, height = ahead * math.cos(tilt) - up * math.sin(tilt), ahead * math.sin(tilt) + up * math.cos(tilt)
    azimuth_deg = (view.azimuth_deg + math.degrees(math.atan2(right, forward))) % 360
    return azimuth_deg, math.degrees(math.atan2(height, math.hypot(right, forward)))


def pixel_of(view: View, azimuth_deg: float, elevation_deg: float) -> tuple[float, float] | None:
    """The inverse of `direction_of`; None for a direction behind the picture's plane. May lie outside 0–1."""
    turn = math.radians(turn_deg(view.azimuth_deg, azimuth_deg))
    rise = math.radians(elevation_deg)
    if view.fov_deg > _PANORAMA_DEG:
        return (
            0.5 + math.degrees(turn) / view.fov_deg,
            0.5 - (elevation_deg - view.tilt_deg) * view.aspect / view.fov_deg,
        )
    right, forward, height = math.cos(rise) * math.sin(turn), math.cos(rise) * math.cos(turn), math.sin(rise)
    roll, tilt = math.radians(view.roll_deg), math.radians(view.tilt_deg)
    ahead, up = forward * math.cos(tilt) + height * math.sin(tilt), height * math.cos(tilt) - forward * math.sin(tilt)
    if ahead <= 1e-9:
        return None
    across, up = right * math.cos(roll) - up * math.sin(roll), up * math.cos(roll) + right * math.sin(roll)
    scale = 0.5 / math.tan(math.radians(view.fov_deg) / 2) / ahead
    return 0.5 + across * scale, 0.5 - up * scale * view.aspect


def turn_deg(from_deg: float, to_deg: float) -> float:
    """The turn from one azimuth to another, −180 to 180, clockwise positive."""
    return (to_deg - from_deg + 180) % 360 - 180


def cone(view: View, reach_m: float | None = None) -> dict[str, Any]:
    """What the view covers to `reach_m` (its range where None): a GeoJSON Polygon, its ring counter-clockwise."""
    reach = view.range_m if reach_m is None else reach_m
    steps = max(1, math.ceil(view.fov_deg / _ARC_STEP_DEG))
    half = view.fov_deg / 2
    arc = [
        _away(view.lon, view.lat, view.azimuth_deg + half - view.fov_deg * step / steps, reach)
        for step in range(steps + 1)
    ]
    ring = [*arc[:-1], arc[0]] if view.fov_deg >= 360 else [here := _rounded(view.lon, view.lat), *arc, here]
    return {"type": "Polygon", "coordinates": [ring]}


def is_in_view(view: View, lon: float, lat: float, *, margin_deg: float = 0.0) -> bool:
    """Whether a place lies within the view's width and range."""
    line = Geodesic.WGS84.Inverse(view.lat, view.lon, lat, lon)
    is_within = abs(turn_deg(view.azimuth_deg, float(line["azi1"]))) <= view.fov_deg / 2 + margin_deg
    return is_within and float(line["s12"]) <= view.range_m


def _away(lon: float, lat: float, azimuth_deg: float, distance_m: float) -> list[float]:
    end = Geodesic.WGS84.Direct(lat, lon, azimuth_deg, distance_m)
    return _rounded(float(end["lon2"]), float(end["lat2"]))


def _rounded(lon: float, lat: float) -> list[float]:
    return [round(lon, 6), round(lat, 6)]
