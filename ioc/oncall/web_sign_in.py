"""`/sign-in` and `/sign-out`."""

import hmac
import secrets

from aiohttp import web

from ioc.oncall.accounts import LASTS, NewSession, Visitor
from ioc.oncall.pages import sign_in_page
from ioc.oncall.web_site import SESSION_COOKIE, Site, html, is_same_origin, safe_path, see_other

__all__ = ["add_sign_in"]

FORM_COOKIE = "ioc_sign_in"
"""Holds what the sign-in form must bring back: without a session there is no other token."""


def add_sign_in(app: web.Application, site: Site) -> None:
    handlers = _SignIn(site)
    app.router.add_get("/sign-in", handlers.get)
    app.router.add_post("/sign-in", handlers.post)
    app.router.add_post("/sign-out", handlers.out)
    app.router.add_post("/sign-out-everywhere", handlers.out_everywhere)


class _SignIn:
    def __init__(self, site: Site) -> None:
        self._site = site

    async def get(self, request: web.Request) -> web.Response:
        return await self._page(request, safe_path(request.query.get("next", "/")))

    async def post(self, request: web.Request) -> web.Response:
        form = await self._site.read_form(request)
        next_path = safe_path(form.get("next", "/"))
        kept = request.cookies.get(FORM_COOKIE, "")
        is_ours = kept != "" and hmac.compare_digest(kept.encode(), form.get("form", "").encode())
        if not is_ours or not is_same_origin(request, self._site.doors.public_url):
            return await self._page(request, next_path, trouble="foreign_form", status=403)
        outcome = await self._site.accounts.sign_in(
            form.get("login", "").strip().lower(),
            form.get("password", ""),
            self._site.doors.desk.now(),
            address=request.remote or "",
        )
        if not isinstance(outcome, NewSession):
            return await self._page(request, next_path, trouble=outcome, status=401 if outcome == "wrong" else 429)
        response = see_other(next_path)
        self._site.cookie(response, SESSION_COOKIE, outcome.cookie, max_age_s=int(LASTS.total_seconds()))
        response.del_cookie(FORM_COOKIE)
        return response

    async def out(self, request: web.Request) -> web.Response:
        await self._site.actor_form(request)
        await self._site.accounts.sign_out(request.cookies.get(SESSION_COOKIE, ""))
        return self._gone()

    async def out_everywhere(self, request: web.Request) -> web.Response:
        visitor, _ = await self._site.actor_form(request)
        await self._site.accounts.sign_out_everywhere(visitor.login)
        return self._gone()

    def _gone(self) -> web.Response:
        response = see_other("/sign-in")
        response.del_cookie(SESSION_COOKIE, path="/")
        return response

    async def _page(
        self, request: web.Request, next_path: str, *, trouble: str = "", status: int = 200
    ) -> web.Response:
        form_token = request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(24)
        frame = await self._site.frame(request, Visitor(), path="/sign-in")
        response = html(sign_in_page(frame, form_token=form_token, next_path=next_path, trouble=trouble), status=status)
        self._site.cookie(response, FORM_COOKIE, form_token)
        return response
