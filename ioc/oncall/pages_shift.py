"""The shift: who is on duty, what is open, and the handover log. Pure."""

from collections.abc import Sequence
from datetime import datetime

from ioc.oncall.notices import UnitNames
from ioc.oncall.notices_lines import local_time
from ioc.oncall.pages import Frame, hidden_csrf, incident_path, page, pick, place_of, title_of, user_lines, user_text
from ioc.oncall.pages_code_words import SHIFT_WORDS
from ioc.oncall.pages_inbox import Shown, clock_time, sound_bar, standing, tags
from ioc.oncall.pages_words import WORDS
from ioc.oncall.shift import Duty
from ioc.oncall.store import ShiftLine
from ioc.oncall_plan import Person

__all__ = ["shift_page"]


def shift_page(
    frame: Frame, duties: Sequence[Duty], shown: Sequence[Shown], lines: Sequence[ShiftLine], names: UnitNames
) -> str:
    word = frame.word
    body = (
        f'<div class="top"><h1>{word("shift")}</h1>{sound_bar(frame)}</div>'
        f'<div class="columns"><section><div id="duty" data-live><h2>{word("on_duty")}</h2>{_duties(frame, duties)}'
        f'<h2>{word("open_now")} <span class="count">{len(shown)}</span></h2>{_open(frame, shown, names)}</div>'
        f'</section><section>{_form(frame)}<h2>{word("log")}</h2><div id="log" data-live>{_log(frame, lines)}</div>'
        "</section></div>"
    )
    return page(frame, WORDS[frame.language]["shift"], body, is_wide=True)


def _duties(frame: Frame, duties: Sequence[Duty]) -> str:
    if not duties:
        return f"<p>{frame.word('no_rosters')}</p>"
    return '<ul class="plain">' + "".join(_duty(frame, duty) for duty in duties) + "</ul>"


def _duty(frame: Frame, duty: Duty) -> str:
    word = frame.word
    who = _people(frame, duty.people) or f'<strong class="bad">⚠ {word("nobody_on_duty")}</strong>'
    until = f" {word('until_short')} {clock_time(duty.until, frame.now)}" if duty.until else ""
    then = _people(frame, duty.next_people)
    coming = f'<br><span class="soft">{word("next_duty")}: {then}</span>' if then else ""
    return f'<li class="panel"><span class="soft">{user_text(duty.roster)}</span><br>{who}{until}{coming}</li>'


def _people(frame: Frame, people: Sequence[Person]) -> str:
    return ", ".join(
        f"<strong>{user_text(person.name)}</strong>" + _title(frame, person.title_vi, person.title_en)
        for person in people
    )


def _title(frame: Frame, vi: str, en: str) -> str:
    title = pick((vi, en or vi), frame.language)
    return f' <span class="soft">({user_text(title)})</span>' if title else ""


def _open(frame: Frame, shown: Sequence[Shown], names: UnitNames) -> str:
    if not shown:
        return f"<p>{frame.word('no_open')}</p>"
    return '<ul class="plain">' + "".join(_line(frame, one, names) for one in shown) + "</ul>"


def _line(frame: Frame, shown: Shown, names: UnitNames) -> str:
    unit = pick(names(shown.row.unit), frame.language) if shown.row.unit else ""
    place = place_of(shown.incident, frame.language)
    title = title_of(shown.incident, frame.language)
    where = ", ".join(part for part in (place if place != title else "", unit) if part)
    return (
        f'<li class="panel"><a href="{incident_path(shown.row.incident_id)}">{user_text(title)}</a> '
        f"{tags(frame, shown)}<br>{user_text(where)}<br>{standing(frame, shown)}</li>"
    )


def _form(frame: Frame) -> str:
    if not frame.visitor.may_act:
        return ""
    word = frame.word
    return (
        f'<form class="panel" method="post" action="/shift">{hidden_csrf(frame)}'
        f'<label for="text">{word("note")}</label><textarea id="text" name="text" maxlength="4000" rows="3" '
        f'placeholder="{word("shift_note_hint")}"></textarea>'
        f'<button name="kind" value="take_over" class="main">{word("take_over")}</button>'
        f'<button name="kind" value="hand_over">{word("hand_over")}</button>'
        f'<button name="kind" value="note">{word("note")}</button></form>'
    )


def _log(frame: Frame, lines: Sequence[ShiftLine]) -> str:
    if not lines:
        return f"<p>{frame.word('empty_log')}</p>"
    return f'<ol class="timeline">{"".join(_log_line(frame, line) for line in lines)}</ol>'


def _log_line(frame: Frame, line: ShiftLine) -> str:
    done = frame.pick(SHIFT_WORDS.get(line.kind, (line.kind, line.kind)))
    text = f"<blockquote>{user_lines(line.text)}</blockquote>" if line.text.strip() else ""
    return (
        f'<li class="{"comment" if line.kind == "note" else "person"}">'
        f'<time datetime="{line.at.isoformat()}">{_clock(line.at)}</time>'
        f"<div><strong>{user_text(line.actor_name)}</strong> {done}{text}</div></li>"
    )


def _clock(moment: datetime) -> str:
    return local_time(moment)[:14]
