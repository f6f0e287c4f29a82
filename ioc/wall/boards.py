"""Grafana boards from KPI definitions: one per language, the same bytes for the same definitions.

Every figure is asked for as an *instant* query. Over a range, Grafana would show the last value that was ever there,
so that a dead exporter's figure would stand on the wall for hours looking alive.
"""

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common, units
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import prometheus as prometheus_models

from ioc.wall import promql
from ioc.wall.alerts import KPI_MISSED, PIPELINE_ALERTS
from ioc.wall.panels import KpiPanel, Language, checked
from ioc.wall.texts import TEXTS, BoardTexts, window_name

__all__ = ["DATASOURCE_UID", "board_uid", "build_board"]

DATASOURCE_UID: Final = "ioc-prometheus"
_DATASOURCE = models.DataSourceRef(type_val="prometheus", uid=DATASOURCE_UID)

# Okabe and Ito's colours, told apart with every kind of colour blindness; never red against green.
_GOOD, _BAD, _PLAIN, _STALE = "#0072B2", "#D55E00", "#5B5B66", "#E69F00"

_TILES_PER_ROW: Final = 4
_TILE_W, _TILE_H, _STRIP_H = 24 // _TILES_PER_ROW, 5, 3

# A threshold counts from its value upwards; "not more than the target" must leave the target itself good.
_ABOVE: Final = 1e-9


def board_uid(language: Language) -> str:
    return f"ioc-province-{language}"


def build_board(kpis: Sequence[KpiPanel], *, language: Language) -> dict[str, object]:
    """Returns the province board in `language` as Grafana's JSON: KPI tiles, all figures, trend, alerts, pipeline.

    Raises:
        ConfigurationError: a KPI is used twice, or has no window.
    """
    kpis = checked(kpis)
    texts = TEXTS[language]
    other: Language = "en" if language == "vi" else "vi"
    board = (
        dashboard.Dashboard(texts.board_title)
        .uid(board_uid(language))
        .description(texts.board_description)
        .tags(["ioc", language])
        .timezone("Asia/Ho_Chi_Minh")
        .week_start("monday")
        .readonly()
        .refresh("5s")
        .time("now-6h", "now")
        .link(
            dashboard.DashboardLink(texts.other_language)
            .type(models.DashboardLinkType.LINK)
            .url(f"/d/{board_uid(other)}")
        )
    )
    y = 0
    board.with_row(_row("kpis", texts.kpi_row, y))
    y += 1
    for index, kpi in enumerate(kpis):
        x, tile_y = index % _TILES_PER_ROW * _TILE_W, y + index // _TILES_PER_ROW * (_TILE_H + _STRIP_H)
        board.with_panel(_tile(kpi, texts, language).grid_pos(_at(x, tile_y, _TILE_W, _TILE_H)))
        board.with_panel(_strip(kpi, texts, language).grid_pos(_at(x, tile_y + _TILE_H, _TILE_W, _STRIP_H)))
    y += -(-len(kpis) // _TILES_PER_ROW) * (_TILE_H + _STRIP_H)
    board.with_panel(_figures_table(kpis, texts, language).grid_pos(_at(0, y, 14, 11)))
    board.with_panel(_trend(kpis, texts, language).grid_pos(_at(14, y, 10, 11)))
    y += 11
    board.with_row(_row("pipeline", texts.pipeline_row, y))
    _add_pipeline(board, kpis, texts, language, y + 1)
    loaded: dict[str, object] = json.loads(json.dumps(board.build(), cls=JSONEncoder))
    return loaded


def _at(x: int, y: int, w: int, h: int) -> models.GridPos:
    return models.GridPos(x=x, y=y, w=w, h=h)


def _panel_id(key: str) -> int:
    """A number that stays with the panel when others come and go, so that links to it live on."""
    return zlib.crc32(key.encode()) & 0x7FFFFFFF


def _row(key: str, title: str, y: int) -> dashboard.Row:
    return dashboard.Row(title).id(_panel_id(f"row:{key}")).grid_pos(_at(0, y, 24, 1))


def _query(expr: str, legend: str, ref: str, *, instant: bool = False, as_table: bool = False) -> prometheus.Dataquery:
    query = prometheus.Dataquery().datasource(_DATASOURCE).expr(expr).legend_format(legend).ref_id(ref)
    query = query.editor_mode(prometheus_models.QueryEditorMode.CODE)
    query = query.instant() if instant else query.range()
    kind = prometheus_models.PromQueryFormat.TABLE if as_table else prometheus_models.PromQueryFormat.TIME_SERIES
    return query.format(kind)


def _thresholds(steps: Iterable[tuple[float | None, str]]) -> dashboard.ThresholdsConfig:
    return (
        dashboard.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value=value, color=color) for value, color in steps])
    )


