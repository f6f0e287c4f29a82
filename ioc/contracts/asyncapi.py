"""One AsyncAPI 3.0 document of everything that departments publish on Kafka, from the catalogue. Pure.

https://www.asyncapi.com/docs/reference/specification/v3.0.0; Kafka bindings 0.5.0. The operations are the department's:
it sends.
"""

import re
from collections.abc import Mapping
from typing import Any

from ioc.catalog import Catalog
from ioc.contracts.samples import SAMPLE_TIME, Samples
from ioc.contracts.schema import Lang, data_schema, envelope_properties
from ioc.event_types import EventType

__all__ = ["asyncapi_document"]

_KAFKA_BINDING = "0.5.0"
_TEXTS = {
    "title": {"vi": "Luồng dữ liệu IOC — {}", "en": "IOC streams — {}"},
    "description": {
        "vi": "Các sự kiện mà sở, ngành, xã gửi vào Kafka của Trung tâm giám sát, điều hành thông minh. Mỗi sự kiện là "
        "CloudEvents 1.0: kiểu binary (thuộc tính ở header `ce_`, dữ liệu ở giá trị) hoặc structured "
        "(`application/cloudevents+json`). Khóa bản ghi là trường ghi trong `bindings.kafka.key`, phân vùng bằng "
        "murmur2.",
        "en": "The events that departments and communes publish on the Kafka of the Intelligent Operations Centre. "
        "Each is a CloudEvents 1.0 event: binary mode (attributes in `ce_` headers, the data in the value) or "
        "structured mode (`application/cloudevents+json`). The record's key is the field named in "
        "`bindings.kafka.key`, partitioned by murmur2.",
    },
    "production": {"vi": "Kafka của tỉnh (SASL_SSL)", "en": "the province's Kafka (SASL_SSL)"},
    "demo": {"vi": "Kafka của `ioc demo`, trên máy này", "en": "the Kafka of `ioc demo`, on this machine"},
    "host": {"vi": "địa chỉ do quản trị Kafka cấp", "en": "as the Kafka administrator tells it"},
    "security": {"vi": "tài khoản của đơn vị (SCRAM-SHA-256)", "en": "the department's account (SCRAM-SHA-256)"},
    "send": {"vi": "Gửi {} vào {}", "en": "Send {} to {}"},
    "binary": {"vi": "kiểu binary", "en": "binary mode"},
    "structured": {"vi": "kiểu structured", "en": "structured mode"},
    "key": {"vi": "khóa bản ghi: {}", "en": "record key: {}"},
    "deleted": {
        "vi": "Thêm `deleted: true` để rút lại đối tượng.",
        "en": "With `deleted: true` it withdraws its entity.",
    },
}


def asyncapi_document(catalog: Catalog, lang: Lang = "vi") -> dict[str, Any]:
    """Returns the document; its people-facing texts are in `lang`."""
    samples = Samples.of(catalog)
    types = [t for t in catalog.event_types.values() if t.entity and t.topic in catalog.department_topics()]
    channels = {
        topic: _channel(catalog, topic, [t for t in types if t.topic == topic], lang)
        for topic in catalog.department_topics()
    }
    messages: dict[str, Any] = {}
    for event_type in types:
        tags = _tags(catalog, event_type, lang)
        messages[event_type.name] = _binary(event_type, samples, tags, lang)
        messages[f"{event_type.name}.structured"] = _structured(event_type, samples, tags, lang)
    name = catalog.name_vi if lang == "vi" else catalog.name_en
    return {
        "asyncapi": "3.0.0",
        "id": f"urn:ioc:{catalog.province}:events",
        "info": {
            "title": _TEXTS["title"][lang].format(name),
            "version": "1.0.0",
            "description": _TEXTS["description"][lang],
            "tags": [
                {"name": publisher.name, "description": publisher.title_vi if lang == "vi" else publisher.title_en}
                for publisher in catalog.publishers.values()
            ],
        },
        "defaultContentType": "application/json",
        "servers": _servers(lang),
        "channels": channels,
        "operations": {f"send.{t.name}": _operation(t, _tags(catalog, t, lang), lang) for t in types},
        "components": {
            "messages": messages,
            "schemas": {t.name: data_schema(t, lang) for t in types},
            "securitySchemes": {
                "scram": {"type": "scramSha256", "description": _TEXTS["security"][lang]},
            },
        },
    }


def _servers(lang: Lang) -> dict[str, Any]:
    return {
        "production": {
            "host": "{broker}",
            "protocol": "kafka-secure",
            "description": _TEXTS["production"][lang],
            "variables": {"broker": {"default": "kafka.invalid:9093", "description": _TEXTS["host"][lang]}},
            "security": [{"$ref": "#/components/securitySchemes/scram"}],
        },
        "demo": {"host": "127.0.0.1:9092", "protocol": "kafka", "description": _TEXTS["demo"][lang]},
    }


