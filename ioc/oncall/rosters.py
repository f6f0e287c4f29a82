"""Who stands when. Pure: the roster and an instant in, people out; iCalendar texts are understood here.

An override beats a holiday, a holiday beats the calendar or the rotation. Days and wall times are the province's
(Asia/Ho_Chi_Minh); a calendar's own TZIDs are heeded, times without one are local.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any

from ioc.errors import ConfigurationError
from ioc.oncall_plan import Calendar, Person, Roster
from ioc.windows import LOCAL_ZONE

__all__ = ["Shift", "check_roster", "gaps", "shifts", "standing"]

MAX_EVENTS = 5000
MAX_RANGE = timedelta(days=400)
_DAY = timedelta(days=1)
_TOO_OFTEN = {"SECONDLY", "MINUTELY"}  # thousands of turns a day: no roster, and a way to stop us


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """`people` stand from `begins_at` until `ends_at`; empty: nobody does."""

    begins_at: datetime
    ends_at: datetime
    people: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Span:
    begins_at: datetime
    ends_at: datetime
    people: tuple[str, ...]
    rank: int  # the least that covers an instant says who stands


def standing(roster: Roster, people: Mapping[str, Person], at: datetime) -> tuple[str, ...]:
    """The ids of who stands at `at`: one of a rotation, perhaps several of a calendar, none in a gap.

    Raises:
        ConfigurationError: a calendar is broken, or names somebody unknown (`check_roster` says so beforehand).
    """
    return _at(_spans(roster, people, at, at + timedelta(microseconds=1)), at)


def shifts(roster: Roster, people: Mapping[str, Person], begin: datetime, end: datetime) -> tuple[Shift, ...]:
    """Who stands from `begin` until `end`, gaps too, without a seam; at most 400 days."""
    end = min(end, begin + MAX_RANGE)
    spans = _spans(roster, people, begin, end)
    edges = {begin, end} | {edge for span in spans for edge in (span.begins_at, span.ends_at) if begin < edge < end}
    found: list[Shift] = []
    for start, stop in pairwise(sorted(edges)):
        on_duty = _at(spans, start)
        goes_on = bool(found) and found[-1].people == on_duty
        begins_at = found.pop().begins_at if goes_on else start
        found.append(Shift(begins_at=begins_at, ends_at=stop, people=on_duty))
    return tuple(found)


def gaps(roster: Roster, people: Mapping[str, Person], begin: datetime, end: datetime) -> tuple[Shift, ...]:
    """The times from `begin` until `end` at which nobody stands."""
    return tuple(shift for shift in shifts(roster, people, begin, end) if not shift.people)


def check_roster(roster: Roster, people: Mapping[str, Person], begin: datetime, end: datetime) -> None:
    """Raises ConfigurationError where a calendar can't be understood, or names nobody known from `begin` to `end`."""
    try:
        shifts(roster, people, begin, end)
    except ConfigurationError as error:
        raise ConfigurationError(f"rosters.{roster.name}: {error}") from None


def _at(spans: list[_Span], at: datetime) -> tuple[str, ...]:
    covering = [span for span in spans if span.begins_at <= at < span.ends_at]
    least = min((span.rank for span in covering), default=0)
    return tuple(dict.fromkeys(person for span in covering if span.rank == least for person in span.people))


def _spans(roster: Roster, people: Mapping[str, Person], begin: datetime, end: datetime) -> list[_Span]:
    spans = [_Span(one.begins_at, one.ends_at, (one.person,), 0) for one in roster.overrides]
    spans += _holidays(roster, begin, end)
    spans += _rotation(roster, begin, end)
    if roster.calendar is not None:
        for event in _events(roster.calendar, begin, end):
            spans.append(_Span(event.begins_at, event.ends_at, _people(event, people, roster.calendar), 2))
    return spans


