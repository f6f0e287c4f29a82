"""What the gateway tells Prometheus about itself."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ioc.gateway.intake import Result
from ioc.gateway.limits import Budget

__all__ = ["GatewayMetrics"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.04, 0.075, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0, 10.0)


class GatewayMetrics:
    """Counters of one gateway in `registry`. Events that ended in 503 or 429 are none of the outcomes: they come
    again."""

    def __init__(self, registry: CollectorRegistry, budget: Budget) -> None:
        self._events = Counter(
            "ioc_gateway_events",
            "Events by department and outcome: in = accepted + duplicate + rejected",
            ["publisher", "outcome"],
            registry=registry,
        )
        self._requests = Counter(
            "ioc_gateway_requests", "Requests by door and HTTP status", ["door", "status"], registry=registry
        )
        self._seconds = Histogram(
            "ioc_gateway_request_seconds", "From the request's head to its answer", ["door"], buckets=_SECONDS,
            registry=registry,
        )  # fmt: skip
        self.dead_letters_dropped = Counter(
            "ioc_gateway_dead_letters_dropped",
            "Refused events that were answered but not kept, because their department sends too many of them",
            ["publisher"],
            registry=registry,
        )
        held = Gauge("ioc_gateway_held_bytes", "Bytes of bodies being worked on", registry=registry)
        held.set_function(lambda: float(budget.held_bytes))
        self._of: dict[tuple[str, str], Counter] = {}
        self._door_of: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def results(self, publisher: str, results: Sequence[Result]) -> None:
        counts: dict[str, int] = {"in": len(results)}
        for result in results:
            counts[result.outcome] = counts.get(result.outcome, 0) + 1
        for outcome, count in counts.items():
            counter = self._of.get((publisher, outcome))
            if counter is None:
                counter = self._of[publisher, outcome] = self._events.labels(publisher, outcome)
            counter.inc(count)

    def request(self, door: str, status: int, seconds: float) -> None:
        found = self._door_of.get((door, status))
        if found is None:
            found = self._door_of[door, status] = (
                self._requests.labels(door, str(status)),
                self._seconds.labels(door),
            )
        found[0].inc()
        found[1].observe(seconds)
