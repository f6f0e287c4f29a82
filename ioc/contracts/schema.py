"""JSON Schema (draft 2020-12) of an event type, from the same fields as the decoder's struct. Pure.

A schema sees one event by itself. What needs the catalogue or the clock (a commune in force, a registered camera, a
time in the future, the topic, the size) is told in words under `x-ioc-not-seen-by-schema`.
"""

import re
from typing import TYPE_CHECKING, Any, Literal

from ioc.contracts.samples import Samples
from ioc.event_reading import MAX_ID_CHARS
from ioc.event_types import LARGEST_INTEGER, EventType, FieldSpec

if TYPE_CHECKING:
    from ioc.catalog import Catalog

__all__ = [
    "DIALECT",
    "Lang",
    "data_schema",
    "envelope_properties",
    "json_schema",
    "openapi_components",
    "schema_id",
    "version_of",
]

Lang = Literal["vi", "en"]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
# [0-9] and not \d, which is any script's digit to some validators
_DAY = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
DATE_PATTERN = f"^{_DAY}$"
TIME_PATTERN = f"^{_DAY}[Tt]{_CLOCK}$"
_CONTROL = "[\\u0000-\\u001f\\u007f-\\u009f]"
_ANY_PROVINCE = "[a-z][a-z0-9-]{1,40}"
NOT_SEEN = (
    "bad_time",
    "time_in_future",
    "time_too_old",
    "too_large",
    "too_late",
    "unknown_admin_unit",
    "unknown_camera",
    "wrong_topic",
)


def version_of(ce_type: str) -> int:
    """The number of a type's `.vN`; 1 where it has none."""
    found = re.search(r"\.v(\d+)$", ce_type)
    return int(found[1]) if found else 1


def schema_id(event_type: EventType) -> str:
    """The schema's name: urn:ioc:event:TYPE:vN."""
    return f"urn:ioc:event:{re.sub(r'[.]v[0-9]+$', '', event_type.ce_type)}:v{version_of(event_type.ce_type)}"


def json_schema(event_type: EventType, province: str, *, samples: Samples | None = None) -> dict[str, Any]:
    """Returns the schema of a whole event in structured mode: the CloudEvents envelope and the type's data.

    Args:
        province: first word of every source; "" leaves it open, for a schema that holds in every province.
        samples: whose communes and cameras the example names; without it and without a province there is no example.
    """
    told = samples or (Samples(province=province) if province else None)
    return {
        "$schema": DIALECT,
        "$id": schema_id(event_type),
        "title": event_type.title_en or event_type.name,
        "description": _both(event_type.description_vi or event_type.title_vi, event_type.description_en),
        "type": "object",
        "required": ["specversion", "id", "source", "type", "time", "data"],
        "properties": {
            **envelope_properties(event_type, province),
            "datacontenttype": {"type": "string"},
            "data": data_schema(event_type),
            "data_base64": {"type": "null"},
        },
        **({"examples": [told.event(event_type)]} if told else {}),
        "x-ioc-name": event_type.name,
        "x-ioc-title-vi": event_type.title_vi,
        "x-ioc-topic": event_type.topic,
        "x-ioc-partition-key": event_type.partition_key,
        "x-ioc-partitioner": "murmur2",
        "x-ioc-kind": event_type.kind,
        "x-ioc-entity": event_type.entity,
        "x-ioc-entity-key": list(event_type.entity_key),
        "x-ioc-time-field": event_type.time_field,
        "x-ioc-fact-times": list(event_type.fact_times),
        "x-ioc-not-seen-by-schema": list(NOT_SEEN),
    }


def envelope_properties(event_type: EventType, province: str) -> dict[str, Any]:
    """Returns what CloudEvents asks of an event's attributes; `province` as in `json_schema`."""
    first = province or _ANY_PROVINCE
    return {
        "specversion": {"const": "1.0"},
        "id": _identifier("The same source and id again is the same event, and counts once."),
        "source": {
            "type": "string",
            "maxLength": MAX_ID_CHARS,
            "pattern": f"^/{first}/{event_type.family}(/.*)?$",
            "not": {"pattern": _CONTROL},
        },
        "type": {"const": event_type.ce_type},
        "time": {"type": "string", "format": "date-time", "pattern": TIME_PATTERN},
    }


