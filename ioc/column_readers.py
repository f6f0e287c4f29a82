"""Columns compiled to what reads them from a row's facts. Pure."""

from collections.abc import Callable, Mapping
from datetime import date, datetime

from ioc.entities import Fact
from ioc.entity_columns import Column, EntityDefinition
from ioc.errors import ConfigurationError
from ioc.event_types import EventType, StoredValue
from ioc.expressions import Evaluate, Value, compile_expression
from ioc.windows import LOCAL_ZONE, microseconds_of

__all__ = ["Reader", "reader_of", "types_of"]

Reader = Callable[[list[Fact], list[Value]], Value]
"""From a row's facts, oldest first, and the columns before it to its value."""


def reader_of(definition: EntityDefinition, column: Column, earlier: Mapping[str, int], where: str) -> Reader:
    """Returns what reads `column` from a row's facts; `earlier` places the columns before it.

    Raises:
        ConfigurationError: it names a type, field or earlier column that does not exist.
    """
    types = types_of(definition, column, where)
    numbers = frozenset(event_type.number for event_type in types)
    match column.operator:
        case "newest_time":
            return _of_newest(numbers, lambda fact: fact[0])
        case "newest_source":
            return _of_newest(numbers, lambda fact: fact[2])
        case "time_in":
            return _time_in(types, column, earlier, where)
        case "newest_is":
            return _newest_is(types, column, where)
    places = {t.number: t.position(column.argument) for t in types if column.argument in t.stored}
    if not places:
        known = ", ".join(dict.fromkeys(name for event_type in types for name in event_type.stored))
        raise ConfigurationError(f"{where}: no type of this entity stores a field {column.argument!r}; known: {known}")
    conditions = {t.number: _condition(column.where, t, where) for t in types if t.number in places}
    match column.operator:
        case "first":
            return _first(places, conditions)
        case "first_per":
            by = {t.number: t.position(column.by) for t in types if column.by in t.stored and t.number in places}
            if by.keys() != places.keys():
                raise ConfigurationError(f"{where}: first_per needs `by`: a field of the same types")
            return _first_per(places, by)
        case "period_start":
            newest = _newest(places)
            return lambda facts, values: _period_start(newest(facts, values))
    if not column.where and not column.prefer:
        return _newest(places)
    preferences = {t.number: _condition(column.prefer, t, where) for t in types if t.number in places}
    return _newest_where(places, conditions, preferences)


def types_of(definition: EntityDefinition, column: Column, where: str) -> tuple[EventType, ...]:
    """Returns the types of which `column` reads facts: those that it names, else all of the entity."""
    by_name = {event_type.name: event_type for event_type in definition.types}
    unknown = [name for name in column.of if name not in by_name]
    if unknown:
        raise ConfigurationError(
            f"{where}: {unknown[0]!r} is no event type of this entity; known: {', '.join(by_name)}"
        )
    return tuple(by_name[name] for name in column.of) or definition.types


def _condition(text: str, event_type: EventType, where: str) -> Evaluate | None:
    if not text:
        return None
    return compile_expression(text, {name: place for place, name in enumerate(event_type.stored)}, where=where)


def _newest(places: Mapping[int, int]) -> Reader:
    def read(facts: list[Fact], values: list[Value]) -> Value:
        for fact in reversed(facts):
            place = places.get(fact[3])
            if place is not None and not fact[4]:
                value = fact[5][place]
                if value is not None:
                    return value
        return None

    return read


def _first(places: Mapping[int, int], conditions: Mapping[int, Evaluate | None]) -> Reader:
    def read(facts: list[Fact], values: list[Value]) -> Value:
        for fact in facts:
            place = places.get(fact[3])
            if place is None or fact[4]:
                continue
            value = fact[5][place]
            if value is None:
                continue
            condition = conditions[fact[3]]
            if condition is None or condition(fact[5]):
                return value
        return None

    return read


def _of_newest(numbers: frozenset[int], value: Callable[[Fact], Value]) -> Reader:
    def read(facts: list[Fact], values: list[Value]) -> Value:
        for fact in reversed(facts):
            if fact[3] in numbers and not fact[4]:
                return value(fact)
        return None

    return read


def _newest_where(
    places: Mapping[int, int], conditions: Mapping[int, Evaluate | None], preferences: Mapping[int, Evaluate | None]
) -> Reader:
    def read(facts: list[Fact], values: list[Value]) -> Value:
        found = None
        for fact in reversed(facts):
            place = places.get(fact[3])
            if place is None or fact[4]:
                continue
            value, condition = fact[5][place], conditions[fact[3]]
            if value is None or not (condition is None or condition(fact[5])):
                continue
            preference = preferences[fact[3]]
            if preference is None or preference(fact[5]):
                return value
            found = value if found is None else found
        return found

    return read


def _newest_is(types: tuple[EventType, ...], column: Column, where: str) -> Reader:
    holds = {t.number: _condition(column.argument, t, where) for t in types}
    conditions = {t.number: _condition(column.where, t, where) for t in types}

    def read(facts: list[Fact], values: list[Value]) -> Value:
        for fact in reversed(facts):
            condition = conditions.get(fact[3])
            if fact[3] in holds and not fact[4] and (condition is None or condition(fact[5])):
                is_so = holds[fact[3]]
                return is_so is not None and bool(is_so(fact[5]))
        return None

    return read


def _first_per(places: Mapping[int, int], by: Mapping[int, int]) -> Reader:
    def read(facts: list[Fact], values: list[Value]) -> Value:
        found: dict[StoredValue, int] = {}
        for fact in facts:
            place = places.get(fact[3])
            if place is None or fact[4]:
                continue
            value, name = fact[5][place], fact[5][by[fact[3]]]
            if isinstance(value, int) and isinstance(name, str):
                found.setdefault(name, value)
        return list(found.values()) or None

    return read


def _period_start(text: Value) -> int | None:
    """First local midnight of a period; None for a text that is none."""
    if not isinstance(text, str):
        return None
    year, _, rest = text.partition("-")
    if rest[:1] == "Q" and rest[1:] in ("1", "2", "3", "4"):
        rest = f"{int(rest[1:]) * 3 - 2:02d}"
    month, _, day = rest.partition("-")
    try:
        begin = date(int(year), int(month or "1"), int(day or "1"))
    except ValueError:
        return None
    return microseconds_of(datetime(begin.year, begin.month, begin.day, tzinfo=LOCAL_ZONE))


def _time_in(types: tuple[EventType, ...], column: Column, earlier: Mapping[str, int], where: str) -> Reader:
    if len(types) != 1:
        raise ConfigurationError(f"{where}: time_in needs exactly one type in `of`")
    if column.until not in earlier:
        raise ConfigurationError(f"{where}: `until` must name an earlier column; known: {', '.join(earlier)}")
    number, until = types[0].number, earlier[column.until]
    condition, counts = _condition(column.argument, types[0], where), _condition(column.where, types[0], where)
    if condition is None:
        raise ConfigurationError(f"{where}: time_in needs a condition")

    def read(facts: list[Fact], values: list[Value]) -> Value:
        end = values[until]
        if not isinstance(end, int):
            return 0
        total, since = 0, None
        for fact in facts:
            if fact[3] != number or fact[4] or not (counts is None or counts(fact[5])):
                continue
            if since is not None:
                total += max(0, min(fact[0], end) - since)
                since = None
            if fact[0] >= end:
                break
            if condition(fact[5]):
                since = fact[0]
        return total + (max(0, end - since) if since is not None else 0)

    return read
