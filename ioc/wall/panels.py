"""What the wall needs to know of a KPI."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, get_args

from ioc.errors import ConfigurationError
from ioc.kpis import GroupBy, KpiDefinition
from ioc.kpis.definitions import FigureForm

__all__ = ["Direction", "KpiPanel", "Language", "checked", "panel_of"]

Language = Literal["vi", "en"]
Direction = Literal["higher_is_better", "lower_is_better", "within_band"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiPanel:
    """One KPI as the wall shows it.

    `metric` is the exported name of its value; `unit` the catalogue's word (`ratio` is 0–1); `form` how the figure is
    made, and so which companions it has; `target` is in the metric's own unit, None where the catalogue has none;
    `windows[0]` is the window of the big figure. `has_dims`: there are series by `dim` beside the total.
    `may_be_manual`: some of it may be typed by hand. `accumulates`: it starts its period at nothing, so that it can't
    reach its target before the end. A figure of fewer than `min_cases` (of a ratio's denominator, or samples) raises no
    alert: at the start of a month one late dossier of three is no trend. A breach must last `alert_after` before
    anybody hears of it.
    """

    id: str
    metric: str
    name_vi: str
    name_en: str
    unit: str
    target: float | None
    direction: Direction
    windows: tuple[str, ...]
    form: FigureForm = "ratio"
    family: str = ""
    group_by: GroupBy = "none"
    has_dims: bool = False
    may_be_manual: bool = False
    accumulates: bool = False
    min_cases: float = 1.0
    alert_after: timedelta = timedelta(minutes=10)

    @property
    def has_cases(self) -> bool:
        """Whether `ioc_kpi_denominator` goes with it: of a quantile the number of samples."""
        return self.form != "number"

    @property
    def has_numerator(self) -> bool:
        return self.form != "p95"

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


# By what a window holds: the state of now and a few minutes' calls are many cases or none; a month begins with few, and
# one late dossier of three is no trend (the catalogue's own alerts on agencies start at 50 dossiers).
_MIN_CASES = {"now": 1.0, "5m": 20.0, "1h": 20.0}
_MIN_CASES_OF_DAYS = 50.0
_MIN_SAMPLES = 20.0  # of fewer, the 95th percentile is little else than the slowest
_GROWING_WINDOWS = frozenset({"day", "mtd", "qtd", "ytd"})
_FAST_WINDOWS = frozenset({"now", "5m"})


def panel_of(definition: KpiDefinition) -> KpiPanel:
    """Returns the KPI of the catalogue as the wall shows it.

    Raises:
        ConfigurationError: the catalogue's direction is none that the wall knows.
    """
    target = definition.target(date.max)  # the newest that is declared
    if target is None:
        raise ConfigurationError(f"KPI {definition.id!r}: no target in force; write one without `since`")
    if target.direction not in get_args(Direction):
        raise ConfigurationError(
            f"KPI {definition.id!r}: direction {target.direction!r}; write one of {', '.join(get_args(Direction))}"
        )
    main_window = definition.windows[0] if definition.windows else ""
    return KpiPanel(
        id=definition.id,
        metric=definition.metric,
        name_vi=definition.name_vi,
        name_en=definition.name_en,
        unit=definition.unit,
        target=target.value,
        direction=target.direction,
        windows=definition.windows,
        form=definition.form,
        family=definition.family,
        group_by=definition.group_by,
        has_dims=any(part.dim for part in definition.parts),
        may_be_manual=any(part.manual for part in definition.parts),
        # A count, or a share of a register whose units report one after the other.
        accumulates=main_window in _GROWING_WINDOWS and (definition.form == "number" or bool(definition.population)),
        min_cases=_MIN_SAMPLES if definition.form == "p95" else _MIN_CASES.get(main_window, _MIN_CASES_OF_DAYS),
        alert_after=timedelta(minutes=5 if main_window in _FAST_WINDOWS else 10),
    )
