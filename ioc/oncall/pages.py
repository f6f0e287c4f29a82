"""The operators' pages: their frame, the sign-in and the runbooks. Pure: data in, HTML out, everything escaped.

No inline script or style and no outside address, so that the content policy can be strict.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from html import escape
from importlib.resources import files
from urllib.parse import quote, urlencode

import orjson
from markdown_it import MarkdownIt

from ioc.incidents import Incident
from ioc.oncall.accounts import Visitor
from ioc.oncall.notices_lines import KIND_WORDS, Language, kind_words, plain
from ioc.oncall.pages_code_words import ROLE_WORDS
from ioc.oncall.pages_words import UNIT_WORDS, WORDS

__all__ = [
    "SECURITY_HEADERS",
    "Frame",
    "Language",
    "hidden_csrf",
    "incident_path",
    "message_page",
    "other",
    "page",
    "pick",
    "place_of",
    "runbook_page",
    "said",
    "sign_in_page",
    "static_file",
    "title_of",
    "user_text",
]

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer a form's Origin would be null, and could not be checked
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
REFRESH_S = 15
"""How often a page without script loads itself again."""

FIRST_ACCOUNT = 'ioc oncall user add lan --name "Nguyễn Thị Lan" --role administrator'


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Of every page. `path`: its own address without the language; `troubles`: what is wrong with the service itself,
    in both languages; `shift`: names the shift, so that a bell muted in it rings in the next; `is_live`: it changes."""

    language: Language
    path: str
    visitor: Visitor
    now: datetime
    has_accounts: bool = True
    troubles: tuple[tuple[str, str], ...] = ()
    shift: str = ""
    shift_ends_at: datetime | None = None
    is_muted: bool = False
    is_live: bool = False
    notice: str = ""
    refusal: str = ""

    def word(self, name: str, /, **values: str) -> str:
        """A word of the page, escaped; `values` are escaped too."""
        return escape(WORDS[self.language][name].format(**values))

    def pick(self, both: tuple[str, str]) -> str:
        return escape(pick(both, self.language))


def pick(both: tuple[str, str], language: Language) -> str:
    return both[0] if language == "vi" else both[1]


def other(language: Language) -> Language:
    return "en" if language == "vi" else "vi"


def user_text(text: str) -> str:
    """What somebody wrote, on one line, unable to turn the direction of what follows. HTML."""
    return f"<bdi>{escape(plain(text))}</bdi>"


def user_lines(text: str) -> str:
    """As `user_text`, with the writer's line breaks. HTML."""
    return "<br>".join(user_text(line) for line in text.strip().splitlines())


def said(both: tuple[str, str] | None, frame: Frame) -> str:
    return frame.pick(both) if both else ""


def incident_path(incident_id: str, rest: str = "") -> str:
    return f"/incidents/{quote(incident_id, safe='')}{rest}"


def title_of(incident: Incident, language: Language) -> str:
    """What it is about: the kind, or for what no camera saw its own title. Plain text, not escaped."""
    known = pick(kind_words(incident.kind), language)
    if incident.camera_id or incident.kind in KIND_WORDS:
        return plain(known)
    return place_of(incident, language) or plain(known)


def place_of(incident: Incident, language: Language) -> str:
    text = (incident.place_en or incident.place_vi) if language == "en" else (incident.place_vi or incident.place_en)
    return plain(text) or plain(incident.camera_id)


def hidden_csrf(frame: Frame) -> str:
    return f'<input type="hidden" name="csrf" value="{escape(frame.visitor.csrf_token)}">'


@lru_cache(maxsize=16)
def static_file(name: str) -> bytes:
    """A file of ours that pages load; `name` is one of the code's, never a visitor's."""
    return (files("ioc.oncall") / "static" / name).read_bytes()


def page(frame: Frame, title: str, body: str, *, is_wide: bool = False) -> str:
    """A whole page around `body`, which is HTML; `title` is plain text."""
    word = frame.word
    reload = f'<noscript><meta http-equiv="refresh" content="{REFRESH_S}"></noscript>' if frame.is_live else ""
    return (
        f'<!doctype html>\n<html lang="{frame.language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{reload}<title>{escape(title)} – {word('product')}</title>"
        '<link rel="icon" href="/favicon.svg"><link rel="stylesheet" href="/style.css">'
        '<script src="/oncall.js" defer></script></head>\n'
        f"<body{_settings(frame)}>"
        f'<a class="skip" href="#content">{word("skip")}</a>{_header(frame)}'
        f'<div id="stale" class="banner bad" role="alert" hidden></div>{_banners(frame)}{_notices(frame)}'
        f'<main id="content"{" class=wide" if is_wide else ""}>{body}</main>{_help(frame)}</body></html>\n'
    )


def message_page(frame: Frame, title: str, text: str) -> str:
    """A page that says one thing; both are plain text."""
    return page(frame, title, f"<h1>{escape(title)}</h1><p>{escape(text)}</p><p>{_back(frame)}</p>")


