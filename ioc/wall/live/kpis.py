"""A KPI of the catalogue as the live wall needs it, with the target that is in force on a day. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from ioc.kpis import KpiDefinition
from ioc.kpis.definitions import FigureForm
from ioc.wall.panels import Direction, Language, panel_of

__all__ = ["WallKpi", "wall_kpis"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WallKpi:
    """`window` is the main one, of the big figure. `target` in the metric's own unit, None where none is in force.
    `accumulates`: it starts its period at nothing, so that it can't reach its target before the end."""

    id: str
    metric: str
    name_vi: str
    name_en: str
    unit: str
    family: str
    window: str
    target: float | None
    direction: Direction
    form: FigureForm = "ratio"
    accumulates: bool = False

    def name(self, language: Language) -> str:
        return self.name_vi if language == "vi" else self.name_en


def wall_kpis(definitions: Iterable[KpiDefinition], on: date) -> tuple[WallKpi, ...]:
    """Returns the KPIs that have a window, with their targets on a local day."""
    return tuple(_wall_kpi(definition, on) for definition in definitions if definition.windows)


def _wall_kpi(definition: KpiDefinition, on: date) -> WallKpi:
    target = definition.target(on)
    return WallKpi(
        id=definition.id,
        metric=definition.metric,
        name_vi=definition.name_vi,
        name_en=definition.name_en,
        unit=definition.unit,
        family=definition.family,
        window=definition.windows[0],
        target=None if target is None else target.value,
        direction="within_band" if target is None else target.direction,
        form=definition.form,
        accumulates=panel_of(definition).accumulates,
    )
