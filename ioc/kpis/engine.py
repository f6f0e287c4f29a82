"""What an entity's row adds to the KPIs: a function of the row and, where a KPI reads it, of the clock. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

from ioc.entities import AloneView, EntityDefinition, Row, View, compile_view
from ioc.errors import ConfigurationError
from ioc.event_types import EventType
from ioc.expressions import ClockTerm, Evaluate, Value, clock_terms, compile_expression
from ioc.geography import Geography
from ioc.kpis.definitions import KpiDefinition, Part
from ioc.kpis.sketch import bin_of
from ioc.windows import Grain, grain_of

__all__ = [
    "BUILT_IN",
    "COMMUNES",
    "SOURCE_SEEN",
    "SOURCE_TALLY",
    "TOTAL",
    "CompiledPart",
    "Contribution",
    "Evaluated",
    "KpiEngine",
]

TOTAL = ""
"""The group of the province's total; an administrative unit or an agency is never the empty string."""
COMMUNES = "communes"
"""The register of the communes in force at the clock."""

SOURCE_TALLY, SOURCE_SEEN = "source_tally", "source_seen"
BUILT_IN: Mapping[str, Mapping[str, Value]] = {
    SOURCE_TALLY: {"source": "", "accepted": 0, "duplicate": 0, "rejected": 0, "contradictions": 0, "at": 0},
    SOURCE_SEEN: {"source": "", "family": "", "newest_at": 0, "promise": 0},
}
"""The columns of the built-in entities (see `ioc.kpis.sources`), each with a sample."""

Contribution = tuple[Any, ...]
"""(part's number, group, dim, bucket, a, b, c), a plain tuple because the hot path counts equal ones.

bucket: minutes or local days since 1970, 0 for the window `now`.
A part that only sums and needs no dim may be told shorter: (part's number, group, bucket, numerator).
a, b, c by measure: sum (numerator, denominator, is manual); distinct (value, is in the numerator, is in the
denominator); p95 (bin, 1, 0); as_of (time in µs, 1, 0). A part with `latest_of` has three more: (key, rank, entity id).
"""


Evaluated = tuple[list[Contribution], int]
"""What a row adds, and the next clock in µs at which that may change without an event (0: never)."""


class _Columns(Protocol):
    """What the rows of an entity can be asked for, by position."""

    @property
    def columns(self) -> Mapping[str, int]: ...
    def samples(self) -> list[Value]: ...


class _BuiltIn:
    def __init__(self, samples: Mapping[str, Value]) -> None:
        self.columns = {name: place for place, name in enumerate((*samples, "clock"))}
        self._samples = [*samples.values(), 0]

    def samples(self) -> list[Value]:
        return list(self._samples)


_Add = Callable[[list[Contribution], str, Sequence[Value], int], None]
_DAY_US = 86_400_000_000
_OFFSET_US = 7 * 3_600_000_000
_MINUTE_US = 60_000_000


