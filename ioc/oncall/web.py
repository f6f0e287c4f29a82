"""The HTTP door of on-call: health, metrics, runbooks, pictures, the list of incidents; and the operators' pages."""

import asyncio
import hmac
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from importlib.resources import files
from typing import Any

import orjson
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from ioc.errors import InvalidRecord, TransientError
from ioc.incidents import runbook_of
from ioc.oncall.accounts import Accounts, Visitor
from ioc.oncall.pages import SECURITY_HEADERS, runbook_page, static_file
from ioc.oncall.store import InboxRow, Tally
from ioc.oncall.store_reading import InboxFilter
from ioc.oncall.web_doors import Doors
from ioc.oncall.web_inbox import add_inbox
from ioc.oncall.web_incident import add_incident
from ioc.oncall.web_live import add_live
from ioc.oncall.web_people import add_people
from ioc.oncall.web_shift import add_shift
from ioc.oncall.web_sign_in import add_sign_in
from ioc.oncall.web_site import LANGUAGE_COOKIE, YEAR_S, Answered, Site, html

__all__ = ["Doors", "build_web", "runbook_markdown"]

logger = logging.getLogger(__name__)

MAX_LISTED = 1000
_KIND = re.compile(r"[a-z][a-z0-9_-]{0,63}", re.ASCII)  # alerts of metrics write their runbooks with dashes
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_JPEG_START = b"\xff\xd8\xff"
_LASTING = "public, max-age=3600"


