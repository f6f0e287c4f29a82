"""`/`: the inbox, and acknowledging from it."""

import asyncio
from collections import OrderedDict

from aiohttp import web

from ioc.oncall.intake import parse_payload
from ioc.oncall.lifecycle import SYSTEM
from ioc.oncall.models import SEVERITY_RANKS
from ioc.oncall.pages import Frame
from ioc.oncall.pages_inbox import InboxShown, Shown, inbox_page, inbox_region
from ioc.oncall.store_reading import InboxRow
from ioc.oncall.web_reading import TABS, After, Wanted
from ioc.oncall.web_site import Site, html
from ioc.oncall_plan import Plan

__all__ = ["add_inbox", "shown_of"]

PAGE_INCIDENTS = 50
MAX_KEPT_REGIONS = 100
MAX_FILTER_CHARS = 64


def add_inbox(app: web.Application, site: Site) -> None:
    app.router.add_get("/", _Inbox(site).get)


def shown_of(row: InboxRow, plan: Plan) -> Shown:
    policy = plan.policies.get(row.policy)
    return Shown(
        row=row,
        incident=parse_payload(dict(row.payload)),
        acknowledge_within=policy.levels[0].acknowledge_within if policy else None,
        assignee_name=_name(plan, row.life.assignee),
        closer_name="IOC" if row.life.closed_by == SYSTEM.actor_id else _name(plan, row.life.closed_by),
    )


def _name(plan: Plan, actor_id: str) -> str:
    person = plan.people.get(actor_id)
    return person.name if person else actor_id


class _Inbox:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._regions: OrderedDict[tuple[object, ...], asyncio.Future[str]] = OrderedDict()

    async def get(self, request: web.Request) -> web.Response:
        visitor = await self._site.reader(request)
        frame = await self._site.frame(request, visitor, is_live=True)
        wanted = _wanted(request, frame)
        after = After.parse(request.query.get("after", ""))
        return html(inbox_page(frame, await self._region(frame, wanted, after)))

    async def _region(self, frame: Frame, wanted: Wanted, after: After | None) -> str:
        """The list; made once for all pages that look at the same of the same version."""
        may = (frame.visitor.may_act, bool(frame.visitor.login))
        versions = (self._site.live.version, self._site.doors.desk.version)
        key = (versions, frame.now.replace(second=0, microsecond=0), wanted, after, frame.language, may)
        known = self._regions.get(key)
        if known is None or (known.done() and (known.cancelled() or known.exception() is not None)):
            known = self._regions[key] = asyncio.ensure_future(self._made(frame, wanted, after))
            while len(self._regions) > MAX_KEPT_REGIONS:
                self._regions.popitem(last=False)
        return await asyncio.shield(known)  # fifty pages ask at once; one that is closed does not end it for the others

    async def _made(self, frame: Frame, wanted: Wanted, after: After | None) -> str:
        found = await self._site.reading.page(wanted, limit=PAGE_INCIDENTS, after=after)
        choices = await self._site.reading.choices(wanted)
        plan = self._site.doors.desk.keeper()
        shown = InboxShown(
            wanted=wanted,
            rows=[shown_of(row, plan) for row in found.rows],
            choices=choices,
            after=After.of(found.rows[-1], SEVERITY_RANKS).text if found.has_more else "",
            is_first=after is None,
        )
        return inbox_region(frame, shown, self._site.doors.unit_names)


def _wanted(request: web.Request, frame: Frame) -> Wanted:
    query = request.query
    tab = query.get("tab", "open")

    def text(name: str) -> str:
        return query.get(name, "")[:MAX_FILTER_CHARS]

    return Wanted(
        tab=tab if tab in TABS else "open",
        kind=text("kind"),
        severity=text("severity"),
        unit=text("unit"),
        mine=frame.visitor.actor_id if query.get("mine") else "",
        scope=frame.visitor.units,
    )
