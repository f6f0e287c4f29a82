"""Both detectors on the product's own rendered scenes, at a quarter of their usual size."""

from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import pytest

from detectors.base import BgrImage, Detector
from detectors.construction import ConstructionDetector
from detectors.smoke import SmokeDetector
from ioc.detections import Box
from ioc.permits import Zone
from ioc.simulate.scenes import BUILDING_CAMERA, Scene, building_zone_polygon, demo_scenes

START = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
FRAMES = 28
ZONE = Zone(zone_id="plot", kind="residential", polygon=building_zone_polygon())


@cache
def scene(camera: str, *, with_event: bool) -> Scene:
    return Scene(demo_scenes(7, plume=with_event, building=with_event, width=640, height=360)[camera])


@cache
def frames(camera: str, *, with_event: bool) -> tuple[BgrImage, ...]:
    return tuple(np.ascontiguousarray(scene(camera, with_event=with_event).render(i)) for i in range(FRAMES))


def alarms(detector: Detector, images: tuple[BgrImage, ...]) -> list[tuple[int, Box]]:
    return [
        (i, candidate.box)
        for i, image in enumerate(images)
        for candidate in detector.observe(image, START + timedelta(minutes=i)).candidates
        if candidate.tier == "alarm"
    ]


@pytest.mark.parametrize("camera", ["cam-01", "cam-02", "cam-03", "cam-04"])
def test_clouds_haze_vehicles_and_shadows_raise_nothing(camera: str) -> None:
    images = frames(camera, with_event=False)
    assert alarms(SmokeDetector(), images) == []
    assert alarms(ConstructionDetector((ZONE,)), images) == []


def test_growing_plume_is_alarmed_where_it_is() -> None:
    found = alarms(SmokeDetector(), frames("cam-01", with_event=True))
    assert found, "no alarm"
    index, box = found[0]
    spec = scene("cam-01", with_event=True).spec
    truth = scene("cam-01", with_event=True).plume_box(index)
    assert spec.plume_start_frame < index <= spec.plume_start_frame + 10
    assert truth is not None
    assert truth.overlaps(box)


def test_rising_building_is_alarmed_in_its_zone_and_goes_on() -> None:
    images = frames(BUILDING_CAMERA, with_event=True)
    found = alarms(ConstructionDetector((ZONE,)), images)
    assert found, "no alarm"
    start = scene(BUILDING_CAMERA, with_event=True).spec.building_start_frame
    truth = scene(BUILDING_CAMERA, with_event=True).building_box(FRAMES - 1)
    assert start < found[0][0] <= start + 15
    assert [index for index, _ in found] == list(range(found[0][0], FRAMES))
    assert truth is not None
    assert truth.iou(found[-1][1]) > 0.4


def test_smoke_is_not_taken_for_building_nor_building_for_smoke() -> None:
    assert alarms(ConstructionDetector((ZONE,)), frames("cam-01", with_event=True)) == []
    assert alarms(SmokeDetector(), frames(BUILDING_CAMERA, with_event=True)) == []