def _target_thresholds(kpi: KpiPanel) -> dashboard.ThresholdsConfig:
    if kpi.target is None or kpi.direction == "within_band":
        return _thresholds([(None, _PLAIN)])
    if kpi.direction == "higher_is_better":
        return _thresholds([(None, _BAD), (kpi.target, _GOOD)])
    return _thresholds([(None, _GOOD), (kpi.target + _ABOVE, _BAD)])


def _mapping(words: Mapping[str, tuple[str, str | None]]) -> models.ValueMap:
    return models.ValueMap(
        options={
            value: models.ValueMappingResult(text=text, color=color, index=index)
            for index, (value, (text, color)) in enumerate(words.items())
        }
    )


def _stale_mapping(texts: BoardTexts) -> models.ValueMap:
    return _mapping({"0": (texts.fresh, _GOOD), "1": (texts.stale, _STALE)})


def _unit(kpi: KpiPanel) -> str:
    if kpi.is_ratio:
        return units.PercentUnit
    return units.Seconds if kpi.unit == "seconds" else units.NoUnit


def _target_text(kpi: KpiPanel, texts: BoardTexts, language: Language) -> str:
    if kpi.target is None:
        return texts.no_target
    number = f"{kpi.target * 100:g} %" if kpi.is_ratio else f"{kpi.target:g}"
    sign = {"higher_is_better": "≥", "lower_is_better": "≤", "within_band": "≈"}[kpi.direction]
    return f"{sign} {number.replace('.', ',') if language == 'vi' else number}"


def _fixed(color: str) -> models.DynamicConfigValue:
    return models.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": color})


def _last() -> common_builders.ReduceDataOptions:
    return common_builders.ReduceDataOptions().calcs(["lastNotNull"])


def _stat(key: str, title: str, description: str, texts: BoardTexts) -> stat.Panel:
    return (
        stat.Panel()
        .id(_panel_id(key))
        .title(title)
        .description(description)
        .datasource(_DATASOURCE)
        .no_value(texts.no_data)
        .graph_mode(common.BigValueGraphMode.NONE)
        .text_mode(common.BigValueTextMode.VALUE_AND_NAME)
        .justify_mode(common.BigValueJustifyMode.CENTER)
        .reduce_options(_last())
    )


def _tile(kpi: KpiPanel, texts: BoardTexts, language: Language) -> stat.Panel:
    """The big figure: in its target's colour while it is current, amber and named STALE when it is not."""
    window = kpi.windows[0]
    caption = f"{window_name(window, language)} · {texts.target.lower()} {_target_text(kpi, texts, language)}"
    description = f"`{kpi.id}` · {texts.window.lower()}: {', '.join(window_name(w, language) for w in kpi.windows)}"
    return (
        _stat(f"kpi:{kpi.id}:value", kpi.name(language), description, texts)
        .unit(_unit(kpi))
        .decimals(1 if kpi.is_ratio else 0)
        .thresholds(_target_thresholds(kpi))
        .color_mode(common.BigValueColorMode.BACKGROUND)
        .with_target(_query(promql.fresh_value(kpi, window), caption, "fresh", instant=True))
        .with_target(_query(promql.stale_value(kpi, window), f"{texts.stale} · {caption}", "stale", instant=True))
        .override_by_query("stale", [_fixed(_STALE)])
    )


def _strip(kpi: KpiPanel, texts: BoardTexts, language: Language) -> stat.Panel:
    """Under the figure: numerator, denominator, as-of and state, so that nobody has to trust a bare percentage."""
    window = kpi.windows[0]
    panel = (
        _stat(f"kpi:{kpi.id}:provenance", "", f"{kpi.name(language)}: {texts.details}", texts)
        .unit(units.NoUnit)
        .decimals(0)
        .thresholds(_thresholds([(None, _PLAIN)]))
        .color_mode(common.BigValueColorMode.NONE)
        .orientation(common.VizOrientation.VERTICAL)
        .transparent(True)
    )
    columns = [("numerator", texts.numerator)]
    if kpi.is_ratio:  # a count has no denominator
        columns.append(("denominator", texts.denominator))
    for name, legend in columns:
        panel.with_target(_query(promql.companion(name, kpi, window), legend, name, instant=True))
    as_of = f"{promql.companion('as_of_timestamp_seconds', kpi, window)} * 1000"  # Grafana counts milliseconds
    return (
        panel.with_target(_query(as_of, texts.as_of, "as_of", instant=True))
        .with_target(_query(promql.companion("stale", kpi, window), texts.state, "state", instant=True))
        .override_by_query("as_of", [models.DynamicConfigValue(id_val="unit", value=units.DateTimeFromNow)])
        .override_by_query("state", [models.DynamicConfigValue(id_val="mappings", value=[_stale_mapping(texts)])])
    )


