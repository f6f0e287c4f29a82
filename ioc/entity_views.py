"""What figures may ask of an entity's row: the values of its columns, computed from its facts. Pure."""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from ioc.column_readers import Reader, reader_of, types_of
from ioc.entities import Fact, Row
from ioc.entity_columns import Column, EntityDefinition
from ioc.event_types import EventType, StoredValue
from ioc.expressions import Value

__all__ = ["AloneView", "View", "compile_view"]


class _Newest(NamedTuple):
    """Columns that each want the newest value of a field of one event type: nearly always one fact has them all."""

    type_number: int
    targets: tuple[int, ...]
    pick: Callable[[tuple[StoredValue, ...]], tuple[Value, ...]]
    one_by_one: tuple[Reader, ...]


class AloneView:
    """The columns of a row that holds one fact of one type: they are read from the fact itself, nothing is copied.

    The values are the fact's own, then None, 0, its time, its source, what must be computed, and the clock.
    """

    def __init__(self, places: Mapping[str, int], computed: Sequence[Reader], samples: Mapping[int, Value]) -> None:
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
        others: Sequence[tuple[int, frozenset[int], Reader]],
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
        computed: list[Reader] = []
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
    by_type: dict[int, list[tuple[int, int, Reader]]] = {}
    others: list[tuple[int, frozenset[int], Reader]] = []
    for target, column in enumerate(definition.columns):
        where = f"entities.yaml: {definition.name}.{column.name}"
        earlier = {known.name: index for index, known in enumerate(definition.columns[:target])}
        reader = reader_of(definition, column, earlier, where)
        types = types_of(definition, column, where)
        if column.operator == "newest" and len(types) == 1 and not column.where and not column.prefer:
            place = types[0].position(column.argument)
            by_type.setdefault(types[0].number, []).append((target, place, reader))
        else:
            others.append((target, frozenset(event_type.number for event_type in types), reader))
    return View(definition, [_together(number, wanted) for number, wanted in by_type.items()], others)


def _together(type_number: int, wanted: Sequence[tuple[int, int, Reader]]) -> _Newest:
    targets, places, readers = zip(*wanted, strict=True)
    single = places[0]
    pick = itemgetter(*places) if len(places) > 1 else lambda values: (values[single],)
    return _Newest(type_number, targets, pick, readers)