class CompiledPart:
    """A part of a KPI, ready to be evaluated. `number` is its place among all parts of the catalogue, `index` its place
    in its KPI."""

    def __init__(
        self,
        number: int,
        index: int,
        definition: KpiDefinition,
        part: Part,
        view: _Columns,
        registers: Mapping[str, Mapping[str, str]],
    ) -> None:
        self.number, self.index, self.definition, self.part = number, index, definition, part
        self.place = f"kpis/{definition.id}.yaml"
        self._view = view
        self.grains: tuple[Grain, ...] = ("now",)
        if part.bucket_by:
            self.grains = tuple(sorted({grain_of(window) for window in definition.windows} - {"now"}))
        elif definition.windows != ("now",) and part.counts != "denominator":
            raise ConfigurationError(
                f"{self.place}: windows {definition.windows} need `bucket_by`: a column that holds a time"
            )
        self.bucket_at = self._column(part.bucket_by, "bucket_by", "time")
        self.group_at = self._column(part.group, "group", "text")
        self.dim_at = self._column(part.dim, "dim", "text")
        self.register: Mapping[str, str] | None = None
        if definition.population and definition.population != COMMUNES:
            if definition.population not in registers:
                raise ConfigurationError(
                    f"{self.place}: no register named {definition.population!r}; known: "
                    f"{', '.join((*registers, COMMUNES))}"
                )
            self.register = registers[definition.population]
        self.where = None if part.where.strip() == "True" else self._expression(part.where, "where")
        self.clock_terms: list[ClockTerm] = [
            term
            for key in ("where", "numerator", "denominator")
            for term in clock_terms(getattr(part, key), view.columns, where=f"{self.place}: {key}")
        ]
        self.plain: tuple[int, Evaluate] | None = None
        """Number and numerator of a sum that needs nothing else: most parts are such."""
        self.constant = 0  # the denominator of each row of such a sum
        self.add = self._adder()
        if part.latest_of:
            self.plain = None

    def _expression(self, text: str, key: str) -> Evaluate:
        """A text that is compared with a number is a mistake of the file: found now, not at the first event."""
        expression = compile_expression(text, self._view.columns, where=f"{self.place}: {key}")
        try:
            value = expression(self._view.samples())
        except TypeError as error:
            raise ConfigurationError(f"{self.place}: {key}: {error}; compare only values of one kind") from None
        if not isinstance(value, bool | int | float | None):
            raise ConfigurationError(f"{self.place}: {key}: {text!r} is neither a number nor true or false")
        return expression

    def _column(self, name: str, key: str, kind: str) -> int | None:
        if not name:
            return None
        columns = self._view.columns
        if name not in columns:
            known = ", ".join(columns)
            raise ConfigurationError(
                f"{self.place}: {key}: no column {name!r} in entity {self.part.entity}; known: {known}"
            )
        sample = self._view.samples()[columns[name]]
        if sample is None:  # what a row of one fact can't know; the whole view was checked
            return columns[name]
        is_right = {"time": sample.__class__ is int, "text": isinstance(sample, str), "times": isinstance(sample, list)}
        if kind == "time or times":
            if not (is_right["time"] or is_right["times"]):
                raise ConfigurationError(f"{self.place}: {key}: column {name!r} holds no time")
        elif kind != "any" and not is_right[kind]:
            raise ConfigurationError(f"{self.place}: {key}: column {name!r} holds no {kind}")
        return columns[name]

    # ---- adding: one closure for each measure, with everything it needs at hand -------------------------------------

    def _adder(self) -> _Add:
        part = self.part
        match part.measure:
            case "sum":
                add = self._sum()
            case "distinct":
                add = self._distinct()
            case "p95":
                add = self._samples()
            case "as_of":
                add = self._as_of()
        return self._latest(add) if part.latest_of else add

    def _sum(self) -> _Add:
        number, group_at, dim_at, register = self.number, self.group_at, self.dim_at, self.register
        part = self.part
        numerator = self._expression(part.numerator, "numerator")
        constant = 1 if part.denominator.strip() == "1" else None
        denominator = self._expression(part.denominator, "denominator")
        if part.counts == "numerator" or register is not None:
            constant = 0
        counts_above = part.counts != "denominator"
        manual = self._expression(part.manual, "manual") if part.manual else None

        def add(found: list[Contribution], entity_id: str, values: Sequence[Value], bucket: int) -> None:
            if register is not None:
                if entity_id not in register:
                    return
                group: Value = register[entity_id]
            else:
                group = (values[group_at] or TOTAL) if group_at is not None else TOTAL
            found.append(
                (
                    number,
                    group,
                    (values[dim_at] or TOTAL) if dim_at is not None else TOTAL,
                    bucket,
                    (numerator(values) or 0) if counts_above else 0,
                    constant if constant is not None else (denominator(values) or 0),
                    (manual(values) or 0) if manual is not None else 0,
                )
            )

        if dim_at is None and register is None and manual is None and constant is not None and counts_above:
            self.plain = (number, numerator)
            self.constant = constant
        return add

    def _distinct(self) -> _Add:
        number, group_at, dim_at, part = self.number, self.group_at, self.dim_at, self.part
        key_at = self._column(part.distinct, "distinct", "any")
        if key_at is None:
            raise ConfigurationError(
                f"{self.place}: measure distinct needs `distinct`: the column that is counted once"
            )
        numerator = self._expression(part.numerator, "numerator")
        is_above, is_below = part.counts != "denominator", part.counts != "numerator"

        def add(found: list[Contribution], entity_id: str, values: Sequence[Value], bucket: int) -> None:
            key = values[key_at]
            if key is None or key == "":
                return
            group = (values[group_at] or TOTAL) if group_at is not None else TOTAL
            dim = (values[dim_at] or TOTAL) if dim_at is not None else TOTAL
            holds = 1 if is_above and numerator(values) else 0
            if holds or is_below:
                found.append((number, group, dim, bucket, key, holds, 1 if is_below else 0))

        return add

    def _samples(self) -> _Add:
        number, group_at, dim_at, part = self.number, self.group_at, self.dim_at, self.part
        start_at = self._column(part.start, "from", "time")
        end_at = self._column(part.end, "to", "time or times")
        if start_at is None or end_at is None:
            raise ConfigurationError(f"{self.place}: a p95 needs `from` and `to`: the columns of the two times")

        def add(found: list[Contribution], entity_id: str, values: Sequence[Value], bucket: int) -> None:
            start, end = values[start_at], values[end_at]
            if not isinstance(start, int) or not isinstance(end, int | list):
                return
            group = (values[group_at] or TOTAL) if group_at is not None else TOTAL
            dim = (values[dim_at] or TOTAL) if dim_at is not None else TOTAL
            for moment in end if isinstance(end, list) else (end,):
                assert isinstance(moment, int), "the column holds times"
                found.append((number, group, dim, bucket, bin_of(moment - start), 1, 0))

        return add

    def _as_of(self) -> _Add:
        number, group_at = self.number, self.group_at
        time_at = self._column(self.part.as_of, "as_of", "time")

        def add(found: list[Contribution], entity_id: str, values: Sequence[Value], bucket: int) -> None:
            moment = values[time_at] if time_at is not None else None
            if moment.__class__ is int:
                group = (values[group_at] or TOTAL) if group_at is not None else TOTAL
                found.append((number, group, TOTAL, bucket, moment, 1, 0))

        return add

    def _latest(self, inner: _Add) -> _Add:
        keys_at = [self._column(name, "latest_of", "any") for name in self.part.latest_of]
        rank_at = self._column(self.part.latest_by, "latest_by", "any")
        if rank_at is None:
            raise ConfigurationError(f"{self.place}: latest_of needs `latest_by`: the column whose greatest value wins")

        def add(found: list[Contribution], entity_id: str, values: Sequence[Value], bucket: int) -> None:
            rank = values[rank_at]
            if rank is None:
                return
            inside: list[Contribution] = []
            inner(inside, entity_id, values, bucket)
            key = tuple(values[place] for place in keys_at if place is not None)
            found.extend((*one, key, rank, entity_id) for one in inside)

        return add


class _Condition(NamedTuple):
    where: Evaluate | None
    plain: tuple[tuple[int, Evaluate], ...]
    adds: tuple[_Add, ...]


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
        views: dict[str, _Columns] = {name: _BuiltIn(samples) for name, samples in BUILT_IN.items()}
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
            if (alone := view.alone(event_type)) is not None
            and (rules := self._alone_rules(name, alone, event_type)) is not None
        }
        self.counted = frozenset(self._rules)
        """The entities that any KPI looks at."""

    def _alone_rules(self, entity: str, alone: AloneView, event_type: EventType) -> _Rules | None:
        """The rules for a row of one fact. Parts whose bucket that fact can't tell are left out."""
        unknown = len(event_type.stored)
        parts = [
            CompiledPart(part.number, part.index, part.definition, part.part, alone, self.registers)
            for part in self.parts
            if part.part.entity == entity and alone.columns.get(part.part.bucket_by) != unknown
        ]
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
        for where, plain, adds in conditions:
            if where is None or where(values):
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


def _rules_of(name: str, view: _Columns, parts: Sequence[CompiledPart]) -> _Rules | None:
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
        tuple(part.plain for part in parts if part.plain is not None),
        tuple(part.add for part in parts if part.plain is None),
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