def _figures_table(kpis: Sequence[KpiPanel], texts: BoardTexts, language: Language) -> table.Panel:
    """Every figure in every window, one line each."""
    ratios = [kpi.id for kpi in kpis if kpi.is_ratio]
    counts = [kpi.id for kpi in kpis if not kpi.is_ratio]
    columns: list[tuple[str, str, str, str]] = []  # ref, title, expression, unit
    values: tuple[tuple[str, list[str], str, str], ...] = (
        ("ratio", ratios, f"{texts.value} (%)", units.PercentUnit),
        ("count", counts, texts.value, units.NoUnit),
    )
    for ref, ids, title, unit in values:
        if ids:
            recorded = f'{promql.RECORDED_VALUE}{{kpi=~"{"|".join(ids)}"}}'
            columns.append((ref, title, f"max by (kpi, province, window) ({recorded})", unit))
    companions: tuple[tuple[str, str, str, str], ...] = (
        ("numerator", texts.numerator, "", units.NoUnit),
        ("denominator", texts.denominator, "", units.NoUnit),
        ("as_of_timestamp_seconds", texts.as_of, " * 1000", units.DateTimeFromNow),
        ("stale", texts.state, "", units.NoUnit),
        ("manual", texts.source, "", units.NoUnit),
    )
    for name, title, scale, unit in companions:
        columns.append((name, title, promql.companion_of_all(name, kpis) + scale, unit))
    panel = _table("kpi:all", texts.all_figures, texts.all_figures_help, texts)
    renamed = {"kpi": texts.indicator, "window": texts.window}
    for ref, title, expr, unit in columns:
        panel.with_target(_query(expr, "", ref, instant=True, as_table=True))
        renamed[f"Value #{ref}"] = title
        panel.override_by_name(title, [models.DynamicConfigValue(id_val="unit", value=unit)])
    panel.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(_organized(renamed, hidden=("Time", "province")))
    names = _mapping({kpi.id: (kpi.name(language), None) for kpi in kpis})
    windows = _mapping({w: (window_name(w, language), None) for kpi in kpis for w in kpi.windows})
    manual = _mapping({"0": (texts.automatic, None), "1": (texts.manual, _STALE)})
    for title, mapping in (
        (texts.indicator, names),
        (texts.window, windows),
        (texts.state, _stale_mapping(texts)),
        (texts.source, manual),
    ):
        panel.override_by_name(title, [models.DynamicConfigValue(id_val="mappings", value=[mapping])])
    return panel


def _table(key: str, title: str, description: str, texts: BoardTexts) -> table.Panel:
    return (
        table.Panel()
        .id(_panel_id(key))
        .title(title)
        .description(description)
        .datasource(_DATASOURCE)
        .no_value(texts.no_data)
        .thresholds(_thresholds([(None, _PLAIN)]))
    )


def _organized(renamed: Mapping[str, str], *, hidden: Sequence[str]) -> models.DataTransformerConfig:
    return models.DataTransformerConfig(
        id_val="organize",
        options={
            "excludeByName": dict.fromkeys(hidden, True),
            "indexByName": {name: index for index, name in enumerate(renamed)},
            "renameByName": dict(renamed),
        },
    )


