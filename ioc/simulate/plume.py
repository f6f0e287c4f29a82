"""A smoke plume: puffs that leave one place, rise, drift downwind, swell and thin out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ioc.detections import Box
from ioc.opencv import cv2
from ioc.simulate.noise import fractal_field
from ioc.simulate.perspective import BgrImage

__all__ = ["Plume", "SmokeCloud"]

_PUFFS = 84
_STAMP_PX = 96
_SEEN = 0.10  # an opacity that a person would still point at: the edge of the true box
_HALF = 2  # smoke is soft: it is summed at half the size, in a quarter of the time


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeCloud:
    """Smoke of one frame. `alpha` (0–1) and `bright` (grey level) cover the picture from (left, top) on, in pixels."""

    left: int
    top: int
    alpha: NDArray[np.float32]
    bright: NDArray[np.float32]

    def over(self, image: BgrImage) -> None:
        """Blends the smoke onto `image`."""
        height, width = self.alpha.shape
        area = image[self.top : self.top + height, self.left : self.left + width]
        tint = cv2.merge([self.bright * 1.01, self.bright, self.bright * 0.985])
        share = cv2.merge([self.alpha] * 3)
        blended = area * (1.0 - share) + tint * share
        np.copyto(area, np.clip(blended, 0, 255).astype(np.uint8))

    def box(self, width: int, height: int) -> Box | None:
        """The tight box of what can be seen, in shares of a picture of width × height pixels; None if nothing can."""
        ys, xs = np.nonzero(self.alpha > _SEEN)
        if not len(xs):
            return None
        return Box.from_edges(
            (self.left + int(xs.min())) / width,
            (self.top + int(ys.min())) / height,
            min(1.0, (self.left + int(xs.max()) + 1) / width),
            min(1.0, (self.top + int(ys.max()) + 1) / height),
        )


class Plume:
    """The smoke of one fire at (anchor_x, anchor_y) pixels; each frame is a pure function of its age in frames."""

    def __init__(self, rng: np.random.Generator, *, anchor_x: float, anchor_y: float, width: int, height: int) -> None:
        self._anchor = (anchor_x, anchor_y)
        self._size = (width, height)
        self._downwind = 1.0 if anchor_x < width / 2 else -1.0
        self._lean = float(rng.uniform(0.7, 1.15))
        self._phase = rng.random(_PUFFS)
        self._rate = rng.uniform(0.23, 0.41, _PUFFS)
        self._across = rng.normal(0.0, 0.55, _PUFFS)
        self._swell = rng.uniform(0.75, 1.25, _PUFFS)
        self._stamps = [_stamp(rng) for _ in range(8)]
        self._detail = fractal_field(rng, 256, 256, slope=1.3, lowest=3)

    def cloud(self, age: float) -> SmokeCloud | None:
        """Returns the smoke `age` frames after the fire began; None before."""
        if age < 0:
            return None
        width, height = self._size
        strength = 1.0 - np.exp(-(age + 0.8) / 11.0)
        reach = (0.035 + 0.31 * strength) * height
        u = (self._phase + self._rate * (age + 40.0)) % 1.0
        turn = np.sin(age * 0.7 + self._phase * 17.0) * 0.5 + self._across
        radius = (0.045 + 0.27 * u**0.9) * reach * self._swell + 0.004 * height
        x = self._anchor[0] + self._downwind * self._lean * reach * (0.25 * u + 0.95 * u**1.7) + turn * radius * 0.8
        y = self._anchor[1] - reach * (0.78 * u**0.72) + np.roll(turn, 7) * radius * 0.5
        depth = (0.40 + 1.25 * strength) * (1.0 - u) ** 0.55 / (0.55 + 1.9 * u)
        left = max(0, int((x - radius).min()) - 2)
        top = max(0, int((y - radius).min()) - 2)
        right = min(width, int((x + radius).max()) + 3)
        bottom = min(height, int((y + radius).max()) + 3)
        if right - left < 4 or bottom - top < 4:
            return None
        tau = np.zeros(((bottom - top) // _HALF + 1, (right - left) // _HALF + 1), np.float32)
        for n in np.argsort(u):
            self._add(tau, (x[n] - left) / _HALF, (y[n] - top) / _HALF, radius[n] / _HALF, float(depth[n]), int(n))
        return self._lit(tau, left, top, right - left, bottom - top, age)

    def _add(self, tau: NDArray[np.float32], x: float, y: float, radius: float, depth: float, n: int) -> None:
        side = max(3, round(2 * radius))
        stamp = cv2.resize(self._stamps[n % len(self._stamps)], (side, side), interpolation=cv2.INTER_LINEAR)
        x0, y0 = round(x - side / 2), round(y - side / 2)
        left, top = max(0, x0), max(0, y0)
        right, bottom = min(tau.shape[1], x0 + side), min(tau.shape[0], y0 + side)
        if left < right and top < bottom:
            tau[top:bottom, left:right] += depth * stamp[top - y0 : bottom - y0, left - x0 : right - x0]

    def _lit(self, tau: NDArray[np.float32], left: int, top: int, width: int, height: int, age: float) -> SmokeCloud:
        rows, columns = tau.shape
        dy, dx = int(age * 37) % 256, int(age * 53) % 256
        wisps = np.roll(self._detail, (dy, dx), (0, 1))
        wide = cv2.resize(wisps, (max(columns, 256), max(rows, 256)))
        wisps = np.asarray(wide[:rows, :columns], dtype=np.float32)
        tau = np.asarray(cv2.GaussianBlur(tau * np.clip(1.0 + 0.30 * wisps, 0.2, 2.0), (0, 0), 1.2), dtype=np.float32)
        # Light from the upper left: smoke behind more smoke is darker.
        shift = max(2, rows // 40)
        behind = np.roll(tau, (shift, shift), (0, 1))
        bright = 198.0 + 26.0 * np.tanh(tau - behind) - 14.0 * np.tanh(tau * 0.4) + 4.0 * wisps
        near_fire = np.linspace(0.0, 1.0, rows, dtype=np.float32)[:, None] ** 6
        bright = bright - 26.0 * near_fire
        alpha = 0.93 * (1.0 - np.exp(-tau))
        size = (width, height)
        return SmokeCloud(
            left=left,
            top=top,
            alpha=np.asarray(cv2.resize(alpha, size), dtype=np.float32),
            bright=np.asarray(cv2.resize(bright.astype(np.float32), size), dtype=np.float32),
        )


def _stamp(rng: np.random.Generator) -> NDArray[np.float32]:
    """One puff: a ragged ball of optical depth, at most about 1."""
    axis = np.linspace(-1, 1, _STAMP_PX, dtype=np.float32)
    distance = np.sqrt(axis[:, None] ** 2 + axis[None, :] ** 2)
    noise = fractal_field(rng, _STAMP_PX, _STAMP_PX, slope=1.5)
    ball = np.clip(1.0 - distance, 0, 1) * 1.25 + 0.16 * noise * (distance < 1)
    return np.asarray(np.clip(ball - 0.18, 0, 1) * np.clip((1 - distance) * 5, 0, 1), dtype=np.float32)
