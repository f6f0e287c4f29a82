"""The board's panels of the KPIs: the big figure, what it is made of, its parts by dimension, its course, the table."""

from collections.abc import Sequence
from itertools import groupby

from grafana_foundation_sdk.builders import bargauge, dashboard, stat, table, timeseries
from grafana_foundation_sdk.models import common, units
from grafana_foundation_sdk.models import dashboard as models

from ioc.wall import grafana, promql
from ioc.wall.grafana import BAD, GOOD, PLAIN, STALE, mapping, query, thresholds
from ioc.wall.names import amount_text, grafana_unit, window_name
from ioc.wall.panels import KpiPanel, Language
from ioc.wall.texts import BoardTexts

__all__ = ["by_dim", "figures_table", "strip", "tile", "trends"]


def _target_thresholds(kpi: KpiPanel) -> dashboard.ThresholdsConfig:
    if kpi.target is None or kpi.direction == "within_band":
        return thresholds([(None, PLAIN)])
    if kpi.direction == "higher_is_better":  # what grows until its period ends is not bad before
        return thresholds([(None, PLAIN if kpi.accumulates else BAD), (kpi.target, GOOD)])
    return thresholds([(None, GOOD), (kpi.target + max(grafana.ABOVE, kpi.target * grafana.ABOVE), BAD)])


def _stale_mapping(texts: BoardTexts) -> models.ValueMap:
    return mapping({"0": (texts.fresh, GOOD), "1": (texts.stale, STALE)})


def _manual_mapping(texts: BoardTexts) -> models.ValueMap:
    return mapping({"0": (texts.automatic, None), "1": (texts.manual, STALE)})


def _decimals(kpi: KpiPanel) -> int:
    return 0 if kpi.form == "number" else 1


def _target_text(kpi: KpiPanel, texts: BoardTexts, language: Language) -> str:
    if kpi.target is None:
        return texts.no_target
    sign = {"higher_is_better": "≥", "lower_is_better": "≤", "within_band": "≈"}[kpi.direction]
    return f"{sign} {amount_text(kpi, kpi.target, language)}"


def _caption(kpi: KpiPanel, texts: BoardTexts, language: Language) -> str:
    quantile = "p95 · " if kpi.form == "p95" else ""
    window = window_name(kpi.windows[0], language)
    return f"{quantile}{window} · {texts.target.lower()} {_target_text(kpi, texts, language)}"


def tile(kpi: KpiPanel, texts: BoardTexts, language: Language) -> stat.Panel:
    """The big figure: in its target's colour while it is current, amber and named STALE when it is not."""
    window = kpi.windows[0]
    caption = _caption(kpi, texts, language)
    description = f"`{kpi.id}` · {texts.window.lower()}: {', '.join(window_name(w, language) for w in kpi.windows)}"
    return (
        grafana.stat_panel(f"kpi:{kpi.id}:value", kpi.name(language), description, texts)
        .unit(grafana_unit(kpi, language))
        .decimals(_decimals(kpi))
        .thresholds(_target_thresholds(kpi))
        .color_mode(common.BigValueColorMode.BACKGROUND)
        .with_target(query(promql.fresh_value(kpi, window), caption, "fresh", instant=True))
        .with_target(query(promql.stale_value(kpi, window), f"{texts.stale} · {caption}", "stale", instant=True))
        .override_by_query("stale", [grafana.fixed(STALE)])
    )


def strip(kpi: KpiPanel, texts: BoardTexts, language: Language) -> stat.Panel:
    """Under the figure: what it is made of, as-of and state, so that nobody has to trust a bare percentage."""
    window = kpi.windows[0]
    description = f"`{kpi.id}` · {texts.details}"
    panel = (
        grafana.stat_panel(f"kpi:{kpi.id}:details", "", description, texts)
        .decimals(0)
        .thresholds(thresholds([(None, PLAIN)]))
        .color_mode(common.BigValueColorMode.NONE)
        .orientation(common.VizOrientation.VERTICAL)
        .transparent(True)
    )
    columns = []
    if kpi.has_numerator:
        columns.append(("numerator", texts.numerator))
    if kpi.has_cases:  # a count has no denominator
        columns.append(("denominator", texts.denominator if kpi.has_numerator else texts.samples))
    for name, legend in columns:
        panel.with_target(query(promql.companion(name, kpi, window), legend, name, instant=True))
    as_of = f"{promql.companion('as_of_timestamp_seconds', kpi, window)} * 1000"  # Grafana counts milliseconds
    panel.with_target(query(as_of, texts.as_of, "as_of", instant=True))
    panel.with_target(query(promql.companion("stale", kpi, window), texts.state, "state", instant=True))
    panel.override_by_query("as_of", [models.DynamicConfigValue(id_val="unit", value=units.DateTimeFromNow)])
    panel.override_by_query("state", [models.DynamicConfigValue(id_val="mappings", value=[_stale_mapping(texts)])])
    if kpi.may_be_manual:
        panel.with_target(query(promql.companion("manual", kpi, window), texts.source, "source", instant=True))
        words = models.DynamicConfigValue(id_val="mappings", value=[_manual_mapping(texts)])
        panel.override_by_query("source", [words])
    return panel


