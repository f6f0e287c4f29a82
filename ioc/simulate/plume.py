"""A smoke plume: puffs that leave one place, rise, drift downwind, swell and thin out."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ioc.detections import Box
from ioc.opencv import cv2
from ioc.simulate.noise import fractal_field
from ioc.simulate.perspective import BgrImage, Colour

__all__ = ["SMOKE_WHITE", "Plume", "SmokeCloud", "add_puff", "puff_stamp"]

SMOKE_WHITE: Colour = (1.01, 1.0, 0.985)
"""BGR tint of the smoke of green wood and grass: nearly white. Burning rubbish is darker, dry grass browner."""

_PUFFS = 84
_STAMP_PX = 96
_SEEN = 0.10  # an opacity that a person would still point at: the edge of the true box
_HALF = 2  # smoke is soft: it is summed at half the size, in a quarter of the time


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeCloud:
    """Smoke of one frame. `alpha` (0–1) and `bright` (grey level) cover the picture from (left, top) on, in pixels.

    `tint`: BGR factors of the smoke's grey.
    """

    left: int
    top: int
    alpha: NDArray[np.float32]
    bright: NDArray[np.float32]
    tint: Colour = SMOKE_WHITE

    def over(
        self,
        image: BgrImage,
        *,
        light: Colour = (1.0, 1.0, 1.0),
        clear: float = 1.0,
        airlight: Colour = (216.0, 208.0, 197.0),
    ) -> None:
        """Blends the smoke onto `image`. `light`: BGR gains of the daylight on it.

        `clear` (0–1): the share of its own colour that reaches the camera through haze of colour `airlight`.
        """
        height, width = self.alpha.shape
        area = image[self.top : self.top + height, self.left : self.left + width]
        colour = cv2.merge(
            [
                self.bright * (t * g * clear) + a * (1 - clear)
                for t, g, a in zip(self.tint, light, airlight, strict=True)
            ]
        )
        share = cv2.merge([self.alpha] * 3)
        blended = area * (1.0 - share) + colour * share
        np.copyto(area, np.clip(blended, 0, 255).astype(np.uint8))

    def behind(self, hidden: NDArray[np.bool_]) -> "SmokeCloud":
        """The smoke without what stands behind nearer things: `hidden` covers the whole picture."""
        height, width = self.alpha.shape
        cut = hidden[self.top : self.top + height, self.left : self.left + width]
        return replace(self, alpha=np.where(cut, np.float32(0), self.alpha))

    def box(self, width: int, height: int, *, seen: float = _SEEN) -> Box | None:
        """The tight box of what can be seen, in shares of a picture of width × height pixels; None if nothing can."""
        ys, xs = np.nonzero(self.alpha > seen)
        if not len(xs):
            return None
        return Box.from_edges(
            (self.left + int(xs.min())) / width,
            (self.top + int(ys.min())) / height,
            min(1.0, (self.left + int(xs.max()) + 1) / width),
            min(1.0, (self.top + int(ys.max()) + 1) / height),
        )


class Plume:
    """The smoke of one fire at (anchor_x, anchor_y) pixels; each frame is a pure function of its age in minutes.

    `scale`: size of the grown plume (1: a third of the picture's height); `opacity`: 1 dense, 0.15 a veil that hardly
    shows; `growth`: 1 grown in a quarter of an hour, 0.3 a slow one; `tint`: BGR factors; `wind`: 0 upright, ±1 an
    ordinary breeze to the right or left, ±3 smoke that lies on the slope, None by chance.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        *,
        anchor_x: float,
        anchor_y: float,
        width: int,
        height: int,
        scale: float = 1.0,
        opacity: float = 1.0,
        growth: float = 1.0,
        tint: Colour = SMOKE_WHITE,
        wind: float | None = None,
    ) -> None:
        self._anchor = (anchor_x, anchor_y)
        self._size = (width, height)
        self._scale, self._opacity, self._growth, self._tint = scale, opacity, growth, tint
        lean = float(rng.uniform(0.7, 1.15))
        self._lean = lean * (1.0 if anchor_x < width / 2 else -1.0) if wind is None else wind
        self._rise = 1.0 / (1.0 + 0.35 * max(0.0, abs(self._lean) - 1.2))
        self._phase = rng.random(_PUFFS)
        self._rate = rng.uniform(0.23, 0.41, _PUFFS)
        self._across = rng.normal(0.0, 0.55, _PUFFS)
        self._swell = rng.uniform(0.75, 1.25, _PUFFS)
        self._stamps = [puff_stamp(rng) for _ in range(8)]
        self._detail = fractal_field(rng, 256, 256, slope=1.3, lowest=3)

    def cloud(self, age: float) -> SmokeCloud | None:
        """Returns the smoke `age` minutes after the fire began; None before."""
        if age < 0:
            return None
        width, height = self._size
        strength = 1.0 - np.exp(-(age * self._growth + 0.8) / 11.0)
        reach = (0.035 + 0.31 * strength) * height * self._scale
        u = (self._phase + self._rate * (age + 40.0)) % 1.0
        turn = np.sin(age * 0.7 + self._phase * 17.0) * 0.5 + self._across
        radius = (0.045 + 0.27 * u**0.9) * reach * self._swell + 0.004 * height * min(1.0, self._scale)
        x = self._anchor[0] + self._lean * reach * (0.25 * u + 0.95 * u**1.7) + turn * radius * 0.8
        y = self._anchor[1] - self._rise * reach * (0.78 * u**0.72) + np.roll(turn, 7) * radius * 0.5
        depth = self._opacity * (0.40 + 1.25 * strength) * (1.0 - u) ** 0.55 / (0.55 + 1.9 * u)
        left = max(0, int((x - radius).min()) - 2)
        top = max(0, int((y - radius).min()) - 2)
        right = min(width, int((x + radius).max()) + 3)
        bottom = min(height, int((y + radius).max()) + 3)
        if right - left < 4 or bottom - top < 4:
            return None
        tau = np.zeros(((bottom - top) // _HALF + 1, (right - left) // _HALF + 1), np.float32)
        for n in np.argsort(u):
            stamp = self._stamps[int(n) % len(self._stamps)]
            add_puff(tau, stamp, (x[n] - left) / _HALF, (y[n] - top) / _HALF, radius[n] / _HALF, float(depth[n]))
        return self._lit(tau, left, top, right - left, bottom - top, age)

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
            tint=self._tint,
        )


def add_puff(
    tau: NDArray[np.float32], stamp: NDArray[np.float32], x: float, y: float, radius: float, depth: float
) -> None:
    """Adds one puff of optical depth `depth` to `tau`, centred on (x, y)."""
    side = max(3, round(2 * radius))
    grown = cv2.resize(stamp, (side, side), interpolation=cv2.INTER_LINEAR)
    x0, y0 = round(x - side / 2), round(y - side / 2)
    left, top = max(0, x0), max(0, y0)
    right, bottom = min(tau.shape[1], x0 + side), min(tau.shape[0], y0 + side)
    if left < right and top < bottom:
        tau[top:bottom, left:right] += depth * grown[top - y0 : bottom - y0, left - x0 : right - x0]


def puff_stamp(rng: np.random.Generator) -> NDArray[np.float32]:
    """One puff: a ragged ball of optical depth, at most about 1."""
    axis = np.linspace(-1, 1, _STAMP_PX, dtype=np.float32)
    distance = np.sqrt(axis[:, None] ** 2 + axis[None, :] ** 2)
    noise = fractal_field(rng, _STAMP_PX, _STAMP_PX, slope=1.5)
    ball = np.clip(1.0 - distance, 0, 1) * 1.25 + 0.16 * noise * (distance < 1)
    return np.asarray(np.clip(ball - 0.18, 0, 1) * np.clip((1 - distance) * 5, 0, 1), dtype=np.float32)
