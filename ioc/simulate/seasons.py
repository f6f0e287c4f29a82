"""A year over the highland: what is green and when, which weather a day has. Pure functions of seed and day."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ioc.opencv import cv2
from ioc.simulate.perspective import BgrImage
from ioc.simulate.terrain import Terrain

__all__ = ["DayWeather", "Vegetation", "dryness", "weather_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DayWeather:
    """Weather of one frame. All 0–1 but `haze` (0 none, 1 an ordinary morning)."""

    cloud: float
    haze: float
    fog: float
    rain: float


def dryness(day_of_year: int) -> float:
    """0 in the wet months (June to October), 1 at the end of the dry season in March."""
    return float(np.clip(0.5 + 0.62 * np.cos(2 * np.pi * (day_of_year - 78) / 365), 0, 1))


def weather_of(seed: int, day: int, day_of_year: int, minute_of_day: float) -> DayWeather:
    """Returns the weather: showers on wet afternoons, fog on cool mornings, haze at the end of the dry season."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 91, day]))
    dry = dryness(day_of_year)
    day_cloud, showers, mist, murk = rng.random(4)
    is_afternoon, is_morning = minute_of_day > 750, minute_of_day < 540
    rainy = showers < (0.06 + 0.50 * (1 - dry)) * (1.0 if is_afternoon else 0.35)
    foggy = is_morning and mist < 0.16 + 0.14 * (1 - dry)
    own = np.random.default_rng(np.random.SeedSequence([seed, 92, day, int(minute_of_day)]))
    cloud = float(np.clip(day_cloud * (1.2 - 0.6 * dry) + 0.25 * own.normal(), 0, 1))
    return DayWeather(
        cloud=max(cloud, 0.8) if rainy else cloud,
        haze=float(0.25 + 0.9 * murk * (0.5 + 0.8 * dry) + (0.4 if is_morning else 0.0)),
        fog=float(own.uniform(0.35, 0.97)) if foggy else 0.0,
        rain=float(own.uniform(0.25, 0.95)) if rainy else 0.0,
    )


class Vegetation:
    """The same land in another week: grass yellows and greens, fields are ploughed, planted and cut in turn."""

    def __init__(self, rng: np.random.Generator, terrain: Terrain) -> None:
        self._terrain = terrain
        clear = terrain.clear.astype(np.int16)
        green = np.clip((clear[..., 1] - np.maximum(clear[..., 0], clear[..., 2]) + 4) * 12, 0, 255)
        grass = np.where(terrain.trees > 0.6, 0.25, 1.0)  # pines stay green
        self._green = (green * grass).astype(np.uint8)
        self._fields = terrain.fields
        self._cycle_weeks = rng.integers(9, 20, 256)
        self._phase = rng.random(256)
        self._has_crop = rng.random(256) < 0.75

    def week(self, week: int, day_of_year: int) -> BgrImage:
        """Returns the land without haze at noon in the given week."""
        dry = dryness(day_of_year)
        straw = cv2.transform(self._terrain.clear, _STRAW)
        weight = cv2.convertScaleAbs(self._green, alpha=0.85 * dry)
        image = _mixed(self._terrain.clear, np.asarray(straw, dtype=np.uint8), np.asarray(weight, dtype=np.uint8))
        gains = [cv2.LUT(self._fields, table) for table in self._crops(week)]
        return np.asarray(cv2.multiply(image, cv2.merge(gains), scale=1 / 128), dtype=np.uint8)

    def _crops(self, week: int) -> list[NDArray[np.uint8]]:
        """Gains (128 is 1) by field, per channel: bare red soil, then green, then ripe."""
        age = (week / self._cycle_weeks + self._phase) % 1.0
        knots = (0.0, 0.12, 0.3, 0.7, 0.92, 1.0)
        tables = []
        for values in (
            (0.84, 0.82, 0.95, 0.92, 0.88, 0.84),
            (0.90, 0.88, 1.05, 1.0, 1.06, 0.90),
            (1.18, 1.15, 0.94, 0.92, 1.15, 1.18),
        ):
            gain = np.where(self._has_crop, np.interp(age, knots, values), 1.0)
            gain[0] = 1.0  # field 0 is all that is no field
            tables.append(np.clip(gain * 128, 0, 255).astype(np.uint8))
        return tables


_STRAW = np.array([[0.62, 0.10, 0.02], [0.10, 0.86, 0.06], [0.16, 0.72, 0.36]], dtype=np.float32)
"""Green leaf to dry straw, BGR to BGR."""


def _mixed(first: BgrImage, second: BgrImage, weight: NDArray[np.uint8]) -> BgrImage:
    share = cv2.merge([weight] * 3)
    kept = cv2.multiply(first, cv2.bitwise_not(share), scale=1 / 255)
    return np.asarray(cv2.add(kept, cv2.multiply(second, share, scale=1 / 255)), dtype=np.uint8)
