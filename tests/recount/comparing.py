"""What /metrics shows against what was counted: one difference a series, said so that somebody can look into it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isclose

from tests.recount.kpis import KPIS
from tests.recount.recount import Figure, Mark, OrderStatistic, Series

__all__ = ["Difference", "Exported", "differences", "exported", "report", "unlike_marks"]

Sample = tuple[str, Mapping[str, str], float]
"""Name, labels, value."""

KPI_OF = {definition.metric: kpi for kpi, definition in KPIS.items()}
COMPANIONS = ("ioc_kpi_numerator", "ioc_kpi_denominator", "ioc_kpi_stale", "ioc_kpi_manual")
LABELS = frozenset({"province", "admin_unit", "agency", "window"})


@dataclass(slots=True)
class Exported:
    """One scrape: outcomes by topic, the figure of every series of the sixty KPIs, and what no contract allows."""

    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    figures: dict[Series, Figure] = field(default_factory=dict)
    marks: dict[Series, tuple[float | None, float | None]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    lag_records: float = 0

    @property
    def events_in(self) -> int:
        return sum(outcomes["in"] for outcomes in self.outcomes.values())


@dataclass(frozen=True, slots=True)
class Difference:
    series: Series
    expected: Figure
    found: Figure

    def __str__(self) -> str:
        kpi, unit, agency, window, dim = self.series
        labels = f'{{admin_unit="{unit}", agency="{agency}", window="{window}"' + (f', dim="{dim}"}}' if dim else "}")
        return f"{kpi} {KPIS[kpi].metric}{labels}: expected {_text(self.expected)}, found {_text(self.found)}"


def _text(figure: Figure) -> str:
    value, numerator, denominator = figure
    if figure == (None, None, None):
        return "no series"
    if isinstance(value, OrderStatistic):
        return f"p95 {float(value):g} to {value.ceiling:g} (within 1 %) of {denominator}"
    return f"value {value}, numerator {numerator}, denominator {denominator}"


def exported(samples: list[Sample]) -> Exported:
    """Returns what the samples show. A series that is there twice, or has other labels, is a fault."""
    shown = Exported()
    parts: dict[str, dict[Series, float]] = {"value": {}, "numerator": {}, "denominator": {}, "stale": {}, "manual": {}}
    for name, labels, value in samples:
        if name == "ioc_events_total":
            shown.outcomes.setdefault(labels["topic"], Counter())[labels["outcome"]] += int(value)
        elif name == "ioc_consumer_lag_records":
            shown.lag_records += value
        elif name in KPI_OF:
            _keep(shown, parts["value"], KPI_OF[name], name, labels, value)
        elif name in COMPANIONS and labels["kpi"] in KPIS:
            rest = {label: text for label, text in labels.items() if label != "kpi"}
            _keep(shown, parts[name.removeprefix("ioc_kpi_")], labels["kpi"], name, rest, value)
    for series in parts["value"].keys() | parts["numerator"].keys() | parts["denominator"].keys():
        shown.figures[series] = tuple(parts[part].get(series) for part in ("value", "numerator", "denominator"))  # type: ignore[assignment]  # three of them
        shown.marks[series] = tuple(parts[part].get(series) for part in ("stale", "manual"))  # type: ignore[assignment]  # two of them
    return shown


def _keep(
    shown: Exported, into: dict[Series, float], kpi: str, name: str, labels: Mapping[str, str], value: float
) -> None:
    dim = labels.get("dim", "")
    series = (kpi, labels.get("admin_unit", "?"), labels.get("agency", "?"), labels.get("window", "?"), dim)
    if labels.keys() - {"dim"} != LABELS or labels["province"] != "lam-dong":
        shown.faults.append(f"{name} of {kpi}: labels {dict(labels)}")
    elif dim and series[1:3] != ("*", ""):
        shown.faults.append(f"{name} of {kpi}: a dim beside another group: {dict(labels)}")
    elif series in into:
        shown.faults.append(f"{name} of {kpi}: {dict(labels)} is there twice")
    into[series] = value


def differences(shown: Exported, expected: Mapping[Series, Figure]) -> list[Difference]:
    """Returns every series that is not as counted, in both directions. A group of nothing may be absent."""
    nothing: Figure = (None, None, None)
    found = []
    for series in sorted(expected.keys() | shown.figures.keys()):
        here, there = expected.get(series), shown.figures.get(series, nothing)
        if here is None:
            is_wrong = not _counts_nothing(there)
        else:
            may_be_absent = _is_group(series) and _counts_nothing(here)
            is_wrong = not (_agrees(here, there) or (may_be_absent and there == nothing))
        if is_wrong:
            found.append(Difference(series, here or nothing, there))
    return found


def unlike_marks(shown: Exported, expected: Mapping[Series, Mark]) -> list[str]:
    """Returns the series that are there and not marked stale, or manual, as they must be."""
    return [
        f"{series}: expected (stale, manual) {expected[series]}, found {found}"
        for series, found in sorted(shown.marks.items())
        if series in expected and found != expected[series]
    ]


def _is_group(series: Series) -> bool:
    return series[1:3] != ("*", "") or bool(series[4])


def _counts_nothing(figure: Figure) -> bool:
    return not any(figure)


def _agrees(expected: Figure, found: Figure) -> bool:
    value = expected[0]
    if isinstance(value, OrderStatistic):
        return found[0] is not None and value.agrees_with(found[0]) and expected[1:] == found[1:]
    return all(_equal(one, other) for one, other in zip(expected, found, strict=True))


def _equal(expected: float | None, found: float | None) -> bool:
    """Whole numbers are exact; a quotient, or a sum of fractions, is so but for the last digits of a float."""
    if expected is None or found is None:
        return expected is found
    return expected == found if isinstance(expected, int) else isclose(expected, found, rel_tol=1e-9)


def report(found: list[Difference], shown: Exported, expected: Mapping[Series, Figure]) -> str:
    """Returns the differences for a reader: KPIs that are not there at all, then a few series of each other KPI."""
    lines = [f"{len(found)} series differ", *shown.faults[:10]]
    exists = {series[0] for series in shown.figures}
    absent = Counter(series[0] for series in expected if series[0] not in exists)
    if absent:
        text = ", ".join(f"{kpi} ({count})" for kpi, count in sorted(absent.items()))
        lines.append(f"{len(absent)} KPIs are not exported at all (series expected): {text}")
    of_kpi: dict[str, list[Difference]] = {}
    for difference in found:
        if difference.series[0] in exists:
            of_kpi.setdefault(difference.series[0], []).append(difference)
    for kpi, wrong in of_kpi.items():
        lines.append(f"{kpi}: {len(wrong)} series")
        lines += [f"  {difference}" for difference in wrong[:4]]
    return "\n".join(lines)
