"""An event type as a page of text for a person. Pure."""

import json
from collections.abc import Iterable
from typing import Literal

from ioc.contracts import Samples
from ioc.event_types import EventType, FieldSpec

__all__ = ["list_of", "page_of"]

_WORDS = {
    "vi": {
        "sender": "đơn vị gửi",
        "key": "khóa bản ghi",
        "entity": "đối tượng",
        "time": "thời gian xếp thứ tự",
        "ce_time": "time của CloudEvents",
        "field": "TRƯỜNG",
        "type": "KIỂU",
        "needed": "BẮT BUỘC",
        "meaning": "Ý NGHĨA",
        "yes": "có",
        "example": "Ví dụ",
        "or": "hoặc",
    },
    "en": {
        "sender": "published by",
        "key": "record key",
        "entity": "entity",
        "time": "ordered by",
        "ce_time": "CloudEvents time",
        "field": "FIELD",
        "type": "TYPE",
        "needed": "REQUIRED",
        "meaning": "MEANING",
        "yes": "yes",
        "example": "Example",
        "or": "or",
    },
}


def list_of(event_types: Iterable[EventType], lang: Literal["vi", "en"]) -> str:
    """Returns one line for each type: name, topic, title."""
    rows = [(t.name, t.topic, t.title_vi if lang == "vi" else t.title_en) for t in event_types]
    widths = [max((len(row[place]) for row in rows), default=0) for place in range(2)]
    return "\n".join(f"{name:{widths[0]}}  {topic:{widths[1]}}  {title}".rstrip() for name, topic, title in rows)


def page_of(event_type: EventType, samples: Samples, lang: Literal["vi", "en"]) -> str:
    """Returns the type's page: heads, a table of its fields, and one event in structured mode."""
    words = _WORDS[lang]
    title = event_type.title_vi if lang == "vi" else event_type.title_en
    described = event_type.description_vi if lang == "vi" else event_type.description_en
    order = words["ce_time"] if event_type.time_field == "ce_time" else event_type.time_field
    heads = [
        ("type", event_type.ce_type),
        ("topic", event_type.topic),
        ("source", f"/{samples.province}/{event_type.family} {words['or']} /{samples.province}/{event_type.family}/…"),
        (words["sender"], event_type.department),
        (words["key"], f"{event_type.partition_key} (murmur2)"),
        (words["entity"], f"{event_type.entity} ({', '.join(event_type.entity_key)})" if event_type.entity else "—"),
        (words["time"], order),
    ]
    width = max(len(name) for name, _ in heads)
    rows = [(words["field"], words["type"], words["needed"], words["meaning"])]
    rows += [
        (spec.name, _kind(spec), words["yes"] if spec.is_required else "", spec.vi if lang == "vi" else spec.en)
        for spec in event_type.fields
    ]
    widths = [max(len(row[place]) for row in rows) for place in range(3)]
    table = ["  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[3]]) for row in rows]
    return "\n".join(
        [
            f"{event_type.name} — {title or event_type.name}",
            *([described] if described else []),
            "",
            *(f"  {name.ljust(width)}  {value}" for name, value in heads),
            "",
            *(f"  {line}".rstrip() for line in table),
            "",
            f"{words['example']}:",
            json.dumps(samples.event(event_type), ensure_ascii=False, indent=2),
        ]
    )


def _kind(spec: FieldSpec) -> str:
    if spec.enum:
        return " | ".join(map(str, spec.enum))
    bounds = {
        (True, True): f" {spec.minimum}…{spec.maximum}",
        (True, False): f" ≥ {spec.minimum}",
        (False, True): f" ≤ {spec.maximum}",
    }
    return spec.type + bounds.get((spec.minimum is not None, spec.maximum is not None), "")