def _rotation(roster: Roster, begin: datetime, end: datetime) -> Iterator[_Span]:
    rotation = roster.rotation
    if rotation is None:
        return
    turn = max(0, (begin - rotation.begins_at) // rotation.every)
    while (starts := rotation.begins_at + turn * rotation.every) < end:
        yield _Span(starts, starts + rotation.every, (rotation.people[turn % len(rotation.people)],), 2)
        turn += 1


def _holidays(roster: Roster, begin: datetime, end: datetime) -> Iterator[_Span]:
    for calendar in roster.holidays:
        for event in _events(calendar, begin, end):
            day = event.begins_at.astimezone(LOCAL_ZONE).date()
            while (midnight := _midnight(day)) < event.ends_at:
                person = roster.on_holidays[day.toordinal() % len(roster.on_holidays)]
                yield _Span(max(midnight, event.begins_at), min(midnight + _DAY, event.ends_at), (person,), 1)
                day += _DAY


# ---- iCalendar -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Event:
    begins_at: datetime
    ends_at: datetime
    names: tuple[str, ...]


def _events(calendar: Calendar, begin: datetime, end: datetime) -> Iterator[_Event]:
    """The events of the local days that `begin` … `end` touch; each day is expanded once."""
    day, last = begin.astimezone(LOCAL_ZONE).date(), end.astimezone(LOCAL_ZONE).date()
    if last - day > timedelta(days=2):
        yield from _expanded(calendar, day, last + _DAY)
        return
    seen: set[_Event] = set()
    while day <= last:
        for event in _expanded(calendar, day, day + _DAY):
            if event not in seen:
                seen.add(event)
                yield event
        day += _DAY


@lru_cache(maxsize=256)
def _expanded(calendar: Calendar, first: date, until: date) -> tuple[_Event, ...]:
    import recurring_ical_events

    content = _read(calendar)
    try:
        found = recurring_ical_events.of(content).between(_midnight(first), _midnight(until))
        return tuple(_event(component) for component in found)
    except ConfigurationError:
        raise
    except Exception as error:  # the boundary of a library that raises whatever a broken file makes it raise
        raise _broken(calendar, f"{type(error).__name__}: {error}") from None


@lru_cache(maxsize=32)
def _read(calendar: Calendar) -> Any:
    from icalendar import Calendar as ICalendar

    try:
        content = ICalendar.from_ical(calendar.text)
        events = list(content.walk("VEVENT"))
    except Exception as error:  # as above
        raise _broken(calendar, f"{type(error).__name__}: {error}") from None
    if content.name != "VCALENDAR" or not events:
        raise _broken(calendar, "it holds no event (VEVENT)")
    if len(events) > MAX_EVENTS:
        raise _broken(calendar, f"it holds {len(events)} events; {MAX_EVENTS} are read at most")
    for event in events:
        rules = event.get("RRULE", [])
        for rule in rules if isinstance(rules, list) else [rules]:
            if _TOO_OFTEN & {str(frequency).upper() for frequency in rule.get("FREQ", [])}:
                raise _broken(calendar, "an event repeats by the minute or second; a turn lasts an hour at least")
    return content


def _broken(calendar: Calendar, why: str) -> ConfigurationError:
    return ConfigurationError(f"{calendar.file}: no calendar that can be read ({' '.join(why.split())[:200]})")


def _event(component: Any) -> _Event:
    begins_at = _instant(component["DTSTART"].dt)
    ends = component.get("DTEND")
    ends_at = _instant(ends.dt) if ends is not None else begins_at
    if ends_at <= begins_at:
        ends_at = begins_at + _DAY  # RFC 5545, 3.6.1: a day without an end lasts that day
    return _Event(begins_at, ends_at, tuple(_names(component)))


def _names(component: Any) -> Iterator[str]:
    attendees = component.get("ATTENDEE", [])
    for attendee in attendees if isinstance(attendees, list) else [attendees]:
        yield str(attendee.params.get("CN", ""))
        yield str(attendee).lower().removeprefix("mailto:")
    yield str(component.get("SUMMARY", ""))


def _people(event: _Event, people: Mapping[str, Person], calendar: Calendar) -> tuple[str, ...]:
    """The people whom the attendees name; the summary's where none does."""
    known = {**{person.name.casefold(): key for key, person in people.items()}, **{key: key for key in people}}
    known |= {a.address.lower(): key for key, person in people.items() for a in person.addresses if "@" in a.address}
    *attendees, summary = (name.strip().casefold() for name in event.names)
    found = tuple(dict.fromkeys(known[name] for name in attendees if name in known))
    if found:
        return found
    if summary in known:
        return (known[summary],)
    raise ConfigurationError(
        f"{calendar.file}: the event of {event.begins_at.astimezone(LOCAL_ZONE):%Y-%m-%d %H:%M} names nobody: "
        f"{event.names[-1][:60]!r}; write a person's short name or full name as SUMMARY or ATTENDEE"
    )


def _instant(value: date | datetime) -> datetime:
    if not isinstance(value, datetime):
        return _midnight(value)
    return (value if value.tzinfo else value.replace(tzinfo=LOCAL_ZONE)).astimezone(UTC)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=LOCAL_ZONE).astimezone(UTC)
