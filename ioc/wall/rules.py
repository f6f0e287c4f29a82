"""Prometheus rules from KPI definitions: the recorded figures, the missed targets, the pipeline's own alerts."""

from collections.abc import Sequence
from datetime import timedelta

from ioc.wall import promql
from ioc.wall.alerts import KPI_MISSED, PIPELINE_ALERTS, PipelineAlert
from ioc.wall.panels import KpiPanel, checked
from ioc.wall.texts import window_name

__all__ = ["kpi_rule_tests", "kpi_rules", "pipeline_rules"]

_RECORD_EVERY = "5s"  # as often as Prometheus scrapes: recorded figures lag by one scrape at most
_HOLD = timedelta(minutes=5)  # a figure that swings around its target does not alert anew each time


def _prometheus_duration(duration: timedelta) -> str:
    seconds = int(duration.total_seconds())
    return f"{seconds // 60}m" if seconds and seconds % 60 == 0 else f"{seconds}s"


def _runbook_url(public_url: str, runbook: str) -> str:
    return f"{public_url.rstrip('/')}/runbooks/{runbook}"


def kpi_rules(kpis: Sequence[KpiPanel], *, public_url: str) -> dict[str, object]:
    """Returns the rule file of the KPIs: one recorded series each, one alert for each with a target.

    `public_url` is where people reach on-call; each alert's runbook link starts with it.

    Raises:
        ConfigurationError: a KPI is used twice, or has no window.
    """
    kpis = checked(kpis)
    recorded = [
        {"record": promql.RECORDED_VALUE, "expr": promql.recorded_value(kpi), "labels": {"kpi": kpi.id}} for kpi in kpis
    ]
    alerts = [rule for kpi in kpis if (rule := _target_rule(kpi, public_url))]
    groups: list[dict[str, object]] = [{"name": "ioc-kpi-values", "interval": _RECORD_EVERY, "rules": recorded}]
    if alerts:
        groups.append({"name": "ioc-kpi-targets", "rules": alerts})
    return {"groups": groups}


def _target_rule(kpi: KpiPanel, public_url: str) -> dict[str, object] | None:
    expr = promql.breach(kpi)
    if expr is None or kpi.target is None:
        return None
    window = kpi.windows[0]
    value = "{{ $value | humanizePercentage }}" if kpi.is_ratio else "{{ $value | humanize }}"
    target = f"{kpi.target * 100:g}%" if kpi.is_ratio else f"{kpi.target:g}"
    return {
        "alert": KPI_MISSED.alert,
        "expr": expr,
        "for": _prometheus_duration(kpi.alert_after),
        "keep_firing_for": _prometheus_duration(_HOLD),
        "labels": {"severity": "warning", "kpi": kpi.id, "window": window},
        "annotations": {
            "summary": f"{kpi.name_vi}: không đạt mục tiêu",
            "summary_en": f"{kpi.name_en}: misses its target",
            "description": f"{kpi.name_vi} ({window_name(window, 'vi')}) là {value}, mục tiêu {target}. "
            "Mở bảng điều hành để xem tử số, mẫu số và đơn vị kéo chỉ số xuống.",
            "description_en": f"{kpi.name_en} ({window_name(window, 'en')}) is {value}, target {target}. "
            "Open the wall for numerator, denominator and the units behind it.",
            "runbook_url": _runbook_url(public_url, KPI_MISSED.runbook),
        },
    }


def pipeline_rules(*, public_url: str) -> dict[str, object]:
    """Returns the rule file of the alerts on the product itself."""
    return {"groups": [{"name": "ioc-pipeline", "rules": [_pipeline_rule(a, public_url) for a in PIPELINE_ALERTS]}]}


def _pipeline_rule(alert: PipelineAlert, public_url: str) -> dict[str, object]:
    rule: dict[str, object] = {"alert": alert.alert, "expr": alert.expr}
    if alert.lasts:
        rule["for"] = _prometheus_duration(alert.lasts)
    return rule | {
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.name_vi,
            "summary_en": alert.name_en,
            "description": alert.description_vi,
            "description_en": alert.description_en,
            "runbook_url": _runbook_url(public_url, alert.runbook),
        },
    }


def kpi_rule_tests(kpis: Sequence[KpiPanel], *, rule_file: str) -> dict[str, object]:
    """Returns promtool tests of `kpi_rules`: a miss fires once it lasts; at target, stale or too few cases does not."""
    tests: list[dict[str, object]] = []
    for kpi in checked(kpis):
        if promql.breach(kpi) is None or kpi.target is None:
            continue
        step = max(abs(kpi.target) * 0.1, 0.01)
        missed = kpi.target - step if kpi.direction == "higher_is_better" else kpi.target + step
        enough = kpi.min_denominator
        cases = [
            ("misses its target", missed, 0, enough, True),
            ("stands at its target", kpi.target, 0, enough, False),
            ("misses its target but is stale", missed, 1, enough, False),
        ]
        if kpi.is_ratio:
            cases.append(("misses its target with too few cases", missed, 0, enough - 1, False))
        tests += [_rule_test(kpi, f"{kpi.id} {case[0]}", *case[1:]) for case in cases]
    return {"rule_files": [rule_file], "evaluation_interval": "30s", "tests": tests}


def _rule_test(
    kpi: KpiPanel, name: str, value: float, stale: float, denominator: float, fires: bool
) -> dict[str, object]:
    window = kpi.windows[0]
    labels = f'instance="a",province="p",admin_unit="*",agency="",window="{window}"'
    figures = {"as_of_timestamp_seconds": 1.0, "stale": stale, "denominator": denominator}
    series = [(f"{kpi.metric}{{{labels}}}", value)]
    series += [(f'ioc_kpi_{companion}{{kpi="{kpi.id}",{labels}}}', number) for companion, number in figures.items()]
    count = f'count(ALERTS{{alertname="{KPI_MISSED.alert}",kpi="{kpi.id}",alertstate="firing"}})'
    minutes = int(kpi.alert_after.total_seconds() // 60) + 1
    early = [{"expr": count, "eval_time": "30s", "exp_samples": []}]
    late = {"expr": count, "eval_time": f"{minutes}m", "exp_samples": [{"labels": "{}", "value": 1}] if fires else []}
    return {
        "name": name,
        "interval": "30s",
        "input_series": [{"series": text, "values": f"{number:g}x{2 * minutes + 2}"} for text, number in series],
        "promql_expr_test": [*early, late] if fires else [late],
    }
