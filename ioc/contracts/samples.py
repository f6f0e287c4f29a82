"""A value for each field, as a department would write it. Pure."""

import json
from typing import Any

from ioc.event_types import EventType, FieldSpec

__all__ = ["SAMPLE_TIME", "sample_data", "sample_event", "sample_text", "sample_value"]

SAMPLE_TIME = "2026-11-22T08:00:00+07:00"
_BY_TYPE: dict[str, Any] = {
    "integer": 12,
    "number": 12.5,
    "boolean": True,
    "time": SAMPLE_TIME,
    "date": "2026-11-22",
    "date_or_time": "2026-11-22",
    "admin_unit": "24781",
    "camera": "cam-01",
    "list": ["a", "b"],
}


def sample_value(spec: FieldSpec) -> Any:
    """Returns the field's own example, else one that its type allows."""
    if spec.example is not None:
        return list(spec.example) if isinstance(spec.example, tuple) else spec.example
    if spec.enum:
        return spec.enum[0]
    if spec.type == "any":
        return {"type": "Point", "coordinates": [108.44, 11.94]} if spec.name == "geo" else {}
    if spec.type in ("integer", "number"):
        lowest = spec.minimum if spec.minimum is not None else 0
        highest = spec.maximum if spec.maximum is not None else max(100, lowest)
        return min(max(_BY_TYPE[spec.type], lowest), highest)
    return _BY_TYPE.get(spec.type, f"{spec.name}-001")


def sample_text(spec: FieldSpec) -> str:
    """The sample as a cell of a table: a list's parts with a semicolon between, anything nested as JSON."""
    value = sample_value(spec)
    match value:
        case bool():
            return "true" if value else "false"
        case list():
            return ";".join(map(str, value))
        case dict():
            return json.dumps(value, ensure_ascii=False)
    return str(value)


def sample_data(event_type: EventType) -> dict[str, Any]:
    """The data of an event with every field told."""
    return {spec.name: sample_value(spec) for spec in event_type.fields}


def sample_event(event_type: EventType, province: str) -> dict[str, Any]:
    """A whole event in structured mode."""
    return {
        "specversion": "1.0",
        "id": f"{event_type.name}-0001",
        "source": f"/{province}/{event_type.family}",
        "type": event_type.ce_type,
        "time": SAMPLE_TIME,
        "datacontenttype": "application/json",
        "data": sample_data(event_type),
    }
