"""What the wall needs to know of a KPI, and the eight that the first boards show."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from ioc.errors import ConfigurationError

__all__ = ["STARTING_PANELS", "Direction", "GroupBy", "KpiPanel", "Language", "checked"]

Language = Literal["vi", "en"]
Direction = Literal["higher_is_better", "lower_is_better", "within_band"]
GroupBy = Literal["admin_unit", "agency", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiPanel:
    """One KPI as the wall shows it.

    `metric` is the exported name of its value; `unit` the catalogue's word (`ratio` is 0–1, everything else a plain
    quantity); `target` is in the metric's own unit, None where the catalogue has none; `windows[0]` is the window of
    the big figure. A figure of fewer than `min_denominator` cases raises no alert: at the start of a month one late
    dossier of three is no trend. A breach must last `alert_after` before anybody hears of it.
    """

    id: str
    metric: str
    name_vi: str
    name_en: str
    unit: str
    target: float | None
    direction: Direction
    windows: tuple[str, ...]
    group_by: GroupBy = "none"
    min_denominator: float = 1.0
    alert_after: timedelta = timedelta(minutes=10)

    @property
    def is_ratio(self) -> bool:
        return self.unit == "ratio"

    def name(self, language: Language) -> str:
        return self.name_vi if language == "vi" else self.name_en


def checked(kpis: Sequence[KpiPanel]) -> tuple[KpiPanel, ...]:
    """Returns `kpis`, each id and metric used once, each with a window and a finite target.

    Raises:
        ConfigurationError: one of that does not hold; names the KPI.
    """
    if not kpis:
        raise ConfigurationError("no KPI to show: the catalogue's KPI file is empty; add at least one KPI")
    for kpi in kpis:
        if not kpi.windows:
            raise ConfigurationError(f"KPI {kpi.id!r}: no window; give `windows` at least one, like mtd")
        if kpi.target is not None and not math.isfinite(kpi.target):
            raise ConfigurationError(f"KPI {kpi.id!r}: target {kpi.target} is no number; correct `target.value`")
        if any(other is not kpi and (other.id == kpi.id or other.metric == kpi.metric) for other in kpis):
            raise ConfigurationError(f"KPI {kpi.id!r}: its id or metric {kpi.metric!r} is used twice; rename one")
    return tuple(kpis)


_MONTHLY_MIN_CASES = 50.0  # the catalogue alerts on an agency's dossiers from 50 cases on

STARTING_PANELS: tuple[KpiPanel, ...] = (
    KpiPanel(
        id="dossiers_online",
        metric="ioc_dossiers_online_ratio",
        name_vi="Tỷ lệ hồ sơ tiếp nhận trực tuyến",
        name_en="Dossiers submitted online",
        unit="ratio",
        target=0.8,
        direction="higher_is_better",
        windows=("mtd", "ytd"),
        group_by="agency",
        min_denominator=_MONTHLY_MIN_CASES,
    ),
    KpiPanel(
        id="dossiers_fully_online",
        metric="ioc_dossiers_fully_online_ratio",
        name_vi="Tỷ lệ hồ sơ trực tuyến toàn trình",
        name_en="Fully-online dossiers",
        unit="ratio",
        target=0.5,
        direction="higher_is_better",
        windows=("mtd", "ytd"),
        group_by="agency",
        min_denominator=_MONTHLY_MIN_CASES,
    ),
    KpiPanel(
        id="dossiers_on_time",
        metric="ioc_dossiers_on_time_ratio",
        name_vi="Tỷ lệ hồ sơ giải quyết đúng hạn",
        name_en="Dossiers resolved on time",
        unit="ratio",
        target=0.98,
        direction="higher_is_better",
        windows=("mtd", "ytd"),
        group_by="agency",
        min_denominator=_MONTHLY_MIN_CASES,
    ),
    KpiPanel(
        id="reports_received",
        metric="ioc_reports_received",
        name_vi="Số phản ánh hiện trường tiếp nhận",
        name_en="Citizen reports received",
        unit="reports",
        target=None,
        direction="within_band",
        windows=("day", "mtd"),
        group_by="admin_unit",
    ),
    KpiPanel(
        id="reports_on_time",
        metric="ioc_reports_on_time_ratio",
        name_vi="Tỷ lệ phản ánh xử lý đúng hạn",
        name_en="Citizen reports resolved on time",
        unit="ratio",
        target=0.9,
        direction="higher_is_better",
        windows=("r30d",),
        group_by="admin_unit",
        min_denominator=_MONTHLY_MIN_CASES,
    ),
    KpiPanel(
        id="wan_channels_up",
        metric="ioc_wan_channels_up_ratio",
        name_vi="Tỷ lệ kênh TSLCD hoạt động",
        name_en="TSLCD channels up",
        unit="ratio",
        target=0.99,
        direction="higher_is_better",
        windows=("now",),
        group_by="admin_unit",
        alert_after=timedelta(minutes=3),
    ),
    KpiPanel(
        id="lgsp_success",
        metric="ioc_lgsp_success_ratio",
        name_vi="Tỷ lệ giao dịch LGSP thành công",
        name_en="LGSP call success",
        unit="ratio",
        target=0.99,
        direction="higher_is_better",
        windows=("5m", "1h", "day"),
        group_by="none",
        min_denominator=20.0,
    ),
    KpiPanel(
        id="camera_online",
        metric="ioc_camera_online_ratio",
        name_vi="Tỷ lệ camera tầm cao hoạt động",
        name_en="High-view cameras online",
        unit="ratio",
        target=0.95,
        direction="higher_is_better",
        windows=("now",),
        group_by="admin_unit",
        alert_after=timedelta(minutes=5),
    ),
)
"""The eight of the first cut; a catalogue replaces them by passing its own to `build_board` and `rule_files`."""
