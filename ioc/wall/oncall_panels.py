"""The board of on-call: what is open, what could not be told, whether the whole chain is alive."""

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import common, units

from ioc.wall import grafana
from ioc.wall.grafana import BAD, GOOD, PLAIN, Placed, flow, linked, query, thresholds
from ioc.wall.panels import Wall
from ioc.wall.texts import BoardTexts

__all__ = ["add_oncall"]


def add_oncall(board: dashboard.Dashboard, wall: Wall, texts: BoardTexts, y: int) -> int:
    """Adds the panels from line `y`; returns the first free line."""
    inbox = (
        grafana.stat_panel("oncall:incidents", texts.open_incidents, texts.open_incidents_help, texts)
        .thresholds(thresholds([(None, PLAIN)]))
        .color_mode(common.BigValueColorMode.VALUE)
        .links([linked(texts.inbox, wall.link("/"))])
        .with_target(query("sum by (state) (ioc_oncall_incidents)", "{{state}}", "incidents", instant=True))
    )
    outbox = (
        grafana.stat_panel("oncall:outbox", texts.outbox, texts.outbox_help, texts)
        .thresholds(thresholds([(None, GOOD), (1, PLAIN), (50, BAD)]))
        .color_mode(common.BigValueColorMode.BACKGROUND)
        .with_target(query("sum(ioc_oncall_outbox_pending)", texts.waiting, "pending", instant=True))
        .with_target(query("sum(ioc_oncall_notices_given_up)", texts.given_up, "given_up", instant=True))
    )
    back = "max by (half) (ioc_oncall_canary_back_timestamp_seconds > 0) * 1000"
    beat = "max(ioc_oncall_heartbeat_timestamp_seconds > 0) * 1000"
    canary = (
        grafana.stat_panel("oncall:canary", texts.canary, texts.canary_help, texts)
        .unit(units.DateTimeFromNow)
        .thresholds(thresholds([(None, PLAIN)]))
        .color_mode(common.BigValueColorMode.NONE)
        .with_target(query(back, "{{half}}", "canary", instant=True))
        .with_target(query(beat, texts.heartbeat, "heartbeat", instant=True))
    )
    minute = "sum by (channel, outcome) (rate(ioc_oncall_notices_total[$__rate_interval])) * 60"
    delay = (
        "histogram_quantile(0.95, sum by (le, stage)"
        ' (rate(ioc_stage_seconds_bucket{stage=~"first_frame_to_alert|inbox_to_alert"}[1h])))'
    )
    hook = "sum by (outcome) (increase(ioc_oncall_alerts_total[1h]))"
    charts = (
        ("notices", texts.notices, texts.notices_help, units.Short, minute, "{{channel}} {{outcome}}"),
        ("delay", texts.alert_delay, texts.alert_delay_help, units.Seconds, delay, "{{stage}}"),
        ("hook", texts.hook, texts.hook_help, units.Short, hook, "{{outcome}}"),
    )
    lines = [
        Placed(
            grafana.lines(f"oncall:{key}", title, help_, unit, texts).with_target(query(expr, legend, key)),
            8,
            8,
        )
        for key, title, help_, unit, expr, legend in charts
    ]
    return flow(board, [Placed(inbox, 8, 5), Placed(outbox, 8, 5), Placed(canary, 8, 5), *lines], y)
