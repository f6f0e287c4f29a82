"""A KPI's panels: the figure, what it is made of, its course, its parts and units, and the table of all figures."""

from collections.abc import Sequence
from itertools import groupby

from grafana_foundation_sdk.builders import bargauge, dashboard, stat, table, timeseries
from grafana_foundation_sdk.models import common, units
from grafana_foundation_sdk.models import dashboard as models

from ioc.wall import grafana, promql
from ioc.wall.alerts import KPI_MISSED
from ioc.wall.grafana import BAD, GOOD, PLAIN, STALE, mapping, query, thresholds
from ioc.wall.names import amount_text, grafana_unit, window_name
from ioc.wall.panels import KpiPanel, Language, PanelTarget, Wall
from ioc.wall.texts import BoardTexts

__all__ = ["by_dim", "by_unit", "figures_table", "missed_table", "runbook", "strip", "tile", "trend"]


def _target_thresholds(kpi: KpiPanel, target: PanelTarget) -> dashboard.ThresholdsConfig:
    if target.value is None or target.direction == "within_band":
        return thresholds([(None, PLAIN)])
    if target.direction == "higher_is_better":  # what grows until its period ends is not bad before
        return thresholds([(None, PLAIN if kpi.accumulates else BAD), (target.value, GOOD)])
    return thresholds([(None, GOOD), (target.value + max(grafana.ABOVE, target.value * grafana.ABOVE), BAD)])


def _stale_mapping(texts: BoardTexts) -> models.ValueMap:
    return mapping({"0": (texts.fresh, GOOD), "1": (texts.stale, STALE)})


def _manual_mapping(texts: BoardTexts) -> models.ValueMap:
    return mapping({"0": (texts.automatic, None), "1": (texts.manual, STALE)})


def _decimals(kpi: KpiPanel) -> int:
    return 0 if kpi.form == "number" else 1


def _target_text(kpi: KpiPanel, target: PanelTarget, texts: BoardTexts, language: Language) -> str:
    if target.value is None:
        return texts.no_target
    sign = {"higher_is_better": "≥", "lower_is_better": "≤", "within_band": "≈"}[target.direction]
    return f"{sign} {amount_text(kpi, target.value, language)}"


def _caption(kpi: KpiPanel, target: PanelTarget, texts: BoardTexts, language: Language) -> str:
    quantile = "p95 · " if kpi.form == "p95" else ""
    window = window_name(kpi.windows[0], language)
    return f"{quantile}{window} · {texts.target.lower()} {_target_text(kpi, target, texts, language)}"


def _as_of_unit(kpi: KpiPanel) -> str:
    """How long ago; of a snapshot the day, since nobody expects it to move."""
    return "time:DD/MM/YYYY" if kpi.is_snapshot else units.DateTimeFromNow


def _as_of(kpi: KpiPanel) -> str:
    return f"{promql.companion('as_of_timestamp_seconds', kpi, kpi.windows[0])} * 1000"  # Grafana counts milliseconds


def runbook(wall: Wall, page: str, texts: BoardTexts, language: Language) -> dashboard.DashboardLink:
    return grafana.linked(texts.runbook, wall.link(f"/runbooks/{page}{'?lang=en' if language == 'en' else ''}"))


