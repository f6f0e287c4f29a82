"""Event types as the gateway tells them: its JSON Schemas become the product's own decoder. Pure.

What only the centre's catalogue knows (communes in force, registered cameras, the earliest time accepted) is left to
the gateway.
"""

import re
from typing import Any, cast

from ioc.event_types import EventType, FieldSpec, FieldType
from ioc.events import EventDecoder, Rejected

__all__ = ["LearnedType"]

_HEADERS = (("content-type", b"application/cloudevents+json"),)
_SOURCE = re.compile(r"\^/([^/]+)/")
_AS_TEXT = ("camera", "admin_unit", "enum")
_ANY_TIME_US = -(1 << 62)


class LearnedType:
    """A judge of one event type. Raises KeyError, TypeError or ValueError for a schema that isn't the gateway's."""

    def __init__(self, schema: dict[str, Any]) -> None:
        attributes = schema["properties"]
        province = _SOURCE.match(attributes["source"]["pattern"])
        if province is None:
            raise ValueError("the schema names no province")
        self.ce_type: str = attributes["type"]["const"]
        self._topic: str = schema["x-ioc-topic"]
        self._decoder = EventDecoder(
            [_event_type(schema, self.ce_type)],
            province=province[1].replace("\\", ""),
            accept_since_us=_ANY_TIME_US,
            units={},
            cameras=(),
        )

    def check(self, body: bytes, now_us: int) -> None:
        """Raises InvalidRecord as the gateway would, with its own reason codes."""
        (found,) = self._decoder.decode(self._topic, _HEADERS, body, now_us)
        if isinstance(found, Rejected):
            raise found.error


def _event_type(schema: dict[str, Any], ce_type: str) -> EventType:
    data = schema["properties"]["data"]
    required = data["anyOf"][0]["required"] if "anyOf" in data else data.get("required", ())
    fields = tuple(
        _field(name, told, is_required=name in required)
        for name, told in data["properties"].items()
        if name != "deleted"
    )
    return EventType(
        number=0,
        name=schema["x-ioc-name"],
        ce_type=ce_type,
        topic=schema["x-ioc-topic"],
        partition_key=schema["x-ioc-partition-key"],
        kind=schema["x-ioc-kind"],
        entity=schema["x-ioc-entity"],
        entity_key=tuple(schema["x-ioc-entity-key"]),
        time_field=schema["x-ioc-time-field"],
        fact_times=tuple(schema["x-ioc-fact-times"]),
        fields=fields,
    )


def _field(name: str, told: dict[str, Any], *, is_required: bool) -> FieldSpec:
    kind = told.get("x-ioc-type", "string")
    return FieldSpec(
        name=name,
        type=cast(FieldType, "string" if kind in _AS_TEXT else kind),
        enum=tuple(value for value in told.get("enum", ()) if value is not None),
        is_required=is_required,
        minimum=told.get("minimum"),
        maximum=told.get("maximum"),
    )
