"""Smoke that moves, on a small canvas: plumes of noise carried along a bent axis, and Pyronear's clip of real smoke."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ioc.opencv import cv2
from ioc.simulate.noise import Field, fractal_field

__all__ = ["Clip", "Noise", "Plume", "Puff", "random_plume"]

_SIDE = 256


class Noise:
    """A stock of tiling fields, made once: making one takes longer than all else in a frame."""

    def __init__(self, rng: np.random.Generator, fields: int = 24) -> None:
        slopes = np.linspace(1.0, 2.2, fields)
        self._tiles = [
            np.pad(fractal_field(rng, _SIDE, _SIDE, slope=float(s), lowest=2), ((0, 1), (0, 1)), mode="wrap")
            for s in slopes
        ]

    def one(self, rng: np.random.Generator, low: float = 0.0, high: float = 1.0) -> Field:
        """Returns a field; low and high choose from rough (0) to soft (1)."""
        return self._tiles[int(rng.uniform(low, high) * (len(self._tiles) - 1))]

    @staticmethod
    def at(tile: Field, x: Field, y: Field) -> Field:
        """Returns the field at points, in its pixels, wrapping round."""
        return np.asarray(
            cv2.remap(tile, np.mod(x, _SIDE).astype(np.float32), np.mod(y, _SIDE).astype(np.float32), cv2.INTER_LINEAR)
        )


class Puff:
    """Smoke of one frame: opacity 0–1 and paint (H × W × 3, 0–255)."""

    __slots__ = ("alpha", "paint")

    def __init__(self, alpha: Field, paint: NDArray[np.float32]) -> None:
        self.alpha, self.paint = alpha, paint


def _tint(rng: np.random.Generator, air: NDArray[np.float32] | None) -> NDArray[np.float32]:
    kind = rng.random()
    if kind < 0.45:
        grey = rng.uniform(165, 250)
    elif kind < 0.8:
        grey = rng.uniform(105, 190)
    else:
        grey = rng.uniform(45, 120)
    warm = rng.uniform(-0.06, 0.10) if rng.random() < 0.75 else rng.uniform(0.1, 0.35)  # brown and yellow smoke
    tint = grey * np.array((1 - warm, 1 - 0.25 * max(warm, 0), 1 + 0.35 * warm))
    if air is not None:
        far = rng.uniform(0, 0.7)
        tint = tint * (1 - far) + air * far
    return np.asarray(tint, np.float32)


class Plume:
    """One fire's smoke; frame by frame by `at(age)`, age in frames since ignition, None before."""

    def __init__(self, rng: np.random.Generator, noise: Noise, side: int, air: NDArray[np.float32] | None) -> None:
        self._side = side
        self._x, self._y = (float(v) for v in rng.uniform((0.08, 0.2), (0.92, 1.0)) * side)
        length = float(np.exp(rng.uniform(np.log(10), np.log(1.2 * side))))
        self._length = length
        lean = float(rng.choice((-1, 1))) * float(rng.uniform(0, 1.52 if rng.random() < 0.5 else 0.8))
        self._axis = (np.sin(lean), -np.cos(lean))
        self._bend = float(rng.normal(0, 0.5))
        thin = rng.random() < 0.35
        self._wide = (float(rng.uniform(0.02, 0.05 if thin else 0.2)), float(rng.uniform(0.05, 0.15 if thin else 0.6)))
        self._opacity = float(rng.uniform(0.12, 0.5) if rng.random() < 0.5 else rng.uniform(0.4, 0.97))
        self._fade = float(rng.uniform(0.5, 2.5))
        self._speed = float(np.exp(rng.uniform(np.log(0.04), np.log(0.8))))  # lengths a frame
        self._growth = float(np.exp(rng.uniform(np.log(1), np.log(30))))  # frames until two thirds of its length
        self._ragged = float(rng.uniform(0.3, 1.6))
        self._fine, self._coarse = noise.one(rng, 0.1, 0.7), noise.one(rng, 0.4, 1.0)
        self._waves = float(rng.uniform(25, 110))
        self._seed = rng.uniform(0, _SIDE, 4)
        self._beat = (float(rng.uniform(0, 0.5)), float(rng.uniform(0.2, 2)), float(rng.uniform(0, 6)))
        self._veer = (float(rng.uniform(0, 0.25)), float(rng.uniform(0.05, 0.8)), float(rng.uniform(0, 6)))
        self._tint = _tint(rng, air)
        self._shade = float(rng.uniform(0, 28))
        self._light = (int(rng.integers(-3, 4)), int(rng.integers(-3, 1)))
        axis = np.arange(side, dtype=np.float32)
        self._grid = np.meshgrid(axis, axis)

    def at(self, age: float) -> Puff | None:
        """Returns the smoke, None before the fire."""
        if age < 0:
            return None
        grown = 1 - np.exp(-(age + 0.5) / self._growth)
        length = max(4.0, self._length * grown)
        veer = self._veer[0] * np.sin(self._veer[1] * age + self._veer[2])
        ax, ay = self._axis
        ax, ay = ax * np.cos(veer) - ay * np.sin(veer), ax * np.sin(veer) + ay * np.cos(veer)
        dx, dy = self._grid[0] - self._x, self._grid[1] - self._y
        along = (dx * ax + dy * ay) / length
        across = (-dx * ay + dy * ax) / length
        across = across - self._bend * along * np.abs(along) * 0.6
        moved = self._speed * age
        k = self._waves
        wave = Noise.at(self._coarse, (along - moved) * k + self._seed[0], across * k + self._seed[1])
        wide = self._wide[0] + self._wide[1] * np.clip(along, 0, 2) ** 0.8 + 1.2 / length
        across = across + wave * wide * 0.45
        rough = Noise.at(self._fine, (along - moved * 1.2) * k * 2.2 + self._seed[2], across * k * 2.2 + self._seed[3])
        tau = np.exp(-((across / wide) ** 2)) * np.clip(1 + self._ragged * (0.6 * rough + 0.5 * wave), 0, 3)
        end = np.clip(1 - along, 0, 1) ** self._fade * np.clip((along + 0.02) * 25, 0, 1)
        beat = 1 + self._beat[0] * np.sin(self._beat[1] * age + self._beat[2])
        dense = -np.log(1 - self._opacity) * (0.4 + 0.6 * grown) * beat
        tau = tau * end * dense * np.sqrt(self._wide[0] + 0.15) / np.sqrt(wide + 0.15) * 1.3
        alpha = (1 - np.exp(-tau)).astype(np.float32)
        lit = tau - np.roll(tau, self._light, (1, 0))
        shade = self._shade * (np.tanh(3 * lit) + 0.25 * rough * (alpha > 0.02))
        return Puff(alpha, np.clip(self._tint + shade[..., None].astype(np.float32), 0, 255))


