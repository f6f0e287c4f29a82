"""Which entities a figure counts, on which side, and where each came from. Pure.

The rows are evaluated by the rules that the workers use. The figure shown is that of all rows; what is listed is added
up once more by itself, and both have to agree.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from math import isclose
from typing import Any, NamedTuple

import msgspec

from ioc.entities import Row, decode_row
from ioc.entity_columns import EntityDefinition
from ioc.entity_views import View, compile_view
from ioc.event_reading import KEY_SEPARATOR
from ioc.expressions import Value
from ioc.kpis.aggregates import Aggregates
from ioc.kpis.definitions import KpiDefinition
from ioc.kpis.engine import KpiEngine
from ioc.kpis.figures import OTHER, Figure, Figures, Partial
from ioc.kpis.parts import BUILT_IN, COMMUNES, SOURCE_SEEN, SOURCE_TALLY, CompiledPart, Contribution
from ioc.kpis.sources import Promises, family_of
from ioc.windows import grain_of, local_date, moment_of, window_range

__all__ = ["Audit", "Counted", "Explanation", "Missing", "Told", "Wanted"]

_MINUTE_US = 60_000_000
_DAY_US = 86_400_000_000
_OFFSET_MINUTES, _MINUTES_A_DAY = 420, 1_440
_SIDES = {(True, True): "both", (True, False): "numerator", (False, True): "denominator"}


class Told(NamedTuple):
    """A fact of an entity: who told it, under which id, as what, and when it happened."""

    source: str
    event_id: str
    event_type: str
    at_us: int


class Missing(NamedTuple):
    """A member of the KPI's register that is not counted. `was_heard`: there is a row of it, but it does not count."""

    member: str
    was_heard: bool


