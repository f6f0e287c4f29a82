"""People and machines at work: what stands in a zone on one frame and neither before nor after, again and again.

What is new on a frame may be a machine, the light of this hour, or a wall that was built today. The light is in the
last frames of the same hour too, and the wall is still there on the next frames: only what is neither was at work.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from detectors.construction.kept import KeptActivity, KeptPending, kept_array, kept_arrays
from detectors.construction.thresholds import ConstructionThresholds
from detectors.construction.zone_masks import ZoneMask
from detectors.preprocess import cells
from detectors.structure import unexplained_structure

__all__ = ["Activity"]

Grey = NDArray[np.uint8]
Cells = NDArray[np.bool_]
_FACTOR = 2.0  # times the median of the zone's surroundings: the low sun draws edges everywhere


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pending:
    """A frame that waits for those after it."""

    hour: int
    laid: Grey
    new: Cells


class Activity:
    """Of one zone, by hour of the day."""

    def __init__(self, mask: ZoneMask, thresholds: ConstructionThresholds) -> None:
        self._t = thresholds
        self._window = mask.inside_window
        self._inside = mask.inside[self._window]
        self._same_hour: dict[int, deque[Grey]] = {}
        self._seen: dict[int, deque[bool]] = {}
        self._pending: deque[_Pending] = deque()

    def kept(self) -> KeptActivity:
        return KeptActivity(
            same_hour={hour: kept_arrays(frames) for hour, frames in self._same_hour.items()},
            seen={hour: list(frames) for hour, frames in self._seen.items()},
            pending=[
                KeptPending(hour=one.hour, laid=kept_array(one.laid), new=kept_array(one.new)) for one in self._pending
            ],
        )

    def resume(self, kept: KeptActivity) -> None:
        for hour, frames in kept.same_hour.items():
            self._same_hour[hour] = deque((one.array() for one in frames), maxlen=self._t.active_same_hour)
        for hour, seen in kept.seen.items():
            self._seen[hour] = deque(seen, maxlen=self._t.active_of)
        for one in kept.pending:
            self._pending.append(_Pending(hour=one.hour, laid=one.laid.array(), new=one.new.array()))

    def at_work(self, median: Grey, laid: Grey, at: datetime) -> bool:
        """Takes this frame (and the median of the last) and says whether work goes on at this hour of these days."""
        t = self._t
        median, laid = self._cut(median), self._cut(laid).copy()
        self._look_back(median)
        before = self._same_hour.setdefault(at.hour, deque(maxlen=t.active_same_hour))
        new = self._new(median, laid)
        for other in before:
            new &= self._new(other, laid)
        is_known = len(before) == t.active_same_hour
        before.append(laid)
        if not is_known:
            return False
        self._pending.append(_Pending(hour=at.hour, laid=laid, new=new))
        return self._is_some(new) and sum(self._seen.get(at.hour, ())) >= t.active_frames

    def _look_back(self, median: Grey) -> None:
        """Judges the frame that most of what the median is made of came after."""
        if len(self._pending) < self._t.active_hindsight:
            return
        one = self._pending.popleft()
        gone = one.new & self._new(median, one.laid)
        self._seen.setdefault(one.hour, deque(maxlen=self._t.active_of)).append(self._is_some(gone))

    def _is_some(self, new: Cells) -> bool:
        return int(new.sum()) >= max(self._t.active_cells, self._t.active_share * int(self._inside.sum()))

    def _new(self, before: Grey, now: Grey) -> Cells:
        """Cells of the zone with structure now that was not there before."""
        left_over = cells(unexplained_structure(before, now), self._t.cell_px)
        needed = max(self._t.active_structure, _FACTOR * float(np.median(left_over)))
        return np.asarray((left_over > needed) & self._inside)

    def _cut(self, picture: Grey) -> Grey:
        side = self._t.cell_px
        rows, columns = self._window
        return picture[rows.start * side : rows.stop * side, columns.start * side : columns.stop * side]
