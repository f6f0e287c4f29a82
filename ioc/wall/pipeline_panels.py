"""The panels about the product itself: what fires, which services run, what flows, how old the figures are."""

from grafana_foundation_sdk.builders import dashboard, stat, table, timeseries
from grafana_foundation_sdk.models import common, units
from grafana_foundation_sdk.models import dashboard as models

from ioc.wall import grafana, promql
from ioc.wall.alerts import KPI_MISSED, PIPELINE_ALERTS
from ioc.wall.grafana import Placed, flow, mapping, query, thresholds
from ioc.wall.panels import Language, Wall
from ioc.wall.texts import BoardTexts

__all__ = ["add_pipeline", "alerts_table", "figures_age"]


_SHOWN = "severity, alertname, kpi, topic, camera, source, publisher, job, runbook"


def alerts_table(wall: Wall, texts: BoardTexts, language: Language) -> table.Panel:
    """What fires now, each with its page. The watchdog's line is always there: an empty table means that the rules do
    not run."""
    firing = f'max by ({_SHOWN}) (ALERTS{{alertstate="firing",alertname=~"Ioc.+"}})'
    panel = grafana.table_panel("pipeline:alerts", texts.alerts_firing, texts.alerts_firing_help, texts).no_value(
        texts.no_alerts
    )
    panel.with_target(query(firing, "", "alerts", instant=True, as_table=True))
    renamed = {"severity": texts.state, "alertname": texts.alerts_firing, "kpi": texts.indicator}
    renamed |= {"topic": "Kafka", "camera": "Camera", "source": texts.source, "publisher": texts.publisher}
    renamed |= {"job": texts.service, "runbook": texts.runbook}
    panel.with_transformation(grafana.organized(renamed, hidden=("Time", "Value", "Value #alerts")))
    address = wall.link(f"/runbooks/${{__value.raw}}{'?lang=en' if language == 'en' else ''}")
    link = {"title": texts.runbook, "url": address, "targetBlank": True}
    panel.override_by_name(texts.runbook, [models.DynamicConfigValue(id_val="links", value=[link])])
    words = {
        name.alert: (name.name_vi if language == "vi" else name.name_en, None)
        for name in (KPI_MISSED, *PIPELINE_ALERTS)
    }
    severities = {
        "critical": ("critical", grafana.BAD),
        "warning": ("warning", grafana.STALE),
        "none": ("ok", grafana.GOOD),
    }
    for title, shown in (
        (texts.alerts_firing, mapping(words)),
        (texts.indicator, mapping({kpi.id: (kpi.name(language), None) for kpi in wall.kpis})),
        (texts.state, mapping(severities)),
    ):
        panel.override_by_name(title, [models.DynamicConfigValue(id_val="mappings", value=[shown])])
    return panel


def add_pipeline(board: dashboard.Dashboard, wall: Wall, texts: BoardTexts, language: Language, y: int) -> int:
    """Adds the panels from line `y`; returns the first free line."""
    y = flow(board, [Placed(alerts_table(wall, texts, language), 24, 8)], y)
    y = flow(board, [Placed(panel, 8, 5) for panel in (*figures_age(wall, texts), _zombies(texts))], y)
    y = _add_flow(board, texts, y)
    return _add_gateway(board, wall, texts, y)


def figures_age(wall: Wall, texts: BoardTexts) -> tuple[stat.Panel, stat.Panel]:
    """How old the province's figures are, and how many of them are marked as old."""
    as_of = promql.companion_of_all("as_of_timestamp_seconds")
    age = (
        grafana.stat_panel("pipeline:age", texts.figures_age, texts.figures_age_help, texts)
        .unit(units.Seconds)
        .thresholds(thresholds([(None, grafana.PLAIN)]))
        .color_mode(common.BigValueColorMode.NONE)
        .with_target(query(f"min(time() - {as_of})", texts.newest, "newest", instant=True))
        .with_target(query(f"max(time() - {as_of})", texts.oldest, "oldest", instant=True))
    )
    windows = sorted({kpi.windows[0] for kpi in wall.kpis})
    main = " or ".join(
        f'{promql.RECORDED_STALE}{{window="{window}",kpi=~"{_ids(wall, window)}"}}' for window in windows
    )
    stale = (
        grafana.stat_panel("pipeline:stale", texts.stale_count, texts.stale_count_help, texts)
        .thresholds(thresholds([(None, grafana.GOOD), (1, grafana.STALE)]))
        .color_mode(common.BigValueColorMode.VALUE)
        .with_target(query(f"sum({main})", texts.stale, "stale", instant=True))
        .with_target(query(f"count({main})", texts.of, "all", instant=True))
        .override_by_query("all", [grafana.fixed(grafana.PLAIN)])
    )
    return age, stale


