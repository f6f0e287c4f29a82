"""Where the sun stands over the highland, and what light that leaves for a camera. Pure functions of the time."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ioc.simulate.perspective import Colour

__all__ = ["INFRARED_BELOW_DEG", "NOON_LIGHT", "Daylight", "Sun", "daylight", "sun_at"]

LATITUDE_DEG = 11.9
"""Đà Lạt. Local solar time is taken for local time: the highland lies within a quarter of an hour of it."""

INFRARED_BELOW_DEG = -3.5
"""A camera with infrared lamps changes over when the sun stands so low."""

_AIRLIGHT: Colour = (216.0, 208.0, 197.0)  # what distance fades into: a pale, slightly blue grey


@dataclass(frozen=True, slots=True, kw_only=True)
class Sun:
    """`elevation_deg` over the horizon, `azimuth_deg` from north by east."""

    elevation_deg: float
    azimuth_deg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Daylight:
    """Light on one scene. Gains and colours are BGR; the sum of both gains is 1 on a fair morning.

    `side`: 1 the sun stands left of the picture, −1 right; `ahead`: 1 before the camera, −1 behind it;
    `level` is the mean brightness that the camera's exposure leaves (1 by day, near 0 at night).
    """

    elevation_deg: float
    side: float
    ahead: float
    level: float
    sun: Colour
    ambient: Colour
    airlight: Colour
    sky_top: Colour
    sky_low: Colour
    cloud: Colour = (243.0, 240.0, 236.0)
    is_infrared: bool = False

    @property
    def total(self) -> Colour:
        return tuple(a + b for a, b in zip(self.sun, self.ambient, strict=True))  # type: ignore[return-value]  # three in, three out

    def balanced(self, cast: Colour) -> "Daylight":
        """The light as a camera sees it whose white balance is off by the BGR gains `cast`."""
        if cast == (1.0, 1.0, 1.0):
            return self
        colours = {
            name: tuple(c * gain for c, gain in zip(getattr(self, name), cast, strict=True))
            for name in ("sun", "ambient", "airlight", "sky_top", "sky_low", "cloud")
        }
        return replace(self, **colours)  # type: ignore[arg-type]  # three channels each

    @property
    def shadow_per_m(self) -> tuple[float, float]:
        """Metres (to the right, ahead) by which one metre of height throws its shadow; (0, 0) where it throws none."""
        if self.elevation_deg < 2.0:
            return 0.0, 0.0
        reach = min(6.0, 1.0 / float(np.tan(np.radians(self.elevation_deg))))
        return self.side * reach, -self.ahead * reach


def sun_at(day_of_year: int, minute_of_day: float, latitude_deg: float = LATITUDE_DEG) -> Sun:
    """Returns the sun's place. Cooper's declination and the hour angle of solar time; right to about a degree."""
    declination = np.radians(-23.44 * np.cos(2 * np.pi * (day_of_year + 10) / 365.0))
    hour = np.radians((minute_of_day - 720.0) * 0.25)
    latitude = np.radians(latitude_deg)
    sine = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(hour)
    elevation = np.arcsin(np.clip(sine, -1, 1))
    azimuth = np.arctan2(
        -np.cos(declination) * np.sin(hour),
        np.sin(declination) * np.cos(latitude) - np.cos(declination) * np.cos(hour) * np.sin(latitude),
    )
    return Sun(elevation_deg=float(np.degrees(elevation)), azimuth_deg=float(np.degrees(azimuth) % 360))


def daylight(sun: Sun, *, faces_deg: float = 0.0, is_infrared: bool = False) -> Daylight:
    """Returns the light of `sun` for a camera that looks towards azimuth `faces_deg`.

    `is_infrared`: the camera has gone over to grey pictures under its own infrared lamps.
    """
    turn = np.radians(sun.azimuth_deg - faces_deg)
    return _light(
        round(sun.elevation_deg, 2), round(-float(np.sin(turn)), 3), round(float(np.cos(turn)), 3), is_infrared
    )


@lru_cache(maxsize=512)
def _light(elevation: float, side: float, ahead: float, infrared: bool) -> Daylight:
    level = float(np.interp(elevation, (-12, -7, -4, 0, 5, 12), (0.09, 0.12, 0.28, 0.62, 0.9, 1.0)))
    if infrared:
        level = 0.24
    warm = float(np.interp(elevation, (-3, 0, 6, 22), (0.5, 1.0, 0.5, 0.0)))
    beam = 0.55 * float(np.interp(elevation, (-1, 2, 12), (0.0, 0.45, 1.0)))
    ambient = 1.0 - beam
    blue = float(np.interp(elevation, (-9, -4, 4), (0.16, 0.14, 0.0)))  # the blue hour
    tint = (1 + blue, 1.0, 1 - blue)
    sunset = warm * float(np.interp(elevation, (-6, -1, 8), (0.3, 1.0, 0.4)))
    glow = (1 - 0.30 * sunset, 1 - 0.12 * sunset, 1 + 0.06 * sunset)
    air = tuple(level * c * (0.4 * t + 0.6) * g for c, t, g in zip(_AIRLIGHT, tint, glow, strict=True))
    top = tuple(level * c * t for c, t in zip((214, 178, 142), tint, strict=True))
    low = tuple(level * c * g for c, g in zip((224, 212, 198), glow, strict=True))
    if infrared:  # the sky sends no infrared: it stays black but for the glow of lamps
        air, top, low = (34.0, 34.0, 34.0), (18.0, 18.0, 18.0), (38.0, 38.0, 38.0)
    return Daylight(
        elevation_deg=elevation,
        side=side,
        ahead=ahead,
        level=level,
        sun=(beam * level * (1 - 0.42 * warm), beam * level * (1 - 0.18 * warm), beam * level * (1 + 0.10 * warm)),
        ambient=(ambient * level * tint[0], ambient * level, ambient * level * tint[2]),
        airlight=air,  # type: ignore[arg-type]  # three channels
        sky_top=top,  # type: ignore[arg-type]  # three channels
        sky_low=low,  # type: ignore[arg-type]  # three channels
        is_infrared=infrared,
    )


NOON_LIGHT = _light(45.0, 1.0, 0.0, False)
"""The light of a scene in which no time passes: a fair morning with the sun on the left."""
