"""A simulated event and its two forms on the wire: CloudEvents 1.0, binary mode and structured mode."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import orjson

__all__ = [
    "Kind",
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
class SimulatedEvent:
    """One event as a department would publish it at `at`.

    `ce` holds the CloudEvents attributes without prefix. `raw`, where set, stands in for the JSON of `data`
    (an event whose body is not JSON). `kind` and `reason` say what was simulated; they are not sent. A fresh event
    with a reason is `late`, or a `contradiction` of an earlier one.
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
