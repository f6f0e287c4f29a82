"""The inbox as HTML. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from html import escape
from urllib.parse import urlencode

from ioc.incidents import Incident
from ioc.oncall.notices import UnitNames, evidence_sha256
from ioc.oncall.notices_lines import kind_words, local_time, plain
from ioc.oncall.pages import Frame, hidden_csrf, incident_path, page, pick, place_of, title_of, user_text
from ioc.oncall.pages_code_words import HOLD_WORDS, SEVERITY_WORDS, STATE_WORDS, TAB_WORDS
from ioc.oncall.pages_words import WORDS, age
from ioc.oncall.store_reading import InboxRow
from ioc.oncall.web_reading import TABS, Choices, Wanted

__all__ = ["SEVERITY_SIGNS", "InboxShown", "Shown", "clock_time", "inbox_page", "inbox_region", "standing", "tags"]

SEVERITY_SIGNS: Mapping[str, str] = {"critical": "‼", "warning": "!", "info": "i"}  # never colour alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An incident as the pages show it. `acknowledge_within`: what its chain gives its first level, None where nothing
    comes after it; `assignee_name`: of the person who was asked, `closer_name` of who closed it."""

    row: InboxRow
    incident: Incident
    acknowledge_within: timedelta | None = None
    assignee_name: str = ""
    closer_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxShown:
    """A page of the inbox. `after`: where the next one begins, "" at the end."""

    wanted: Wanted
    rows: Sequence[Shown]
    choices: Choices
    after: str = ""
    is_first: bool = True


def inbox_page(frame: Frame, region: str) -> str:
    """The whole page around a region of `inbox_region`. Buttons in the region belong to the form here, which holds the
    session's token: so the region is the same for everybody with the same rights."""
    word = frame.word
    form = (
        f'<form id="quick" method="post" action="/acknowledge">{hidden_csrf(frame)}'
        f'<input type="hidden" name="back" value="{escape(frame.path)}"></form>'
        if frame.visitor.may_act
        else ""
    )
    body = f'<div class="top"><h1>{word("inbox")}</h1>{sound_bar(frame)}</div>{form}{region}'
    return page(frame, WORDS[frame.language]["inbox"], body, is_wide=True)


def sound_bar(frame: Frame) -> str:
    """The bell: off for the rest of the shift, or on; the script says when the browser needs a click first."""
    word = frame.word
    name = "unmute" if frame.is_muted else "mute"
    ends = clock_time(frame.shift_ends_at, frame.now) if frame.shift_ends_at else ""
    told = word("sound_off", at=ends) if frame.is_muted else word("sound_on")
    return (
        f'<form class="sound" method="post" action="/shift/sound">{hidden_csrf(frame)}'
        f'<input type="hidden" name="back" value="{escape(frame.path)}">'
        f'<span id="live" class="soft"></span>'
        f'<button id="sound" name="kind" value="{name}">{word(name)}</button>'
        f'<span id="sound-state" class="soft">{told}</span></form>'
    )


def inbox_region(frame: Frame, shown: InboxShown, names: UnitNames) -> str:
    """Tabs, filters and the list. Holds nothing of the visitor but what he may do."""
    cards = "".join(card(frame, one, names) for one in shown.rows)
    empty = f'<p class="empty">{frame.word("none")}</p>'
    return (
        f'<div id="inbox" data-live>{_tabs(frame, shown)}{_filters(frame, shown, names)}'
        f'<div class="cards">{cards or empty}</div>{_pager(frame, shown)}</div>'
    )


