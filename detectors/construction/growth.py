"""When work on a plot last went on: what stands there is held against how it stood some days before.

A house that is finished, or left, changes no more: light and weather come and go, a storey stays. A storey takes weeks
however often a camera looks: of frames that come faster only some are compared.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from detectors.construction.kept import KeptGrowth, kept_array, kept_arrays
from detectors.construction.thresholds import ConstructionThresholds
from detectors.construction.zone_masks import ZoneMask
from detectors.preprocess import cells
from detectors.structure import unexplained_structure

__all__ = ["Growth"]

Grey = NDArray[np.uint8]
Cells = NDArray[np.bool_]
_FACTOR = 2.0  # times the median of the surroundings
_CHOICE = 5  # medians of which one in the light of this hour is chosen
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Earlier:
    at: datetime
    median: Grey


class Growth:
    """Of one zone. `worked_at`: work certainly went on after it; None before anything stands there."""

    def __init__(self, mask: ZoneMask, thresholds: ConstructionThresholds) -> None:
        self._t = thresholds
        self._window = mask.around_window
        self._earlier: deque[_Earlier] = deque(maxlen=thresholds.growth_lags[-1] + _CHOICE)
        self._pool: deque[Cells] = deque(maxlen=thresholds.pool_frames)
        self._times: deque[datetime] = deque(maxlen=thresholds.growth_lags[0] + _CHOICE + thresholds.pool_frames)
        self._settled: Cells | None = None
        self.worked_at: datetime | None = None
        self.resting = 0

    def kept(self) -> KeptGrowth:
        return KeptGrowth(
            earlier=[(one.at, kept_array(one.median)) for one in self._earlier],
            pool=kept_arrays(self._pool),
            times=list(self._times),
            settled=None if self._settled is None else kept_array(self._settled),
            worked_at=self.worked_at,
            resting=self.resting,
        )

    def resume(self, kept: KeptGrowth) -> None:
        self._earlier.extend(_Earlier(at=at, median=median.array()) for at, median in kept.earlier)
        self._pool.extend(one.array() for one in kept.pool)
        self._times.extend(kept.times)
        self._settled = None if kept.settled is None else kept.settled.array()
        self.worked_at, self.resting = kept.worked_at, kept.resting

    def follow(self, median: Grey, standing: Cells | None, since: datetime | None, at: datetime) -> None:
        """Takes the median of a frame, the cells of what stands in the zone, and since when it does."""
        if standing is None or since is None:
            self._pool.clear()
            self._settled, self.worked_at, self.resting = None, None, 0
        else:
            self.worked_at = self.worked_at or since
        if self._times and (at - self._times[-1]).total_seconds() < self._t.growth_spacing_s:
            return
        now = self._cut(median)
        self._earlier.append(_Earlier(at=at, median=now.copy()))
        self._times.append(at)
        if standing is not None and self.worked_at is not None:
            self._compare(now, standing, self.worked_at, at)

    def _compare(self, now: Grey, standing: Cells, worked_at: datetime, at: datetime) -> None:
        self.resting += 1
        if len(self._earlier) < (self._earlier.maxlen or 0):
            return
        self._pool.append(self._grown(now, standing[self._window], at))
        hits = np.sum(np.stack(self._pool), axis=0)
        least = max(self._t.growth_cells, self._t.growth_share * float(standing.sum()))
        if int((hits >= self._t.alarm_frames).sum()) >= least:
            self._settled, self.worked_at, self.resting = None, max(worked_at, self._times[0]), 0
        elif self.resting == self._t.finished_frames:
            self._settled = standing[self._window]

    def _grown(self, now: Grey, standing: Cells, at: datetime) -> Cells:
        """Cells of what stands there that are unlike what they were at every lag: days of rain are like those before,
        a new storey is like nothing. Of what rests only itself counts, not the field around it that is ploughed."""
        grown = standing if self._settled is None else standing & self._settled
        for lag in self._t.growth_lags:
            grown = grown & self._differs(self._like(lag, at), now)
            if not grown.any():
                break
        return grown

    def _like(self, lag: int, at: datetime) -> Grey:
        """Of the medians some `lag` frames ago that in the likest light: a median of five frames has five hours."""
        oldest = len(self._earlier) - lag - _CHOICE
        return min(islice(self._earlier, oldest, oldest + _CHOICE), key=lambda one: _apart_s(one.at, at)).median

    def _differs(self, earlier: Grey, now: Grey) -> Cells:
        left_over = cells(unexplained_structure(earlier, now), self._t.cell_px)
        return np.asarray(left_over > max(self._t.structure, _FACTOR * float(np.median(left_over))))

    def _cut(self, picture: Grey) -> Grey:
        side = self._t.cell_px
        rows, columns = self._window
        return picture[rows.start * side : rows.stop * side, columns.start * side : columns.stop * side]


def _apart_s(one: datetime, other: datetime) -> float:
    """How far apart two times of day are, in seconds."""
    apart = abs((one - other).total_seconds()) % _DAY_S
    return min(apart, _DAY_S - apart)
