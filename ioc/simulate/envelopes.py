"""A simulated event and its two forms on the wire: CloudEvents 1.0, binary mode and structured mode."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import orjson

__all__ = [
    "EVENT_ROUTES",
    "Kind",
    "Route",
    "SimulatedEvent",
    "WireRecord",
    "encode_binary",
    "encode_structured",
    "structured_json",
]

Kind = Literal["fresh", "duplicate", "invalid"]
WireRecord = tuple[bytes, bytes, list[tuple[str, bytes]]]
"""(key, value, headers) of a Kafka record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where an event type goes: its topic, CloudEvents type, the field that is its partition key, and who sends it."""

    topic: str
    ce_type: str
    key_field: str
    system: str

    @property
    def family(self) -> str:
        return self.topic.split(".")[1]


def _route(topic: str, ce_type: str, key_field: str, system: str) -> Route:
    return Route(topic=topic, ce_type=f"vn.ioc.{ce_type}.v1", key_field=key_field, system=system)


EVENT_ROUTES: Mapping[str, Route] = {
    "dossier.submitted": _route("ioc.onestop.dossiers", "dossier.submitted", "dossier_id", "motcua"),
    "dossier.status_changed": _route("ioc.onestop.dossiers", "dossier.status_changed", "dossier_id", "motcua"),
    "dossier.digitised": _route("ioc.onestop.dossiers", "dossier.digitised", "dossier_id", "motcua"),
    "dossier.paid": _route("ioc.onestop.payments", "dossier.paid", "dossier_id", "payment"),
    "report.submitted": _route("ioc.citizen.reports", "report.submitted", "report_id", "dalat-truc-tuyen"),
    "report.status_changed": _route("ioc.citizen.reports", "report.status_changed", "report_id", "dalat-truc-tuyen"),
    "report.rated": _route("ioc.citizen.reports", "report.rated", "report_id", "dalat-truc-tuyen"),
    "network.channel_state": _route("ioc.network.channels", "network.channel_state", "channel_id", "tslcd"),
    "lgsp.service_call": _route("ioc.lgsp.calls", "lgsp.service_call", "service_id", "monitor"),
    "lgsp.connection": _route("ioc.lgsp.connections", "lgsp.connection", "system_id", "monitor"),
    "camera.heartbeat": _route("ioc.camera.health", "camera.heartbeat", "camera_id", "nvr"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedEvent:
    """One event as a department would publish it at `at`.

    `ce` holds the CloudEvents attributes without prefix. `raw`, where set, stands in for the JSON of `data`
    (an event whose body is not JSON). `kind` and `reason` say what was simulated; they are not sent.
    """

    topic: str
    key: str
    ce: Mapping[str, str]
    data: Mapping[str, object]
    at: datetime
    raw: bytes | None = None
    kind: Kind = "fresh"
    reason: str = ""


def encode_binary(event: SimulatedEvent) -> WireRecord:
    """Returns the Kafka record in binary mode: attributes in `ce_` headers, the data as value."""
    headers = [(f"ce_{name}", text.encode()) for name, text in event.ce.items()]
    headers.append(("content-type", b"application/json"))
    return event.key.encode(), _body(event), headers


def encode_structured(event: SimulatedEvent) -> WireRecord:
    """Returns the Kafka record in structured mode: one JSON object holds attributes and data."""
    return event.key.encode(), structured_json(event), [("content-type", b"application/cloudevents+json")]


def structured_json(event: SimulatedEvent) -> bytes:
    """Returns the structured-mode JSON on one line, as `ioc publish` reads it."""
    envelope = orjson.dumps({**event.ce, "datacontenttype": "application/json"})
    return envelope[:-1] + b',"data":' + _body(event) + b"}"


def _body(event: SimulatedEvent) -> bytes:
    return orjson.dumps(event.data) if event.raw is None else event.raw
