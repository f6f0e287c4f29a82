"""Figures as samples of Prometheus, within the series that a province may have. Pure.

What a province of many units and indicators has too much of is left out by a fixed order, the least telling first:
marks of units and agencies that are not set; their numerators, which are the value times the denominator; then all
figures but the province's total, indicator by indicator from the end of the catalogue. Totals always have everything.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

from prometheus_client.samples import Sample

from ioc.kpis import Figure
from ioc.windows import MICROSECONDS

__all__ = ["COMPANIONS", "Bounded", "Detail", "Place", "Samples", "Size", "bounded", "samples_of"]

COMPANIONS = {
    "ioc_kpi_numerator": "Numerator of a figure",
    "ioc_kpi_denominator": "Denominator of a figure; of a quantile the number of samples",
    "ioc_kpi_as_of_timestamp_seconds": "Time of the newest fact behind a figure",
    "ioc_kpi_stale": "1 where the newest fact is older than its promise",
    "ioc_kpi_manual": "1 where the figure was typed by hand",
}
_WHOLE = "*"  # the admin_unit of the province's total
_SERIES_A_FIGURE = 1 + len(COMPANIONS)

Place = tuple[str, str]
"""KPI and window."""


class Detail(IntEnum):
    """How much is told of a unit or agency; of the total and of the values of `dim` always all."""

    ALL = 0
    MARKS_WHERE_SET = 1
    NO_NUMERATORS = 2


class Bounded(NamedTuple):
    """`left_out`: how many figures of a KPI are not told, by KPI."""

    detail: Detail
    left_out: Mapping[str, int]


class Samples(NamedTuple):
    """`companions` in the order of `COMPANIONS`."""

    values: list[Sample]
    companions: tuple[list[Sample], ...]


class Size(NamedTuple):
    """How many series the figures of a KPI and window are. `parts`: how many of the figures are not the total."""

    figures: Sequence[Figure]
    with_marks_set: int
    without_numerators: int
    of_total: int
    parts: int


def bounded(told: Mapping[Place, Sequence[Figure]], most: int, known: dict[Place, Size] | None = None) -> Bounded:
    """Returns how much may be told so that the figures have at most `most` series.

    All is told where it would fit with every mark there can be, so that figures that get old change no detail.

    Args:
        known: kept by the caller from one call to the next; the sizes of what did not change are not counted again.
    """
    if sum(map(len, told.values())) * _SERIES_A_FIGURE <= most:
        return Bounded(Detail.ALL, {})
    known = {} if known is None else known
    sizes: dict[str, list[Size]] = {}
    for place, figures in told.items():
        size = known.get(place)
        if size is None or size.figures is not figures:
            size = known[place] = _size(figures)
        sizes.setdefault(place[0], []).append(size)
    every = [size for found in sizes.values() for size in found]
    if sum(size.with_marks_set for size in every) <= most:
        return Bounded(Detail.MARKS_WHERE_SET, {})
    series = sum(size.without_numerators for size in every)
    left_out = {}
    for kpi in reversed(sizes):
        if series <= most:
            break
        if parts := sum(size.parts for size in sizes[kpi]):
            left_out[kpi] = parts
            series -= sum(size.without_numerators - size.of_total for size in sizes[kpi])
    return Bounded(Detail.NO_NUMERATORS, left_out)


def samples_of(figures: Iterable[Figure], province: str, detail: Detail, *, only_total: bool = False) -> Samples:
    values: list[Sample] = []
    companions: tuple[list[Sample], ...] = tuple([] for _ in COMPANIONS)
    for figure in figures:
        if only_total and not _is_total(figure):
            continue
        labels = {
            "province": province,
            "admin_unit": figure.admin_unit,
            "agency": figure.agency,
            "window": figure.window,
        }
        if figure.dim:
            labels["dim"] = figure.dim
        if figure.value is not None:
            values.append(Sample(figure.definition.metric, labels, figure.value))
        labels = {"kpi": figure.definition.id, **labels}
        less = detail if _is_of_unit(figure) else Detail.ALL
        told = (
            figure.numerator if less < Detail.NO_NUMERATORS else None,
            figure.denominator,
            None if figure.as_of_us is None else figure.as_of_us / MICROSECONDS,
            float(figure.is_stale) if figure.is_stale or less < Detail.MARKS_WHERE_SET else None,
            float(figure.is_manual) if figure.is_manual or less < Detail.MARKS_WHERE_SET else None,
        )
        for name, samples, value in zip(COMPANIONS, companions, told, strict=True):
            if value is not None:
                samples.append(Sample(name, labels, value))
    return Samples(values, companions)


def _size(figures: Sequence[Figure]) -> Size:
    with_marks_set = without_numerators = of_total = parts = 0
    for figure in figures:
        has_numerator = figure.numerator is not None
        series = (figure.value is not None) + (figure.denominator is not None) + (figure.as_of_us is not None)
        if _is_of_unit(figure):
            series += figure.is_stale + figure.is_manual
            without_numerators += series
        else:
            series += 2
            without_numerators += series + has_numerator
        with_marks_set += series + has_numerator
        if _is_total(figure):
            of_total += series + has_numerator
        else:
            parts += 1
    return Size(figures, with_marks_set, without_numerators, of_total, parts)


def _is_of_unit(figure: Figure) -> bool:
    return bool(figure.agency) or figure.admin_unit != _WHOLE


def _is_total(figure: Figure) -> bool:
    return not (figure.dim or _is_of_unit(figure))
