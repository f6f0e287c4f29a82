"""What every detector keeps to, whatever it looks for."""

import gc
import tracemalloc
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import pytest

from detectors.base import BgrImage, Detector, Observation
from detectors.camera_health import CameraHealthDetector
from detectors.construction import ConstructionDetector
from detectors.registry import DETECTORS
from detectors.sampling import SampledDetector
from detectors.smoke import SmokeDetector
from ioc.catalog.cameras import Camera, Pose
from ioc.permits import Zone

START = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
WHOLE = Zone(zone_id="z1", kind="residential", polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
CAMERA = Camera(camera_id="c", name_vi="c", poses={"p0": Pose(pose_id="p0", zones=(WHOLE,))})
DETECTOR_MAKERS: dict[str, Callable[[], Detector]] = {
    "smoke": SmokeDetector,
    "construction": lambda: ConstructionDetector((WHOLE,)),
    "construction_sampled": lambda: SampledDetector(ConstructionDetector((WHOLE,)), every=timedelta(minutes=2)),
    "construction_without_zones": lambda: ConstructionDetector(()),
    "camera_health": CameraHealthDetector,
}


@pytest.fixture(params=DETECTOR_MAKERS.values(), ids=DETECTOR_MAKERS.keys())
def make(request: pytest.FixtureRequest) -> Callable[[], Detector]:
    maker: Callable[[], Detector] = request.param
    return maker


@cache
def valley(width: int = 200, height: int = 150, *, seed: int = 0, noise: float = 2.0, frame: int = 0) -> BgrImage:
    """Sky over textured green ground, the same for each frame but for sensor noise."""
    ground = np.random.default_rng(seed)
    image = np.zeros((height, width, 3), np.float32)
    image[:] = (225, 200, 175)
    horizon = height // 3
    texture = ground.normal(0, 18, (height - horizon, width, 1))
    image[horizon:] = np.array([45, 95, 70]) + texture
    grain = np.random.default_rng(1000 + frame).normal(0, noise, image.shape)
    return np.clip(image + grain, 0, 255).astype(np.uint8)


def feed(detector: Detector, images: Sequence[BgrImage], *, step_s: float = 60) -> list[Observation]:
    return [detector.observe(image, START + timedelta(seconds=step_s * i)) for i, image in enumerate(images)]


def usual(count: int = 8) -> list[BgrImage]:
    return [valley(frame=i) for i in range(count)]


def infrared(count: int = 8) -> list[BgrImage]:
    return [np.repeat(image[:, :, 1:2], 3, axis=2) for image in usual(count)]


def flat(value: int, count: int = 12) -> list[BgrImage]:
    return [np.full((150, 200, 3), value, np.uint8)] * count


def white_noise() -> list[BgrImage]:
    rng = np.random.default_rng(5)
    return [rng.integers(0, 256, (150, 200, 3), dtype=np.uint8) for _ in range(12)]


STRANGE_STREAMS: dict[str, Callable[[], list[BgrImage]]] = {
    "black": lambda: flat(0),
    "white": lambda: flat(255),
    "flat_grey": lambda: flat(128),
    "noise": white_noise,
    "infrared": lambda: infrared(12),
    "infrared_in_two_dimensions": lambda: [image[:, :, 0] for image in infrared(12)],
    "day_to_infrared_and_back": lambda: [*usual(), *infrared(), *usual()],
    "light_goes_out": lambda: [*usual(), *flat(0, 5), *usual()],
    "tiny": lambda: [valley(16, 16, frame=i) for i in range(12)],
    "one_pixel_wide": lambda: [image[:, :1] for image in usual(12)],
    "panorama": lambda: [valley(1600, 40, frame=i) for i in range(12)],
    "not_contiguous": lambda: [image[::2, ::-2] for image in usual(12)],
    "resolution_changes": lambda: [*usual(), *[valley(160, 120, frame=i) for i in range(8)], *usual()],
    "another_view": lambda: [*usual(), *[valley(seed=9, frame=i) for i in range(8)]],
}


def test_every_registered_detector_is_checked_here() -> None:
    built = {name: build(CAMERA, CAMERA.pose("p0")) for name, build in DETECTORS.items()}
    assert {name: detector.name for name, detector in built.items() if detector} == {name: name for name in DETECTORS}
    assert set(DETECTORS) <= set(DETECTOR_MAKERS)


def test_name_and_version_are_stable_texts(make: Callable[[], Detector]) -> None:
    assert (make().name, make().version) == (make().name, make().version)
    assert make().name
    assert make().version


@pytest.mark.parametrize("back_s", [0, 1, 3600], ids=["same_time", "second_earlier", "hour_earlier"])
def test_frame_not_newer_than_the_last_is_refused(make: Callable[[], Detector], back_s: int) -> None:
    detector = make()
    feed(detector, usual(3))
    seen = detector.observe(valley(frame=3), START + timedelta(seconds=120 - back_s))
    assert seen.rejected == {"repeated_frame": 1}
    assert not seen.candidates


FAULTS_OF_STRANGE_STREAMS = {  # what a camera that sends them is told to have; all else is no fault of it
    "flat_grey": {"frozen"},
}


@pytest.mark.parametrize("name", STRANGE_STREAMS.keys())
def test_strange_picture_raises_no_alarm_and_no_error(make: Callable[[], Detector], name: str) -> None:
    detector = make()
    told = {c.label for seen in feed(detector, STRANGE_STREAMS[name]()) for c in seen.candidates if c.tier == "alarm"}
    faults = FAULTS_OF_STRANGE_STREAMS.get(name, set()) if detector.name == "camera_health" else set()
    assert told == faults


@pytest.mark.parametrize("name", ["smoke", "construction"])
@pytest.mark.parametrize("stream", ["black", "white", "flat_grey"])
def test_blind_camera_is_never_reported_as_ok(name: str, stream: str) -> None:
    states = {seen.state for seen in feed(DETECTOR_MAKERS[name](), STRANGE_STREAMS[stream]())}
    assert "ok" not in states


@pytest.mark.parametrize("name", ["smoke", "construction"])
def test_resolution_change_starts_again_and_says_so(name: str) -> None:
    seen = feed(DETECTOR_MAKERS[name](), [*usual(), valley(160, 120, frame=9)])
    assert seen[-2].state == "ok"
    assert (seen[-1].state, seen[-1].note) == ("warming_up", "resolution_changed")


@cache
def plume_and_building(count: int = 30) -> tuple[BgrImage, ...]:
    """Frames in which a grey column grows over the ground and a banded block stands from frame 10."""
    images = []
    for i in range(count):
        image = valley(frame=i).copy()
        if i >= 10:
            rng = np.random.default_rng(i)
            size = min(8 + 3 * (i - 10), 50)
            veil = 0.6 + 0.2 * rng.random()
            part = image[75 - size // 2 : 80, 50 - size // 4 : 50 + size // 4]
            part[:] = (part * (1 - veil) + 205 * veil).astype(np.uint8)
            image[95:130:10, 130:175] = (60, 60, 200)
            image[100:130:10, 130:175] = (230, 230, 230)
            image[95:130, 130:175:8] = (20, 20, 30)
        images.append(image)
    return tuple(images)


def test_same_frames_give_the_same_answers(make: Callable[[], Detector]) -> None:
    images = plume_and_building()
    assert feed(make(), images) == feed(make(), images)


@pytest.mark.parametrize("step_s", [1, 60, 3600], ids=["every_second", "every_minute", "every_hour"])
@pytest.mark.parametrize("name", ["smoke", "construction"])
def test_answers_depend_on_the_count_of_frames_not_on_their_times(name: str, step_s: float) -> None:
    def tiers(step: float) -> list[list[tuple[str, float]]]:
        seen = feed(DETECTOR_MAKERS[name](), plume_and_building(), step_s=step)
        return [[(candidate.tier, candidate.score) for candidate in one.candidates] for one in seen]

    assert tiers(step_s) == tiers(60)


@pytest.mark.parametrize("name", ["smoke", "construction"])
def test_what_each_looks_for_is_watched_then_alarmed_inside_the_picture(name: str) -> None:
    seen = feed(DETECTOR_MAKERS[name](), plume_and_building())
    candidates = [(i, candidate) for i, one in enumerate(seen) for candidate in one.candidates]
    first_watch = min(i for i, candidate in candidates if candidate.tier == "watch")
    first_alarm = min(i for i, candidate in candidates if candidate.tier == "alarm")
    assert 10 <= first_watch < first_alarm <= 25
    for i, candidate in candidates:
        left, top, right, bottom = candidate.box.edges
        assert -1e-9 <= left < right <= 1 + 1e-9
        assert -1e-9 <= top < bottom <= 1 + 1e-9
        assert 0 <= candidate.score <= 1
        assert candidate.label == name
        assert candidate.cues
        assert START <= candidate.first_seen_at <= START + timedelta(minutes=i)


def test_input_picture_is_left_as_it_was(make: Callable[[], Detector]) -> None:
    detector = make()
    for i, image in enumerate(plume_and_building(14)):
        before = image.copy()
        detector.observe(image, START + timedelta(minutes=i))
        assert np.array_equal(image, before)


def held_by_detectors() -> int:
    """Traced bytes that lines of `detectors/` allocated: threads that other tests left must not count."""
    gc.collect()  # what is only waiting for the collector is not held
    ours = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, "*/detectors/*.py")])
    return sum(statistic.size for statistic in ours.statistics("filename"))


def test_memory_of_a_pose_stays_bounded(make: Callable[[], Detector]) -> None:
    detector = make()
    images = plume_and_building(24)
    tracemalloc.start()
    try:
        sizes = []
        for i in range(90):
            detector.observe(images[i % 24], START + timedelta(minutes=i))
            if i in (44, 89):
                sizes.append(held_by_detectors())
    finally:
        tracemalloc.stop()
    assert sizes[0] < 8_000_000
    assert sizes[1] < sizes[0] + 300_000