class Wanted(NamedTuple):
    """The series asked for; at most one of them is not empty. All empty: the total."""

    admin_unit: str = ""
    agency: str = ""
    dim: str = ""

    @property
    def group(self) -> str:
        return self.admin_unit or self.agency


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What one entity adds to the figure.

    `side`: numerator, denominator, both, or sample. `numerator`, `denominator`: how much. `bucket`: the local day (or
    minute, in UTC) it counts in; "" for what counts now. `value`: what is counted once (`distinct`). `seconds`: its
    samples. `superseded_by`: the entity that counts in its place.
    """

    entity: str
    entity_id: str
    side: str
    numerator: float
    denominator: float
    bucket: str
    value: str
    seconds: tuple[float, ...]
    superseded_by: str
    facts: tuple[Told, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """`figure`: None where there is no such series. `missing`: members of the register that are not counted.
    `adds_up`: what is listed, added up by itself, gives the figure. `known`: the series of the kind that was asked for.
    """

    figure: Figure | None
    counted: tuple[Counted, ...]
    superseded: tuple[Counted, ...]
    missing: tuple[Missing, ...]
    adds_up: bool
    known: tuple[str, ...]


class _Entry(NamedTuple):
    partition: int
    entity: str
    entity_id: str
    data: bytes
    found: list[Contribution]


class Audit:
    """Takes the rows of every shard, then explains one series of one KPI.

    Args:
        engine: of this KPI alone.
        type_names: of the catalogue's event types, by their number.
        clock_us: windows end here, and expressions that read the clock read this.
    """

    def __init__(
        self,
        engine: KpiEngine,
        window: str,
        clock_us: int,
        *,
        entities: Iterable[EntityDefinition],
        type_names: Sequence[str],
        promises: Promises,
    ) -> None:
        (self._definition,) = engine.definitions
        self._engine, self._window, self._clock_us = engine, window, clock_us
        self._type_names, self._promises = type_names, promises
        self._views: dict[str, View] = {e.name: compile_view(e) for e in entities if e.name in engine.counted}
        self._range = window_range(window, clock_us)
        self._aggregates: dict[int, Aggregates] = {}
        self._entries: list[_Entry] = []
        self._heard: set[str] = set()  # ids of entities and sources that have a row
        self._newest: dict[int, Mapping[str, int]] = {}
        self._all: list[Figure] | None = None

    @property
    def entities(self) -> frozenset[str]:
        """The entities whose rows it needs."""
        return self._engine.counted

    @property
    def definition(self) -> KpiDefinition:
        return self._definition

    # ---- rows in ---------------------------------------------------------------------------------------------------

    def newest(self, partition: int, newest: Mapping[str, int]) -> None:
        """The newest fact's time by event type, as the shard's marker tells it, in µs."""
        self._newest[partition] = newest

    def add(self, partition: int, entity: str, entity_id: str, data: bytes) -> None:
        """Takes a state row: the key without the entity's name, and the bytes as they lie in the changelog."""
        if entity == SOURCE_TALLY:
            found = self._tally(entity_id, data)
        elif entity == SOURCE_SEEN:
            found = self._seen(entity_id, msgspec.msgpack.decode(data, type=int))
        else:
            found = self._engine.contributions(entity, entity_id, decode_row(data), self._clock_us)
        self._heard.add(entity_id)
        self._keep(_Entry(partition, entity, entity_id, data, found))

    def _keep(self, entry: _Entry) -> None:
        if entry.found:
            self._aggregates.setdefault(entry.partition, Aggregates(self._engine)).add(entry.found)
            if any(self._is_in_window(one) or self._part(one).part.latest_of for one in entry.found):
                self._entries.append(entry)

    def _tally(self, entity_id: str, data: bytes) -> list[Contribution]:
        source, minute = entity_id.split(KEY_SEPARATOR)
        verdicts: tuple[int, ...] = msgspec.msgpack.decode(data, type=tuple[int, int, int, int])
        values: list[Value] = [source or None, *verdicts, int(minute) * _MINUTE_US, self._clock_us]
        return self._engine.evaluate_values(SOURCE_TALLY, source, values, self._clock_us)[0]

    def _seen(self, source: str, newest_us: int) -> list[Contribution]:
        promised = self._promises.of(source)
        values: list[Value] = [source, family_of(source), newest_us or None, promised, self._clock_us]
        return self._engine.evaluate_values(SOURCE_SEEN, source, values, self._clock_us)[0]

    # ---- the answer ------------------------------------------------------------------------------------------------

    def explain(self, wanted: Wanted) -> Explanation:
        """Ask when every row was taken."""
        if self._all is None:
            if SOURCE_SEEN in self.entities:  # registered by the catalogue, and never heard
                for source in self._promises.by_source.keys() - self._heard:
                    self._keep(_Entry(0, SOURCE_SEEN, source, b"", self._seen(source, 0)))
            self._all = self._figures(self._aggregates)
        figures = self._all
        series = {(f.admin_unit, f.agency, f.dim): f for f in figures}
        figure = series.get((wanted.admin_unit or "*", wanted.agency, wanted.dim))
        winners = self._winners()
        counted: list[Counted] = []
        superseded: list[Counted] = []
        again: dict[int, Aggregates] = {}
        for entry in self._entries:
            mine = [c for c in entry.found if self._is_in_window(c) and self._is_in_series(c, wanted, series)]
            if not mine:
                continue
            winning = [c for c in mine if not self._loses(c, winners, entry.partition)]
            again.setdefault(entry.partition, Aggregates(self._engine)).add(winning)
            if winning:
                counted += self._counted(entry, winning, "")
            else:
                winner = winners[entry.partition, mine[0][0], mine[0][-3]][1]
                superseded += self._counted(entry, mine, winner)
        missing = self._missing(wanted, counted)
        return Explanation(
            figure=figure,
            counted=tuple(sorted(counted, key=_order)),
            superseded=tuple(sorted(superseded, key=_order)),
            missing=tuple(missing),
            adds_up=self._adds_up(figure, wanted, again),
            known=tuple(sorted(name for f in figures if (name := f.dim if wanted.dim else f.agency))),
        )

    def _figures(self, aggregates: Mapping[int, Aggregates]) -> list[Figure]:
        figures = Figures(self._engine)
        for partition, cells in aggregates.items():
            cells.settle()
            for key, cell in cells.take_changed().items():
                figures.merge(Partial(key, partition, 1, 1, cell))
        for partition, newest in self._newest.items():
            figures.complete(partition, 1, newest)
        return list(figures.figures_of(self._definition, self._window, self._clock_us))

    def _part(self, contribution: Contribution) -> CompiledPart:
        return self._engine.parts[contribution[0]]

    def _is_in_window(self, contribution: Contribution) -> bool:
        part = self._part(contribution)
        if not part.part.bucket_by or self._window == "now":
            return True
        bucket = contribution[3]
        if grain_of(self._window) == "day" and "minute" in part.grains:
            bucket = (bucket + _OFFSET_MINUTES) // _MINUTES_A_DAY
        return bool(self._range[0] <= bucket <= self._range[1])

    def _is_in_series(
        self, contribution: Contribution, wanted: Wanted, series: Mapping[tuple[str, str, str], Figure]
    ) -> bool:
        _, group, dim = contribution[:3]
        if wanted.dim:
            return bool(dim) and (dim if ("*", "", dim) in series else OTHER) == wanted.dim
        if wanted.agency:
            return bool(group) and (group if ("*", group, "") in series else OTHER) == wanted.agency
        if wanted.admin_unit:
            if self._window == "now":
                group = self._engine.geography.resolve(group, local_date(self._clock_us)) if group else None
            return bool(group == wanted.admin_unit)
        return True

    def _winners(self) -> dict[tuple[int, int, Any], tuple[Any, str, Contribution]]:
        """By (partition, part, key): the greatest (rank, entity id) of the rows of one key."""
        winners: dict[tuple[int, int, Any], tuple[Any, str, Contribution]] = {}
        for entry in self._entries:
            for contribution in entry.found:
                if self._part(contribution).part.latest_of:
                    *plain, key, rank, entity_id = contribution
                    place = (entry.partition, contribution[0], key)
                    rival = (rank, entity_id, tuple(plain))
                    winners[place] = max(winners.get(place, rival), rival)
        return winners

    def _loses(self, contribution: Contribution, winners: Mapping[Any, Any], partition: int) -> bool:
        if not self._part(contribution).part.latest_of:
            return False
        return bool(winners[partition, contribution[0], contribution[-3]][1] != contribution[-1])

    def _counted(self, entry: _Entry, found: Sequence[Contribution], superseded_by: str) -> Iterable[Counted]:
        for number in dict.fromkeys(contribution[0] for contribution in found):
            part = self._engine.parts[number]
            mine = [contribution for contribution in found if contribution[0] == number]
            one = mine[0]
            adds_nothing = part.part.measure == "sum" and part.register is None and not (one[4] or one[5])
            if part.part.measure == "as_of" or adds_nothing:
                continue
            yield Counted(
                entity=entry.entity,
                entity_id=entry.entity_id,
                side=self._side(part, one),
                numerator=_amount(part, one, 4),
                denominator=_amount(part, one, 5),
                bucket=_bucket_text(part, one[3]),
                value=str(one[4]) if part.part.measure == "distinct" else "",
                seconds=self._seconds(entry, part) if part.part.measure == "p95" else (),
                superseded_by=superseded_by,
                facts=self._facts(entry),
            )

    def _side(self, part: CompiledPart, contribution: Contribution) -> str:
        if part.part.measure == "p95":
            return "sample"
        if self._definition.form == "number":
            return "numerator"
        above, below = _amount(part, contribution, 4), _amount(part, contribution, 5)
        # A member of a register is in the denominator whatever its row says.
        return _SIDES.get((bool(above), bool(below) or part.register is not None), "denominator")

    def _seconds(self, entry: _Entry, part: CompiledPart) -> tuple[float, ...]:
        view = self._views[entry.entity]
        values = view.read(decode_row(entry.data), self._clock_us) or []
        start, end = values[view.columns[part.part.start]], values[view.columns[part.part.end]]
        moments = end if isinstance(end, list) else [end]
        assert isinstance(start, int), "a row with a sample knows both times"
        return tuple((moment - start) / 1e6 for moment in moments if isinstance(moment, int))

    def _facts(self, entry: _Entry) -> tuple[Told, ...]:
        if entry.entity in BUILT_IN:
            return ()
        row: Row = decode_row(entry.data)
        return tuple(Told(fact[2], fact[1], self._type_names[fact[3]], fact[0]) for fact in row.facts)

    def _missing(self, wanted: Wanted, counted: Sequence[Counted]) -> list[Missing]:
        population = self._definition.population
        if population == COMMUNES:
            on = local_date(self._clock_us)
            there = {self._engine.geography.resolve(item.value, on) for item in counted if item.value}
            codes = sorted(unit.code for unit in self._engine.geography.in_force(on))
            return [Missing(code, was_heard=False) for code in codes if code not in there]
        if population:
            listed = {item.entity_id for item in counted}
            register = self._engine.registers[population]
            members = sorted(member for member, unit in register.items() if wanted.admin_unit in ("", unit))
            return [Missing(member, member in self._heard) for member in members if member not in listed]
        if SOURCE_SEEN in self.entities:
            return [
                Missing(source, was_heard=False) for source in sorted(self._promises.by_source.keys() - self._heard)
            ]
        return []

    def _adds_up(self, figure: Figure | None, wanted: Wanted, again: Mapping[int, Aggregates]) -> bool:
        # The rest (`other`) is listed group by group: its sum is the total of what is listed.
        is_rest = OTHER in (wanted.agency, wanted.dim)
        place = ("*", "", "") if is_rest else (wanted.admin_unit or "*", wanted.agency, wanted.dim)
        found = {(f.admin_unit, f.agency, f.dim): f for f in self._figures(again)}.get(place)
        if figure is None or found is None:
            return figure is found
        pairs = zip(_told(figure), _told(found), strict=True)
        return all(a == b or (a is not None and b is not None and isclose(a, b, rel_tol=1e-9)) for a, b in pairs)


def _told(figure: Figure) -> tuple[float | None, float | None, float | None]:
    return figure.value, figure.numerator, figure.denominator


def _amount(part: CompiledPart, contribution: Contribution, place: int) -> float:
    if part.part.measure == "distinct":
        place += 1  # after the value: is in the numerator, is in the denominator
    if part.part.measure == "p95":
        return 0.0
    return float(contribution[place])


def _bucket_text(part: CompiledPart, bucket: int) -> str:
    if not part.part.bucket_by:
        return ""
    if "minute" in part.grains:
        return moment_of(bucket * _MINUTE_US).astimezone(UTC).isoformat(timespec="minutes").replace("+00:00", "Z")
    return local_date(bucket * _DAY_US).isoformat()  # 07:00 of that local day


def _order(item: Counted) -> tuple[str, str, str]:
    return item.bucket, item.entity, item.entity_id
