"""Which cameras have fallen silent, and whose clock is wrong: what no picture shows. Pure.

A pose is silent when no frame has come for longer than its own rhythm and the camera's grace allow. Silence of most
poses at once has one cause that is no camera's (the line, Kafka, the capture machine), which the product's own alerts
tell: nothing is told of each. A clock is wrong when frame after frame is off by the same much.

Capture says of each of its cameras every 30 s that it runs, and whether pictures come. That tells why a pose is silent:
the camera gives none, capture itself is gone, or there are pictures and none is used. It also tells of a camera that
was silent before this worker was started.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median

from ioc.catalog.cameras import Camera
from ioc.detections import Tier
from ioc.incidents import OFFLINE

__all__ = [
    "CAMERA_SILENT",
    "CAPTURE_SILENT",
    "CLOCK_SKEW",
    "PICTURES_UNUSED",
    "CameraPresence",
    "Presence",
]

CLOCK_SKEW = "clock_skew"
CAMERA_SILENT, CAPTURE_SILENT, PICTURES_UNUSED = "camera_silent", "capture_silent", "pictures_unused"
"""Why a pose is silent, as far as capture's heartbeats tell."""
_BEAT = timedelta(seconds=90)  # three heartbeats
_RHYTHMS = 3.0  # a pose is silent after three of its usual gaps
_LONGEST_GAP = timedelta(minutes=30)  # a tour of presets comes round; longer gaps are silence themselves
_COMMON, _FEW = 0.5, 4  # share of the poses that are silent at once, of at least so many: no camera's fault
_FRAMES = 5  # that a clock is judged by
_WRONG, _RIGHT, _STEADY = 60.0, 30.0, 15.0  # seconds off; how much the frames of a wrong clock may differ


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """What is to be told of a pose: the fault `label` began (`alarm`) or is over (`clear`); `offset_s` of a clock,
    `why` of silence, "" where capture sends no heartbeat."""

    camera_id: str
    pose_id: str
    label: str
    tier: Tier
    since: datetime
    offset_s: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Beat:
    heard_at: datetime
    is_online: bool
    seen_at: datetime


@dataclass(slots=True)
class _Pose:
    camera_id: str
    pose_id: str
    part: int
    seen_at: datetime
    gaps: deque[timedelta] = field(default_factory=lambda: deque(maxlen=_FRAMES))
    offsets: deque[float] = field(default_factory=lambda: deque(maxlen=_FRAMES))
    is_silent: bool | None = None  # None: nobody knows, as after a restart
    is_wrong: bool | None = None
    wrong_since: datetime | None = None


