"""What one frame says of the camera that took it: light, and how much of the known view is still to be seen in it.

The view is known from a mean of earlier frames. A block's *gain* is the part of the known pattern that the frame still
shows, by projection: 1 as ever, less in fog or under dirt, 0 behind a cover or when the camera looks elsewhere. It is
told for coarse patterns and for fine ones: fog takes both, a lost focus takes the fine ones only. Noise, traffic and
swaying trees are not in the mean and so hardly in the gain.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.base import BgrImage
from detectors.camera_health.memory import KeptView, packed, unpacked
from detectors.preprocess import Plane
from ioc.opencv import cv2

__all__ = ["BLOCKS", "Measures", "View", "measure"]

WORKING = (320, 180)
BLOCKS = (16, 9)
CELLS = (32, 18)
_FINE_PX, _COARSE_PX, _SHRINK = 1.1, 6.0, 4
_SHOWN, _STEADY, _STEADY_FRAMES = 0.35, 0.9, 40  # gain that shows a block's pattern; in this share of good frames


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """One frame at 320 × 180. `light`: mean, 0–255; `blown`: share at or over 250; `colour`: mean chroma, 0–1."""

    grey: Plane
    fine: Plane
    coarse: Plane
    light: float
    blown: float
    colour: float

    def difference(self, earlier: "Measures") -> float:
        """Returns how much nine tenths of the blocks differ at most, in levels: 0 for the same picture again.

        The tenth that is left out is where cameras write their clock.
        """
        return float(np.quantile(_blocks(cv2.absdiff(self.grey, earlier.grey)), 0.9))


def measure(picture: BgrImage) -> Measures:
    """Returns the measures of a picture of any size, in some 1 ms."""
    small = np.asarray(cv2.resize(picture, WORKING, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), dtype=np.float32)
    soft = np.asarray(cv2.GaussianBlur(grey, (0, 0), _FINE_PX), dtype=np.float32)
    broad = _broad(grey)
    blue, green, red = cv2.split(_small_colour(small))
    greatest, least = cv2.max(cv2.max(blue, green), red), cv2.min(cv2.min(blue, green), red)
    chroma = np.asarray(cv2.subtract(greatest, least), dtype=np.float32)
    return Measures(
        grey=grey,
        fine=grey - soft,
        coarse=soft - broad,
        light=float(grey.mean()),
        blown=float((grey >= 250).mean()),
        colour=float(chroma.mean()) / (float(np.mean(greatest)) + 8.0),
    )


def _broad(grey: Plane) -> Plane:
    """A blur of 6 px, done on a sixteenth of the pixels."""
    size = (WORKING[0] // _SHRINK, WORKING[1] // _SHRINK)
    small = cv2.GaussianBlur(_at(grey, size), (0, 0), _COARSE_PX / _SHRINK)
    return np.asarray(cv2.resize(small, WORKING, interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _small_colour(small: BgrImage) -> BgrImage:
    """Colour noise averages out over cells; the colour of a roof does not."""
    return np.asarray(cv2.resize(small, (80, 45), interpolation=cv2.INTER_AREA), dtype=np.uint8)


class View:
    """The known view of one pose in one kind of light: slow means of what frames show."""

    def __init__(self, first: Measures, *, frames: int) -> None:
        self._frames = frames
        self.count = 1
        self.fine, self.coarse = first.fine.copy(), first.coarse.copy()
        self.coarse_typical, self.fine_typical = 1.0, 1.0
        self._shown = np.ones((BLOCKS[1], BLOCKS[0]), np.float32)

    @classmethod
    def recalled(cls, kept: KeptView, *, frames: int) -> "View":
        """Raises:
        ValueError: planes of another size.
        """
        view = cls.__new__(cls)
        view._frames, view.count = frames, kept.count
        view.coarse_typical, view.fine_typical = kept.coarse_typical, kept.fine_typical
        view._shown = unpacked(kept.shown, (BLOCKS[1], BLOCKS[0]))
        view.fine, view.coarse = (unpacked(data, (WORKING[1], WORKING[0])) for data in (kept.fine, kept.coarse))
        return view

    def kept(self) -> KeptView:
        return KeptView(
            count=self.count,
            coarse_typical=self.coarse_typical,
            fine_typical=self.fine_typical,
            shown=packed(self._shown),
            fine=packed(self.fine),
            coarse=packed(self.coarse),
        )

    def learn(self, now: Measures) -> None:
        self.count += 1
        share = np.float32(1.0 / min(self.count, self._frames))
        self.fine += share * (now.fine - self.fine)
        self.coarse += share * (now.coarse - self.coarse)

    def settle(self, now: Measures) -> None:
        """Takes how much of the view a good frame shows: in the dark, where the view is noise, hardly anything."""
        if self.count < 4:
            return
        coarse, fine = self.gains(now)
        self._shown += ((coarse > _SHOWN) - self._shown) / np.float32(min(self.count - 3, _STEADY_FRAMES))
        strong = self.strong()
        if not strong.any():
            return
        share = 1.0 / min(self.count - 3, 20)
        self.coarse_typical += share * (float(np.median(coarse[strong])) - self.coarse_typical)
        self.fine_typical += share * (float(np.median(fine[strong])) - self.fine_typical)

    def strong(self) -> NDArray[np.bool_]:
        """Returns the blocks (9 × 16) that have a pattern to be missed: not the sky, not a lake, and not a road at
        night, whose pattern is the headlights of those that drive there now and then."""
        power = _blocks(self.coarse * self.coarse)
        return np.asarray((power > max(0.5, 0.15 * float(np.quantile(power, 0.9)))) & (self._shown > _STEADY))

    def gains(self, now: Measures) -> tuple[Plane, Plane]:
        """Returns (coarse, fine) gains of the blocks, 9 × 16."""
        return _gain(now.coarse, self.coarse, BLOCKS), _gain(now.fine, self.fine, BLOCKS)

    def cells(self, now: Measures) -> tuple[Plane, Plane, NDArray[np.bool_]]:
        """Returns (coarse gains, fine gains, which have a pattern) of the cells, 18 × 32; gains at most 1.6."""
        power = _at(self.coarse * self.coarse, CELLS)
        has_pattern = np.asarray(power > max(0.5, 0.15 * float(np.quantile(power, 0.9))))
        coarse, fine = _gain(now.coarse, self.coarse, CELLS), _gain(now.fine, self.fine, CELLS)
        return np.clip(coarse, 0, 1.6), np.clip(fine, 0, 1.6), has_pattern

    def power(self, coarse: Plane) -> Plane:
        """Returns the strength of a coarse pattern in the blocks, levels."""
        return np.asarray(np.sqrt(_blocks(coarse * coarse)), dtype=np.float32)


def _gain(now: Plane, known: Plane, size: tuple[int, int]) -> Plane:
    power = _at(known * known, size)
    return np.asarray(_at(now * known, size) / (power + 0.05), dtype=np.float32)


def _at(plane: Plane, size: tuple[int, int]) -> Plane:
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), dtype=np.float32)


def _blocks(plane: object) -> Plane:
    return _at(np.asarray(plane, dtype=np.float32), BLOCKS)
