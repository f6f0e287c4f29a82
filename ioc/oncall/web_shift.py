"""`/shift`: who is on duty, the handover log, and the bell."""

from aiohttp import web

from ioc.oncall.accounts import actor_of
from ioc.oncall.pages import pick
from ioc.oncall.pages_shift import shift_page
from ioc.oncall.web_inbox import shown_of
from ioc.oncall.web_reading import Wanted
from ioc.oncall.web_site import MUTE_COOKIE, Site, html, safe_path, see_other

__all__ = ["add_shift"]

MAX_OPEN, MAX_LINES = 100, 100
_KINDS = ("take_over", "hand_over", "note")
_LOOK_ONLY = ("Vai trò «xem» không được thao tác.", "a viewer may look, not act")
_EMPTY = ("Hãy viết ghi chú.", "write a note first")


def add_shift(app: web.Application, site: Site) -> None:
    handlers = _Shift(site)
    app.router.add_get("/shift", handlers.get)
    app.router.add_post("/shift", handlers.post)
    app.router.add_post("/shift/sound", handlers.sound)


class _Shift:
    def __init__(self, site: Site) -> None:
        self._site = site

    async def get(self, request: web.Request, *, refusal: tuple[str, str] | None = None) -> web.Response:
        visitor = await self._site.reader(request)
        frame = await self._site.frame(request, visitor, is_live=True, path="/shift")
        if refusal is not None:
            frame = await self._site.frame(request, visitor, path="/shift", refusal=pick(refusal, frame.language))
        plan = self._site.doors.desk.keeper()
        status = await self._site.live.status()
        found = [
            row
            for tab in ("open", "acknowledged", "snoozed")
            for row in (await self._site.reading.page(Wanted(tab=tab, scope=visitor.units), limit=MAX_OPEN)).rows
        ]
        lines = await self._site.doors.store.handovers(limit=MAX_LINES)
        shown = [shown_of(row, plan) for row in found]
        page = shift_page(frame, status.duties, shown, lines, self._site.doors.unit_names)
        return html(page, status=409 if refusal is not None else 200)

    async def post(self, request: web.Request) -> web.Response:
        visitor, form = await self._site.actor_form(request)
        kind, text = form.get("kind", ""), form.get("text", "").replace("\r\n", "\n").replace("\x00", "")
        if kind not in _KINDS:
            raise web.HTTPBadRequest
        if not visitor.may_act:
            return await self.get(request, refusal=_LOOK_ONLY)
        if kind == "note" and not text.strip():
            return await self.get(request, refusal=_EMPTY)
        now = self._site.doors.desk.now()
        await self._site.doors.store.hand_over(actor_of(visitor), text.strip(), now, kind=kind)
        if kind == "take_over":
            await self._site.live.taken_over()
        return see_other(f"/shift?said={kind}")

    async def sound(self, request: web.Request) -> web.Response:
        """Mutes this browser until the shift ends, and says so in the log: a bell nobody hears must not be a secret."""
        visitor, form = await self._site.actor_form(request)
        kind = "mute" if form.get("kind") == "mute" else "unmute"
        back = safe_path(form.get("back", "/"))
        response = see_other(f"{back}{'&' if '?' in back else '?'}said={kind}")
        shift = (await self._site.live.status()).shift
        now = self._site.doors.desk.now()
        if kind == "mute":
            seconds = max(60, int((shift.ends_at - now).total_seconds()))
            self._site.cookie(response, MUTE_COOKIE, shift.name, max_age_s=seconds)
        else:
            response.del_cookie(MUTE_COOKIE, path="/")
        if visitor.may_act:
            await self._site.doors.store.hand_over(actor_of(visitor), "", now, kind=kind)
        return response
