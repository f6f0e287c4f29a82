"""The questions that boards and rules put to Prometheus. Text in, text out.

Of several exporters of one figure (two `figures` roles, or one that was cut off and does not know it) only those with
the newest as-of are believed, then equals are merged. A plain `sum` would double the figure, a plain `max` would show
a zombie's older, larger one.
"""

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
    "value_by_dim",
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
_BY_DIM = 'admin_unit="*",agency="",dim!=""'
_MISSES: dict[Direction, str] = {"higher_is_better": "<", "lower_is_better": ">"}


def _companion_series(name: str, kpi: KpiPanel, window: str, series: str = _TOTAL) -> str:
    return f'ioc_kpi_{name}{{kpi="{kpi.id}",{series},window="{window}"}}'


def _value_series(kpi: KpiPanel, window: str, series: str = _TOTAL) -> str:
    return f'{kpi.metric}{{{series},window="{window}"}}'


def _outdated(as_of: str, keys: str) -> str:
    """The exporters that somebody else is ahead of. One without any as-of (no fact has come yet) is not among them."""
    return f"({as_of} < on ({keys}) group_left () max by ({keys}) ({as_of}))"


def _believed(series: str, as_of: str, *conditions: str, keys: str = "province") -> str:
    """One series by `keys`: `series` of the exporters that nobody is ahead of and for which `conditions` hold."""
    holding = f" and on (instance, {keys}) ".join([series, *(f"({condition})" for condition in conditions)])
    return f"max by ({keys}) ({holding} unless on (instance, {keys}) {_outdated(as_of, keys)})"


def _as_of(kpi: KpiPanel, window: str) -> str:
    return _companion_series("as_of_timestamp_seconds", kpi, window)


def fresh_value(kpi: KpiPanel, window: str) -> str:
    """The figure where it is known to be current. Without a stale mark there is no answer: doubt is not freshness."""
    stale = _companion_series("stale", kpi, window)
    return _believed(_value_series(kpi, window), _as_of(kpi, window), f"{stale} == 0")


def stale_value(kpi: KpiPanel, window: str) -> str:
    """The figure where it is marked as old."""
    stale = _companion_series("stale", kpi, window)
    return _believed(_value_series(kpi, window), _as_of(kpi, window), f"{stale} == 1")


def value_by_dim(kpi: KpiPanel, window: str, *, is_stale: bool) -> str:
    """The figure by its own dimension, like a source or an operator: those that are current, or those marked as old."""
    stale = _companion_series("stale", kpi, window, _BY_DIM)
    return _believed(
        _value_series(kpi, window, _BY_DIM),
        _companion_series("as_of_timestamp_seconds", kpi, window, _BY_DIM),
        f"{stale} == {int(is_stale)}",
        keys="province, dim",
    )


def companion(name: str, kpi: KpiPanel, window: str) -> str:
    """`ioc_kpi_<name>` beside the figure: numerator, denominator, as_of_timestamp_seconds, stale, manual."""
    return _believed(_companion_series(name, kpi, window), _as_of(kpi, window))


def companion_of_all(name: str) -> str:
    """`ioc_kpi_<name>` of all KPIs and windows: one series per `kpi`, `province`, `window`."""
    only = f"{{{_TOTAL}}}"
    outdated = _outdated(f"ioc_kpi_as_of_timestamp_seconds{only}", "kpi, province, window")
    series = f"ioc_kpi_{name}{only} unless on (instance, kpi, province, window) {outdated}"
    return f"max by (kpi, province, window) ({series})"


def recorded_value(kpi: KpiPanel) -> str:
    """What `RECORDED_VALUE` records of one KPI: the believed figure of every window."""
    outdated = _outdated(f'ioc_kpi_as_of_timestamp_seconds{{kpi="{kpi.id}",{_TOTAL}}}', "province, window")
    return f"max by (province, window) ({kpi.metric}{{{_TOTAL}}} unless on (instance, province, window) {outdated})"


def breach(kpi: KpiPanel) -> str | None:
    """When the current figure of the main window misses its target with enough cases.

    None where that can't be said: no target, a band, or a count that is to grow until its period ends.
    """
    sign = _MISSES.get(kpi.direction)
    if sign is None or kpi.target is None or (kpi.accumulates and kpi.direction == "higher_is_better"):
        return None
    window = kpi.windows[0]
    conditions = [f"{_companion_series('stale', kpi, window)} == 0"]
    if kpi.has_cases:
        conditions.append(f"{_companion_series('denominator', kpi, window)} >= {kpi.min_cases:g}")
    value = _believed(_value_series(kpi, window), _as_of(kpi, window), *conditions)
    return f"{value} {sign} {_number(kpi.target)}"


def _number(number: float) -> str:
    """All digits of a target: `:g` writes 3077961 as 3.07796e+06."""
    return str(int(number)) if number == int(number) else repr(number)
