"""Pipeline metrics: what goes through, what is refused, how long it takes. One registry a process, as a parameter."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ioc.camera_coverage import CoverageLedger

__all__ = ["CoverageCollector", "LagCollector", "OutcomesCollector", "PipelineMetrics"]

OutcomesSource = Callable[[], Mapping[str, Mapping[str, int]]]
LagSource = Callable[[], Mapping[str, int]]

_STAGE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class PipelineMetrics:
    """The counters and histograms that the agents write."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.frames = Counter("ioc_frames", "Frames by camera and outcome", ["camera", "outcome"], registry=registry)
        self.detections = Counter(
            "ioc_detections",
            "Detections by detector, tier and camera",
            ["detector", "tier", "camera"],
            registry=registry,
        )
        self.rejected = Counter(
            "ioc_detections_rejected",
            "Regions that a detector refused, by reason",
            ["detector", "reason"],
            registry=registry,
        )
        self._watching = Gauge(
            "ioc_detector_state",
            "1: how a detector stands with a pose; anything but ok means that seeing nothing means little",
            ["detector", "camera", "pose", "state", "reason", "version"],
            registry=registry,
        )
        self._watched: dict[tuple[str, str, str], tuple[str, str, str]] = {}
        self.models = Gauge(
            "ioc_detector_model", "1: the weights that a detector works with", ["detector", "model"], registry=registry
        )
        self.incidents = Counter("ioc_incidents", "Incidents by kind and state", ["kind", "state"], registry=registry)
        self.permits = Counter(
            "ioc_permits",
            "Events of construction permits that the register has read since the start, by outcome",
            ["outcome"],
            registry=registry,
        )
        self._stages = Histogram(
            "ioc_stage_seconds", "Time spent in a stage", ["stage"], buckets=_STAGE_BUCKETS, registry=registry
        )

    def watching(self, detector: str, camera: str, pose: str, state: str, reason: str, *, version: str) -> None:
        """Tells how a detector stands with a pose of a camera: one series for each, whatever it says."""
        if reason == "repeated_frame":
            return  # it looked at nothing: what it said of the frame before still holds
        who = detector, camera, pose
        said = self._watched.get(who)
        if said == (state, reason, version):
            return
        if said is not None:
            self._watching.remove(*who, *said)
        self._watched[who] = state, reason, version
        self._watching.labels(*who, state, reason, version).set(1)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self._stages.labels(name).observe(time.perf_counter() - started)

    def observe_stage(self, name: str, seconds: float) -> None:
        self._stages.labels(name).observe(max(0.0, seconds))


class OutcomesCollector(Collector):
    """What became of the departments' events, asked for at scrape time from the shards' durable counters."""

    def __init__(self, outcomes: OutcomesSource) -> None:
        self._outcomes = outcomes

    def describe(self) -> Iterable[Metric]:
        return ()  # so that registering asks nothing of parts that have not started

    def collect(self) -> Iterable[Metric]:
        events = CounterMetricFamily(
            "ioc_events",
            "Events by topic and outcome: in = accepted + duplicate + rejected",
            labels=["topic", "outcome"],
        )
        rerouted = CounterMetricFamily(
            "ioc_events_rerouted", "Events that came to the wrong partition and were sent on", labels=["topic"]
        )
        for topic, counts in sorted(self._outcomes().items()):
            for outcome, count in counts.items():
                if outcome == "rerouted":
                    rerouted.add_metric([topic], count)
                else:
                    events.add_metric([topic, outcome], count)
        yield events
        yield rerouted


class CoverageCollector(Collector):
    """What of the expected minutes the detectors have looked at, asked for at scrape time."""

    def __init__(self, ledger: CoverageLedger) -> None:
        self._ledger = ledger

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        ratio = GaugeMetricFamily(
            "ioc_camera_coverage_ratio",
            "Share of the expected minutes of the last hour that a detector really looked at",
            labels=["camera", "detector"],
        )
        for (camera, detector), share in sorted(self._ledger.shares().items()):
            if share.expected:
                ratio.add_metric([camera, detector], share.ratio)
        uncovered = CounterMetricFamily(
            "ioc_camera_uncovered_minutes",
            "Expected minutes of poses that a detector did not look at, by reason",
            labels=["camera", "detector", "reason"],
        )
        for key, minutes in sorted(self._ledger.uncovered().items()):
            uncovered.add_metric(key, minutes)
        minutes_expected = CounterMetricFamily(
            "ioc_camera_expected_minutes",
            "Minutes of poses that a detector was to look at",
            labels=["camera", "detector"],
        )
        for owner, count in sorted(self._ledger.expected().items()):
            minutes_expected.add_metric(owner, count)
        yield ratio
        yield uncovered
        yield minutes_expected


class LagCollector(Collector):
    """Records not yet processed, asked for at scrape time."""

    def __init__(self, lag: LagSource) -> None:
        self._lag = lag

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        lag = GaugeMetricFamily("ioc_consumer_lag_records", "Records not yet processed", labels=["topic"])
        for topic, records in sorted(self._lag().items()):
            lag.add_metric([topic], records)
        yield lag
