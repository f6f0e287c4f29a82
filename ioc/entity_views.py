"""What figures may ask of an entity's row: its columns, declared in the catalogue and compiled to readers. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import itemgetter
from typing import Literal, NamedTuple

from ioc.entities import Fact, Row
from ioc.errors import ConfigurationError
from ioc.event_types import EventType, StoredValue
from ioc.expressions import Evaluate, Value, compile_expression, names_in
from ioc.windows import LOCAL_ZONE, microseconds_of

__all__ = ["AloneView", "Column", "EntityDefinition", "Operator", "View", "compile_view"]

Operator = Literal[
    "newest", "first", "first_per", "time_in", "newest_time", "newest_is", "newest_source", "period_start"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One derived value of a row, of the facts of the types `of` (all, where it is empty).

    `newest` FIELD: the value of the newest fact that carries it and for which `where` holds; with `prefer`, of the
    newest for which that holds too, if there is one.
    `first` FIELD: the value of the earliest fact that carries it and for which `where` holds.
    `first_per` FIELD: the list of its earliest values, one for each value of the field `by`.
    `time_in` CONDITION: the µs spent in facts for which it holds, each until the next fact of that type for which
    `where` holds, summed up to the time in the column `until`.
    `newest_time`: when the newest fact happened. `newest_source`: who told it.
    `newest_is` CONDITION: whether it holds for the newest fact for which `where` holds.
    `period_start` FIELD: the first local midnight, in µs, of the newest value: a year, quarter (2026-Q4), month or day.
    """

    name: str
    operator: Operator
    argument: str
    of: tuple[str, ...] = ()
    where: str = ""
    prefer: str = ""
    by: str = ""
    until: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityDefinition:
    """An entity: the event types that tell about it, and the values that figures may use.

    `keep_days`: a fact older than this at the clock is too late, and a row whose newest fact is older is dropped; None:
    rows are kept for good.
    """

    name: str
    types: tuple[EventType, ...]
    columns: tuple[Column, ...]
    keep_days: int | None = None

    def types_asking_for_keys(self) -> Iterator[EventType]:
        """The types of which some column reads a field of the entity's key: their facts must keep it."""
        asked: set[str] = set()
        for column in self.columns:
            asked |= {column.argument, column.by}
            for text in (column.argument, column.where, column.prefer):
                asked |= names_in(text, where=self.name) if text else frozenset()
        yield from (event_type for event_type in self.types if asked.intersection(event_type.entity_key))


_Reader = Callable[[list[Fact], list[Value]], Value]


class _Newest(NamedTuple):
    """Columns that each want the newest value of a field of one event type: nearly always one fact has them all."""

    type_number: int
    targets: tuple[int, ...]
    pick: Callable[[tuple[StoredValue, ...]], tuple[Value, ...]]
    one_by_one: tuple[_Reader, ...]


class AloneView:
    """The columns of a row that holds one fact of one type: they are read from the fact itself, nothing is copied.

    The values are the fact's own, then None, 0, its time, its source, what must be computed, and the clock.
    """

    def __init__(self, places: Mapping[str, int], computed: Sequence[_Reader], samples: Mapping[int, Value]) -> None:
        self.columns, self._computed, self._samples = places, tuple(computed), samples
        self.known: dict[str, int | None] = {}
        """The columns that say the same of every such row: nothing, or no time at all."""

    def samples(self) -> list[Value]:
        return [self._samples.get(place) for place in range(self.columns["clock"] + 1)]

    def read(self, fact: Fact, clock_us: int) -> tuple[Value, ...]:
        """Returns the values by position; the fact must be no tombstone."""
        if self._computed:
            facts = [fact]
            computed = [reader(facts, []) for reader in self._computed]
            return (*fact[5], None, 0, fact[0], fact[2], *computed, clock_us)
        return (*fact[5], None, 0, fact[0], fact[2], clock_us)


