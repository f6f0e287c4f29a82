"""KPIs as the catalogue declares them."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

__all__ = ["Counts", "FigureForm", "GroupBy", "KpiDefinition", "Measure", "Part", "Target"]

GroupBy = Literal["none", "admin_unit", "agency"]
Measure = Literal["sum", "distinct", "p95", "as_of"]
Counts = Literal["both", "numerator", "denominator"]
FigureForm = Literal["number", "ratio", "p95"]
Direction = Literal["higher_is_better", "lower_is_better", "within_band"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What the rows of one entity add to a KPI. Expressions are over the entity's columns (and `clock`).

    Rows for which `where` holds count, in the bucket of the time in column `bucket_by`, in the total, in the group of
    column `group` and beside the total under the value of column `dim`.

    measure `sum`: each adds `numerator` and `denominator` (a truth value counts as 1 or 0).
    measure `distinct`: the values of column `distinct`; a value is in the denominator once any row has it, and in the
    numerator once a row has it for which `numerator` holds.
    measure `p95`: one sample for each row, of the time between the columns `start` and `end` (a list in `end` gives a
    sample for each of its times); not known or not both known: no sample.
    measure `as_of`: the times in column `as_of`; the greatest is the figure's own as-of.

    `latest_of`: of the rows with equal values in these columns only the one with the greatest `latest_by` counts.
    `counts`: whether the part adds to one side of the figure only.
    """

    entity: str
    where: str = "True"
    numerator: str = "1"
    denominator: str = "1"
    measure: Measure = "sum"
    counts: Counts = "both"
    distinct: str = ""
    start: str = ""
    end: str = ""
    latest_of: tuple[str, ...] = ()
    latest_by: str = ""
    bucket_by: str = ""
    group: str = ""
    dim: str = ""
    manual: str = ""
    as_of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`since`: the first local day it is in force; None: from the beginning. `alerts`: a miss calls people."""

    value: float | None
    direction: Direction
    basis: str
    since: date | None = None
    alerts: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiDefinition:
    """A KPI. Its figure is made of all its parts; with a `population` the denominator is the register of that name.

    `form`: `number` shows the numerator, `ratio` numerator / denominator, `p95` the quantile of the samples in seconds.
    `rule_version` changes with everything that changes the figure. `watched_by`: the departments that answer for it;
    `evidence_level`: how well its definition is founded, as its file says.
    """

    id: str
    name_vi: str
    name_en: str
    family: str
    unit: str
    metric: str
    kind: Literal["event", "state", "aggregate", "snapshot"]
    form: FigureForm
    parts: tuple[Part, ...]
    population: str
    windows: tuple[str, ...]
    group_by: GroupBy
    fed_by: tuple[str, ...]
    targets: tuple[Target, ...]
    stale_after_s: float
    rule_version: str
    note: str = ""
    watched_by: tuple[str, ...] = ()
    evidence_level: str = ""

    @property
    def is_ratio(self) -> bool:
        return self.form == "ratio"

    def target(self, on: date) -> Target | None:
        """The target in force on a local day."""
        begun = [target for target in self.targets if target.since is None or target.since <= on]
        return max(begun, key=lambda target: target.since or date.min) if begun else None
