"""`/incidents/{id}`: the page of one incident, its report, its picture, and what people do with it."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast, get_args

from aiohttp import web

from ioc.adapters.case_stills import CaseStill, CaseStills
from ioc.adapters.evidence import evidence_reference
from ioc.errors import InvalidRecord, TransientError
from ioc.oncall.accounts import Visitor, actor_of
from ioc.oncall.checklists import ChecklistStep, checklist_of
from ioc.oncall.escalate_now import escalate_now
from ioc.oncall.lifecycle import (
    Acknowledge,
    Assign,
    Command,
    Comment,
    Dismiss,
    Refusal,
    Reopen,
    Resolve,
    Snooze,
    Tick,
    Verdict,
)
from ioc.oncall.notices import runbook_url
from ioc.oncall.pages import Language, incident_path, pick
from ioc.oncall.pages_incident import IncidentShown, incident_page
from ioc.oncall.pages_report import report_page
from ioc.oncall.pictures import SmallPictures
from ioc.oncall.store_reading import IncidentView
from ioc.oncall.web_inbox import shown_of
from ioc.oncall.web_site import Answered, Form, Site, html, language_of, safe_path, see_other

__all__ = ["add_incident"]

logger = logging.getLogger(__name__)

LIST_S = 2.0  # a page waits no longer for the list of its stills
KEPT_LISTS = 100
_JPEG_START = b"\xff\xd8\xff"
_KEPT = {"Cache-Control": "private, max-age=86400, immutable"}  # the address names the content

Markdown = Callable[[str], str | None]


def add_incident(app: web.Application, site: Site, runbook: Markdown) -> None:
    handlers = _Incident(site, runbook)
    app.router.add_get("/incidents/{id}", handlers.get)
    app.router.add_get("/incidents/{id}/report", handlers.report)
    app.router.add_get("/incidents/{id}/picture", handlers.picture)
    app.router.add_get("/incidents/{id}/stills/{sha256}", handlers.still)
    app.router.add_post("/incidents/{id}/{action}", handlers.act)
    app.router.add_post("/acknowledge", handlers.acknowledge)


class _Incident:
    def __init__(self, site: Site, runbook: Markdown) -> None:
        self._site = site
        self._runbook = runbook
        self._small = SmallPictures(site.doors.evidence)
        self._cases = CaseStills(site.doors.evidence)
        self._listed: OrderedDict[str, frozenset[str]] = OrderedDict()

    async def get(self, request: web.Request) -> web.Response:
        visitor = await self._site.reader(request)
        view = await self._seen(request, visitor)
        frame = await self._site.frame(request, visitor, is_live=True)
        shown = replace(self._shown(view, frame.language), stills=await self._stills(view.row.incident_id))
        return html(incident_page(frame, shown, self._site.doors.unit_names))

    async def report(self, request: web.Request) -> web.Response:
        visitor = await self._site.reader(request)
        view = await self._seen(request, visitor)
        frame = await self._site.frame(request, visitor)
        shown = replace(self._shown(view, frame.language), stills=await self._stills(view.row.incident_id))
        return html(report_page(frame, shown, self._site.doors.unit_names))

    async def picture(self, request: web.Request) -> web.Response:
        visitor = await self._site.reader(request)
        view = await self._seen(request, visitor)
        reference = str(view.row.payload.get("evidence") or "")
        return await self._pictured(request, reference)

    async def still(self, request: web.Request) -> web.Response:
        """A still of the incident's own case; of no other, whatever its hash."""
        visitor = await self._site.reader(request)
        view = await self._seen(request, visitor)
        sha256, incident_id = request.match_info["sha256"], view.row.incident_id
        if sha256 not in self._listed.get(incident_id, ()):
            await self._stills(incident_id)
        if sha256 not in self._listed.get(incident_id, ()):
            raise web.HTTPNotFound
        return await self._pictured(request, evidence_reference(sha256))

    async def _stills(self, incident_id: str) -> tuple[CaseStill, ...]:
        """The stills of a case; none where the store does not answer at once: the page must."""
        try:
            found = await asyncio.wait_for(asyncio.to_thread(self._cases.of, incident_id), LIST_S)
        except (TransientError, TimeoutError, ValueError) as error:
            logger.warning("incident %s: its stills can't be listed: %s", incident_id, error or "too slow")
            return ()
        self._listed[incident_id] = frozenset(still.sha256 for still in found)
        self._listed.move_to_end(incident_id)
        while len(self._listed) > KEPT_LISTS:
            self._listed.popitem(last=False)
        return found

    async def _pictured(self, request: web.Request, reference: str) -> web.Response:
        try:
            jpeg = (
                await self._small.get(reference) if request.query.get("small") else await self._small.whole(reference)
            )
        except InvalidRecord:
            raise web.HTTPNotFound from None
        if not jpeg.startswith(_JPEG_START):
            raise web.HTTPNotFound
        return web.Response(body=jpeg, content_type="image/jpeg", headers=_KEPT)

    async def acknowledge(self, request: web.Request) -> web.Response:
        """From the inbox: no ETA, and back to the list."""
        visitor, form = await self._site.actor_form(request)
        refusal = await self._do(visitor, form.get("incident", ""), Acknowledge())
        if refusal is not None:
            return await self._refused(request, visitor, form.get("incident", ""), refusal)
        back = safe_path(form.get("back", "/"))
        return see_other(f"{back}{'&' if '?' in back else '?'}said=acknowledge")

    async def act(self, request: web.Request) -> web.Response:
        visitor, form = await self._site.actor_form(request)
        incident_id, action = request.match_info["id"], request.match_info["action"]
        if action == "escalate":
            refusal = await escalate_now(self._site.doors.desk, incident_id, actor_of(visitor))
        else:
            command = _command(action, form, self._site.doors.desk.now())
            if command is None:
                raise web.HTTPNotFound
            refusal = command if isinstance(command, Refusal) else await self._do(visitor, incident_id, command)
        if refusal is not None:
            return await self._refused(request, visitor, incident_id, refusal, form)
        anchor = "#checklist" if action == "tick" else ""
        return see_other(f"{incident_path(incident_id)}?said={action}{anchor}")

    async def _do(self, visitor: Visitor, incident_id: str, command: Command) -> Refusal | None:
        outcome = await self._site.doors.desk.act(incident_id, command, actor_of(visitor))
        return outcome if isinstance(outcome, Refusal) else None

    async def _refused(
        self, request: web.Request, visitor: Visitor, incident_id: str, refusal: Refusal, form: Form | None = None
    ) -> web.Response:
        """The incident as it stands now, and why nothing was done: who was first is on it."""
        language = language_of(request, visitor)
        view = await self._site.doors.store.incident(incident_id)
        if view is None or not _is_in_scope(visitor, view):
            return await self._site.refusal_page(request, visitor, "not_found", title="not_found_title", status=404)
        why = pick((refusal.vi, refusal.en), language)
        frame = await self._site.frame(request, visitor, refusal=why, path=incident_path(incident_id))
        draft = (form or {}).get("text", "")[:8000]
        page = incident_page(frame, self._shown(view, language, draft), self._site.doors.unit_names)
        return html(page, status=403 if refusal.reason == "not_allowed" else 409)

    async def _seen(self, request: web.Request, visitor: Visitor) -> IncidentView:
        view = await self._site.doors.store.incident(request.match_info["id"])
        if view is None or not _is_in_scope(visitor, view):
            raise Answered(
                await self._site.refusal_page(request, visitor, "not_found", title="not_found_title", status=404)
            )
        return view

    def _shown(self, view: IncidentView, language: Language, draft: str = "") -> IncidentShown:
        plan = self._site.doors.desk.keeper()
        shown = shown_of(view.row, plan)
        return IncidentShown(
            shown=shown,
            view=view,
            steps=self._steps(runbook_url(shown.incident, ""), shown.incident.kind, language),
            people={person.person_id: person.name for person in plan.people.values()},
            draft=draft,
        )

    def _steps(self, url: str, kind: str, language: Language) -> tuple[ChecklistStep, ...]:
        name = url.rsplit("/", 1)[1] if url.startswith("/runbooks/") else kind
        markdown = self._runbook(name)
        return checklist_of(markdown, language) if markdown else ()