class View:
    """Computes the columns of a row; the last column, `clock`, is the time given."""

    def __init__(
        self,
        definition: EntityDefinition,
        newest: Sequence[_Newest],
        others: Sequence[tuple[int, frozenset[int], _Reader]],
    ) -> None:
        self.definition = definition
        self.columns = {column.name: place for place, column in enumerate(definition.columns)}
        self.columns["clock"] = len(definition.columns)
        self._newest, self._others = newest, others
        self._empty: list[Value] = [0 if column.operator == "time_in" else None for column in definition.columns]

    def samples(self) -> list[Value]:
        """A value of the right kind for each column, for checking the expressions that read them."""
        return [_sample(self.definition, column) for column in self.definition.columns] + [0]

    def alone(self, event_type: EventType) -> AloneView | None:
        """Returns the view of rows that hold one fact of this type; None where that takes more than the fact."""
        unknown = len(event_type.stored)
        zero, time, source = unknown + 1, unknown + 2, unknown + 3
        readers = {target: reader for target, numbers, reader in self._others if event_type.number in numbers}
        places: dict[str, int] = {}
        computed: list[_Reader] = []
        for target, column in enumerate(self.definition.columns):
            is_of_type = not column.of or event_type.name in column.of
            is_plain = column.operator in ("newest", "first") and not column.where
            if is_plain and is_of_type and column.argument in event_type.stored:
                places[column.name] = event_type.position(column.argument)
            elif target not in readers:
                places[column.name] = zero if column.operator == "time_in" else unknown
            elif column.operator == "time_in":
                return None  # it looks at other columns
            elif column.operator in ("newest_time", "newest_source"):
                places[column.name] = time if column.operator == "newest_time" else source
            else:
                places[column.name] = source + 1 + len(computed)
                computed.append(readers[target])
        places["clock"] = source + 1 + len(computed)
        samples = dict(zip(places.values(), self.samples(), strict=True)) | {unknown: None, zero: 0}
        alone = AloneView(places, computed, samples)
        alone.known = {name: 0 if at == zero else None for name, at in places.items() if at in (unknown, zero)}
        return alone

    def read(self, row: Row, clock_us: int) -> list[Value] | None:
        """Returns the values by position, or None where the newest fact is a tombstone (the entity counts nowhere)."""
        facts = row.facts
        if not facts or facts[-1][4]:
            return None
        values = [*self._empty, clock_us]
        newest = {fact[3]: fact for fact in facts if not fact[4]}  # the last of each type
        for type_number, targets, pick, one_by_one in self._newest:
            newest_fact = newest.get(type_number)
            if newest_fact is None:
                continue
            for target, value, read in zip(targets, pick(newest_fact[5]), one_by_one, strict=True):
                # None means not known: an older fact may have told.
                values[target] = read(facts, values) if value is None else value
        for target, type_numbers, reader in self._others:
            if not type_numbers.isdisjoint(newest):
                values[target] = reader(facts, values)
        return values


def _sample(definition: EntityDefinition, column: Column) -> Value:
    if column.operator in ("time_in", "newest_time", "period_start"):
        return 0
    if column.operator == "newest_is":
        return True
    if column.operator == "newest_source":
        return ""
    if column.operator == "first_per":
        return []
    specs = [spec for t in definition.types for spec in t.fields if spec.name == column.argument]
    spec = specs[0]
    if spec.enum:
        return spec.enum[0]
    if spec.type == "list":
        return [""]
    if spec.type == "boolean":
        return True
    return 0 if spec.type in ("integer", "number", "time", "date_or_time") else ""


def compile_view(definition: EntityDefinition) -> View:
    """Returns the view of an entity.

    Raises:
        ConfigurationError: a column names a type, field or earlier column that does not exist.
    """
    by_type: dict[int, list[tuple[int, int, _Reader]]] = {}
    others: list[tuple[int, frozenset[int], _Reader]] = []
    for target, column in enumerate(definition.columns):
        where = f"entities.yaml: {definition.name}.{column.name}"
        earlier = {known.name: index for index, known in enumerate(definition.columns[:target])}
        reader = _reader(definition, column, earlier, where)
        types = _types_of(definition, column, where)
        if column.operator == "newest" and len(types) == 1 and not column.where and not column.prefer:
            place = types[0].position(column.argument)
            by_type.setdefault(types[0].number, []).append((target, place, reader))
        else:
            others.append((target, frozenset(event_type.number for event_type in types), reader))
    return View(definition, [_together(number, wanted) for number, wanted in by_type.items()], others)


def _together(type_number: int, wanted: Sequence[tuple[int, int, _Reader]]) -> _Newest:
    targets, places, readers = zip(*wanted, strict=True)
    single = places[0]
    pick = itemgetter(*places) if len(places) > 1 else lambda values: (values[single],)
    return _Newest(type_number, targets, pick, readers)


def _reader(definition: EntityDefinition, column: Column, earlier: Mapping[str, int], where: str) -> _Reader:
    types = _types_of(definition, column, where)
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


def _types_of(definition: EntityDefinition, column: Column, where: str) -> tuple[EventType, ...]:
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


def _newest(places: Mapping[int, int]) -> _Reader:
    def read(facts: list[Fact], values: list[Value]) -> Value:
        for fact in reversed(facts):
            place = places.get(fact[3])
            if place is not None and not fact[4]:
                value = fact[5][place]
                if value is not None:
                    return value
        return None

    return read


def _first(places: Mapping[int, int], conditions: Mapping[int, Evaluate | None]) -> _Reader:
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


def _of_newest(numbers: frozenset[int], value: Callable[[Fact], Value]) -> _Reader:
    def read(facts: list[Fact], values: list[Value]) -> Value:
        for fact in reversed(facts):
            if fact[3] in numbers and not fact[4]:
                return value(fact)
        return None

    return read


def _newest_where(
    places: Mapping[int, int], conditions: Mapping[int, Evaluate | None], preferences: Mapping[int, Evaluate | None]
) -> _Reader:
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


def _newest_is(types: tuple[EventType, ...], column: Column, where: str) -> _Reader:
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


def _first_per(places: Mapping[int, int], by: Mapping[int, int]) -> _Reader:
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


def _time_in(types: tuple[EventType, ...], column: Column, earlier: Mapping[str, int], where: str) -> _Reader:
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
