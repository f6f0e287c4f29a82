"""promtool's unit tests, generated from the same definitions as the rules: no rule without one."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Final

from ioc.wall.alerts import KPI_MISSED, PIPELINE_ALERTS, PipelineAlert
from ioc.wall.panels import KpiPanel, PanelTarget, Wall, checked
from ioc.wall.rules import HOLD

__all__ = ["CAUSES", "kpi_rule_tests", "pipeline_rule_tests"]


def kpi_rule_tests(wall: Wall, *, rule_file: str) -> dict[str, object]:
    """Returns promtool tests of `kpi_rules`, in scenes that all KPIs play at once.

    A miss fires once it lasts, and goes out some minutes after it is mended, not at once; what stands at its target, is
    stale or has too few cases does not fire, and neither does a unit, an agency, a dimension or a zombie that misses
    alone.
    """
    alerting = [kpi for kpi in checked(wall.kpis) if _first(kpi) is not None]
    silent = [kpi for kpi in wall.kpis if _first(kpi) is None]
    with_cases = [kpi for kpi in alerting if kpi.has_cases]
    scenes = (
        _scene("what misses its target", [_Shown(kpi, _missed(kpi)) for kpi in alerting], fires=True),
        _mended(alerting),
        _scene("what stands at its target", [_Shown(kpi, _target(kpi)) for kpi in alerting]),
        _scene("what misses its target but is stale", [_Shown(kpi, _missed(kpi), stale=1) for kpi in alerting]),
        _scene(
            "what misses its target with too few cases",
            [_Shown(kpi, _missed(kpi), cases=kpi.min_cases - 1) for kpi in with_cases],
        ),
        _scene(
            "a part that misses the target",
            [_Shown(kpi, _missed(kpi), labels=labels) for kpi in alerting for labels in _PARTS],
        ),
        _scene(
            "a zombie that misses while the newest exporter does not",
            [
                shown
                for kpi in alerting
                for shown in (
                    _Shown(kpi, _target(kpi), as_of=2.0),
                    _Shown(kpi, _missed(kpi), as_of=1.0, instance="zombie"),
                )
            ],
        ),
        _scene(
            "what has no target, a band, a period to grow in, or calls nobody", [_Shown(kpi, 0.0) for kpi in silent]
        ),
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
    as_of: float = 1.0
    instance: str = "a"

    def series(self) -> list[tuple[str, float]]:
        labels = f'instance="{self.instance}",province="p",{self.labels},window="{self.kpi.windows[0]}"'
        cases = self.kpi.min_cases if self.cases is None else self.cases
        companions = {"as_of_timestamp_seconds": self.as_of, "stale": float(self.stale)}
        if self.kpi.has_cases:
            companions["denominator"] = cases
        own = [(f'ioc_kpi_{name}{{kpi="{self.kpi.id}",{labels}}}', number) for name, number in companions.items()]
        return [(f"{self.kpi.metric}{{{labels}}}", self.value), *own]


def _first(kpi: KpiPanel) -> PanelTarget | None:
    """The target at promtool's time, which begins in 1970; None where nothing can miss it, or a miss calls nobody."""
    return kpi.targets[0] if kpi.targets[0].alerts and kpi.can_miss(kpi.targets[0]) else None


def _target(kpi: KpiPanel) -> float:
    return kpi.targets[0].value or 0.0


def _missed(kpi: KpiPanel) -> float:
    target = _target(kpi)
    step = max(abs(target) * 0.1, 0.01)
    return target - step if kpi.targets[0].direction == "higher_is_better" else target + step


def _mended(kpis: Sequence[KpiPanel]) -> dict[str, object]:
    """All miss for some time, then stand at their targets."""
    after = max((kpi.alert_after for kpi in kpis), default=HOLD)
    missed = int(after.total_seconds()) // 30 + 2  # steps of 30 seconds
    mended_s = missed * 30
    alerts = f'count by (kpi) (ALERTS{{alertname="{KPI_MISSED.alert}",alertstate="firing"}})'
    firing = [{"labels": f'{{kpi="{kpi.id}"}}', "value": 1} for kpi in kpis]
    held = int(HOLD.total_seconds())
    series = []
    for kpi in kpis:
        (value, _), *companions = _Shown(kpi, _missed(kpi)).series()
        values = f"{_missed(kpi)!r}x{missed - 1} {_target(kpi)!r}x{missed + held // 30 + 4}"
        series.append({"series": value, "values": values})
        series += [
            {"series": text, "values": f"{number!r}x{2 * missed + held // 30 + 4}"} for text, number in companions
        ]
    return {
        "name": "what missed its target and is mended",
        "interval": "30s",
        "input_series": series,
        "promql_expr_test": [
            {"expr": alerts, "eval_time": f"{mended_s + held - 60}s", "exp_samples": firing},
            {"expr": alerts, "eval_time": f"{mended_s + held + 60}s", "exp_samples": []},
        ],
    }


