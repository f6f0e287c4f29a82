"""Who is on duty now and next, and which shift it is. Pure but for the calendars' memory.

A shift ends when the first roster changes hands, or when somebody takes over by hand; without rosters at 07:00 and
19:00. A bell that was muted rings again in the next one.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ioc.oncall.rosters import shifts
from ioc.oncall_plan import Person, Plan
from ioc.windows import LOCAL_ZONE

__all__ = ["Duty", "ShiftNow", "duties", "shift_now"]

LOOK_AHEAD = timedelta(days=8)  # a turn of a week and a day
_CHANGES_AT = (7, 19)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """Who stands on a roster until when, and who comes then; nobody in `people`: there is a gap now."""

    roster: str
    people: tuple[Person, ...]
    until: datetime | None
    next_people: tuple[Person, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftNow:
    """`name` differs for every shift."""

    name: str
    ends_at: datetime


def duties(plan: Plan, now: datetime) -> tuple[Duty, ...]:
    """Raises ConfigurationError where a calendar is broken (`plans.checked` says so beforehand)."""
    return tuple(_duty(plan, name, now) for name in plan.rosters)


def shift_now(standing: Sequence[Duty], taken_over: int, now: datetime) -> ShiftNow:
    """The shift at `now`; `taken_over` numbers the last taking over by hand."""
    ends = [duty.until for duty in standing if duty.until is not None and duty.people]
    ends_at = min(ends, default=_next_change(now))
    text = f"{ends_at.isoformat()}/{taken_over}"
    return ShiftNow(name=hashlib.sha256(text.encode()).hexdigest()[:16], ends_at=ends_at)


def _duty(plan: Plan, name: str, now: datetime) -> Duty:
    found = shifts(plan.rosters[name], plan.people, now, now + LOOK_AHEAD)

    def people(ids: Sequence[str]) -> tuple[Person, ...]:
        return tuple(plan.people[one] for one in ids if one in plan.people)

    coming = found[1] if len(found) > 1 else None
    return Duty(
        roster=name,
        people=people(found[0].people),
        until=found[0].ends_at if coming else None,
        next_people=people(coming.people) if coming else (),
    )


def _next_change(now: datetime) -> datetime:
    local = now.astimezone(LOCAL_ZONE)
    today = local.replace(minute=0, second=0, microsecond=0)
    for days in (0, 1):
        for hour in _CHANGES_AT:
            change = (today + timedelta(days=days)).replace(hour=hour)
            if change > local:
                return change.astimezone(now.tzinfo)
    raise AssertionError("a day has a change")
