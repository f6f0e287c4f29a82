"""The KPI log: which figures of which periods are written down, and when they are written again. Pure.

A figure's *period* is what its window covers: a local day, a month, a quarter, a year; for a rolling window (r30d) and
for `now` the local day at whose end it is taken. `5m` and `1h` slide by the minute and have no period: they are not
logged. The reasons for the bounds are in deploy/decisions/0009-kpi-log.md.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from ioc.kpis.aggregates import KEPT_DAYS
from ioc.kpis.definitions import FigureForm, KpiDefinition
from ioc.kpis.engine import KpiEngine
from ioc.kpis.figures import Figure
from ioc.windows import day_number, local_date, window_range

__all__ = ["RESTATED_DAYS", "Due", "KpiLog", "LoggedValue", "Period", "Place", "Series", "period_at", "period_named"]

RESTATED_DAYS = 35
"""A period that ended longer ago stands, but for the months, quarters and the year of the running year."""
NOW_GRACE_US = 5 * 60_000_000
"""`now` can't be asked of the past: a day's last `now` is taken by who sees the day end, this soon after."""

_CALENDAR = ("mtd", "qtd", "ytd")
_DAY_US = 86_400_000_000
_OFFSET_US = 7 * 3_600_000_000
_FIRST_DAY_ORDINAL = date(1970, 1, 1).toordinal()

Place = tuple[str, str, str]
"""(KPI, window, period)"""
Series = tuple[str, str, str]
"""(admin_unit, agency, dim)"""


class Period(NamedTuple):
    """`name`: 2026-11-21, 2026-11, 2026-Q4 or 2026. `first_day`, `last_day`: local day numbers that count, both
    inclusive; for `now` the day at whose end it is taken."""

    window: str
    name: str
    first_day: int
    last_day: int

    @property
    def end_us(self) -> int:
        """The first microsecond after it."""
        return (self.last_day + 1) * _DAY_US - _OFFSET_US

    @property
    def last_us(self) -> int:
        """The clock at which the figure of the whole period is asked for."""
        return self.end_us - 1

    def before(self) -> "Period":
        """The period of the same window that ended last before this one ends."""
        first = self.first_day if self.window in ("day", *_CALENDAR) else self.last_day
        found = period_at(self.window, first * _DAY_US - _OFFSET_US - 1)
        assert found is not None, "a window either has periods or has none"
        return found


def period_at(window: str, clock_us: int) -> Period | None:
    """Returns the period of `window` that runs at the clock; None for the windows that slide by the minute."""
    if window in ("5m", "1h"):
        return None
    today = day_number(clock_us)
    first, last = window_range(window, clock_us) if window != "now" else (today, today)
    begin = date.fromordinal(_FIRST_DAY_ORDINAL + first)
    match window:
        case "mtd":
            name = f"{begin.year:04d}-{begin.month:02d}"
        case "qtd":
            name = f"{begin.year:04d}-Q{(begin.month + 2) // 3}"
        case "ytd":
            name = f"{begin.year:04d}"
        case _:
            name = date.fromordinal(_FIRST_DAY_ORDINAL + last).isoformat()
    return Period(window, name, first, last)


def period_named(window: str, name: str) -> Period | None:
    """Returns the period with this name, None where the window has none of that name."""
    year, _, rest = name.partition("-")
    if rest[:1] == "Q" and rest[1:].isdecimal():
        rest = f"{int(rest[1:]) * 3 - 2:02d}"
    month, _, day = rest.partition("-")
    try:
        begin = date(int(year), int(month or "1"), int(day or "1"))
    except ValueError:
        return None
    found = period_at(window, (begin.toordinal() - _FIRST_DAY_ORDINAL) * _DAY_US - _OFFSET_US)
    return found if found is not None and found.name == name else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedValue:
    """One figure of one period, as it is written. `is_closed`: the period had ended."""

    kpi: str
    admin_unit: str
    agency: str
    dim: str
    window: str
    period: str
    is_closed: bool
    value: float | None
    numerator: float | None
    denominator: float | None
    as_of_us: int | None
    is_stale: bool
    is_manual: bool
    rule_version: str

    @property
    def place(self) -> Place:
        return self.kpi, self.window, self.period

    @property
    def series(self) -> Series:
        return self.admin_unit, self.agency, self.dim

    def mark(self) -> int:
        """What must differ for it to be written again, odd where it is closed. As-of, staleness and the rule's version
        alone do not count: they are told with the figure that they belonged to."""
        return hash((self.value, self.numerator, self.denominator, self.is_manual)) & ~1 | self.is_closed


class Due(NamedTuple):
    """A closed period whose figures have to be compared with the log."""

    definition: KpiDefinition
    period: Period


class KpiLog:
    """What the log holds, as far as it can still change, and what is due to be compared with it.

    Args:
        keep_days: how long rows are kept, by entity; an entity that is not named keeps them for good.
    """

    def __init__(self, engine: KpiEngine, keep_days: Mapping[str, int]) -> None:
        self._definitions = {definition.id: definition for definition in engine.definitions}
        self._reach_days = dict.fromkeys(self._definitions, KEPT_DAYS)
        self._of_the_present: set[str] = set()
        for part in engine.parts:
            kpi = part.definition.id
            kept = keep_days.get(part.part.entity, KEPT_DAYS)
            self._reach_days[kpi] = min(self._reach_days[kpi], kept)
            if not part.part.bucket_by or part.clock_terms:
                self._of_the_present.add(kpi)
        self._held: dict[Place, dict[Series, int]] = {}
        self._newest_closed: dict[tuple[str, str], Period] = {}
        self._series: dict[Series, Series] = {}  # one tuple for each series, whatever the period
        self._due: dict[Place, Due] = {}
        self._clock_us = 0

    # ---- what the log holds ----------------------------------------------------------------------------------------

    def wants(self, place: Place, clock_us: int) -> Period | None:
        """Returns the period of a place that has to be remembered at the clock; None where it stands for good."""
        kpi, window, name = place
        definition = self._definitions.get(kpi)
        if definition is None or window not in definition.windows:
            return None
        period = period_named(window, name)
        return period if period is not None and self.is_in_reach(kpi, period, clock_us) else None

    def remember(self, logged: LoggedValue) -> None:
        """The log holds this value now, whoever wrote it. Ask `wants` first."""
        series = self._series.setdefault(logged.series, logged.series)
        self._held.setdefault(logged.place, {})[series] = logged.mark()
        period = period_named(logged.window, logged.period) if logged.is_closed else None
        if period is not None:
            window = (logged.kpi, logged.window)
            newest = self._newest_closed.get(window)
            if newest is None or newest.last_day < period.last_day:
                self._newest_closed[window] = period

    def is_in_reach(self, kpi: str, period: Period, clock_us: int) -> bool:
        """Whether a late fact may still change the log: the period ended lately enough, and every row that it counts is
        still kept."""
        today = day_number(clock_us)
        if period.last_day >= today:
            return True
        is_recent = today - period.last_day <= RESTATED_DAYS
        if not is_recent and period.window in _CALENDAR:
            is_recent = local_date(period.last_us).year == local_date(clock_us).year
        return is_recent and period.first_day > today - self._reach_days[kpi]

    @property
    def held(self) -> int:
        """How many values are remembered."""
        return sum(len(values) for values in self._held.values())

    # ---- what is due -----------------------------------------------------------------------------------------------

    def tick(self, clock_us: int) -> list[Due]:
        """Makes due what closed since the last call; the first call, since the newest closed period of the log.

        Where the log has none, only what facts touched is due: of the time before there is nothing to tell.

        Returns the `now` figures of the day that ended: they have to be taken at once.
        """
        before_us, self._clock_us = self._clock_us, max(self._clock_us, clock_us)
        if before_us and day_number(before_us) >= day_number(clock_us):
            return []
        self._prune(clock_us)
        ending: list[Due] = []
        for definition in self._definitions.values():
            for window in definition.windows:
                running = period_at(window, clock_us)
                if running is None:
                    continue
                if window != "now":
                    self._close(definition, running, before_us, clock_us)
                elif before_us and clock_us - running.before().end_us <= NOW_GRACE_US:
                    ending.append(Due(definition, running.before()))
        return ending

    def _close(self, definition: KpiDefinition, running: Period, before_us: int, clock_us: int) -> None:
        period = running.before()
        newest = self._newest_closed.get((definition.id, period.window))
        since_us = before_us or (newest.end_us if newest is not None else clock_us)
        while period.end_us > since_us and self.is_in_reach(definition.id, period, clock_us):
            self._due[definition.id, period.window, period.name] = Due(definition, period)
            period = period.before()

    def touch(self, touched: Iterable[tuple[str, int]], clock_us: int) -> None:
        """Makes due the closed periods that count these (KPI, local day number)."""
        for kpi, day in touched:
            definition = self._definitions.get(kpi)
            if definition is None:
                continue
            for window in definition.windows:
                for period in _periods_with(window, day, day_number(clock_us)):
                    if self.is_in_reach(kpi, period, clock_us):
                        self._due.setdefault((kpi, window, period.name), Due(definition, period))

    @property
    def due(self) -> int:
        return len(self._due)

    def next_due(self) -> Due | None:
        """Takes one of the periods that are due."""
        return self._due.pop(next(iter(self._due))) if self._due else None

    def put_back(self, due: Due) -> None:
        self._due[due.definition.id, due.period.window, due.period.name] = due

    # ---- what is to be written -------------------------------------------------------------------------------------

    def changes(self, due: Due, figures: Iterable[Figure]) -> list[LoggedValue]:
        """Returns the values of a closed period that the log does not hold. A series that is no more counts nothing.

        A figure that counts the present (a register known from events, the clock) can't be asked of the past: once it
        is written it stands.
        """
        held = self._held.get((due.definition.id, due.period.window, due.period.name), {})
        is_final = due.definition.id in self._of_the_present
        changed: list[LoggedValue] = []
        gone = dict(held)
        for logged in (_logged(figure, due.period, is_closed=True) for figure in figures):
            mark = gone.pop(logged.series, None)
            if mark is None and logged.as_of_us is None:
                continue  # nobody has told anything yet
            if mark != logged.mark() and not (is_final and mark is not None and mark & 1):
                changed.append(logged)
        if not is_final:
            changed += [empty for series, mark in gone.items() if (empty := _empty(due, series)).mark() != mark]
        return changed

    def running(self, definition: KpiDefinition, window: str, total: Figure, clock_us: int) -> LoggedValue | None:
        """Returns the running total of a window, where the log does not hold it."""
        period = period_at(window, clock_us)
        if period is None:
            return None
        logged = _logged(total, period, is_closed=False)
        mark = self._held.get(logged.place, {}).get(logged.series)
        if mark == logged.mark() or (mark is None and logged.as_of_us is None):
            return None
        return logged

    def _prune(self, clock_us: int) -> None:
        for place in [place for place in self._held if self.wants(place, clock_us) is None]:
            del self._held[place]


def _periods_with(window: str, day: int, today: int) -> Iterator[Period]:
    """The periods that ended before today and count a local day."""
    if window in ("5m", "1h", "now") or day >= today:
        return
    period = period_at(window, day * _DAY_US - _OFFSET_US)
    assert period is not None, "the others have periods"
    if window in ("day", *_CALENDAR):
        if period.last_day < today:
            yield period
        return
    length = period.last_day - period.first_day
    for last in range(max(day, today - RESTATED_DAYS), min(day + length, today - 1) + 1):
        found = period_at(window, last * _DAY_US - _OFFSET_US)
        assert found is not None, "a rolling window has periods"
        yield found


def _logged(figure: Figure, period: Period, *, is_closed: bool) -> LoggedValue:
    return LoggedValue(
        kpi=figure.definition.id,
        admin_unit=figure.admin_unit,
        agency=figure.agency,
        dim=figure.dim,
        window=period.window,
        period=period.name,
        is_closed=is_closed,
        value=figure.value,
        numerator=figure.numerator,
        denominator=figure.denominator,
        as_of_us=figure.as_of_us,
        is_stale=figure.is_stale,
        is_manual=figure.is_manual,
        rule_version=figure.definition.rule_version,
    )


_NOTHING: Mapping[FigureForm, tuple[float | None, float | None, float | None]] = {
    "number": (0.0, 0.0, None),
    "ratio": (None, 0.0, 0.0),
    "p95": (None, None, 0.0),
}
"""(value, numerator, denominator) of a series that counts nothing any more."""


def _empty(due: Due, series: Series) -> LoggedValue:
    value, numerator, denominator = _NOTHING[due.definition.form]
    return LoggedValue(
        kpi=due.definition.id,
        admin_unit=series[0],
        agency=series[1],
        dim=series[2],
        window=due.period.window,
        period=due.period.name,
        is_closed=True,
        value=value,
        numerator=numerator,
        denominator=denominator,
        as_of_us=None,
        is_stale=True,
        is_manual=False,
        rule_version=due.definition.rule_version,
    )
