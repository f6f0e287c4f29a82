"""People and machines at work: what stands in a zone on one frame only, again and again at this hour."""

from collections import deque
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from detectors.construction.thresholds import ConstructionThresholds
from detectors.construction.zone_masks import ZoneMask
from detectors.preprocess import cells
from detectors.structure import unexplained_structure

__all__ = ["Activity"]

Grey = NDArray[np.uint8]
_RIM_CELLS = 3
_FACTOR = 2.0  # times the median of the zone's surroundings: the low sun draws edges everywhere


class Activity:
    """By zone and hour of the day."""

    def __init__(self, thresholds: ConstructionThresholds) -> None:
        self._t = thresholds
        self._seen: dict[tuple[str, int], deque[bool]] = {}

    def at_work(self, mask: ZoneMask, median: Grey, laid: Grey, at: datetime) -> bool:
        """Takes this frame (and the median of the last) and says whether work goes on at this hour of these days."""
        t = self._t
        before = self._seen.setdefault((mask.zone.zone_id, at.hour), deque(maxlen=t.active_of))
        now = transient_cells(mask, median, laid, t) >= t.least_thing_cells
        before.append(now)
        return now and sum(before) >= t.active_frames


def transient_cells(mask: ZoneMask, median: Grey, laid: Grey, t: ConstructionThresholds) -> int:
    """Returns how many cells of the zone show structure on this frame that the median lacks."""
    rows, columns = np.nonzero(mask.inside)
    if not len(rows):
        return 0
    top, left = max(0, rows.min() - _RIM_CELLS), max(0, columns.min() - _RIM_CELLS)
    area = slice(top, rows.max() + 1 + _RIM_CELLS), slice(left, columns.max() + 1 + _RIM_CELLS)
    side = t.cell_px
    pixels = tuple(slice(part.start * side, part.stop * side) for part in area)
    left_over = cells(unexplained_structure(median[pixels], laid[pixels]), side)
    inside = mask.inside[area][: left_over.shape[0], : left_over.shape[1]]
    needed = max(t.active_structure, _FACTOR * float(np.median(left_over)))
    return int((left_over[: inside.shape[0], : inside.shape[1]] > needed)[inside].sum())
