"""The questions that boards and rules put to Prometheus. Text in, text out.

Of several exporters of one figure (two `figures` roles, or one that was cut off and does not know it) only those with
the newest as-of are believed, then equals are merged. A plain `sum` would double the figure, a plain `max` would show
a zombie's older, larger one.
"""

from collections.abc import Sequence

from ioc.wall.panels import Direction, KpiPanel

__all__ = [
    "EVENTS_UNACCOUNTED",
    "RECORDED_VALUE",
    "breach",
    "companion",
    "companion_of_all",
    "fresh_value",
    "recorded_value",
    "stale_value",
]

RECORDED_VALUE = "ioc:kpi_value:total"
"""The recorded figure of the province by `kpi`, `province` and `window`: one name for all KPIs, few enough to keep."""

EVENTS_UNACCOUNTED = (
    '(sum by (topic) (ioc_events_total{outcome="in"})'
    ' - sum by (topic) (ioc_events_total{outcome=~"accepted|duplicate|rejected"}))'
    # A topic none of whose events has an outcome yet has no right-hand side: all of them are unaccounted for.
    ' or (sum by (topic) (ioc_events_total{outcome="in"})'
    ' unless on (topic) sum by (topic) (ioc_events_total{outcome=~"accepted|duplicate|rejected"}))'
)
"""Events by topic that came in and were neither accepted, nor duplicate, nor rejected. Zero in a sound pipeline."""

_TOTAL = 'admin_unit="*",agency="",dim=""'  # no unit's, no agency's and no dimension's series
_MISSES: dict[Direction, str] = {"higher_is_better": "<", "lower_is_better": ">"}


def _companion_series(name: str, kpi: KpiPanel, window: str) -> str:
    return f'ioc_kpi_{name}{{kpi="{kpi.id}",{_TOTAL},window="{window}"}}'


def _value_series(kpi: KpiPanel, window: str) -> str:
    return f'{kpi.metric}{{{_TOTAL},window="{window}"}}'


def _outdated(as_of: str, keys: str) -> str:
    """The exporters that somebody else is ahead of. One without any as-of (no fact has come yet) is not among them."""
    return f"({as_of} < on ({keys}) group_left () max by ({keys}) ({as_of}))"


def _believed(series: str, kpi: KpiPanel, window: str, *conditions: str) -> str:
    """One series per province: `series` of the exporters that nobody is ahead of and for which `conditions` hold."""
    holding = " and on (instance, province) ".join([series, *(f"({condition})" for condition in conditions)])
    outdated = _outdated(_companion_series("as_of_timestamp_seconds", kpi, window), "province")
    return f"max by (province) ({holding} unless on (instance, province) {outdated})"


def fresh_value(kpi: KpiPanel, window: str) -> str:
    """The figure where it is known to be current. Without a stale mark there is no answer: doubt is not freshness."""
    return _believed(_value_series(kpi, window), kpi, window, f"{_companion_series('stale', kpi, window)} == 0")


def stale_value(kpi: KpiPanel, window: str) -> str:
    """The figure where it is marked as old."""
    return _believed(_value_series(kpi, window), kpi, window, f"{_companion_series('stale', kpi, window)} == 1")


def companion(name: str, kpi: KpiPanel, window: str) -> str:
    """`ioc_kpi_<name>` beside the figure: numerator, denominator, as_of_timestamp_seconds, stale, manual."""
    return _believed(_companion_series(name, kpi, window), kpi, window)


def companion_of_all(name: str, kpis: Sequence[KpiPanel] = ()) -> str:
    """`ioc_kpi_<name>` of these KPIs (none named: of all) and windows: one series per `kpi`, `province`, `window`."""
    only = f'{{kpi=~"{"|".join(kpi.id for kpi in kpis)}",{_TOTAL}}}' if kpis else f"{{{_TOTAL}}}"
    outdated = _outdated(f"ioc_kpi_as_of_timestamp_seconds{only}", "kpi, province, window")
    series = f"ioc_kpi_{name}{only} unless on (instance, kpi, province, window) {outdated}"
    return f"max by (kpi, province, window) ({series})"


def recorded_value(kpi: KpiPanel) -> str:
    """What `RECORDED_VALUE` records of one KPI: the believed figure of every window."""
    outdated = _outdated(f'ioc_kpi_as_of_timestamp_seconds{{kpi="{kpi.id}",{_TOTAL}}}', "province, window")
    return f"max by (province, window) ({kpi.metric}{{{_TOTAL}}} unless on (instance, province, window) {outdated})"


def breach(kpi: KpiPanel) -> str | None:
    """When the current figure of the main window misses its target with enough cases; None without such a target."""
    sign = _MISSES.get(kpi.direction)
    if sign is None or kpi.target is None:
        return None
    window = kpi.windows[0]
    conditions = [f"{_companion_series('stale', kpi, window)} == 0"]
    if kpi.is_ratio:
        conditions.append(f"{_companion_series('denominator', kpi, window)} >= {kpi.min_denominator:g}")
    return f"{_believed(_value_series(kpi, window), kpi, window, *conditions)} {sign} {kpi.target:g}"
