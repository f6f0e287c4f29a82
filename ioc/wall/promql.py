"""The questions that boards and rules put to Prometheus. Text in, text out.

Of several exporters of one figure (two `figures` roles, or one that was cut off and does not know it) only those with
the newest as-of are believed, then equals are merged. A plain `sum` would double the figure, a plain `max` would show
a zombie's older, larger one. When the newest exporter dies and only a zombie is left, its figure is shown as old:
within the last hour Prometheus has seen a newer one.
"""

from ioc.wall.panels import Direction, KpiPanel, PanelTarget

__all__ = [
    "EVENTS_UNACCOUNTED",
    "FIGURES_BEHIND",
    "RECORDED_STALE",
    "RECORDED_VALUE",
    "breach",
    "by_unit",
    "companion",
    "companion_of_all",
    "fresh_value",
    "in_force",
    "recorded_stale",
    "recorded_value",
    "stale_value",
    "target_of",
    "unit_names",
    "value_by_dim",
]

RECORDED_VALUE = "ioc:kpi_value:total"
"""The recorded figure of the province by `kpi`, `province` and `window`: one name for all KPIs, few enough to keep."""

RECORDED_STALE = "ioc:kpi_stale:total"
"""1 where that figure is old by its own promise, or older than one that was seen within the last hour."""

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
_BY_UNIT = {"admin_unit": 'admin_unit!="*",agency="",dim=""', "agency": 'admin_unit="*",agency!="",dim=""'}
_REMEMBERED = "1h"  # long enough that somebody has looked after an exporter that died (`IocServiceDown`: one minute)
_MISSES: dict[Direction, str] = {"higher_is_better": "<", "lower_is_better": ">"}


def _companion_series(name: str, kpi: KpiPanel, window: str, series: str = _TOTAL) -> str:
    return f'ioc_kpi_{name}{{kpi="{kpi.id}",{series},window="{window}"}}'


def _value_series(kpi: KpiPanel, window: str, series: str = _TOTAL) -> str:
    return f'{kpi.metric}{{{series},window="{window}"}}'


def _outdated(as_of: str, keys: str) -> str:
    """The exporters that somebody else is ahead of. One without any as-of (no fact has come yet) is not among them."""
    return f"({as_of} < on ({keys}) group_left () max by ({keys}) ({as_of}))"


def _behind(as_of: str, keys: str) -> str:
    """The exporters that are older than what any has told within the last hour."""
    return f"({as_of} < on ({keys}) group_left () max by ({keys}) (max_over_time({as_of}[{_REMEMBERED}])))"


def _believed(series: str, as_of: str, *conditions: str, keys: str = "province") -> str:
    """One series by `keys`: `series` of the exporters that nobody is ahead of and for which `conditions` hold."""
    holding = f" and on (instance, {keys}) ".join([series, *(f"({condition})" for condition in conditions)])
    return f"max by ({keys}) ({holding} unless on (instance, {keys}) {_outdated(as_of, keys)})"


def _current(series: str, stale: str, as_of: str, *conditions: str, keys: str = "province") -> str:
    """`_believed`, where it is known to be current. Without a stale mark there is no answer: doubt is not freshness."""
    holding = f" and on (instance, {keys}) ".join([series, f"({stale} == 0)", *(f"({c})" for c in conditions)])
    return f"max by ({keys}) ({holding} unless on (instance, {keys}) {_behind(as_of, keys)})"


def _old(series: str, stale: str, as_of: str, keys: str = "province") -> str:
    """`_believed`, where it is marked as old or known to be."""
    return _believed(series, as_of, f"{stale} == 1 or {_behind(as_of, keys)}", keys=keys)


def _marked(stale: str, as_of: str, keys: str) -> str:
    """1 where an exporter's figure is old, also where only we know it, else what the exporter says."""
    return f"({_behind(as_of, keys)} * 0 + 1 or on (instance, {keys}) {stale})"


def _as_of(kpi: KpiPanel, window: str, series: str = _TOTAL) -> str:
    return _companion_series("as_of_timestamp_seconds", kpi, window, series)


def _figure(kpi: KpiPanel, window: str, series: str = _TOTAL) -> tuple[str, str, str]:
    """The series of a figure, of its stale mark, of its as-of."""
    stale = _companion_series("stale", kpi, window, series)
    return _value_series(kpi, window, series), stale, _as_of(kpi, window, series)


def fresh_value(kpi: KpiPanel, window: str, *, is_manual: bool | None = None) -> str:
    """The figure where it is known to be current; `is_manual`: only where it was typed by hand, or only where not."""
    conditions = [] if is_manual is None else [f"{_companion_series('manual', kpi, window)} == {int(is_manual)}"]
    return _current(*_figure(kpi, window), *conditions)


