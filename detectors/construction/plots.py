"""One plot that is watched: what its work looks like, when it grew, who is at it; what of that is certain."""

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from detectors.base import SeenWork
from detectors.construction.activity import Activity
from detectors.construction.claims import Claims
from detectors.construction.growth import Growth
from detectors.construction.standing import Track
from detectors.construction.thresholds import ConstructionThresholds
from detectors.construction.works import height_m, outline_of, stage_of
from detectors.construction.zone_masks import ZoneMask
from ioc.ground import GroundMap

__all__ = ["Plot"]

Grey = NDArray[np.uint8]


class Plot:
    """What is known of the work on one zone over frames."""

    def __init__(self, mask: ZoneMask, ground: GroundMap | None, thresholds: ConstructionThresholds) -> None:
        self._mask, self._ground, self._t = mask, ground, thresholds
        self._activity = Activity(mask, thresholds)
        self._growth = Growth(mask, thresholds)
        self._claims = Claims(thresholds=thresholds)

    def see(self, track: Track, laid: Grey, median: Grey, at: datetime) -> SeenWork | None:
        """Takes a frame and the median of the last; returns what is certain of the work, None where there is none."""
        standing = track.standing
        is_active = self._activity.at_work(median, laid, at)
        self._growth.follow(median, None if standing is None else standing.mask, track.since, at)
        if standing is None:
            self._claims.forget()
            return None
        outline = outline_of(self._mask, standing)
        high_m = None if outline is None else height_m(outline, self._ground, self._mask.inside.shape)
        if outline is None or not track.is_alarmed:
            self._claims.interrupt()
        elif self._growth.resting <= self._t.resting_frames:
            self._claims.take(outline, high_m, self._mask.inside.shape)
        stage = stage_of(outline, high_m)
        return SeenWork(
            stage="finished" if stage == "frame" and self._growth.resting >= self._t.finished_frames else stage,
            storeys=self._claims.storeys,
            footprint=self._claims.footprint,
            is_active=is_active,
            worked_at=self._growth.worked_at,
        )
