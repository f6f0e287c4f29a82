"""The page behind an acknowledge link, `/a/<token>`: no sign-in, works on a phone.

GET only shows what it is about, with one big button: mail scanners and messengers fetch links before people do. POST
acts.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import escape

from aiohttp import web

from ioc.errors import InvalidRecord
from ioc.oncall.delivery_lanes import Bucket
from ioc.oncall.desk import Desk
from ioc.oncall.intake import parse_payload
from ioc.oncall.lifecycle import Acknowledge, Actor
from ioc.oncall.links import ACKNOWLEDGE, BadLink, Link, LinkKeys
from ioc.oncall.links_words import Said, acknowledged_words
from ioc.oncall.notices import Circumstances, compose
from ioc.oncall.notices_lines import Language, local_time
from ioc.oncall.store import Acted, InboxRow

__all__ = ["PATH", "LinkDoor", "add_links"]

PATH = "/a/{token}"
ETAS_MIN = (10, 20, 30, 60, 120)
BURST, EVERY = 60, timedelta(seconds=0.5)  # of one address; a whole shift may sit behind one
MAX_REMEMBERED = 10_000

_POLICY = (
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; img-src 'self'"
)
_STYLE = """
:root { color-scheme: light dark; }
body { font: 18px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 34rem; padding: 1rem; }
h1 { font-size: 1.3rem; margin: .25rem 0 .5rem; overflow-wrap: anywhere; }
p { margin: .4rem 0; overflow-wrap: anywhere; } .quiet { opacity: .75; font-size: 1rem; }
.said { border-left: 6px solid #2e7d32; padding: .5rem .75rem; margin: 1rem 0; }
.said.no { border-left-color: #c62828; }
button { display: block; width: 100%; min-height: 4.5rem; margin: 1rem 0; font: inherit; font-size: 1.4rem;
  font-weight: 600; border: 0; border-radius: 12px; background: #c62828; color: #fff; }
button:focus-visible { outline: 4px solid Highlight; outline-offset: 3px; }
select { font: inherit; padding: .5rem; }
a { display: inline-block; padding: .5rem 0; }
"""


@dataclass(slots=True, kw_only=True)
class LinkDoor:
    """What the page needs. `unit_names` as for notices."""

    desk: Desk
    links: LinkKeys
    unit_names: Callable[[str], tuple[str, str]]
    _buckets: dict[str, Bucket] = field(default_factory=dict)

    def is_too_fast(self, remote: str) -> bool:
        now = self.desk.now()
        if len(self._buckets) > MAX_REMEMBERED:
            self._buckets.clear()
        bucket = self._buckets.setdefault(remote, Bucket(BURST, EVERY, now))
        if bucket.ready_at(now) > now:
            return True
        bucket.take(now)
        return False


def add_links(app: web.Application, door: LinkDoor) -> None:
    """Adds the page to the application."""
    pages = _Pages(door)
    app.router.add_get("/a.css", pages.style)
    app.router.add_get(PATH, pages.show, allow_head=True)
    app.router.add_post(PATH, pages.act)


class _Pages:
    def __init__(self, door: LinkDoor) -> None:
        self._door = door

    async def style(self, _: web.Request) -> web.Response:
        return web.Response(text=_STYLE, content_type="text/css", headers={"Cache-Control": "max-age=3600"})

    async def show(self, request: web.Request) -> web.Response:
        found = await self._opened(request)
        if isinstance(found, web.Response):
            return found
        _, row, actor, language = found
        said = None
        if row.life.state != "open":
            said = acknowledged_words(row, actor, is_news=False)
        return _html(_incident_page(row, language, self._door.unit_names, said))

    async def act(self, request: web.Request) -> web.Response:
        found = await self._opened(request)
        if isinstance(found, web.Response):
            return found
        link, _, actor, language = found
        form = await request.post()
        outcome = await self._door.desk.act(
            link.incident_id, Acknowledge(eta_at=_eta(form.get("eta"), self._door.desk.now())), actor
        )
        view = await self._door.desk.store.incident(link.incident_id)
        if view is None:
            return _refused("gone")
        is_news = isinstance(outcome, Acted) and outcome.is_news
        said = acknowledged_words(view.row, actor, is_news=is_news)
        return _html(_incident_page(view.row, language, self._door.unit_names, said))

    async def _opened(self, request: web.Request) -> "web.Response | tuple[Link, InboxRow, Actor, Language]":
        """What the link leads to, or the page that says why it leads nowhere."""
        if self._door.is_too_fast(request.remote or ""):
            return _refused("too_fast")
        try:
            link = self._door.links.read(request.match_info["token"], self._door.desk.now())
        except BadLink as error:
            return _refused(error.reason)
        person = self._door.desk.keeper().people.get(link.person_id)
        if link.action != ACKNOWLEDGE or person is None:
            return _refused("forged" if link.action != ACKNOWLEDGE else "not_on_duty")
        view = await self._door.desk.store.incident(link.incident_id)
        if view is None:
            return _refused("gone")
        actor = Actor(actor_id=person.person_id, name=person.name, role="operator", door="link")
        return link, view.row, actor, person.language


def _eta(text: object, now: datetime) -> datetime | None:
    if not isinstance(text, str) or text not in {str(minutes) for minutes in ETAS_MIN}:
        return None
    return now + timedelta(minutes=int(text))


# ---- HTML ------------------------------------------------------------------------------------------------------------

_REFUSALS = {
    "forged": (
        403,
        "Liên kết này không phải của chúng tôi, hoặc bị cắt mất một phần khi sao chép.",
        "This link is not one of ours, or a part of it was lost when it was copied.",
    ),
    "expired": (410, "Liên kết này đã hết hạn.", "This link has expired."),
    "not_on_duty": (
        403,
        "Người nhận của liên kết này không còn trong danh sách trực ban.",
        "Whom this link was sent to is no longer on the on-call list.",
    ),
    "gone": (410, "Sự cố này không còn trong hộp sự cố.", "This incident is no longer in the inbox."),
    "too_fast": (429, "Quá nhiều lần thử; hãy chờ một phút.", "Too many tries; wait a minute."),
}


def _refused(reason: str) -> web.Response:
    status, vi, en = _REFUSALS[reason]
    ask_vi = "Nếu bạn đang trực, hãy mở hộp sự cố hoặc gọi trung tâm IOC."
    ask_en = "If you are on duty, open the inbox or call the operations centre."
    body = f'<div class="said no"><p>{vi} {ask_vi}</p><p lang="en">{en} {ask_en}</p></div>'
    return _html(_page("IOC", body, "vi"), status=status)


def _incident_page(
    row: InboxRow, language: Language, unit_names: Callable[[str], tuple[str, str]], said: Said | None
) -> str:
    try:
        incident = parse_payload(dict(row.payload))
    except InvalidRecord:
        return _page(row.incident_id, _said(said, language), language)
    about = Circumstances(is_exercise=row.is_exercise)
    notice = compose(incident, queued_at=row.received_at, public_url="", unit_names=unit_names, about=about)
    vi, en = notice.message_vi.split("\n"), notice.message_en.split("\n")
    first, second = (en, vi) if language == "en" else (vi, en)
    lines = [line for line in first[1:] if "/evidence/" not in line and "/runbooks/" not in line]
    facts = "".join(f"<p>{escape(line)}</p>" for line in lines)
    picture = f'<p><img src="{escape(notice.evidence_url)}" alt="" width="100%"></p>' if notice.evidence_url else ""
    action = _said(said, language) if said else _form(language)
    body = (
        f'<h1>{escape(first[0])}</h1><p class="quiet">{escape(second[0])}</p>{action}{facts}{picture}'
        f'<p class="quiet">{local_time(row.received_at)}</p>'
    )
    return _page(first[0], body, language)


def _form(language: Language) -> str:
    words, eta = ("On it", "There in") if language == "en" else ("Tôi nhận việc này", "Đến nơi sau")
    other = "Tôi nhận việc này" if language == "en" else "On it"
    options = "".join(f'<option value="{minutes}">{minutes} min</option>' for minutes in ETAS_MIN)
    return (
        f'<form method="post"><button type="submit">{words}<br><small>{other}</small></button>'
        f'<label>{eta}: <select name="eta"><option value="">—</option>{options}</select></label></form>'
    )


def _said(said: Said | None, language: Language) -> str:
    if said is None:
        return ""
    first, second = (said.en, said.vi) if language == "en" else (said.vi, said.en)
    kind = "said" if said.is_mine else "said no"
    return f'<div class="{kind}"><p><b>{escape(first)}</b></p><p class="quiet">{escape(second)}</p></div>'


def _page(title: str, body: str, language: Language) -> str:
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">'
        f'<title>{escape(title)}</title><link rel="stylesheet" href="/a.css"></head>\n<body>{body}</body></html>\n'
    )


def _html(text: str, *, status: int = 200) -> web.Response:
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return web.Response(text=text, status=status, content_type="text/html", headers=headers)
