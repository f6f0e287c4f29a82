"""Partials of all source partitions, merged into figures of whatever clock is asked for. Pure."""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from ioc.kpis.aggregates import Cell, CellKey, Number, Sum
from ioc.kpis.definitions import KpiDefinition
from ioc.kpis.engine import KpiEngine
from ioc.kpis.parts import BUILT_IN, COMMUNES, TOTAL, CompiledPart
from ioc.kpis.sketch import quantile
from ioc.windows import grain_of, local_date, window_range

__all__ = ["MAX_AGENCIES", "MAX_DIMS", "OTHER", "Figure", "Figures", "Partial"]

MAX_AGENCIES = 100
MAX_DIMS = 50
OTHER = "other"
"""Where more agencies or values of `dim` come than the wall can hold, the rest are one series of this name."""
_QUANTILE = 0.95


class Partial(NamedTuple):
    """A full, mergeable piece of a KPI from one source partition. The highest (epoch, version) of a key stands."""

    key: CellKey
    partition: int
    epoch: int
    version: int
    cell: Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One value on the wall, with where it comes from.

    `value`: None where the denominator is zero. `numerator`: None for a quantile. `denominator`: None for a count or a
    sum; the number of samples for a quantile. `dim`: "" beside a value of the KPI's own label.
    """

    definition: KpiDefinition
    admin_unit: str
    agency: str
    dim: str
    window: str
    value: float | None
    numerator: float | None
    denominator: float | None
    as_of_us: int | None
    is_stale: bool
    is_manual: bool


Series = tuple[str, str]
"""(group, dim); at most one of them is not empty."""


class _Tally:
    """What a window of one series adds up to."""

    __slots__ = ("above", "as_of", "below", "bins", "denominator", "manual", "numerator")

    def __init__(self) -> None:
        self.numerator: Number = 0
        self.denominator: Number = 0
        self.manual = 0
        self.above: set[Any] = set()
        self.below: set[Any] = set()
        self.bins: dict[int, int] = {}
        self.as_of = 0

    def take(self, other: "_Tally") -> None:
        self.numerator += other.numerator
        self.denominator += other.denominator
        self.manual += other.manual
        self.above |= other.above
        self.below |= other.below
        self.as_of = max(self.as_of, other.as_of)
        for bin_number, count in other.bins.items():
            self.bins[bin_number] = self.bins.get(bin_number, 0) + count

    @property
    def is_empty(self) -> bool:
        return not (self.numerator or self.denominator or self.above or self.below or self.bins)


_Buckets = dict[int, list[Any]]
"""By bucket: [numerator, denominator, manual] of sums, or [numerator's counts, denominator's counts] of bags."""


class Figures:
    """Merges partials from every source partition and answers with figures at a clock."""

    def __init__(self, engine: KpiEngine) -> None:
        self._engine = engine
        self._parts: dict[tuple[str, int], CompiledPart] = {
            (part.definition.id, part.index): part for part in engine.parts
        }
        self._of_kpi: dict[str, list[CompiledPart]] = {}
        for part in engine.parts:
            self._of_kpi.setdefault(part.definition.id, []).append(part)
        self._partials: dict[tuple[CellKey, int], Partial] = {}
        self._cells: dict[tuple[int, str], dict[Series, _Buckets]] = {}  # by (part number, grain)
        self._complete_epoch: dict[int, int] = {}
        self._newest: dict[tuple[str, int], int] = {}
        self._touched_days: set[tuple[str, int]] = set()

    # ---- partials in -----------------------------------------------------------------------------------------------

    def merge(self, partial: Partial) -> bool:
        """Takes a partial. Returns False where a newer one of its key, or a newer owner of the partition, stands, and
        for a KPI that the catalogue does not know."""
        if partial.epoch < self._complete_epoch.get(partial.partition, 0):
            return False
        part = self._parts.get((partial.key.kpi, partial.key.part))
        if part is None or isinstance(partial.cell, Sum) is not (part.part.measure == "sum"):
            return False
        place = (partial.key, partial.partition)
        known = self._partials.get(place)
        if known is not None:
            if (known.epoch, known.version) > (partial.epoch, partial.version):
                return False
            self._shift(part, known, -1)
        self._partials[place] = partial
        self._shift(part, partial, 1)
        return True

    def forget(self, key: CellKey, partition: int) -> None:
        """A cell that its owner dropped for good."""
        known = self._partials.pop((key, partition), None)
        if known is not None:
            self._shift(self._parts[key.kpi, key.part], known, -1)

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

    def take_touched_days(self) -> set[tuple[str, int]]:
        """Returns the (KPI, local day number) whose cells changed since the last call."""
        touched, self._touched_days = self._touched_days, set()
        return touched

    def _shift(self, part: CompiledPart, partial: Partial, sign: int) -> None:
        key, cell = partial.key, partial.cell
        if key.grain == "day":
            self._touched_days.add((key.kpi, key.bucket))
        series = self._cells.setdefault((part.number, key.grain), {})
        buckets = series.setdefault((key.group, key.dim), {})
        if isinstance(cell, Sum):
            found = buckets.setdefault(key.bucket, [0, 0, 0])
            found[0] += sign * cell.numerator
            found[1] += sign * cell.denominator
            found[2] += sign * cell.manual
            is_empty = not (found[0] or found[1] or found[2])
        else:
            found = buckets.setdefault(key.bucket, [{}, {}])
            is_counted = part.part.measure == "p95"
            _shift_bag(found[0], cell.numerator, sign, is_counted=is_counted)
            _shift_bag(found[1], cell.denominator, sign, is_counted=is_counted)
            is_empty = not (found[0] or found[1])
        if is_empty:
            del buckets[key.bucket]
            if not buckets:
                del series[key.group, key.dim]

    # ---- answers ---------------------------------------------------------------------------------------------------

    def figures(self, clock_us: int) -> Iterator[Figure]:
        """Every figure of every KPI in its windows at the clock, the total first."""
        for definition in self._engine.definitions:
            for window in definition.windows:
                yield from self.figures_of(definition, window, clock_us)

    def figures_of(self, definition: KpiDefinition, window: str, clock_us: int) -> Iterator[Figure]:
        """The figures of one KPI in one window that ends at the clock."""
        newest_us = self._newest_of(definition, clock_us)
        on = local_date(clock_us)
        tallies = self._tallies(definition, window, clock_us)
        register = self._registered(definition, on)
        for group, count in register.items():
            tallies.setdefault((group, TOTAL), _Tally()).denominator = count
        tallies.setdefault((TOTAL, TOTAL), _Tally())
        for (group, dim), tally in sorted(tallies.items()):
            if definition.population == COMMUNES:
                tally.above = self._in_force(tally.above, on)
            if tally.is_empty and (group or dim) and group not in register:
                continue  # a group that everybody left is as if it had never been
            as_of_us = min(tally.as_of, clock_us) if tally.as_of else newest_us
            value, numerator, denominator = _shown(definition, tally)
            yield Figure(
                definition=definition,
                admin_unit=group if group != TOTAL and definition.group_by == "admin_unit" else "*",
                agency=group if definition.group_by == "agency" else "",
                dim=dim,
                window=window,
                value=value,
                numerator=numerator,
                denominator=denominator,
                as_of_us=as_of_us,
                is_stale=as_of_us is None or clock_us - as_of_us > definition.stale_after_s * 1_000_000,
                is_manual=tally.manual > 0,
            )

    def members(self, definition: KpiDefinition) -> dict[str, bool]:
        """Of a distinct count `now`: whether each value that is counted is in the numerator too."""
        above: set[str] = set()
        below: set[str] = set()
        for part in self._of_kpi[definition.id]:
            for buckets in self._cells.get((part.number, "now"), {}).values():
                for counted, known in buckets.values():  # of several partitions: one that counts it is enough
                    above.update(map(str, counted))
                    below.update(map(str, known))
        return {value: value in above for value in below}

    def _tallies(self, definition: KpiDefinition, window: str, clock_us: int) -> dict[Series, _Tally]:
        tallies: dict[Series, _Tally] = {}
        on = local_date(clock_us)
        for part in self._of_kpi[definition.id]:
            grain = grain_of(window) if part.part.bucket_by else "now"
            first, last = window_range(window, clock_us) if grain != "now" else (0, 0)
            for (group, dim), buckets in self._cells.get((part.number, grain), {}).items():
                tally = _add_up(part, buckets, first, last)
                if tally is None:
                    continue
                name: str | None = group
                if group and window == "now" and definition.group_by == "admin_unit":
                    name = self._engine.geography.resolve(group, on)  # merged into another since it was told
                if name is not None:
                    tallies.setdefault((name, dim), _Tally()).take(tally)
        return _bounded(tallies, definition)

    def _registered(self, definition: KpiDefinition, on: date) -> dict[str, int]:
        """How many are registered, by group and in total; empty for a KPI without a population."""
        if not definition.population:
            return {}
        if definition.population == COMMUNES:
            return {TOTAL: len(self._engine.geography.in_force(on))}
        units = self._engine.registers[definition.population].values()
        counts: dict[str, int] = {TOTAL: len(units)}
        for unit in units:
            if unit != TOTAL:
                counts[unit] = counts.get(unit, 0) + 1
        return counts

    def _in_force(self, codes: Iterable[str], on: date) -> set[str]:
        """The communes of today that the codes, told in the past, stand for."""
        resolved = (self._engine.geography.resolve(code, on) for code in codes)
        return {code for code in resolved if code is not None}

    def _newest_of(self, definition: KpiDefinition, clock_us: int) -> int | None:
        feeds: Container[str] = definition.fed_by
        if any(part.part.entity in BUILT_IN for part in self._of_kpi[definition.id]):
            feeds = {event_type for event_type, _ in self._newest}  # every event moves a figure about the sources
        times = [newest_us for (event_type, _), newest_us in self._newest.items() if event_type in feeds]
        return min(max(times), clock_us) if times else None


def _shift_bag(bag: dict[Any, int], change: Mapping[Any, int], sign: int, *, is_counted: bool) -> None:
    """Samples are added up over the partitions; for a distinct value it only matters in how many of them it is."""
    for value, count in change.items():
        after = bag.get(value, 0) + sign * (count if is_counted else 1)
        if after:
            bag[value] = after
        else:
            del bag[value]


def _add_up(part: CompiledPart, buckets: _Buckets, first: int, last: int) -> _Tally | None:
    found = [cell for bucket, cell in buckets.items() if first <= bucket <= last]
    if not found:
        return None
    tally = _Tally()
    match part.part.measure:
        case "sum":
            for numerator, denominator, manual in found:
                tally.numerator += numerator
                tally.denominator += denominator
                tally.manual += manual
        case "distinct":
            for above, below in found:
                tally.above.update(above)
                tally.below.update(below)
        case "p95":
            for bins, _ in found:
                for bin_number, count in bins.items():
                    tally.bins[bin_number] = tally.bins.get(bin_number, 0) + count
        case "as_of":
            tally.as_of = max(moment for times, _ in found for moment in times)
    return tally


def _bounded(tallies: dict[Series, _Tally], definition: KpiDefinition) -> dict[Series, _Tally]:
    """Agencies and values of `dim` come from outside: beyond a number that the wall can hold they are one series."""
    limits = {0: MAX_AGENCIES if definition.group_by == "agency" else len(tallies), 1: MAX_DIMS}
    for place, limit in limits.items():
        names = sorted({series[place] for series in tallies if series[place]})
        for name in names[limit:]:
            tally = tallies.pop((name, TOTAL) if place == 0 else (TOTAL, name))
            tallies.setdefault((OTHER, TOTAL) if place == 0 else (TOTAL, OTHER), _Tally()).take(tally)
    return tallies


def _shown(definition: KpiDefinition, tally: _Tally) -> tuple[float | None, float | None, float | None]:
    """Returns value, numerator and denominator."""
    if definition.form == "p95":
        found = quantile(tally.bins, _QUANTILE)
        return (None if found is None else found / 1e6), None, float(sum(tally.bins.values()))
    numerator = float(tally.numerator + len(tally.above))
    if definition.form == "number":
        return numerator, numerator, None
    denominator = float(tally.denominator + len(tally.below))
    return (numerator / denominator if denominator else None), numerator, denominator
