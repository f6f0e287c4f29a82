"""Who asks, in which language, and whether a form is ours: what every page's handler begins with."""

import hmac
import ipaddress
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from ioc.oncall.accounts import Accounts, Visitor
from ioc.oncall.live import Live
from ioc.oncall.pages import Frame, Language, message_page, pick
from ioc.oncall.pages_code_words import SAID
from ioc.oncall.pages_words import WORDS
from ioc.oncall.web_doors import Doors
from ioc.oncall.web_reading import WebReading

__all__ = ["LANGUAGE_COOKIE", "MUTE_COOKIE", "SESSION_COOKIE", "Answered", "Form", "Site", "html", "language_of"]

SESSION_COOKIE, LANGUAGE_COOKIE, MUTE_COOKIE = "ioc_oncall", "ioc_lang", "ioc_muted"
YEAR_S = 365 * 86_400
Form = Mapping[str, str]


class Answered(Exception):
    """Carries an answer out of a handler."""

    def __init__(self, response: web.StreamResponse) -> None:
        super().__init__(str(response.status))
        self.response = response


class Site:
    """The pages' shared parts."""

    def __init__(self, doors: Doors, accounts: Accounts | None = None) -> None:
        self.doors = doors
        self.accounts = accounts or Accounts(doors.store.engine)
        self.reading = WebReading(doors.store.engine)
        self.live = Live(doors.desk, self.reading, doors.readiness)

    # ---- who ---------------------------------------------------------------------------------------------------------

    async def visitor(self, request: web.Request) -> Visitor | None:
        """Who is signed in; a reader without a name on this machine while there is no account; else None."""
        cookie = request.cookies.get(SESSION_COOKIE, "")
        found = await self.accounts.visitor(cookie, self.doors.desk.now()) if cookie else None
        if found is None and is_local(request) and await self.accounts.is_empty():
            return Visitor()
        return found

    async def reader(self, request: web.Request) -> Visitor:
        """Who may read; everybody else is sent to the sign-in."""
        found = await self.visitor(request)
        if found is not None:
            return found
        path = request.rel_url.path_qs if request.method == "GET" else "/"
        raise Answered(see_other("/sign-in?" + urlencode({"next": path})))

    async def actor_form(self, request: web.Request) -> tuple[Visitor, Form]:
        """Who sends a form, and its fields; answers 403 where it is not ours or nobody is signed in."""
        visitor = await self.reader(request)
        form = await self.read_form(request)
        is_ours = is_same_origin(request, self.doors.public_url) and visitor.csrf_token != ""
        if not is_ours or not hmac.compare_digest(form.get("csrf", "").encode(), visitor.csrf_token.encode()):
            raise Answered(await self.refusal_page(request, visitor, "foreign_form"))
        return visitor, form

    @staticmethod
    async def read_form(request: web.Request) -> Form:
        return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}

    # ---- frames ------------------------------------------------------------------------------------------------------

    async def frame(
        self, request: web.Request, visitor: Visitor, *, is_live: bool = False, refusal: str = "", path: str = ""
    ) -> Frame:
        """The frame of a page; `path` is its address where the request's is another (the answer to a form)."""
        language = language_of(request, visitor)
        status = await self.live.status()
        said = SAID.get(request.query.get("said", ""))
        has_accounts = bool(visitor.login) or not await self.accounts.is_empty()
        may_know = bool(visitor.login) or (not has_accounts and is_local(request))
        return Frame(
            language=language,
            path=path or _own_path(request),
            visitor=visitor,
            now=self.doors.desk.now(),
            has_accounts=has_accounts,
            troubles=status.troubles if may_know else (),
            shift=status.shift.name,
            shift_ends_at=status.shift.ends_at,
            is_muted=request.cookies.get(MUTE_COOKIE, "") == status.shift.name,
            is_live=is_live,
            notice=pick(said, language) if said and not refusal else "",
            refusal=refusal,
        )

    async def refusal_page(
        self, request: web.Request, visitor: Visitor, word: str, *, title: str = "refused", status: int = 403
    ) -> web.Response:
        frame = await self.frame(request, visitor, path="/")
        words = WORDS[frame.language]
        return html(message_page(frame, words[title], words[word]), status=status)

    def cookie(self, response: web.StreamResponse, name: str, value: str, *, max_age_s: int | None = None) -> None:
        is_tls = self.doors.public_url.startswith("https:")
        response.set_cookie(name, value, max_age=max_age_s, httponly=True, samesite="Lax", secure=is_tls, path="/")


def language_of(request: web.Request, visitor: Visitor | None = None) -> Language:
    """What the address asks for, else what was chosen before, else the account's, else the browser's."""
    accepted = request.headers.get("Accept-Language", "").lower()
    browser = "en" if accepted.startswith("en") and "vi" not in accepted else "vi"
    asked = (request.query.get("lang"), request.cookies.get(LANGUAGE_COOKIE), visitor.language if visitor else "")
    found = next((name for name in asked if name in ("vi", "en")), browser)
    return "en" if found == "en" else "vi"


def is_local(request: web.Request) -> bool:
    """Whether the browser runs on this machine: neither behind a proxy, nor led here by another site's name."""
    if any(name in request.headers for name in ("Forwarded", "X-Forwarded-For", "X-Real-IP")):
        return False
    host = urlsplit(f"//{request.host}").hostname or ""
    return _is_loopback(request.remote or "") and (host == "localhost" or _is_loopback(host))


def is_same_origin(request: web.Request, public_url: str) -> bool:
    """Whether a page of ours sent the form, as far as the browser says."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    asked = urlsplit(origin).netloc
    return asked != "" and asked in (request.host, urlsplit(public_url).netloc)


def safe_path(text: str) -> str:
    """`text` where it leads to a page of ours, else the inbox: a link must not send people elsewhere."""
    is_ours = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable() and len(text) < 2000
    return text if is_ours and "\\" not in text else "/"


def see_other(path: str) -> web.Response:
    return web.Response(status=303, headers={"Location": path})


def html(text: str, *, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/html")


def _own_path(request: web.Request) -> str:
    query = [(name, value) for name, value in request.query.items() if name not in ("lang", "said")]
    return request.rel_url.raw_path + ("?" + urlencode(query) if query else "")


def _is_loopback(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_loopback
    except ValueError:
        return False