def tile(kpi: KpiPanel, wall: Wall, texts: BoardTexts, language: Language, *, is_alone: bool = False) -> stat.Panel:
    """The big figure: in its target's colour while it is current, amber and named STALE when it is not, and named where
    it was typed by hand. `is_alone`: no strip below it says its as-of, so it does."""
    window = kpi.windows[0]
    description = f"`{kpi.id}` · {texts.window.lower()}: {', '.join(window_name(w, language) for w in kpi.windows)}"
    panel = (
        grafana.stat_panel(f"kpi:{kpi.id}:value", kpi.name(language), description, texts)
        .unit(grafana_unit(kpi, language))
        .decimals(_decimals(kpi))
        .thresholds(_target_thresholds(kpi, kpi.targets[0]))
        .color_mode(common.BigValueColorMode.BACKGROUND)
        .links([runbook(wall, KPI_MISSED.runbook, texts, language)])
    )
    for index, target in enumerate(kpi.targets):
        caption = _caption(kpi, target, texts, language)
        end = f"_{index}" if index else ""
        shown: list[tuple[str, str, bool | None]] = [(f"fresh{end}", caption, False if kpi.may_be_manual else None)]
        if kpi.may_be_manual:
            shown.append((f"manual{end}", f"{texts.manual} · {caption}", True))
        for ref, legend, is_manual in shown:
            expr = promql.in_force(promql.fresh_value(kpi, window, is_manual=is_manual), target)
            panel.with_target(query(expr, legend, ref, instant=True))
            if index:
                steps = models.DynamicConfigValue(id_val="thresholds", value=_target_thresholds(kpi, target).build())
                panel.override_by_query(ref, [steps])
        stale = promql.in_force(promql.stale_value(kpi, window), target)
        panel.with_target(query(stale, f"{texts.stale} · {caption}", f"stale{end}", instant=True))
        panel.override_by_query(f"stale{end}", [grafana.fixed(STALE)])
    if is_alone:
        panel.with_target(query(_as_of(kpi), texts.as_of, "as_of", instant=True))
        panel.override_by_query(
            "as_of", [models.DynamicConfigValue(id_val="unit", value=_as_of_unit(kpi)), grafana.fixed(PLAIN)]
        )
    return panel


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
    panel.with_target(query(_as_of(kpi), texts.as_of, "as_of", instant=True))
    state = f'{promql.RECORDED_STALE}{{kpi="{kpi.id}",window="{window}"}}'
    panel.with_target(query(f"max by (province) ({state})", texts.state, "state", instant=True))
    panel.override_by_query("as_of", [models.DynamicConfigValue(id_val="unit", value=_as_of_unit(kpi))])
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
        .description(f"{texts.by_dim_help} `{kpi.id}` · {_caption(kpi, kpi.targets[-1], texts, language)}")
        .datasource(grafana.DATASOURCE)
        .no_value(texts.no_data)
        .unit(grafana_unit(kpi, language))
        .decimals(_decimals(kpi))
        .min(0)
        .orientation(common.VizOrientation.HORIZONTAL)
        .display_mode(common.BarGaugeDisplayMode.BASIC)
        .reduce_options(grafana.last())
        .thresholds(_lasting_thresholds(kpi))
        .with_target(query(fresh, "{{dim}}", "fresh", instant=True))
        .with_target(query(stale, f"{texts.stale} · {{{{dim}}}}", "stale", instant=True))
        .override_by_query("stale", [grafana.fixed(STALE)])
    )
    return panel.max(1) if kpi.unit == "ratio" else panel


def _lasting_thresholds(kpi: KpiPanel) -> dashboard.ThresholdsConfig:
    """Where a target changes on a day, a board that was made before must not judge by one of them alone."""
    return thresholds([(None, PLAIN)]) if len(kpi.targets) > 1 else _target_thresholds(kpi, kpi.targets[0])


def trend(kpi: KpiPanel, texts: BoardTexts, language: Language) -> timeseries.Panel | None:
    """The course of the figure in its main window beside the target in force; nothing is drawn while it was old.

    None for a snapshot: it stands still between two dates, and a line would make it look alive.
    """
    if kpi.is_snapshot:
        return None
    of = f'{{kpi="{kpi.id}",window="{kpi.windows[0]}"}}'
    drawn = (
        f"max by (kpi, province) ({promql.RECORDED_VALUE}{of} unless on (province) {promql.RECORDED_STALE}{of} == 1)"
    )
    panel = (
        grafana.lines(
            f"kpi:{kpi.id}:trend",
            f"{kpi.name(language)}: {texts.trend}",
            f"{texts.trend_help} `{kpi.id}`",
            grafana_unit(kpi, language),
            texts,
        )
        .min(0)
        .with_target(query(drawn, kpi.name(language), "value"))
    )
    if kpi.unit == "ratio":
        panel.max(1)
    if any(target.value is not None for target in kpi.targets):
        dashes = models.DynamicConfigValue(id_val="custom.lineStyle", value={"fill": "dash", "dash": [10, 10]})
        panel.with_target(query(promql.target_of(kpi), texts.target, "target"))
        panel.override_by_query("target", [dashes, grafana.fixed(STALE)])
    return panel


