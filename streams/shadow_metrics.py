"""Figures of a shadow detector: it alarms nobody, so these and its list are all that is known of it."""

from prometheus_client import CollectorRegistry, Counter

__all__ = ["ShadowMetrics"]


class ShadowMetrics:
    """`frames` by outcome: analysed, skipped (the worker had no time to spare), failed; `alerts` kept, lost, gained."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.frames = Counter(
            "ioc_shadow_frames",
            "Frames for a shadow detector, by outcome",
            ["detector", "outcome"],
            registry=registry,
        )
        self.alerts = Counter(
            "ioc_shadow_alerts",
            "Alerts of the live detector that its shadow kept or lost, and those that it gained",
            ["detector", "outcome"],
            registry=registry,
        )
