"""What the demo knows of its own run, read from the doors that an operator has too: /metrics and on-call's API."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from ioc.kpis import KpiDefinition
from ioc.oncall.receiver import WebhookReceiver

__all__ = ["DemoState", "Facts", "KpiView", "read_facts", "read_metrics", "read_oncall"]

_SIMULATED_PAST = "sim-"
"""How the ids of the incidents begin that `ioc simulate events --past-incidents` tells as long over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiView:
    """The province's total of one KPI in one window. A quantile has no numerator, a count no denominator."""

    definition: KpiDefinition
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
    token: str = ""  # of a department, to try the gateway with
    definitions: dict[str, KpiDefinition] = field(default_factory=dict)
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

    def kpis_with_value(self) -> set[str]:
        """The ids of the KPIs that show a value of the province in at least one window."""
        return {kpi.definition.id for kpi in self.kpis if kpi.value is not None}


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
        shown = facts.kpis_with_value()
        return {
            "frames": sum(facts.frames.values()),
            "frames_by_outcome": facts.frames,
            "detections": facts.detections,
            "incidents": {kind: sum(i["kind"] == kind for i in opened) for kind in sorted(kinds)},
            "candidates": len(facts.incidents) - len(opened),
            "alerts_delivered": facts.delivered,
            "events": {name: facts.events.get(name, 0) for name in ("in", "accepted", "duplicate", "rejected")},
            "kpis_exported": len(shown),
            "kpis_without_value": sorted(facts.definitions.keys() - shown),
            "first_frame_to_alert_s": round(facts.alert_delays_s[0], 3) if facts.alert_delays_s else None,
            "incident_list": opened,
            "failure": self.failure,
        }


async def read_facts(facts: Facts, session: aiohttp.ClientSession, receiver: WebhookReceiver | None) -> None:
    """Brings `facts` up to date. Raises aiohttp's errors where a service does not answer."""
    async with session.get(f"{facts.addresses['worker']}/metrics") as answer:
        read_metrics(facts, await answer.text())
    async with session.get(f"{facts.addresses['oncall']}/api/incidents", params={"limit": "1000"}) as answer:
        read_oncall(facts, await answer.json())
    if receiver is not None:
        facts.delivered, facts.forged = receiver.unique, receiver.forged


def read_metrics(facts: Facts, text: str) -> None:
    """Takes the counts and the province's figures from the worker's `/metrics`."""
    frames: dict[str, int] = {}
    events: dict[str, int] = {}
    detections = lag = 0.0
    totals = _Totals({definition.metric: kpi_id for kpi_id, definition in facts.definitions.items()})
    for family in text_string_to_metric_families(_without_parts(text)):
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
                case _:
                    totals.take(sample.name, labels, sample.value)
    facts.frames, facts.events = frames, events
    facts.detections, facts.lag = int(detections), int(lag)
    facts.kpis = totals.views(facts.definitions)


def _without_parts(text: str) -> str:
    """Leaves out the units' and agencies' lines: nine of ten, and to parse them would take half a core."""
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if 'admin_unit="' not in line or 'admin_unit="*",agency=""' in line)


class _Totals:
    """The province's own samples of the KPIs: no unit's, no agency's and no dimension's."""

    def __init__(self, kpi_of_metric: Mapping[str, str]) -> None:
        self._kpi_of_metric = kpi_of_metric
        self._targets: dict[str, float] = {}
        self._found: dict[tuple[str, str], dict[str, float]] = {}  # by (KPI, window): value, numerator, stale, …

    def take(self, name: str, labels: Mapping[str, str], value: float) -> None:
        if name == "ioc_kpi_target":
            self._targets[labels["kpi"]] = value
        elif labels.get("admin_unit") == "*" and not labels.get("agency") and not labels.get("dim"):
            kpi = self._kpi_of_metric.get(name) or labels.get("kpi")
            if kpi is not None:
                aspect = "value" if name in self._kpi_of_metric else name.removeprefix("ioc_kpi_")
                self._found.setdefault((kpi, labels["window"]), {})[aspect] = value

    def views(self, definitions: Mapping[str, KpiDefinition]) -> list[KpiView]:
        return [
            KpiView(
                definition=definition,
                window=window,
                value=found.get("value"),
                numerator=found.get("numerator"),
                denominator=found.get("denominator"),
                target=self._targets.get(definition.id),
                is_stale=bool(found.get("stale")),
            )
            for definition in definitions.values()
            for window in definition.windows
            if (found := self._found.get((definition.id, window))) is not None
        ]


def read_oncall(facts: Facts, answer: dict[str, Any]) -> None:
    """Takes the incidents from on-call's answer.

    Those that were told as long over are history for the figures, and nothing that this run has found. One that turned
    out to be part of another (a fire that a second camera saw too) is counted with that one.
    """
    incidents = [
        incident
        for incident in answer["incidents"]
        if not str(incident["incident_id"]).startswith(_SIMULATED_PAST) and not incident.get("joined_into")
    ]
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
        for incident in incidents
    ]
    facts.pending = int(answer["outbox_pending"])
    told = [incident for incident in incidents if incident["first_notified_at"] and incident["first_frame_at"]]
    told.sort(key=lambda incident: str(incident["first_notified_at"]))
    facts.alert_delays_s = [
        (
            datetime.fromisoformat(incident["first_notified_at"]) - datetime.fromisoformat(incident["first_frame_at"])
        ).total_seconds()
        for incident in told
    ]
