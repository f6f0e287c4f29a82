"""What an entity's row adds to the KPIs: a function of the row and, where a KPI reads it, of the clock. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from ioc.entities import Row
from ioc.entity_columns import EntityDefinition
from ioc.entity_views import AloneView, View, compile_view
from ioc.errors import ConfigurationError
from ioc.expressions import ClockTerm, Evaluate, Value
from ioc.geography import Geography
from ioc.kpis.definitions import KpiDefinition, Part
from ioc.kpis.parts import BUILT_IN, TOTAL, Add, BuiltInColumns, Columns, CompiledPart, Contribution

__all__ = ["Evaluated", "KpiEngine"]

Evaluated = tuple[list[Contribution], int]
"""What a row adds, and the next clock in µs at which that may change without an event (0: never)."""

_DAY_US = 86_400_000_000
_OFFSET_US = 7 * 3_600_000_000
_MINUTE_US = 60_000_000


class _Condition(NamedTuple):
    where: Evaluate | None
    fixed: tuple[tuple[int, int | float], ...]
    plain: tuple[tuple[int, Evaluate], ...]
    adds: tuple[Add, ...]


class _Branch(NamedTuple):
    """Parts of one entity with the same bucket and group: both are looked at once for all of them."""

    bucket_at: int | None
    is_by_minute: bool
    group_at: int | None
    conditions: tuple[_Condition, ...]


class _Rules(NamedTuple):
    """Everything that looks at one entity."""

    view: View | None
    branches: tuple[_Branch, ...]
    clock_terms: tuple[ClockTerm, ...]


class KpiEngine:
    """The KPIs and entities of a catalogue, compiled.

    Args:
        registers: denominators that are known without any event: id to administrative unit, by the register's name.
        geography: the communes, which are a register of their own (`communes`).

    Raises:
        ConfigurationError: an expression, column, window or register does not exist; names the file and key.
    """

    def __init__(
        self,
        entities: Iterable[EntityDefinition],
        kpis: Iterable[KpiDefinition],
        registers: Mapping[str, Mapping[str, str]],
        geography: Geography,
    ) -> None:
        self.definitions = tuple(kpis)
        self.registers, self.geography = registers, geography
        views: dict[str, Columns] = {name: BuiltInColumns(samples) for name, samples in BUILT_IN.items()}
        views |= {entity.name: compile_view(entity) for entity in entities}
        parts: list[CompiledPart] = []
        for definition in self.definitions:
            for index, part in enumerate(_with_as_of(definition.parts)):
                view = views.get(part.entity)
                if view is None:
                    raise ConfigurationError(
                        f"kpis/{definition.id}.yaml: entity {part.entity!r} is not in entities.yaml"
                    )
                parts.append(CompiledPart(len(parts), index, definition, part, view, registers))
        self.parts = tuple(parts)
        self._rules = {
            name: rules for name, view in views.items() if (rules := _rules_of(name, view, self.parts)) is not None
        }
        self._alone = {
            event_type.number: (alone, rules)
            for name, view in views.items()
            if isinstance(view, View) and name in self._rules
            for event_type in view.definition.types
            if (alone := view.alone(event_type)) is not None and (rules := self._alone_rules(name, alone)) is not None
        }
        self.counted = frozenset(self._rules)
        """The entities that any KPI looks at."""

    def _alone_rules(self, entity: str, alone: AloneView) -> _Rules | None:
        """The rules for a row of one fact. Parts to which that fact can't add are left out."""
        parts = [
            CompiledPart(part.number, part.index, part.definition, part.part, alone, self.registers, alone.known)
            for part in self.parts
            if part.part.entity == entity
        ]
        parts = [part for part in parts if not part.is_silent]
        return _rules_of(entity, alone, parts) or _Rules(None, (), ())

    def evaluate(self, entity: str, entity_id: str, row: Row, clock_us: int) -> Evaluated:
        """Returns what the row adds to each KPI of its entity at the clock."""
        facts = row.facts
        if not facts or facts[-1][4]:
            return [], 0
        if len(facts) == 1:  # half of all rows, and most that are new
            alone = self._alone.get(facts[0][3])
            if alone is not None:
                return _evaluated(alone[1], entity_id, alone[0].read(facts[0], clock_us), clock_us)
        rules = self._rules.get(entity)
        values = rules.view.read(row, clock_us) if rules is not None and rules.view is not None else None
        return ([], 0) if values is None or rules is None else _evaluated(rules, entity_id, values, clock_us)

    def evaluate_values(self, entity: str, entity_id: str, values: Sequence[Value], clock_us: int) -> Evaluated:
        """The same of a row's columns, the last of which is the clock."""
        return _evaluated(self._rules[entity], entity_id, values, clock_us)

    def contributions(self, entity: str, entity_id: str, row: Row, clock_us: int) -> list[Contribution]:
        """What a row adds, each told in full."""
        return [self.in_full(found) for found in self.evaluate(entity, entity_id, row, clock_us)[0]]

    def in_full(self, contribution: Contribution) -> Contribution:
        if len(contribution) != 4:
            return contribution
        number, group, bucket, numerator = contribution
        return (number, group, TOTAL, bucket, numerator, self.parts[number].constant, 0)


