"""A detector that looks at some frames only: one for which days matter is not shown every minute of them.

The day is cut into slots of `every`, and the first usable frame of each is looked at. So the same hours come again each
day, which a detector that compares hours needs; a distance from the last one would drift with dawn and fog.
"""

from datetime import datetime, timedelta

from detectors.base import BgrImage, Detector, Observation, State
from ioc.windows import LOCAL_ZONE

__all__ = ["SampledDetector"]

_USABLE: tuple[State, ...] = ("ok", "warming_up")
_TRIES = 12  # in each slot: fog lifts, and a refused frame costs as much as a good one
_LEAST_SHARE = 0.5  # of a slot between two samples: fog that lifts at its end makes no two of one hour


class SampledDetector:
    """Shows `detector` the first usable frame of each slot of `every`; to the others the last answer holds, without its
    candidates. Slots are counted from `begins` after local midnight.

    A frame that was refused (`degraded`, `suspended`) is none: another is tried a twelfth of a slot later. `last` is
    the last sample before this process, its time and answer; None: there was none.

    Raises:
        ValueError: `every` is not above 0.
    """

    def __init__(
        self,
        detector: Detector,
        *,
        every: timedelta,
        begins: timedelta = timedelta(0),
        last: tuple[datetime, Observation] | None = None,
    ) -> None:
        if every <= timedelta(0):
            raise ValueError(f"every must be above 0, not {every}")
        self._detector, self._every, self._begins = detector, every, begins
        self._last_at: datetime | None = None  # frame of any kind
        self._tried_at: datetime | None = None
        self._used_at = None if last is None else last[0]
        self._held = Observation(state="warming_up") if last is None else _held(last[1])

    @property
    def name(self) -> str:
        return self._detector.name

    @property
    def version(self) -> str:
        return self._detector.version

    def observe(self, image: BgrImage, at: datetime) -> Observation:
        if self._last_at is not None and at <= self._last_at:
            return Observation(rejected={"repeated_frame": 1}, state="degraded", note="repeated_frame")
        self._last_at = at
        if not self._is_due(at):
            return self._held
        told = self._detector.observe(image, at)
        if told.state in _USABLE:
            self._used_at, self._tried_at = at, None
        else:
            self._tried_at = at
        self._held = _held(told)
        return told

    def _is_due(self, at: datetime) -> bool:
        if self._tried_at is not None and at - self._tried_at < self._every / _TRIES:
            return False
        if self._used_at is None or at < self._used_at:  # of a time before what was kept: the detector's to judge
            return True
        return self._slot(at) != self._slot(self._used_at) and at - self._used_at >= _LEAST_SHARE * self._every

    def _slot(self, at: datetime) -> tuple[int, int]:
        local = at.astimezone(LOCAL_ZONE) - self._begins
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight.toordinal(), (local - midnight) // self._every


def _held(told: Observation) -> Observation:
    return Observation(state=told.state, note=told.note)
