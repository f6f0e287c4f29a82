"""Building where it is watched: structure inside a zone that the reference picture doesn't have, and that stays.

Each frame is laid over a reference of its pose; inside the zones' polygons, structure that no change of light explains
is counted cell by cell. A cell that shows it in k of the last n frames is persistent: vehicles, shadows and smoke pass,
a building stands. The reference never learns a candidate. Whether the work is permitted is judged elsewhere.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from detectors.base import BgrImage, Candidate, Observation
from detectors.preprocess import as_bgr, cells, downscale
from detectors.regions import Region, regions_of
from detectors.registration import Features, Registration, features_of, on_current, register, warp
from detectors.structure import unexplained_structure
from ioc.detections import Tier
from ioc.opencv import cv2
from ioc.permits import Zone

__all__ = ["ConstructionDetector", "ConstructionThresholds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstructionThresholds:
    """Every number of the rule."""

    # Found on rendered scenes (4 seeds, 720p) and looked at on three pairs of photographs of one site, months apart.
    working_width_px: int = 480
    cell_px: int = 6
    reference_frames: int = 5
    structure: float = (
        9.0  # spread, of 255: sensor noise after averaging is under 2, swaying trees 3–6, a new edge 15–60
    )
    noise_factor: float = 2.0  # times the most that the reference's own frames left over in this cell
    typical_factor: float = 2.0  # times the median of this frame: another season leaves something over everywhere
    max_typical: float = 30.0  # pairs of one site leave 12–15, aerial pairs of other years 17–26
    least_zone_share: float = 0.04  # a van on a plot 30 m wide is less
    least_cells: int = 6
    enough_cells: int = 24  # in a large zone: 0.7 % of a 16:9 picture, whatever the zone's size
    pool_frames: int = 8
    watch_frames: int = 3
    alarm_frames: int = 6
    hold_frames: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reference:
    grey: NDArray[np.uint8]
    features: Callable[[], Features]  # found when first asked for: a steady camera never does
    noise: NDArray[np.float32]  # left-over structure, in cells, of the frames that made the reference
    zones: tuple[NDArray[np.bool_], ...]  # in cells, one for each zone


class ConstructionDetector:
    """The detector of one pose. Without zones it answers nothing and costs nothing."""

    name = "construction"
    version = "1.0.0"

    def __init__(
        self,
        zones: tuple[Zone, ...],
        *,
        reference: BgrImage | None = None,
        thresholds: ConstructionThresholds | None = None,
    ) -> None:
        self.zones = zones
        self.thresholds = thresholds or ConstructionThresholds()
        self._last_at: datetime | None = None
        self._shape: tuple[int, int] | None = None
        self._given = None if reference is None else self._grey(as_bgr(reference))
        self._forget()

    def _forget(self) -> None:
        self._first: list[NDArray[np.uint8]] = []
        self._pool: deque[NDArray[np.bool_]] = deque(maxlen=self.thresholds.pool_frames)
        self._since: dict[str, datetime] = {}
        self._alarmed: set[str] = set()
        self._reference = None if self._given is None else self._built(self._given, [])

    def observe(self, image: BgrImage, at: datetime) -> Observation:
        if self._last_at is not None and at <= self._last_at:
            return Observation(rejected={"repeated_frame": 1}, state="degraded", note="repeated_frame")
        self._last_at = at
        if not self.zones:
            return Observation()
        grey = self._grey(as_bgr(image))
        note = ""
        if self._shape is not None and grey.shape != self._shape:
            self._forget()
            note = "resolution_changed"
        self._shape = (grey.shape[0], grey.shape[1])
        if self._reference is None:
            self._gather(grey)
            return Observation(state="warming_up", note=note)
        found = register(self._reference.grey, self._reference.features, grey)
        if found is None:
            return Observation(state="degraded", note="not_registered", rejected={"not_registered": 1})
        changed = self._changed(self._reference, grey, found)
        if changed is None:
            return Observation(state="degraded", note="whole_frame_change", rejected={"whole_frame_change": 1})
        self._pool.append(changed)
        candidates = tuple(
            candidate
            for zone, inside in zip(self.zones, self._reference.zones, strict=True)
            if (candidate := self._judge(zone, inside, found, at)) is not None
        )
        return Observation(candidates=candidates, note=note)

    # -- the reference
    def _grey(self, picture: BgrImage) -> NDArray[np.uint8]:
        small = downscale(picture, self.thresholds.working_width_px)
        return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), dtype=np.uint8)

    def _gather(self, grey: NDArray[np.uint8]) -> None:
        """Collects the first frames, each laid over the first; their median is the reference."""
        if self._first:
            found = register(self._first[0], partial(features_of, self._first[0]), grey)
            if found is None:
                self._first = []  # the view changed while learning: start again from here
            else:
                grey, _ = warp(grey, found, (grey.shape[0], grey.shape[1]))
        self._first.append(grey)
        if len(self._first) >= self.thresholds.reference_frames:
            median = np.median(np.stack(self._first), axis=0).astype(np.uint8)
            self._reference = self._built(median, self._first)
            self._first = []

    def _built(self, grey: NDArray[np.uint8], frames: list[NDArray[np.uint8]]) -> _Reference:
        side = self.thresholds.cell_px
        left_over = [cells(unexplained_structure(grey, frame), side) for frame in frames]
        empty = cells(np.zeros(grey.shape, np.float32), side)
        return _Reference(
            grey=grey,
            features=cache(partial(features_of, grey)),
            noise=np.max(np.stack(left_over), axis=0) if left_over else empty,
            zones=tuple(_rasterised(zone, (empty.shape[0], empty.shape[1])) for zone in self.zones),
        )

    # -- one frame
    def _changed(self, reference: _Reference, grey: NDArray[np.uint8], found: Registration) -> NDArray[np.bool_] | None:
        """Returns the cells with new structure, None where the whole picture is another (season, rain, lamps)."""
        t = self.thresholds
        laid, covered = warp(grey, found, (reference.grey.shape[0], reference.grey.shape[1]))
        left_over = cells(unexplained_structure(reference.grey, laid), t.cell_px)
        typical = float(np.median(left_over))
        if typical > t.max_typical:
            return None
        needed = np.maximum(max(t.structure, t.typical_factor * typical), t.noise_factor * reference.noise)
        seen = cells(covered.astype(np.float32), t.cell_px) > 0.99
        return np.asarray((left_over > needed) & seen)

    # -- over frames
    def _judge(self, zone: Zone, inside: NDArray[np.bool_], found: Registration, at: datetime) -> Candidate | None:
        t = self.thresholds
        assert self._reference is not None
        hits = np.sum(np.stack(self._pool), axis=0)
        standing = t.hold_frames if zone.zone_id in self._alarmed else t.alarm_frames
        alarm = self._largest(inside & (hits >= standing), inside, hits)
        region = alarm or self._largest(inside & (hits >= t.watch_frames), inside, hits)
        if alarm is None:
            self._alarmed.discard(zone.zone_id)
        else:
            self._alarmed.add(zone.zone_id)
        if region is None:
            self._since.pop(zone.zone_id, None)
            return None
        since = self._since.setdefault(zone.zone_id, at)
        tier: Tier = "watch" if alarm is None else "alarm"
        shape = self._reference.grey.shape
        share = region.cells / max(int(inside.sum()), 1)
        return Candidate(
            label="construction",
            tier=tier,
            score=round(0.6 * region.strength / t.pool_frames + 0.4 * min(1.0, 4 * share), 4),
            box=on_current(region.box, found, (shape[0], shape[1]), self._shape or (shape[0], shape[1])),
            first_seen_at=since,
            cues=("new_structure", "persistence"),
            zone_id=zone.zone_id,
        )

    def _largest(self, mask: NDArray[np.bool_], inside: NDArray[np.bool_], hits: NDArray[np.int_]) -> Region | None:
        t = self.thresholds
        needed = min(t.enough_cells, max(t.least_cells, t.least_zone_share * int(inside.sum())))
        closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)) > 0
        regions = regions_of(closed & inside, hits.astype(np.float32), most=1)
        if not regions or regions[0].cells < needed:
            return None
        return regions[0]


def _rasterised(zone: Zone, shape: tuple[int, int]) -> NDArray[np.bool_]:
    height, width = shape
    points = np.array([(x * width, y * height) for x, y in zone.polygon], dtype=np.float64)
    mask = np.zeros(shape, dtype=np.uint8)
    cv2.fillPoly(mask, [np.floor(points).astype(np.int32)], (1,))
    return mask > 0