class Clip:
    """Pyronear's clip of real smoke on black (Apache-2.0), placed, leaned and tinted."""

    def __init__(self, path: Path) -> None:
        capture = cv2.VideoCapture(str(path))
        frames = []
        while True:
            ok, frame = capture.read()
            if not ok:
                break
            frames.append(cv2.resize(frame[:, :, 1], (640, 360), interpolation=cv2.INTER_AREA))
        self.frames = frames
        first = frames[len(frames) // 2]
        columns = np.nonzero(first.max(0) > 20)[0]
        self.centre = float(columns.mean())

    def place(self, rng: np.random.Generator, side: int, air: NDArray[np.float32] | None) -> "_Placed":
        return _Placed(self, rng, side, air)


class _Placed:
    def __init__(self, clip: Clip, rng: np.random.Generator, side: int, air: NDArray[np.float32] | None) -> None:
        self._clip, self._side = clip, side
        self._x, self._y = (float(v) for v in rng.uniform((0.08, 0.2), (0.92, 1.0)) * side)
        self._scale = float(np.exp(rng.uniform(np.log(16), np.log(280)))) / 200  # the clip's smoke is about 200 high
        self._flip = float(rng.choice((-1, 1)))
        self._lean = float(rng.normal(0, 0.9)) if rng.random() < 0.7 else 0.0
        self._rate = float(np.exp(rng.uniform(np.log(1), np.log(25))))
        self._start = float(rng.uniform(8, 60))
        self._opacity = float(rng.uniform(0.25, 1.0))
        self._gamma = float(rng.uniform(0.6, 1.4))
        self._tint = _tint(rng, air)
        self._contrast = float(rng.uniform(0, 40))
        self._growth = float(np.exp(rng.uniform(np.log(0.5), np.log(20))))

    def at(self, age: float) -> Puff | None:
        """Returns the smoke, None before the fire."""
        if age < 0:
            return None
        count = len(self._clip.frames)
        number = self._start + self._rate * age
        low, span = 55.0, count - 60.0
        if number > count - 5:
            fold = (number - low) % (2 * span)
            number = low + (fold if fold < span else 2 * span - fold)
        source = self._clip.frames[int(np.clip(number, 0, count - 1))]
        scale = self._scale * (0.45 + 0.55 * (1 - np.exp(-age / self._growth)))
        a, lean = scale * self._flip, -self._lean * scale
        matrix = np.array([[a, -lean, 0], [0, scale, self._y - scale * 359]], np.float32)
        matrix[0, 2] = self._x - (matrix[0, 0] * self._clip.centre + matrix[0, 1] * 359)
        small = source
        if scale < 0.5:  # a warp alone would alias
            small = cv2.GaussianBlur(source, (0, 0), 0.35 / scale)
        grey = cv2.warpAffine(small, matrix, (self._side, self._side), flags=cv2.INTER_LINEAR).astype(np.float32) / 235
        alpha = np.clip(grey, 0, 1) ** self._gamma * self._opacity
        alpha[alpha < 0.015] = 0
        shade = self._contrast * (np.clip(grey, 0, 1) - 0.6)
        return Puff(alpha.astype(np.float32), np.clip(self._tint + shade[..., None], 0, 255).astype(np.float32))


def random_plume(
    rng: np.random.Generator, noise: Noise, clip: Clip, side: int, air: NDArray[np.float32] | None
) -> Plume | _Placed:
    """Returns a plume of either kind."""
    return clip.place(rng, side, air) if rng.random() < 0.4 else Plume(rng, noise, side, air)
