"""What happened to an incident, in the order of time, and who was told. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape

from ioc.oncall.notices_lines import local_time, plain
from ioc.oncall.pages import Frame, user_lines, user_text
from ioc.oncall.pages_code_words import ACTION_WORDS, DOOR_WORDS, PURPOSE_WORDS, STATUS_WORDS, VERDICT_WORDS
from ioc.oncall.pages_words import WORDS
from ioc.oncall.store_reading import AuditRow, IncidentView, NoticeRow

__all__ = ["notices_table", "timeline"]


@dataclass(frozen=True, slots=True)
class _Line:
    at: datetime
    order: int
    kind: str
    html: str


def timeline(frame: Frame, view: IncidentView, people: Mapping[str, str]) -> str:
    """Audit, comments and notices together; `people`: names by id."""
    lines = sorted(_lines(frame, view, people), key=lambda line: (line.at, line.order))
    rows = "".join(
        f'<li class="{line.kind}"><time datetime="{line.at.isoformat()}">{_clock(line.at)}</time>'
        f"<div>{line.html}</div></li>"
        for line in lines
    )
    return f'<ol class="timeline">{rows}</ol>'


def notices_table(frame: Frame, view: IncidentView) -> str:
    """Everybody who was told, and what became of it."""
    if not view.notices:
        return f"<p>{frame.word('nobody_told')}</p>"
    head = "".join(f"<th>{frame.word(name)}</th>" for name in ("person", "channel", "what", "receipt"))
    rows = "".join(_notice_row(frame, notice) for notice in view.notices)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _lines(frame: Frame, view: IncidentView, people: Mapping[str, str]) -> Iterator[_Line]:
    for entry in view.audit:
        if entry.action != "comment":
            yield _Line(entry.at, 0, _kind(entry), _audit(frame, entry, people))
    for comment in view.comments:
        said = f"<strong>{user_text(comment.actor_name)}</strong><blockquote>{user_lines(comment.text)}</blockquote>"
        yield _Line(comment.at, 1, "comment", said)
    for notice in view.notices:
        what = frame.pick(PURPOSE_WORDS.get(notice.purpose, (notice.purpose, notice.purpose)))
        who = f"{user_text(notice.name)} ({escape(notice.channel)})"
        at = notice.sent_at or notice.created_at
        bad = " bad" if notice.status == "failed" else ""
        receipt = frame.pick(STATUS_WORDS.get(notice.status, (notice.status, notice.status)))
        yield _Line(at, 2, f"notice{bad}", f'<span aria-hidden="true">✉</span> {what} → {who}: {receipt}')


def _audit(frame: Frame, entry: AuditRow, people: Mapping[str, str]) -> str:
    done = frame.pick(ACTION_WORDS.get(entry.action, (entry.action, entry.action)))
    who = "" if entry.role == "system" else f"<strong>{user_text(entry.actor_name)}</strong> "
    door = frame.pick(DOOR_WORDS.get(entry.door, (entry.door, entry.door)))
    detail = _detail(frame, entry, people)
    return f'{who}{done}{f": {detail}" if detail else ""} <span class="soft">({door})</span>'


def _detail(frame: Frame, entry: AuditRow, people: Mapping[str, str]) -> str:
    detail = entry.detail
    match entry.action:
        case "assign":
            person = str(detail.get("person", ""))
            return user_text(people.get(person, person))
        case "snooze" | "held":
            why = f" ({user_text(str(detail['detail']))})" if detail.get("detail") else ""
            return _moment(str(detail.get("until", ""))) + why
        case "tick":
            word = "tick" if detail.get("is_done") else "untick"
            return f"{user_text(str(detail.get('step', '')))} – {frame.word(word)}"
        case "resolve" | "dismiss":
            verdict = VERDICT_WORDS.get(str(detail.get("verdict")))
            return frame.pick(verdict) if verdict else ""
        case "escalated" | "nobody_on_roster" | "escalate_now":
            names = detail.get("people")
            told = ", ".join(user_text(str(name)) for name in names) if isinstance(names, list) else ""
            level = f"{WORDS[frame.language]['level'].lower()} {escape(str(detail.get('level', '')))}"
            return f"{level}{f': {told}' if told else ''}"
    return ""


def _kind(entry: AuditRow) -> str:
    if entry.action in ("nobody_on_roster", "held"):
        return "bad"
    return "person" if entry.role != "system" else "system"


def _notice_row(frame: Frame, notice: NoticeRow) -> str:
    status = frame.pick(STATUS_WORDS.get(notice.status, (notice.status, notice.status)))
    at = f" {_clock(notice.sent_at)}" if notice.sent_at else ""
    tries = f", {notice.attempts} {frame.word('tries')}" if notice.attempts > 1 else ""
    why = f'<br><span class="soft">{user_text(notice.last_error[:200])}</span>' if notice.last_error else ""
    what = frame.pick(PURPOSE_WORDS.get(notice.purpose, (notice.purpose, notice.purpose)))
    level = f", {frame.word('level').lower()} {notice.level}" if notice.level > 1 else ""
    return (
        f"<tr><td>{user_text(notice.name)}</td><td>{escape(notice.channel)}</td><td>{what}{level}</td>"
        f'<td class="{"bad" if notice.status == "failed" else ""}">{status}{at}{tries}{why}</td></tr>'
    )


def _clock(moment: datetime) -> str:
    return local_time(moment)[:14]


def _moment(text: str) -> str:
    try:
        return local_time(datetime.fromisoformat(text))[:14]
    except ValueError:
        return plain(text)
