"""What a camera adds to a scene: the faults of its lens, its picture processing, drops and flare before it."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ioc.opencv import cv2
from ioc.simulate.noise import fractal_field
from ioc.simulate.perspective import BgrImage, Colour

__all__ = ["Developer", "Drops", "Flare", "Lens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lens:
    """One camera's optics and processing.

    `focal`: in picture widths (1.1 sees 49° across, 0.75 sees 67°, 2.2 sees 26°); `distortion`: how far straight
    lines bow (0 none, 0.08 a cheap wide lens); `vignette`: darkening of the corners (0–0.5); `cast`: BGR gains;
    `contrast`, `saturation`: 1 as it is; `sharpening`: 0–1.5 (halos); `softness_px` at a width of 1280 pixels.
    """

    focal: float = 1.1
    distortion: float = 0.0
    vignette: float = 0.0
    cast: Colour = (1.0, 1.0, 1.0)
    contrast: float = 1.0
    saturation: float = 1.0
    sharpening: float = 0.0
    softness_px: float = 0.65
    jpeg_quality: int = 85


class Developer:
    """Turns light into the picture of one `Lens`: vignette, colours, tone curve, sharpening, noise."""

    def __init__(self, lens: Lens, rng: np.random.Generator, width: int, height: int, *, noise: float) -> None:
        self._lens = lens
        self._sigma = noise
        self._size = (width, height)
        self._noise_seed = int(rng.integers(1 << 31))
        self._corners = _vignette(lens.vignette, width, height) if lens.vignette > 0 else None
        self._table = _tone_table(lens)
        self._mix = _saturation_matrix(lens.saturation) if abs(lens.saturation - 1) > 0.01 else None
        self._grains = lru_cache(maxsize=4)(self._grain)

    def develop(self, image: BgrImage, rng: np.random.Generator, noise_gain: float = 1.0) -> BgrImage:
        """Returns the picture. `noise_gain`: 1 by day, several times that in the dark."""
        if self._corners is not None:
            image = _bgr(cv2.multiply(image, self._corners, scale=1 / 255))
        if self._mix is not None:
            image = _bgr(cv2.transform(image, self._mix))
        if self._table is not None:
            image = _bgr(cv2.LUT(image, self._table))
        image = self._with_noise(image, rng, noise_gain)
        if self._lens.sharpening > 0:
            soft = cv2.GaussianBlur(image, (0, 0), 1.1)
            image = _bgr(cv2.addWeighted(image, 1 + self._lens.sharpening, soft, -self._lens.sharpening, 0))
        return image

    def _with_noise(self, image: BgrImage, rng: np.random.Generator, gain: float) -> BgrImage:
        # Two unsigned planes: a saturating add and subtract of bytes is seven times quicker than a signed sum.
        lighter, darker = self._grains(max(1, round(gain * 2)))
        width, height = self._size
        y, x = rng.integers(0, 64, 2)
        area = (slice(y, y + height), slice(x, x + width))
        return _bgr(cv2.subtract(cv2.add(image, lighter[area]), darker[area]))

    def _grain(self, half_gains: int) -> tuple[BgrImage, BgrImage]:
        """Sensor noise, larger than the picture by 64 px so that each frame takes its own cut."""
        rng = np.random.default_rng(self._noise_seed + half_gains)
        width, height = self._size
        sigma = self._sigma * half_gains / 2
        grey = rng.standard_normal((height + 64, width + 64, 1), dtype=np.float32)
        colour = rng.standard_normal((height + 64, width + 64, 3), dtype=np.float32)
        grain = np.clip(np.round(sigma * (grey + 0.5 * colour)), -120, 120)
        return np.maximum(grain, 0).astype(np.uint8), np.maximum(-grain, 0).astype(np.uint8)


class Drops:
    """Rain on the lens: each drop shows the picture upside down and blurred, slides, and is gone after some minutes."""

    def __init__(self, rng: np.random.Generator, *, count: int, minutes: float) -> None:
        self._born = np.sort(rng.uniform(-4, minutes, count))
        self._life = rng.uniform(2, 12, count)
        self._x, self._y = rng.random(count), rng.random(count)
        self._radius = rng.uniform(0.012, 0.045, count) * rng.choice((1.0, 1.6), count, p=(0.8, 0.2))
        self._slide = rng.uniform(0.0, 0.05, count)

    def over(self, image: BgrImage, minute: float) -> None:
        height, width = image.shape[:2]
        small = cv2.resize(image, (12, 8), interpolation=cv2.INTER_AREA)[::-1, ::-1]
        alive = np.flatnonzero((self._born <= minute) & (minute < self._born + self._life))
        for n in alive:
            radius = max(3, round(float(self._radius[n]) * width))
            x = int(self._x[n] * width)
            y = int((self._y[n] + self._slide[n] * (minute - self._born[n])) * height)
            self._draw(image, np.ascontiguousarray(small), x, y, radius)

    @staticmethod
    def _draw(image: BgrImage, small: BgrImage, x: int, y: int, radius: int) -> None:
        height, width = image.shape[:2]
        left, top, right, bottom = (
            max(0, x - radius),
            max(0, y - radius),
            min(width, x + radius),
            min(height, y + radius),
        )
        if right - left < 2 or bottom - top < 2:
            return
        seen = cv2.resize(small, (2 * radius, 2 * radius), interpolation=cv2.INTER_LINEAR)
        part = seen[top - y + radius : bottom - y + radius, left - x + radius : right - x + radius]
        share, rim = _drop_mask(radius)
        cut = (slice(top - y + radius, bottom - y + radius), slice(left - x + radius, right - x + radius))
        area = image[top:bottom, left:right]
        weight = share[cut][..., None]
        blended = area * (1 - weight) + (part * 0.94 + 8) * weight + rim[cut][..., None]
        np.copyto(area, np.clip(blended, 0, 255).astype(np.uint8))


class Flare:
    """The sun in or near the picture: a glow over everything, rays, and ghosts on the line through the middle."""

    def __init__(self, rng: np.random.Generator, *, strength: float, width: int, height: int) -> None:
        self._size = (width, height)
        self._strength = strength
        self._x, self._y = float(rng.uniform(0.05, 0.95)), float(rng.uniform(-0.25, 0.22))
        self._drift = float(rng.choice((-1, 1)) * rng.uniform(0.002, 0.005))
        self._sink = float(rng.uniform(-0.001, 0.004))
        self._rays = rng.uniform(0.3, 1.0, 64).astype(np.float32)
        self._ghosts = [
            (float(rng.uniform(0.3, 2.1)), float(rng.uniform(0.015, 0.08)), rng.uniform(0.2, 1.0, 3))
            for _ in range(int(rng.integers(3, 7)))
        ]

    def over(self, image: BgrImage, minute: float, clear: float) -> BgrImage:
        """Returns the picture with flare; `clear` (0–1) is how free of cloud the sun is in this frame."""
        width, height = self._size
        x, y = (self._x + self._drift * minute) * 160, (self._y + self._sink * minute) * 90
        power = self._strength * clear
        columns, rows = np.meshgrid(np.arange(160, dtype=np.float32), np.arange(90, dtype=np.float32))
        distance = np.hypot(columns - x, rows - y) + 1
        angle = (np.arctan2(rows - y, columns - x) / (2 * np.pi) * 64) % 64
        rays = self._rays[angle.astype(np.int64) % 64]
        glow = power * (900 / distance**1.25 + 58 * np.exp(-distance / 70) * (0.6 + 0.4 * rays))
        light = np.stack([glow * 0.80, glow * 0.95, glow], axis=2)
        for share, radius, colour in self._ghosts:
            ghost_x, ghost_y = x + (80 - x) * share, y + (45 - y) * share
            disc = np.clip((radius * 160 - np.hypot(columns - ghost_x, rows - ghost_y)) / 2.5, 0, 1)
            light += power * 30 * disc[..., None] * colour[None, None, :]
        full = cv2.resize(np.clip(light, 0, 255).astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
        darker = cv2.convertScaleAbs(image, alpha=1 - 0.28 * min(1.0, power))  # the exposure gives way to the sun
        return _bgr(cv2.add(darker, full))


def _bgr(image: object) -> BgrImage:
    return np.asarray(image, dtype=np.uint8)


def _vignette(strength: float, width: int, height: int) -> BgrImage:
    x, y = np.meshgrid(np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32))
    level = 255 * (1 - strength * np.clip((x * x + y * y) / 2, 0, 1) ** 1.3)
    return np.repeat(level.astype(np.uint8)[..., None], 3, axis=2)


def _tone_table(lens: Lens) -> NDArray[np.uint8] | None:
    if lens.contrast == 1.0:
        return None
    level = np.arange(256, dtype=np.float32)
    # An S with fixed ends: what is dark stays dark, not black.
    curved = level - (lens.contrast - 1) * 40 * np.sin(2 * np.pi * level / 255)
    return np.clip(curved, 0, 255).astype(np.uint8)


def _saturation_matrix(saturation: float) -> NDArray[np.float32]:
    grey = np.array([0.114, 0.587, 0.299], dtype=np.float32)
    return (saturation * np.eye(3, dtype=np.float32) + (1 - saturation) * grey[None, :]).astype(np.float32)


@lru_cache(maxsize=64)
def _drop_mask(radius: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Share of the drop's own picture (soft, slightly ragged edge), and the light on its rim."""
    rng = np.random.default_rng(radius)
    axis = np.linspace(-1, 1, 2 * radius, dtype=np.float32)
    distance = np.hypot(axis[:, None], axis[None, :]) + 0.08 * cv2.resize(
        fractal_field(rng, 16, 16, slope=1.5), (2 * radius, 2 * radius)
    )
    share = 0.72 * np.clip((0.95 - distance) * 2.2, 0, 1)
    rim = 26 * np.exp(-(((distance - 0.78) / 0.12) ** 2)) * np.clip(-axis[:, None] + 0.3, 0, 1)
    return share.astype(np.float32), rim.astype(np.float32)
