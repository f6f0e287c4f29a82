"""`GET /live`: server-sent events. `change`: look again; `tick`: all is as it was. Silence: the page is old."""

from contextlib import suppress

import orjson
from aiohttp import web

from ioc.oncall.accounts import Visitor
from ioc.oncall.pages import SECURITY_HEADERS
from ioc.oncall.web_site import MUTE_COOKIE, Site

__all__ = ["add_live"]

TICK_S = 10.0
MAX_PAGES = 500
MAX_SILENCE_S = 15.0  # a loop that no longer looks must not say that all is well


def add_live(app: web.Application, site: Site) -> None:
    app.router.add_get("/live", _Stream(site).get)


class _Stream:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._open = 0

    async def get(self, request: web.Request) -> web.StreamResponse:
        visitor = await self._site.visitor(request)
        if visitor is None:
            return web.Response(status=401, text="401\n")
        if self._open >= MAX_PAGES:
            return web.Response(status=503, text="503 too many open pages\n")
        response = web.StreamResponse(
            headers={**SECURITY_HEADERS, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        )
        await response.prepare(request)
        self._open += 1
        try:
            with suppress(ConnectionError):  # the page was closed
                await self._tell(request, response, visitor)
        finally:
            self._open -= 1
        return response

    async def _tell(self, request: web.Request, response: web.StreamResponse, visitor: Visitor) -> None:
        live = self._site.live
        seen = live.version
        await response.write(b"retry: 3000\n" + await self._event(request, visitor, "tick", seen))
        while True:
            version = await live.wait(seen, TICK_S)
            name = "change" if version != seen else "tick"
            if name == "tick" and await self._site.visitor(request) is None:
                await response.write(b"event: ended\ndata: {}\n\n")
                return
            seen = version
            if (self._site.doors.desk.now() - live.alive_at).total_seconds() < MAX_SILENCE_S:
                await response.write(await self._event(request, visitor, name, seen))

    async def _event(self, request: web.Request, visitor: Visitor, name: str, version: int) -> bytes:
        opening = await self._site.live.newest_opening(visitor.units)
        status = await self._site.live.status()
        data = {
            "version": version,
            "now": int(self._site.doors.desk.now().timestamp() * 1000),
            "opened": int(opening.timestamp() * 1000) if opening else 0,
            "muted": request.cookies.get(MUTE_COOKIE, "") == status.shift.name,
        }
        return f"event: {name}\ndata: {orjson.dumps(data).decode()}\n\n".encode()
