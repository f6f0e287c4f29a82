"""A request to an ASGI application without a socket, and the routers' services without Kafka."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import APIRouter

from ioc.gateway.app import build_api
from ioc.publishing import Outgoing

__all__ = ["Answer", "RememberingCarrier", "answer_of", "ask", "scope_of"]


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


def scope_of(method: str, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """The ASGI scope of a request."""
    path, _, query = path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8080),
    }


async def answer_of(application: Any, scope: dict[str, Any], receive: Any) -> Answer:
    """Returns what an ASGI application answers."""
    sent: list[Mapping[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await application(scope, receive, send)
    return Answer(
        status=sent[0]["status"],
        headers={name.decode(): value.decode() for name, value in sent[0]["headers"]},
        body=b"".join(message.get("body", b"") for message in sent[1:]),
    )


def ask(
    router: APIRouter, method: str, path: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Answer:
    """Returns the answer of the gateway's FastAPI part over `router`."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return asyncio.run(answer_of(build_api([router]), scope_of(method, path, headers or {}), receive))