def stale_value(kpi: KpiPanel, window: str) -> str:
    """The figure where it is old: by its own mark, or because a newer one was seen within the last hour."""
    return _old(*_figure(kpi, window))


def in_force(expr: str, target: PanelTarget) -> str:
    """`expr` while the target is in force, nothing before and after."""
    since = "" if target.from_s is None else f" and on () (vector(time()) >= {target.from_s})"
    until = "" if target.until_s is None else f" and on () (vector(time()) < {target.until_s})"
    return f"({expr}{since}{until})" if since or until else expr


def value_by_dim(kpi: KpiPanel, window: str, *, is_stale: bool) -> str:
    """The figure by its own dimension, like a source or an operator: those that are current, or those that are old."""
    return (_old if is_stale else _current)(*_figure(kpi, window, _BY_DIM), keys="province, dim")


def by_unit(kpi: KpiPanel, window: str, name: str = "") -> str:
    """By administrative unit or agency: the figure, or `ioc_kpi_<name>` beside it (`stale`: as `stale_value` means)."""
    series, keys = _BY_UNIT[kpi.group_by], f"province, {kpi.group_by}"
    as_of = _as_of(kpi, window, series)
    if name == "stale":
        # A province of very many units tells their marks only where they are set (`ioc_kpi_detail`).
        stale = f"({_companion_series('stale', kpi, window, series)} or on (instance, {keys}) {as_of} * 0)"
        return _believed(_marked(stale, as_of, keys), as_of, keys=keys)
    told = _companion_series(name, kpi, window, series) if name else _value_series(kpi, window, series)
    return _believed(told, as_of, keys=keys)


def unit_names(kpi: KpiPanel, label: str) -> str:
    """One series by unit or agency, whose label `label` (name_vi, name_en) is what it is called."""
    return f"max by (province, {kpi.group_by}, {label}) (ioc_{kpi.group_by}_info)"


def companion(name: str, kpi: KpiPanel, window: str) -> str:
    """`ioc_kpi_<name>` beside the figure: numerator, denominator, as_of_timestamp_seconds, stale, manual."""
    return _believed(_companion_series(name, kpi, window), _as_of(kpi, window))


_KEYS = "kpi, province, window"
_ALL_AS_OF = f"ioc_kpi_as_of_timestamp_seconds{{{_TOTAL}}}"

FIGURES_BEHIND = f"count by (instance) ({_outdated(_ALL_AS_OF, _KEYS)})"
"""How many figures an exporter tells that another one tells newer: a `figures` role that was cut off."""


def companion_of_all(name: str) -> str:
    """`ioc_kpi_<name>` of all KPIs and windows: one series per `kpi`, `province`, `window`."""
    return _believed(f"ioc_kpi_{name}{{{_TOTAL}}}", _ALL_AS_OF, keys=_KEYS)


def recorded_value(kpi: KpiPanel) -> str:
    """What `RECORDED_VALUE` records of one KPI: the believed figure of every window."""
    as_of = f'ioc_kpi_as_of_timestamp_seconds{{kpi="{kpi.id}",{_TOTAL}}}'
    return _believed(f"{kpi.metric}{{{_TOTAL}}}", as_of, keys="province, window")


def recorded_stale() -> str:
    """What `RECORDED_STALE` records of all KPIs."""
    return _believed(_marked(f"ioc_kpi_stale{{{_TOTAL}}}", _ALL_AS_OF, _KEYS), _ALL_AS_OF, keys=_KEYS)


def target_of(kpi: KpiPanel) -> str:
    """The target in force, as the exporter tells it."""
    return f'max by (kpi) (ioc_kpi_target{{kpi="{kpi.id}"}})'


def breach(kpi: KpiPanel) -> str | None:
    """When the current figure of the main window misses the target in force with enough cases.

    None where that can't be said (no target, a band, a count that is to grow until its period ends) or calls nobody.
    """
    window = kpi.windows[0]
    cases = [f"{_companion_series('denominator', kpi, window)} >= {kpi.min_cases:g}"] if kpi.has_cases else []
    value = _current(*_figure(kpi, window), *cases)
    missed = [
        in_force(f"{value} {_MISSES[target.direction]} {_number(target.value)}", target)
        for target in kpi.targets
        if target.value is not None and target.alerts and kpi.can_miss(target)
    ]
    return " or ".join(missed) or None


def _number(number: float) -> str:
    """All digits of a target: `:g` writes 3077961 as 3.07796e+06."""
    return str(int(number)) if number == int(number) else repr(number)
