"""What is told of coverage survives what happens to workers: nothing counts twice, and time without a worker counts."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from ioc.adapters.topics import ensure_topics
from ioc.catalog import Catalog, load_catalog
from ioc.coverage_facts import COVERAGE_TOPIC, Span, read_coverage
from ioc.partitioning import partitioner
from streams.coverage_telling import CoverageTeller
from tests.integration.running import committed, own_broker
from tests.unit.domain.making import copy_of_catalog

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

EIGHT = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
CAMERAS = ("cam-01", "cam-02", "cam-03")


def span(camera_id: str, minute: int, **reasons: int) -> Span:
    begins_at = EIGHT + timedelta(minutes=minute)
    return Span(camera_id=camera_id, pose_id="p0", detector="smoke", begins_at=begins_at, expected=5, reasons=reasons)


def catalog_of(folder: Path) -> Catalog:
    copy_of_catalog(folder, lambda path: path.stem == "camera_coverage")
    path = folder / "cameras.yaml"
    cameras = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({name: cameras[name] for name in CAMERAS}, allow_unicode=True), encoding="utf-8")
    return load_catalog(folder)


async def tell(teller: CoverageTeller, spans: Sequence[Span]) -> None:
    teller.look_round()
    await teller.tell([each for each in spans if teller.is_ours(f"{each.camera_id}:{each.pose_id}")])


async def told(broker: str) -> dict[str, list[tuple[int, int]]]:
    """(minute, minutes looked at) of each camera in the order of time; a minute that is told twice stands twice."""
    found: dict[str, list[tuple[int, int]]] = {camera_id: [] for camera_id in CAMERAS}
    for record in await committed(broker, COVERAGE_TOPIC):
        each = read_coverage(record.value, record.headers)
        found[each.camera_id].append(((each.begins_at - EIGHT) // timedelta(minutes=1), each.analysed))
    return {camera_id: sorted(minutes) for camera_id, minutes in found.items()}


async def test_time_without_a_worker_counts_and_nothing_is_told_twice_by_a_second_worker(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path / "catalog")
    everything = set(range(catalog.partitions))
    with own_broker(tmp_path) as kafka:
        await ensure_topics(kafka.address, catalog.topics())

        first = CoverageTeller(catalog, broker=kafka.address, parts=lambda: everything)
        await tell(first, [span(camera, 0) for camera in CAMERAS])
        await tell(first, [span("cam-01", 5), span("cam-02", 5, offline=2), span("cam-03", 5)])
        await first.stop()
        assert await told(kafka.address) == {
            "cam-01": [(0, 5), (5, 5)],
            "cam-02": [(0, 5), (5, 3)],
            "cam-03": [(0, 5), (5, 5)],
        }

        # ---- a quarter of an hour without any worker; the next one has the last span once more in its hands ----------
        second = CoverageTeller(catalog, broker=kafka.address, parts=lambda: everything)
        await tell(second, [span(camera, minute) for minute in (5, 20) for camera in CAMERAS])
        expected = [(0, 5), (5, 5), (10, 0), (15, 0), (20, 5)]
        assert (await told(kafka.address))["cam-01"] == expected
        assert (await told(kafka.address))["cam-02"] == [(0, 5), (5, 3), (10, 0), (15, 0), (20, 5)]

        # ---- a partition goes to a third worker and comes back: each pose is told of by one of the two ----------
        part_of = {c: partitioner(catalog.partitions)([f"{c}:p0".encode()])[0] for c in CAMERAS}
        its = {part_of["cam-01"]}
        third = CoverageTeller(catalog, broker=kafka.address, parts=lambda: its)
        everything -= its
        await tell(second, [span(camera, 25) for camera in CAMERAS])
        await tell(third, [span(camera, 25) for camera in CAMERAS])
        await tell(third, [span(camera, 30) for camera in CAMERAS])
        await tell(second, [span(camera, 30) for camera in CAMERAS])
        its.clear()
        everything |= {part_of["cam-01"]}
        for teller in (second, third):
            await tell(teller, [span(camera, 35) for camera in CAMERAS])
            await teller.stop()
        for camera_id, minutes in (await told(kafka.address)).items():
            assert [minute for minute, _ in minutes] == list(range(0, 40, 5)), camera_id
            assert minutes[-3:] == [(25, 5), (30, 5), (35, 5)], camera_id


async def test_a_pose_that_was_never_told_of_begins_with_its_first_span(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path / "catalog")
    with own_broker(tmp_path) as kafka:
        await ensure_topics(kafka.address, catalog.topics())
        teller = CoverageTeller(catalog, broker=kafka.address, parts=lambda: range(catalog.partitions))
        await tell(teller, [span("cam-01", 0, offline=5)])
        await tell(teller, [span("cam-01", 5, offline=5), span("cam-02", 5)])
        await teller.stop()
        assert await told(kafka.address) == {"cam-01": [(0, 0), (5, 0)], "cam-02": [(5, 5)], "cam-03": []}
