"""Sample metrics of a province: what the contract of the metrics says, written here a second time on purpose."""

import time
from collections.abc import Iterator
from datetime import date

from ioc.catalog import load_catalog
from ioc.kpis import KpiDefinition
from ioc.settings import Settings

__all__ = ["KPIS", "PROVINCE", "RECORDED", "Province", "alerts_can_be_missed", "target_of"]

CATALOG = load_catalog(Settings.model_fields["catalog"].get_default())
KPIS = {definition.id: definition for definition in CATALOG.kpis}
PROVINCE = CATALOG.province
RECORDED = {(kpi, window) for kpi, definition in KPIS.items() for window in definition.windows}
CASES = 1000

# What the contract of the metrics says, written here a second time on purpose. With these labels for each window the
# total is shown, and beside it a unit's, an agency's and a dimension's figure that no panel of the province may show.
TOTAL = 'admin_unit="*",agency=""'
PARTS = ('admin_unit="23005",agency=""', 'admin_unit="*",agency="H14.01"')
DIM = f'{TOTAL},dim="a"'
WRONG = 99.0


def target_of(kpi: str) -> tuple[float | None, str]:
    target = KPIS[kpi].target(date.max)
    assert target is not None
    return target.value, target.direction


def alerts_can_be_missed(kpi: str) -> bool:
    """Whether the province's figure of this KPI is ever an alert; said here a second time on purpose."""
    value, direction = target_of(kpi)
    definition = KPIS[kpi]
    if not all(target.alerts for target in definition.targets):
        return False
    is_running = definition.windows[0] in {"day", "mtd", "qtd", "ytd"}
    grows = is_running and (definition.form == "number" or definition.population != "")
    return value is not None and direction != "within_band" and not (grows and direction == "higher_is_better")


