"""Statutory terms of a case: within how long a violation must be put on record, and decided on. Pure.

A term begins with what a competent person does, never with what a camera saw. The day of that is not counted, and the
term ends with the end of its last day, local time (Civil Code 2015, articles 147 and 148).
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

from ioc.windows import LOCAL_ZONE

__all__ = ["CaseTerm", "Moment", "Term", "TermRules", "TermState", "due_at", "terms_of"]

Moment = Literal["found", "recorded", "decided"]
"""What a person does with a case: finds that it is a violation, puts it on record, decides on it."""

TermState = Literal["running", "met", "late", "overdue"]
"""`late`: met, but after its day; `overdue`: its day is over, and nothing is known of what had to be done."""

_SATURDAY = 5
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """From `begins` on there are so many working days, days or years (one of the three) until `ends`.

    `kinds`: of which incidents; `basis` cites the law, as people read it.
    """

    name: str
    name_vi: str
    name_en: str
    basis: str
    begins: Moment
    ends: Moment
    kinds: tuple[str, ...]
    working_days: int = 0
    days: int = 0
    years: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TermRules:
    """What a province declares in terms.yaml. Saturdays, Sundays and `days_off` are no working days."""

    terms: tuple[Term, ...] = ()
    days_off: Set[date] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseTerm:
    """A term that has begun: since when, until when (the first instant that is too late), and when it was met."""

    name: str
    name_vi: str
    name_en: str
    basis: str
    since: datetime
    due_at: datetime
    met_at: datetime | None = None

    @property
    def last_day(self) -> date:
        """The local day with whose end the term ends."""
        return self.due_at.astimezone(LOCAL_ZONE).date() - _DAY

    def state(self, now: datetime) -> TermState:
        if self.met_at is not None:
            return "met" if self.met_at < self.due_at else "late"
        return "running" if now < self.due_at else "overdue"


def terms_of(kind: str, moments: Mapping[Moment, datetime], rules: TermRules) -> tuple[CaseTerm, ...]:
    """Returns the terms of a case of `kind` that have begun, in the order of the rules; `moments`: what is known."""
    return tuple(
        CaseTerm(
            name=term.name,
            name_vi=term.name_vi,
            name_en=term.name_en,
            basis=term.basis,
            since=since,
            due_at=due_at(term, since, rules.days_off),
            met_at=moments.get(term.ends),
        )
        for term in rules.terms
        if kind in term.kinds and (since := moments.get(term.begins)) is not None
    )


def due_at(term: Term, since: datetime, days_off: Set[date] = frozenset()) -> datetime:
    """Returns the first instant after the term: local midnight after its last day.

    Days that end on a day off go on to the next working day; years do not: a limitation is told early rather than late.
    """
    day = since.astimezone(LOCAL_ZONE).date()
    if term.years:
        last = _years_later(day, term.years)
    elif term.days:
        last = _working(day + timedelta(days=term.days), days_off)
    else:
        last = day
        for _ in range(term.working_days):
            last = _working(last + _DAY, days_off)
    return datetime.combine(last + _DAY, time(), LOCAL_ZONE)


def _working(day: date, days_off: Set[date]) -> date:
    """The day itself, or the first one after it on which offices work."""
    while day.weekday() >= _SATURDAY or day in days_off:
        day += _DAY
    return day


def _years_later(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # the 29th of February
        return day.replace(year=day.year + years, day=28)
