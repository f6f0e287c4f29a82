"""What the rule measures of one frame, in cells, and the two backgrounds of it."""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.base import BgrImage
from detectors.preprocess import Plane, cells, dark_channel, luma, relative_contrast, saturation

__all__ = ["Change", "PlaneBackground", "Planes", "changes", "measured"]

_LEAST_GREY = 0.02  # of relative contrast: below it the share of it that is lost says nothing


@dataclass(slots=True)
class Planes:
    """One frame, rows × columns of cells, 0–1. `grey` is saturation, or relative contrast where there is no colour."""

    dark: Plane
    grey: Plane
    bright: Plane
    blue: Plane
    mean_saturation: float


@dataclass(frozen=True, slots=True)
class Change:
    """Rows × columns, relative to the whole frame: what rose in the dark channel, what was lost of saturation (or, as a
    share, of contrast), and how much the dark channel differs from the last frames."""

    rise: Plane
    drop: Plane
    quick: Plane


def measured(small: BgrImage, cell_px: int, *, is_colour: bool) -> Planes:
    """Returns the planes of a picture at the rule's width."""
    bright, colour = luma(small), saturation(small)
    grey = colour if is_colour else relative_contrast(bright)
    blue = small[:, :, 0].astype(np.float32) / np.float32(255)
    return Planes(
        cells(dark_channel(small), cell_px),
        cells(grey, cell_px),
        cells(bright, cell_px),
        cells(blue, cell_px),
        float(colour.mean()),
    )


class PlaneBackground:
    """The slow background (running mean) and the last dark channels of one pose."""

    def __init__(self, first: Planes, *, slow_frames: int, fast_frames: int, absorb: float) -> None:
        self.slow = Planes(
            first.dark.copy(), first.grey.copy(), first.bright.copy(), first.blue.copy(), first.mean_saturation
        )
        self.count = 1
        self._slow_frames, self._absorb = slow_frames, absorb
        self._recent: deque[Plane] = deque([first.dark], maxlen=fast_frames)

    @property
    def fast_dark(self) -> Plane:
        return np.asarray(np.median(np.stack(self._recent), axis=0), dtype=np.float32)

    def learn(self, now: Planes, held: NDArray[np.bool_] | None) -> None:
        """Mixes the frame in; what may be smoke enters more slowly, but it enters."""
        self.count += 1
        self._recent.append(now.dark)
        share = np.full(now.dark.shape, 1.0 / min(self.count, self._slow_frames), dtype=np.float32)
        if held is not None:
            share[held] *= np.float32(self._absorb)
        slow = self.slow
        for old, new in (
            (slow.dark, now.dark),
            (slow.grey, now.grey),
            (slow.bright, now.bright),
            (slow.blue, now.blue),
        ):
            old += share * (new - old)


def changes(now: Planes, background: PlaneBackground, *, gain: float, is_colour: bool) -> Change:
    """Returns what changed, the frame's own median taken out: exposure and haze move everything."""
    slow = background.slow
    dark = now.dark / np.float32(gain)
    rise = dark - slow.dark
    drop = slow.grey - now.grey
    if not is_colour:
        drop = drop / np.maximum(slow.grey, _LEAST_GREY)
    quick = dark - background.fast_dark
    return Change(
        np.asarray(rise - np.median(rise), dtype=np.float32),
        np.asarray(drop - np.median(drop), dtype=np.float32),
        np.asarray(np.abs(quick - np.median(quick)), dtype=np.float32),
    )