class Province:
    """Sample metrics. Counters move with each scrape; `mood` is healthy, breach, stale, unheard (no fact ever) or
    killed (the figures role is gone, and a zombie is left)."""

    def __init__(self) -> None:
        self.mood = "healthy"
        self.scrapes = 0

    def figure(self, kpi: str) -> float:
        target, direction = target_of(kpi)
        if target is None or direction == "within_band":
            return 0.42
        if direction == "higher_is_better":
            return target / 2 if self.mood == "breach" else target
        return target + 1 if self.mood == "breach" else target

    def text(self) -> str:
        self.scrapes += 1
        figures = [] if self.mood == "killed" else self._kpi_lines(as_of=1000 + self.scrapes, wrong_by=0.0)
        return "\n".join([*figures, *self._pipeline_lines(self.scrapes)]) + "\n"

    def zombie_text(self) -> str:
        """A second exporter that was cut off: its figures are older and larger, and it calls them current."""
        if self.mood == "unheard":
            return "\n"
        return "\n".join(self._kpi_lines(as_of=900, wrong_by=7.0, stale=0)) + "\n"

    def oncall_text(self) -> str:
        now = time.time()
        lines = [
            'ioc_oncall_incidents{state="open"} 2',
            "ioc_oncall_outbox_pending 0",
            'ioc_oncall_notices_given_up{channel="email"} 0',
            f'ioc_oncall_canary_back_timestamp_seconds{{half="frames"}} {now}',
            f"ioc_evidence_last_sweep_seconds {now - (3 * 86_400 if self.mood == 'breach' else 0)}",
            f"ioc_oncall_heartbeat_timestamp_seconds {now - (600 if self.mood == 'breach' else 0)}",
            f'ioc_oncall_notices_total{{channel="email",outcome="sent"}} {self.scrapes}',
            f'ioc_oncall_alerts_total{{outcome="taken"}} {self.scrapes}',
        ]
        lines += [
            f'ioc_stage_seconds_bucket{{stage="inbox_to_alert",le="{le}"}} {self.scrapes}' for le in ("1", "+Inf")
        ]
        return "\n".join(lines) + "\n"

    def gateway_text(self) -> str:
        n, breach = self.scrapes, self.mood == "breach"
        lines = [
            f'ioc_gateway_events_total{{publisher="d",outcome="in"}} {9 * n + 3 * breach}',
            f'ioc_gateway_events_total{{publisher="d",outcome="accepted"}} {9 * n}',
            f'ioc_gateway_requests_total{{door="events",status="{503 if breach else 200}"}} {n}',
            f'ioc_gateway_dead_letters_dropped_total{{publisher="d"}} {n if breach else 0}',
            "ioc_gateway_held_bytes 0",
        ]
        lines += [f'ioc_gateway_request_seconds_bucket{{door="events",le="{le}"}} {n}' for le in ("1", "+Inf")]
        return "\n".join(lines) + "\n"

    def _kpi_lines(self, *, as_of: float, wrong_by: float, stale: int | None = None) -> Iterator[str]:
        unit = f'province="{PROVINCE}",admin_unit="23005"'
        yield f'ioc_admin_unit_info{{{unit},name_vi="Xã Mẫu",name_en="Sample commune"}} 1'
        agency = f'province="{PROVINCE}",agency="H14.01"'
        yield f'ioc_agency_info{{{agency},name_vi="Sở Mẫu",name_en="Sample department"}} 1'
        yield f'ioc_source_alive{{province="{PROVINCE}",source="s"}} {int(self.mood != "breach")}'
        is_stale = int(self.mood in {"stale", "unheard"}) if stale is None else stale
        if self.mood == "breach":
            yield f'ioc_kpi_figures_left_out{{kpi="{next(iter(KPIS))}"}} 124'
        for kpi, definition in KPIS.items():
            target, _ = target_of(kpi)
            if target is not None:
                yield f'ioc_kpi_target{{kpi="{kpi}"}} {target}'
            figures = [(TOTAL, self.figure(kpi) + wrong_by), *((part, WRONG) for part in PARTS)]
            if any(part.dim for part in definition.parts):
                figures.append((DIM, self.figure(kpi) + 2 + wrong_by))
            for window in definition.windows:
                for labels, value in figures:
                    yield from self._figure(definition, f'province="{PROVINCE}",{labels},window="{window}"', value)
                    own = f'{{kpi="{kpi}",province="{PROVINCE}",{labels},window="{window}"}}'
                    if self.mood != "unheard":
                        yield f"ioc_kpi_as_of_timestamp_seconds{own} {as_of}"
                    yield f"ioc_kpi_stale{own} {is_stale}"
                    yield f"ioc_kpi_manual{own} 0"

    def _figure(self, definition: KpiDefinition, labels: str, value: float) -> Iterator[str]:
        yield f"{definition.metric}{{{labels}}} {value}"
        own = f'{{kpi="{definition.id}",{labels}}}'
        if definition.form != "p95":
            yield f"ioc_kpi_numerator{own} {value if definition.form == 'number' else value * CASES}"
        if definition.form != "number":
            yield f"ioc_kpi_denominator{own} {CASES}"

    def _pipeline_lines(self, n: int) -> Iterator[str]:
        breach = self.mood == "breach"
        topic = 'topic="ioc.onestop.dossiers"'
        outcomes = {"accepted": 90 * n, "duplicate": 6 * n, "rejected": 4 + (1000 * n if breach else 0)}
        lost = 17 if breach else 0
        yield f'ioc_events_total{{{topic},outcome="in"}} {sum(outcomes.values()) + lost}'
        for outcome, count in outcomes.items():
            yield f'ioc_events_total{{{topic},outcome="{outcome}"}} {count}'
        for outcome in ("analysed", "skipped"):
            much = 20 if outcome == "analysed" else 100 if breach else 1
            yield f'ioc_frames_total{{camera="cam-01",outcome="{outcome}"}} {much * n}'
        if breach:
            yield 'ioc_frames_total{camera="cam-blind",outcome="analysed"} 5'
            yield 'ioc_capture_online{camera="cam-blind"} 0'
        owner = 'camera="cam-01",detector="smoke"'
        yield f"ioc_camera_coverage_ratio{{{owner}}} {0.2 if breach else 1}"
        yield f"ioc_camera_expected_minutes_total{{{owner}}} {n}"
        yield f'ioc_camera_uncovered_minutes_total{{{owner},reason="camera_fault"}} {n if breach else 0}'
        yield f'ioc_camera_uncovered_minutes_total{{{owner},reason="darkness"}} {n}'
        yield f'ioc_detector_state{{{owner},pose="p0",state="ok",reason="",version="2.0.1"}} 1'
        yield 'ioc_detector_model{detector="smoke",model="free"} 1'
        yield f"ioc_case_news_up {int(not breach)}"
        yield f'ioc_detections_total{{detector="smoke",tier="watch",camera="cam-01"}} {n}'
        yield f'ioc_detections_rejected_total{{detector="smoke",reason="small"}} {n}'
        yield f'ioc_incidents_total{{kind="smoke",state="open"}} {n // 4}'
        yield f"ioc_consumer_lag_records{{{topic}}} {50_000 if breach else 3}"
        for bound in ("0.1", "1.0", "+Inf"):
            yield f'ioc_stage_seconds_bucket{{stage="decode",le="{bound}"}} {n}'
