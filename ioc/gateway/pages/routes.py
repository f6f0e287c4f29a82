"""The routes of the departments' page. A cookie holds a random number; every form brings back its session's key."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from time import monotonic as system_monotonic
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from ioc.adapters.figures import FigureReader, page_of
from ioc.errors import TransientError
from ioc.gateway.pages.html import Answer, Frame, Shown, event_page, overview_page, sign_in_page, source_page
from ioc.gateway.pages.sessions import LASTS_S, Session, Sessions
from ioc.gateway.pages.style import SECURITY_HEADERS, STYLE
from ioc.gateway.problems import Language, Problem, language_of
from ioc.gateway.rejects import KEPT_DAYS
from ioc.gateway.services import GatewayServices
from ioc.publishers import Publisher
from ioc.quality import Quality, quality_of
from ioc.windows import LOCAL_ZONE

__all__ = ["router"]

COOKIE = "ioc_self"
SHOWN_REJECTS = 20
MAX_FIELDS = 10
MAX_TOKEN_CHARS = 200


def router(
    services: GatewayServices,
    *,
    figures: FigureReader | None = None,
    monotonic: Callable[[], float] = system_monotonic,
) -> APIRouter:
    """Returns the routes; `figures` reads the quality scores (of the setting `figures_url` where not given)."""
    definitions = {kpi.id: kpi for kpi in services.catalog.kpis}
    reader = figures or FigureReader(
        page_of(services.settings.figures_url), definitions, clock=services.clock, monotonic=monotonic
    )
    page = _Page(services, reader, Sessions(monotonic=monotonic))
    routes = APIRouter(prefix="/self", include_in_schema=False)
    for path, handler in (("", page.overview), ("/sources/{path:path}", page.source), ("/style.css", page.style)):
        routes.add_api_route(path, handler, methods=["GET"], response_model=None)
    for path, handler in (
        ("/sign-in", page.sign_in),
        ("/sign-out", page.sign_out),
        ("/judge", page.judge),
        ("/resend", page.resend),
    ):
        routes.add_api_route(path, handler, methods=["POST"], response_model=None)
    # A form's own address, typed or opened again, is no error.
    for path in ("/sign-in", "/sign-out", "/judge", "/resend"):
        routes.add_api_route(path, page.home, methods=["GET"], response_model=None)
    return routes


class _Visitor(NamedTuple):
    name: str
    session: Session
    publisher: Publisher


class _Page:
    def __init__(self, services: GatewayServices, figures: FigureReader, sessions: Sessions) -> None:
        self._services, self._figures, self._sessions = services, figures, sessions

    # ---- coming and going -------------------------------------------------------------------------------------------

    async def sign_in(self, request: Request) -> Response:
        frame = self._frame(request, path="/self")
        token = (await _form(request)).get("token", "").strip()
        if not _is_own_form(request):
            return _html(sign_in_page(frame, trouble="foreign_form"), status=403)
        if not token or len(token) > MAX_TOKEN_CHARS or self._publisher(request, token) is None:
            return _html(sign_in_page(frame, trouble="bad_token"), status=401)
        answer = _see_other(f"/self?lang={frame.language}")
        answer.set_cookie(
            COOKIE,
            self._sessions.begin(token),
            max_age=int(LASTS_S),
            path="/self",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return answer

    async def sign_out(self, request: Request) -> Response:
        visitor = self._visitor(request)
        form = await _form(request)
        if visitor is not None and _is_own_form(request) and visitor.session.has_sent(form.get("key", "")):
            self._sessions.end(visitor.name)
        answer = _see_other(f"/self?lang={_language(request)}")
        answer.delete_cookie(COOKIE, path="/self", httponly=True, samesite="strict")
        return answer

    async def home(self, request: Request) -> Response:
        return _see_other(f"/self?lang={_language(request)}")

    # ---- looking ----------------------------------------------------------------------------------------------------

    async def style(self) -> Response:
        return Response(STYLE, media_type="text/css", headers={**SECURITY_HEADERS, "Cache-Control": "max-age=3600"})

    async def overview(self, request: Request) -> Response:
        visitor = self._visitor(request)
        if visitor is None:
            return self._signed_out(request)
        figures, publisher = await self._figures.read(), visitor.publisher
        rejects = self._services.rejects
        seen = {key.source for key in figures.readings if publisher.owns(key.source)}
        names = sorted({*publisher.sources, *seen, *rejects.sources(publisher.name)})
        text = overview_page(
            self._frame(request, visitor=visitor),
            [await self._quality(publisher, name) for name in names],
            figures,
            self._shown(publisher, None),
            since=rejects.since,
        )
        return _html(text)

    async def source(self, request: Request, path: str) -> Response:
        visitor = self._visitor(request)
        if visitor is None:
            return self._signed_out(request)
        name, publisher = f"/{path}", visitor.publisher
        frame = self._frame(request, visitor=visitor)
        if not publisher.owns(name):
            return _html(event_page(frame, None, trouble="not_here"), status=404)
        text = source_page(
            frame,
            await self._quality(publisher, name),
            await self._figures.read(),
            self._shown(publisher, name),
            self._reasons(publisher, name, days=KEPT_DAYS),
            since=self._services.rejects.since,
        )
        return _html(text)

    # ---- one event --------------------------------------------------------------------------------------------------

    async def judge(self, request: Request) -> Response:
        return await self._submit(request, is_sandbox=True)

    async def resend(self, request: Request) -> Response:
        return await self._submit(request, is_sandbox=False)

    async def _submit(self, request: Request, *, is_sandbox: bool) -> Response:
        visitor = self._visitor(request)
        if visitor is None:
            return self._signed_out(request)
        frame, form = self._frame(request, visitor=visitor), await _form(request)
        if not _is_own_form(request) or not visitor.session.has_sent(form.get("key", "")):
            return _html(event_page(frame, None, trouble="foreign_form"), status=403)
        text, publisher = form.get("event", ""), visitor.publisher
        try:
            self._services.charge(publisher, 1)
            (result,) = await self._services.intake.submit(publisher, [text.encode()], is_sandbox=is_sandbox)
        except Problem as problem:
            return _html(event_page(frame, None, trouble="too_often"), status=problem.status)
        except TransientError:
            return _html(event_page(frame, None, trouble="unavailable"), status=503)
        answer = Answer(text=text, outcome=result.outcome, is_sandbox=is_sandbox, error=result.error)
        return _html(event_page(frame, answer), status=200 if result.error is None else 422)

    # ---- parts ------------------------------------------------------------------------------------------------------

    async def _quality(self, publisher: Publisher, source: str) -> Quality:
        catalog, now = self._services.catalog, self._services.clock()
        figures = await self._figures.read()
        today = now.astimezone(LOCAL_ZONE).date()
        return quality_of(
            source,
            figures.readings,
            {kpi.id: kpi.target(today) for kpi in catalog.kpis},
            reasons=self._reasons(publisher, source, days=0),
            promise_s=catalog.promises.of(source) / 1_000_000,
        )

    def _reasons(self, publisher: Publisher, source: str, *, days: int) -> list[tuple[str, int]]:
        today = self._services.clock().astimezone(LOCAL_ZONE).date()
        return [*self._services.rejects.reasons(publisher.name, source, since=today - timedelta(days=days))]

    def _shown(self, publisher: Publisher, source: str | None) -> list[Shown]:
        rejects = self._services.rejects
        found = rejects.newest(publisher.name, SHOWN_REJECTS, source)
        return [Shown(event=event, again_at=rejects.sent_again_at(publisher.name, event)) for event in found]

    def _signed_out(self, request: Request) -> Response:
        trouble = "ended" if COOKIE in request.cookies else ""
        return _html(sign_in_page(self._frame(request, path="/self"), trouble=trouble), status=401 if trouble else 200)

    def _visitor(self, request: Request) -> _Visitor | None:
        name = request.cookies.get(COOKIE, "")
        session = self._sessions.find(name)
        if session is None:
            return None
        publisher = self._publisher(request, session.token)
        if publisher is None:  # the token was revoked meanwhile, or has expired
            self._sessions.end(name)
            return None
        return _Visitor(name, session, publisher)

    def _publisher(self, request: Request, token: str) -> Publisher | None:
        """Asks the one door that knows tokens."""
        try:
            shown = [(b"authorization", b"Bearer " + token.encode("latin-1"))]
            return self._services.authenticate(Request({**request.scope, "headers": shown}))
        except (Problem, UnicodeEncodeError):
            return None

    def _frame(self, request: Request, *, visitor: _Visitor | None = None, path: str = "") -> Frame:
        is_form = request.method == "POST"
        return Frame(
            language=_language(request),
            path=path or ("/self" if is_form else request.url.path),
            form_key=visitor.session.form_key if visitor else "",
            publisher=visitor.publisher if visitor else None,
            now=self._services.clock(),
        )


def _is_own_form(request: Request) -> bool:
    """Whether the browser says that a page of ours sent it (OWASP: verify the origin with standard headers)."""
    origin = request.headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc == request.headers.get("host", "")
    return request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")


async def _form(request: Request) -> Mapping[str, str]:
    """The fields of a form as browsers send it; the gateway has bounded its size. What is no form has none."""
    body = (await request.body()).decode("utf-8", "replace")
    try:
        found = parse_qs(body, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        return {}
    return {name: values[0] for name, values in found.items()}


def _language(request: Request) -> Language:
    asked = request.query_params.get("lang", "")
    if asked in ("vi", "en"):
        return "en" if asked == "en" else "vi"
    return language_of(request.headers.get("accept-language", ""))


def _html(text: str, *, status: int = 200) -> HTMLResponse:
    return HTMLResponse(text, status_code=status, headers=dict(SECURITY_HEADERS))


def _see_other(path: str) -> RedirectResponse:
    return RedirectResponse(path, status_code=303, headers=dict(SECURITY_HEADERS))
