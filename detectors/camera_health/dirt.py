"""Dirt on the lens: many small places that lose their details from one frame to the next, and stay as they are.

Weather takes as much and goes on changing; a cloud's shadow takes coarse and fine patterns alike; a drop runs off. What
remains is rare enough to be told, and finds plain dirt only: rather none than an alarm for the weather.
"""

from collections import deque
from collections.abc import Sequence
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
    least_clean: int = 6  # of them that showed the view; what was seen before fog or in another hour tells nothing
    frames: int = 3  # the same places in all of them but one, and in their mean
    share: float = 0.028  # of the cells that have a pattern
    coarse: float = 0.75  # of the clean gain
    fine: float = 0.6
    deviations: float = 2.0
    shiver: float = 0.06  # added to each cell's own deviation
    scattered: float = 0.12  # pieces for each spotted cell: not one thing before the lens
    each_half: float = 0.1  # of the spots, above and below the middle of what has a pattern
    sudden: float = 0.4  # of the share: there was no more a frame earlier
    steady: float = 0.12  # by how much the rest of the picture may change meanwhile; fog that comes changes all
    veiled: float = 0.5  # of its gain that the rest may lose as the dirt comes, which is a film between the spots too
    same: float = 0.6  # of the spotted cells that show dirt in each frame until it is sure
    grown: float = 2.0  # times as many spots: what spreads meanwhile is weather
    cleaned: float = 0.5  # of the spotted cells; with fewer left it is clean again


class LensDirt:
    """Watches the cells (18 × 32) of one pose in one kind of light."""

    def __init__(self, thresholds: DirtThresholds | None = None) -> None:
        self.thresholds = thresholds or DirtThresholds()
        self._seen: deque[tuple[int, NDArray[np.float32]]] = deque()  # (look, [coarse, fine])
        self._spots: NDArray[np.bool_] | None = None
        self._clean = self._deviation = np.zeros((2, 0, 0), np.float32)
        self._rest, self._most = 0.0, 0.0
        self._age = 0

    def forget(self) -> None:
        """Begins anew: other light, another view."""
        self._seen.clear()
        self._spots = None

    def observe(self, coarse: Plane, fine: Plane, has_pattern: NDArray[np.bool_], *, look: int) -> bool:
        """Returns whether the lens has been dirty for `frames` looks; gains of the cells, and which count.

        `look`: the number of this frame, of which those are left out that don't show the view.
        """
        t = self.thresholds
        now = np.stack([coarse, fine])
        if self._spots is not None:
            if self._is_still_there(now, has_pattern):
                return True
            self.forget()
        self._seen.append((look, now))
        while self._seen[0][0] <= look - t.clean_frames - t.frames:
            self._seen.popleft()
        before = [frame for earlier, frame in self._seen if earlier <= look - t.frames]
        since = [frame for earlier, frame in self._seen if earlier > look - t.frames]
        if len(before) < t.least_clean or len(since) < t.frames:
            return False
        clean = np.stack(before)
        self._clean, self._deviation = clean.mean(axis=0), clean.std(axis=0)
        spotted = [self._spotted(frame, has_pattern) for frame in (before[-1], *since)]
        often = np.sum(spotted[1:], axis=0) >= t.frames - 1
        spots = np.asarray(often & self._spotted(np.mean(since, axis=0), has_pattern))
        if any(_share(each, spots) < t.same for each in spotted[1:]):
            return False
        share = _share(spots, has_pattern)
        if share < t.share or _share(spotted[0], has_pattern) > t.sudden * share:
            return False
        if not self._is_scattered(spots, has_pattern):
            return False
        levels = [_middle(frame[0], has_pattern & ~spots) for frame in (*before, *since)]
        if not self._is_steady(levels[: -t.frames], levels[-t.frames :]):
            return False
        self._spots, self._rest, self._age = spots, levels[-1], 0
        self._most = t.grown * max(int(spot.sum()) for spot in spotted[1:])
        return True

    def _is_steady(self, before: Sequence[float], since: Sequence[float]) -> bool:
        """Whether the rest of the picture stays as it is before the spots come, and as it is after."""
        t = self.thresholds
        if max(before) > (1 + 2 * t.steady) * min(before) or max(since) > (1 + t.steady) * since[-1]:
            return False
        return min(since) > (1 - t.veiled) * min(before)

    def _is_still_there(self, now: NDArray[np.float32], has_pattern: NDArray[np.bool_]) -> bool:
        """Until it is sure the spots have to stay the same ones, as dark, and the rest as it is; then weather may come
        and the sun turn: it is over when the spots show as much of their details as the rest does."""
        t = self.thresholds
        assert self._spots is not None, "asked only while there are spots"
        self._age += 1
        rest = has_pattern & ~self._spots
        if self._age > t.frames:
            shown = (now[1] + 0.1) / (self._clean[1] + 0.1)
            is_lost = shown < (1 + t.fine) / 2 * min(1.0, _middle(shown, rest))
            return _share(is_lost, self._spots) >= 1 - t.cleaned
        spotted = self._spotted(now, has_pattern)
        change = _middle(now[0], rest) / max(self._rest, 0.1) - 1
        return _share(spotted, self._spots) >= t.same and int(spotted.sum()) <= self._most and abs(change) <= t.steady

    def _spotted(self, now: NDArray[np.float32], has_pattern: NDArray[np.bool_]) -> NDArray[np.bool_]:
        t = self.thresholds
        is_odd = now - self._clean < -t.deviations * (self._deviation + t.shiver)
        is_less = (now + 0.1) / (self._clean + 0.1) < np.array([t.coarse, t.fine], np.float32)[:, None, None]
        return np.asarray((is_odd & is_less).all(axis=0) & has_pattern)

    def _is_scattered(self, spots: NDArray[np.bool_], has_pattern: NDArray[np.bool_]) -> bool:
        """Dirt lies before near and far ground alike; fog begins at a distance, and so in a band of the picture."""
        t = self.thresholds
        count, _ = cv2.connectedComponents(spots.astype(np.uint8), connectivity=4)
        far = float((np.nonzero(spots)[0] < np.median(np.nonzero(has_pattern)[0])).mean())
        return count - 1 > t.scattered * int(spots.sum()) and t.each_half < far < 1 - t.each_half


def _share(plane: NDArray[np.bool_], where: NDArray[np.bool_]) -> float:
    return float(plane[where].mean()) if where.any() else 0.0


def _middle(plane: Plane, where: NDArray[np.bool_]) -> float:
    return float(np.median(plane[where])) if where.any() else 1.0