def data_schema(event_type: EventType, lang: Lang | None = None) -> dict[str, Any]:
    """Returns the schema of the data alone, as binary mode carries it: the fact, or the tombstone that withdraws it.

    `lang`: the language of the descriptions; both where it is not given.
    """
    required = [spec.name for spec in event_type.fields if spec.is_required]
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            **{spec.name: _field(spec, lang, is_key=spec.name in event_type.entity_key) for spec in event_type.fields},
            "deleted": {
                "type": ["boolean", "null"],
                "description": _both(
                    "true: rút lại đối tượng này; chỉ cần các trường khóa.",
                    "true withdraws the entity; only the fields of its key are needed.",
                    lang,
                ),
            },
        },
    }
    if set(required) == set(event_type.entity_key):
        return {**schema, "required": required} if required else schema
    return {
        **schema,
        "anyOf": [
            {"title": "fact", "required": required},
            {
                "title": "tombstone",
                "required": [*event_type.entity_key, "deleted"],
                "properties": {"deleted": {"const": True}},
            },
        ],
    }


def openapi_components(catalog: "Catalog") -> dict[str, Any]:
    """Returns the schemas of every event that a department may publish, for `components.schemas` of OpenAPI 3.1.

    `Event` is any of them, told apart by `type`; each other name is an event type's.
    """
    samples = Samples.of(catalog)
    own = {
        event_type.name: _component(json_schema(event_type, catalog.province, samples=samples))
        for event_type in catalog.event_types.values()
        if event_type.entity and event_type.topic in catalog.department_topics()
    }
    types = catalog.event_types
    return {
        "Event": {
            "title": "CloudEvent",
            "oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in own],
            "discriminator": {
                "propertyName": "type",
                "mapping": {types[name].ce_type: f"#/components/schemas/{name}" for name in own},
            },
        },
        **own,
    }


def _component(schema: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI names its schemas itself."""
    return {key: value for key, value in schema.items() if key not in ("$schema", "$id")}


def _field(spec: FieldSpec, lang: Lang | None, *, is_key: bool) -> dict[str, Any]:
    """What the decoder's struct asks of the field; null says "not known", but never in the entity's key."""
    schema = {"description": _both(spec.vi, spec.en, lang), **_kind(spec, is_key=is_key)}
    if spec.type != "string" or spec.enum:
        schema["x-ioc-type"] = "enum" if spec.enum else spec.type
    if is_key or (spec.type == "any" and not spec.enum):
        return schema
    if "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
    elif "anyOf" in schema:
        schema["anyOf"] = [*schema["anyOf"], {"type": "null"}]
    else:
        schema["type"] = [schema["type"], "null"]
    return schema


def _kind(spec: FieldSpec, *, is_key: bool) -> dict[str, Any]:
    if spec.enum:
        return {"enum": list(spec.enum)}
    match spec.type:
        case "integer":
            return {
                "type": "integer",
                "minimum": -LARGEST_INTEGER if spec.minimum is None else spec.minimum,
                "maximum": LARGEST_INTEGER if spec.maximum is None else spec.maximum,
            }
        case "number":
            bounds = {"minimum": spec.minimum, "maximum": spec.maximum}
            return {"type": "number", **{name: bound for name, bound in bounds.items() if bound is not None}}
        case "boolean":
            return {"type": "boolean"}
        case "time":
            return {"type": "string", "format": "date-time", "pattern": TIME_PATTERN}
        case "date":
            return {"type": "string", "format": "date", "pattern": DATE_PATTERN}
        case "date_or_time":
            return {
                "anyOf": [
                    {"type": "string", "format": "date", "pattern": DATE_PATTERN},
                    {"type": "string", "format": "date-time", "pattern": TIME_PATTERN},
                ]
            }
        case "admin_unit":
            return {"type": "string", "pattern": "^[0-9]{5}$"}
        case "list":
            return {"type": "array", "items": {"type": "string"}}
        case "any":
            return {}
        case _:
            return _identifier("") if is_key else {"type": "string"}


def _identifier(description: str) -> dict[str, Any]:
    """An id or a part of a key: some characters, none of them a control character."""
    told = {"description": description} if description else {}
    return {**told, "type": "string", "minLength": 1, "maxLength": MAX_ID_CHARS, "not": {"pattern": _CONTROL}}


def _both(vi: str, en: str, lang: Lang | None = None) -> str:
    if lang is not None:
        return vi if lang == "vi" else en
    return " · ".join(text for text in (vi, en) if text)
