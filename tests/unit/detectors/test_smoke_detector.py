"""The detector of one pose against a camera that does what cameras do."""

import tracemalloc
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from detectors.base import BgrImage, Observation
from detectors.preprocess import decode_jpeg
from detectors.smoke import SmokeDetector, SmokeThresholds
from detectors.smoke.choice import network_of
from detectors.smoke.guards import ClearView, Veil
from detectors.smoke.masks import PoseMasks
from ioc.opencv import cv2

START = datetime(2026, 11, 22, 1, tzinfo=UTC)
EVERYWHERE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


def valley(frame: int, *, seed: int = 0, width: int = 320, height: int = 180) -> BgrImage:
    """Sky over textured green ground, the same for each frame but for sensor noise."""
    texture = np.random.default_rng(seed).normal(0, 18, (height - height // 3, width, 1))
    image = np.zeros((height, width, 3), np.float32)
    image[:] = (225, 200, 175)
    image[height // 3 :] = np.array([45, 95, 70]) + cv2.GaussianBlur(texture, (5, 5), 1.2)[..., None] * 2
    grain = np.random.default_rng(1000 + frame).normal(0, 2, image.shape)
    return np.clip(image + grain, 0, 255).astype(np.uint8)


def smoky(frame: int, age: int) -> BgrImage:
    image = valley(frame)
    size = min(12 + 5 * age, 60)
    veil = 0.6 + 0.2 * np.random.default_rng(frame).random()
    part = image[92 - size : 92, 100 - size // 2 : 100 + size // 2]
    part[:] = (part * (1 - veil) + 205 * veil).astype(np.uint8)
    return image


def fed(images: Sequence[BgrImage], detector: SmokeDetector | None = None) -> list[Observation]:
    one = detector or SmokeDetector()
    return [one.observe(image, START + timedelta(minutes=index)) for index, image in enumerate(images)]


def fire() -> list[BgrImage]:
    return [*(valley(i) for i in range(8)), *(smoky(i, i - 8) for i in range(8, 18))]


def tiers(seen: Sequence[Observation]) -> set[str]:
    return {candidate.tier for one in seen for candidate in one.candidates}


def test_smoke_is_watched_first_and_alarmed_when_it_lasts() -> None:
    seen = fed(fire())
    first = {
        tier: next(i for i, one in enumerate(seen) if any(c.tier == tier for c in one.candidates))
        for tier in ("watch", "alarm")
    }
    assert 8 < first["watch"] < first["alarm"] <= 12
    cues = next(c.cues for one in seen for c in one.candidates if c.tier == "alarm")
    assert {"dark_channel_rise", "saturation_drop", "persistence"} <= set(cues)


@pytest.mark.parametrize("back", [timedelta(0), timedelta(hours=24)], ids=["the same frame", "yesterday's"])
def test_a_frame_that_is_not_newer_changes_nothing(back: timedelta) -> None:
    images = fire()
    detector = SmokeDetector()
    answers = []
    for index, image in enumerate(images):
        answers.append(detector.observe(image, START + timedelta(minutes=index)))
        old = detector.observe(valley(99), START + timedelta(minutes=index) - back)
        assert (old.candidates, dict(old.rejected)) == ((), {"repeated_frame": 1})
    assert answers == fed(images)


def test_another_resolution_starts_again_says_so_and_finds_smoke_after_it() -> None:
    before = [valley(i, width=400, height=300) for i in range(6)]
    seen = fed([*before, *fire()])
    assert (seen[6].state, seen[6].note) == ("warming_up", "resolution_changed")
    assert "alarm" in tiers(seen[6:])


def test_poses_that_jump_without_saying_so_are_suspended_then_learnt_anew() -> None:
    seen = fed([*(valley(i) for i in range(8)), *(valley(i, seed=9) for i in range(8, 20))])
    assert seen[8].state == "suspended"
    assert seen[8].note in {"view_changed", "camera_moved"}
    assert seen[-1].state == "ok"
    assert tiers(seen) == set()


def test_a_camera_moved_further_than_it_sways_is_suspended() -> None:
    moved = [np.roll(valley(i), 14, axis=1) for i in range(8, 10)]
    assert [one.note for one in fed([*(valley(i) for i in range(8)), *moved])][-2:] == ["camera_moved"] * 2


def test_a_camera_that_sways_is_laid_over_its_background_and_raises_nothing() -> None:
    def swayed(i: int) -> BgrImage:
        return np.roll(valley(i), (2 * (i % 2), 3 * (-1) ** i), axis=(0, 1))

    seen = fed([swayed(i) for i in range(16)])
    assert {one.note for one in seen[4:]} <= {"", "unsteady_picture"}
    assert tiers(seen) == set()


def test_infrared_is_told_and_learnt_anew() -> None:
    night = [np.repeat(valley(i)[:, :, 1:2], 3, axis=2) for i in range(8, 20)]
    seen = fed([*(valley(i) for i in range(8)), *night])
    assert [one.note for one in seen[8:10]] == ["day_night_switch"] * 2
    assert seen[-1].state == "ok"
    assert tiers(seen) == set()


STATES: list[tuple[str, Callable[[BgrImage], BgrImage], set[str]]] = [
    ("covered lens", lambda image: np.full_like(image, 90), {"no_view"}),
    ("exposure", lambda image: np.clip(image.astype(np.float32) * 1.6, 0, 255).astype(np.uint8), {"exposure_jump"}),
]


@pytest.mark.parametrize(("spoil", "notes"), [case[1:] for case in STATES], ids=[case[0] for case in STATES])
def test_what_hides_the_view_is_said_and_raises_nothing(spoil: Callable[[BgrImage], BgrImage], notes: set[str]) -> None:
    seen = fed([*(valley(i) for i in range(8)), *(spoil(valley(i)) for i in range(8, 11))])
    assert all(one.state in {"degraded", "suspended"} and one.note in notes for one in seen[8:10])
    assert tiers(seen) == set()


def test_fog_is_degraded_visibility_for_as_long_as_it_lasts() -> None:
    fog = [(valley(i) * np.float32(0.3) + np.float32(96)).astype(np.uint8) for i in range(8, 24)]
    seen = fed([*(valley(i) for i in range(8)), *fog])
    assert {one.state for one in seen[8:]} <= {"suspended", "warming_up", "degraded"}
    assert (seen[-1].state, seen[-1].note) == ("degraded", "visibility_degraded")
    assert tiers(seen) == set()


@pytest.mark.parametrize(
    ("clear", "unrest", "is_veiled"),
    [
        ((0.85, 1.0), (0.004, 0.006), True),  # rain: either comes and goes within the frames that an alarm pools
        ((0.85, 0.85), (0.001, 0.001), False),  # haze that stands
        ((1.0, 1.0), (0.02, 0.02), False),  # wind
    ],
)
def test_a_veil_is_structure_lost_in_a_restless_picture(
    clear: Sequence[float], unrest: Sequence[float], is_veiled: bool
) -> None:
    veil, doubts = Veil(frames=6), SmokeThresholds().doubts
    assert [veil.is_on(*frame, doubts) for frame in zip(clear, unrest, strict=True)][-1] is is_veiled


def test_smoke_takes_structure_in_its_place_and_a_veil_everywhere() -> None:
    rng = np.random.default_rng(3)
    ground = rng.uniform(0, 1, (30, 60)).astype(np.float32)
    view = ClearView(forget=0.0)
    assert view.share(ground) == (1.0, 1.0)
    smoky = ground.copy()
    smoky[:, 20:40] = 0.8  # two strips of six
    whole, anywhere = view.share(smoky)
    assert whole < 0.75
    assert anywhere == pytest.approx(1.0)
    veiled = (ground * np.float32(0.5)).astype(np.float32)
    assert view.share(veiled) == pytest.approx((0.5, 0.5), abs=0.01)


def test_what_is_hidden_is_not_looked_at() -> None:
    assert tiers(fed(fire(), SmokeDetector(masks=PoseMasks(hidden=(EVERYWHERE,))))) == set()
    assert "alarm" in tiers(fed(fire(), SmokeDetector(masks=PoseMasks(hidden=(((0, 0.8), (1, 0.8), (1, 1)),)))))


def test_smoke_above_the_drawn_sky_line_is_refused_with_its_reason() -> None:
    low_sky = ((0.0, 0.0), (1.0, 0.0), (1.0, 0.7), (0.0, 0.7))
    seen = fed(fire(), SmokeDetector(masks=PoseMasks(sky=(low_sky,))))
    assert tiers(seen) == set()
    assert sum(one.rejected.get("above_terrain", 0) for one in seen) > 3


def test_the_debug_view_is_one_picture_once_something_was_compared() -> None:
    detector = SmokeDetector()
    assert detector.debug_view() is None
    fed(fire(), detector)
    view = detector.debug_view()
    assert view is not None
    assert view.shape == (360, 960, 3)


def test_with_weights_a_pose_holds_less_than_6_megabytes() -> None:
    network = network_of("free")
    large = [np.asarray(cv2.resize(image, (1280, 720)), dtype=np.uint8) for image in fire()[:7]]
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        detector = SmokeDetector(network=network)
        fed(large, detector)
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert detector.debug_view() is not None
    assert held < 6_000_000


def test_reduced_decoding_gives_what_is_asked_for_and_no_less() -> None:
    ok, data = cv2.imencode(".jpg", cv2.resize(valley(0), (1280, 720)))
    assert ok
    assert decode_jpeg(data.tobytes()).shape == (720, 1280, 3)
    assert decode_jpeg(data.tobytes(), least_width_px=640).shape == (360, 640, 3)
    assert decode_jpeg(data.tobytes(), least_width_px=641).shape == (720, 1280, 3)
