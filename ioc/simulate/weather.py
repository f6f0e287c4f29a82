"""Weather over a scene: clouds and their shadows, haze banks, fog that rolls in, showers.

Everything soft is computed on a coarse grid and enlarged; time is in minutes since the scene's first frame.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ioc.opencv import cv2
from ioc.simulate.noise import Field, drifted, fractal_field
from ioc.simulate.perspective import BgrImage, Colour

__all__ = ["CloudShade", "FogBank", "FogPlace", "Shower", "Weather", "grid", "veil"]

SHADE_GRID = (96, 54)  # cloud shadows are soft: a coarse grid is enough
_FOG_GRID = (96, 54)

FogPlace = Literal["valley", "ridge", "front"]
"""Where fog lies: on the valley floor, over the crest of a ridge, or as a front that comes from one side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What the weather does beside haze and fair clouds; all 0 is a fair day.

    `fog`: opacity of a bank that rolls in (0–1), thickest after `fog_minutes`, that hides
    what is farther than `fog_near_km` (0: by chance); `shadow_depth`: the share of light that
    a cloud takes (0.36 fair, 0.65 towering clouds); `shadow_size`: 1 broad, 0.4 small sharp patches; `rain`: 0–1;
    `dust`: clouds of dust behind vehicles on dry roads, mean number alive; `wind_px`: sway of near trees at a width of
    1280 px; `gust_px`, `drift_px`: shake and slow turning of the mast; `glare`: sun in the lens (0–1).
    All but the clouds begin at `start_frame`; fog and rain come again every `every_minutes` (0: once); rain ends after
    `rain_minutes`.
    """

    start_frame: int = 10
    fog: float = 0.0
    fog_place: FogPlace = "front"
    fog_minutes: float = 14.0
    fog_near_km: float = 0.0
    shadow_depth: float = 0.36
    shadow_size: float = 1.0
    shadow_speed: float = 1.0
    rain: float = 0.0
    dust: float = 0.0
    wind_px: float = 0.0
    gust_px: float = 0.0
    drift_px: float = 0.0
    glare: float = 0.0
    every_minutes: float = 0.0
    rain_minutes: float = 1e9


class CloudShade:
    """Sunlight on the ground under moving clouds."""

    def __init__(self, clouds: Field, wisps: Field, weather: Weather, cover: float, phase: float) -> None:
        self._clouds, self._wisps, self._weather = clouds, wisps, weather
        self._cover, self._phase = cover, phase
        columns, rows = SHADE_GRID
        x, y = np.meshgrid(np.linspace(-0.5, 0.5, columns), np.linspace(0, 1, rows))
        far = 1.0 / np.maximum(y - 0.12, 0.16)  # far ground is packed into few rows; slopes beyond it stand up
        size = max(0.45, weather.shadow_size)
        self._x = (x * far * 46 / size).astype(np.float32)
        self._y = ((far * 30 - 110 * np.minimum(y, 0.3)) / size).astype(np.float32)

    def gain(self, minute: float, share: NDArray[np.float32], flicker: float) -> NDArray[np.float32]:
        """Returns the gain of light on `SHADE_GRID`.

        Haze is lit from everywhere: where `share` (the haze's transmission) is small, so is the shadow.
        """
        weather = self._weather
        t = minute * weather.shadow_speed / weather.shadow_size
        density = drifted(self._clouds, self._x + (5.1 * t) % 256, self._y + (1.3 * t) % 256)
        density = density + 0.35 * drifted(self._wisps, self._x * 2 + (7.0 * t) % 256, self._y * 2 - (2.0 * t) % 256)
        edge = 3.2 / weather.shadow_size**0.7
        cover = 1 / (1 + np.exp(-edge * (density - 1.1 + 1.5 * self._cover)))
        gain = 1.0 + (0.05 - weather.shadow_depth * cover) * share
        return np.asarray(gain * self.exposure(minute, flicker), dtype=np.float32)

    def exposure(self, minute: float, flicker: float) -> float:
        """The camera's own slow hunting for the right exposure."""
        return 1 + 0.015 * float(np.sin(minute * 0.23 + self._phase)) + 0.004 * flicker


class FogBank:
    """A bank of fog that rolls in over the terrain, stays, breaks up; its edge billows."""

    def __init__(self, rng: np.random.Generator, weather: Weather, depth_km: NDArray[np.float32]) -> None:
        self._weather = weather
        self._field = fractal_field(rng, 128, 128, slope=1.9, lowest=1)
        self._wisps = fractal_field(rng, 128, 128, slope=1.2, lowest=4)
        self._from = float(rng.choice((-1, 1)))
        self._near_km = float(rng.uniform(0.35, 3.0)) if weather.fog_place != "valley" else 0.25
        self._near_km = weather.fog_near_km or self._near_km
        self._stays = float(rng.uniform(10, 40))
        self._edge = float(rng.uniform(1.6, 3.5))
        rows = np.linspace(0, 1, depth_km.shape[0], dtype=np.float32)[:, None]
        reach = np.clip((depth_km - self._near_km) / (0.6 * self._near_km), 0, 1)
        if weather.fog_place == "valley":  # a sea of fog: it hides the floor and the feet of the ridges
            crest = float(rng.uniform(0.30, 0.42))
            reach = reach * np.clip((rows - crest + 0.05) / 0.08, 0, 1)
        elif weather.fog_place == "ridge":  # it spills over a crest and thins out on the near side
            crest = float(rng.uniform(0.25, 0.36))
            reach = reach * np.exp(-(((rows - crest) / float(rng.uniform(0.05, 0.12))) ** 2))
        self._reach = np.clip(reach * 255, 0, 255).astype(np.uint8)

    def weight(self, minute: float) -> NDArray[np.uint8] | None:
        """Returns how much of the picture the fog hides, `minute` minutes after its start: height × width, 0–255."""
        if minute < 0:
            return None
        weather = self._weather
        come = min(1.0, minute / weather.fog_minutes)
        gone = float(np.clip((minute - weather.fog_minutes - self._stays) / 20, 0, 1))
        x, y = grid(*_FOG_GRID)
        across = x / _FOG_GRID[0] if self._from > 0 else 1 - x / _FOG_GRID[0]
        density = 0.8 * drifted(self._field, x * 0.55 + (1.4 * minute) % 128, y * 0.9 + (0.3 * minute) % 128)
        density = density + 0.3 * drifted(self._wisps, x + (3.0 * minute) % 128, y * 1.5 + (1.1 * minute) % 128)
        front = (2.6 * come - 1.3 - 1.6 * gone) + (0.9 - 1.8 * across) * (weather.fog_place != "valley") * (1 - come)
        share = weather.fog / (1 + np.exp(-self._edge * (density * 0.7 + 2.0 * front)))
        if weather.every_minutes > 0:  # its patches lift within hours, not in the frame in which it comes anew
            share = share * float(np.clip((minute - weather.fog_minutes - self._stays - 260) / -180, 0, 1))
        full = cv2.resize((share * 255).astype(np.uint8), self._reach.shape[::-1], interpolation=cv2.INTER_LINEAR)
        return np.asarray(cv2.multiply(full, self._reach, scale=1 / 255), dtype=np.uint8)


class Shower:
    """Rain: a grey veil that thickens with distance, curtains that move across, and streaks near the camera."""

    def __init__(
        self, rng: np.random.Generator, rain: float, depth_km: NDArray[np.float32], *, minutes: float = 1e9
    ) -> None:
        height, width = depth_km.shape
        self._rain, self._minutes = rain, minutes
        self._field = fractal_field(rng, 64, 128, slope=1.4, lowest=2)
        self._rises = float(rng.uniform(3, 12))
        self._speed = float(rng.choice((-1, 1)) * rng.uniform(1.5, 5))
        self._reach = np.clip(255 * (1 - np.exp(-0.35 * depth_km)), 0, 255).astype(np.uint8)
        self._tiles = [_streaks(rng, width, height, rain) for _ in range(2)]

    def strength(self, minute: float) -> float:
        """Rain comes within minutes, goes on in waves, and thins out at its end."""
        ends = min(1.0, max(0.0, self._minutes - minute) / self._rises)
        return ends * self._rain * min(1.0, max(0.0, minute) / self._rises) * (0.8 + 0.2 * float(np.sin(minute * 0.35)))

    def over(
        self, image: BgrImage, minute: float, air: Colour, rng: np.random.Generator, strength: float | None = None
    ) -> BgrImage:
        """Returns the picture in the rain of `strength`, or as strong as it is `minute` minutes after its start."""
        if strength is None:
            strength = self.strength(minute)
        if strength <= 0:
            return image
        x, y = grid(*_FOG_GRID)
        # Curtains hang: they vary across, hardly downwards.
        curtain = drifted(self._field, x * 0.7 + (self._speed * minute) % 128, y * 0.06 + (0.1 * minute) % 64)
        share = np.clip(strength * (0.75 + 0.35 * curtain), 0, 0.96)
        full = cv2.resize((share * 255).astype(np.uint8), (image.shape[1], image.shape[0]))
        weight = np.asarray(cv2.multiply(full, self._reach, scale=1 / 255), dtype=np.uint8)
        image = veil(image, weight, air)
        image = np.asarray(cv2.convertScaleAbs(image, alpha=1 - 0.22 * strength), dtype=np.uint8)
        tile = self._tiles[int(rng.integers(len(self._tiles)))]
        tile = np.roll(tile, (int(rng.integers(tile.shape[0])), int(rng.integers(tile.shape[1]))), (0, 1))
        streaks = cv2.convertScaleAbs(tile, alpha=strength)
        return np.asarray(cv2.add(image, cv2.merge([streaks] * 3)), dtype=np.uint8)


def grid(columns: int, rows: int) -> tuple[Field, Field]:
    x, y = np.meshgrid(np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32))
    return x, y


def veil(image: BgrImage, weight: NDArray[np.uint8], air: Colour) -> BgrImage:
    """Returns `image` with `weight` (0–255) of it replaced by the colour `air`."""
    clear = cv2.bitwise_not(weight)
    kept = cv2.multiply(image, cv2.merge([clear, clear, clear]), scale=1 / 255)
    lit = cv2.merge([cv2.convertScaleAbs(weight, alpha=channel / 255) for channel in air])
    return np.asarray(cv2.add(kept, lit), dtype=np.uint8)


def _streaks(rng: np.random.Generator, width: int, height: int, rain: float) -> NDArray[np.uint8]:
    image = np.zeros((height, width), np.uint8)
    lean = float(rng.uniform(-0.35, 0.35))
    for _ in range(int(260 * rain) + 20):
        length = float(rng.uniform(0.02, 0.10)) * height
        x, y = float(rng.uniform(0, width)), float(rng.uniform(-length, height))
        tone = float(rng.uniform(12, 55))
        thick = 1 if rng.random() < 0.8 else max(1, width // 500)
        cv2.line(image, (int(x), int(y)), (int(x + lean * length), int(y + length)), tone, thick, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.7), dtype=np.uint8)