def _evaluated(rules: _Rules, entity_id: str, values: Sequence[Value], clock_us: int) -> Evaluated:
    found: list[Contribution] = []
    for bucket_at, is_by_minute, group_at, conditions in rules.branches:
        bucket = 0
        if bucket_at is not None:
            time_us = values[bucket_at]
            if time_us.__class__ is not int:
                continue
            bucket = time_us // _MINUTE_US if is_by_minute else (time_us + _OFFSET_US) // _DAY_US
        group = (values[group_at] or TOTAL) if group_at is not None else TOTAL
        for where, fixed, plain, adds in conditions:
            if where is None or where(values):
                for number, value in fixed:
                    found.append((number, group, bucket, value))
                for number, numerator in plain:
                    found.append((number, group, bucket, numerator(values) or 0))
                for add in adds:
                    add(found, entity_id, values, bucket)
    return found, _next_wake(rules.clock_terms, values, clock_us) if rules.clock_terms else 0


def _with_as_of(parts: Iterable[Part]) -> Iterable[Part]:
    """A part that names its own as-of is followed by one that keeps those times."""
    for part in parts:
        yield part
        if part.as_of and part.measure != "as_of":
            yield replace(part, measure="as_of", numerator="1", denominator="1", dim="", manual="")


def _rules_of(name: str, view: Columns, parts: Sequence[CompiledPart]) -> _Rules | None:
    branches: dict[tuple[int | None, bool, int | None], dict[str, list[CompiledPart]]] = {}
    terms: dict[str, list[ClockTerm]] = {}
    for part in parts:
        if part.part.entity == name:
            key = (part.bucket_at, "minute" in part.grains, part.group_at)
            branches.setdefault(key, {}).setdefault(part.part.where.strip(), []).append(part)
            terms.setdefault(f"{part.part.where}|{part.part.numerator}|{part.part.denominator}", part.clock_terms)
    if not branches:
        return None
    return _Rules(
        view if isinstance(view, View) else None,
        tuple(_Branch(*key, tuple(map(_condition, by_where.values()))) for key, by_where in branches.items()),
        tuple(term for found in terms.values() for term in found),
    )


def _condition(parts: Sequence[CompiledPart]) -> _Condition:
    return _Condition(
        parts[0].where,
        tuple(part.fixed for part in parts if part.fixed is not None),
        tuple(part.plain for part in parts if part.plain is not None),
        tuple(part.add for part in parts if part.plain is None and part.fixed is None),
    )


def _next_wake(terms: Sequence[ClockTerm], values: Sequence[Value], clock_us: int) -> int:
    """Returns the next clock after `clock_us` at which a comparison may turn: its root, or 1 µs after it."""
    wake = 0
    for guard, root in terms:
        moment = root(values)
        if not isinstance(moment, int) or moment < clock_us:
            continue
        if moment == clock_us:
            moment += 1
        if (not wake or moment < wake) and guard(values):
            wake = moment
    return wake