class CameraPresence:
    """The poses that this worker has heard of since it was started.

    A pose that was never heard is not told: it may be declared ahead of its camera, and coverage counts it as unseen.
    But where capture knows the camera and says that it gives nothing, its only pose is told.
    """

    def __init__(self, cameras: Mapping[str, Camera]) -> None:
        self._cameras = cameras
        self._poses: dict[tuple[str, str], _Pose] = {}
        self._beats: dict[str, _Beat] = {}

    def saw(
        self,
        camera_id: str,
        pose_id: str,
        *,
        captured_at: datetime,
        published_at: datetime,
        at: datetime,
        part: int = 0,
    ) -> None:
        """A live frame has come at `at`, which its publisher sent at `published_at`; `part` is its partition."""
        camera = self._cameras.get(camera_id)
        if camera is None or not camera.is_active:
            return
        pose = self._poses.get((camera_id, pose_id))
        if pose is None:
            pose = self._poses[camera_id, pose_id] = _Pose(camera_id, pose_id, part, at)
        elif at > pose.seen_at and not pose.is_silent:
            pose.gaps.append(min(at - pose.seen_at, _LONGEST_GAP))
        pose.part, pose.seen_at = part, max(at, pose.seen_at)
        pose.offsets.append((captured_at - published_at).total_seconds())

    def heard(self, camera_id: str, *, is_online: bool, age_s: float, at: datetime) -> None:
        """A heartbeat of capture has come at `at`: whether pictures of the camera come, and how old the newest is."""
        camera = self._cameras.get(camera_id)
        if camera is not None and camera.is_active:
            self._beats[camera_id] = _Beat(at, is_online, at - timedelta(seconds=max(0.0, age_s)))

    def forget_all_but(self, parts: Collection[int]) -> None:
        """Another worker watches the poses of the other partitions."""
        self._poses = {key: pose for key, pose in self._poses.items() if pose.part in parts}

    def told(self, now: datetime, is_ours: Callable[[str], bool] = lambda pose: True) -> list[Presence]:
        """Returns what has changed; a fault that lasts is told again each time, as a detector does with each frame.

        `is_ours` says of a pose (`camera_id:pose_id`) that was never heard whether its frames would come here.
        """
        silent = [pose for pose in self._poses.values() if now - pose.seen_at > self._allowed(pose)]
        if len(silent) >= _FEW and len(silent) > _COMMON * len(self._poses):
            return []
        return [
            *(each for pose in self._poses.values() for each in (*self._offline(pose, now), *_clock(pose))),
            *self._never_seen(now, is_ours),
        ]

    def _never_seen(self, now: datetime, is_ours: Callable[[str], bool]) -> Iterator[Presence]:
        fresh = {name: beat for name, beat in self._beats.items() if now - beat.heard_at <= _BEAT}
        silent = {name: beat for name, beat in fresh.items() if not beat.is_online}
        if len(silent) >= _FEW and len(silent) > _COMMON * len(fresh):
            return
        seen = {camera_id for camera_id, _ in self._poses}
        for camera_id, beat in silent.items():
            camera = self._cameras[camera_id]
            is_due = now - beat.seen_at > timedelta(seconds=camera.health_grace_s)
            for pose_id in camera.poses if camera_id not in seen and is_due and len(camera.poses) == 1 else ():
                if is_ours(f"{camera_id}:{pose_id}"):
                    yield Presence(
                        camera_id=camera_id,
                        pose_id=pose_id,
                        label=OFFLINE,
                        tier="alarm",
                        since=beat.seen_at,
                        why=CAMERA_SILENT,
                    )

    def _why(self, camera_id: str, now: datetime) -> str:
        beat = self._beats.get(camera_id)
        if beat is None:
            return ""
        if now - beat.heard_at > _BEAT:
            return CAPTURE_SILENT
        return PICTURES_UNUSED if beat.is_online else CAMERA_SILENT

    def _allowed(self, pose: _Pose) -> timedelta:
        grace = timedelta(seconds=self._cameras[pose.camera_id].health_grace_s)
        usual = timedelta(seconds=_RHYTHMS * median(gap.total_seconds() for gap in pose.gaps)) if pose.gaps else None
        return max(grace, usual or _LONGEST_GAP)

    def _offline(self, pose: _Pose, now: datetime) -> Iterator[Presence]:
        was, pose.is_silent = pose.is_silent, now - pose.seen_at > self._allowed(pose)
        if pose.is_silent:
            yield _of(pose, OFFLINE, "alarm", pose.seen_at, why=self._why(pose.camera_id, now))
        elif was is not False:  # also once after a restart, which may have forgotten that it was silent
            yield _of(pose, OFFLINE, "clear", pose.seen_at)


def _clock(pose: _Pose) -> Iterator[Presence]:
    if pose.is_silent or len(pose.offsets) < _FRAMES:
        return
    offset_s = median(pose.offsets)
    is_steady = max(pose.offsets) - min(pose.offsets) <= _STEADY
    was = pose.is_wrong
    if abs(offset_s) > _WRONG and is_steady:
        pose.is_wrong = True
        pose.wrong_since = pose.wrong_since or pose.seen_at
    elif abs(offset_s) < _RIGHT:
        pose.is_wrong, pose.wrong_since = False, None
    if pose.is_wrong:
        yield _of(pose, CLOCK_SKEW, "alarm", pose.wrong_since or pose.seen_at, offset_s)
    elif was is not False and pose.is_wrong is False:
        yield _of(pose, CLOCK_SKEW, "clear", pose.seen_at, offset_s)


def _of(pose: _Pose, label: str, tier: Tier, since: datetime, offset_s: float | None = None, why: str = "") -> Presence:
    return Presence(
        camera_id=pose.camera_id,
        pose_id=pose.pose_id,
        label=label,
        tier=tier,
        since=since,
        offset_s=offset_s,
        why=why,
    )
