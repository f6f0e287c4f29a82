"""What `ioc check` looks at in the KPIs: how many series they make, what they read, and their worked examples."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from itertools import chain
from typing import TYPE_CHECKING

from ioc.errors import ConfigurationError
from ioc.expressions import names_in
from ioc.kpis import KpiDefinition, Part
from ioc.kpis.figures import MAX_AGENCIES, MAX_DIMS
from ioc.kpis.parts import BUILT_IN, COMMUNES

if TYPE_CHECKING:
    from ioc.catalog import Catalog
    from ioc.entity_columns import Column, EntityDefinition
    from ioc.geography import Geography

__all__ = [
    "MAX_SERIES",
    "columns_unused",
    "example_problems",
    "feeds_unnamed",
    "kpis_without_examples",
    "refuse_short_memory",
    "series_within_bound",
]

MAX_SERIES = 50_000
_MARKS = 2  # stale and manual
"""Series of one province at most: the contract's bound, which keeps one Prometheus and its boards quick."""

_COMPANIONS: Mapping[str, int] = {"ratio": 5, "number": 4, "p95": 4}
"""Beside the value: numerator and denominator (a number has only the first, a quantile only the second), as_of, stale
and manual."""

_WINDOW_DAYS = {"now": 0.0, "5m": 5 / 1440, "1h": 1 / 24, "day": 1.0, "mtd": 31.0, "qtd": 92.0, "ytd": 366.0}


def window_days(window: str) -> float:
    """How many days a window holds at most; 0 for `now`, which looks at what is, whenever it came."""
    return _WINDOW_DAYS[window] if window in _WINDOW_DAYS else float(window[1:-1])


# ---- series ----------------------------------------------------------------------------------------------------------


def series_within_bound(catalog: "Catalog", today: date) -> int:
    """Returns the most series that the catalogue lets come on `today` or a later day.

    Of each KPI: windows × (the total, its groups, its values of `dim`) × (the value and its companions). Groups are the
    communes in force during the window, or as many agencies and one `other` as the figures keep apart. Above the bound
    the figures role leaves out the marks of groups that are not set; those that are set take the place of numerators.

    Raises:
        ConfigurationError: they are more than a province may have.
    """
    names = len(catalog.geography) + 1  # of the units and of the province
    for marks in (0, _MARKS):
        by_kpi = Counter({kpi.id: _series_of(kpi, catalog, today, left_out=marks) for kpi in catalog.kpis})
        series = by_kpi.total() + len(catalog.kpis) + names
        if series <= MAX_SERIES:
            return series
    largest = ", ".join(f"{kpi_id} ({count:,})" for kpi_id, count in by_kpi.most_common(3))
    raise ConfigurationError(
        f"{catalog.folder}/kpis: windows and group_by of the KPIs make up to {series:,} series, and a province may "
        f"have {MAX_SERIES:,}; take windows or the grouping from the largest: {largest}"
    )


def _series_of(kpi: KpiDefinition, catalog: "Catalog", today: date, *, left_out: int) -> int:
    dims = MAX_DIMS + 1 if any(part.dim for part in kpi.parts) else 0
    groups = sum(_groups_of(kpi, window, catalog, today) for window in kpi.windows)
    of_each = 1 + _COMPANIONS[kpi.form]
    return len(kpi.windows) * (1 + dims) * of_each + groups * (of_each - left_out)


def _groups_of(kpi: KpiDefinition, window: str, catalog: "Catalog", today: date) -> int:
    if kpi.population == COMMUNES:
        return 0
    if kpi.population:
        return len({unit for unit in catalog.registers()[kpi.population].values() if unit})
    match kpi.group_by:
        case "none":
            return 0
        case "agency":
            return MAX_AGENCIES + 1
        case "admin_unit":
            return _most_units(catalog.geography, today, days=int(window_days(window)))


def _most_units(geography: "Geography", today: date, days: int) -> int:
    """The communes that were in force on any of the last `days` days, on `today` or on the later day with most."""

    def within(day: date) -> int:
        begin = day - timedelta(days=days)
        return sum(
            (unit.valid_from is None or unit.valid_from <= day) and not unit.has_ended(begin)
            for unit in geography.units()
        )

    return max(within(day) for day in (today, *(day for day in geography.changes() if day > today)))


