"""A server within the test that speaks the gateway's contract, and errs as networks, proxies and servers do."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from aiohttp import web

__all__ = ["TOKEN", "Fault", "FaultyGateway", "broken_off", "faulty_gateway", "hanging", "lying", "saying"]

TOKEN = "ioc_motcua_0123456789abcdef"  # of this test's own server

Fault = Callable[["FaultyGateway", web.Request, list[dict[str, Any]]], Awaitable[web.StreamResponse]]
"""Answers a request in place of the gateway."""


class FaultyGateway:
    """Takes events as the gateway does, but for `faults`: one for each of the next requests."""

    def __init__(self, *faults: Fault, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.faults, self._clock = list(faults), clock
        self.tokens = {TOKEN}
        self.taken: list[tuple[str, str]] = []
        self.times: list[str] = []
        self.requested_at_s: list[float] = []
        self.url = ""

    async def on_events(self, request: web.Request) -> web.StreamResponse:
        self.requested_at_s.append(asyncio.get_running_loop().time())
        if request.headers["Authorization"].removeprefix("Bearer ") not in self.tokens:
            return web.json_response(_problem(401, "bad_token"), status=401)
        assert request.content_type == "application/cloudevents-batch+json"
        events = await request.json()
        answer = await self.faults.pop(0)(self, request, events) if self.faults else self.take(events)
        answer.headers.setdefault("Date", format_datetime(self._clock(), usegmt=True))
        return answer

    def take(self, events: list[dict[str, Any]]) -> web.Response:
        return web.json_response({"in": len(events), "results": [self._result(event) for event in events]})

    def _result(self, event: dict[str, Any]) -> dict[str, Any]:
        name = (event["source"], event["id"])
        result = {"outcome": "duplicate" if name in self.taken else "accepted", "source": name[0], "id": name[1]}
        if "dossier_id" not in event["data"]:
            told = {"reason": "missing_field", "field": "dossier_id", "message_vi": "Thiếu.", "message_en": "missing"}
            return {**result, "outcome": "rejected", **told}
        if name not in self.taken:
            self.taken.append(name)
            self.times.append(event["time"])
        return result


def _problem(status: int, reason: str) -> dict[str, Any]:
    return {"title": reason, "status": status, "reason": reason, "message_vi": "Không được.", "message_en": "no"}


def saying(status: int, **headers: str) -> Fault:
    """Only says `status`, with the gateway's own kind of body."""

    async def answer(gateway: FaultyGateway, request: web.Request, events: list[dict[str, Any]]) -> web.StreamResponse:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return web.json_response(_problem(status, "unavailable"), status=status, headers=named)

    return answer


def lying(change: Callable[[dict[str, Any]], Any]) -> Fault:
    """Takes the events and answers 200 with something else: `change` gets the true answer."""

    async def answer(gateway: FaultyGateway, request: web.Request, events: list[dict[str, Any]]) -> web.StreamResponse:
        true = json.loads(gateway.take(events).body)  # type: ignore[arg-type]  # bytes, as json_response makes it
        changed = change(true)
        text = changed if isinstance(changed, str) else json.dumps(changed)
        return web.Response(text=text, content_type="text/html" if isinstance(changed, str) else "application/json")

    return answer


async def hanging(gateway: FaultyGateway, request: web.Request, events: list[dict[str, Any]]) -> web.StreamResponse:
    """Takes the events and never answers."""
    gateway.take(events)
    await asyncio.Event().wait()
    raise AssertionError


async def broken_off(gateway: FaultyGateway, request: web.Request, events: list[dict[str, Any]]) -> web.StreamResponse:
    """Takes the events and cuts the connection in the middle of the answer."""
    gateway.take(events)
    answer = web.StreamResponse(headers={"Content-Length": "1000"})
    await answer.prepare(request)
    await answer.write(b'{"results":[')
    assert request.transport is not None
    request.transport.abort()
    return answer


@asynccontextmanager
async def faulty_gateway(
    *faults: Fault, port: int = 0, tls: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[FaultyGateway]:
    gateway = FaultyGateway(*faults, **options)
    app = web.Application()
    app.router.add_post("/v1/events", gateway.on_events)
    app.router.add_get("/readyz", _well)
    app.router.add_get("/v1/types", _well)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls)
    await site.start()
    gateway.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield gateway
    finally:
        await runner.cleanup()


async def _well(request: web.Request) -> web.Response:
    return web.json_response({"ready": True})