def card(frame: Frame, shown: Shown, names: UnitNames) -> str:
    row, incident, word = shown.row, shown.incident, frame.word
    path = incident_path(row.incident_id)
    unit = pick(names(row.unit), frame.language) if row.unit else ""
    place = place_of(incident, frame.language)
    where = ", ".join(part for part in ("" if _is_title(incident) else place, plain(unit)) if part)
    button = (
        f'<button form="quick" name="incident" value="{escape(row.incident_id)}" class="main ack">'
        f"{word('acknowledge')}</button>"
        if frame.visitor.may_act and row.life.state == "open"
        else ""
    )
    return (
        f'<article class="card s-{row.severity} st-{row.life.state}{" exercise" if row.is_exercise else ""}" '
        f'data-incident="{escape(row.incident_id)}" tabindex="-1">{_thumbnail(frame, shown, path)}'
        f'<div class="facts"><h2><a href="{path}">{user_text(title_of(incident, frame.language))}</a></h2>'
        f'<p class="tags">{tags(frame, shown)}</p><p>{user_text(where)}</p>'
        f'<p class="soft">{word("since")} {clock_time(incident.first_frame_at, frame.now)}</p>'
        f'<p class="standing">{standing(frame, shown)}</p></div><div class="act">{button}</div></article>'
    )


def tags(frame: Frame, shown: Shown) -> str:
    row = shown.row
    state = "snoozed" if row.life.is_live and row.life.snoozed_until is not None else row.life.state
    exercise = f'<span class="tag exercise">{frame.word("exercise")}</span>' if row.is_exercise else ""
    return (
        f'{exercise}<span class="tag s-{row.severity}"><b aria-hidden="true">{SEVERITY_SIGNS[row.severity]}</b> '
        f'{frame.pick(SEVERITY_WORDS[row.severity])}</span><span class="tag">{frame.pick(STATE_WORDS[state])}</span>'
    )


def standing(frame: Frame, shown: Shown) -> str:
    """Who has it, and for how long nobody has. HTML."""
    life, word = shown.row.life, frame.word
    found: list[str] = []
    if life.state == "open":
        since = life.opened_at or shown.incident.first_frame_at
        told = word("nobody", age="\x00").replace("\x00", ticking(frame, since, shown.acknowledge_within))
        found.append(f"<strong>{told}</strong>")
        if shown.assignee_name:
            found.append(word("assigned_to", name=plain(shown.assignee_name)))
    elif life.state == "acknowledged":
        found.append(f"{word('owner', name=plain(life.owner_name))}")
        if life.eta_at is not None:
            found.append(word("eta", at=clock_time(life.eta_at, frame.now)))
    elif life.closed_at is not None:
        found.append(
            word("closed_by", name=plain(shown.closer_name or life.closed_by), at=clock_time(life.closed_at, frame.now))
        )
    if life.is_live and life.snoozed_until is not None:
        found.append(word("until", at=clock_time(life.snoozed_until, frame.now)))
    if shown.row.held_until is not None and life.state == "open":
        why = _held_why(frame, shown.row.held_reason)
        found.append(word("held", at=clock_time(shown.row.held_until, frame.now), why=why))
    return " · ".join(found)


def ticking(frame: Frame, since: datetime, limit: timedelta | None = None) -> str:
    """How long ago, counted on by the script; after `limit` it says that it is overdue. HTML."""
    elapsed = frame.now - since
    is_late = limit is not None and elapsed > limit
    limits = f' data-limit="{limit.total_seconds():.0f}"' if limit is not None else ""
    late = f' <span class="late">({frame.word("late")})</span>' if is_late else ""
    return (
        f'<time class="age" datetime="{since.isoformat()}" data-since="{since.timestamp():.0f}"{limits}>'
        f"{escape(age(elapsed, frame.language))}</time>{late}"
    )


def clock_time(moment: datetime, now: datetime) -> str:
    """`08:30`, with the day where it is not today's (local). Plain text."""
    text, today = local_time(moment), local_time(now)
    clock, day = text.split()
    return clock[:5] if day == today.split()[1] else f"{clock[:5]} {day[:5]}"


# ---- parts -----------------------------------------------------------------------------------------------------------


def _is_title(incident: Incident) -> bool:
    """Whether the place's name was the title: nothing is said twice."""
    return title_of(incident, "vi") == place_of(incident, "vi")


