"""The report as data: what a span's figures were, against target, the time before and each other. Pure.

Nothing is computed here but differences, orders and what is left of two shares: every figure is the log's.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ioc.catalog import Catalog
from ioc.coverage_facts import COVERAGE_EVENT
from ioc.kpis import KpiDefinition, Target
from ioc.kpis.log import LoggedValue, Period, Place
from ioc.wall.report.happenings import History
from ioc.wall.report.periods import Span, windows_of
from ioc.wall.report.ranking import Ranking, rank_units
from ioc.wall.report.records import Entry, Ledger
from ioc.wall.report.sources import SOURCE_KPI, Silences, silences_of
from ioc.windows import microseconds_of

__all__ = ["Change", "LateExplained", "Report", "Row", "build_report", "is_wanted", "wanted_places"]

Verdict = Literal["met", "missed", "running", "no_target", "no_figure"]
"""`running`: a count that grows until its period ends can't have met its target yet."""
ChangeState = Literal["better", "worse", "same", "changed", "not_comparable", "unknown"]

_CALENDAR = ("mtd", "qtd", "ytd")
_LATE, _ON_TIME = "_late_explained", "_on_time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Against an older period. `difference`: value less the older value, None unless both are known and comparable.

    `changed`: different, and the KPI does not say which way is better. `not_comparable`: a count of a period that runs.
    """

    period: str
    state: ChangeState
    older: float | None = None
    difference: float | None = None
    has_other_rule: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One KPI and window. `entry` None: the log has no such figure. `is_provisional`: the period was not over, or
    nobody has closed it."""

    kpi: KpiDefinition
    window: str
    period: Period
    entry: Entry | None
    target: Target | None
    verdict: Verdict
    is_provisional: bool
    before: Change
    year_before: Change
    ranking: Ranking | None

    @property
    def figure(self) -> LoggedValue | None:
        return self.entry.logged if self.entry is not None else None

    @property
    def needs_attention(self) -> bool:
        return self.verdict == "missed" and self.before.state == "worse"