def by_dim(kpi: KpiPanel, texts: BoardTexts, language: Language) -> bargauge.Panel:
    """A bar for each source, operator or the like beside the total: in the target's colour, or amber where stale."""
    window = kpi.windows[0]
    fresh, stale = (promql.value_by_dim(kpi, window, is_stale=is_stale) for is_stale in (False, True))
    panel = (
        bargauge.Panel()
        .id(grafana.panel_id(f"kpi:{kpi.id}:dims"))
        .title(f"{kpi.name(language)}: {texts.by_dim}")
        .description(f"{texts.by_dim_help} `{kpi.id}` · {_caption(kpi, texts, language)}")
        .datasource(grafana.DATASOURCE)
        .no_value(texts.no_data)
        .unit(grafana_unit(kpi, language))
        .decimals(_decimals(kpi))
        .min(0)
        .orientation(common.VizOrientation.HORIZONTAL)
        .display_mode(common.BarGaugeDisplayMode.BASIC)
        .reduce_options(grafana.last())
        .thresholds(_target_thresholds(kpi))
        .with_target(query(fresh, "{{dim}}", "fresh", instant=True))
        .with_target(query(stale, f"{texts.stale} · {{{{dim}}}}", "stale", instant=True))
        .override_by_query("stale", [grafana.fixed(STALE)])
    )
    return panel.max(1) if kpi.unit == "ratio" else panel


def trends(key: str, kpis: Sequence[KpiPanel], texts: BoardTexts, language: Language) -> list[timeseries.Panel]:
    """The course of these KPIs in their main windows: a panel of the ratios, one of the durations. A figure of another
    unit has none: a count beside a count of something else tells nothing."""
    drawn = [kpi for kpi in kpis if kpi.unit in ("ratio", "seconds")]
    found = []
    for unit, members in groupby(sorted(drawn, key=lambda kpi: kpi.unit), key=lambda kpi: kpi.unit):
        together = list(members)
        panel = grafana.lines(
            f"{key}:trend:{unit}", texts.trend, texts.trend_help, grafana_unit(together[0], language), texts
        ).min(0)
        if unit == "ratio":
            panel.max(1)
        for kpi in together:
            recorded = f'{promql.RECORDED_VALUE}{{kpi="{kpi.id}",window="{kpi.windows[0]}"}}'
            panel.with_target(query(f"max by (kpi, province) ({recorded})", kpi.name(language), kpi.id))
        found.append(panel)
    return found


# ---- the table of all figures ----------------------------------------------------------------------------------------


def figures_table(kpis: Sequence[KpiPanel], texts: BoardTexts, language: Language) -> table.Panel:
    """Every figure in every window, one line each. Values stand in one column for each way of writing them."""
    panel = grafana.table_panel("kpi:all", texts.all_figures, texts.all_figures_help, texts)
    renamed = {"kpi": texts.indicator, "window": texts.window}
    for ref, title, expr, unit in [*_value_columns(kpis, texts, language), *_companion_columns(texts)]:
        panel.with_target(query(expr, "", ref, instant=True, as_table=True))
        renamed[f"Value #{ref}"] = title
        panel.override_by_name(title, [models.DynamicConfigValue(id_val="unit", value=unit)])
    panel.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(grafana.organized(renamed, hidden=("Time", "province")))
    names = mapping({kpi.id: (kpi.name(language), None) for kpi in kpis})
    windows = mapping({w: (window_name(w, language), None) for kpi in kpis for w in kpi.windows})
    for title, words in (
        (texts.indicator, names),
        (texts.window, windows),
        (texts.state, _stale_mapping(texts)),
        (texts.source, _manual_mapping(texts)),
    ):
        panel.override_by_name(title, [models.DynamicConfigValue(id_val="mappings", value=[words])])
    return panel


_Column = tuple[str, str, str, str]
"""ref, title, expression, unit"""

_SIGNS = {units.PercentUnit: "%", units.Seconds: "s", units.BitsPerSecondSI: "bit/s", units.Meter: "m"}


def _value_columns(kpis: Sequence[KpiPanel], texts: BoardTexts, language: Language) -> list[_Column]:
    def way(kpi: KpiPanel) -> str:
        unit = grafana_unit(kpi, language)
        return unit if unit in _SIGNS else units.NoUnit

    columns = []
    for unit, members in groupby(sorted(kpis, key=lambda kpi: (way(kpi), kpi.id)), key=way):
        recorded = f'{promql.RECORDED_VALUE}{{kpi=~"{"|".join(kpi.id for kpi in members)}"}}'
        title = f"{texts.value} ({_SIGNS[unit]})" if unit in _SIGNS else texts.value
        columns.append((f"value_{unit}", title, f"max by (kpi, province, window) ({recorded})", unit))
    return columns


def _companion_columns(texts: BoardTexts) -> list[_Column]:
    companions = (
        ("numerator", texts.numerator, "", units.NoUnit),
        ("denominator", texts.denominator, "", units.NoUnit),
        ("as_of_timestamp_seconds", texts.as_of, " * 1000", units.DateTimeFromNow),
        ("stale", texts.state, "", units.NoUnit),
        ("manual", texts.source, "", units.NoUnit),
    )
    return [(name, title, promql.companion_of_all(name) + scale, unit) for name, title, scale, unit in companions]
