"""The columns of an entity's rows, as the catalogue declares them. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ioc.event_types import EventType
from ioc.expressions import names_in

__all__ = ["Column", "EntityDefinition", "Operator"]

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
