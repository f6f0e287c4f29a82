"""KPIs as views over entity rows: what a row adds, the cells it adds to, and the figures that cells make."""

from ioc.kpis.aggregates import GRAINS, KEPT_DAYS, KEPT_MINUTES, Aggregates, Bag, Cell, CellKey, Sum
from ioc.kpis.definitions import GroupBy, KpiDefinition, Part, Target
from ioc.kpis.engine import Evaluated, KpiEngine
from ioc.kpis.figures import Figure, Figures, Partial
from ioc.kpis.parts import BUILT_IN, COMMUNES, TOTAL, CompiledPart, Contribution
from ioc.kpis.sources import Promises, SourceTallies

__all__ = [
    "BUILT_IN",
    "COMMUNES",
    "GRAINS",
    "KEPT_DAYS",
    "KEPT_MINUTES",
    "TOTAL",
    "Aggregates",
    "Bag",
    "Cell",
    "CellKey",
    "CompiledPart",
    "Contribution",
    "Evaluated",
    "Figure",
    "Figures",
    "GroupBy",
    "KpiDefinition",
    "KpiEngine",
    "Part",
    "Partial",
    "Promises",
    "SourceTallies",
    "Sum",
    "Target",
]
