"""Smoke by day and by eye: a grey veil that appears over terrain, stays, and keeps changing.

Each frame is compared, cell by cell, with a slow and a fast background of the same pose. Smoke adds grey light: the
dark channel rises while saturation drops. Shadow is a factor (the dark channel falls, saturation stays), haze and
exposure move the whole picture (taken out as gain and median), vehicles are small, clouds do not reach the terrain.
One frame proves nothing: a region must come back in k of the last n frames.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from detectors.base import BgrImage, Candidate, Observation
from detectors.horizon import horizon_rows
from detectors.preprocess import (
    Plane,
    as_bgr,
    cells,
    dark_channel,
    downscale,
    luma,
    relative_contrast,
    saturation,
    shift_between,
)
from detectors.regions import Region, regions_of
from ioc.detections import Tier
from ioc.opencv import cv2

__all__ = ["SmokeDetector", "SmokeThresholds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeThresholds:
    """Every number of the rule. Brightness and saturation are 0–1, sizes are shares of the picture."""

    working_width_px: int = 320
    cell_px: int = 4
    rise: float = 0.03
    drop: float = 0.02
    grey_drop: float = 0.10
    grey_saturation: float = 0.04
    slow_frames: int = 40
    fast_frames: int = 5
    warm_up_frames: int = 4
    absorb: float = 0.1
    least_cells: int = 4
    activity: float = 0.008
    max_width: float = 0.45
    into_terrain: float = 0.03
    below_terrain: float = 0.35
    pool_frames: int = 6
    alarm_frames: int = 4
    hold_frames: int = 2
    watch_frames: int = 2
    reach: float = 0.01
    max_gain: float = 1.3
    max_cover: float = 0.25
    max_shift: float = 0.02
    reset_frames: int = 3


@dataclass(slots=True)
class _Planes:
    dark: Plane
    grey: Plane  # saturation, or relative contrast where the picture has no colour
    bright: Plane
    blue: Plane


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    region: Region
    first_seen_at: datetime
    is_alarm: bool
    hits: int


class SmokeDetector:
    """The detector of one pose. Depends on the number of frames, never on the time between them."""

    name = "smoke"
    version = "1.0.0"

    def __init__(self, thresholds: SmokeThresholds | None = None) -> None:
        self.thresholds = thresholds or SmokeThresholds()
        self._last_at: datetime | None = None
        self._shape: tuple[int, int] | None = None
        self._odd_frames = 0
        self._forget()

    def _forget(self) -> None:
        t = self.thresholds
        self._count = 0
        self._slow: _Planes | None = None
        self._is_colour = True
        self._recent: deque[Plane] = deque(maxlen=t.fast_frames)
        self._pool: deque[tuple[_Seen, ...]] = deque(maxlen=t.pool_frames - 1)
        self._odd_frames = 0

    def observe(self, image: BgrImage, at: datetime) -> Observation:
        t = self.thresholds
        if self._last_at is not None and at <= self._last_at:
            return Observation(rejected={"repeated_frame": 1}, state="degraded", note="repeated_frame")
        self._last_at = at
        picture = as_bgr(image)
        note = ""
        if self._shape is not None and picture.shape[:2] != self._shape:
            self._forget()
            note = "resolution_changed"
        self._shape = (picture.shape[0], picture.shape[1])
        small = downscale(picture, t.working_width_px)
        now = self._measure(small)
        if self._slow is None or self._count < t.warm_up_frames:
            self._learn(now, None)
            return Observation(state="warming_up", note=note)
        gain = float(np.median(now.bright)) / max(float(np.median(self._slow.bright)), 1e-3)
        if (odd := self._oddity(now, gain)) is not None:
            return odd
        rise, drop, fast = self._compare(now, gain)
        mask = self._evidence(rise, drop)
        if float(mask.mean()) > t.max_cover:
            return self._suspend("whole_frame_change", now)
        self._odd_frames = 0
        regions, rejected = self._regions(mask, rise, drop, fast)
        seen = self._pooled(regions, at)
        self._learn(now, self._held(seen, mask))
        return Observation(candidates=tuple(c for s in seen if (c := self._candidate(s))), rejected=rejected)

    # -- one frame
    def _measure(self, small: BgrImage) -> _Planes:
        side = self.thresholds.cell_px
        bright = luma(small)
        colour = saturation(small)
        if self._count == 0:
            self._is_colour = float(colour.mean()) > self.thresholds.grey_saturation
        grey = colour if self._is_colour else relative_contrast(bright)
        blue = small[:, :, 0].astype(np.float32) / np.float32(255)
        return _Planes(cells(dark_channel(small), side), cells(grey, side), cells(bright, side), cells(blue, side))

    def _compare(self, now: _Planes, gain: float) -> tuple[Plane, Plane, Plane]:
        assert self._slow is not None
        dark = now.dark / np.float32(gain)
        rise = dark - self._slow.dark
        rise = rise - np.median(rise)
        drop = self._slow.grey - now.grey
        if not self._is_colour:
            drop = drop / np.maximum(self._slow.grey, 0.02)
        drop = drop - np.median(drop)
        fast = np.median(np.stack(self._recent), axis=0)
        quick = dark - fast
        quick = np.abs(quick - np.median(quick))
        return rise, drop, quick

    def _evidence(self, rise: Plane, drop: Plane) -> NDArray[np.bool_]:
        t = self.thresholds
        rise3 = cv2.blur(rise, (3, 3))
        drop3 = cv2.blur(drop, (3, 3))
        return np.asarray((rise3 > t.rise) & (drop3 > (t.drop if self._is_colour else t.grey_drop)))

    def _regions(
        self, mask: NDArray[np.bool_], rise: Plane, drop: Plane, fast: Plane
    ) -> tuple[list[Region], dict[str, int]]:
        t = self.thresholds
        assert self._slow is not None
        terrain = horizon_rows(self._slow.blue)
        height = mask.shape[0]
        kept: list[Region] = []
        rejected: dict[str, int] = {}
        for region in regions_of(mask, rise):
            base = region.bottom / height
            line = float(np.median(terrain[region.left : region.right])) / height
            has_sky = line > 0
            if region.cells < t.least_cells:
                reason = "too_small"
            elif region.box.w > t.max_width:
                reason = "too_wide"
            elif has_sky and base < line + t.into_terrain:
                reason = "above_terrain"
            elif has_sky and base > line + t.below_terrain:
                reason = "foreground"
            elif float(fast[region.top : region.bottom, region.left : region.right].mean()) < t.activity:
                reason = "still"
            else:
                kept.append(region)
                continue
            rejected[reason] = rejected.get(reason, 0) + 1
        return kept, rejected

    # -- over frames
    def _pooled(self, regions: list[Region], at: datetime) -> tuple[_Seen, ...]:
        t = self.thresholds
        seen: list[_Seen] = []
        for region in regions:
            reach = region.box.grown(t.reach)
            earlier = [[s for s in frame if s.region.box.overlaps(reach)] for frame in self._pool]
            hits = 1 + sum(bool(frame) for frame in earlier)
            same = [s for frame in earlier for s in frame]
            was_alarm = bool(earlier) and any(s.is_alarm for frame in earlier[-2:] for s in frame)
            need = t.hold_frames if was_alarm else t.alarm_frames
            first = min([s.first_seen_at for s in same], default=at)
            seen.append(_Seen(region=region, first_seen_at=first, is_alarm=hits >= need, hits=hits))
        self._pool.append(tuple(seen))
        return tuple(seen)

    def _candidate(self, seen: _Seen) -> Candidate | None:
        t = self.thresholds
        if seen.hits < t.watch_frames:
            return None
        tier: Tier = "alarm" if seen.is_alarm else "watch"
        strength = min(1.0, seen.region.strength / (4 * t.rise))
        cues = ("dark_channel_rise", "saturation_drop" if self._is_colour else "contrast_drop", "persistence")
        return Candidate(
            label="smoke",
            tier=tier,
            score=round(0.5 * seen.hits / t.pool_frames + 0.5 * strength, 4),
            box=seen.region.box,
            first_seen_at=seen.first_seen_at,
            cues=cues,
        )

    def _held(self, seen: tuple[_Seen, ...], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        held = np.zeros_like(mask)
        for s in seen:
            r = s.region
            held[r.top : r.bottom, r.left : r.right] = True
        return held

    def _learn(self, now: _Planes, held: NDArray[np.bool_] | None) -> None:
        """Mixes the frame into the slow background; what may be smoke enters more slowly, but it enters."""
        t = self.thresholds
        self._recent.append(now.dark)
        self._count += 1
        if self._slow is None:
            self._slow = _Planes(now.dark.copy(), now.grey.copy(), now.bright.copy(), now.blue.copy())
            return
        share = np.full(now.dark.shape, 1.0 / min(self._count, t.slow_frames), dtype=np.float32)
        if held is not None:
            share[held] *= np.float32(t.absorb)
        for old, new in (
            (self._slow.dark, now.dark),
            (self._slow.grey, now.grey),
            (self._slow.bright, now.bright),
            (self._slow.blue, now.blue),
        ):
            old += share * (new - old)

    # -- what makes a frame unfit
    def _oddity(self, now: _Planes, gain: float) -> Observation | None:
        t = self.thresholds
        assert self._slow is not None
        if not 1 / t.max_gain < gain < t.max_gain:
            return self._suspend("exposure_jump", now)
        dx, dy, response = shift_between(self._slow.bright, now.bright)
        if response > 0.1 and max(abs(dx), abs(dy)) > t.max_shift * now.bright.shape[1]:
            return self._suspend("camera_moved", now)
        return None

    def _suspend(self, note: str, now: _Planes) -> Observation:
        """Answers nothing; after a few such frames in a row the new view is the view."""
        self._odd_frames += 1
        if self._odd_frames >= self.thresholds.reset_frames:
            self._forget()
            self._learn(now, None)
        return Observation(state="suspended", note=note, rejected={note: 1})
