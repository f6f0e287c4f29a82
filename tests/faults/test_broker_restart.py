"""The broker dies under a running worker and comes back with its data; departments go on sending."""

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.dossiers import NOW, Flow, in_thread
from tests.integration.running import Running, eventually, own_broker, publish, start_worker
from tests.integration.test_worker_frames import (
    BUILDING_CAMERA,
    PLUME,
    ROLES,
    await_no_lag,
    dead_letters,
    in_step,
    incidents,
    rendered,
)

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]


class Supervised:
    """A worker that is started again when it ends, as systemd and compose do."""

    def __init__(self, stack: ExitStack, broker: str, folder: Path) -> None:
        self._stack, self._broker, self._folder = stack, broker, folder
        self.starts = 0
        self.worker = self._start()

    def _start(self) -> Running:
        self.starts += 1
        return self._stack.enter_context(
            start_worker(
                "events,figures",
                broker=self._broker,
                folder=self._folder,
                name=f"worker-{self.starts}",
                IOC_NOW=NOW,
            )
        )

    def await_ready(self, within_s: float = 90) -> None:
        """Returns once a worker is ready; one that ended meanwhile is replaced."""

        def ready() -> None:
            if not self.worker.is_running:
                self.worker = self._start()
            assert self.worker.get("/readyz")[0] == 200, self.worker.log()

        eventually(ready, within_s=within_s)


@pytest.mark.parametrize("outages", [1, 2], ids=["once", "twice"])
async def test_a_broker_killed_and_restarted_on_its_data_loses_no_event_and_counts_none_twice(
    tmp_path: Path, outages: int
) -> None:
    with own_broker(tmp_path) as kafka, ExitStack() as stack:
        supervised = await in_thread(Supervised, stack, kafka.address, tmp_path)
        await in_thread(supervised.await_ready)
        async with Flow(kafka.address, pause_s=0.01) as flow:
            for _ in range(outages):
                await flow.reaches(300)
                await in_thread(kafka.kill)
                await asyncio.sleep(2.0)  # how long the outage lasts; nothing waits for it
                await in_thread(kafka.start)
                await in_thread(supervised.await_ready)
                await flow.reaches(300)

        def exact() -> None:
            supervised.await_ready()
            flow.check(supervised.worker, within_s=0)

        await in_thread(eventually, exact, within_s=90)
        print(f"{flow.sent} dossiers, {supervised.starts} starts of the worker")
        assert supervised.worker.end() == 0


async def test_a_broker_away_for_longer_than_a_session_is_come_back_to(tmp_path: Path) -> None:
    """Twelve seconds: the group has forgotten its member, and requests have failed."""
    with own_broker(tmp_path) as kafka, ExitStack() as stack:
        supervised = await in_thread(Supervised, stack, kafka.address, tmp_path)
        await in_thread(supervised.await_ready)
        async with Flow(kafka.address, pause_s=0.01) as flow:
            await flow.reaches(200)
            await in_thread(kafka.kill)
            await asyncio.sleep(12.0)  # how long the outage lasts; nothing waits for it
            await in_thread(kafka.start)
            await flow.reaches(300)

        def exact() -> None:
            supervised.await_ready()
            flow.check(supervised.worker, within_s=0)

        await in_thread(eventually, exact, within_s=120)
        print(f"{flow.sent} dossiers, {supervised.starts} starts of the worker")
        assert supervised.worker.end() == 0


async def test_frames_that_came_before_and_after_an_outage_of_the_broker_are_all_looked_at(tmp_path: Path) -> None:
    records = in_step(cam_01=rendered(PLUME, frames=40), cam_02=rendered(BUILDING_CAMERA, frames=40))
    with own_broker(tmp_path) as kafka, start_worker(ROLES, broker=kafka.address, folder=tmp_path) as worker:
        await in_thread(worker.await_ready)
        await publish(kafka.address, records[:40])
        await in_thread(kafka.kill)  # most of them are still waiting, their detections too
        await asyncio.sleep(3.0)  # how long the outage lasts; nothing waits for it
        await in_thread(kafka.start)
        await publish(kafka.address, records[40:])

        def all_looked_at() -> None:
            looked = worker.metrics().by("ioc_frames_total", "outcome")
            assert looked["analysed"] + looked["repeated"] >= len(records), looked

        await in_thread(eventually, all_looked_at, within_s=60, alive=[worker])
        await in_thread(await_no_lag, worker, 40)
        assert await dead_letters(kafka.address) == {}
        told = await incidents(kafka.address, PLUME, BUILDING_CAMERA)
        names = [(incident.incident_id, incident.revision) for incident in told]
        assert len(names) == len(set(names))
        assert {incident.kind for incident in told if incident.state == "open"} == {"smoke", "construction"}
        assert worker.end() == 0
