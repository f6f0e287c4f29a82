"""Figures per source: how many of its events were accepted, repeated, refused or contradictory, minute by minute, and
when it was last heard. They are no entities: a verdict is counted once, with the offset that it belongs to.

Two built-in entities carry them into the KPIs (their columns: `ioc.kpis.parts.BUILT_IN`). `source_tally`: one row for
each source and minute of the clock. `source_seen`: one row for each source; `promise` is how often it said to tell.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from ioc.expressions import Value
from ioc.kpis.aggregates import KEPT_DAYS, KEPT_MINUTES, Aggregates
from ioc.kpis.engine import KpiEngine
from ioc.kpis.parts import SOURCE_SEEN, SOURCE_TALLY, Contribution
from ioc.windows import day_number, minute_number

__all__ = ["Promises", "SourceTallies", "Verdicts"]

MAX_SOURCES = 2_000  # of one partition; what invented sources send beyond it counts in the total only
_MINUTE_US = 60_000_000
_MINUTES_A_DAY = 1_440
_OFFSET_MINUTES = 420
_DAY_US = 86_400_000_000
_SEPARATOR = "\x1f"

Verdicts = tuple[int, int, int, int]
"""(accepted, duplicate, rejected, contradictions)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """How often sources have promised to tell, in µs: by source, else by family, else `default_us`."""

    default_us: int = _DAY_US
    by_source: Mapping[str, int] = field(default_factory=dict)
    by_family: Mapping[str, int] = field(default_factory=dict)

    def of(self, source: str) -> int:
        promised = self.by_source.get(source)
        return self.by_family.get(family_of(source), self.default_us) if promised is None else promised


def family_of(source: str) -> str:
    """/PROVINCE/FAMILY[/SYSTEM…] → FAMILY"""
    return source.split("/")[2] if source.count("/") >= 2 else ""


class SourceTallies:
    """The verdicts on the events of every source, of one partition; kept as rows beside the entities' rows."""

    def __init__(self, promises: Promises | None = None) -> None:
        self._promises = promises or Promises()
        self._counts: dict[tuple[str, int], Verdicts] = {}
        self._seen: dict[str, int] = dict.fromkeys(self._promises.by_source, 0)  # registered, heard or not
        self._named: set[str] = set()  # whose verdicts are counted one by one
        self._changed: set[tuple[str, int]] = set()
        self._changed_seen: set[str] = set()
        self._told: dict[tuple[str, int] | str, list[Contribution]] = {}
        self._gone: list[str] = []
        self._merged_before = 0

    # ---- verdicts in -----------------------------------------------------------------------------------------------

    def count(self, source: str, verdicts: Verdicts, now_us: int) -> None:
        """Adds verdicts passed at the clock. `source` "": it could not be read, or is none of the catalogue's."""
        place = (source if source in self._named or len(self._named) < MAX_SOURCES else "", minute_number(now_us))
        self._named.add(place[0])
        known = self._counts.get(place, (0, 0, 0, 0))
        self._counts[place] = tuple(map(int.__add__, known, verdicts))  # type: ignore[assignment]  # four of them
        self._changed.add(place)

    def heard(self, source: str, newest_us: int) -> None:
        """The newest accepted fact of a source happened at `newest_us`, as far as this partition knows."""
        if newest_us > self._seen.get(source, 0) and (source in self._seen or len(self._seen) < MAX_SOURCES):
            self._seen[source] = newest_us
            self._changed_seen.add(source)

    # ---- figures out -----------------------------------------------------------------------------------------------

    def settle(self, aggregates: Aggregates, engine: KpiEngine, now_us: int) -> None:
        """Brings what changed, and what the clock changed, into the aggregates."""
        self._merge_old_minutes(now_us)
        if SOURCE_TALLY in engine.counted:
            for place in self._changed:
                source, minute = place
                values: list[Value] = [
                    source or None,
                    *self._counts.get(place, (0, 0, 0, 0)),
                    minute * _MINUTE_US,
                    now_us,
                ]
                found = engine.evaluate_values(SOURCE_TALLY, source, values, now_us)[0]
                self._retell(place, found, aggregates)
        if SOURCE_SEEN in engine.counted:
            for source, newest_us in self._seen.items():
                told: list[Value] = [source, family_of(source), newest_us or None, self._promises.of(source), now_us]
                found = engine.evaluate_values(SOURCE_SEEN, source, told, now_us)[0]
                self._retell(source, found, aggregates)

    def _retell(self, place: tuple[str, int] | str, found: list[Contribution], aggregates: Aggregates) -> None:
        before = self._told.get(place, [])
        if before != found:
            aggregates.retract(before)
            aggregates.add(found)
            self._told[place] = found

    def _merge_old_minutes(self, now_us: int) -> None:
        """What no sliding window reaches any more is kept by day: in the row of the day's first minute."""
        oldest = minute_number(now_us) - KEPT_MINUTES
        if oldest <= self._merged_before:
            return
        self._merged_before = oldest
        oldest_day = day_number(now_us) - KEPT_DAYS
        for place in [place for place in self._counts if place[1] < oldest]:
            source, minute = place
            day = (minute + _OFFSET_MINUTES) // _MINUTES_A_DAY
            first = (source, day * _MINUTES_A_DAY - _OFFSET_MINUTES)
            if day >= oldest_day and place == first:
                continue
            verdicts = self._counts.pop(place)
            self._changed.add(place)
            self._gone.append(_tally_key(place))
            if day >= oldest_day:
                known = self._counts.get(first, (0, 0, 0, 0))
                self._counts[first] = tuple(map(int.__add__, known, verdicts))  # type: ignore[assignment]
                self._changed.add(first)

    @property
    def rows(self) -> int:
        """How many rows it has in the state."""
        return len(self._counts) + sum(1 for newest_us in self._seen.values() if newest_us)

    # ---- durable rows ----------------------------------------------------------------------------------------------

    def take_rows(self) -> dict[str, bytes | None]:
        """Returns the state rows that changed since the last call, by key; None for one that is gone."""
        rows: dict[str, bytes | None] = dict.fromkeys(self._gone)
        self._gone.clear()
        for place in self._changed:
            if place in self._counts:
                rows[_tally_key(place)] = msgspec.msgpack.encode(self._counts[place])
            else:
                self._told.pop(place, None)
        for source in self._changed_seen:
            rows[SOURCE_SEEN + _SEPARATOR + source] = msgspec.msgpack.encode(self._seen[source])
        self._changed.clear()
        self._changed_seen.clear()
        return rows

    def restore(self, rows: Iterable[tuple[str, bytes]]) -> None:
        """Takes over state rows of the built-in entities."""
        for key, data in rows:
            entity, source, *minute = key.split(_SEPARATOR)
            if entity == SOURCE_SEEN:
                self._seen[source] = msgspec.msgpack.decode(data, type=int)
            elif minute:
                place = (source, int(minute[0]))
                self._named.add(source)
                self._counts[place] = msgspec.msgpack.decode(data, type=Verdicts)
                self._changed.add(place)


def _tally_key(place: tuple[str, int]) -> str:
    return f"{SOURCE_TALLY}{_SEPARATOR}{place[0]}{_SEPARATOR}{place[1]}"
