"""What the figures role tells: everything, and within the series that a province may have."""

from collections import Counter
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from prometheus_client import CollectorRegistry

from ioc.cli.bench_wall_panels import large_province
from ioc.kpis import CellKey, Partial, Sum
from streams import kpis_to_metrics
from streams.kpis_to_metrics import FiguresRole
from streams.partials import Complete

NOW = datetime(2026, 11, 22, 8, tzinfo=ZoneInfo("Asia/Ho_Chi_Minh"))
KPIS, UNITS = 3, 5


def exported(monkeypatch: pytest.MonkeyPatch, *, most: int, is_manual: bool = False) -> Counter[tuple[str, bool]]:
    """How many series there are by (metric, is of a unit)."""
    monkeypatch.setattr(kpis_to_metrics, "_MAX_SERIES", most)
    catalog = large_province(kpis=KPIS, units=UNITS)
    role = FiguresRole(broker="", catalog=catalog, clock=lambda: NOW)
    places = ["", *(unit.code for unit in catalog.geography.units())]
    role._figures.take(
        Partial(CellKey(kpi.id, 0, place, "", "now", 0), 0, 1, 1, Sum(95, 100, int(is_manual)))
        for kpi in catalog.kpis
        for place in places
    )
    role._figures.take([Complete(0, 1, {name: int(NOW.timestamp() * 1e6) for name in catalog.kpis[0].fed_by})])
    role._is_complete.set()
    registry = CollectorRegistry()
    registry.register(role)
    return Counter(
        (family.name, sample.labels["admin_unit"] != "*")
        for family in registry.collect()
        for sample in family.samples
        if "window" in sample.labels
    )


def test_every_figure_has_all_its_companions(monkeypatch: pytest.MonkeyPatch) -> None:
    found = exported(monkeypatch, most=50_000)
    for name in ("numerator", "denominator", "as_of_timestamp_seconds", "stale", "manual"):
        assert (found[f"ioc_kpi_{name}", False], found[f"ioc_kpi_{name}", True]) == (KPIS, KPIS * UNITS), name


@pytest.mark.parametrize("is_manual", [False, True])
def test_above_the_bound_a_units_mark_is_told_only_where_it_is_set(
    monkeypatch: pytest.MonkeyPatch, is_manual: bool
) -> None:
    found = exported(monkeypatch, most=50, is_manual=is_manual)
    assert found["ioc_kpi_stale", False] == found["ioc_kpi_manual", False] == KPIS, "the total keeps its marks"
    assert found["ioc_kpi_stale", True] == 0
    assert found["ioc_kpi_manual", True] == (KPIS * UNITS if is_manual else 0)
    assert found["ioc_kpi_denominator", True] == KPIS * UNITS