def _thumbnail(frame: Frame, shown: Shown, path: str) -> str:
    sha256 = evidence_sha256(shown.incident)
    if not sha256:
        return '<div class="thumb none" aria-hidden="true"></div>'
    source = f"{path}/picture?small=1&amp;v={sha256[:12]}"
    alt = frame.word("picture")
    return f'<a class="thumb" href="{path}" tabindex="-1"><img src="{source}" alt="{alt}" loading="lazy"></a>'


def _query(wanted: Wanted, **changes: str) -> str:
    of = replace(wanted, **changes)  # type: ignore[arg-type]  # the tab is one of TABS
    fields = {"tab": of.tab, "kind": of.kind, "severity": of.severity, "unit": of.unit, "mine": "1" if of.mine else ""}
    kept = {name: value for name, value in fields.items() if value and not (name == "tab" and value == "open")}
    return escape("/?" + urlencode(kept)) if kept else "/"


def _tabs(frame: Frame, shown: InboxShown) -> str:
    found = []
    for tab in TABS:
        count = shown.choices.counts.get(tab)
        number = f' <span class="count">{count}</span>' if count is not None else ""
        current = ' aria-current="page"' if tab == shown.wanted.tab else ""
        found.append(f'<a href="{_query(shown.wanted, tab=tab)}"{current}>{frame.pick(TAB_WORDS[tab])}{number}</a>')
    return f'<nav class="tabs">{"".join(found)}</nav>'


def _filters(frame: Frame, shown: InboxShown, names: UnitNames) -> str:
    wanted, word = shown.wanted, frame.word

    def unit_name(code: str) -> str:
        return pick(names(code), frame.language) or code

    units = [
        (code or "-", unit_name(code) if code else WORDS[frame.language]["no_unit"]) for code in shown.choices.units
    ]
    kinds = [(kind, pick(kind_words(kind), frame.language)) for kind in shown.choices.kinds]
    severities = [(name, pick(words, frame.language)) for name, words in SEVERITY_WORDS.items()]
    selects = (
        _select(frame, "kind", kinds, wanted.kind)
        + _select(frame, "severity", severities, wanted.severity)
        + _select(frame, "unit", units, wanted.unit)
    )
    checked = " checked" if wanted.mine else ""
    mine = (
        f'<label class="check"><input type="checkbox" name="mine" value="1"{checked}> {word("mine")}</label>'
        if frame.visitor.login
        else ""
    )
    is_filtered = bool(wanted.kind or wanted.severity or wanted.unit or wanted.mine)
    clear = f'<a href="{_query(Wanted(tab=wanted.tab))}">{word("clear")}</a>' if is_filtered else ""
    return (
        f'<details class="filters"{" open" if is_filtered else ""}><summary>{word("filters")}</summary>'
        f'<form method="get" action="/"><input type="hidden" name="tab" value="{wanted.tab}">'
        f"{selects}{mine}<button>{word('apply')}</button>{clear}</form></details>"
    )


def _select(frame: Frame, name: str, choices: Sequence[tuple[str, str]], chosen: str) -> str:
    known = choices if not chosen or chosen in dict(choices) else [*choices, (chosen, chosen)]
    options = "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(plain(text))}</option>'
        for value, text in [("", WORDS[frame.language]["any"]), *known]
    )
    return f'<label>{frame.word(name)} <select name="{name}">{options}</select></label>'


def _pager(frame: Frame, shown: InboxShown) -> str:
    base = _query(shown.wanted)
    first = "" if shown.is_first else f'<a href="{base}">« {frame.word("first")}</a>'
    joint = "&amp;" if "?" in base else "?"
    more = f'<a href="{base}{joint}{escape(urlencode({"after": shown.after}))}">{frame.word("older")} →</a>'
    return f'<nav class="pager">{first}{more if shown.after else ""}</nav>'


def _held_why(frame: Frame, reason: str) -> str:
    """`reason` is a code, a colon and what somebody wrote, as the store keeps it."""
    code, _, detail = plain(reason).partition(":")
    said = pick(HOLD_WORDS[code], frame.language) if code in HOLD_WORDS else code
    return ": ".join(part for part in (said, detail.strip()) if part)
