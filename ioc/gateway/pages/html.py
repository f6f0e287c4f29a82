"""The departments' page as HTML. Pure: data in, text out, everything escaped; no script."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from urllib.parse import quote, urlencode

import orjson

from ioc.adapters.figures import Figures
from ioc.errors import InvalidRecord
from ioc.gateway.intake import Outcome
from ioc.gateway.pages.words import WORDS, age, count, local_time, other, percent
from ioc.gateway.problems import Language, sentence
from ioc.gateway.rejects import KEPT_DAYS, RejectedEvent
from ioc.publishers import Publisher
from ioc.quality import Both, Quality, Score
from ioc.reject_advice import advice_of

__all__ = ["Answer", "Frame", "Shown", "event_page", "overview_page", "sign_in_page", "source_page"]

_COMMAND = re.compile("`([^`]*)`")
_STATE_CLASS = {"good": "good", "bad": "bad"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Of every page: language, address (for the link to the other language), the key of its forms, and the time."""

    language: Language
    path: str
    form_key: str = ""
    publisher: Publisher | None = None
    now: datetime

    @property
    def words(self) -> dict[str, str]:
        return dict(WORDS[self.language])

    def text(self, both: Both | tuple[str, str]) -> str:
        """In the frame's language, escaped; `commands` between back-quotes as such."""
        text = escape(both[0] if self.language == "vi" else both[1])
        return _COMMAND.sub(r"<code>\1</code>", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One refused event, and when it was sent again or came in after all; None where that is not known."""

    event: RejectedEvent
    again_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the judge said of an event that the department typed."""

    text: str
    outcome: Outcome
    is_sandbox: bool
    error: InvalidRecord | None = None


# ---- pages -----------------------------------------------------------------------------------------------------------


def sign_in_page(frame: Frame, *, trouble: str = "") -> str:
    """`trouble`: a key of the words, "" for none."""
    words = frame.words
    told = f'<p class="notice bad" role="alert">{escape(words[trouble])}</p>' if trouble else ""
    body = (
        f'{told}<form method="post" action="{_link(frame, "/self/sign-in")}">'
        f'<label for="token">{escape(words["token"])}</label>'
        '<input id="token" name="token" type="password" required maxlength="200" autocomplete="off" spellcheck="false">'
        f'<p class="soft">{escape(words["token_hint"])}</p>'
        f"<button>{escape(words['sign_in'])}</button></form>"
    )
    return _page(frame, words["sign_in"], body)


def overview_page(
    frame: Frame, qualities: Sequence[Quality], figures: Figures, rejects: Sequence[Shown], *, since: datetime | None
) -> str:
    """All sources of the department with their scores, and its last rejects."""
    words = frame.words
    told = [quality for quality in qualities if quality.is_told]
    silent = [quality.source for quality in qualities if not quality.is_told]
    cards = "".join(_source_card(frame, quality) for quality in told) + _silent(frame, silent)
    body = (
        f"<h2>{escape(words['quality'])}</h2>{_figures_notice(frame, figures)}{cards}"
        f"<h2>{escape(words['rejects'])}</h2>{_covers(frame, since)}{_rejects(frame, rejects)}"
        f"<h2>{escape(words['judge_title'])}</h2>{_event_form(frame, '')}"
    )
    return _page(frame, words["title"], body)


def source_page(
    frame: Frame,
    quality: Quality,
    figures: Figures,
    rejects: Sequence[Shown],
    reasons: Sequence[tuple[str, int]],
    *,
    since: datetime | None,
) -> str:
    """One source: scores, reasons, its last rejects."""
    words = frame.words
    rows = "".join(
        f'<tr><td class="word"><code>{escape(reason)}</code></td><td class="word">{count(number, frame.language)}</td>'
        f"<td>{frame.text(advice_of(reason))}</td></tr>"
        for reason, number in reasons
    )
    head = "".join(f"<th>{escape(words[name])}</th>" for name in ("reason", "times", "what_to_do"))
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""
    body = (
        f'<p><a href="{_link(frame, "/self")}">← {escape(words["all_sources"])}</a></p>'
        f"{_figures_notice(frame, figures)}{_source_card(frame, quality, is_linked=False)}"
        f"<h2>{escape(words['reasons'].format(days=KEPT_DAYS))}</h2>{table or _nothing(words['no_rejects'])}"
        f"<h2>{escape(words['rejects'])}</h2>{_covers(frame, since)}{_rejects(frame, rejects)}"
    )
    return _page(frame, quality.source, body)


def event_page(frame: Frame, answer: Answer | None, *, trouble: str = "") -> str:
    """The form of one event, with what was said of it."""
    words = frame.words
    told = f'<p class="notice bad" role="alert">{escape(words[trouble])}</p>' if trouble else ""
    text = "" if answer is None else answer.text
    body = (
        f'<p><a href="{_link(frame, "/self")}">← {escape(words["back"])}</a></p>'
        f"{told}{_answer(frame, answer)}{_event_form(frame, text)}"
    )
    return _page(frame, words["judge_title"], body)


# ---- quality ---------------------------------------------------------------------------------------------------------


def _figures_notice(frame: Frame, figures: Figures) -> str:
    words = frame.words
    if figures.read_at is None:
        return f'<p class="notice bad">{escape(words["no_figures"])}</p>'
    at = local_time(figures.read_at)
    if figures.trouble:
        elapsed = age(frame.now - figures.read_at, frame.language)
        return f'<p class="notice bad">{escape(words["stale_figures"].format(at=at, age=elapsed))}</p>'
    return f'<p class="soft">{escape(words["figures_at"].format(at=at))}</p>'


def _silent(frame: Frame, sources: Sequence[str]) -> str:
    """One line for all sources of which there is no figure: a card each would hide the others."""
    if not sources:
        return ""
    links = ", ".join(_source_link(frame, source) for source in sources)
    return f'<p class="notice">{escape(frame.words["silent"])}: {links}</p>'


def _source_link(frame: Frame, source: str) -> str:
    return f'<a href="{_link(frame, "/self/sources" + quote(source))}">{escape(source)}</a>'


def _source_card(frame: Frame, quality: Quality, *, is_linked: bool = True) -> str:
    words = frame.words
    title = _source_link(frame, quality.source) if is_linked else escape(quality.source)
    fixes = "".join(f"<li>{frame.text(fix)}</li>" for fix in quality.fixes)
    todo = f"<p><b>{escape(words['to_fix'])}</b></p><ul>{fixes}</ul>" if fixes else ""
    if not fixes and quality.state == "good":
        todo = _nothing(words["nothing_to_fix"])
    kind = _STATE_CLASS.get(quality.state, "none")
    asked = "".join(_score(frame, score) for score in quality.scores if score.state != "not_asked")
    others = ", ".join(frame.text(score.kind.word) for score in quality.scores if score.state == "not_asked")
    apart = f'<p class="soft">{others}: {escape(words["not_asked"])}</p>' if others else ""
    return (
        f'<article class="{kind}"><h3>{title} <span class="tag {kind}">{frame.text(quality.verdict)}</span></h3>'
        f'<ul class="scores">{asked}</ul>{apart}{todo}</article>'
    )


def _score(frame: Frame, score: Score) -> str:
    words, reading = frame.words, score.reading
    value = "–" if reading.value is None else percent(reading.value, frame.language)
    if score.kind.kpi == "source_alive" and reading.value is not None:  # of one source it is a yes or a no
        value = escape(words["on_time"] if reading.value else words["late"])
    details = [frame.text(score.kind.means)]
    if reading.value is not None and reading.numerator is not None and reading.denominator is not None:
        sides = [count(side, frame.language) for side in (reading.numerator, reading.denominator)]
        details.append(" / ".join(sides))
    if score.target is not None and score.target.value is not None:
        sign = "≤" if score.target.direction == "lower_is_better" else "≥"
        details.append(f"{escape(words['target'])} {sign}\u00a0{percent(score.target.value, frame.language)}")
    if score.is_provincial:
        details.append(escape(words["province"]))
    if reading.is_stale and reading.as_of is not None:
        details.append(escape(words["stale"].format(at=local_time(reading.as_of))))
    kind = _STATE_CLASS.get(score.state, "none")
    return (
        f'<li class="{kind}">{frame.text(score.kind.word)} <span class="tag {kind}">{frame.text(score.verdict)}</span>'
        f'<b>{value}</b><span class="soft">{" · ".join(details)}</span></li>'
    )


# ---- rejects ---------------------------------------------------------------------------------------------------------


def _covers(frame: Frame, since: datetime | None) -> str:
    words = frame.words
    told = words["covers_not"] if since is None else words["covers"].format(at=local_time(since))
    return f'<p class="soft">{escape(told)}</p>'


def _rejects(frame: Frame, rejects: Sequence[Shown]) -> str:
    return "".join(_reject(frame, shown) for shown in rejects) or _nothing(frame.words["no_rejects"])


def _reject(frame: Frame, shown: Shown) -> str:
    words, event = frame.words, shown.event
    tag = words["refused"] if shown.again_at is None else words["again"].format(at=local_time(shown.again_at))
    kind = "bad" if shown.again_at is None else "good"
    facts = [
        (words["at"], f'<time datetime="{event.at.isoformat()}">{local_time(event.at)}</time>'),
        (words["why"], f"<strong>{escape(sentence(event.error, frame.language))}</strong>"),
        (words["reason"], f"<code>{escape(event.error.reason)}</code>"),
        (words["field"], f"<code>{escape(event.error.field)}</code>" if event.error.field else ""),
        (words["what_to_do"], frame.text(advice_of(event.error.reason))),
        (words["event"], escape(f"{event.type} · id {event.id}") if event.id or event.type else ""),
        (words["door"], escape(words["door_gateway"] if event.is_of_gateway else words["door_kafka"])),
        ("ref", f"<code>{escape(event.event_ref)}</code>" if event.event_ref else ""),
    ]
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{value}</dd>" for name, value in facts if value)
    original = _pretty(event.original)
    mend = f'<p class="soft">{escape(words["cut"])}</p>' if event.is_cut else _event_form(frame, original)
    return (
        f'<article class="{kind}"><h3>{escape(event.source or "?")} '
        f'<span class="tag {kind}">{escape(tag)}</span></h3><dl>{rows}</dl>'
        f"<details><summary>{escape(words['original'])}</summary><pre>{escape(original)}</pre></details>"
        f"<details><summary>{escape(words['mend'])}</summary>{mend}</details></article>"
    )


# ---- one event -------------------------------------------------------------------------------------------------------


def _event_form(frame: Frame, text: str) -> str:
    words = frame.words
    command = (
        "curl -X POST …/v1/events -H 'Authorization: Bearer ioc_…' "
        "-H 'Content-Type: application/cloudevents+json' --data-binary @event.json"
    )
    return (
        f'<form method="post" action="{_link(frame, "/self/judge")}">'
        f'<input type="hidden" name="key" value="{escape(frame.form_key)}">'
        f"<label>{escape(words['event_text'])}"
        f'<textarea name="event" required spellcheck="false">\n{escape(text)}</textarea></label>'
        f'<p class="soft">{escape(words["mend_hint"])} {escape(words["judge_hint"])}</p>'
        f"<button>{escape(words['judge'])}</button>"
        f'<button formaction="{_link(frame, "/self/resend")}">{escape(words["resend"])}</button>'
        f'<p class="soft">{escape(words["by_command"])}: <code>{escape(command)}</code></p></form>'
    )


def _answer(frame: Frame, answer: Answer | None) -> str:
    if answer is None:
        return ""
    words = frame.words
    if answer.error is not None:
        error = answer.error
        field = f" <code>{escape(error.field)}</code>" if error.field else ""
        return (
            f'<div class="notice bad" role="alert"><p><b>{escape(words["rejected"])}</b> '
            f"<code>{escape(error.reason)}</code>{field}</p><p>{escape(sentence(error, frame.language))}</p>"
            f"<p>{frame.text(advice_of(error.reason))}</p></div>"
        )
    key = {"accepted": "would_accept", "duplicate": "would_duplicate"} if answer.is_sandbox else {}
    told = words[key.get(answer.outcome, answer.outcome)]
    return f'<p class="notice good" role="status">{escape(told)}</p>'


def _pretty(original: bytes) -> str:
    """JSON indented; other text as it is. What is no text is shown with its odd bytes marked."""
    try:
        return orjson.dumps(orjson.loads(original), option=orjson.OPT_INDENT_2).decode()
    except ValueError:
        return original.decode("utf-8", "replace")


# ---- frame -----------------------------------------------------------------------------------------------------------


def _nothing(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _link(frame: Frame, path: str, language: Language | None = None) -> str:
    return escape(f"{path}?{urlencode({'lang': language or frame.language})}")


def _page(frame: Frame, title: str, body: str) -> str:
    words, who = frame.words, frame.publisher
    name = frame.text((who.title_vi, who.title_en)) if who is not None else ""
    out = ""
    if who is not None:
        out = (
            f'<a href="{_link(frame, frame.path)}">{escape(words["refresh"])}</a>'
            f'<form method="post" action="{_link(frame, "/self/sign-out")}">'
            f'<input type="hidden" name="key" value="{escape(frame.form_key)}">'
            f"<button>{escape(words['sign_out'])}</button></form>"
        )
    return (
        f'<!doctype html>\n<html lang="{frame.language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)} – IOC</title><link rel="stylesheet" href="/self/style.css"></head>\n'
        f'<body><a class="skip" href="#content">{escape(words["skip"])}</a>'
        f"<header><div><h1>{escape(title)}</h1><p>{name}</p></div>"
        f'<nav><a href="{_link(frame, frame.path, other(frame.language))}" hreflang="{other(frame.language)}">'
        f"{escape(words['language'])}</a>{out}</nav></header>\n"
        f'<main id="content">{body}</main></body></html>\n'
    )
