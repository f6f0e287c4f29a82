"""GET /v1/types: what a department may publish, as JSON Schema; and the gateway's health, figures and OpenAPI."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from ioc.catalog import Catalog
from ioc.contracts import json_schema
from ioc.gateway.problems import PROBLEM_TYPE, Problem

__all__ = ["status_router", "types_router"]


_NOT_FOUND: dict[int | str, dict[str, Any]] = {
    304: {"description": "as the ETag says"},
    404: {
        "description": "no such event type",
        "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    },
}


class _PrometheusText(Response):
    """Names the content type in the description."""

    media_type = "text/plain"


def types_router(catalog: Catalog) -> APIRouter:
    """The event types' routes; answers are made once, and carry an ETag."""
    router = APIRouter(prefix="/v1/types", tags=["types"])
    topics = set(catalog.department_topics())
    own = [kind for kind in catalog.event_types.values() if kind.entity and kind.topic in topics]
    schemas = {kind.name: _Document(json_schema(kind, catalog.province), "application/schema+json") for kind in own}
    index = _Document(
        {
            "types": [
                {
                    "name": kind.name,
                    "type": kind.ce_type,
                    "source": f"/{catalog.province}/{kind.family}",
                    "entity": kind.entity,
                    "schema": f"/v1/types/{kind.name}",
                }
                for kind in own
            ]
        },
        "application/json",
    )

    @router.get("", summary="Every event type that departments may publish")
    async def types(request: Request) -> Response:
        return index.answer(request)

    @router.get("/{name}", summary="The JSON Schema of one event type", responses=_NOT_FOUND)
    async def type_(name: str, request: Request) -> Response:
        found = schemas.get(name)
        if found is None:
            raise Problem(
                404,
                "unknown_type",
                field="name",
                vi="Không có loại sự kiện này; xem danh sách ở /v1/types.",
                en="no such event type; see /v1/types for those there are",
            )
        return found.answer(request)

    return router


class _Document:
    """A JSON text that never changes while the gateway runs."""

    def __init__(self, content: dict[str, Any], media_type: str) -> None:
        self._body, self._media_type = orjson.dumps(content), media_type
        self._etag = f'"{hashlib.sha256(self._body).hexdigest()[:16]}"'

    def answer(self, request: Request) -> Response:
        headers = {"ETag": self._etag, "Cache-Control": "no-cache"}
        if self._etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(self._body, headers=headers, media_type=self._media_type)


def status_router(
    readiness: Callable[[], Awaitable[dict[str, str]]],
    *,
    registry: CollectorRegistry,
    openapi: Callable[[], dict[str, Any]],
) -> APIRouter:
    """`/healthz`, `/readyz`, `/metrics` and `/openapi.json`."""
    router = APIRouter(tags=["operation"])

    @router.get("/healthz", summary="The process answers")
    async def healthz() -> Response:
        return Response(b'{"status":"ok"}', media_type="application/json")

    @router.get("/readyz", summary="The gateway can do its work")
    async def readyz() -> Response:
        missing = await readiness()
        body = {"status": "unready" if missing else "ready", "missing": missing}
        return Response(orjson.dumps(body), status_code=503 if missing else 200, media_type="application/json")

    @router.get("/metrics", summary="For Prometheus", response_class=_PrometheusText)
    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    @router.get("/openapi.json", summary="This description", include_in_schema=False)
    async def openapi_json() -> Response:
        return Response(orjson.dumps(openapi()), media_type="application/json")

    return router
