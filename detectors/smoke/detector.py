"""Smoke by day and by eye: a grey veil that appears over terrain, stays, and keeps changing.

Each frame is laid over its pose's background and compared with it, cell by cell. Smoke adds grey light: the dark
channel rises while saturation drops. Shadow is a factor (the dark channel falls, saturation stays), haze and exposure
move the whole picture (taken out as gain and median), vehicles are small, clouds do not reach the terrain. What comes
back is an early watch item; a small network that sees the frame beside its slow and its fast background confirms it.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from detectors.base import BgrImage, Candidate, Observation, State
from detectors.preprocess import Plane, as_bgr, downscale, luma
from detectors.smoke.attention import Net, looked_at
from detectors.smoke.background import ColourBackground
from detectors.smoke.candidates import covered, evidence, kept_regions, refusal_of
from detectors.smoke.debug_view import drawn
from detectors.smoke.guards import ClearView, Shift, Veil, doubt_of, light_oddity, shift_oddity, shift_of, unrest_of
from detectors.smoke.masks import NO_MASKS, PoseMasks, Terrain, terrain_of
from detectors.smoke.planes import Change, PlaneBackground, Planes, changes, measured
from detectors.smoke.pooling import Confirmed, PlanePool, RegionPool, Seen
from detectors.smoke.thresholds import SmokeThresholds
from detectors.smoke.tiers import Judged, judged
from ioc.opencv import cv2

__all__ = ["SmokeDetector"]


@dataclass(slots=True)
class _View:
    """What the detector last saw of a pose, for people to look at."""

    change: Change
    terrain: Terrain
    rule: NDArray[np.bool_]
    wanted: NDArray[np.bool_]
    network: Plane | None
    pooled: Plane | None
    observation: Observation


@dataclass(slots=True)
class _Pose:
    """All that is remembered of a pose; forgotten as a whole."""

    rule: PlaneBackground
    colour: ColourBackground
    is_colour: bool
    regions: RegionPool
    planes: PlanePool
    veil: Veil
    open_alarms: tuple[Judged, ...] = ()
    open_watches: tuple[Judged, ...] = ()


class SmokeDetector:
    """The detector of one pose. Depends on the number of frames, never on the time between them."""

    name = "smoke"
    version = "2.4.0"

    def __init__(
        self, thresholds: SmokeThresholds | None = None, *, network: Net | None = None, masks: PoseMasks | None = None
    ) -> None:
        self.thresholds = thresholds or SmokeThresholds()
        self._network, self._masks = network, masks or NO_MASKS
        self._last_at: datetime | None = None
        self._shape: tuple[int, int] | None = None
        self._odd_frames = 0
        self._pose: _Pose | None = None
        self._clear = ClearView(forget=self.thresholds.forget_clear)
        self._view: _View | None = None

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
        return self._looked(downscale(picture, t.network_width_px), at, note)

    def _looked(self, picture: BgrImage, at: datetime, note: str) -> Observation:
        t = self.thresholds
        small = downscale(picture, t.working_width_px)
        if float(luma(small).std()) < t.least_spread:
            return self._suspended("no_view")
        pose = self._pose
        if pose is None or pose.rule.count < t.warm_up_frames:
            self._warm_up(picture, small)
            return Observation(state="warming_up", note=note)
        now = measured(small, t.cell_px, is_colour=pose.is_colour)
        gain = float(np.median(now.bright)) / max(float(np.median(pose.rule.slow.bright)), 1e-3)
        if odd := light_oddity(now, gain, t.light, is_colour=pose.is_colour):
            return self._suspended(odd)
        terrain = terrain_of(pose.rule.slow.blue, self._masks)
        shift = self._shift(pose, small, terrain)
        if odd := shift_oddity(shift, least_response=t.least_response, max_shift=t.max_shift):
            return self._suspended(odd)
        if max(abs(shift.dx), abs(shift.dy)) > t.least_shift:
            picture = _moved_back(picture, shift)
            now = measured(downscale(picture, t.working_width_px), t.cell_px, is_colour=pose.is_colour)
        return self._compared(pose, terrain, picture, now, gain, at)

    def _compared(
        self, pose: _Pose, terrain: Terrain, picture: BgrImage, now: Planes, gain: float, at: datetime
    ) -> Observation:
        t = self.thresholds
        change = changes(now, pose.rule, gain=gain, is_colour=pose.is_colour)
        mask = evidence(change, terrain, rise=t.rise, drop=t.drop if pose.is_colour else t.grey_drop)
        if float(mask.mean()) > t.max_cover:
            return self._suspended("whole_frame_change")
        self._odd_frames = 0
        regions, rejected = kept_regions(mask, change, terrain, t.bounds)
        seen = pose.regions.add(regions, at)
        wanted, plane = self._asked(pose, picture, change, terrain, seen)
        doubt = self._doubt(pose, now, change, terrain)
        t = t.in_doubt(doubt)
        alarms, watches = self._confirmed(pose, terrain, rejected, t, is_sure=not doubt)
        support = pose.planes.pooled(t.support_frames, t.pool_frames)
        earlier = (*pose.open_alarms, *pose.open_watches)
        is_rule_enough = self._network is None and doubt in ("", "unsteady_picture")
        found = judged(seen, alarms, watches, earlier, at, t, support, is_rule_enough=is_rule_enough)
        pose.open_alarms = tuple(one for one in found if one.tier == "alarm")
        pose.open_watches = tuple(one for one in found if one.tier == "watch")
        held = covered([*(s.region for s in seen), *(c.region for c in (*alarms, *watches))], mask.shape)
        pose.rule.learn(now, held)
        pose.colour.learn(picture, held)
        state: State = "degraded" if doubt else "ok"
        observation = Observation(
            candidates=tuple(self._candidate(one, pose) for one in found),
            rejected=dict(rejected),
            state=state,
            note=doubt,
        )
        pooled = pose.planes.pooled(*t.network_alarm)
        self._view = _View(change, terrain, mask, wanted, plane, pooled, observation)
        return observation

    def _doubt(self, pose: _Pose, now: Planes, change: Change, terrain: Terrain) -> str:
        doubts = self.thresholds.doubts
        ground = (np.arange(len(now.dark))[:, None] >= terrain.rows[None]) & ~terrain.hidden
        clear, anywhere = self._clear.share(now.bright)
        is_veiled = pose.veil.is_on(anywhere, unrest_of(change.quick, ground), doubts)
        return doubt_of(clear, now.bright, change.quick, ground, doubts, is_veiled=is_veiled)

    def debug_view(self) -> BgrImage | None:
        """Returns backgrounds, cues, masks and pooled score of the last frame that was compared, None before it."""
        view, pose = self._view, self._pose
        if view is None or pose is None:
            return None
        return drawn(
            picture=pose.colour.last,
            slow=pose.colour.slow,
            fast=pose.colour.fast,
            rise=view.change.rise,
            rule=view.rule,
            wanted=view.wanted,
            terrain=view.terrain,
            network=view.network,
            pooled=view.pooled,
            observation=view.observation,
        )

    # -- the network
    def _asked(
        self, pose: _Pose, picture: BgrImage, change: Change, terrain: Terrain, seen: tuple[Seen, ...]
    ) -> tuple[NDArray[np.bool_], Plane | None]:
        """Shows the network the strip where something could be, and pools its answer."""
        t = self.thresholds
        wanted = np.zeros(terrain.hidden.shape, dtype=bool)
        if self._network is None:
            return wanted, None
        wanted = (cv2.blur(np.abs(change.rise), (3, 3)) > t.weak_rise) & ~terrain.hidden
        rows = np.arange(len(terrain.hidden))[:, None]
        wanted &= rows >= terrain.rows[None] - round(t.sky_margin * len(terrain.hidden))
        ruled = covered((s.region for s in seen), (terrain.hidden.shape[0], terrain.hidden.shape[1])) & ~terrain.hidden
        plane = looked_at(self._network, (picture, pose.colour.slow, pose.colour.fast), wanted | ruled)
        pose.planes.add(plane)
        return wanted, plane

    def _confirmed(
        self, pose: _Pose, terrain: Terrain, rejected: Counter[str], t: SmokeThresholds, *, is_sure: bool
    ) -> tuple[list[Confirmed], list[Confirmed]]:
        if self._network is None:
            return [], []
        alarms = pose.planes.confirmed(
            *t.network_alarm,
            enough=t.alarm_probability,
            goes_on=t.goes_on * t.alarm_probability,
            open_boxes=[one.box for one in pose.open_alarms],
        )
        watches = pose.planes.confirmed(
            *t.network_watch,
            enough=t.watch_probability,
            goes_on=t.goes_on * t.watch_probability,
            open_boxes=[one.box for one in pose.open_watches],
        )
        never = 2.0
        return (
            self._placed(alarms, terrain, rejected, sure=t.sure_alarm if is_sure else never),
            self._placed(watches, terrain, Counter(), sure=t.sure_watch if is_sure else never),
        )

    def _placed(
        self, found: list[Confirmed], terrain: Terrain, rejected: Counter[str], *, sure: float
    ) -> list[Confirmed]:
        """Returns what lies where smoke can be; at the skyline and below the terrain band, `sure` is asked of the
        network."""
        kept = []
        for one in found:
            bounds = self.thresholds.bounds if one.peak < sure else self.thresholds.sure_bounds
            reason = refusal_of(one.region, terrain, bounds)
            if reason:
                rejected[reason] += 1
            else:
                kept.append(one)
        return kept

    def _candidate(self, one: Judged, pose: _Pose) -> Candidate:
        t = self.thresholds
        cues: tuple[str, ...] = ()
        if one.hits:
            cues += ("dark_channel_rise", "saturation_drop" if pose.is_colour else "contrast_drop")
            cues += ("persistence",) if one.hits >= t.watch_frames else ()
        if one.peak:
            cues += (f"network_{round(one.peak * 100)}",)
        rule = 0.5 * one.hits / t.pool_frames + 0.5 * one.strength
        score = rule if self._network is None else 0.3 * rule + 0.7 * one.peak
        return Candidate(
            label="smoke",
            tier=one.tier,
            score=round(min(1.0, score), 4),
            box=one.box,
            first_seen_at=one.first_seen_at,
            cues=cues,
        )

    # -- what is remembered
    def _warm_up(self, picture: BgrImage, small: BgrImage) -> None:
        t = self.thresholds
        if self._pose is None:
            first = measured(small, t.cell_px, is_colour=True)
            is_colour = first.mean_saturation > t.light.grey_saturation
            if not is_colour:
                first = measured(small, t.cell_px, is_colour=False)
            self._pose = _Pose(
                rule=PlaneBackground(first, slow_frames=t.slow_frames, fast_frames=t.fast_frames, absorb=t.absorb),
                colour=ColourBackground(),
                is_colour=is_colour,
                regions=RegionPool(frames=t.pool_frames, alarm=t.alarm_frames, hold=t.hold_frames, reach=t.reach),
                planes=PlanePool(frames=t.pool_frames),
                veil=Veil(frames=t.pool_frames),
            )
        else:
            self._pose.rule.learn(measured(small, t.cell_px, is_colour=self._pose.is_colour), None)
        self._pose.colour.learn(picture)

    def _shift(self, pose: _Pose, small: BgrImage, terrain: Terrain) -> Shift:
        width = self.thresholds.working_width_px // 2
        known, now = luma(downscale(pose.colour.slow, width)), luma(downscale(small, width))
        ridge = round(float(np.median(terrain.rows)) / len(terrain.hidden) * len(now))
        return shift_of(known[ridge:], now[ridge:])  # clouds drift, the ground does not

    def _forget(self) -> None:
        self._pose = None
        self._view = None
        self._odd_frames = 0

    def _suspended(self, note: str) -> Observation:
        """Answers nothing; after a few such frames in a row everything is forgotten and the next frame starts anew."""
        self._odd_frames += 1
        if self._odd_frames >= self.thresholds.reset_frames:
            self._forget()
        return Observation(state="suspended", note=note, rejected={note: 1})


def _moved_back(picture: BgrImage, shift: Shift) -> BgrImage:
    """Returns the picture laid over its background: what left the view at one edge is repeated there."""
    height, width = picture.shape[:2]
    matrix = np.array([[1, 0, -shift.dx * width], [0, 1, -shift.dy * width]], dtype=np.float32)
    laid = cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(laid, dtype=np.uint8)
