"""What is said of a work over frames: only what has been so for days, and nothing new once the work rests. Pure.

One frame's outline is off by a shadow or a heap; what it says counts for nothing alone. When a work rests, light and
leaves go on changing, and the house does not: what was told stays told.
"""

from collections import deque
from dataclasses import asdict, dataclass, field

import numpy as np

from detectors.construction.kept import KeptClaims
from detectors.construction.thresholds import ConstructionThresholds
from detectors.construction.works import Outline, storeys_of

__all__ = ["Claims"]

_LOW, _HIGH = 0.15, 0.85
_SURE_SHARE = 0.25  # of the heights may be lower than what is told


@dataclass(slots=True, kw_only=True)
class Claims:
    """Of one zone: `footprint` in shares of the picture, `storeys` the least number that is certain."""

    thresholds: ConstructionThresholds
    footprint: tuple[tuple[float, float], ...] = ()
    storeys: int | None = None
    _outlines: deque[Outline] = field(default_factory=deque)
    _heights: deque[float] = field(default_factory=deque)

    def kept(self) -> KeptClaims:
        return KeptClaims(
            footprint=self.footprint,
            storeys=self.storeys,
            outlines=[{name: float(value) for name, value in asdict(one).items()} for one in self._outlines],
            heights=[float(high_m) for high_m in self._heights],
        )

    def resume(self, kept: KeptClaims) -> None:
        """Raises:
        TypeError: an outline of other parts.
        """
        self.footprint, self.storeys = kept.footprint, kept.storeys
        self._outlines.extend(Outline(**one) for one in kept.outlines)
        self._heights.extend(kept.heights)

    def forget(self) -> None:
        """Nothing stands there any more."""
        self.footprint, self.storeys = (), None
        self._outlines.clear()
        self._heights.clear()

    def take(self, outline: Outline, high_m: float | None, shape: tuple[int, int]) -> None:
        """Takes the outline of a frame and its height in metres; `shape`: rows, columns of cells."""
        t = self.thresholds
        self._outlines.append(outline)
        if len(self._outlines) >= t.outline_frames:
            self.footprint = self._settled(shape) or self.footprint
            self._outlines.popleft()
        if high_m is None:
            return
        self._heights.append(high_m)
        if len(self._heights) >= t.height_frames:
            certain = storeys_of(float(np.quantile(self._heights, _SURE_SHARE)))
            self.storeys = max(certain, self.storeys or 0)
            self._heights.popleft()

    def interrupt(self) -> None:
        """A frame without an outline: what was gathered does not hold any more, what was told does."""
        self._outlines.clear()
        self._heights.clear()

    def _settled(self, shape: tuple[int, int]) -> tuple[tuple[float, float], ...]:
        """The middle of the last outlines; nothing where they differ."""
        sides = np.array([(one.left, one.right, one.rear, one.front, one.lean) for one in self._outlines])
        spread = np.quantile(sides[:, :2], _HIGH, axis=0) - np.quantile(sides[:, :2], _LOW, axis=0)
        if spread.max() > self.thresholds.outline_spread:
            return ()
        left, right, rear, front, lean = (float(value) for value in np.median(sides, axis=0))
        rows, columns = shape
        last = self._outlines[-1]
        middle = Outline(left=left, right=right, top=last.top, rear=rear, front=front, share=last.share, lean=lean)
        return tuple(
            (round(min(1.0, max(0.0, x / columns)), 5), round(min(1.0, max(0.0, y / rows)), 5))
            for x, y in middle.corners
        )
