"""One frame proves nothing: what comes back in k of the last n frames does. Pure, no pixels."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from detectors.preprocess import Plane
from detectors.regions import Region, regions_of
from ioc.detections import Box
from ioc.opencv import cv2

__all__ = ["Confirmed", "PlanePool", "RegionPool", "Seen", "greatest_in"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A region of this frame and how often it was there: `hits` of the last frames, this one included."""

    region: Region
    first_seen_at: datetime
    hits: int
    is_alarm: bool


class RegionPool:
    """k of n over regions that overlap, with hysteresis: an alarm of the last two frames goes on with fewer."""

    def __init__(self, *, frames: int, alarm: int, hold: int, reach: float) -> None:
        self._alarm, self._hold, self._reach = alarm, hold, reach
        self._frames: deque[tuple[Seen, ...]] = deque(maxlen=frames - 1)

    def add(self, regions: Sequence[Region], at: datetime) -> tuple[Seen, ...]:
        """Takes the regions of a frame in and returns them with their past."""
        seen = tuple(self._seen(region, at) for region in regions)
        self._frames.append(seen)
        return seen

    def _seen(self, region: Region, at: datetime) -> Seen:
        reach = region.box.grown(self._reach)
        earlier = [[s for s in frame if s.region.box.overlaps(reach)] for frame in self._frames]
        hits = 1 + sum(bool(frame) for frame in earlier)
        first = min([s.first_seen_at for frame in earlier for s in frame], default=at)
        was_alarm = any(s.is_alarm for frame in earlier[-2:] for s in frame)
        return Seen(
            region=region,
            first_seen_at=first,
            hits=hits,
            is_alarm=hits >= (self._hold if was_alarm else self._alarm),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """A place where the network keeps seeing smoke. `peak` is its pooled probability."""

    region: Region
    peak: float


class PlanePool:
    """k of n over planes of probability, cell by cell; a cell counts for its neighbours too, since smoke moves."""

    def __init__(self, *, frames: int) -> None:
        self._planes: deque[Plane] = deque(maxlen=frames)

    def add(self, plane: Plane) -> None:
        """Takes the probabilities of a frame (rows × columns, 0–1) in."""
        grown = cv2.dilate(plane, np.ones((3, 3), np.uint8))
        self._planes.append(np.asarray(grown, dtype=np.float32))

    def pooled(self, k: int, n: int) -> Plane | None:
        """Returns in each cell the k-th greatest of the last n frames; None before there are k."""
        recent = list(self._planes)[-n:]
        if len(recent) < k:
            return None
        return np.asarray(np.sort(np.stack(recent), axis=0)[-k], dtype=np.float32)

    def confirmed(self, k: int, n: int, *, enough: float, goes_on: float, open_boxes: Sequence[Box]) -> list[Confirmed]:
        """Returns the places that reach `enough` somewhere and `goes_on` all over.

        Where an open box stands already, `goes_on` is enough.
        """
        pooled = self.pooled(k, n)
        if pooled is None:
            return []
        found = []
        for region in regions_of(pooled >= goes_on, pooled):
            peak = float(pooled[region.top : region.bottom, region.left : region.right].max())
            if peak >= enough or any(region.box.overlaps(box) for box in open_boxes):
                found.append(Confirmed(region=region, peak=peak))
        return found


def greatest_in(plane: Plane, box: Box) -> float:
    """Returns the greatest value of the cells that `box` touches."""
    rows, columns = plane.shape
    left, top, right, bottom = box.edges
    part = plane[
        max(0, int(top * rows)) : max(1, int(np.ceil(bottom * rows))),
        max(0, int(left * columns)) : max(1, int(np.ceil(right * columns))),
    ]
    return float(part.max()) if part.size else 0.0
