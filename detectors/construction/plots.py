"""One plot that is watched: what its work looks like, when it grew, who is at it; what of that is certain."""

import numpy as np
from numpy.typing import NDArray

from detectors.base import BgrImage, SeenWork
from detectors.construction.activity import Activity
from detectors.construction.claims import Claims
from detectors.construction.frame import LaidFrame
from detectors.construction.growth import Growth
from detectors.construction.kept import KeptPlot
from detectors.construction.standing import Track
from detectors.construction.surface import Surfaces
from detectors.construction.thresholds import ConstructionThresholds
from detectors.construction.works import height_m, outline_of, stage_of
from detectors.construction.zone_masks import ZoneMask
from ioc.ground import GroundMap

__all__ = ["Plot"]


class Plot:
    """What is known of the work on one zone over frames."""

    def __init__(self, mask: ZoneMask, ground: GroundMap | None, thresholds: ConstructionThresholds) -> None:
        self._mask, self._ground, self._t = mask, ground, thresholds
        self._activity = Activity(mask, thresholds)
        self._growth = Growth(mask, thresholds)
        self._claims = Claims(thresholds=thresholds)
        self._surfaces = Surfaces(thresholds)
        self._columns = int(mask.inside.any(axis=0).sum())

    @property
    def cues(self) -> tuple[str, ...]:
        """What the last frames show beside the work itself: `cover`, a tarpaulin or a fence of sheet metal."""
        return ("cover",) if self._surfaces.is_covered else ()

    def kept(self) -> KeptPlot:
        return KeptPlot(
            activity=self._activity.kept(),
            growth=self._growth.kept(),
            claims=self._claims.kept(),
            surfaces=self._surfaces.kept(),
        )

    def resume(self, kept: KeptPlot) -> None:
        self._activity.resume(kept.activity)
        self._growth.resume(kept.growth)
        self._claims.resume(kept.claims)
        self._surfaces.resume(kept.surfaces)

    def see(self, track: Track, frame: LaidFrame) -> SeenWork | None:
        """Takes a frame; returns what is certain of the work, None where there is none."""
        standing = track.standing
        is_active = self._activity.at_work(frame.median, frame.laid, frame.at)
        self._growth.follow(frame.median, None if standing is None else standing.mask, track.since, frame.at)
        if standing is None:
            self._claims.forget()
            self._surfaces.forget()
            return None
        outline = outline_of(self._mask, standing)
        high_m = None if outline is None else height_m(outline, self._ground, self._mask.inside.shape)
        if outline is None or not track.is_alarmed:
            self._claims.interrupt()
        elif self._growth.resting <= self._t.resting_frames:
            self._claims.take(outline, high_m, self._mask.inside.shape)
        if outline is None:
            self._surfaces.take_ground(*self._ground_of(frame.colour()))
        else:
            width_share = (outline.right - outline.left) / max(1, self._columns)
            self._surfaces.take(frame.colour(), outline, high_m, width_share)
        return SeenWork(
            stage=self._stage(stage_of(outline, high_m)),
            storeys=self._claims.storeys,
            footprint=self._claims.footprint,
            is_active=is_active,
            worked_at=self._growth.worked_at,
        )

    def _ground_of(self, picture: BgrImage) -> tuple[BgrImage, NDArray[np.bool_]]:
        """The plot's part of a picture, and which of its pixels are the plot's."""
        side = self._t.cell_px
        rows, columns = self._mask.inside_window
        part = picture[rows.start * side : rows.stop * side, columns.start * side : columns.stop * side]
        inside = np.kron(self._mask.inside[rows, columns], np.ones((side, side), dtype=bool))
        return part, inside[: part.shape[0], : part.shape[1]]

    def _stage(self, shape: str) -> str:
        if shape == "cleared" and self._surfaces.is_founded:
            return "foundation"
        if shape != "frame":
            return shape
        if self._growth.resting >= self._t.finished_frames:
            return "finished"
        return "roof" if self._surfaces.is_roofed else "frame"
