"""The gateway's OpenAPI 3.1: FastAPI's own, and the hot paths, which FastAPI does not see."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from ioc.catalog import Catalog
from ioc.contracts import openapi_components
from ioc.gateway.reading import MAX_BATCH_EVENTS

__all__ = ["describe"]

_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_RETRY = {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}
_LANGUAGE = {
    "name": "Accept-Language",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "example": "vi"},
    "description": "vi (the default) or en: language of `message` and `detail`",
}


def describe(api: FastAPI, catalog: Catalog) -> dict[str, Any]:
    """Returns the whole document."""
    document = get_openapi(
        title="IOC gateway",
        version=api.version,
        description="Cổng nhận sự kiện của các đơn vị. The departments' door for events (CloudEvents 1.0).",
        routes=api.routes,
    )
    components = document.setdefault("components", {})
    components["securitySchemes"] = {
        **components.get("securitySchemes", {}),
        "token": {"type": "http", "scheme": "bearer", "description": "ioc gateway token issue NAME"},
    }
    components["schemas"] = {
        **components.get("schemas", {}),
        **openapi_components(catalog),
        "Problem": _problem(),
        "Result": _result(),
        "Answer": _answer(),
    }
    document["paths"]["/v1/events"] = {"post": _post(is_sandbox=False)}
    document["paths"]["/v1/sandbox/events"] = {"post": _post(is_sandbox=True)}
    document["paths"] = dict(sorted(document["paths"].items()))
    return document


def _post(*, is_sandbox: bool) -> dict[str, Any]:
    event = {"$ref": "#/components/schemas/Event"}
    return {
        "tags": ["events"],
        "operationId": "try_events" if is_sandbox else "publish_events",
        "summary": "Judge events; nothing is published" if is_sandbox else "Publish events",
        "description": (
            "Thử: trả lời như thật nhưng không ghi gì. The same judgement, and where each event would go."
            if is_sandbox
            else "Trả lời sau khi Kafka xác nhận; gửi lại cùng id không bị tính hai lần. "
            "Answers after the broker's acknowledgement; a repeat of the same source and id counts once."
        ),
        "security": [{"token": []}],
        "parameters": [_LANGUAGE],
        "requestBody": {
            "required": True,
            "content": {
                "application/cloudevents+json": {"schema": event},
                "application/cloudevents-batch+json": {
                    "schema": {"type": "array", "items": event, "maxItems": MAX_BATCH_EVENTS}
                },
                "application/x-ndjson": {"schema": {"type": "string", "description": "one event a line"}},
                "application/json": {
                    "schema": {
                        "description": "an event, a list of them, or with `ce-` headers the data of one event",
                        "oneOf": [event, {"type": "array", "items": event, "maxItems": MAX_BATCH_EVENTS}],
                    }
                },
            },
        },
        "responses": {
            "200": _answered("every event has its result; a single one was known already, or is only judged"),
            "202": _answered("the event is in Kafka"),
            "400": _refused("the body is not JSON, or not valid gzip"),
            "401": {
                **_refused("no valid token"),
                "headers": {"WWW-Authenticate": {"schema": {"type": "string"}}},
            },
            "403": _either("the event is not the department's to tell, or the department is unknown"),
            "408": _refused("the body came too slowly"),
            "413": _refused("the body is too large"),
            "415": _refused("a content type or encoding that is not taken"),
            "422": _answered("the event was rejected: `reason`, `field` and `message` say why"),
            "429": {**_refused("more events a second than the department may send"), "headers": _RETRY},
            "503": {**_refused("Kafka is away, or the gateway is full: send it all again"), "headers": _RETRY},
        },
    }


def _answered(description: str) -> dict[str, Any]:
    answer = {"schema": {"$ref": "#/components/schemas/Answer"}}
    return {"description": description, "content": {"application/json": answer}}


def _refused(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/problem+json": {"schema": _PROBLEM}}}


def _either(description: str) -> dict[str, Any]:
    return {"description": description, "content": {**_answered("")["content"], **_refused("")["content"]}}


def _problem() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "type": "object",
        "description": "RFC 9457",
        "required": ["type", "title", "status", "detail", "reason", "field", "message_vi", "message_en"],
        "properties": {
            "type": text,
            "title": text,
            "status": {"type": "integer"},
            "detail": text,
            "reason": {"type": "string", "description": "a stable code"},
            "field": text,
            "message_vi": text,
            "message_en": text,
        },
    }


def _result() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "type": "object",
        "required": ["index", "outcome", "source", "id"],
        "properties": {
            "index": {"type": "integer", "minimum": 0, "description": "place in the request, from 0"},
            "outcome": {"enum": ["accepted", "duplicate", "rejected"]},
            "source": text,
            "id": text,
            "reason": {"type": "string", "description": "of a rejected event, like missing_field"},
            "field": text,
            "message": text,
            "message_vi": text,
            "message_en": text,
            "topic": {"type": "string", "description": "in the sandbox: where it would go"},
            "key": {"type": "string", "description": "in the sandbox: its record key"},
        },
    }


def _answer() -> dict[str, Any]:
    count = {"type": "integer", "minimum": 0}
    return {
        "type": "object",
        "required": ["in", "accepted", "duplicate", "rejected", "results"],
        "properties": {
            "in": count,
            "accepted": count,
            "duplicate": count,
            "rejected": count,
            "results": {"type": "array", "items": {"$ref": "#/components/schemas/Result"}},
        },
    }