def sign_in_page(frame: Frame, *, form_token: str, next_path: str, trouble: str = "") -> str:
    """`trouble`: a key of the words, "" for none; without accounts it says how to make one."""
    word = frame.word
    if not frame.has_accounts:
        body = f"<h1>{word('sign_in')}</h1><p>{word('no_account_far')}</p><pre>{escape(FIRST_ACCOUNT)}</pre>"
        return page(frame, WORDS[frame.language]["sign_in"], body)
    told = f'<p class="banner bad" role="alert">{word(trouble)}</p>' if trouble else ""
    body = (
        f'<h1>{word("sign_in")}</h1>{told}<form class="panel narrow" method="post" action="/sign-in">'
        f'<input type="hidden" name="form" value="{escape(form_token)}">'
        f'<input type="hidden" name="next" value="{escape(next_path)}">'
        f'<label for="login">{word("login")}</label><input id="login" name="login" required maxlength="80" '
        'autocomplete="username" autocapitalize="none" spellcheck="false" autofocus>'
        f'<label for="password">{word("password")}</label><input id="password" name="password" type="password" '
        'required maxlength="200" autocomplete="current-password">'
        f'<button class="main">{word("sign_in")}</button></form>'
    )
    return page(frame, WORDS[frame.language]["sign_in"], body)


def runbook_page(kind: str, markdown: str, *, language: Language, frame: Frame | None = None) -> str:
    """Returns a runbook as HTML, the asked language first: the file holds Vietnamese, a rule, then English.

    Its markdown is ours, and raw HTML in it is escaped all the same.
    """
    frame = frame or Frame(
        language=language, path=f"/runbooks/{kind}", visitor=Visitor(), now=datetime.now().astimezone()
    )
    parts = markdown.split("\n---\n")
    ordered = parts if language == "vi" else parts[::-1]
    content = MarkdownIt("commonmark", {"html": False}).render("\n---\n".join(ordered))
    return page(frame, pick(kind_words(kind), language), f'<div class="prose">{content}</div>')


# ---- parts -----------------------------------------------------------------------------------------------------------


def _back(frame: Frame) -> str:
    return f'<a href="/">← {frame.word("inbox")}</a>'


def _settings(frame: Frame) -> str:
    """What the script needs to know, as attributes: there is no inline script."""
    words = WORDS[frame.language]
    names = ("stale", "sound_click", "sound_on", "new_open", "late")
    config = {
        "units": UNIT_WORDS[frame.language],
        "words": {name: words[name] for name in names},
        "now": int(frame.now.timestamp() * 1000),
        "live": frame.is_live,
        "muted": frame.is_muted,
    }
    return f' data-config="{escape(orjson.dumps(config).decode())}"'


def _header(frame: Frame) -> str:
    word, visitor = frame.word, frame.visitor
    links = [("/", "inbox"), ("/shift", "shift"), ("/channels", "channels")]
    if visitor.is_administrator:
        links.append(("/accounts", "accounts"))
    at = frame.path.split("?")[0]
    nav = "".join(
        f'<a href="{path}"{" aria-current=page" if path == at else ""}>{word(name)}</a>' for path, name in links
    )
    lang = other(frame.language)
    joint = "&" if "?" in frame.path else "?"
    switch = f'<a href="{escape(frame.path + joint + urlencode({"lang": lang}))}" hreflang="{lang}">{word("other")}</a>'
    return f'<header><nav class="main-nav">{nav}</nav><div class="who">{switch}{_who(frame)}</div></header>'


def _who(frame: Frame) -> str:
    word, visitor = frame.word, frame.visitor
    if not visitor.login:
        return f'<a href="/sign-in">{word("sign_in")}</a>' if frame.has_accounts else ""
    role = frame.pick(ROLE_WORDS[visitor.role])
    return (
        f'<details class="menu"><summary>{user_text(visitor.name)} <span class="soft">{role}</span></summary>'
        f'<form method="post" action="/sign-out">{hidden_csrf(frame)}<button>{word("sign_out")}</button>'
        f'<button formaction="/sign-out-everywhere">{word("sign_out_everywhere")}</button></form></details>'
    )


def _banners(frame: Frame) -> str:
    """What is wrong with the service itself; a region of its own, for it changes while one looks."""
    troubles = [user_text(pick(both, frame.language)) for both in frame.troubles]
    found = "".join(f'<p class="banner bad" role="alert">⚠ {trouble}</p>' for trouble in troubles)
    if not frame.has_accounts and not frame.visitor.login:
        found += f'<p class="banner">{frame.word("no_account")} <code>{escape(FIRST_ACCOUNT)}</code></p>'
    return f'<div id="banners" data-live>{found}</div>'


def _notices(frame: Frame) -> str:
    found = ""
    if frame.notice:
        found += f'<p class="banner good" role="status">✓ {user_text(frame.notice)}</p>'
    if frame.refusal:
        found += f'<p class="banner bad" role="alert">✗ {frame.word("refused")}: {user_text(frame.refusal)}</p>'
    return found


def _help(frame: Frame) -> str:
    keys = frame.word("help_keys").split(" · ")
    rows = "".join(f"<li>{key}</li>" for key in keys)
    return (
        f'<dialog id="help"><h2>{frame.word("help")}</h2><ul>{rows}</ul>'
        f'<form method="dialog"><button>{frame.word("close_help")}</button></form></dialog>'
    )
