"""Coverage: which share of the expected (camera, pose, minute) a detector has really looked at, and why not the rest.

Expected is every declared pose of every active camera, heard of or not: a dead camera lowers the share and never
leaves it. Pure; time is an argument.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock

from ioc.catalog.cameras import Camera, Pose
from ioc.coverage_facts import NOT_RUNNING, Span

__all__ = ["CoverageLedger", "Share"]

WINDOW_MINUTES = 60
_USUAL_SPAN_MINUTES = 5
_MOST_UNTOLD = 50_000  # spans: two days of 37 cameras
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
    span: Counter[str] = field(default_factory=Counter)  # minutes of the running span by reason, "" where looked at


class CoverageLedger:
    """Counts minutes; frames may be told from several threads.

    Args:
        span_minutes: how many minutes a `Span` holds; divides an hour.
    """

    def __init__(
        self, cameras: Mapping[str, Camera], since: datetime, *, span_minutes: int = _USUAL_SPAN_MINUTES
    ) -> None:
        self._lock = Lock()
        self._minute = since
        self._span_minutes = span_minutes
        self._ended: deque[Span] = deque(maxlen=_MOST_UNTOLD)
        self._watches: dict[tuple[str, str, str], _Watch] = {
            (camera.camera_id, pose.pose_id, detector): _Watch()
            for camera in cameras.values()
            if camera.is_active
            for pose in (camera.poses.values() or (Pose(pose_id=_BARE),))
            for detector in _expected(pose)
        }
        self._uncovered: Counter[tuple[str, str, str]] = Counter()
        self._expected: Counter[tuple[str, str]] = Counter()

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

    def close_minutes(self, now: datetime, is_ours: Callable[[str], bool] = lambda pose: True) -> None:
        """Counts the minutes that are over; several at once where nobody asked for long.

        Args:
            is_ours: whether this worker gets the frames of a pose (`camera_id:pose_id`); others count theirs.
        """
        with self._lock:
            ours = {key: watch for key, watch in self._watches.items() if is_ours(f"{key[0]}:{key[1]}")}
            for key in self._watches.keys() - ours.keys():
                self._watches[key].minutes.clear()
                self._watches[key].span.clear()
            while now - self._minute >= _MINUTE:
                begins_at = self._begin_of_span()
                self._minute += _MINUTE
                for key, watch in ours.items():
                    reason = self._why_not(key, watch)
                    watch.minutes.append(not reason)
                    watch.span[reason] += 1
                    camera_id, _, detector = key
                    self._expected[camera_id, detector] += 1
                    if reason:
                        self._uncovered[camera_id, detector, reason] += 1
                if self._begin_of_span() != begins_at:
                    self._ended.extend(self._span(key, watch, begins_at) for key, watch in ours.items())

    def take_ended(self) -> list[Span]:
        """Returns the spans that are over, in their order, once; the oldest are lost where nobody takes them."""
        with self._lock:
            ended = list(self._ended)
            self._ended.clear()
        return ended

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

    def expected(self) -> dict[tuple[str, str], int]:
        """Returns the minutes that were to be looked at since the start, by (camera, detector)."""
        with self._lock:
            return dict(self._expected)

    def _begin_of_span(self) -> datetime:
        """Of the span that the running minute begins in."""
        minute = self._minute.astimezone(UTC).replace(second=0, microsecond=0)
        return minute - minute.minute % self._span_minutes * _MINUTE

    def _span(self, key: tuple[str, str, str], watch: _Watch, begins_at: datetime) -> Span:
        reasons = Counter(watch.span)
        reasons[NOT_RUNNING] = self._span_minutes - reasons.total()  # before the start, or another worker's
        watch.span.clear()
        return Span(
            camera_id=key[0],
            pose_id=key[1],
            detector=key[2],
            begins_at=begins_at,
            expected=self._span_minutes,
            reasons={reason: minutes for reason, minutes in reasons.items() if reason and minutes > 0},
        )

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
