"""Prometheus rules from KPI definitions: the recorded figures, the missed targets, the pipeline's own alerts."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import timedelta

from ioc.wall import promql
from ioc.wall.alerts import KPI_MISSED, PIPELINE_ALERTS, PipelineAlert
from ioc.wall.names import amount_text, window_name
from ioc.wall.panels import KpiPanel, checked

__all__ = ["kpi_rule_tests", "kpi_rules", "pipeline_rules"]

_RECORD_EVERY = "5s"  # as often as Prometheus scrapes: recorded figures lag by one scrape at most
# How Prometheus writes a value into an alert's text; a count in full.
_SHOWN = {
    "ratio": "{{ $value | humanizePercentage }}",
    "seconds": "{{ $value | humanizeDuration }}",
    "megabits_per_second": "{{ $value | humanize }}bit/s",
    "kilometres": "{{ $value | humanize }}m",
}
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
    value = _SHOWN.get(kpi.unit, '{{ $value | printf "%.0f" }}')
    target_vi, target_en = amount_text(kpi, kpi.target, "vi"), amount_text(kpi, kpi.target, "en")
    return {
        "alert": KPI_MISSED.alert,
        "expr": expr,
        "for": _prometheus_duration(kpi.alert_after),
        "keep_firing_for": _prometheus_duration(_HOLD),
        "labels": {"severity": "warning", "kpi": kpi.id, "window": window},
        "annotations": {
            "summary": f"{kpi.name_vi}: không đạt mục tiêu",
            "summary_en": f"{kpi.name_en}: misses its target",
            "description": f"{kpi.name_vi} ({window_name(window, 'vi')}) là {value}, mục tiêu {target_vi}. "
            "Mở bảng điều hành để xem tử số, mẫu số và đơn vị kéo chỉ số xuống.",
            "description_en": f"{kpi.name_en} ({window_name(window, 'en')}) is {value}, target {target_en}. "
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
    """Returns promtool tests of `kpi_rules`, in scenes that all KPIs play at once.

    A miss fires once it lasts; what stands at its target, is stale or has too few cases does not fire, and neither does
    a unit, an agency or a dimension that misses alone.
    """
    alerting = [kpi for kpi in checked(kpis) if promql.breach(kpi) is not None]
    silent = [kpi for kpi in kpis if promql.breach(kpi) is None]
    with_cases = [kpi for kpi in alerting if kpi.has_cases]
    scenes = (
        _scene("what misses its target", [_Shown(kpi, _missed(kpi)) for kpi in alerting], fires=True),
        _scene("what stands at its target", [_Shown(kpi, kpi.target or 0.0) for kpi in alerting]),
        _scene("what misses its target but is stale", [_Shown(kpi, _missed(kpi), stale=1) for kpi in alerting]),
        _scene(
            "what misses its target with too few cases",
            [_Shown(kpi, _missed(kpi), cases=kpi.min_cases - 1) for kpi in with_cases],
        ),
        _scene(
            "a part that misses the target",
            [_Shown(kpi, _missed(kpi), labels=labels) for kpi in alerting for labels in _PARTS],
        ),
        _scene("what has no target, a band or a period to grow in", [_Shown(kpi, 0.0) for kpi in silent]),
    )
    return {
        "rule_files": [rule_file],
        "evaluation_interval": "30s",
        "tests": [scene for scene in scenes if scene["input_series"]],
    }


_TOTAL = 'admin_unit="*",agency=""'
_PARTS = ('admin_unit="23005",agency=""', 'admin_unit="*",agency="H14.01"', f'{_TOTAL},dim="a"')


@dataclass(frozen=True, slots=True)
class _Shown:
    """A figure as an exporter shows it in a scene."""

    kpi: KpiPanel
    value: float
    _: KW_ONLY
    stale: int = 0
    cases: float | None = None
    labels: str = _TOTAL

    def series(self) -> list[tuple[str, float]]:
        labels = f'instance="a",province="p",{self.labels},window="{self.kpi.windows[0]}"'
        cases = self.kpi.min_cases if self.cases is None else self.cases
        companions = {"as_of_timestamp_seconds": 1.0, "stale": float(self.stale)}
        if self.kpi.has_cases:
            companions["denominator"] = cases
        own = [(f'ioc_kpi_{name}{{kpi="{self.kpi.id}",{labels}}}', number) for name, number in companions.items()]
        return [(f"{self.kpi.metric}{{{labels}}}", self.value), *own]


def _missed(kpi: KpiPanel) -> float:
    target = kpi.target or 0.0
    step = max(abs(target) * 0.1, 0.01)
    return target - step if kpi.direction == "higher_is_better" else target + step


def _scene(name: str, figures: Sequence[_Shown], *, fires: bool = False) -> dict[str, object]:
    """`fires`: after they have lasted long enough each of the figures has its alert, and before that none."""
    alerts = f'count by (kpi) (ALERTS{{alertname="{KPI_MISSED.alert}",alertstate="firing"}})'
    minutes = int(max((shown.kpi.alert_after for shown in figures), default=_HOLD).total_seconds() // 60) + 1
    firing = [{"labels": f'{{kpi="{shown.kpi.id}"}}', "value": 1} for shown in figures] if fires else []
    early = [{"expr": alerts, "eval_time": "30s", "exp_samples": []}]
    late = {"expr": alerts, "eval_time": f"{minutes}m", "exp_samples": firing}
    return {
        "name": name,
        "interval": "30s",
        "input_series": [
            {"series": text, "values": f"{number!r}x{2 * minutes + 2}"}
            for shown in figures
            for text, number in shown.series()
        ],
        "promql_expr_test": [*early, late] if fires else [late],
    }
