"""What is known of each live camera now, as metrics and as the catalogue's heartbeat event."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ioc.capture.child_wire import Opened
from ioc.capture.stills import Tally

__all__ = ["CameraStatus", "CaptureCollector", "State"]

State = Literal["connecting", "live", "failing"]
_LATE_STILLS = 3  # intervals without a still after which a camera is no longer online
_LEAST_OFFLINE_S = 30.0


@dataclass(slots=True, kw_only=True)
class CameraStatus:
    """One camera. Times are of the machine's monotonic clock, in seconds; `reason`: why it fails now, "" where not.

    `restarts`: how often its stream was given up and begun anew; `failures`: the same by reason.
    """

    interval_s: float
    since_s: float
    state: State = "connecting"
    last_still_s: float | None = None
    stills: int = 0
    restarts: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    reason: str = ""
    opened: Opened | None = None
    key_gap_s: float = 0.0

    def pictured(self, at_s: float) -> None:
        self.state, self.reason, self.last_still_s = "live", "", at_s
        self.stills += 1

    def failed(self, reason: str) -> None:
        self.state, self.reason = "failing", reason
        self.restarts += 1
        self.failures[reason] += 1

    def age_s(self, now_s: float) -> float:
        """Seconds since the newest still; since the start where there was none."""
        return max(0.0, now_s - (self.since_s if self.last_still_s is None else self.last_still_s))

    def is_online(self, now_s: float) -> bool:
        """Whether a still came within three intervals (at least 30 s)."""
        limit_s = max(_LEAST_OFFLINE_S, _LATE_STILLS * self.interval_s)
        return self.last_still_s is not None and self.age_s(now_s) <= limit_s


class CaptureCollector(Collector):
    """Per camera: is it online, how old is its newest still, restarts and failures by reason, stills by outcome."""

    def __init__(
        self,
        statuses: Mapping[str, CameraStatus],
        tally: Tally,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._statuses, self._tally, self._monotonic_s = statuses, tally, monotonic_s

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        now_s = self._monotonic_s()
        online = GaugeMetricFamily("ioc_capture_online", "1 while stills of the camera come", labels=["camera"])
        age = GaugeMetricFamily(
            "ioc_capture_last_frame_age_seconds",
            "Age of the camera's newest still; since the start where there was none",
            labels=["camera"],
        )
        restarts = CounterMetricFamily(
            "ioc_capture_restarts", "Times that the camera's stream was given up and begun anew", labels=["camera"]
        )
        failures = CounterMetricFamily(
            "ioc_capture_failures", "The same by reason (ioc/capture/reasons.py)", labels=["camera", "reason"]
        )
        gap = GaugeMetricFamily(
            "ioc_capture_keyframe_gap_seconds",
            "Between keyframes; longer than the time between stills costs a core's tenth",
            labels=["camera"],
        )
        for camera, status in list(self._statuses.items()):
            online.add_metric([camera], status.is_online(now_s))
            age.add_metric([camera], status.age_s(now_s))
            restarts.add_metric([camera], status.restarts)
            if status.key_gap_s:
                gap.add_metric([camera], status.key_gap_s)
            for reason, count in list(status.failures.items()):
                failures.add_metric([camera, reason], count)
        yield from (online, age, restarts, failures, gap, self._stills())

    def _stills(self) -> Metric:
        stills = CounterMetricFamily(
            "ioc_capture_frames",
            "Stills by outcome: published, skipped (a newer one came first), rejected, failed",
            labels=["camera", "outcome"],
        )
        for camera, tally in self._tally.report().cameras.items():
            for outcome, count in (
                ("published", tally.published),
                ("skipped", tally.skipped),
                ("rejected", tally.rejected.total()),
                ("failed", tally.failed),
            ):
                stills.add_metric([camera, outcome], count)
        return stills