def _scene(name: str, figures: Sequence[_Shown], *, fires: bool = False) -> dict[str, object]:
    """`fires`: after they have lasted long enough each of the figures has its alert, and before that none."""
    alerts = f'count by (kpi) (ALERTS{{alertname="{KPI_MISSED.alert}",alertstate="firing"}})'
    minutes = int(max((shown.kpi.alert_after for shown in figures), default=HOLD).total_seconds() // 60) + 1
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


# ---- the product's own alerts --------------------------------------------------------------------------------------

CAUSES: Final[Mapping[str, tuple[Mapping[str, str], Mapping[str, str]]]] = {
    "IocServiceDown": ({'up{job="ioc-x",instance="a"}': "0x99"}, {'up{job="ioc-x",instance="a"}': "1x99"}),
    "IocWorkerMissing": ({'up{job="ioc-worker"}': "0x99"}, {'up{job="ioc-worker"}': "1x99"}),
    "IocOncallSilent": ({'up{job="ioc-oncall"}': "0x99"}, {'up{job="ioc-oncall"}': "1x99"}),
    "IocConsumerLag": (
        {'ioc_consumer_lag_records{topic="t"}': "10001x99"},
        {'ioc_consumer_lag_records{topic="t"}': "10000x99"},
    ),
    "IocEventsUnaccounted": (
        {'ioc_events_total{topic="t",outcome="in"}': "5x99", 'ioc_events_total{topic="t",outcome="rejected"}': "4x99"},
        {'ioc_events_total{topic="t",outcome="in"}': "5x99", 'ioc_events_total{topic="t",outcome="rejected"}': "5x99"},
    ),
    "IocFigureStale": (
        {'ioc:kpi_stale:total{kpi="k",province="p",window="mtd"}': "1x99"},
        {'ioc:kpi_stale:total{kpi="k",province="p",window="mtd"}': "0x99"},
    ),
    "IocCameraBlind": (
        {'ioc_frames_total{camera="c",outcome="analysed"}': "5x99"},
        {'ioc_frames_total{camera="c",outcome="analysed"}': "0+1x99"},
    ),
    # One of two capture services has the camera.
    "IocCameraOffline": (
        {'ioc_capture_online{camera="c",instance="a"}': "0x99"},
        {'ioc_capture_online{camera="c",instance="a"}': "0x99", 'ioc_capture_online{camera="c",instance="b"}': "1x99"},
    ),
    "IocCameraUnseen": (
        {
            'ioc_camera_expected_minutes_total{camera="c",detector="smoke"}': "0+1x99",
            'ioc_camera_uncovered_minutes_total{camera="c",detector="smoke",reason="camera_fault"}': "0+1x99",
        },
        # A night is no fault.
        {
            'ioc_camera_expected_minutes_total{camera="c",detector="smoke"}': "0+1x99",
            'ioc_camera_uncovered_minutes_total{camera="c",detector="smoke",reason="darkness"}': "0+1x99",
            'ioc_camera_uncovered_minutes_total{camera="c",detector="smoke",reason="offline"}': "0x99",
        },
    ),
    "IocCaseNewsSilent": ({'ioc_case_news_up{instance="a"}': "0x99"}, {'ioc_case_news_up{instance="a"}': "1x99"}),
    # promtool begins in 1970: what was swept two days before that is stale now.
    "IocEvidenceSweepStale": (
        {'ioc_evidence_last_sweep_seconds{instance="a"}': "-172800x99"},
        {
            'ioc_evidence_last_sweep_seconds{instance="a"}': "-172800x99",
            'ioc_evidence_last_sweep_seconds{instance="b"}': "0x99",
        },
    ),
    "IocDeadLettersRising": (
        {'ioc_events_total{topic="t",outcome="rejected"}': "0+2x99"},
        {'ioc_events_total{topic="t",outcome="rejected"}': "7x99"},
    ),
    "IocFiguresMissing": ({'up{job="ioc-worker"}': "1x99"}, {'ioc_kpi_stale{kpi="k"}': "1x99"}),
    "IocFiguresBehind": (
        {
            'ioc_kpi_as_of_timestamp_seconds{kpi="k",province="p",window="mtd",admin_unit="*",instance="a"}': "9x99",
            'ioc_kpi_as_of_timestamp_seconds{kpi="k",province="p",window="mtd",admin_unit="*",instance="b"}': "8x99",
        },
        {
            'ioc_kpi_as_of_timestamp_seconds{kpi="k",province="p",window="mtd",admin_unit="*",instance="a"}': "9x99",
            'ioc_kpi_as_of_timestamp_seconds{kpi="k",province="p",window="mtd",admin_unit="*",instance="b"}': "9x99",
        },
    ),
    "IocFiguresLeftOut": (
        {
            'ioc_kpi_figures_left_out{kpi="k",instance="a"}': "124x99",
            'ioc_kpi_figures_left_out{kpi="k",instance="b"}': "0x99",
        },
        {'ioc_kpi_detail{instance="a"}': "2x99"},
    ),
    "IocSourceLate": (
        {'ioc_source_alive{province="p",source="s"}': "0x99"},
        # One that was cut off hears the source no more; the other does.
        {
            'ioc_source_alive{province="p",source="s",instance="a"}': "1x99",
            'ioc_source_alive{province="p",source="s",instance="b"}': "0x99",
        },
    ),
    "IocFramesSkipped": (
        {'ioc_frames_total{outcome="skipped"}': "0+3x99", 'ioc_frames_total{outcome="analysed"}': "0+7x99"},
        {'ioc_frames_total{outcome="skipped"}': "0+1x99", 'ioc_frames_total{outcome="analysed"}': "0+9x99"},
    ),
    "IocGatewayFailing": (
        {'ioc_gateway_requests_total{status="503"}': "0+1x99", 'ioc_gateway_requests_total{status="200"}': "0+9x99"},
        {'ioc_gateway_requests_total{status="400"}': "0+9x99", 'ioc_gateway_requests_total{status="200"}': "0+1x99"},
    ),
    "IocGatewayUnaccounted": (
        {
            'ioc_gateway_events_total{publisher="d",outcome="in"}': "5x99",
            'ioc_gateway_events_total{publisher="d",outcome="accepted"}': "4x99",
        },
        {
            'ioc_gateway_events_total{publisher="d",outcome="in"}': "5x99",
            'ioc_gateway_events_total{publisher="d",outcome="accepted"}': "5x99",
        },
    ),
    "IocGatewayNotKept": (
        {'ioc_gateway_dead_letters_dropped_total{publisher="d"}': "0+1x99"},
        {'ioc_gateway_dead_letters_dropped_total{publisher="d"}': "3x99"},
    ),
    "IocWatchdog": ({'up{job="x"}': "0x99"}, {}),
}
"""By alert: series (values each 30 seconds) that are its cause, and series like them that are none."""


def pipeline_rule_tests(*, rule_file: str) -> dict[str, object]:
    """Returns promtool tests of `pipeline_rules`: each alert fires for its cause once that lasts, not before, and not
    for what only looks like it."""
    tests = []
    for alert in PIPELINE_ALERTS:
        cause, harmless = CAUSES[alert.alert]
        tests.append(_play(alert, "its cause", cause, fires=True))
        if harmless:
            tests.append(_play(alert, "what is none", harmless, fires=False))
    return {"rule_files": [rule_file], "evaluation_interval": "30s", "tests": tests}


def _play(alert: PipelineAlert, name: str, series: Mapping[str, str], *, fires: bool) -> dict[str, object]:
    lasts_s = int(alert.lasts.total_seconds())
    # A rate needs two samples, and `offset 15m` a quarter of an hour.
    late = {"expr": _count_of(alert), "eval_time": f"{lasts_s + 1080}s"}
    checks = [late | {"exp_samples": [{"labels": "{}", "value": 1}] if fires else []}]
    if fires and lasts_s > 30:
        checks.insert(0, {"expr": _count_of(alert), "eval_time": f"{lasts_s - 30}s", "exp_samples": []})
    return {
        "name": f"{alert.alert}: {name}",
        "interval": "30s",
        "input_series": [{"series": text, "values": values} for text, values in series.items()],
        "promql_expr_test": checks,
    }


def _count_of(alert: PipelineAlert) -> str:
    return f'count(ALERTS{{alertname="{alert.alert}",alertstate="firing"}})'
