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

    # Found on 12 HPWREN sequences and 5 clean crops (8 sites, 484 frames) and on renderings. Each was varied alone by
    # a quarter to a half each way: 7 to 9 of 12 first alarms stay right and 0 to 1 of 6 negatives alarms, so none sits
    # on an edge but the one that says so.
    working_width_px: int = 320  # the least at which a plume of 5 % of the width is still a dozen pixels
    cell_px: int = (
        4  # averaging 16 pixels brings sensor noise under `rise`; cells of 3 found 9 with 10 false for 8 with 4
    )
    rise: float = (
        0.03  # dark channel; measured.md's rule. 0.025 finds one more and alarms one clean crop; 0.04 is the same
    )
    drop: float = 0.02  # saturation; measured.md's rule. 0.03 loses one sequence, 0.01 triples the false incidents
    grey_drop: float = 0.10  # share of local contrast lost, where there is no colour; 0.05 is the same, 0.20 loses one
    grey_saturation: float = 0.02  # mean saturation: infrared answers 0.001, the greyest colour sequence 0.16
    colour_saturation: float = 0.06
    slow_frames: int = 40  # 20 and 80 give the same
    fast_frames: int = 5
    warm_up_frames: int = 4
    absorb: float = 0.1  # how fast a region enters the slow background, of the usual
    least_cells: int = 4  # a labelled onset of 5 × 5 % is 12 cells; 6 loses one sequence and halves the false incidents
    activity: float = (
        0.008  # mean change of the dark channel against the last 5 frames: smoke keeps moving; 0.005–0.012
    )
    max_width: float = 0.45  # Pyronear refuses from 0.40; labelled plumes reach 0.43
    into_terrain: float = (
        0.03  # on an edge: clouds touch ridges (0.0: 11 false in 18 renderings), far fires too (0.04: −2)
    )
    below_terrain: float = 0.35  # the foreground: trees and cars near the mast
    pool_frames: int = 6  # 4 of 6: measured.md
    alarm_frames: int = 4
    hold_frames: int = 2  # hysteresis: an alarm of the last two frames goes on with half
    watch_frames: int = 2
    reach: float = 0.01  # regions this near are one thing
    max_gain: float = 1.3  # usual frames change by up to 8 %, another exposure by 20 % and more
    max_cover: float = 0.25  # no labelled plume covers more
    max_shift: float = 0.02  # the steady cameras here sway 0.004 at most
    least_response: float = (
        0.15  # of phase correlation: one view answers 0.40–1.0, half of unrelated views less than 0.11
    )
    least_spread: float = 0.02  # standard deviation of brightness: below it, fog, night or a covered lens
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
        self._has_switched = False
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
        now = self._measure(downscale(picture, t.working_width_px))
        if float(now.bright.std()) < t.least_spread:
            return self._suspend("no_view")
        if self._slow is None or self._count < t.warm_up_frames:
            self._learn(now, None)
            return Observation(state="warming_up", note=note)
        gain = float(np.median(now.bright)) / max(float(np.median(self._slow.bright)), 1e-3)
        if odd := self._oddity(now, gain):
            return self._suspend(odd)
        rise, drop, fast = self._compare(now, gain)
        mask = self._evidence(rise, drop)
        if float(mask.mean()) > t.max_cover:
            return self._suspend("whole_frame_change")
        self._odd_frames = 0
        regions, rejected = self._regions(mask, rise, drop, fast)
        seen = self._pooled(regions, at)
        self._learn(now, self._held(seen, mask))
        return Observation(candidates=tuple(c for s in seen if (c := self._candidate(s))), rejected=rejected)

    # -- one frame
    def _measure(self, small: BgrImage) -> _Planes:
        t = self.thresholds
        side = t.cell_px
        bright = luma(small)
        colour = saturation(small)
        if self._count == 0:
            self._is_colour = float(colour.mean()) > t.grey_saturation
        self._has_switched = (
            float(colour.mean()) < t.grey_saturation if self._is_colour else float(colour.mean()) > t.colour_saturation
        )
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
    def _oddity(self, now: _Planes, gain: float) -> str:
        """Returns why this frame can't be compared with the background, "" where it can."""
        t = self.thresholds
        assert self._slow is not None
        if self._has_switched:
            return "day_night_switch"
        if not 1 / t.max_gain < gain < t.max_gain:
            return "exposure_jump"
        dx, dy, response = shift_between(self._slow.bright, now.bright)
        if response != 0.0 and response < t.least_response:  # 0 is the answer on pictures too small to tell
            return "view_changed"
        if response != 0.0 and max(abs(dx), abs(dy)) > t.max_shift * now.bright.shape[1]:
            return "camera_moved"
        return ""

    def _suspend(self, note: str) -> Observation:
        """Answers nothing; after a few such frames in a row everything is forgotten and the next frame starts anew."""
        self._odd_frames += 1
        if self._odd_frames >= self.thresholds.reset_frames:
            self._forget()
        return Observation(state="suspended", note=note, rejected={note: 1})
