"""A request to an ASGI application without a socket, and the routers' services without Kafka."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import APIRouter

from ioc.gateway.app import build_api
from ioc.publishing import Outgoing

__all__ = ["Answer", "RememberingCarrier", "ask"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


class RememberingCarrier:
    """Kafka for these tests: everything is acknowledged, or `error` is raised."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []
        self.error: Exception | None = None

    async def carry(self, records: Sequence[Outgoing], *, timeout_s: float) -> None:
        if self.error is not None:
            raise self.error
        self.records += records


def ask(
    router: APIRouter, method: str, path: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Answer:
    """Returns the answer of the gateway's FastAPI part over `router`."""
    path, _, query = path.partition("?")
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8080),
    }
    sent: list[Mapping[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(build_api([router])(scope, receive, send))
    return Answer(
        status=sent[0]["status"],
        headers={name.decode(): value.decode() for name, value in sent[0]["headers"]},
        body=b"".join(message.get("body", b"") for message in sent[1:]),
    )
