"""What stands in a zone, followed from frame to frame."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from detectors.construction.kept import KeptStanding, KeptTrack, kept_array
from detectors.construction.thresholds import ConstructionThresholds
from detectors.construction.zone_masks import ZoneMask
from detectors.regions import regions_of
from ioc.detections import Box
from ioc.opencv import cv2

__all__ = ["Standing", "Track"]

Cells = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """New structure that persists: which cells of the picture, how many of them in the zone, how often on average."""

    mask: Cells
    cells: int
    strength: float
    box: Box

    @classmethod
    def resumed(cls, kept: KeptStanding) -> "Standing":
        return cls(mask=kept.mask.array(), cells=kept.cells, strength=kept.strength, box=kept.box)

    def kept(self) -> KeptStanding:
        return KeptStanding(mask=kept_array(self.mask), cells=self.cells, strength=self.strength, box=self.box)


@dataclass(slots=True, kw_only=True)
class Track:
    """The history of one zone. `grown` counts how often each cell was part of what stood there."""

    standing: Standing | None = None
    since: datetime | None = None
    frames: int = 0
    is_alarmed: bool = False

    @classmethod
    def resumed(cls, kept: KeptTrack) -> "Track":
        standing = None if kept.standing is None else Standing.resumed(kept.standing)
        return cls(standing=standing, since=kept.since, frames=kept.frames, is_alarmed=kept.is_alarmed)

    def kept(self) -> KeptTrack:
        standing = None if self.standing is None else self.standing.kept()
        return KeptTrack(standing=standing, since=self.since, frames=self.frames, is_alarmed=self.is_alarmed)

    def follow(
        self, mask: ZoneMask, hits: NDArray[np.int_], t: ConstructionThresholds, at: datetime
    ) -> Standing | None:
        """Takes how many of the last medians showed something new in each cell; returns what stands there now."""
        needed = t.hold_frames if self.is_alarmed else t.alarm_frames
        firm = standing_in(mask, hits >= needed, hits, t)
        self.standing = firm or standing_in(mask, hits >= t.watch_frames, hits, t)
        if self.standing is None:
            self.since, self.frames, self.is_alarmed = None, 0, False
            return None
        self.since = self.since or at
        self.frames += 1
        self.is_alarmed = firm is not None and (not mask.is_kept_free or self.frames > t.dwell_frames)
        return self.standing


def standing_in(mask: ZoneMask, present: Cells, hits: NDArray[np.int_], t: ConstructionThresholds) -> Standing | None:
    """Returns the largest thing of `present` that stands in the zone, None where it is too small."""
    own = present & mask.around
    closed = cv2.morphologyEx(own.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)) > 0
    area = int(mask.inside.sum())
    needed = (
        t.least_thing_cells if mask.is_kept_free else min(t.enough_cells, max(t.least_cells, t.least_zone_share * area))
    )
    least = t.least_thing_cells if mask.is_kept_free else t.least_all_cells
    best: Standing | None = None
    for region in regions_of(closed & mask.around, hits.astype(np.float32), most=8):
        part = np.zeros_like(own)
        rows, columns = slice(region.top, region.bottom), slice(region.left, region.right)
        part[rows, columns] = closed[rows, columns]
        inside = int((part & mask.inside).sum())
        if inside >= needed and region.cells >= least and (best is None or inside > best.cells):
            best = Standing(mask=part, cells=inside, strength=region.strength, box=region.box)
    return best
