"""Coverage: which share of the expected (camera, pose, minute) a detector has really looked at, and why not the rest.

Expected is every declared pose of every active camera, heard of or not: a dead camera lowers the share and never
leaves it. Pure; time is an argument.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

from ioc.catalog.cameras import Camera, Pose

__all__ = ["CoverageLedger", "Share"]

WINDOW_MINUTES = 60
_MINUTE = timedelta(minutes=1)
_LONGEST_TOUR = timedelta(minutes=30)
_HEALTH = "camera_health"
_BARE = "p0"  # of a camera that declares no pose


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Of one camera and detector over the last hour: minutes of its poses that were expected, and looked at."""

    expected: int
    analysed: int

    @property
    def ratio(self) -> float:
        return self.analysed / self.expected if self.expected else 0.0


@dataclass(slots=True)
class _Watch:
    """One detector on one pose. `reason` is why the newest frame does not count, "" where it does."""

    last_at: datetime | None = None
    gap: timedelta = _MINUTE
    reason: str = ""
    skipped_at: datetime | None = None
    minutes: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW_MINUTES))


class CoverageLedger:
    """Counts minutes; frames may be told from several threads."""

    def __init__(self, cameras: Mapping[str, Camera], since: datetime) -> None:
        self._lock = Lock()
        self._minute = since
        self._watches: dict[tuple[str, str, str], _Watch] = {
            (camera.camera_id, pose.pose_id, detector): _Watch()
            for camera in cameras.values()
            if camera.is_active
            for pose in (camera.poses.values() or (Pose(pose_id=_BARE),))
            for detector in _expected(pose)
        }
        self._uncovered: Counter[tuple[str, str, str]] = Counter()

    def looked(self, pose: str, detector: str, state: str, note: str, *, at: datetime) -> None:
        """A detector has looked at a frame of `pose` (`camera_id:pose_id`): that counts where it could see (`ok`)."""
        camera_id, _, pose_id = pose.partition(":")
        with self._lock:
            watch = self._watches.get((camera_id, pose_id, detector))
            if watch is None:
                return
            if watch.last_at is not None and at > watch.last_at:
                watch.gap = min(max(at - watch.last_at, _MINUTE), _LONGEST_TOUR)
            watch.last_at = at
            watch.reason = "" if state == "ok" else _reason(detector, state, note)

    def skipped(self, pose: str, at: datetime) -> None:
        """A frame of `pose` gave way to a newer one."""
        with self._lock:
            for (camera_id, pose_id, _), watch in self._watches.items():
                if f"{camera_id}:{pose_id}" == pose:
                    watch.skipped_at = at

    def close_minutes(self, now: datetime) -> None:
        """Counts the minutes that are over; several at once where nobody asked for long."""
        with self._lock:
            while now - self._minute >= _MINUTE:
                self._minute += _MINUTE
                for key, watch in self._watches.items():
                    reason = self._why_not(key, watch)
                    watch.minutes.append(not reason)
                    if reason:
                        camera_id, _, detector = key
                        self._uncovered[camera_id, detector, reason] += 1

    def shares(self) -> dict[tuple[str, str], Share]:
        """Returns the share of each (camera, detector) over the last hour, or since the start."""
        sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        with self._lock:
            for (camera_id, _, detector), watch in self._watches.items():
                total = sums[camera_id, detector]
                total[0] += len(watch.minutes)
                total[1] += sum(watch.minutes)
        return {key: Share(expected=expected, analysed=analysed) for key, (expected, analysed) in sums.items()}

    def uncovered(self) -> dict[tuple[str, str, str], int]:
        """Returns the minutes that did not count since the start, by (camera, detector, reason)."""
        with self._lock:
            return dict(self._uncovered)

    def _why_not(self, key: tuple[str, str, str], watch: _Watch) -> str:
        if watch.last_at is None or self._minute - watch.last_at > 1.5 * watch.gap + _MINUTE / 2:
            is_skipped = watch.skipped_at is not None and self._minute - watch.skipped_at <= _MINUTE
            return "skipped" if is_skipped else "offline"
        health = self._watches.get((key[0], key[1], _HEALTH))
        if health is not None and health.reason == "camera_fault":
            return "camera_fault"  # the detector may not have noticed
        return watch.reason


def _expected(pose: Pose) -> tuple[str, ...]:
    return ("smoke", "construction", _HEALTH) if pose.zones else ("smoke", _HEALTH)


def _reason(detector: str, state: str, note: str) -> str:
    """A few words for a label of metrics: what hinders the sight, or the state itself."""
    if detector == _HEALTH and state == "suspended":
        return "camera_fault"
    if note in ("darkness", "visibility_degraded", "masked"):
        return note
    return state
