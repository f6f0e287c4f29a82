"""The HTTP door of on-call: health, metrics, runbooks, pictures, the list of incidents and the inbox page."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files

import orjson
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from ioc.adapters.evidence import EvidenceStore
from ioc.errors import InvalidRecord, TransientError
from ioc.oncall.desk import Desk
from ioc.oncall.intake import parse_payload
from ioc.oncall.metrics import OncallMetrics
from ioc.oncall.pages import SECURITY_HEADERS, STYLE, Language, Seen, inbox_page, runbook_page
from ioc.oncall.store import InboxRow, Store, Tally

__all__ = ["Doors", "build_web", "runbook_markdown"]

logger = logging.getLogger(__name__)

PAGE_INCIDENTS = 50
MAX_LISTED = 1000
_KIND = re.compile(r"[a-z][a-z0-9_-]{0,63}", re.ASCII)  # alerts of metrics write their runbooks with dashes
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_JPEG_START = b"\xff\xd8\xff"

Troubles = Callable[[], Awaitable[Mapping[str, str]]]
"""Returns, by part, why it can't do its work: "" where it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """What the pages read."""

    store: Store
    desk: Desk
    metrics: OncallMetrics
    evidence: EvidenceStore
    readiness: Troubles
    liveness: Callable[[], str]


def runbook_markdown(kind: str) -> str | None:
    """The runbook of a kind of incident, None where there is none. The files are package data of `ioc.oncall`."""
    if not _KIND.fullmatch(kind):
        return None
    try:
        return (files("ioc.oncall") / "runbooks" / f"{kind}.md").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def build_web(doors: Doors) -> web.Application:
    """Returns the application; nothing listens yet."""
    app = web.Application(middlewares=[_shielded], client_max_size=64 * 1024)
    handlers = _Handlers(doors)
    app.router.add_get("/", handlers.inbox)
    app.router.add_get("/style.css", handlers.style)
    app.router.add_get("/healthz", handlers.healthz)
    app.router.add_get("/readyz", handlers.readyz)
    app.router.add_get("/metrics", handlers.metrics)
    app.router.add_get("/runbooks/{kind}", handlers.runbook)
    app.router.add_get("/evidence/{sha256}", handlers.evidence)
    app.router.add_get("/api/incidents", handlers.incidents)
    return app


@web.middleware
async def _shielded(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Puts the security headers on every answer; a broken database is 503, told without its inside."""
    try:
        response = await handler(request)
    except web.HTTPException as error:
        response = web.Response(status=error.status, text=f"{error.status} {error.reason}\n")
    except (SQLAlchemyError, TransientError) as error:
        logger.error("%s: %s", request.path, error)
        response = web.Response(status=503, text="503 try again in a moment\n")
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    return response


class _Handlers:
    def __init__(self, doors: Doors) -> None:
        self._doors = doors

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

    async def style(self, _: web.Request) -> web.Response:
        return web.Response(text=STYLE, content_type="text/css", headers={"Cache-Control": "max-age=3600"})

    async def runbook(self, request: web.Request) -> web.Response:
        kind = request.match_info["kind"]
        markdown = runbook_markdown(kind)
        if markdown is None:
            raise web.HTTPNotFound
        return _html(runbook_page(kind, markdown, language=_language(request)))

    async def evidence(self, request: web.Request) -> web.Response:
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
        limit = _number(request, "limit", default=200, low=1, high=MAX_LISTED)
        rows = await self._doors.store.newest(limit=limit)
        tally = await self._doors.store.tally()
        failures = await self._doors.store.failures(limit=20)
        return _json(
            _tally_json(tally)
            | {
                "failures": [
                    {"incident_id": incident, "channel": channel, "error": error}
                    for incident, channel, error in failures
                ],
                "incidents": [_incident_json(row) for row in rows],
            }
        )

    async def inbox(self, request: web.Request) -> web.Response:
        page = _number(request, "page", default=0, low=0, high=10_000)
        rows = await self._doors.store.newest(limit=PAGE_INCIDENTS + 1, offset=page * PAGE_INCIDENTS)
        seen = [_seen(row) for row in rows[:PAGE_INCIDENTS]]
        has_more = len(rows) > PAGE_INCIDENTS
        return _html(inbox_page(seen, language=_language(request), page=page, has_more=has_more))


def _seen(row: InboxRow) -> Seen:
    return parse_payload(dict(row.payload)), row.first_notified_at is not None


def _incident_json(row: InboxRow) -> dict[str, object]:
    return {
        **row.payload,
        "alerted_at": row.alerted_at.isoformat() if row.alerted_at else None,
        "first_notified_at": row.first_notified_at.isoformat() if row.first_notified_at else None,
    }


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


def _language(request: web.Request) -> Language:
    return "en" if request.query.get("lang") == "en" else "vi"


def _number(request: web.Request, name: str, *, default: int, low: int, high: int) -> int:
    text = request.query.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) < 9):
        return default
    return max(low, min(high, int(text)))


def _json(data: object, *, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(data), status=status, content_type="application/json")


def _html(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/html")
