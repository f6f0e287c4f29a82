"""Dirt on the lens: many small places that lose their details from one frame to the next, and stay as they are.

Weather takes as much and goes on changing; a cloud's shadow takes coarse and fine patterns alike; a drop runs off. What
remains is rare enough to be told, and finds plain dirt only: rather none than an alarm for the weather.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.preprocess import Plane
from ioc.opencv import cv2

__all__ = ["DirtThresholds", "LensDirt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DirtThresholds:
    """Found on rendered scenes (seeds below 10,000). Gains are 1 as ever, 0 gone."""

    clean_frames: int = 8
    frames: int = 3  # the same places in all of them
    share: float = 0.028  # of the cells that have a pattern
    coarse: float = 0.75  # of the clean gain
    fine: float = 0.6
    deviations: float = 2.0
    shiver: float = 0.06  # added to each cell's own deviation
    scattered: float = 0.12  # pieces for each spotted cell: not one thing before the lens
    each_half: float = 0.15  # of the spots, above and below the middle of what has a pattern
    sudden: float = 0.4  # of the share: there was no more a frame earlier
    steady: float = 0.12  # by how much the rest of the picture may change meanwhile; fog that comes changes all
    cleaned: float = 0.5  # of the spotted cells; with fewer left it is clean again


class LensDirt:
    """Watches the cells (18 × 32) of one pose in one kind of light."""

    def __init__(self, thresholds: DirtThresholds | None = None) -> None:
        self.thresholds = thresholds or DirtThresholds()
        self._seen: deque[NDArray[np.float32]] = deque(
            maxlen=self.thresholds.clean_frames + self.thresholds.frames
        )  # each [coarse, fine]
        self._spots: NDArray[np.bool_] | None = None
        self._clean = np.zeros((2, 0, 0), np.float32)
        self._rest = 0.0
        self._age = 0

    def forget(self) -> None:
        """Begins anew: other light, another view."""
        self._seen.clear()
        self._spots = None

    def observe(self, coarse: Plane, fine: Plane, has_pattern: NDArray[np.bool_]) -> bool:
        """Returns whether the lens has been dirty for `frames` frames; gains of the cells, and which count."""
        t = self.thresholds
        now = np.stack([coarse, fine])
        if self._spots is not None:
            if self._is_still_there(now, has_pattern):
                return True
            self.forget()
        self._seen.append(now)
        if len(self._seen) < t.clean_frames + t.frames:
            return False
        frames = np.stack(self._seen)
        clean, after = frames[: -t.frames], frames[-t.frames :]
        spotted = [self._spotted(frame, clean, has_pattern) for frame in (clean[-1], *after)]
        spots = np.asarray(np.logical_and.reduce(spotted[1:]))
        share = float(spots[has_pattern].mean()) if has_pattern.any() else 0.0
        if share < t.share or float(spotted[0][has_pattern].mean()) > t.sudden * share:
            return False
        if not self._is_scattered(spots, has_pattern):
            return False
        levels = [_middle(frame[0], has_pattern & ~spots) for frame in frames]
        if max(levels) > (1 + 2 * t.steady) * min(levels) or max(levels[-t.frames :]) > (1 + t.steady) * levels[-1]:
            return False
        self._spots, self._clean, self._rest, self._age = spots, clean.mean(axis=0), levels[-1], 0
        return True

    def _is_still_there(self, now: NDArray[np.float32], has_pattern: NDArray[np.bool_]) -> bool:
        t = self.thresholds
        assert self._spots is not None, "asked only while there are spots"
        self._age += 1
        is_lost = now[1] < (1 + t.fine) / 2 * self._clean[1]
        if float(is_lost[self._spots].mean()) < 1 - t.cleaned:
            return False
        rest = _middle(now[0], has_pattern & ~self._spots)
        return self._age > t.frames or abs(rest / max(self._rest, 0.1) - 1) <= t.steady

    def _spotted(
        self, now: NDArray[np.float32], clean: NDArray[np.float32], has_pattern: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        t = self.thresholds
        mean, deviation = clean.mean(axis=0), clean.std(axis=0)
        is_odd = now - mean < -t.deviations * (deviation + t.shiver)
        is_less = (now + 0.1) / (mean + 0.1) < np.array([t.coarse, t.fine], np.float32)[:, None, None]
        return np.asarray((is_odd & is_less).all(axis=0) & has_pattern)

    def _is_scattered(self, spots: NDArray[np.bool_], has_pattern: NDArray[np.bool_]) -> bool:
        """Dirt lies before near and far ground alike; fog begins at a distance, and so in a band of the picture."""
        t = self.thresholds
        count, _ = cv2.connectedComponents(spots.astype(np.uint8), connectivity=4)
        far = float((np.nonzero(spots)[0] < np.median(np.nonzero(has_pattern)[0])).mean())
        return count - 1 > t.scattered * int(spots.sum()) and t.each_half < far < 1 - t.each_half


def _middle(plane: Plane, where: NDArray[np.bool_]) -> float:
    return float(np.median(plane[where])) if where.any() else 1.0