def _is_in_scope(visitor: Visitor, view: IncidentView) -> bool:
    return "*" in visitor.units or not view.row.unit or view.row.unit in visitor.units


def _command(action: str, form: Mapping[str, str], now: datetime) -> Command | Refusal | None:
    """What a form asks for; None: there is no such action."""
    match action:
        case "acknowledge":
            return Acknowledge(eta_at=_later(form.get("eta", ""), now))
        case "snooze":
            return Snooze(until=_later(form.get("minutes", ""), now) or now)
        case "assign":
            return Assign(person_id=form.get("person", ""))
        case "comment":
            return Comment(text=form.get("text", "").replace("\r\n", "\n"))
        case "tick":
            return Tick(step=form.get("step", ""), is_done=form.get("done") == "1")
        case "reopen":
            return Reopen()
        case "close":
            return _close(form)
    return None


def _close(form: Mapping[str, str]) -> Command | Refusal:
    verdict = form.get("verdict", "")
    if verdict not in get_args(Verdict):
        return Refusal(
            reason="no_verdict", vi="Hãy chọn kết luận trước khi đóng.", en="choose a verdict before closing"
        )
    chosen = cast(Verdict, verdict)
    return Dismiss(verdict=chosen) if form.get("outcome") == "dismiss" else Resolve(verdict=chosen)


def _later(minutes: str, now: datetime) -> datetime | None:
    is_number = minutes.isascii() and minutes.isdecimal() and len(minutes) < 6
    return now + timedelta(minutes=int(minutes)) if is_number else None
