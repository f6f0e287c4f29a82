"""Figures of the on-call service itself."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ioc.oncall.store import Tally

__all__ = ["OncallMetrics"]

# From a fraction of a second (a notice) to half an hour (k-of-n frames of a slow camera).
_STAGE_BUCKETS_S = (0.05, 0.1, 0.3, 1, 3, 5, 10, 20, 30, 60, 120, 300, 600, 1800)


class OncallMetrics:
    """Collectors in the given registry; the gauges are filled from the database when somebody asks."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.records = Counter(
            "ioc_oncall_records_total",
            "Records of ioc.incidents by outcome: accepted, repeated, rejected",
            ["outcome"],
            registry=registry,
        )
        self.notices = Counter(
            "ioc_oncall_notices_total",
            "Tries to hand a notice to a channel, by outcome: sent, retried, failed",
            ["channel", "outcome"],
            registry=registry,
        )
        self.actions = Counter(
            "ioc_oncall_actions_total",
            "Tries to publish an action to Kafka, by outcome: sent, retried, failed",
            ["outcome"],
            registry=registry,
        )
        self.stage = Histogram(
            "ioc_stage_seconds",
            "Seconds from the first frame to the first notice taken (first_frame_to_alert), and from the inbox to it "
            "(inbox_to_alert)",
            ["stage"],
            buckets=_STAGE_BUCKETS_S,
            registry=registry,
        )
        self._pending = Gauge("ioc_oncall_outbox_pending", "Outbox entries not yet delivered", registry=registry)
        self._incidents = Gauge("ioc_oncall_incidents", "Incidents in the inbox by state", ["state"], registry=registry)
        self._unreached = Gauge(
            "ioc_oncall_unreached",
            "Addresses of people that have taken nothing for five minutes, or never will",
            ["channel"],
            registry=registry,
        )
        self._failed = Gauge(
            "ioc_oncall_notices_given_up", "Notices that will not be tried again", ["channel"], registry=registry
        )

    def show_unreached(self, channels: Sequence[str]) -> None:
        """Sets how many addresses can't be reached; `channels` names the channel of each."""
        self._unreached.clear()
        for channel in channels:
            self._unreached.labels(channel).inc()

    def show(self, tally: Tally) -> None:
        """Sets the gauges."""
        self._pending.set(tally.outbox_pending)
        by_state: dict[str, int] = {}
        for (_, state), count in tally.incidents.items():
            by_state[state] = by_state.get(state, 0) + count
        self._incidents.clear()
        for state, count in by_state.items():
            self._incidents.labels(state).set(count)
        for (channel, status), count in tally.notices.items():
            if status == "failed":
                self._failed.labels(channel).set(count)