def by_unit(kpi: KpiPanel, texts: BoardTexts, language: Language) -> table.Panel:
    """Every unit or agency, the worst first, by name: figure, what it is made of, as-of and state."""
    window, label = kpi.windows[0], f"name_{language}"
    panel = grafana.table_panel(
        f"kpi:{kpi.id}:units",
        f"{kpi.name(language)}: {texts.by_unit}",
        f"{texts.by_unit_help} `{kpi.id}` · {_caption(kpi, kpi.targets[-1], texts, language)}",
        texts,
    )
    named = f" * on (province, {kpi.group_by}) group_left ({label}) {promql.unit_names(kpi, label)}"
    renamed = {label: texts.unit if kpi.group_by == "admin_unit" else texts.agency}
    for name, title, scale, unit in _unit_columns(kpi, texts, language):
        ref = name or "value"
        panel.with_target(
            query(promql.by_unit(kpi, window, name) + scale + named, "", ref, instant=True, as_table=True)
        )
        renamed[f"Value #{ref}"] = title
        panel.override_by_name(title, [models.DynamicConfigValue(id_val="unit", value=unit)])
    coloured = models.DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-text"})
    steps = models.DynamicConfigValue(id_val="thresholds", value=_lasting_thresholds(kpi).build())
    panel.override_by_name(texts.value, [steps, coloured])
    words = models.DynamicConfigValue(id_val="mappings", value=[_stale_mapping(texts)])
    panel.override_by_name(texts.state, [words, coloured])
    panel.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(grafana.organized(renamed, hidden=("Time", "province", kpi.group_by)))
    worst_first = {"field": texts.value, "desc": kpi.direction == "lower_is_better"}
    panel.with_transformation(models.DataTransformerConfig(id_val="sortBy", options={"sort": [worst_first]}))
    return panel


def _unit_columns(kpi: KpiPanel, texts: BoardTexts, language: Language) -> list[tuple[str, str, str, str]]:
    """companion ("": the value), title, scale, unit"""
    columns = [("", texts.value, "", grafana_unit(kpi, language))]
    if kpi.has_numerator and kpi.form != "number":
        columns.append(("numerator", texts.numerator, "", units.NoUnit))
    if kpi.has_cases:
        columns.append(("denominator", texts.denominator if kpi.has_numerator else texts.samples, "", units.NoUnit))
    columns.append(("as_of_timestamp_seconds", texts.as_of, " * 1000", _as_of_unit(kpi)))
    columns.append(("stale", texts.state, "", units.NoUnit))
    return columns


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
    _name_figures(panel, kpis, texts, language)
    for title, words in (
        (texts.state, _stale_mapping(texts)),
        (texts.source, _manual_mapping(texts)),
    ):
        panel.override_by_name(title, [models.DynamicConfigValue(id_val="mappings", value=[words])])
    return panel


def _name_figures(panel: table.Panel, kpis: Sequence[KpiPanel], texts: BoardTexts, language: Language) -> None:
    names = mapping({kpi.id: (kpi.name(language), None) for kpi in kpis})
    windows = mapping({w: (window_name(w, language), None) for kpi in kpis for w in kpi.windows})
    for title, words in ((texts.indicator, names), (texts.window, windows)):
        panel.override_by_name(title, [models.DynamicConfigValue(id_val="mappings", value=[words])])


def missed_table(kpis: Sequence[KpiPanel], texts: BoardTexts, language: Language) -> table.Panel:
    """The figures whose alert fires: what got worse, and how far it is from its target. Empty where none does."""
    panel = grafana.table_panel("kpi:missed", texts.missed, texts.missed_help, texts).no_value(texts.none_missed)
    fires = 'max by (kpi, window) (ALERTS{alertstate="firing",alertname="IocKpiTargetMissed"})'
    renamed = {"kpi": texts.indicator, "window": texts.window}
    for ref, title, expr, unit in _value_columns(kpis, texts, language):
        panel.with_target(query(f"{expr} and on (kpi, window) {fires}", "", ref, instant=True, as_table=True))
        renamed[f"Value #{ref}"] = title
        panel.override_by_name(title, [models.DynamicConfigValue(id_val="unit", value=unit)])
    panel.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(grafana.organized(renamed, hidden=("Time", "province")))
    _name_figures(panel, kpis, texts, language)
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
    return [
        (name, title, promql.RECORDED_STALE if name == "stale" else promql.companion_of_all(name) + scale, unit)
        for name, title, scale, unit in companions
    ]
