"""What goes wrong on the way: events that break the contract in every way, and events that contradict another."""

from collections.abc import Mapping
from dataclasses import replace

from ioc.event_types import EventType
from ioc.simulate.envelopes import SimulatedEvent, encode_binary

__all__ = ["INVALID_REASONS", "broken", "contradiction"]

INVALID_REASONS: Mapping[str, str] = {
    "bad_json": "bad_json",
    "unknown_type": "unknown_type",
    "missing_field": "missing_field",
    "wrong_type": "wrong_type",
    "foreign_source": "foreign_source",
    "time_1970": "time_too_old",
    "time_2099": "time_in_future",
    "foreign_unit": "unknown_admin_unit",
    "odd_word": "not_allowed",
}
"""The ways in which a simulated event is broken, and the reason with which it is refused."""


def broken(event: SimulatedEvent, event_type: EventType, reason: str) -> SimulatedEvent:
    """Returns `event` broken in the way `reason`; in another, where its type has no unit or no word to get wrong."""
    ce, data, raw = dict(event.ce), dict(event.data), None
    units = [spec.name for spec in event_type.fields if spec.type == "admin_unit" and not spec.enum]
    words = [spec.name for spec in event_type.fields if spec.enum]
    if (reason == "foreign_unit" and not units) or (reason == "odd_word" and not words):
        reason = "missing_field"
    match reason:
        case "bad_json":
            raw = encode_binary(event)[1][:-7]
        case "unknown_type":
            ce["type"] = f"vn.ioc.{event_type.family}.imagined.v1"
        case "missing_field":
            del data[event_type.entity_key[0]]
        case "wrong_type":
            data[event_type.entity_key[0]] = 20261122
        case "foreign_source":
            ce["source"] = ce["source"].replace(f"/{event_type.family}", f"/{event_type.family}x", 1)
        case "time_1970":
            ce["time"] = "1970-01-01T00:00:00Z"
        case "time_2099":
            ce["time"] = "2099-01-01T00:00:00Z"
        case "foreign_unit":
            data[units[0]] = "00001"  # a ward of Hà Nội
        case "odd_word":
            data[words[0]] = "khác"
    return replace(event, ce=ce, data=data, raw=raw, kind="invalid", reason=reason)


def contradiction(event: SimulatedEvent, event_type: EventType, event_id: str) -> SimulatedEvent | None:
    """Returns the same fact at the same time under another id with another value; None where nothing can differ."""
    # Numbers first: a flipped truth would put cameras and channels out of service until their next report.
    for spec in sorted(event_type.fields, key=lambda spec: spec.type == "boolean"):
        value = event.data.get(spec.name)
        if spec.name in event_type.entity_key or spec.enum or spec.type not in ("integer", "number", "boolean"):
            continue
        if isinstance(value, bool):
            other: object = not value
        elif isinstance(value, int | float):
            other = value + 1 if spec.maximum is None else spec.maximum
        else:
            continue
        if other != value:
            ce = {**event.ce, "id": event_id}
            return replace(event, ce=ce, data={**event.data, spec.name: other}, reason="contradiction")
    return None
