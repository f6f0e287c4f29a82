"""The strip of an incident's stills by time: before it, at its alarm, after it. Pure."""

from collections.abc import Sequence
from datetime import timedelta

from ioc.adapters.case_stills import CaseStill
from ioc.incidents import Incident
from ioc.oncall.notices import evidence_sha256
from ioc.oncall.notices_lines import local_time
from ioc.oncall.pages import Frame

__all__ = ["chosen", "strip"]

MOST = 36
_A_DAY = timedelta(days=1)


def strip(frame: Frame, incident: Incident, stills: Sequence[CaseStill], path: str) -> str:
    """The stills side by side, each a link to the whole picture; browsers load a picture when it comes into view."""
    if not stills:
        return ""
    own = evidence_sha256(incident)
    shown = chosen(stills, own)
    clock_ends = 8 if stills[-1].at - stills[0].at < _A_DAY else 14  # of days: the day with it
    items = "".join(
        _item(frame, incident, still, path, is_own=still.sha256 == own, clock=local_time(still.at)[:clock_ends])
        for still in shown
    )
    count = frame.word("strip_of", shown=str(len(shown)), all=str(len(stills)))
    return f'<h2>{frame.word("strip")} <span class="count">{count}</span></h2><ol class="strip">{items}</ol>'


def chosen(stills: Sequence[CaseStill], own: str, most: int = MOST) -> list[CaseStill]:
    """Returns at most `most` of them, evenly by order: the first, the last and the alarm's own among them."""
    if len(stills) <= most:
        return list(stills)
    steps = most - 2  # room for the alarm's own
    places = {round(step * (len(stills) - 1) / steps) for step in range(steps + 1)}
    places |= {next((place for place, still in enumerate(stills) if still.sha256 == own), 0)}
    return [stills[place] for place in sorted(places)]


def _item(frame: Frame, incident: Incident, still: CaseStill, path: str, *, is_own: bool, clock: str) -> str:
    when = "strip_at" if is_own else "strip_before" if still.at < incident.first_frame_at else "strip_after"
    source = f"{path}/stills/{still.sha256}"
    words = f"{clock} · {frame.word(when)}" if when != "strip_after" or still.at > incident.last_seen_at else clock
    return (
        f'<li class="{"now" if is_own else ""}"><a href="{source}">'
        f'<img loading="lazy" src="{source}?small=1" alt="{words}"></a><span>{words}</span></li>'
    )
