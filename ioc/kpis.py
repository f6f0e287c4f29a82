"""KPIs as views over entity rows, their aggregates, and the merge of partials into figures. Pure.

A row's contribution to a KPI is a pure function of the row (and of the clock, for KPIs that read it). When a row
changes, `aggregate += contribution(new) - contribution(old)`: late, repeated, reordered and corrected events give the
right figure. A *cell* is the total of one (KPI, group, bucket); windows are sums of cells, taken when a figure is asked
for, so nothing has to happen at midnight.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ioc.entities import EntityDefinition, Row, View, compile_view
from ioc.errors import ConfigurationError
from ioc.expressions import Value, compile_expression, names_in
from ioc.windows import Grain, bucket_of, grain_of, minute_number, window_range

__all__ = [
    "TOTAL",
    "Aggregates",
    "Cell",
    "CellKey",
    "Contribution",
    "Figure",
    "Figures",
    "KpiDefinition",
    "KpiEngine",
    "Partial",
]

TOTAL = ""
"""The group of the province's total; an administrative unit or an agency is never the empty string."""

KEPT_MINUTES = 90  # minute cells older than this at the clock are in no window any more
GroupBy = Literal["none", "admin_unit", "agency"]
Number = int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiDefinition:
    """A KPI as the catalogue declares it.

    The rows of `entity` for which `where` holds count; each adds `numerator` and `denominator` (expressions over the
    entity's columns; a truth value counts as 1 or 0) to the bucket of the time in column `bucket_by`, in the total and
    in the group named by column `group`. With a `population` the denominator is the register of that name instead.
    """

    id: str
    name_vi: str
    name_en: str
    family: str
    unit: str
    metric: str
    entity: str
    where: str
    numerator: str
    denominator: str
    is_ratio: bool
    bucket_by: str
    windows: tuple[str, ...]
    group_by: GroupBy
    group: str
    population: str
    fed_by: tuple[str, ...]
    target: float | None
    direction: str
    stale_after_s: float
    rule_version: str


class CellKey(NamedTuple):
    kpi: str
    group: str
    grain: Grain
    bucket: int


class Contribution(NamedTuple):
    """What one row adds to one KPI; `time_us` is None for the window `now`."""

    kpi: int
    group: str
    time_us: int | None
    numerator: Number
    denominator: Number


_new_contribution = tuple.__new__  # a named tuple's own constructor takes twice as long


class Cell(NamedTuple):
    numerator: Number
    denominator: Number


class Partial(NamedTuple):
    """A full, mergeable piece of a KPI from one source partition. The highest (epoch, version) of a key stands."""

    key: CellKey
    partition: int
    epoch: int
    version: int
    cell: Cell