@dataclass(frozen=True, slots=True, kw_only=True)
class LateExplained:
    """Of what was resolved: on time, late with a reason, late without. `late` None: the two count different cases."""

    on_time: Row
    explained: Row
    unexplained: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`rows`: by family and KPI in the catalogue's order, main window first. `attention`: missed and worse than before,
    the farthest from target first; `missed`: missed, not worse. `cameras`: the KPIs that count the camera register,
    and what of the cameras was looked at."""

    span: Span
    made_at: datetime
    province_vi: str
    province_en: str
    rows: tuple[Row, ...]
    attention: tuple[Row, ...]
    missed: tuple[Row, ...]
    late: tuple[LateExplained, ...]
    cameras: tuple[Row, ...]
    silences: Silences
    history: History

    @property
    def is_provisional(self) -> bool:
        """The span itself is not over."""
        return self.made_at < self.span.end


def wanted_places(catalog: Catalog, span: Span) -> frozenset[Place]:
    """The places of the log that a report of the span reads, but for the verdicts by source; see `is_wanted`."""
    places: set[Place] = set()
    for kpi in catalog.kpis:
        for window in windows_of(kpi.windows, span):
            for period in (span.period(window), span.compared(window), span.year_before().period(window)):
                assert period is not None, "windows_of names windows with periods"
                places.add((kpi.id, window, period.name))
    return frozenset(places)


def is_wanted(place: Place, places: frozenset[Place]) -> bool:
    return place in places or place[:2] == SOURCE_KPI


def build_report(catalog: Catalog, ledger: Ledger, span: Span, *, made_at: datetime, history: History) -> Report:
    """Returns the report of a span as the log tells it at `made_at`."""
    rows = tuple(
        _row(kpi, window, span, ledger, made_at) for kpi in catalog.kpis for window in windows_of(kpi.windows, span)
    )
    return Report(
        span=span,
        made_at=made_at,
        province_vi=catalog.name_vi,
        province_en=catalog.name_en,
        rows=rows,
        attention=tuple(sorted((row for row in rows if row.needs_attention), key=_distance, reverse=True)),
        missed=tuple(
            sorted(
                (row for row in rows if row.verdict == "missed" and not row.needs_attention),
                key=_distance,
                reverse=True,
            )
        ),
        late=_late(rows),
        cameras=tuple(row for row in rows if row.kpi.population == "cameras" or COVERAGE_EVENT in row.kpi.fed_by),
        silences=silences_of(ledger, catalog.promises, span),
        history=history,
    )


def _row(kpi: KpiDefinition, window: str, span: Span, ledger: Ledger, made_at: datetime) -> Row:
    period, older, year_ago = span.period(window), span.compared(window), span.year_before().period(window)
    assert period is not None, "windows_of names windows with periods"
    assert older is not None, "and then there are older ones"
    assert year_ago is not None, "a year ago too"
    entry = ledger.total((kpi.id, window, period.name))
    is_over = period.end_us <= microseconds_of(made_at)
    target = kpi.target(span.last)
    direction = target.direction if target is not None else "within_band"
    return Row(
        kpi=kpi,
        window=window,
        period=period,
        entry=entry,
        target=target,
        verdict=_verdict(kpi, window, target, entry, is_over=is_over),
        is_provisional=entry is not None and not (is_over and entry.logged.is_closed),
        before=_change(kpi, entry, ledger.total((kpi.id, window, older.name)), older, direction, is_over=is_over),
        year_before=_change(
            kpi, entry, ledger.total((kpi.id, window, year_ago.name)), year_ago, direction, is_over=is_over
        ),
        ranking=_ranking(kpi, window, (period, older), ledger, direction),
    )


def _verdict(kpi: KpiDefinition, window: str, target: Target | None, entry: Entry | None, *, is_over: bool) -> Verdict:
    value = entry.logged.value if entry is not None else None
    if value is None:
        return "no_figure"
    if target is None or target.value is None or target.direction == "within_band":
        return "no_target"
    if kpi.form == "number" and window in ("day", *_CALENDAR) and window != kpi.windows[0]:
        return "no_target"  # the target of a count is that of the KPI's main window
    is_met = value >= target.value if target.direction == "higher_is_better" else value <= target.value
    grows = kpi.form == "number" or bool(kpi.population)
    if not is_met and not is_over and grows and target.direction == "higher_is_better" and window != "now":
        return "running"
    return "met" if is_met else "missed"


def _change(
    kpi: KpiDefinition, entry: Entry | None, older: Entry | None, period: Period, direction: str, *, is_over: bool
) -> Change:
    value = entry.logged.value if entry is not None else None
    was = older.logged.value if older is not None else None
    if value is None or was is None or entry is None or older is None:
        return Change(period=period.name, state="unknown", older=was)
    if kpi.form == "number" and not is_over and period.window in ("day", *_CALENDAR):
        return Change(period=period.name, state="not_comparable", older=was)
    difference = value - was
    state: ChangeState = "changed"
    if abs(difference) <= 1e-12 * max(abs(value), abs(was)):
        state = "same"
    elif direction in ("higher_is_better", "lower_is_better"):
        state = "better" if (difference > 0) == (direction == "higher_is_better") else "worse"
    return Change(
        period=period.name,
        state=state,
        older=was,
        difference=difference,
        has_other_rule=entry.logged.rule_version != older.logged.rule_version,
    )


def _ranking(
    kpi: KpiDefinition, window: str, periods: tuple[Period, ...], ledger: Ledger, direction: str
) -> Ranking | None:
    """Of the first period that has units: those of a running one are in the log only once it is over."""
    if kpi.group_by == "none":
        return None
    for period in periods:
        groups = ledger.groups((kpi.id, window, period.name))
        found = rank_units(groups, period=period.name, direction=direction)
        if found is not None:
            return found
    return None


def _distance(row: Row) -> float:
    """How far from the target, as a share of it; one from a target of nothing counts by itself."""
    value = row.figure.value if row.figure is not None else None
    target = row.target.value if row.target is not None else None
    if value is None or target is None:
        return 0.0  # never of a row that missed its target
    return abs(value - target) / (abs(target) or 1.0)


def _late(rows: tuple[Row, ...]) -> tuple[LateExplained, ...]:
    by_place = {(row.kpi.id, row.window): row for row in rows}
    found = []
    for row in rows:
        partner = by_place.get((row.kpi.id.removesuffix(_LATE) + _ON_TIME, row.window))
        if row.kpi.id.endswith(_LATE) and partner is not None:
            found.append(LateExplained(on_time=partner, explained=row, unexplained=_unexplained(partner, row)))
    return tuple(found)


def _unexplained(on_time: Row, explained: Row) -> float | None:
    one, other = on_time.figure, explained.figure
    if one is None or other is None or one.value is None or other.value is None:
        return None
    left = 1.0 - one.value - other.value
    if one.denominator != other.denominator or left < -1e-9:
        return None
    return max(0.0, left)
