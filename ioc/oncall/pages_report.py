"""What is left of an incident afterwards: one page to print and to keep. Pure."""

from datetime import datetime

from ioc.oncall.notices import UnitNames
from ioc.oncall.notices_lines import local_time, plain
from ioc.oncall.pages import Frame, incident_path, page, title_of, user_lines, user_text
from ioc.oncall.pages_case import case_section
from ioc.oncall.pages_code_words import VERDICT_WORDS
from ioc.oncall.pages_inbox import tags
from ioc.oncall.pages_incident import IncidentShown, facts_list, picture
from ioc.oncall.pages_timeline import notices_table, timeline
from ioc.oncall.pages_words import WORDS, age

__all__ = ["report_page"]


def report_page(frame: Frame, seen: IncidentShown, names: UnitNames) -> str:
    shown, word = seen.shown, frame.word
    path = incident_path(shown.row.incident_id)
    title = f"{WORDS[frame.language]['post_incident']}: {title_of(shown.incident, frame.language)}"
    comments = "".join(
        f"<li><strong>{user_text(one.actor_name)}</strong> {local_time(one.at)}"
        f"<blockquote>{user_lines(one.text)}</blockquote></li>"
        for one in seen.view.comments
    )
    body = (
        f'<p class="noprint"><a href="{path}">← {user_text(shown.row.incident_id)}</a> '
        f'<button type="button" id="print">{word("print")}</button></p>'
        f'<h1>{user_text(title)}</h1><p class="tags">{tags(frame, shown)}</p>'
        f'<p class="soft">{word("printed_at")} {local_time(frame.now)} · {user_text(frame.visitor.name)}</p>'
        f"<h2>{word('summary')}</h2>{_figures(frame, seen)}{facts_list(frame, shown, names)}"
        f"{picture(frame, shown.incident, path)}{case_section(frame, shown.incident, names, seen.stills, path)}"
        f"<h2>{word('timeline')}</h2>{timeline(frame, seen.view, seen.people)}"
        f"<h2>{word('checklist')}</h2>{_checklist(frame, seen)}"
        f"<h2>{word('who_told')}</h2>{notices_table(frame, seen.view)}"
        + (f"<h2>{word('comment')}</h2><ul>{comments}</ul>" if comments else "")
    )
    return page(frame, title, body)


def _figures(frame: Frame, seen: IncidentShown) -> str:
    life, word = seen.shown.row.life, frame.word
    opened_at = life.opened_at
    verdict = frame.pick(VERDICT_WORDS[life.verdict]) if life.verdict else word("not_yet")
    figures = [
        (word("opened_at"), local_time(opened_at) if opened_at else word("not_yet")),
        (word("acknowledged_in"), _after(frame, opened_at, life.acknowledged_at)),
        (word("closed_in"), _after(frame, opened_at, life.closed_at)),
        (word("verdict"), verdict),
        (word("notices_sent"), f"{_sent(seen)} / {len(seen.view.notices)}"),
        (word("levels"), str(max((notice.level for notice in seen.view.notices), default=0))),
    ]
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in figures)
    return f'<dl class="figures">{cells}</dl>'


def _sent(seen: IncidentShown) -> int:
    return sum(1 for notice in seen.view.notices if notice.status == "sent")


def _after(frame: Frame, begin: datetime | None, end: datetime | None) -> str:
    if begin is None or end is None:
        return frame.word("not_yet")
    return age(end - begin, frame.language)


def _checklist(frame: Frame, seen: IncidentShown) -> str:
    ticks = {tick.step: tick for tick in seen.view.ticks}
    rows = []
    for step in seen.steps:
        tick = ticks.get(step.step)
        is_done = tick is not None and tick.is_done
        by = f" – {user_text(tick.actor_name)}, {local_time(tick.at)}" if tick is not None else ""
        rows.append(f"<li>{'☑' if is_done else '☐'} {user_text(plain(step.lead))}{by}</li>")
    return f'<ul class="plain">{"".join(rows)}</ul>'
