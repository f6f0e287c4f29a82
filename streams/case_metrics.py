"""Figures of what is kept of incidents."""

from prometheus_client import CollectorRegistry, Counter, Gauge

__all__ = ["CaseMetrics"]


class CaseMetrics:
    """`lost` by where: `recent` (the last minutes on this machine's disk), `case` (the store of evidence)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.kept = Counter("ioc_case_stills", "Stills that were added to incidents", registry=registry)
        self.lost = Counter(
            "ioc_case_stills_lost", "Stills that could not be kept, by where", ["where"], registry=registry
        )
        self.heard = Gauge(
            "ioc_case_news_up", "1: the log of incidents is read, so that stills join new incidents", registry=registry
        )
