"""The cells of one source partition: what its rows add up to, and which of it changed.

A *cell* is the total of one (part of a KPI, group, dim, bucket). When a row changes, what it used to add is retracted
and what it adds now is added: late, repeated, reordered and corrected events give the right figure, in closed windows
too. Windows are sums of cells, taken when a figure is asked for, so nothing has to happen at midnight.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from ioc.kpis.engine import KpiEngine
from ioc.kpis.parts import TOTAL, Contribution
from ioc.windows import Grain, day_number, minute_number

__all__ = ["GRAINS", "KEPT_DAYS", "KEPT_MINUTES", "Aggregates", "Bag", "Cell", "CellKey", "Sum"]

KEPT_MINUTES = 90  # minute cells older than this at the clock are in no window any more
KEPT_DAYS = 400  # the same for days: a year, with room for a correction
GRAINS: tuple[Grain, ...] = ("now", "minute", "day")
_NOW, _MINUTE, _DAY = range(3)
_MINUTES_A_DAY = 1_440
_OFFSET_MINUTES = 420  # local days begin at 17:00 UTC

Number = int | float


class CellKey(NamedTuple):
    """`part`: index of the part in its KPI; `group`: a unit or an agency, `dim`: a value of the KPI's own label."""

    kpi: str
    part: int
    group: str
    dim: str
    grain: Grain
    bucket: int


class Sum(NamedTuple):
    """`manual`: how many of what was added was typed by hand."""

    numerator: Number
    denominator: Number
    manual: int


class Bag(NamedTuple):
    """How often each value is there: bins of a quantile, times, or the values of a distinct count and its
    denominator."""

    numerator: dict[Any, int]
    denominator: dict[Any, int]


Cell = Sum | Bag
_Place = tuple[int, str, str, int, int]
"""(part number, group, dim, grain number, bucket)"""


class Aggregates:
    """The cells of one source partition, and which of them changed since they were last taken."""

    def __init__(self, engine: KpiEngine) -> None:
        self._parts = engine.parts
        self._grains = [tuple(GRAINS.index(grain) for grain in part.grains) for part in engine.parts]
        self._is_bag = [part.part.measure != "sum" for part in engine.parts]
        self._is_latest = [bool(part.part.latest_of) for part in engine.parts]
        self._pending: Counter[Contribution] = Counter()
        self._sums: dict[_Place, list[Number]] = {}
        self._bags: dict[_Place, tuple[dict[Any, int], dict[Any, int]]] = {}
        self._rivals: dict[tuple[int, Any], dict[str, tuple[Any, Contribution]]] = {}
        self._changed: set[_Place] = set()
        self._oldest_minute = self._oldest_day = 0

    # ---- rows in ---------------------------------------------------------------------------------------------------

    def add(self, contributions: Iterable[Contribution]) -> None:
        """Adds what rows add. Equal contributions are counted first: many rows add the same."""
        self._pending.update(contributions)

    def retract(self, contributions: Iterable[Contribution]) -> None:
        self._pending.subtract(contributions)

    def settle(self) -> None:
        """Brings what was added and retracted into the cells."""
        pending, self._pending = self._pending, Counter()
        for contribution, times in pending.items():
            if times:
                if self._is_latest[contribution[0]]:
                    self._compete(contribution, times)
                else:
                    self._shift(contribution, times)

    def _shift(self, contribution: Contribution, times: int) -> None:
        if len(contribution) == 4:
            part, group, bucket, a = contribution
            dim, b, c = TOTAL, self._parts[part].constant, 0
        else:
            part, group, dim, bucket, a, b, c = contribution
        grains = self._grains[part]
        is_bag, changed = self._is_bag[part], self._changed
        # The bucket is by minute where the part has minutes at all, else by day.
        is_by_minute = _MINUTE in grains
        for grain in grains:
            at = bucket
            if grain == _DAY:
                at = (bucket + _OFFSET_MINUTES) // _MINUTES_A_DAY if is_by_minute else bucket
                if at < self._oldest_day:
                    continue
            elif grain == _MINUTE and bucket < self._oldest_minute:
                continue
            places: tuple[_Place, ...] = ((part, TOTAL, TOTAL, grain, at),)
            if group:
                places += ((part, group, TOTAL, grain, at),)
            if dim:
                places += ((part, TOTAL, dim, grain, at),)
            for place in places:
                if is_bag:
                    self._put(place, a, b * times, c * times)
                else:
                    cell = self._sums.get(place)
                    if cell is None:
                        self._sums[place] = [a * times, b * times, c * times]
                    else:
                        cell[0] += a * times
                        cell[1] += b * times
                        cell[2] += c * times
                changed.add(place)

    def _put(self, place: _Place, value: Any, above: int, below: int) -> None:
        bags = self._bags.get(place)
        if bags is None:
            bags = self._bags[place] = ({}, {})
        for bag, times in zip(bags, (above, below), strict=True):
            if times:
                count = bag.get(value, 0) + times
                if count:
                    bag[value] = count
                else:
                    del bag[value]

    def _compete(self, contribution: Contribution, times: int) -> None:
        """Of the rows with one key only the one with the greatest (rank, id) counts."""
        *plain, key, rank, entity_id = contribution
        rivals = self._rivals.setdefault((contribution[0], key), {})
        before = _winner(rivals)
        if times > 0:
            rivals[entity_id] = (rank, tuple(plain))
        elif entity_id in rivals and rivals[entity_id] == (rank, tuple(plain)):
            del rivals[entity_id]
        after = _winner(rivals)
        if before != after:
            if before is not None:
                self._shift(before, -1)
            if after is not None:
                self._shift(after, 1)

    # ---- cells out -------------------------------------------------------------------------------------------------

    def expire(self, clock_us: int) -> list[CellKey]:
        """Forgets cells that no window reaches any more; returns their keys."""
        minute = max(self._oldest_minute, minute_number(clock_us) - KEPT_MINUTES)
        day = max(self._oldest_day, day_number(clock_us) - KEPT_DAYS)
        if minute == self._oldest_minute and day == self._oldest_day:
            return []
        self._oldest_minute, self._oldest_day = minute, day
        gone: list[_Place] = []
        both: tuple[dict[_Place, Any], ...] = (self._sums, self._bags)
        for cells in both:
            old = [p for p in cells if (p[3] == _MINUTE and p[4] < minute) or (p[3] == _DAY and p[4] < day)]
            for place in old:
                del cells[place]
                self._changed.discard(place)
            gone += old
        return [self._key(place) for place in gone]

    def take_changed(self) -> dict[CellKey, Cell]:
        changed = {self._key(place): self._cell(place) for place in self._changed}
        self._changed.clear()
        return changed

    def mark_all_changed(self) -> None:
        self._changed.update(self._sums)
        self._changed.update(self._bags)

    def _cell(self, place: _Place) -> Cell:
        found = self._sums.get(place)
        if found is not None:
            return Sum(found[0], found[1], int(found[2]))
        above, below = self._bags[place]
        return Bag(dict(above), dict(below))

    def _key(self, place: _Place) -> CellKey:
        part = self._parts[place[0]]
        return CellKey(part.definition.id, part.index, place[1], place[2], GRAINS[place[3]], place[4])


def _winner(rivals: dict[str, tuple[Any, Contribution]]) -> Contribution | None:
    if not rivals:
        return None
    _, _, contribution = max((rank, entity_id, contribution) for entity_id, (rank, contribution) in rivals.items())
    return contribution
