"""A worker's construction detector: one frame of each slot of the day, and a memory that outlives every restart."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry

from ioc.catalog import Catalog
from ioc.detections import Detection
from ioc.opencv import cv2
from streams.frames_to_detections import FramesRole
from streams.metrics import PipelineMetrics
from tests.unit.detectors.test_construction_memory import at, rising
from tests.unit.domain.making import catalog
from tests.unit.streams.test_frames_to_detections import Event, Producer, a_frame, message_of

FIRST, LAST = 12, 44  # frames: two days of empty ground, then a house rises
FOUR_HOURS_S = 14_400.0


def over_the_plots() -> Catalog:
    """The starting catalogue; cam-02 looks at the rendered pose."""
    zones, ground, _ = rising()
    known = catalog()
    camera = known.cameras["cam-02"]
    pose = replace(camera.poses["p0"], zones=zones, ground=ground)
    return replace(known, cameras={**known.cameras, "cam-02": replace(camera, poses={"p0": pose})})


class Worker:
    """The frames role of one process, without Kafka."""

    def __init__(self, state: Path, known: Catalog) -> None:
        self.registry = CollectorRegistry()
        self.role = FramesRole(
            broker="127.0.0.1:1",
            catalog=known,
            clock=lambda: at(LAST) + timedelta(days=1),
            metrics=PipelineMetrics(self.registry),
            folder=state / "faust",
            state=state,
            smoke_model="rule",
            construction_every_s=FOUR_HOURS_S,
        )
        self.role._producer = self.producer = Producer()

    async def see(self, index: int) -> None:
        """The frame of that time, and one half an hour later."""
        jpeg = bytes(cv2.imencode(".jpg", rising()[2][index])[1].tobytes())
        for later in (timedelta(), timedelta(minutes=30)):
            frame = a_frame(jpeg, camera_id="cam-02", captured_at=at(index) + later)
            event = Event(message_of(frame))
            await self.role._take(event)
            await event.acked.wait()

    @property
    def told(self) -> list[Detection]:
        return [one for one in self.producer.detections() if one.detector == "construction"]


def shown(detections: Sequence[Detection]) -> list[Detection]:
    return [replace(one, detection_id="", frame_ref="") for one in detections]


async def test_a_worker_that_is_restarted_after_each_sample_tells_what_one_that_never_stopped_tells(
    tmp_path: Path,
) -> None:
    known = over_the_plots()
    steady = Worker(tmp_path / "steady", known)
    told: list[Detection] = []
    for index in range(FIRST, LAST):
        await steady.see(index)
        restarted = Worker(tmp_path / "restarted", known)
        await restarted.see(index)
        told += restarted.told
    assert shown(told) == shown(steady.told)
    alarms = [one for one in told if one.tier == "alarm" and one.label == "construction"]
    assert alarms
    assert min(one.first_seen_at for one in alarms) < alarms[0].frame_at
    assert {one.frame_at for one in told} <= {at(index) for index in range(FIRST, LAST)}, (
        "the later ones: not looked at"
    )
