"""A CloudEvent before it is bytes, and its bytes in the three modes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from tests.recount.accepting import Record

__all__ = ["Entity", "Event", "encode"]

Entity = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A CloudEvent before it is written as bytes. `flaw`: what makes it invalid; `text` replaces the data's JSON."""

    topic: str
    key: str
    entity: Entity
    type: str
    source: str
    id: str
    time: str
    data: dict[str, object]
    flaw: str = ""
    text: str | None = None
    left_out: tuple[str, ...] = ()


def encode(events: Sequence[Event], key: bytes | None, mode: str, *, ascii_only: bool = False) -> Record:
    """Returns the record of one event (`binary`, `structured`) or of several (`batch`)."""
    if mode == "batch":
        value = "[" + ",".join(_structured(event, ascii_only) for event in events) + "]"
        headers: tuple[tuple[str, bytes], ...] = (("content-type", b"application/cloudevents-batch+json"),)
        return Record(events[0].topic, key, headers, value.encode())
    (event,) = events
    if mode == "structured":
        content_type = b"application/cloudevents+json" + (b"; charset=UTF-8" if ascii_only else b"")
        return Record(event.topic, key, (("content-type", content_type),), _structured(event, ascii_only).encode())
    headers = tuple((f"ce_{name}", value.encode()) for name, value in _attributes(event).items())
    value = event.text if event.text is not None else json.dumps(event.data, ensure_ascii=ascii_only)
    return Record(event.topic, key, (*headers, ("content-type", b"application/json")), value.encode())


def _attributes(event: Event) -> dict[str, str]:
    attributes = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "time": event.time,
    }
    return {name: value for name, value in attributes.items() if name not in event.left_out}


def _structured(event: Event, ascii_only: bool) -> str:
    envelope = {**_attributes(event), "datacontenttype": "application/json"}
    data = event.text if event.text is not None else json.dumps(event.data, ensure_ascii=ascii_only)
    return json.dumps(envelope, ensure_ascii=ascii_only)[:-1] + f', "data": {data}}}'