# ---- what the KPIs read ----------------------------------------------------------------------------------------------


def columns_read(part: Part) -> set[str]:
    """The names of the columns that a part of a KPI reads itself."""
    texts = (part.where, part.numerator, part.denominator, part.manual)
    named = {part.distinct, part.start, part.end, part.latest_by, part.bucket_by, part.group, part.dim, part.as_of}
    found = named.union(part.latest_of, *(names_in(text, where=part.entity) for text in texts if text))
    return found - {"", "clock"}


def _with_their_own(names: set[str], columns: Mapping[str, "Column"]) -> set[str]:
    """`names`, and the columns that these read in turn."""
    found, waiting = set(names), list(names)
    while waiting:
        column = columns.get(waiting.pop())
        if column is not None and column.until and column.until not in found:
            found.add(column.until)
            waiting.append(column.until)
    return found


def _columns_of(entity: "EntityDefinition") -> dict[str, "Column"]:
    return {column.name: column for column in entity.columns}


def refuse_short_memory(catalog: "Catalog") -> None:
    """Raises ConfigurationError where an entity's rows are dropped while a window that counts them is still open."""
    keep = {entity.name: entity.keep_days for entity in catalog.entities}
    for kpi in catalog.kpis:
        longest = max(kpi.windows, key=window_days)
        for part in kpi.parts:
            days = keep.get(part.entity)
            if days is not None and days <= window_days(longest):
                raise ConfigurationError(
                    f"{catalog.folder}/entities.yaml: {part.entity}.keep_days: {days} is not longer than the window "
                    f"{longest} of {kpi.id} ({window_days(longest):g} days); keep the rows longer, or take the window "
                    "away"
                )


def columns_unused(catalog: "Catalog") -> Iterator[str]:
    """A warning for each entity with columns that no KPI reads."""
    for entity in catalog.entities:
        columns = _columns_of(entity)
        parts = [part for kpi in catalog.kpis for part in kpi.parts if part.entity == entity.name]
        used = _with_their_own(set(chain.from_iterable(map(columns_read, parts))), columns)
        unused = [name for name in columns if name not in used]
        if unused:
            yield f"{catalog.folder}/entities.yaml: {entity.name}: no KPI reads {', '.join(unused)}"


def kpis_without_examples(catalog: "Catalog") -> Iterator[str]:
    for kpi in catalog.kpis:
        if not catalog.examples.get(kpi.id):
            yield f"{catalog.folder}/kpis/{kpi.id}.yaml: has no worked examples; give some, to tell what it counts"


def feeds_unnamed(catalog: "Catalog") -> Iterator[str]:
    """A warning for each KPI whose `fed_by` lacks a type that its columns read: its as-of would not move with it.

    What only names the group, and the time of any fact at all, do not make a type one that feeds the figure.
    """
    entities = {entity.name: entity for entity in catalog.entities}
    for kpi in catalog.kpis:
        read: set[str] = set()
        for part in kpi.parts:
            if part.entity not in BUILT_IN:
                read |= _types_read(columns_read(replace(part, group="")), entities[part.entity])
        missing = sorted(read - set(kpi.fed_by))
        if missing:
            yield (
                f"{catalog.folder}/kpis/{kpi.id}.yaml: fed_by: {', '.join(missing)} is read and not named; the figure "
                "changes with it, and its as-of does not"
            )


def _types_read(names: set[str], entity: "EntityDefinition") -> set[str]:
    columns = _columns_of(entity)
    found: set[str] = set()
    for name in _with_their_own(names, columns):
        column = columns[name]
        if column.operator in ("newest_time", "newest_source") and not column.of:
            continue
        has_field = column.operator in ("newest", "first", "first_per", "period_start")
        for event_type in entity.types:
            if column.of and event_type.name not in column.of:
                continue
            if not has_field or any(field.name == column.argument for field in event_type.fields):
                found.add(event_type.name)
    return found


# ---- examples --------------------------------------------------------------------------------------------------------


def example_problems(catalog: "Catalog") -> Iterator[str]:
    """A sentence for each expectation of a worked example that is not met, and for each example that can't be run."""
    runner = catalog.example_runner()
    for kpi_id, examples in catalog.examples.items():
        for example in examples:
            try:
                yield from runner.problems(kpi_id, example)
            except ConfigurationError as error:
                yield str(error)
