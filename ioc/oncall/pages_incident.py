"""An incident's page: picture, map, what to do with it, what happened. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from ioc.adapters.case_stills import CaseStill
from ioc.incidents import Incident
from ioc.oncall.checklists import ChecklistStep
from ioc.oncall.lifecycle import VERDICTS
from ioc.oncall.notices import UnitNames, evidence_sha256, map_link, runbook_url
from ioc.oncall.notices_lines import is_of_camera, local_time, plain
from ioc.oncall.pages import Frame, hidden_csrf, incident_path, page, pick, place_of, title_of, user_text
from ioc.oncall.pages_case import case_section
from ioc.oncall.pages_code_words import VERDICT_WORDS
from ioc.oncall.pages_inbox import Shown, clock_time, standing, tags
from ioc.oncall.pages_map import map_svg
from ioc.oncall.pages_strip import strip
from ioc.oncall.pages_timeline import notices_table, timeline
from ioc.oncall.pages_words import WORDS
from ioc.oncall.store_reading import IncidentView, TickRow
from ioc.place_words import place_words

__all__ = ["IncidentShown", "facts_list", "incident_page", "picture"]

ETAS_MIN = (5, 10, 15, 30, 60, 120)
SNOOZES_MIN = (15, 30, 60, 120, 240, 480)


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentShown:
    """`people`: names by id, of the plan, in its order."""

    shown: Shown
    view: IncidentView
    steps: Sequence[ChecklistStep]
    people: Mapping[str, str]
    stills: Sequence[CaseStill] = ()
    """Of its case, oldest first."""
    draft: str = ""
    """A comment that was not kept, so that nothing typed is lost."""


def incident_page(frame: Frame, seen: IncidentShown, names: UnitNames) -> str:
    shown, word = seen.shown, frame.word
    title = title_of(shown.incident, frame.language)
    path = incident_path(shown.row.incident_id)
    body = (
        f'<p class="noprint"><a href="/">← {word("back")}</a></p>'
        f'<div id="head" data-live><h1>{user_text(title)}</h1><p class="tags">{tags(frame, shown)}</p>'
        f'<p class="standing">{standing(frame, shown)}{_deadline(frame, seen)}</p></div>'
        '<div class="columns"><div class="column">'
        f'<section class="first">{picture(frame, shown.incident, path)}'
        f"{strip(frame, shown.incident, seen.stills, path)}</section>{_case(frame, seen, names, path)}"
        f'<section class="third"><div id="facts" data-live>{facts_list(frame, shown, names)}</div>'
        f'<div id="map" data-live>{_map(frame, shown.incident)}</div></section>'
        f'<section class="fourth"><div id="checklist" data-live>{_checklist(frame, seen)}</div></section></div>'
        f'<div class="column"><section class="second noprint"><div id="actions" data-live>{_actions(frame, seen)}</div>'
        f'</section><section class="fifth"><h2>{word("timeline")}</h2><div id="timeline" data-live>'
        f"{timeline(frame, seen.view, seen.people)}</div>"
        f'<h2>{word("who_told")}</h2><div id="told" data-live>{notices_table(frame, seen.view)}</div>'
        f'<p class="noprint"><a class="button" href="{path}/report">{word("report")}</a></p></section></div></div>'
    )
    return page(frame, title, body, is_wide=True)


def picture(frame: Frame, incident: Incident, path: str) -> str:
    """The picture with its box drawn over it."""
    sha256 = evidence_sha256(incident)
    if not sha256:
        return f'<p class="soft">{frame.word("no_picture")}</p>'
    box = incident.box
    left, top = (box.cx - box.w / 2) * 100, (box.cy - box.h / 2) * 100
    frame_of = f'x="{left:.2f}" y="{top:.2f}" width="{box.w * 100:.2f}" height="{box.h * 100:.2f}"'
    source = f"{path}/picture?v={sha256[:12]}"
    return (
        f'<figure><a class="shot" href="{source}"><img src="{source}" alt="{frame.word("picture_alt")}">'
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="halo" {frame_of}/><rect class="box" {frame_of}/></svg></a>'
        f'<figcaption class="soft">{frame.word("show_box")}</figcaption></figure>'
    )


def facts_list(frame: Frame, shown: Shown, names: UnitNames) -> str:
    incident, row, word = shown.incident, shown.row, frame.word
    unit = plain(pick(names(row.unit), frame.language)) if row.unit else ""
    place = place_of(incident, frame.language)
    facts = [(word("where"), user_text(", ".join(part for part in (place, unit) if part)))]
    located = pick(place_words(incident), frame.language)
    if located:
        facts.append((word("position"), user_text(located)))
    if incident.camera_id:
        bearing = f", {word('bearing')} {incident.azimuth_deg % 360:.0f}°" if incident.azimuth_deg is not None else ""
        facts.append((word("camera"), f"{user_text(f'{incident.camera_id}, {incident.pose_id}')}{bearing}"))
        score = f"{incident.peak_score:.2f}"
        score = score.replace(".", ",") if frame.language == "vi" else score
        facts.append((word("sure"), f"{score} · {incident.detections} {word('times_seen')}"))
    facts.append((word("since"), local_time(incident.first_frame_at)))
    facts.append((word("last_seen"), local_time(incident.last_seen_at)))
    described = str(incident.extra.get(f"description_{frame.language}") or incident.extra.get("description_vi") or "")
    if described:
        facts.append((word("summary"), user_text(described)))
    if row.life.verdict:
        facts.append((word("verdict"), frame.pick(VERDICT_WORDS[row.life.verdict])))
    facts.append((word("id"), f"<code>{user_text(row.incident_id)}</code>"))
    return "<dl>" + "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts) + "</dl>"


def _case(frame: Frame, seen: IncidentShown, names: UnitNames, path: str) -> str:
    section = case_section(frame, seen.shown.incident, names, seen.stills, path)
    return f'<section class="third"><div id="case" data-live>{section}</div></section>' if section else ""


# ---- parts -----------------------------------------------------------------------------------------------------------


def _deadline(frame: Frame, seen: IncidentShown) -> str:
    due_at = seen.view.timers.get("escalate")
    if due_at is None or not seen.shown.row.life.is_calling:
        return ""
    return f" · {frame.word('next_level')} <strong>{local_time(due_at)[:8]}</strong>"


def _map(frame: Frame, incident: Incident) -> str:
    link = map_link(incident)
    if not link:
        return ""
    where = link.removeprefix("geo:")
    is_camera = is_of_camera(incident)
    label = f"{WORDS[frame.language]['camera_at' if is_camera else 'map']}: {where}"
    shown = f"{frame.word('camera_at')}: " if is_camera else ""
    note = "cone_note" if is_camera else "ellipse_note" if incident.ellipse else ""
    return (
        f"<h2>{frame.word('map')}</h2>{map_svg(incident, language=frame.language, label=label)}"
        f'<p>{shown}<code>{escape(where)}</code> · <a href="{escape(link)}">{frame.word("open_map")}</a></p>'
        + (f'<p class="soft">{frame.word(note)}</p>' if note else "")
    )


def _actions(frame: Frame, seen: IncidentShown) -> str:
    if not frame.visitor.may_act:
        return f'<p class="panel soft">{frame.word("read_only")}</p>'
    life = seen.shown.row.life
    parts: list[str] = []
    if life.is_live:
        is_mine = life.state == "acknowledged" and life.owner == frame.visitor.actor_id
        if life.state == "open" or is_mine:
            parts.append(_acknowledge(frame, seen, is_mine=is_mine))
        parts.append(_comment(frame, seen))
        parts.append(_close(frame, seen, is_candidate=False))
        parts.append(_more(frame, seen))
    else:
        parts.append(_comment(frame, seen))
        parts.append(_close(frame, seen, is_candidate=True) if life.state == "candidate" else _reopen(frame, seen))
    return "".join(parts)


def _form(frame: Frame, seen: IncidentShown, action: str, body: str, *, is_panel: bool = True) -> str:
    path = incident_path(seen.shown.row.incident_id, f"/{action}")
    return f'<form{" class=panel" if is_panel else ""} method="post" action="{path}">{hidden_csrf(frame)}{body}</form>'


def _minutes(frame: Frame, name: str, minutes: Sequence[int], *, first: str = "") -> str:
    options = [f'<option value="">{frame.word(first)}</option>'] if first else []
    for number in minutes:
        is_hours = number >= 60 and number % 60 == 0
        text = frame.word("hours", n=str(number // 60)) if is_hours else frame.word("minutes", n=str(number))
        options.append(f'<option value="{number}">{text}</option>')
    return f'<select name="{name}" id="{name}">{"".join(options)}</select>'


def _acknowledge(frame: Frame, seen: IncidentShown, *, is_mine: bool) -> str:
    """Takes it; who has it already moves the ETA."""
    word = frame.word
    return _form(
        frame,
        seen,
        "acknowledge",
        f'<label for="eta">{word("acknowledge_eta")}</label>{_minutes(frame, "eta", ETAS_MIN, first="eta_none")}'
        f'<button class="{"" if is_mine else "main ack"}">{word("move_eta" if is_mine else "acknowledge")}</button>',
    )


def _comment(frame: Frame, seen: IncidentShown) -> str:
    word = frame.word
    return _form(
        frame,
        seen,
        "comment",
        f'<label for="text">{word("comment")}</label><textarea id="text" name="text" required maxlength="4000" '
        f'rows="2" placeholder="{word("comment_hint")}">\n{escape(seen.draft)}</textarea>'
        f"<button>{word('send')}</button>",
    )


def _close(frame: Frame, seen: IncidentShown, *, is_candidate: bool) -> str:
    word = frame.word
    verdicts = "".join(
        f'<label class="check"><input type="radio" name="verdict" value="{verdict}" required> '
        f"{frame.pick(VERDICT_WORDS[verdict])}</label>"
        for verdict in VERDICTS
        if verdict != "other_smoke" or seen.shown.incident.kind == "smoke"
    )
    resolve = "" if is_candidate else f'<button name="outcome" value="resolve">{word("resolve")}</button>'
    return _form(
        frame,
        seen,
        "close",
        f"<fieldset><legend>{word('close')}: {word('verdict')}</legend>{verdicts}</fieldset>"
        f'<p class="soft">{word("verdict_hint")}</p>{resolve}'
        f'<button name="outcome" value="dismiss">{word("dismiss")}</button>',
    )


def _more(frame: Frame, seen: IncidentShown) -> str:
    word, life = frame.word, seen.shown.row.life
    people = "".join(
        f'<option value="{escape(one)}">{escape(plain(name))}</option>' for one, name in seen.people.items()
    )
    assign = (
        f'<label for="person">{word("assign")}</label><select id="person" name="person">{people}</select>'
        f"<button>{word('assign')}</button>"
    )
    snooze = (
        f'<label for="minutes">{word("snooze")}</label>{_minutes(frame, "minutes", SNOOZES_MIN)}'
        f"<button>{word('snooze')}</button>"
    )
    escalate = f"<button>{word('escalate')}</button>" if life.is_calling else ""
    return (
        f'<details class="panel"><summary>{word("more_actions")}</summary>'
        f"{_form(frame, seen, 'assign', assign, is_panel=False) if people else ''}"
        f"{_form(frame, seen, 'snooze', snooze, is_panel=False)}"
        f"{_form(frame, seen, 'escalate', escalate, is_panel=False) if escalate else ''}</details>"
    )


def _reopen(frame: Frame, seen: IncidentShown) -> str:
    return _form(frame, seen, "reopen", f"<button>{frame.word('reopen')}</button>")


def _checklist(frame: Frame, seen: IncidentShown) -> str:
    word, incident = frame.word, seen.shown.incident
    link = escape(runbook_url(incident, ""))
    full = f'<p class="noprint"><a href="{link}">{word("full_runbook")}</a></p>'
    if not seen.steps:
        return f"<h2>{word('checklist')}</h2>{full}"
    ticks = {tick.step: tick for tick in seen.view.ticks}
    rows = "".join(_step(frame, seen, step, ticks.get(step.step)) for step in seen.steps)
    done = sum(1 for step in seen.steps if step.step in ticks and ticks[step.step].is_done)
    head = f'<h2>{word("checklist")} <span class="count">{done}/{len(seen.steps)}</span></h2>'
    return f'{head}<ol class="steps">{rows}</ol>{full}'


def _step(frame: Frame, seen: IncidentShown, step: ChecklistStep, tick: TickRow | None) -> str:
    word = frame.word
    is_done = tick is not None and tick.is_done
    by = ""
    if tick is not None:
        said = word("done_by", name=plain(tick.actor_name), at=clock_time(tick.at, frame.now))
        by = f'<p class="soft">{"☑ " + word("done") if is_done else "☐"} · {said}</p>'
    button = ""
    if frame.visitor.may_act:
        name = word("untick" if is_done else "tick")
        button = _form(
            frame,
            seen,
            "tick",
            f'<input type="hidden" name="step" value="{escape(step.step)}">'
            f'<button class="tick" name="done" value="{"" if is_done else "1"}" aria-pressed="{str(is_done).lower()}" '
            f'aria-label="{name}: {escape(step.lead)}" title="{name}">{"☑" if is_done else "☐"}</button>',
            is_panel=False,
        )
    return f'<li class="{"done" if is_done else ""}">{button}<div>{step.html}{by}</div></li>'