def _ids(wall: Wall, window: str) -> str:
    return "|".join(kpi.id for kpi in wall.kpis if kpi.windows[0] == window)


def _zombies(texts: BoardTexts) -> stat.Panel:
    return (
        grafana.stat_panel("pipeline:zombies", texts.zombies, texts.zombies_help, texts)
        .no_value(texts.no_zombies)
        .thresholds(thresholds([(None, grafana.BAD)]))
        .color_mode(common.BigValueColorMode.BACKGROUND)
        .with_target(query(promql.FIGURES_BEHIND, "{{instance}}", "behind", instant=True))
    )


def _add_flow(board: dashboard.Dashboard, texts: BoardTexts, y: int) -> int:
    services = (
        grafana.stat_panel("pipeline:up", texts.services_up, texts.services_up_help, texts)
        .mappings([mapping({"0": (texts.down, grafana.BAD), "1": (texts.up, grafana.GOOD)})])
        .thresholds(thresholds([(None, grafana.BAD), (1, grafana.GOOD)]))
        .color_mode(common.BigValueColorMode.BACKGROUND)
        .with_target(query('min by (job, instance) (up{job=~"ioc-.+"})', "{{job}} {{instance}}", "up", instant=True))
    )
    balance = (
        grafana.stat_panel("pipeline:balance", texts.balance, texts.balance_help, texts)
        .mappings([mapping({"0": (texts.balanced, grafana.GOOD)})])
        .thresholds(thresholds([(None, grafana.BAD), (0, grafana.GOOD), (grafana.ABOVE, grafana.BAD)]))
        .color_mode(common.BigValueColorMode.BACKGROUND)
        .with_target(query(promql.EVENTS_UNACCOUNTED, "{{topic}}", "unaccounted", instant=True))
    )
    y = flow(board, [Placed(services, 12, 5), Placed(balance, 12, 5)], y)
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
    return flow(board, [Placed(_chart("pipeline", chart, texts), 8, 8) for chart in charts], y)


_Chart = tuple[str, str, str, str, str, str]
"""key, title, description, unit, expression, legend"""


def _chart(prefix: str, chart: _Chart, texts: BoardTexts) -> timeseries.Panel:
    key, title, description, unit, expr, legend = chart
    return grafana.lines(f"{prefix}:{key}", title, description, unit, texts).with_target(query(expr, legend, key))


def _add_gateway(board: dashboard.Dashboard, wall: Wall, texts: BoardTexts, y: int) -> int:
    per_second = "sum by ({}) (rate({}[$__rate_interval]))"
    charts = (
        ("events", texts.gateway_events, texts.gateway_events_help, units.EventsPerSecond,
         per_second.format("publisher, outcome", "ioc_gateway_events_total"), "{{publisher}} {{outcome}}"),
        ("requests", texts.gateway_requests, texts.gateway_requests_help, units.RequestsPerSecond,
         per_second.format("status", "ioc_gateway_requests_total"), "{{status}}"),
        ("p95", texts.gateway_p95, texts.gateway_p95_help, units.Seconds,
         "histogram_quantile(0.95, sum by (le, door) (rate(ioc_gateway_request_seconds_bucket[$__rate_interval])))",
         "{{door}}"),
    )  # fmt: skip
    held = (
        grafana.stat_panel("gateway:held", texts.gateway_held, texts.gateway_held_help, texts)
        .thresholds(thresholds([(None, grafana.PLAIN)]))
        .color_mode(common.BigValueColorMode.NONE)
        .with_target(query("sum(ioc_gateway_held_bytes)", texts.gateway_held, "held", instant=True))
        .override_by_query("held", [models.DynamicConfigValue(id_val="unit", value=units.BytesIEC)])
        .with_target(query("sum(ioc_gateway_dead_letters_dropped_total)", texts.dropped, "dropped", instant=True))
    )
    return flow(board, [*(Placed(_chart("gateway", chart, texts), 8, 8) for chart in charts), Placed(held, 8, 5)], y)
