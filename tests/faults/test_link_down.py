"""The broker behind the gateway is away for thirty seconds while a department publishes through the SDK."""

from pathlib import Path

import pytest

from tests.integration.dossiers import DOSSIERS, NOW, in_thread
from tests.integration.running import Figure, eventually, start_worker
from tests.integration.sdk_outage import open_door, publish_through_an_outage

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]
OUTAGE_S = 30.0


async def test_thirty_seconds_without_a_broker_lose_no_event_and_count_none_twice(tmp_path: Path) -> None:
    """The worker starts afterwards, as it would after such an outage: what it counts is what Kafka holds."""
    opened = open_door(tmp_path)
    door = await in_thread(opened.__enter__)
    try:
        told = await publish_through_an_outage(door, tmp_path / "spool", outage_s=OUTAGE_S)
        with start_worker("events,figures", broker=door.kafka.address, folder=tmp_path, IOC_NOW=NOW) as worker:
            await in_thread(worker.await_ready)

            def exact() -> None:
                amount = len(told.results)
                shown = worker.metrics().figure("dossiers_online", "mtd")
                assert shown == Figure(numerator=amount, denominator=amount)

            await in_thread(eventually, exact, within_s=60, alive=[worker])
            counted = worker.metrics().outcomes(DOSSIERS)
            assert counted["accepted"] == len(told.results)
            print(f"{len(told.results)} told, {told.amount('spooled')} spooled, the worker saw {counted}")
    finally:
        await in_thread(opened.__exit__, None, None, None)
