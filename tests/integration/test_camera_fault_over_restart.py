"""A camera is covered, the frames worker is started anew, the cover is taken off: the incident ends by itself. And a
camera that died while no worker ran is told by the heartbeats of capture."""

import asyncio
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from ioc.cloudevents import encode_json
from ioc.frames import HEARTBEAT_TYPE
from ioc.simulate.camera_faults import CameraFault, FaultyScene
from ioc.simulate.scenes import Scene
from ioc.simulate.variety import condition_spec
from tests.integration.running import Metrics, Record, Running, eventually, own_broker, publish, start_worker
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


async def test_a_camera_that_died_while_no_worker_ran_is_told_with_its_reason_until_a_frame_comes(
    tmp_path: Path,
) -> None:
    scene = Scene(condition_spec("sun", 3, width=320, height=180))
    with own_broker(tmp_path) as kafka:
        start = partial(start_worker, "frames,incidents", broker=kafka.address, folder=tmp_path, IOC_SMOKE_MODEL="rule")
        with start() as worker:
            worker.await_ready()

            def offline() -> None:
                asyncio.run_coroutine_threadsafe(publish(kafka.address, beats()), loop).result(20)
                assert worker.metrics().total("ioc_incidents_total", state="open", kind="offline") == 1

            loop = asyncio.get_running_loop()
            await asyncio.to_thread(partial(eventually, offline, within_s=60, alive=[worker]))
            await publish(
                kafka.address, [record_of(frame("cam-05", scene.render_jpeg(0), captured_at=datetime.now(UTC)))]
            )
            counted(worker, "ioc_incidents_total", 1, state="resolved", kind="offline")
            assert worker.end() == 0
        opened, *_, ended = await incidents(kafka.address, "cam-05")
    assert (opened.state, opened.cues) == ("open", ("offline", "camera_silent"))
    assert (ended.state, ended.incident_id) == ("resolved", opened.incident_id)


def beats() -> list[Record]:
    """Capture runs, and one of its six cameras has given nothing for ten minutes."""
    now, records = datetime.now(UTC), []
    for number in range(1, 7):
        camera_id, is_online = f"cam-{number:02d}", number != 5
        age_s = 1.0 if is_online else 600.0
        data = {"camera_id": camera_id, "at": now.isoformat(), "online": is_online, "last_frame_age_s": age_s}
        value, headers = encode_json(
            data,
            event_id=f"{camera_id}:{now.isoformat()}",
            event_type=HEARTBEAT_TYPE,
            source="/lam-dong/camera/capture",
            at=now,
        )
        records.append(Record(topic="ioc.camera.health", key=camera_id.encode(), value=value, headers=headers))
    return records
