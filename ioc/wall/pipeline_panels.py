"""The board's panels about the product itself: what fires, which services run, what flows."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import dashboard, table
from grafana_foundation_sdk.models import common, units
from grafana_foundation_sdk.models import dashboard as models

from ioc.wall import grafana, promql
from ioc.wall.alerts import KPI_MISSED, PIPELINE_ALERTS
from ioc.wall.grafana import at, mapping, query, thresholds
from ioc.wall.panels import KpiPanel, Language
from ioc.wall.texts import BoardTexts

__all__ = ["add_pipeline", "alerts_table"]


def alerts_table(kpis: Sequence[KpiPanel], texts: BoardTexts, language: Language) -> table.Panel:
    """What fires now. The watchdog's line is always there: an empty table means that the rules do not run."""
    firing = 'max by (severity, alertname, kpi, topic, camera, job) (ALERTS{alertstate="firing",alertname=~"Ioc.+"})'
    panel = grafana.table_panel("pipeline:alerts", texts.alerts_firing, texts.alerts_firing_help, texts).no_value(
        texts.no_alerts
    )
    panel.with_target(query(firing, "", "alerts", instant=True, as_table=True))
    renamed = {"severity": texts.state, "alertname": texts.alerts_firing, "kpi": texts.indicator}
    renamed |= {"topic": "Kafka", "camera": "Camera", "job": texts.service}
    panel.with_transformation(grafana.organized(renamed, hidden=("Time", "Value", "Value #alerts")))
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
        (texts.indicator, mapping({kpi.id: (kpi.name(language), None) for kpi in kpis})),
        (texts.state, mapping(severities)),
    ):
        panel.override_by_name(title, [models.DynamicConfigValue(id_val="mappings", value=[shown])])
    return panel


def add_pipeline(board: dashboard.Dashboard, texts: BoardTexts, y: int) -> None:
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
    board.with_panel(services.grid_pos(at(0, y, 12, 5)))
    board.with_panel(balance.grid_pos(at(12, y, 12, 5)))
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
        panel = grafana.lines(f"pipeline:{key}", title, description, unit, texts).with_target(query(expr, legend, key))
        board.with_panel(panel.grid_pos(at(index % 3 * 8, y + 5 + index // 3 * 8, 8, 8)))