def _lines(key: str, title: str, description: str, unit: str, texts: BoardTexts) -> timeseries.Panel:
    return (
        timeseries.Panel()
        .id(_panel_id(key))
        .title(title)
        .description(description)
        .datasource(_DATASOURCE)
        .no_value(texts.no_data)
        .unit(unit)
        .line_width(2)
        .span_nulls(False)  # a gap is a fact
        .legend(
            common_builders.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
    )


def _trend(kpis: Sequence[KpiPanel], texts: BoardTexts, language: Language) -> timeseries.Panel:
    panel = _lines("kpi:trend", texts.trend, texts.trend_help, units.PercentUnit, texts).min(0).max(1)
    for kpi in kpis:
        if kpi.is_ratio:
            recorded = f'{promql.RECORDED_VALUE}{{kpi="{kpi.id}",window="{kpi.windows[0]}"}}'
            panel.with_target(_query(f"max by (kpi, province) ({recorded})", kpi.name(language), kpi.id))
    return panel


def _alerts_table(kpis: Sequence[KpiPanel], texts: BoardTexts, language: Language) -> table.Panel:
    """What fires now. The watchdog's line is always there: an empty table means that the rules do not run."""
    firing = 'max by (severity, alertname, kpi, topic, camera, job) (ALERTS{alertstate="firing",alertname=~"Ioc.+"})'
    panel = _table("pipeline:alerts", texts.alerts_firing, texts.alerts_firing_help, texts).no_value(texts.no_alerts)
    panel.with_target(_query(firing, "", "alerts", instant=True, as_table=True))
    renamed = {"severity": texts.state, "alertname": texts.alerts_firing, "kpi": texts.indicator}
    renamed |= {"topic": "Kafka", "camera": "Camera", "job": texts.service}
    panel.with_transformation(_organized(renamed, hidden=("Time", "Value", "Value #alerts")))
    words = {
        name.alert: (name.name_vi if language == "vi" else name.name_en, None)
        for name in (KPI_MISSED, *PIPELINE_ALERTS)
    }
    severities = {"critical": ("critical", _BAD), "warning": ("warning", _STALE), "none": ("ok", _GOOD)}
    for title, mapping in (
        (texts.alerts_firing, _mapping(words)),
        (texts.indicator, _mapping({kpi.id: (kpi.name(language), None) for kpi in kpis})),
        (texts.state, _mapping(severities)),
    ):
        panel.override_by_name(title, [models.DynamicConfigValue(id_val="mappings", value=[mapping])])
    return panel


def _add_pipeline(
    board: dashboard.Dashboard, kpis: Sequence[KpiPanel], texts: BoardTexts, language: Language, y: int
) -> None:
    services = (
        _stat("pipeline:up", texts.services_up, texts.services_up_help, texts)
        .mappings([_mapping({"0": (texts.down, _BAD), "1": (texts.up, _GOOD)})])
        .thresholds(_thresholds([(None, _BAD), (1, _GOOD)]))
        .color_mode(common.BigValueColorMode.BACKGROUND)
        .with_target(_query('min by (job, instance) (up{job=~"ioc-.+"})', "{{job}} {{instance}}", "up", instant=True))
    )
    balance = (
        _stat("pipeline:balance", texts.balance, texts.balance_help, texts)
        .mappings([_mapping({"0": (texts.balanced, _GOOD)})])
        .thresholds(_thresholds([(None, _BAD), (0, _GOOD), (_ABOVE, _BAD)]))
        .color_mode(common.BigValueColorMode.BACKGROUND)
        .with_target(_query(promql.EVENTS_UNACCOUNTED, "{{topic}}", "unaccounted", instant=True))
    )
    board.with_panel(services.grid_pos(_at(0, y, 6, 5)))
    board.with_panel(balance.grid_pos(_at(6, y, 6, 5)))
    board.with_panel(_alerts_table(kpis, texts, language).grid_pos(_at(12, y, 12, 5)))
    per_second = "sum by (outcome) (rate({}[$__rate_interval]))"
    charts = (
        ("events", texts.events_by_outcome, texts.events_by_outcome_help, units.EventsPerSecond,
         per_second.format("ioc_events_total"), "{{outcome}}"),
        ("frames", texts.frames_by_outcome, texts.frames_by_outcome_help, units.CountsPerSecond,
         per_second.format("ioc_frames_total"), "{{outcome}}"),
        ("lag", texts.lag, texts.lag_help, units.Short,
         "sum by (topic) (ioc_consumer_lag_records)", "{{topic}}"),
        ("detections", texts.detections, texts.detections_help, units.Short,
         "sum by (detector) (rate(ioc_detections_total[$__rate_interval])) * 60", "{{detector}}"),
        ("incidents", texts.incidents, texts.incidents_help, units.Short,
         "sum by (kind, state) (ioc_incidents_total)", "{{kind}} {{state}}"),
        ("stages", texts.stage_p95, texts.stage_p95_help, units.Seconds,
         "histogram_quantile(0.95, sum by (le, stage) (rate(ioc_stage_seconds_bucket[$__rate_interval])))",
         "{{stage}}"),
    )  # fmt: skip
    for index, (key, title, description, unit, expr, legend) in enumerate(charts):
        panel = _lines(f"pipeline:{key}", title, description, unit, texts).with_target(_query(expr, legend, key))
        board.with_panel(panel.grid_pos(_at(index % 3 * 8, y + 5 + index // 3 * 8, 8, 8)))