class _CompiledKpi:
    __slots__ = (
        "bucket_at",
        "constant",
        "definition",
        "denominator",
        "grains",
        "group_at",
        "is_clock_driven",
        "number",
        "numerator",
        "register",
        "where",
    )

    def __init__(
        self, number: int, definition: KpiDefinition, view: View, populations: Mapping[str, Mapping[str, str]]
    ) -> None:
        place = f"kpis/{definition.id}.yaml"
        self.number, self.definition = number, definition
        self.where = compile_expression(definition.where, view.columns, where=f"{place}: where")
        self.numerator = compile_expression(definition.numerator, view.columns, where=f"{place}: numerator")
        self.denominator = compile_expression(definition.denominator, view.columns, where=f"{place}: denominator")
        self.bucket_at = _column(view, definition.bucket_by, f"{place}: bucket_by")
        self.group_at = _column(view, definition.group, f"{place}: group")
        self.grains: tuple[Grain, ...] = tuple(sorted({grain_of(window) for window in definition.windows}))
        if self.bucket_at is None and self.grains != ("now",):
            raise ConfigurationError(
                f"{place}: windows {definition.windows} need `bucket_by`: a column that holds a time"
            )
        texts = (definition.where, definition.numerator, definition.denominator)
        self.is_clock_driven = any("clock" in names_in(text, where=place) for text in texts)
        self._probe(view, place)
        if definition.population and definition.population not in populations:
            raise ConfigurationError(
                f"{place}: no register named {definition.population!r}; known: {', '.join(populations)}"
            )
        self.register = populations.get(definition.population)
        # The denominator of nearly every KPI is the row itself, or the register.
        self.constant = 0 if self.register is not None else (1 if definition.denominator.strip() == "1" else None)

    def _probe(self, view: View, place: str) -> None:
        """A text that is compared with a number is a mistake of the file: found now, not at the first event."""
        samples = view.samples()
        for key, expression in (
            ("where", self.where),
            ("numerator", self.numerator),
            ("denominator", self.denominator),
        ):
            try:
                expression(samples)
            except TypeError as error:
                raise ConfigurationError(f"{place}: {key}: {error}; compare only values of one kind") from None
        if self.bucket_at is not None and samples[self.bucket_at].__class__ is not int:
            raise ConfigurationError(f"{place}: bucket_by: column {self.definition.bucket_by!r} holds no time")
        if self.group_at is not None and not isinstance(samples[self.group_at], str):
            raise ConfigurationError(f"{place}: group: column {self.definition.group!r} holds no text")

    def contribution(self, entity_id: str, values: Sequence[Value]) -> Contribution | None:
        group: Value
        if self.register is not None:
            group = self.register.get(entity_id)
            if group is None:
                return None
        else:
            group = values[self.group_at] if self.group_at is not None else None
        if not self.where(values):
            return None
        time_us = None
        if self.bucket_at is not None:
            time_us = values[self.bucket_at]
            if time_us.__class__ is not int:
                return None
        numerator = self.numerator(values)
        if numerator.__class__ is not int:
            numerator = _number(numerator)
        denominator = self.constant if self.constant is not None else _number(self.denominator(values))
        if group.__class__ is not str:
            group = TOTAL
        return _new_contribution(Contribution, (self.number, group, time_us, numerator, denominator))


def _column(view: View, name: str, where: str) -> int | None:
    if not name:
        return None
    if name not in view.columns:
        raise ConfigurationError(
            f"{where}: no column {name!r} in entity {view.definition.name}; known: {', '.join(view.columns)}"
        )
    return view.columns[name]


def _number(value: Value) -> Number:
    """A truth value counts as 1 or 0, what is not known as 0."""
    if value is True:
        return 1
    return value if isinstance(value, int | float) and value else 0


class KpiEngine:
    """The KPIs and entities of a catalogue, compiled.

    Raises:
        ConfigurationError: an expression, column, window or register does not exist; names the file and key.
    """

    def __init__(
        self,
        entities: Iterable[EntityDefinition],
        kpis: Iterable[KpiDefinition],
        populations: Mapping[str, Mapping[str, str]],
    ) -> None:
        self.definitions = tuple(kpis)
        self.populations = populations
        self._views = {entity.name: compile_view(entity) for entity in entities}
        self._compiled: list[_CompiledKpi] = []
        self._of_entity: dict[str, tuple[_CompiledKpi, ...]] = {}
        for number, definition in enumerate(self.definitions):
            view = self._views.get(definition.entity)
            if view is None:
                raise ConfigurationError(
                    f"kpis/{definition.id}.yaml: entity {definition.entity!r} is not in entities.yaml"
                )
            self._compiled.append(_CompiledKpi(number, definition, view, populations))
        for name in self._views:
            self._of_entity[name] = tuple(kpi for kpi in self._compiled if kpi.definition.entity == name)
        self.counted = frozenset(name for name, kpis_of in self._of_entity.items() if kpis_of)
        """The entities that any KPI looks at."""
        self.clock_driven = frozenset(
            name for name, kpis_of in self._of_entity.items() if any(kpi.is_clock_driven for kpi in kpis_of)
        )
        """The entities whose figures change with the clock alone."""

    def contributions(self, entity: str, entity_id: str, row: Row, clock_us: int) -> tuple[Contribution, ...]:
        """Returns what the row adds to each KPI of its entity."""
        kpis = self._of_entity.get(entity)
        if not kpis:
            return ()
        values = self._views[entity].read(row, clock_us)
        if values is None:
            return ()
        found = []
        for kpi in kpis:
            contribution = kpi.contribution(entity_id, values)
            if contribution is not None:
                found.append(contribution)
        return tuple(found)

    def grains(self, kpi: int) -> tuple[Grain, ...]:
        return self._compiled[kpi].grains


