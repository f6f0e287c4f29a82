"""What the wall needs to know of a KPI."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Literal, get_args

from ioc.catalog import Catalog
from ioc.catalog.cameras import Camera
from ioc.errors import ConfigurationError
from ioc.kpis import GroupBy, KpiDefinition
from ioc.kpis.definitions import FigureForm
from ioc.publishers import Publisher
from ioc.windows import LOCAL_ZONE

__all__ = ["Direction", "KpiPanel", "Language", "PanelTarget", "Wall", "checked", "panel_of", "wall_of"]

Language = Literal["vi", "en"]
Direction = Literal["higher_is_better", "lower_is_better", "within_band"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelTarget:
    """A target in the metric's own unit (None: none is set), in force from `from_s` until before `until_s`, seconds
    since 1970; None is an open end. `alerts`: a miss calls people, and is not only drawn as one."""

    value: float | None
    direction: Direction
    alerts: bool = True
    from_s: int | None = None
    until_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiPanel:
    """One KPI as the wall shows it.

    `metric` is the exported name of its value; `unit` the catalogue's word (`ratio` is 0–1); `form` how the figure is
    made, and so which companions it has; `targets` follow one another in time, at least one; `windows[0]` is the window
    of the big figure. `is_snapshot`: it is of a date, told now and then, and no live line. `has_dims`: there are series
    by `dim` beside the total. `may_be_manual`: some of it may be typed by hand. `accumulates`: it starts its period at
    nothing, so that it can't reach its target before the end. A figure of fewer than `min_cases` (of a ratio's
    denominator, or samples) raises no alert: at the start of a month one late dossier of three is no trend. A breach
    must last `alert_after` before anybody hears of it.
    """

    id: str
    metric: str
    name_vi: str
    name_en: str
    unit: str
    targets: tuple[PanelTarget, ...]
    windows: tuple[str, ...]
    is_snapshot: bool = False
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

    @property
    def direction(self) -> Direction:
        """Of the newest target."""
        return self.targets[-1].direction

    def can_miss(self, target: PanelTarget) -> bool:
        """Whether a figure can be said to miss this target: one that grows until its period ends can't before."""
        if target.value is None or target.direction == "within_band":
            return False
        return target.direction == "lower_is_better" or not self.accumulates

    @property
    def has_units(self) -> bool:
        """Whether there are series by administrative unit or by agency beside the total."""
        return self.group_by != "none"

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
        for target in kpi.targets:
            if target.value is not None and not math.isfinite(target.value):
                raise ConfigurationError(f"KPI {kpi.id!r}: target {target.value} is no number; correct `target.value`")
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
        ConfigurationError: the catalogue's direction is none that the wall knows, or there is no target at all.
    """
    main_window = definition.windows[0] if definition.windows else ""
    return KpiPanel(
        id=definition.id,
        metric=definition.metric,
        name_vi=definition.name_vi,
        name_en=definition.name_en,
        unit=definition.unit,
        targets=_targets(definition),
        windows=definition.windows,
        is_snapshot=definition.kind == "snapshot",
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


def _targets(definition: KpiDefinition) -> tuple[PanelTarget, ...]:
    """The targets in the order of their days; before the first dated one there is none."""
    declared = sorted(definition.targets, key=lambda target: target.since or date.min)
    if not declared:
        raise ConfigurationError(f"KPI {definition.id!r}: no target; write one, with `value: null` where none is set")
    for target in declared:
        if target.direction not in get_args(Direction):
            raise ConfigurationError(
                f"KPI {definition.id!r}: direction {target.direction!r}; write one of {', '.join(get_args(Direction))}"
            )
    begins = [_midnight_s(target.since) for target in declared]
    found = [
        PanelTarget(value=target.value, direction=target.direction, alerts=target.alerts, from_s=begin, until_s=end)
        for target, (begin, end) in zip(declared, pairwise([*begins, None]), strict=True)
    ]
    if begins[0] is not None:
        found.insert(0, PanelTarget(value=None, direction=found[0].direction, until_s=begins[0]))
    return tuple(found)


def _midnight_s(day: date | None) -> int | None:
    return None if day is None else int(datetime(day.year, day.month, day.day, tzinfo=LOCAL_ZONE).timestamp())


@dataclass(frozen=True, slots=True, kw_only=True)
class Wall:
    """What the boards of one province are made from. `public_url` is where people reach on-call."""

    province: str
    name_vi: str
    name_en: str
    kpis: tuple[KpiPanel, ...]
    cameras: tuple[Camera, ...] = ()
    publishers: tuple[Publisher, ...] = ()
    public_url: str

    def name(self, language: Language) -> str:
        return self.name_vi if language == "vi" else self.name_en

    def link(self, path: str) -> str:
        """An address of on-call's, like `/runbooks/smoke`."""
        return f"{self.public_url.rstrip('/')}{path}"


def wall_of(catalog: Catalog, *, public_url: str) -> Wall:
    """Returns what the boards need of the catalogue.

    Raises:
        ConfigurationError: a KPI can't be shown.
    """
    return Wall(
        province=catalog.province,
        name_vi=catalog.name_vi,
        name_en=catalog.name_en,
        kpis=checked([panel_of(definition) for definition in catalog.kpis]),
        cameras=tuple(camera for camera in catalog.cameras.values() if camera.is_active),
        publishers=tuple(catalog.publishers.values()),
        public_url=public_url,
    )