def _channel(catalog: Catalog, topic: str, types: list[EventType], lang: Lang) -> dict[str, Any]:
    retention_ms = next(int(spec.config["retention.ms"]) for spec in catalog.topics() if spec.name == topic)
    return {
        "address": topic,
        "title": topic,
        "description": "; ".join(_title(event_type, lang) for event_type in types),
        "messages": {
            _message_id(name): {"$ref": f"#/components/messages/{name}"}
            for event_type in types
            for name in (event_type.name, f"{event_type.name}.structured")
        },
        "bindings": {
            "kafka": {
                "topic": topic,
                "partitions": catalog.partitions,
                "topicConfiguration": {"cleanup.policy": ["delete"], "retention.ms": retention_ms},
                "bindingVersion": _KAFKA_BINDING,
            }
        },
    }


def _operation(event_type: EventType, tags: list[dict[str, str]], lang: Lang) -> dict[str, Any]:
    place = f"#/channels/{event_type.topic}"
    names = (event_type.name, f"{event_type.name}.structured")
    return {
        "action": "send",
        "channel": {"$ref": place},
        "title": _title(event_type, lang),
        "summary": _TEXTS["send"][lang].format(event_type.name, event_type.topic),
        "description": _described(event_type, lang),
        "tags": tags,
        "messages": [{"$ref": f"{place}/messages/{_message_id(name)}"} for name in names],
    }


def _binary(event_type: EventType, samples: Samples, tags: list[dict[str, str]], lang: Lang) -> dict[str, Any]:
    event = samples.event(event_type)
    attributes = ("specversion", "id", "source", "type", "time")
    return {
        **_message(event_type, tags, lang, "binary"),
        "contentType": "application/json",
        "headers": _headers(envelope_properties(event_type, samples.province)),
        "payload": {"$ref": f"#/components/schemas/{event_type.name}"},
        "examples": [
            {
                "name": event_type.name.replace(".", "-"),
                "headers": {**{f"ce_{name}": event[name] for name in attributes}, "content-type": "application/json"},
                "payload": event["data"],
            }
        ],
    }


def _structured(event_type: EventType, samples: Samples, tags: list[dict[str, str]], lang: Lang) -> dict[str, Any]:
    properties = envelope_properties(event_type, samples.province)
    return {
        **_message(event_type, tags, lang, "structured"),
        "contentType": "application/cloudevents+json",
        "headers": {
            "type": "object",
            "properties": {"content-type": {"type": "string", "pattern": "^application/cloudevents\\+json"}},
        },
        "payload": {
            "type": "object",
            "required": ["specversion", "id", "source", "type", "time", "data"],
            "properties": {**properties, "data": {"$ref": f"#/components/schemas/{event_type.name}"}},
        },
        "examples": [{"name": f"{event_type.name.replace('.', '-')}-structured", "payload": samples.event(event_type)}],
    }


def _message(event_type: EventType, tags: list[dict[str, str]], lang: Lang, mode: str) -> dict[str, Any]:
    return {
        "name": event_type.ce_type,
        "title": f"{_title(event_type, lang)} ({_TEXTS[mode][lang]})",
        "summary": event_type.description_vi if lang == "vi" else event_type.description_en,
        "description": _described(event_type, lang),
        "tags": tags,
        "bindings": {
            "kafka": {
                "key": {
                    "type": "string",
                    "description": _TEXTS["key"][lang].format(event_type.partition_key),
                },
                "bindingVersion": _KAFKA_BINDING,
            }
        },
    }


def _headers(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The CloudEvents attributes as Kafka headers; `ce_time` may be left out where the fact tells its own time."""
    names = ("specversion", "id", "source", "type", "time")
    return {
        "type": "object",
        "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type"],
        "properties": {
            **{f"ce_{name}": properties[name] for name in names},
            "content-type": {"type": "string", "examples": ["application/json"]},
        },
        "examples": [{"ce_time": SAMPLE_TIME}],
    }


def _tags(catalog: Catalog, event_type: EventType, lang: Lang) -> list[dict[str, str]]:
    """The departments that may publish the type."""
    return [
        {"name": publisher.name, "description": publisher.title_vi if lang == "vi" else publisher.title_en}
        for publisher in catalog.publishers.values()
        if event_type in publisher.own_types({event_type.name: event_type})
    ]


def _title(event_type: EventType, lang: Lang) -> str:
    return (event_type.title_vi if lang == "vi" else event_type.title_en) or event_type.name


def _described(event_type: EventType, lang: Lang) -> str:
    own = event_type.description_vi if lang == "vi" else event_type.description_en
    return f"{own} {_TEXTS['deleted'][lang]}".strip()


def _message_id(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)