_CellPlace = tuple[int, str, int, int]
"""(KPI number, group, grain number, bucket): a plain tuple, because the hot path makes one for every contribution."""
_GRAINS: tuple[Grain, ...] = ("now", "minute", "day")
_MINUTE = _GRAINS.index("minute")
_ONLY_TOTAL = (TOTAL,)


class Aggregates:
    """The cells of one source partition, and which of them changed since they were last taken."""

    def __init__(self, engine: KpiEngine) -> None:
        self._engine = engine
        self._grains = [
            tuple(_GRAINS.index(grain) for grain in engine.grains(number)) for number in range(len(engine.definitions))
        ]
        self._cells: dict[_CellPlace, list[Number]] = {}
        self._changed: set[_CellPlace] = set()
        self._oldest_minute = 0

    def apply(self, old: Sequence[Contribution], new: Sequence[Contribution]) -> None:
        """Retracts what a row used to add and adds what it adds now."""
        if old == new:
            return
        for contribution in old:
            self._add(contribution, -1)
        for contribution in new:
            self._add(contribution, 1)

    def _add(self, contribution: Contribution, sign: int) -> None:
        kpi, group, time_us, numerator, denominator = contribution
        numerator, denominator = sign * numerator, sign * denominator
        cells, changed = self._cells, self._changed
        for grain in self._grains[kpi]:
            bucket = 0 if time_us is None else bucket_of(_GRAINS[grain], time_us)
            if grain == _MINUTE and bucket < self._oldest_minute:
                continue
            for name in (TOTAL, group) if group else _ONLY_TOTAL:
                place = (kpi, name, grain, bucket)
                cell = cells.get(place)
                if cell is None:
                    cells[place] = [numerator, denominator]
                else:
                    cell[0] += numerator
                    cell[1] += denominator
                changed.add(place)

    def expire(self, clock_us: int) -> list[CellKey]:
        """Forgets minute cells that no window reaches any more; returns their keys."""
        oldest = max(self._oldest_minute, minute_number(clock_us) - KEPT_MINUTES)
        if oldest == self._oldest_minute:
            return []
        self._oldest_minute = oldest
        gone = [place for place in self._cells if place[2] == _MINUTE and place[3] < oldest]
        for place in gone:
            del self._cells[place]
            self._changed.discard(place)
        return [self._key(place) for place in gone]

    def take_changed(self) -> dict[CellKey, Cell]:
        changed = {self._key(place): Cell(*self._cells[place]) for place in self._changed}
        self._changed.clear()
        return changed

    def mark_all_changed(self) -> None:
        self._changed.update(self._cells)

    def _key(self, place: _CellPlace) -> CellKey:
        return CellKey(self._engine.definitions[place[0]].id, place[1], _GRAINS[place[2]], place[3])


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One value on the wall, with where it comes from. `value` is None where the denominator is zero."""

    definition: KpiDefinition
    admin_unit: str
    agency: str
    window: str
    value: float | None
    numerator: float
    denominator: float | None
    as_of_us: int | None
    is_stale: bool


class Figures:
    """Merges partials from every source partition and answers with figures at a clock."""

    def __init__(self, engine: KpiEngine) -> None:
        self._engine = engine
        self._partials: dict[tuple[CellKey, int], Partial] = {}
        self._totals: dict[tuple[str, Grain], dict[str, dict[int, list[Number]]]] = defaultdict(
            lambda: defaultdict(lambda: defaultdict(lambda: [0, 0]))
        )
        self._complete_epoch: dict[int, int] = {}
        self._newest: dict[tuple[str, int], int] = {}

    def merge(self, partial: Partial) -> bool:
        """Takes a partial. Returns False where a newer one of its key, or a newer owner of the partition, stands."""
        if partial.epoch < self._complete_epoch.get(partial.partition, 0):
            return False
        place = (partial.key, partial.partition)
        known = self._partials.get(place)
        if known is not None:
            if (known.epoch, known.version) > (partial.epoch, partial.version):
                return False
            self._shift(known, -1)
        self._partials[place] = partial
        self._shift(partial, 1)
        return True

    def forget(self, key: CellKey, partition: int) -> None:
        """A cell that its owner dropped for good."""
        known = self._partials.pop((key, partition), None)
        if known is not None:
            self._shift(known, -1)
            if key.grain == "minute":
                buckets = self._totals[key.kpi, key.grain][key.group]
                if buckets.get(key.bucket) == [0, 0]:
                    del buckets[key.bucket]

    def complete(self, partition: int, epoch: int, newest: Mapping[str, int]) -> None:
        """The owner `epoch` of a partition has told all its cells: what an earlier owner told and it did not is void.

        `newest`: the newest fact's time by event type, in µs.
        """
        if epoch < self._complete_epoch.get(partition, 0):
            return
        if epoch > self._complete_epoch.get(partition, 0):
            self._complete_epoch[partition] = epoch
            void = [place for place, known in self._partials.items() if place[1] == partition and known.epoch < epoch]
            for key, _ in void:
                self.forget(key, partition)
        for event_type, newest_us in newest.items():
            self._newest[event_type, partition] = newest_us

    def _shift(self, partial: Partial, sign: int) -> None:
        key = partial.key
        cell = self._totals[key.kpi, key.grain][key.group][key.bucket]
        cell[0] += sign * partial.cell.numerator
        cell[1] += sign * partial.cell.denominator

    # ---- answers ---------------------------------------------------------------------------------------------------

    def figures(self, clock_us: int) -> Iterator[Figure]:
        """Every figure of every KPI in its windows at the clock, the total first."""
        for definition in self._engine.definitions:
            as_of_us = self._as_of(definition, clock_us)
            is_stale = as_of_us is None or clock_us - as_of_us > definition.stale_after_s * 1_000_000
            register = self._register(definition)
            for window in definition.windows:
                for group, (numerator, denominator) in self._sums(definition, window, clock_us, register):
                    value = _value(definition, numerator, denominator)
                    yield Figure(
                        definition=definition,
                        admin_unit=group if group != TOTAL and definition.group_by == "admin_unit" else "*",
                        agency=group if definition.group_by == "agency" else "",
                        window=window,
                        value=value,
                        numerator=float(numerator),
                        denominator=float(denominator) if definition.is_ratio else None,
                        as_of_us=as_of_us,
                        is_stale=is_stale,
                    )

    def _register(self, definition: KpiDefinition) -> dict[str, int]:
        """How many are registered, by group and in total; empty for a KPI without a population."""
        counts: dict[str, int] = {}
        if definition.population:
            units = self._engine.populations[definition.population].values()
            counts[TOTAL] = len(units)
            for unit in units:
                if unit != TOTAL:
                    counts[unit] = counts.get(unit, 0) + 1
        return counts

    def _sums(
        self, definition: KpiDefinition, window: str, clock_us: int, register: Mapping[str, int]
    ) -> Iterator[tuple[str, tuple[Number, Number]]]:
        first, last = window_range(window, clock_us)
        groups = self._totals.get((definition.id, grain_of(window)), {})
        for group in dict.fromkeys((TOTAL, *register, *groups)):
            numerator: Number = 0
            denominator: Number = register.get(group, 0)
            is_always = group == TOTAL or group in register
            for bucket, cell in groups.get(group, {}).items():
                if first <= bucket <= last:
                    numerator += cell[0]
                    denominator += cell[1]
            if is_always or numerator or denominator:  # a group that everybody left is as if it had never been
                yield group, (numerator, denominator)

    def _as_of(self, definition: KpiDefinition, clock_us: int) -> int | None:
        times = [newest_us for (event_type, _), newest_us in self._newest.items() if event_type in definition.fed_by]
        return min(max(times), clock_us) if times else None


def _value(definition: KpiDefinition, numerator: Number, denominator: Number) -> float | None:
    if not definition.is_ratio:
        return float(numerator)
    return numerator / denominator if denominator else None
