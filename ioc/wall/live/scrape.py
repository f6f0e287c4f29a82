"""What the wall takes from a scrape of the figures role: each KPI's main window, and who is worst where it is missed.
Pure; the other tens of thousands of lines are passed over unparsed."""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from ioc.wall.live.kpis import WallKpi
from ioc.wall.live.tiles import Group, Reading

__all__ = ["groups_of", "readings_of"]

_NUMERATOR, _DENOMINATOR = "ioc_kpi_numerator", "ioc_kpi_denominator"
_AS_OF, _STALE, _MANUAL = "ioc_kpi_as_of_timestamp_seconds", "ioc_kpi_stale", "ioc_kpi_manual"
_COMPANIONS = (_NUMERATOR, _DENOMINATOR, _AS_OF, _STALE, _MANUAL)
_PROVINCE = ('admin_unit="*"', 'agency=""')


def readings_of(text: str, kpis: Iterable[WallKpi]) -> dict[str, Reading]:
    """Returns the province's figures in their main windows, by KPI.

    Raises:
        ValueError: a line is none of the exposition format.
    """
    by_metric = {kpi.metric: kpi.id for kpi in kpis}
    main = {kpi.id: kpi.window for kpi in kpis}
    found: dict[str, dict[str, float]] = {}
    names = (*by_metric, *_COMPANIONS)
    for sample in _samples(
        line for line in text.splitlines() if line.startswith(names) and all(mark in line for mark in _PROVINCE)
    ):
        kpi = by_metric.get(sample.name) or sample.labels.get("kpi", "")
        if "dim" in sample.labels or sample.labels.get("window") != main.get(kpi):
            continue
        found.setdefault(kpi, {})["value" if sample.name in by_metric else sample.name] = sample.value
    return {kpi: _reading(values) for kpi, values in found.items()}


def groups_of(text: str, kpis: Collection[WallKpi]) -> dict[str, list[Group]]:
    """Returns the figures of communes and agencies of these KPIs in their main windows, by KPI.

    Raises:
        ValueError: a line is none of the exposition format.
    """
    by_metric: Mapping[str, WallKpi] = {kpi.metric: kpi for kpi in kpis}
    if not by_metric:
        return {}
    found: dict[str, list[Group]] = {kpi.id: [] for kpi in kpis}
    starts = tuple(f"{metric}{{" for metric in by_metric)
    for sample in _samples(line for line in text.splitlines() if line.startswith(starts)):
        kpi, labels = by_metric[sample.name], sample.labels
        code = labels.get("agency") or labels.get("admin_unit", "*")
        if code != "*" and "dim" not in labels and labels.get("window") == kpi.window:
            found[kpi.id].append(Group(code=code, value=sample.value))
    return found


def _samples(lines: Iterable[str]) -> Iterable[Sample]:
    for family in text_string_to_metric_families("\n".join(lines) + "\n"):
        yield from family.samples


def _reading(values: Mapping[str, float]) -> Reading:
    as_of = values.get(_AS_OF)
    return Reading(
        value=values.get("value"),
        numerator=values.get(_NUMERATOR),
        denominator=values.get(_DENOMINATOR),
        as_of=None if as_of is None else datetime.fromtimestamp(as_of, UTC),
        is_stale=bool(values.get(_STALE)),
        is_manual=bool(values.get(_MANUAL)),
    )
