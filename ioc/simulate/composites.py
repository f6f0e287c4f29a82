"""Smoke with a known beginning on real pictures: the truth that labelled fires do not have.

A backdrop is frames of one real fixed camera without smoke. Each frame of a composite is one of them, a little brighter
or darker, shaken and with noise of its own (a backdrop of twelve frames is shown forth and back: it must not stand
still), with smoke blended on from the ignition on, as a JPEG. Pure but for reading the files that it is given.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ioc.detections import Box
from ioc.errors import ConfigurationError
from ioc.opencv import cv2
from ioc.simulate.perspective import BgrImage, Colour
from ioc.simulate.plume import SmokeCloud

__all__ = ["LEAST_BOX", "Backdrop", "ClipSmoke", "Composite", "Ramped", "Smoke", "SmokeClip", "read_clip"]

_QUALITIES = (70, 92)
_BLACK = 12  # black is not quite black in a video
LEAST_BOX = 0.002  # share of the picture: the smallest box that people drew on the 419 labelled frames of HPWREN
_FIRST, _LAST, _BACK_TO = 12, 115, 55  # frames of the clip: later its fire is out, and the smoke leaves the ground


@dataclass(frozen=True, slots=True, kw_only=True)
class Backdrop:
    """Frames of one fixed view, oldest first. `ground` is (left, top, right, bottom) in shares: where fires may be."""

    name: str
    site: str
    frames: tuple[BgrImage, ...]
    ground: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeClip:
    """A filmed plume on black: n × height × width, 0–255; its foot is at (foot_x, height) pixels."""

    frames: NDArray[np.uint8]
    foot_x: float


class Smoke(Protocol):
    """The smoke of one fire; `Plume` is one."""

    def cloud(self, age: float) -> SmokeCloud | None:
        """Returns the smoke `age` minutes after ignition, None where there is none."""


class ClipSmoke:
    """Filmed smoke at a place, scaled, leaning in the wind; it grows for some ten minutes.

    `rise_px` is the height of the grown plume, `spread` how much wider it is than filmed (a far fire's smoke comes from
    a front, not from one bush), `lean` how far it drifts sideways for each pixel that it rises, `step` how many frames
    of the clip make a minute, `grey` the level of its middle, `tint` BGR factors.
    """

    def __init__(
        self,
        clip: SmokeClip,
        *,
        at: tuple[float, float],
        size: tuple[int, int],
        rise_px: float,
        spread: float,
        lean: float,
        step: int,
        grey: float,
        tint: Colour,
    ) -> None:
        self._clip, self._at, self._size, self._rise_px = clip, at, size, rise_px
        self._spread, self._lean, self._step, self._grey, self._tint = spread, lean, step, grey, tint

    def cloud(self, age: float) -> SmokeCloud | None:
        if age < 0:
            return None
        source = self._clip.frames[
            _forth_and_back(_FIRST + round(age * self._step), min(_LAST, len(self._clip.frames)), _BACK_TO)
        ]
        rows, columns = source.shape
        scale = self._rise_px / rows * float(0.3 + 0.7 * (1 - np.exp(-(age + 1) / 6)))
        across, lean = scale * self._spread, scale * self._lean
        # A point (x, y) of the clip lies at `foot + across · (x − foot_x) + lean · (rows − y)`.
        left, right = -across * self._clip.foot_x, across * (columns - self._clip.foot_x)
        left, right = left + min(0.0, lean * rows), right + max(0.0, lean * rows)
        width, height = self._size
        x0, y0 = max(0, int(self._at[0] + left)), max(0, int(self._at[1] - scale * rows))
        x1, y1 = min(width, int(self._at[0] + right) + 1), min(height, int(self._at[1]) + 1)
        if x1 - x0 < 4 or y1 - y0 < 4:
            return None
        matrix = np.array(
            [
                [across, -lean, self._at[0] - x0 - across * self._clip.foot_x + lean * rows],
                [0, scale, self._at[1] - y0 - scale * rows],
            ],
            dtype=np.float32,
        )
        softened = cv2.GaussianBlur(source, (0, 0), max(0.3, 0.5 / scale))
        light = cv2.warpAffine(softened, matrix, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR)
        share = np.asarray(light, dtype=np.float32) / np.float32(255)
        return SmokeCloud(
            left=x0,
            top=y0,
            alpha=np.minimum(np.float32(0.95), np.float32(1.15) * share ** np.float32(0.8)),
            bright=(np.float32(self._grey - 18) + 36 * share).astype(np.float32),
            tint=self._tint,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramped:
    """Smoke that thickens: nothing at first, `most` (0–1) of its own opacity after some `ramp_min` minutes."""

    smoke: Smoke
    most: float
    ramp_min: float

    def cloud(self, age: float) -> SmokeCloud | None:
        cloud = self.smoke.cloud(age)
        if cloud is None:
            return None
        share = self.most * float(1 - np.exp(-(age + 0.5) / self.ramp_min))
        return replace(cloud, alpha=cloud.alpha * np.float32(share))


class Composite:
    """Frames of a backdrop, with smoke from frame `ignition` on, or without any. Frame i is a function of the seed."""

    def __init__(self, backdrop: Backdrop, smoke: Smoke | None, *, seed: int, ignition: int = 0) -> None:
        self.backdrop, self._smoke, self._seed, self._ignition = backdrop, smoke, seed, ignition
        rng = np.random.default_rng(np.random.SeedSequence([seed, 1]))
        self._start = int(rng.integers(0, 2 * len(backdrop.frames)))
        self._noise = float(rng.uniform(0.8, 2.2))
        self._shake_px = float(rng.uniform(0.1, 0.6))
        self._flicker = float(rng.uniform(0.002, 0.012))
        self._quality = int(rng.integers(*_QUALITIES))

    def box(self, index: int) -> Box | None:
        """The true box of the smoke that a person would point at on frame `index`, None where there is none."""
        cloud = self._cloud(index)
        if cloud is None:
            return None
        height, width = self.backdrop.frames[0].shape[:2]
        box = cloud.box(width, height)
        return box if box is not None and box.w * box.h >= LEAST_BOX else None

    def contrast(self, index: int) -> float:
        """How much the smoke of frame `index` changes what it covers, in grey levels."""
        cloud = self._cloud(index)
        if cloud is None or not (cloud.alpha > 0.1).any():
            return 0.0
        still = self._still(index)
        smoky = still.copy()
        cloud.over(smoky)
        rows, columns = cloud.alpha.shape
        area = (slice(cloud.top, cloud.top + rows), slice(cloud.left, cloud.left + columns))
        difference = np.abs(smoky[area].astype(np.int16) - still[area]).mean(axis=2)
        return float(difference[cloud.alpha > 0.1].mean())

    def render(self, index: int) -> BgrImage:
        """Returns frame `index` before its JPEG loss: height × width × 3, BGR."""
        rng = np.random.default_rng(np.random.SeedSequence([self._seed, 2, index]))
        image = self._still(index)
        cloud = self._cloud(index)
        if cloud is not None:
            cloud.over(image)
        dx, dy = np.clip(rng.normal(0, self._shake_px, 2), -1.5, 1.5)
        gain = 1 + self._flicker * float(rng.normal())
        height, width = image.shape[:2]
        matrix = np.array([[1, 0, dx], [0, 1, dy]], dtype=np.float32)
        shaken = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        grain = np.empty((height, width), np.int16)
        cv2.setRNGSeed(int(rng.integers(2**31)))
        cv2.randn(grain, np.zeros(1), np.full(1, self._noise))
        levels = cv2.convertScaleAbs(shaken, alpha=gain)
        return np.asarray(cv2.add(levels, cv2.merge([grain] * 3), dtype=cv2.CV_8U), dtype=np.uint8)

    def render_jpeg(self, index: int) -> bytes:
        """Returns frame `index` as a JPEG file."""
        ok, data = cv2.imencode(".jpg", self.render(index), [cv2.IMWRITE_JPEG_QUALITY, self._quality])
        assert ok, "OpenCV encodes every 8-bit picture as JPEG"
        return bytes(data.tobytes())

    def _cloud(self, index: int) -> SmokeCloud | None:
        return None if self._smoke is None else self._smoke.cloud(index - self._ignition)

    def _still(self, index: int) -> BgrImage:
        frames = self.backdrop.frames
        return frames[_forth_and_back(self._start + index, len(frames), 0)].copy()


def read_clip(path: Path) -> SmokeClip:
    """Returns a clip of smoke on black, cut to what is not black and halved.

    Raises:
        ConfigurationError: no such clip, or nothing on it.
    """
    capture = cv2.VideoCapture(str(path))
    frames: list[NDArray[np.uint8]] = []
    while True:
        is_frame, frame = capture.read()
        if not is_frame:
            break
        light = cv2.cvtColor(cv2.resize(frame, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
        frames.append(np.maximum(light, _BLACK).astype(np.uint8) - np.uint8(_BLACK))
    if not frames:
        raise ConfigurationError(f"{path}: not a video clip; give the folder with the clip of smoke on black")
    stack = np.stack(frames)
    rows, columns = np.nonzero(stack.max(axis=0) > 20)
    if not len(rows):
        raise ConfigurationError(f"{path}: the clip is black from end to end; give one that shows smoke")
    cut = stack[:, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    feet = np.nonzero(cut[:, -12:].max(axis=(0, 1)) > 60)[0]
    return SmokeClip(frames=cut, foot_x=float(np.median(feet)) if len(feet) else cut.shape[2] / 2)


def _forth_and_back(index: int, count: int, low: int) -> int:
    """Returns `index` up to the last of `count`, then back down to `low`, up again, and so on."""
    last = count - 1
    span = last - min(low, last)
    if index <= last or span == 0:
        return min(index, last)
    return last - span + abs((index - last) % (2 * span) - span)
