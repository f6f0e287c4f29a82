"""What makes a frame unfit to be compared with its background, and what makes seeing nothing mean little. Pure."""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.preprocess import Plane, shift_between
from detectors.smoke.planes import Planes

_STRIPS = 6

__all__ = [
    "ClearView",
    "Doubts",
    "Light",
    "Shift",
    "Veil",
    "doubt_of",
    "light_oddity",
    "shift_oddity",
    "shift_of",
    "unrest_of",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """Bounds of what is usual from one frame to the next."""

    max_gain: float
    grey_saturation: float
    colour_saturation: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How far the picture lies off its background, in shares of the width; `response` 0 where it can't be told."""

    dx: float
    dy: float
    response: float


def light_oddity(now: Planes, gain: float, light: Light, *, is_colour: bool) -> str:
    """Returns why this frame's light is another one's, "" where it is not."""
    is_switched = (
        now.mean_saturation < light.grey_saturation if is_colour else now.mean_saturation > light.colour_saturation
    )
    if is_switched:
        return "day_night_switch"
    return "" if 1 / light.max_gain < gain < light.max_gain else "exposure_jump"


def shift_of(background: Plane, now: Plane) -> Shift:
    """Returns the shift of `now`; both are brightness at one small size."""
    dx, dy, response = shift_between(background, now)
    width = now.shape[1]
    return Shift(dx=dx / width, dy=dy / width, response=response)


def shift_oddity(shift: Shift, *, least_response: float, max_shift: float) -> str:
    """Returns why the view is another one, "" where it is the same, or moved by little enough to be laid over."""
    if shift.response == 0.0:
        return ""
    if shift.response < least_response:
        return "view_changed"
    return "camera_moved" if max(abs(shift.dx), abs(shift.dy)) > max_shift else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubts:
    """Bounds beyond which the picture is compared, and believed only half."""

    least_clear: float
    least_bright: float
    max_unrest: float
    least_unveiled: float
    veil_unrest: float


def doubt_of(
    clear: float, bright: Plane, quick: Plane, terrain: NDArray[np.bool_], doubts: Doubts, *, is_veiled: bool
) -> str:
    """Returns why this frame shows little, "" where it does not: fog, rain, glare, night, or a picture in motion.

    `clear` is the share of structure that is left; `terrain` the cells of ground. Smoke moves in its place, while rain,
    glare and drifting fog move everywhere.
    """
    if clear < doubts.least_clear or is_veiled:
        return "visibility_degraded"
    if not terrain.any():
        return ""
    if float(np.median(bright[terrain])) < doubts.least_bright:
        return "dark"
    return "unsteady_picture" if unrest_of(quick, terrain) > doubts.max_unrest else ""


def unrest_of(quick: Plane, terrain: NDArray[np.bool_]) -> float:
    """Returns how much the ground differs from the last frames in its middle cell, 0–1; 0 where no ground is."""
    return float(np.median(quick[terrain])) if terrain.any() else 0.0


class Veil:
    """Rain and a low sun lay a veil over everything that is never still; wind is as restless and takes no structure.

    Either comes and goes from frame to frame, while an alarm pools several: the worst of the last frames counts.
    """

    def __init__(self, *, frames: int) -> None:
        self._recent: deque[tuple[float, float]] = deque(maxlen=frames)

    def is_on(self, clear: float, unrest: float, doubts: Doubts) -> bool:
        """Takes the structure of a frame's second best strip (ClearView) and its unrest (unrest_of) in and returns
        whether the view is veiled."""
        self._recent.append((clear, unrest))
        least = min(one[0] for one in self._recent)
        return least < doubts.least_unveiled and max(one[1] for one in self._recent) > doubts.veil_unrest


class ClearView:
    """How much of the structure of its clearest hours a pose shows: fog, rain on the lens and night take it away.

    Smoke takes it in its place, a veil everywhere: so it is asked of upright strips too.
    """

    def __init__(self, *, forget: float) -> None:
        self._forget = forget
        self._clearest = np.zeros(1 + _STRIPS)

    def share(self, bright: Plane) -> tuple[float, float]:
        """Takes a frame's brightness (cells, 0–1) in and returns its structure as a share, 0–1, of the clearest: of the
        whole picture, and of its second best strip."""
        steps = np.abs(np.diff(bright, axis=0))[:, 1:] + np.abs(np.diff(bright, axis=1))[1:]
        parts = [steps, *np.array_split(steps, _STRIPS, axis=1)]
        structure = np.array([float(part.mean()) if part.size else 0.0 for part in parts])
        self._clearest = np.maximum(structure, self._clearest * (1 - self._forget))
        shares = np.divide(structure, self._clearest, out=np.zeros_like(structure), where=self._clearest > 0)
        return float(shares[0]), float(np.sort(shares[1:])[-2])
