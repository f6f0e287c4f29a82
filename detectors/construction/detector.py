"""Building where it is watched: structure inside a zone that the reference picture doesn't have, and that stays.

Each frame is laid over a reference of its pose; the median of the last good ones leaves out vehicles, people, rain and
the shadows of one hour. Structure of it that no change of light explains is counted cell by cell; what k of the last n
medians show stands there. The reference follows the seasons and never learns a candidate. Whether the work is permitted
is judged elsewhere.
"""

from collections import deque
from datetime import datetime, timedelta
from functools import partial

import numpy as np
from numpy.typing import NDArray

from detectors.base import BgrImage, Candidate, Observation
from detectors.construction.debug_view import Inside, drawn
from detectors.construction.frame import LaidFrame, laid_frame
from detectors.construction.kept import KeptPose, kept_arrays
from detectors.construction.memory import PoseMemory, made_for
from detectors.construction.plots import Plot
from detectors.construction.reference import Reference, contrast_against
from detectors.construction.stack import FrameStack, median_of
from detectors.construction.standing import Track
from detectors.construction.thresholds import ConstructionThresholds
from detectors.construction.zone_masks import ZoneMask, zone_mask
from detectors.preprocess import Plane, as_bgr, cells, downscale
from detectors.registration import features_of, on_current, register, warp
from detectors.structure import unexplained_structure
from ioc.detections import Tier
from ioc.ground import GroundMap
from ioc.opencv import cv2
from ioc.permits import Zone

__all__ = ["ConstructionDetector"]

Grey = NDArray[np.uint8]
_COMES_AGAIN = timedelta(hours=1)  # a frame that was not yet acknowledged when the process ended
_KEPT_FOR = timedelta(days=60)  # after so long a silence another season is learnt anew


