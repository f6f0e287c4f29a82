"""Figures of all partials read, each kept until a partial or the clock can change it.

A figure is a function of (partials of its KPI, newest facts of the types that feed it, clock). So the figures of one
(KPI, window) are the same until one of these comes about, and only then computed anew:
- a partial of the KPI in the window's grain, or one without buckets, was merged, dropped or voided;
- the newest fact of a type that feeds the KPI moved (the as-of of figures that have none of their own);
- the clock left the local day (windows, communes in force) or, for `5m` and `1h`, the minute;
- the clock passed the moment at which one of them becomes stale; or any as-of lies at the clock itself: facts may be
  ahead of it, and the as-of then follows the clock.
`now` figures with timers need no clock of their own: the shard that owns the row writes a partial when a timer is due.
"""

import threading
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ioc.kpis import BUILT_IN, Figure, Figures, KpiDefinition, KpiEngine, Partial
from ioc.windows import Grain, day_number, grain_of, minute_number
from streams.partials import Complete, Gone

__all__ = ["FreshFigures"]

_DAY_US = 86_400_000_000
_OFFSET_US = 7 * 3_600_000_000
_MINUTE_US = 60_000_000
_MICROSECONDS = 1_000_000


class _Kept(NamedTuple):
    """Right for clocks from `from_us` to before `until_us`."""

    figures: Sequence[Figure]
    from_us: int
    until_us: int


class FreshFigures:
    """One thread takes messages, any thread asks. The lock is held for the figures of one KPI and window, or for the
    messages of one call: keep them few."""

    def __init__(self, engine: KpiEngine) -> None:
        self.definitions = engine.definitions
        self._figures = Figures(engine)
        self._lock = threading.Lock()
        self._kept: dict[str, dict[str, _Kept]] = {definition.id: {} for definition in engine.definitions}
        self._fed_by: dict[str, list[str]] = {}
        for definition in engine.definitions:
            for event_type in definition.fed_by:
                self._fed_by.setdefault(event_type, []).append(definition.id)
        # Every event moves the as-of of a figure about the sources.
        self._about_sources = sorted({part.definition.id for part in engine.parts if part.part.entity in BUILT_IN})
        self._epochs: dict[int, int] = {}
        self._newest: dict[tuple[str, int], int] = {}

    # ---- messages in -----------------------------------------------------------------------------------------------

    def take(self, messages: Iterable[Partial | Gone | Complete | None]) -> None:
        with self._lock:
            for message in messages:
                match message:
                    case Partial():
                        if self._figures.merge(message):
                            self._changed(message.key.kpi, message.key.grain)
                    case Gone(cell_key, partition):
                        self._figures.forget(cell_key, partition)
                        self._changed(cell_key.kpi, cell_key.grain)
                    case Complete():
                        self._complete(message)

    def _changed(self, kpi: str, grain: Grain) -> None:
        kept = self._kept.get(kpi)
        if kept:
            for window in [window for window in kept if grain == "now" or grain_of(window) == grain]:
                del kept[window]

    def _complete(self, message: Complete) -> None:
        partition, epoch, newest = message
        self._figures.complete(partition, epoch, newest)
        if epoch > self._epochs.get(partition, 0):  # cells of any KPI may be void now
            self._epochs[partition] = epoch
            for kept in self._kept.values():
                kept.clear()
        for event_type, newest_us in newest.items():
            if self._newest.get((event_type, partition)) != newest_us:
                self._newest[event_type, partition] = newest_us
                for kpi in (*self._fed_by.get(event_type, ()), *self._about_sources):
                    self._kept[kpi].clear()

    def take_touched_days(self) -> set[tuple[str, int]]:
        """See `Figures.take_touched_days`. For the thread that takes messages."""
        return self._figures.take_touched_days()

    # ---- figures out -----------------------------------------------------------------------------------------------

    def of(self, definition: KpiDefinition, window: str, clock_us: int) -> Sequence[Figure]:
        """The figures of a KPI in a window at the clock, the total first; the same object while they are the same."""
        with self._lock:
            kept = self._kept[definition.id].get(window)
            if kept is None or not kept.from_us <= clock_us < kept.until_us:
                kept = _keep(list(self._figures.figures_of(definition, window, clock_us)), window, clock_us)
                self._kept[definition.id][window] = kept
            return kept.figures

    def members(self, definition: KpiDefinition) -> dict[str, bool]:
        """See `Figures.members`."""
        with self._lock:
            return self._figures.members(definition)

    def of_the_past(self, definition: KpiDefinition, window: str, clock_us: int) -> list[Figure]:
        """The same at the end of a period that is over: nothing is kept."""
        with self._lock:
            return list(self._figures.figures_of(definition, window, clock_us))


def _keep(figures: Sequence[Figure], window: str, clock_us: int) -> _Kept:
    until_us = (day_number(clock_us) + 1) * _DAY_US - _OFFSET_US
    if grain_of(window) == "minute":
        until_us = min(until_us, (minute_number(clock_us) + 1) * _MINUTE_US)
    for figure in figures:
        if figure.as_of_us is None:
            continue
        if figure.as_of_us >= clock_us:
            until_us = clock_us + 1
        elif not figure.is_stale:
            until_us = min(until_us, figure.as_of_us + int(figure.definition.stale_after_s * _MICROSECONDS) + 1)
    return _Kept(figures, clock_us, until_us)
