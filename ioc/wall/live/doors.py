"""The wall's other addresses: thumbnails, style and script, health and metrics; and the headers of every answer."""

import hashlib
import json
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ioc.wall.live.hub import Hub
from ioc.wall.live.palette import css_variables
from ioc.wall.live.told import as_json

__all__ = ["HubMetrics", "SafeHeaders", "assets", "head_of", "routes"]

_FOLDER = Path(__file__).parent / "assets"
# NiceGUI writes its page's start as an inline script and compiles Vue's templates in the browser: both exceptions are
# the library's. Whatever a page may be made to hold, nothing is fetched from another host.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = [
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
]


class SafeHeaders:
    """ASGI middleware: adds our security headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        await self._app(scope, receive, with_headers)


def assets() -> dict[str, tuple[str, bytes]]:
    """Returns (media type, bytes) by name. A name holds the digest of its bytes, so that it may be cached for good."""
    style = css_variables() + (_FOLDER / "wall.css").read_text(encoding="utf-8")
    script = (_FOLDER / "wall.js").read_text(encoding="utf-8")
    found = {}
    for kind, media, text in (("css", "text/css", style), ("js", "text/javascript", script)):
        body = text.encode()
        found[f"wall-{hashlib.sha256(body).hexdigest()[:12]}.{kind}"] = (media, body)
    return found


def head_of(names: Sequence[str]) -> str:
    """Returns the links of these assets for a page's head."""
    return "".join(
        f'<link rel="stylesheet" href="/assets/{name}">'
        if name.endswith(".css")
        else f'<script defer src="/assets/{name}"></script>'
        for name in names
    )


class HubMetrics(Collector):
    """The wall's own metrics."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def collect(self) -> Any:
        yield GaugeMetricFamily("ioc_wall_viewers", "Pages that are open", value=self._hub.viewers)
        yield CounterMetricFamily("ioc_wall_thumbnails", "Thumbnails made", value=self._hub.thumbnails)
        blind = GaugeMetricFamily("ioc_wall_part_blind", "1 while a part of the wall is not heard", labels=["part"])
        for name, part in self._hub.snapshot.parts.items():
            blind.add_metric([name], float(part.is_blind))
        yield blind


def routes(hub: Hub, files: MutableMapping[str, tuple[str, bytes]], is_ready: Callable[[], bool]) -> list[Route]:
    """Returns the routes, to stand before NiceGUI's."""
    registry = CollectorRegistry()
    registry.register(HubMetrics(hub))
    immutable = {"Cache-Control": "private, max-age=86400, immutable"}

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        parts = {name: part.trouble or "ok" for name, part in hub.snapshot.parts.items()}
        ready = is_ready()
        body = json.dumps({"ready": ready, "parts": parts})
        return Response(body, status_code=200 if ready else 503, media_type="application/json")

    async def told(_: Request) -> Response:
        return Response(
            orjson.dumps(as_json(hub.snapshot)), media_type="application/json", headers={"Cache-Control": "no-store"}
        )

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def asset(request: Request) -> Response:
        found = files.get(request.path_params["name"])
        if found is None:
            return PlainTextResponse("no such file\n", status_code=404)
        return Response(found[1], media_type=found[0], headers=immutable)

    async def thumb(request: Request) -> Response:
        jpeg = hub.board.jpeg(request.path_params["camera"], request.path_params["picture"])
        if jpeg is None:
            return PlainTextResponse("no such picture any more\n", status_code=404)
        return Response(jpeg, media_type="image/jpeg", headers=immutable)

    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
        Route("/v1/wall", told),
        Route("/assets/{name}", asset),
        Route("/thumb/{camera}/{picture}.jpg", thumb),
    ]
