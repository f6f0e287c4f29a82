"""`/channels` and `/accounts`."""

from collections.abc import Sequence

from aiohttp import web

from ioc.oncall.accounts import Visitor
from ioc.oncall.channels_try import TESTER, Tried
from ioc.oncall.pages import pick
from ioc.oncall.pages_people import accounts_page, channels_page
from ioc.oncall.web_site import Site, html

__all__ = ["add_people"]


def add_people(app: web.Application, site: Site) -> None:
    handlers = _People(site)
    app.router.add_get("/channels", handlers.channels)
    app.router.add_post("/channels/test", handlers.test)
    app.router.add_get("/accounts", handlers.accounts)


class _People:
    def __init__(self, site: Site) -> None:
        self._site = site

    async def channels(self, request: web.Request) -> web.Response:
        return await self._channels(request, await self._site.reader(request))

    async def test(self, request: web.Request) -> web.Response:
        visitor, _ = await self._site.actor_form(request)
        person = self._site.doors.desk.keeper().people.get(visitor.actor_id)
        if person is None:
            return await self._site.refusal_page(request, visitor, "test_nobody", status=409)
        tester = request.app.get(TESTER)
        if tester is None:
            return await self._site.refusal_page(request, visitor, "test_not_here", status=409)
        return await self._channels(request, visitor, tried=await tester.test(person))

    async def accounts(self, request: web.Request) -> web.Response:
        visitor = await self._site.reader(request)
        if not visitor.is_administrator:
            return await self._site.refusal_page(request, visitor, "not_allowed")
        frame = await self._site.frame(request, visitor)
        rows = await self._site.accounts.all(self._site.doors.desk.now())
        codes = {code for row in rows for code in row.units if code != "*"}
        names = {code: pick(self._site.doors.unit_names(code), frame.language) for code in codes}
        return html(accounts_page(frame, rows, names))

    async def _channels(
        self, request: web.Request, visitor: Visitor, *, tried: Sequence[Tried] | None = None
    ) -> web.Response:
        frame = await self._site.frame(request, visitor, path="/channels")
        people = tuple(self._site.doors.desk.keeper().people.values())
        return html(channels_page(frame, people, await self._site.reading.receipts(), tried=tried))
