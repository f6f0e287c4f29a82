"""Prometheus rules from KPI definitions: the recorded figures, the missed targets, the pipeline's own alerts."""

from datetime import datetime, timedelta
from typing import get_args

from ioc.wall import promql
from ioc.wall.alerts import KPI_MISSED, PIPELINE_ALERTS, PipelineAlert
from ioc.wall.names import amount_text, window_name
from ioc.wall.panels import KpiPanel, Language, PanelTarget, Wall, checked
from ioc.windows import LOCAL_ZONE

__all__ = ["HOLD", "kpi_rules", "pipeline_rules"]

_RECORD_EVERY = "5s"  # as often as Prometheus scrapes: recorded figures lag by one scrape at most
# How Prometheus writes a value into an alert's text; a count in full.
_SHOWN = {
    "ratio": "{{ $value | humanizePercentage }}",
    "seconds": "{{ $value | humanizeDuration }}",
    "megabits_per_second": "{{ $value | humanize }}bit/s",
    "kilometres": "{{ $value | humanize }}m",
}
HOLD = timedelta(minutes=5)  # a figure that swings around its target does not alert anew each time


def _prometheus_duration(duration: timedelta) -> str:
    seconds = int(duration.total_seconds())
    return f"{seconds // 60}m" if seconds and seconds % 60 == 0 else f"{seconds}s"


def kpi_rules(wall: Wall) -> dict[str, object]:
    """Returns the rule file of the KPIs: one recorded series each, one alert for each with a target.

    Raises:
        ConfigurationError: a KPI is used twice, or has no window.
    """
    kpis = checked(wall.kpis)
    recorded: list[dict[str, object]] = [{"record": promql.RECORDED_STALE, "expr": promql.recorded_stale()}]
    recorded += [
        {"record": promql.RECORDED_VALUE, "expr": promql.recorded_value(kpi), "labels": {"kpi": kpi.id}} for kpi in kpis
    ]
    alerts = [rule for kpi in kpis if (rule := _target_rule(kpi, wall))]
    groups: list[dict[str, object]] = [{"name": "ioc-kpi-values", "interval": _RECORD_EVERY, "rules": recorded}]
    if alerts:
        groups.append({"name": "ioc-kpi-targets", "rules": alerts})
    return {"groups": groups}


def _target_rule(kpi: KpiPanel, wall: Wall) -> dict[str, object] | None:
    expr = promql.breach(kpi)
    if expr is None:
        return None
    window = kpi.windows[0]
    value = _SHOWN.get(kpi.unit, '{{ $value | printf "%.0f" }}')
    target_vi, target_en = (_targets_text(kpi, language) for language in get_args(Language))
    return {
        "alert": KPI_MISSED.alert,
        "expr": expr,
        "for": _prometheus_duration(kpi.alert_after),
        "keep_firing_for": _prometheus_duration(HOLD),
        "labels": {"severity": "warning", "kpi": kpi.id, "window": window, "runbook": KPI_MISSED.runbook},
        "annotations": {
            "summary": f"{kpi.name_vi}: không đạt mục tiêu",
            "summary_en": f"{kpi.name_en}: misses its target",
            "description": f"{kpi.name_vi} ({window_name(window, 'vi')}) là {value}, mục tiêu {target_vi}. "
            "Mở bảng điều hành để xem tử số, mẫu số và đơn vị kéo chỉ số xuống.",
            "description_en": f"{kpi.name_en} ({window_name(window, 'en')}) is {value}, target {target_en}. "
            "Open the wall for numerator, denominator and the units behind it.",
            "runbook_url": wall.link(f"/runbooks/{KPI_MISSED.runbook}"),
        },
    }


def _targets_text(kpi: KpiPanel, language: Language) -> str:
    """The target; of several each with the day on which it ends."""
    texts = []
    for target in kpi.targets:
        amount = "–" if target.value is None else amount_text(kpi, target.value, language)
        texts.append(amount + _until_text(target, language))
    return " ".join(texts)


def _until_text(target: PanelTarget, language: Language) -> str:
    if target.until_s is None:
        return ""
    day = datetime.fromtimestamp(target.until_s, LOCAL_ZONE)
    return f" (trước {day:%d/%m/%Y})," if language == "vi" else f" (before {day:%Y-%m-%d}),"


def pipeline_rules(wall: Wall) -> dict[str, object]:
    """Returns the rule file of the alerts on the product itself."""
    return {"groups": [{"name": "ioc-pipeline", "rules": [_pipeline_rule(a, wall) for a in PIPELINE_ALERTS]}]}


def _pipeline_rule(alert: PipelineAlert, wall: Wall) -> dict[str, object]:
    rule: dict[str, object] = {"alert": alert.alert, "expr": alert.expr}
    if alert.lasts:
        rule["for"] = _prometheus_duration(alert.lasts)
    return rule | {
        "labels": {"severity": alert.severity, "runbook": alert.runbook},
        "annotations": {
            "summary": alert.name_vi,
            "summary_en": alert.name_en,
            "description": alert.description_vi,
            "description_en": alert.description_en,
            "runbook_url": wall.link(f"/runbooks/{alert.runbook}"),
        },
    }