class ConstructionDetector:
    """The detector of one pose. Without zones it answers nothing and costs nothing.

    With a `ground` map it also says how many storeys are certain. What it knows may be kept over a restart (`memory`);
    lost, it is learnt anew. `resumed_at` is the time of the last usable frame that was kept, None where none was.
    """

    name = "construction"
    version = "2.1.0"

    def __init__(
        self,
        zones: tuple[Zone, ...],
        *,
        reference: BgrImage | None = None,
        ground: GroundMap | None = None,
        thresholds: ConstructionThresholds | None = None,
        memory: PoseMemory | None = None,
    ) -> None:
        self.zones = zones
        self.thresholds = thresholds or ConstructionThresholds()
        self._ground = ground
        self._last_at: datetime | None = None
        self._shape: tuple[int, int] | None = None
        width_px = self.thresholds.working_width_px
        self._given = None if reference is None else _grey(downscale(as_bgr(reference), width_px))
        self._forget()
        self._memory = memory if zones else None
        self.resumed_at: datetime | None = None
        if self._memory is not None:
            self._made_for = made_for(self.version, zones, ground, self.thresholds)
            self._resume(self._memory, self._memory.load(self._made_for))

    def _forget(self) -> None:
        t = self.thresholds
        self._inside: Inside | None = None
        self._told = Observation()
        self._first: list[Grey] = []
        self._stack = FrameStack(t.stack_frames)
        self._pool: deque[NDArray[np.bool_]] = deque(maxlen=t.pool_frames)
        self._tracks = {zone.zone_id: Track() for zone in self.zones}
        self._reference: Reference | None = None
        self._masks: tuple[ZoneMask, ...] = ()
        self._plots: dict[str, Plot] = {}
        if self._given is not None:
            self._begin(Reference(self._given, [], t.cell_px))

    def observe(self, image: BgrImage, at: datetime) -> Observation:
        if self._last_at is not None and at <= self._last_at:
            return Observation(rejected={"repeated_frame": 1}, state="degraded", note="repeated_frame")
        if self._memory is not None and self._last_at is None:
            self._leave_other_times(self._memory, at)
            if self.resumed_at is not None and at <= self.resumed_at:
                return Observation(rejected={"repeated_frame": 1}, state="degraded", note="repeated_frame")
        self._last_at = at
        if not self.zones:
            return Observation()
        told = self._looked(image, at)
        if self._memory is not None and told.state != "degraded":
            self._memory.keep(self._made_for, partial(self._kept, at))
        return told

    @property
    def is_learning(self) -> bool:
        """Whether there is no reference yet."""
        return self._reference is None

    def _looked(self, image: BgrImage, at: datetime) -> Observation:
        small = downscale(as_bgr(image), self.thresholds.working_width_px)
        grey = _grey(small)
        note = ""
        if self._shape is not None and grey.shape != self._shape:
            self._forget()
            note = "resolution_changed"
            if self._memory is not None:
                self._memory.put_aside(f"pictures are {grey.shape[1]} × {grey.shape[0]} now")
        self._shape = (grey.shape[0], grey.shape[1])
        if self._reference is None:
            self._gather(grey)
            return Observation(state="warming_up", note=note)
        self._told = self._seen(self._reference, small, grey, at, note)
        return self._told

    def debug_view(self) -> BgrImage | None:
        """Returns reference, median, what is new and why it is told or not, of the last frame; None before it."""
        return None if self._inside is None else drawn(self._inside, self._masks, self._told)

    def _seen(self, reference: Reference, small: BgrImage, grey: Grey, at: datetime, note: str) -> Observation:
        found = register(reference.grey, reference.features, grey)
        if found is None:
            return _refused("not_registered")
        laid, covered = warp(grey, found, reference.shape)
        if contrast_against(reference.grey, laid) < self.thresholds.least_contrast:
            return _refused("poor_visibility")
        self._stack.add(laid)
        median = self._stack.median()
        left_over, needed = self._left_over(reference, median)
        if needed is None:
            return _refused("whole_frame_change")
        changed = self._changed(reference, median, left_over, needed, covered)
        self._pool.append(changed)
        hits = np.sum(np.stack(self._pool), axis=0)
        self._inside = Inside(
            reference=reference.grey, laid=laid, median=median, left_over=left_over, needed=needed, changed=changed,
            hits=hits, of=self.thresholds.pool_frames,
        )  # fmt: skip
        frame = laid_frame(at=at, small=small, laid=laid, median=median, found=found)
        candidates = tuple(
            candidate for mask in self._masks if (candidate := self._judge(mask, hits, frame)) is not None
        )
        return Observation(candidates=candidates, note=note)

    # -- over a restart
    def _kept(self, at: datetime) -> KeptPose:
        assert self._shape is not None
        return KeptPose(
            at=at,
            shape=self._shape,
            first=kept_arrays(self._first),
            stack=self._stack.kept(),
            pool=kept_arrays(self._pool),
            tracks={zone_id: track.kept() for zone_id, track in self._tracks.items()},
            reference=None if self._reference is None else self._reference.kept(),
            plots={zone_id: plot.kept() for zone_id, plot in self._plots.items()},
        )

    def _resume(self, memory: PoseMemory, kept: KeptPose | None) -> None:
        if kept is None:
            return
        try:
            self._go_on_from(kept)
        except (ValueError, TypeError, KeyError) as error:
            memory.put_aside(f"does not fit together ({error})")
            self._shape, self.resumed_at = None, None
            self._forget()

    def _go_on_from(self, kept: KeptPose) -> None:
        self._first = [one.array() for one in kept.first]
        self._stack.resume(kept.stack)
        self._pool.extend(one.array() for one in kept.pool)
        self._tracks = {zone.zone_id: Track.resumed(kept.tracks[zone.zone_id]) for zone in self.zones}
        if kept.reference is not None:
            self._begin(Reference.resumed(kept.reference))
            for zone_id, plot in self._plots.items():
                plot.resume(kept.plots[zone_id])
        self._shape, self.resumed_at = kept.shape, kept.at

    def _leave_other_times(self, memory: PoseMemory, at: datetime) -> None:
        """Forgets what was kept where the first frame is of another time: a replay, or months of silence."""
        if self.resumed_at is None or -_COMES_AGAIN <= at - self.resumed_at <= _KEPT_FOR:
            return
        memory.put_aside(
            f"knows the pose as of {self.resumed_at:%Y-%m-%d %H:%M}, and its pictures are of {at:%Y-%m-%d %H:%M}"
        )
        self._shape, self.resumed_at = None, None
        self._forget()

    # -- the reference
    def _gather(self, grey: Grey) -> None:
        """Collects the first frames, each laid over the first; their median is the reference."""
        if self._first:
            found = register(self._first[0], partial(features_of, self._first[0]), grey)
            if found is None:
                self._first = []  # the view changed while learning: start again from here
            else:
                grey, _ = warp(grey, found, (grey.shape[0], grey.shape[1]))
        if self._first and contrast_against(self._first[0], grey) > 1 / self.thresholds.least_contrast:
            self._first = []  # fog has lifted: what was gathered shows less than there is
        self._first.append(grey)
        if len(self._first) >= self.thresholds.reference_frames:
            frames, self._first = self._first, []
            self._begin(Reference(median_of(tuple(frames)), frames, self.thresholds.cell_px))

    def _begin(self, reference: Reference) -> None:
        self._reference = reference
        self._masks = tuple(zone_mask(zone, reference.shape, self.thresholds.cell_px) for zone in self.zones)
        self._plots = {
            mask.zone.zone_id: Plot(mask, self._ground, self.thresholds)
            for mask in self._masks
            if not mask.is_kept_free
        }

    # -- one frame
    def _left_over(self, reference: Reference, median: Grey) -> tuple[Plane, Plane | None]:
        """Returns what the reference leaves unexplained in each cell, and how much of it is something new; None where
        the whole picture is another (season, rain, lamps)."""
        t = self.thresholds
        left_over = cells(unexplained_structure(reference.grey, median), t.cell_px)
        typical = float(np.median(left_over))
        if typical > t.max_typical:
            return left_over, None
        around = cv2.blur(left_over, (t.around_cells, t.around_cells))
        needed = np.maximum(max(t.structure, t.typical_factor * typical), t.noise_factor * reference.noise)
        return left_over, np.maximum(needed, t.around_factor * np.asarray(around, dtype=np.float32))

    def _changed(
        self, reference: Reference, median: Grey, left_over: Plane, needed: Plane, covered: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Returns the cells with new structure; the reference learns from the others."""
        t = self.thresholds
        seen = cells(covered.astype(np.float32), t.cell_px) > 0.99
        changed = np.asarray((left_over > needed) & seen)
        free = self._free() & seen
        reference.refresh(median, free & self._quiet(left_over, needed), t.refresh)
        reference.learn_noise(left_over, free, t.noise_rate)
        return changed

    def _quiet(self, left_over: Plane, needed: Plane) -> NDArray[np.bool_]:
        """Cells with nothing new there, nor beside it."""
        loud = (left_over > 0.6 * needed).astype(np.uint8)
        return np.asarray(cv2.dilate(loud, np.ones((3, 3), np.uint8)) == 0)

    def _free(self) -> NDArray[np.bool_]:
        """Cells that may be learnt: not what stands in a zone, nor what it may grow into next."""
        free = np.ones(self._masks[0].inside.shape, dtype=bool)
        for mask in self._masks:
            standing = self._tracks[mask.zone.zone_id].standing
            if standing is not None:
                free &= cv2.dilate(standing.mask.astype(np.uint8), np.ones((7, 7), np.uint8)) == 0
        return free

    # -- over frames
    def _judge(self, mask: ZoneMask, hits: NDArray[np.int_], frame: LaidFrame) -> Candidate | None:
        t = self.thresholds
        track = self._tracks[mask.zone.zone_id]
        standing = track.follow(mask, hits, t, frame.at)
        plot = self._plots.get(mask.zone.zone_id)
        work = plot.see(track, frame) if plot is not None else None
        if standing is None:
            return None
        tier: Tier = "alarm" if track.is_alarmed else "watch"
        share = standing.cells / max(int(mask.inside.sum()), 1)
        assert self._reference is not None
        return Candidate(
            label="encroachment" if mask.is_kept_free else "construction",
            tier=tier,
            score=round(0.6 * min(1.0, standing.strength / t.pool_frames) + 0.4 * min(1.0, 4 * share), 4),
            box=on_current(standing.box, frame.found, self._reference.shape, self._shape or self._reference.shape),
            first_seen_at=track.since or frame.at,
            cues=("new_structure", "persistence", *(plot.cues if plot is not None else ())),
            zone_id=mask.zone.zone_id,
            work=work,
        )


def _grey(picture: BgrImage) -> Grey:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), dtype=np.uint8)


def _refused(reason: str) -> Observation:
    return Observation(state="degraded", note=reason, rejected={reason: 1})
