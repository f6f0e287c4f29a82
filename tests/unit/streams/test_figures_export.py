"""What the figures role tells: everything, and within the series that a province may have."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError
from prometheus_client import CollectorRegistry

from ioc.cli.bench_wall_panels import large_province
from ioc.kpis import CellKey, Partial, Sum
from streams import kpis_to_metrics
from streams.kpis_to_metrics import FiguresRole
from streams.partials import Complete

NOW = datetime(2026, 11, 22, 8, tzinfo=ZoneInfo("Asia/Ho_Chi_Minh"))
KPIS, UNITS = 3, 5
FIGURES = KPIS * (1 + UNITS)
ALL = 6 * FIGURES
OF_UNITS = ("numerator", "denominator", "as_of_timestamp_seconds", "stale", "manual")

Exported = Counter[tuple[str, bool]]
"""How many series there are by (metric, is of a unit)."""


class Export:
    """A figures role as if it had read a small province from Kafka."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, most: int, is_manual: bool = False) -> None:
        monkeypatch.setattr(kpis_to_metrics, "_MAX_SERIES", most)
        self.clock = NOW
        catalog = large_province(kpis=KPIS, units=UNITS)
        self.monotonic_s = 0.0
        role = FiguresRole(broker="", catalog=catalog, clock=lambda: self.clock, monotonic=lambda: self.monotonic_s)
        places = ["", *(unit.code for unit in catalog.geography.units())]
        role._figures.take(
            Partial(CellKey(kpi.id, 0, place, "", "now", 0), 0, 1, 1, Sum(95, 100, int(is_manual)))
            for kpi in catalog.kpis
            for place in places
        )
        role._figures.take([Complete(0, 1, {name: int(NOW.timestamp() * 1e6) for name in catalog.kpis[0].fed_by})])
        role._is_complete.set()
        self.role = role
        self.registry = CollectorRegistry()
        self.registry.register(role)

    def told(self) -> Exported:
        return Counter(
            (family.name, sample.labels["admin_unit"] != "*")
            for family in self.registry.collect()
            for sample in family.samples
            if "window" in sample.labels
        )

    def about_itself(self, name: str) -> dict[str, float]:
        """By KPI."""
        return {
            sample.labels.get("kpi", ""): sample.value
            for family in self.registry.collect()
            for sample in family.samples
            if sample.name == name
        }


def test_every_figure_has_all_its_companions(monkeypatch: pytest.MonkeyPatch) -> None:
    export = Export(monkeypatch, most=ALL)
    found = export.told()
    for name in OF_UNITS:
        assert (found[f"ioc_kpi_{name}", False], found[f"ioc_kpi_{name}", True]) == (KPIS, KPIS * UNITS), name
    assert export.about_itself("ioc_kpi_detail") == {"": 0}


@pytest.mark.parametrize("is_manual", [False, True])
def test_above_the_bound_a_units_mark_is_told_only_where_it_is_set(
    monkeypatch: pytest.MonkeyPatch, is_manual: bool
) -> None:
    export = Export(monkeypatch, most=ALL - 1, is_manual=is_manual)
    found = export.told()
    assert found["ioc_kpi_stale", False] == found["ioc_kpi_manual", False] == KPIS, "the total keeps its marks"
    assert found["ioc_kpi_stale", True] == 0
    assert found["ioc_kpi_manual", True] == (KPIS * UNITS if is_manual else 0)
    assert found["ioc_kpi_numerator", True] == found["ioc_kpi_denominator", True] == KPIS * UNITS
    assert export.about_itself("ioc_kpi_detail") == {"": 1}


def test_marks_that_come_take_the_place_of_numerators_and_go_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mark may never be what is left out: a figure that is old would look fresh."""
    most = 4 * KPIS * UNITS + 6 * KPIS
    export = Export(monkeypatch, most=most)
    assert export.told()["ioc_kpi_numerator", True] == KPIS * UNITS
    export.clock = NOW + timedelta(days=1)
    old = export.told()
    assert old.total() <= most
    assert old["ioc_kpi_stale", True] == old["ioc_kpi_denominator", True] == KPIS * UNITS
    assert (old["ioc_kpi_numerator", True], old["ioc_kpi_numerator", False]) == (0, KPIS)
    assert (export.about_itself("ioc_kpi_detail"), export.about_itself("ioc_kpi_figures_left_out")) == ({"": 2}, {})
    export.clock = NOW
    assert export.told()["ioc_kpi_numerator", True] == KPIS * UNITS


@pytest.mark.parametrize("most", [0, 6 * KPIS, 40, 50, 60, 70, 80, ALL])
def test_the_bound_holds_and_what_is_left_out_is_told_by_indicator(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, most: int
) -> None:
    """From the end of the catalogue; the province's totals always stay, with everything."""
    export = Export(monkeypatch, most=most, is_manual=True)
    export.clock = NOW + timedelta(days=1)
    found, left_out = export.told(), export.about_itself("ioc_kpi_figures_left_out")
    assert found.total() <= max(most, 6 * KPIS)
    assert sum(count for (_, is_of_unit), count in found.items() if not is_of_unit) == 6 * KPIS
    names = [f"bench_{number}" for number in range(KPIS)]
    assert left_out == dict.fromkeys(names[KPIS - len(left_out) :], UNITS)
    assert found["ioc_kpi_as_of_timestamp_seconds", True] == (KPIS - len(left_out)) * UNITS
    for kpi in left_out:
        assert f"{kpi}" in caplog.text


async def test_who_is_cut_off_from_kafka_exports_no_figure_until_it_is_answered_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It could be a zombie whose figures only look current: another exporter, or nobody, is to be believed."""
    monkeypatch.setattr(kpis_to_metrics, "_ASK_EVERY_S", 0.0)
    export, broker = Export(monkeypatch, most=ALL), Broker()
    asking = asyncio.create_task(export.role._ask_forever(broker, PLACE))  # type: ignore[arg-type]
    told = {}
    for at_s, is_there in [(0.0, True), (20.0, False), (21.0, False), (30.0, True), (50.0, False), (51.0, False)]:
        export.monotonic_s = at_s
        await broker.asked(is_there=is_there)
        assert export.role.is_ready == bool(export.told())
        told[at_s] = export.told().total()
    asking.cancel()
    assert told == {0.0: ALL, 20.0: ALL, 21.0: 0, 30.0: ALL, 50.0: ALL, 51.0: 0}


PLACE = TopicPartition("ioc.kpi.partials", 0)


class Broker:
    """Kafka as who asks it for the end of a topic meets it: each question waits until it is told what to find."""

    def __init__(self) -> None:
        self._finds: asyncio.Queue[bool] = asyncio.Queue()
        self._asked = asyncio.Event()

    async def end_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        self._asked.set()
        if not await self._finds.get():
            raise KafkaTimeoutError
        return dict.fromkeys(places, 1)

    async def asked(self, *, is_there: bool) -> None:
        """Once it was asked, has answered or not, and is asked again."""
        await self._asked.wait()
        self._asked.clear()
        self._finds.put_nowait(is_there)
        await self._asked.wait()
