"""A camera is covered, the frames worker is started anew, the cover is taken off: the incident ends by itself."""

from functools import partial
from pathlib import Path

import pytest

from ioc.simulate.camera_faults import CameraFault, FaultyScene
from ioc.simulate.scenes import Scene
from ioc.simulate.variety import condition_spec
from tests.integration.running import Metrics, Running, eventually, own_broker, publish, start_worker
from tests.integration.test_worker_frames import frame, incidents, record_of

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

COVERED_FROM, RESTART, UNCOVERED, END = 16, 21, 23, 27


def counted(worker: Running, name: str, count: int, **labels: str) -> None:
    def all_of_them() -> None:
        metrics: Metrics = worker.metrics()
        assert metrics.total(name, **labels) == count

    eventually(all_of_them, within_s=40, alive=[worker])


async def test_what_was_told_before_a_restart_is_cleared_after_it_and_only_once(tmp_path: Path) -> None:
    fault = CameraFault(kind="covered", start_frame=COVERED_FROM, end_frame=UNCOVERED, strength=1.0, seed=1)
    scene = FaultyScene(Scene(condition_spec("sun", 3, width=320, height=180)), fault)
    records = [record_of(frame("cam-05", scene.render_jpeg(index), index)) for index in range(END)]
    with own_broker(tmp_path) as kafka:
        start = partial(start_worker, "frames,incidents", broker=kafka.address, folder=tmp_path, IOC_SMOKE_MODEL="rule")
        with start() as worker:
            worker.await_ready()
            await publish(kafka.address, records[:RESTART])
            counted(worker, "ioc_incidents_total", 1, state="open", kind="covered")
            counted(worker, "ioc_frames_total", RESTART, outcome="analysed")
            assert worker.end() == 0
        with start() as worker:
            worker.await_ready()
            await publish(kafka.address, records[RESTART:])
            counted(worker, "ioc_incidents_total", 1, state="resolved", kind="covered")
            counted(worker, "ioc_frames_total", END - RESTART, outcome="analysed")
            assert worker.end() == 0
        told = await incidents(kafka.address, "cam-05")
    assert {one.incident_id for one in told} == {told[0].incident_id}
    assert [one.state for one in told][-1] == "resolved"
    assert sum(one.state == "resolved" for one in told) == 1