def runbook_markdown(kind: str) -> str | None:
    """The runbook of a kind of incident, None where there is none. The files are package data of `ioc.oncall`."""
    if not _KIND.fullmatch(kind):
        return None
    try:
        return (files("ioc.oncall") / "runbooks" / f"{runbook_of(kind)}.md").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def build_web(doors: Doors, *, accounts: Accounts | None = None) -> web.Application:
    """Returns the application; nothing listens yet."""
    app = web.Application(middlewares=[_shielded], client_max_size=64 * 1024)
    site = Site(doors, accounts)
    handlers = _Handlers(doors, site)
    app.router.add_get("/style.css", _static("oncall.css", "text/css"))
    app.router.add_get("/oncall.js", _static("oncall.js", "text/javascript"))
    app.router.add_get("/favicon.svg", _static("favicon.svg", "image/svg+xml"))
    app.router.add_get("/healthz", handlers.healthz)
    app.router.add_get("/readyz", handlers.readyz)
    app.router.add_get("/metrics", handlers.metrics)
    app.router.add_get("/runbooks/{kind}", handlers.runbook)
    app.router.add_get("/evidence/{sha256}", handlers.evidence)
    app.router.add_get("/api/incidents", handlers.incidents)
    add_incident(app, site, runbook_markdown)
    for add in (add_inbox, add_live, add_shift, add_people, add_sign_in):
        add(app, site)

    async def looking(_: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(site.live.run(), name="live pages")
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    app.cleanup_ctx.append(looking)
    return app


@web.middleware
async def _shielded(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Puts the security headers on every answer; a broken database is 503, told without its inside."""
    try:
        response = await handler(request)
    except Answered as answered:
        response = answered.response
    except web.HTTPException as error:
        response = web.Response(status=error.status, text=f"{error.status} {error.reason}\n")
    except (SQLAlchemyError, TransientError) as error:
        logger.error("%s: %s", request.path, error)
        response = web.Response(status=503, text="503 try again in a moment\n")
    if not response.prepared:
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        asked = request.query.get("lang")
        if asked in ("vi", "en") and response.content_type == "text/html":
            response.set_cookie(LANGUAGE_COOKIE, asked, max_age=YEAR_S, httponly=True, samesite="Lax", path="/")
    return response


def _static(name: str, content_type: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(
            body=static_file(name), content_type=content_type, charset="utf-8", headers={"Cache-Control": _LASTING}
        )

    return answer


class _Handlers:
    def __init__(self, doors: Doors, site: Site) -> None:
        self._doors = doors
        self._site = site

    async def healthz(self, _: web.Request) -> web.Response:
        trouble = self._doors.liveness()
        return web.Response(status=503 if trouble else 200, text=(trouble or "ok") + "\n")

    async def readyz(self, _: web.Request) -> web.Response:
        troubles = await self._doors.readiness()
        is_ready = not any(troubles.values())
        parts = {name: trouble or "ok" for name, trouble in troubles.items()}
        return _json({"ready": is_ready, "parts": parts}, status=200 if is_ready else 503)

    async def metrics(self, _: web.Request) -> web.Response:
        self._doors.metrics.show(await self._doors.store.tally())
        text = generate_latest(self._doors.metrics.registry)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def runbook(self, request: web.Request) -> web.Response:
        """Open to all: no datum of an incident is in it, and who was called reads it without signing in."""
        kind = request.match_info["kind"]
        markdown = runbook_markdown(kind)
        if markdown is None:
            raise web.HTTPNotFound
        visitor = await self._site.visitor(request) or Visitor()
        frame = await self._site.frame(request, visitor)
        return html(runbook_page(kind, markdown, language=frame.language, frame=frame))

    async def evidence(self, request: web.Request) -> web.Response:
        """Open to who holds the address: it names 256 bits of the picture itself, and notices carry it to phones."""
        sha256 = request.match_info["sha256"]
        if not _SHA256.fullmatch(sha256):
            raise web.HTTPNotFound
        try:
            jpeg = await asyncio.to_thread(self._doors.evidence.get, f"evidence://sha256/{sha256}")
        except InvalidRecord:
            raise web.HTTPNotFound from None
        if not jpeg.startswith(_JPEG_START):
            raise web.HTTPNotFound
        cache = {"Cache-Control": "private, max-age=86400, immutable"}  # the address names the content
        return web.Response(body=jpeg, content_type="image/jpeg", headers=cache)

    async def incidents(self, request: web.Request) -> web.Response:
        visitor = await self._site.visitor(request) or self._machine(request)
        if visitor is None:
            return _json({"error": "sign in first, or show oncall_read_token as a bearer token"}, status=401)
        limit = _number(request, "limit", default=200, low=1, high=MAX_LISTED)
        states = tuple(request.query.getall("state", ()))
        if states:  # the gravest first: what is open is never pushed out by what is newer
            wanted = InboxFilter(states=states, scope=visitor.units)
            rows = list((await self._doors.store.inbox(wanted, limit=limit)).rows)
        else:
            rows = [row for row in await self._doors.store.newest(limit=limit) if _sees(visitor, row)]
        listed: dict[str, Any] = {"incidents": [_incident_json(row) for row in rows]}
        if "*" not in visitor.units:
            return _json(listed)  # the totals are the province's
        tally = await self._doors.store.tally()
        failures = [
            {"incident_id": incident, "channel": channel, "error": error}
            for incident, channel, error in await self._doors.store.failures(limit=20)
        ]
        return _json(_tally_json(tally) | {"failures": failures} | listed)

    def _machine(self, request: web.Request) -> Visitor | None:
        """The wall and the report: they read everything and do nothing."""
        token, shown = self._doors.read_token, request.headers.get("Authorization", "").removeprefix("Bearer ")
        return Visitor() if token and hmac.compare_digest(shown.encode(), token.encode()) else None


def _sees(visitor: Visitor, row: InboxRow) -> bool:
    return "*" in visitor.units or not row.unit or row.unit in visitor.units


def _incident_json(row: InboxRow) -> dict[str, object]:
    return {
        **row.payload,
        "alerted_at": _iso(row.alerted_at),
        "first_notified_at": _iso(row.first_notified_at),
        "oncall_state": row.life.state,  # `state` is what the source said
        "acknowledged_at": _iso(row.life.acknowledged_at),
        "closed_at": _iso(row.life.closed_at),
        "owner": row.life.owner_name,
        "verdict": row.life.verdict,
        "is_exercise": row.is_exercise,
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None


def _tally_json(tally: Tally) -> dict[str, object]:
    notices: dict[str, dict[str, int]] = {}
    for (channel, status), count in sorted(tally.notices.items()):
        notices.setdefault(channel, {})[status] = count
    totals: dict[str, dict[str, int]] = {}
    for (kind, state), count in sorted(tally.incidents.items()):
        totals.setdefault(kind, {})[state] = count
    return {
        "alerts_delivered": tally.alerts_delivered,
        "outbox_pending": tally.outbox_pending,
        "notices": notices,
        "totals": totals,
    }


def _number(request: web.Request, name: str, *, default: int, low: int, high: int) -> int:
    text = request.query.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) < 9):
        return default
    return max(low, min(high, int(text)))


def _json(data: object, *, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(data), status=status, content_type="application/json")
