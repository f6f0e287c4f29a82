"""What the demo knows of its own run, read from the doors that an operator has too: /metrics and on-call's API."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from ioc.oncall.receiver import WebhookReceiver

__all__ = ["DemoState", "Facts", "KpiView", "read_facts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiView:
    """One total of one KPI in one window."""

    kpi: str
    window: str
    value: float | None
    numerator: float | None
    denominator: float | None
    target: float | None
    is_stale: bool


@dataclass(slots=True)
class Facts:
    """Counts since the start of the run."""

    addresses: dict[str, str] = field(default_factory=dict)
    kpi_names: dict[str, str] = field(default_factory=dict)
    frames: dict[str, int] = field(default_factory=dict)
    detections: int = 0
    events: dict[str, int] = field(default_factory=dict)
    lag: int = 0
    kpis: list[KpiView] = field(default_factory=list)
    incidents: list[dict[str, Any]] = field(default_factory=list)
    delivered: int = 0
    pending: int = 0
    forged: int = 0
    alert_delays_s: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoState:
    phase: str
    seconds: float
    planned_s: float | None
    facts: Facts
    failure: str = ""

    def as_json(self) -> dict[str, Any]:
        """The summary of the contract, and beside it what each incident was."""
        facts = self.facts
        opened = [incident for incident in facts.incidents if incident["state"] != "candidate"]
        kinds = {"smoke", "construction", *(incident["kind"] for incident in opened)}
        return {
            "frames": sum(facts.frames.values()),
            "frames_by_outcome": facts.frames,
            "detections": facts.detections,
            "incidents": {kind: sum(i["kind"] == kind for i in opened) for kind in sorted(kinds)},
            "candidates": len(facts.incidents) - len(opened),
            "alerts_delivered": facts.delivered,
            "events": {name: facts.events.get(name, 0) for name in ("in", "accepted", "duplicate", "rejected")},
            "kpis_exported": len({kpi.kpi for kpi in facts.kpis if kpi.value is not None}),
            "first_frame_to_alert_s": round(facts.alert_delays_s[0], 3) if facts.alert_delays_s else None,
            "incident_list": opened,
            "failure": self.failure,
        }


async def read_facts(facts: Facts, session: aiohttp.ClientSession, receiver: WebhookReceiver | None) -> None:
    """Brings `facts` up to date. Raises aiohttp's errors where a service does not answer."""
    async with session.get(f"{facts.addresses['worker']}/metrics") as answer:
        _read_metrics(facts, await answer.text())
    async with session.get(f"{facts.addresses['oncall']}/api/incidents", params={"limit": "1000"}) as answer:
        _read_oncall(facts, await answer.json())
    if receiver is not None:
        facts.delivered, facts.forged = receiver.unique, receiver.forged


def _read_metrics(facts: Facts, text: str) -> None:
    frames: dict[str, int] = {}
    events: dict[str, int] = {}
    detections = lag = 0.0
    samples: dict[str, dict[tuple[str, str], float]] = {}
    targets: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = sample.labels
            match sample.name:
                case "ioc_frames_total":
                    frames[labels["outcome"]] = frames.get(labels["outcome"], 0) + int(sample.value)
                case "ioc_events_total":
                    events[labels["outcome"]] = events.get(labels["outcome"], 0) + int(sample.value)
                case "ioc_detections_total":
                    detections += sample.value
                case "ioc_consumer_lag_records":
                    lag += sample.value
                case "ioc_kpi_target":
                    targets[labels["kpi"]] = sample.value
                case "ioc_kpi_numerator" | "ioc_kpi_denominator" | "ioc_kpi_stale":
                    if labels["admin_unit"] == "*" and not labels["agency"]:
                        samples.setdefault(sample.name, {})[labels["kpi"], labels["window"]] = sample.value
    facts.frames, facts.events = frames, events
    facts.detections, facts.lag = int(detections), int(lag)
    facts.kpis = [_kpi(place, samples, targets) for place in samples.get("ioc_kpi_numerator", {})]


def _kpi(
    place: tuple[str, str], samples: dict[str, dict[tuple[str, str], float]], targets: dict[str, float]
) -> KpiView:
    numerator = samples["ioc_kpi_numerator"][place]
    denominator = samples.get("ioc_kpi_denominator", {}).get(place)
    value = numerator if denominator is None else (numerator / denominator if denominator else None)
    return KpiView(
        kpi=place[0],
        window=place[1],
        value=value,
        numerator=numerator,
        denominator=denominator,
        target=targets.get(place[0]),
        is_stale=bool(samples.get("ioc_kpi_stale", {}).get(place)),
    )


def _read_oncall(facts: Facts, answer: dict[str, Any]) -> None:
    facts.incidents = [
        {
            name: incident.get(name)
            for name in (
                "incident_id",
                "kind",
                "state",
                "severity",
                "camera_id",
                "pose_id",
                "place_vi",
                "bbox",
                "first_frame_at",
                "opened_at",
                "peak_score",
                "evidence",
                "evidence_sha256",
                "permit_rule",
            )
        }
        for incident in answer["incidents"]
    ]
    facts.pending = int(answer["outbox_pending"])
    told = [
        incident for incident in answer["incidents"] if incident["first_notified_at"] and incident["first_frame_at"]
    ]
    told.sort(key=lambda incident: str(incident["first_notified_at"]))
    facts.alert_delays_s = [
        (
            datetime.fromisoformat(incident["first_notified_at"]) - datetime.fromisoformat(incident["first_frame_at"])
        ).total_seconds()
        for incident in told
    ]
