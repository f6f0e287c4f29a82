"""The health of a camera on scripted pictures: what is told, when, by which name, and when it is over."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors.base import BgrImage, Observation
from detectors.camera_health import CameraHealthDetector, HealthFile, HealthThresholds
from ioc.opencv import cv2

START = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
USUAL = 20
Change = Callable[[BgrImage], BgrImage]


@cache
def ground(shift_px: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(4)
    wide = np.full((180, 480, 3), (70, 105, 90), np.float32)
    for _ in range(420):
        x, y = int(rng.integers(0, 470)), int(rng.integers(55, 175))
        colour = rng.uniform(30, 200) * np.array([rng.uniform(0.6, 1), 1, rng.uniform(0.8, 1.2)])
        wide[y : y + int(rng.integers(2, 9)), x : x + int(rng.integers(2, 12))] = colour
    wide[:50] = (215, 190, 165)
    return np.asarray(wide[:, 80 + shift_px : 400 + shift_px], dtype=np.float32)


@cache
def noise(number: int) -> NDArray[np.float32]:
    return np.random.default_rng(number).normal(0, 1.5, (180, 320, 3)).astype(np.float32)


def town(index: int, *, shift_px: int = 0, gain: float = 1.0) -> BgrImage:
    """Houses and fields as a camera sees them, 320 × 180, with the noise of frame `index`."""
    return _picture(ground(shift_px) * gain + noise(index % 20))


def _picture(values: object) -> BgrImage:
    return np.asarray(np.clip(np.asarray(values), 0, 255), dtype=np.uint8)


def any_noise(image: BgrImage) -> NDArray[np.float32]:
    """Of this frame, and unlike that of the frame before."""
    return noise(100 + int(image.sum()) % 20)


def bag(image: BgrImage) -> BgrImage:
    return _picture(np.full(image.shape, (60, 70, 66), np.float32) + any_noise(image))


def out_of_focus(image: BgrImage) -> BgrImage:
    return _picture(cv2.GaussianBlur(image, (0, 0), 2.0) + any_noise(image))


def spots(image: BgrImage) -> BgrImage:
    """Fifty soft blots, the same each time."""
    rng = np.random.default_rng(8)
    cover = np.zeros(image.shape[:2], np.float32)
    for x, y, radius in zip(rng.integers(0, 320, 50), rng.integers(0, 180, 50), rng.integers(4, 11, 50), strict=True):
        cv2.circle(cover, (int(x), int(y)), int(radius), (0.9,), -1)
    cover = np.asarray(cv2.GaussianBlur(cover, (0, 0), 1.5), dtype=np.float32)[..., None]
    return _picture(image * (1 - cover) + 0.5 * (cv2.GaussianBlur(image, (0, 0), 4) + 120.0) * cover)


def brightened(image: BgrImage) -> BgrImage:
    return _picture(image * 2.6 + 20.0)


def darkened(image: BgrImage) -> BgrImage:
    return _picture(image * 0.2)


def turned(image: BgrImage) -> BgrImage:
    return _picture(ground(61) + any_noise(image))


FAULTS: dict[str, Change] = {
    "covered": bag,
    "blurred": out_of_focus,
    "dirty_lens": spots,
    "over_exposed": brightened,
    "under_exposed": darkened,
    "moved": turned,
    "frozen": lambda image: town(USUAL - 1),
}


def watched(
    pictures: Iterable[BgrImage], *, detector: CameraHealthDetector | None = None, step_s: float = 60, from_s: float = 0
) -> list[Observation]:
    health = detector or CameraHealthDetector()
    return [
        health.observe(image, START + timedelta(seconds=from_s + step_s * index))
        for index, image in enumerate(pictures)
    ]


def told(seen: Iterable[Observation]) -> list[str]:
    """`tier label` of each frame that tells something, repetitions left out."""
    names = [f"{c.tier} {c.label}" for one in seen for c in one.candidates]
    return [name for index, name in enumerate(names) if index == 0 or names[index - 1] != name]


def frames(*changes: tuple[int, Change | None]) -> list[BgrImage]:
    """(count, change) one after another."""
    pictures: list[BgrImage] = []
    for count, change in changes:
        for _ in range(count):
            image = town(len(pictures))
            pictures.append(change(image) if change else image)
    return pictures


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_within_five_minutes_by_its_name_and_once_when_it_is_over(fault: str) -> None:
    seen = watched(frames((USUAL, None), (6, FAULTS[fault]), (6, None)))
    assert told(seen[:USUAL]) == []
    assert told(seen) == [f"alarm {fault}", f"clear {fault}"]
    assert any(one.candidates for one in seen[: USUAL + 6])
    assert sum(c.tier == "clear" for one in seen for c in one.candidates) == 1
    assert (seen[USUAL + 5].state, seen[USUAL + 5].note) == ("suspended", fault)
    assert (seen[-1].state, seen[-1].note) == ("ok", "")


def test_a_cover_never_becomes_the_view() -> None:
    seen = watched(frames((USUAL, None), (60, bag), (4, None)))
    assert told(seen) == ["alarm covered", "clear covered"]


def test_a_fault_keeps_its_first_name_whatever_it_turns_into() -> None:
    seen = watched(frames((USUAL, None), (6, bag), (6, turned), (4, None)))
    assert told(seen) == ["alarm covered", "clear covered"]


def test_fog_that_comes_slowly_over_a_dirty_lens_is_no_cover() -> None:
    def fog(image: BgrImage, thick: float) -> BgrImage:
        return _picture(spots(image) * (1 - thick) + 185.0 * thick + any_noise(image))

    hidden = [fog(town(60 + i), min(0.96, 0.06 * i)) for i in range(22)]
    assert told(watched([*frames((USUAL, None), (6, spots)), *hidden])) == ["alarm dirty_lens"]


DIRT_TWICE = ((USUAL, None), (6, spots), (14, None), (8, spots))


def test_dirt_that_went_by_itself_has_to_stay_before_it_is_told_again(tmp_path: Path) -> None:
    kept = HealthFile(tmp_path, "cam-1:p0")
    assert told(watched(frames(*DIRT_TWICE), detector=CameraHealthDetector(memory=kept))) == [
        "alarm dirty_lens",
        "clear dirty_lens",
    ]
    again = watched(frames((12, None), (8, spots)), detector=CameraHealthDetector(memory=kept), from_s=60 * 60)
    assert told(again) == []


@pytest.mark.parametrize(
    "kinder",
    [
        {"doubted_for": timedelta(minutes=10)},  # the week is over
        {"doubted_grace": timedelta(minutes=4)},  # it stayed
        {"short_lived": timedelta(minutes=1)},  # it was there for a day, and was wiped
    ],
)
def test_dirt_is_told_again_when_it_stays_or_was_real_or_long_ago(kinder: dict[str, timedelta]) -> None:
    health = CameraHealthDetector(HealthThresholds(**kinder))  # type: ignore[arg-type]  # all of these are times
    seen = told(watched(frames(*DIRT_TWICE), detector=health))
    assert seen == ["alarm dirty_lens", "clear dirty_lens", "alarm dirty_lens"]


def test_dirt_that_is_gone_is_told_no_more() -> None:
    assert told(watched(frames((USUAL, None), (4, spots), (6, None)))) == []  # the drops ran off within the grace


def test_one_bad_frame_is_nothing() -> None:
    seen = watched(frames((USUAL, None), (1, bag), (6, None), (2, darkened), (6, None)))
    assert told(seen) == []
    assert (seen[USUAL].state, seen[USUAL].note) == ("degraded", "covered")


def test_the_grace_of_a_camera_is_kept() -> None:
    patient = CameraHealthDetector(grace=timedelta(minutes=20))
    seen = watched(frames((USUAL, None), (15, bag), (4, None)), detector=patient)
    assert told(seen) == []


def test_fog_that_comes_over_minutes_is_no_fault_but_sees_little() -> None:
    def fog(image: BgrImage, thick: float) -> BgrImage:
        return _picture(image * (1 - thick) + 185.0 * thick + any_noise(image))

    thick = [min(0.85, 0.06 * index) for index in range(25)]
    seen = watched([town(i) for i in range(USUAL)] + [fog(town(40 + i), each) for i, each in enumerate(thick)])
    assert told(seen) == []
    assert (seen[-1].state, seen[-1].note) == ("degraded", "visibility_degraded")


def test_dusk_is_no_fault_and_night_is_darkness() -> None:
    gains = [max(0.08, 1 - 0.04 * index) for index in range(40)]
    seen = watched([town(i) for i in range(USUAL)] + [town(40 + i, gain=each) for i, each in enumerate(gains)])
    assert told(seen) == []
    assert (seen[-1].state, seen[-1].note) == ("degraded", "darkness")


def test_a_road_at_night_where_nobody_drives_for_a_while_is_no_cover() -> None:
    rng = np.random.default_rng(6)
    lamps = [(int(x), int(y)) for x, y in zip(rng.integers(5, 315, 25), rng.integers(70, 175, 25), strict=True)]

    def night(index: int) -> BgrImage:
        seen = np.full((180, 320, 3), 14.0, np.float32)
        for place in lamps:
            cv2.circle(seen, place, 2, (90.0, 120.0, 140.0), -1)
        for x in range(20, 320, 40) if rng.random() < 0.5 and index < 60 else ():
            cv2.line(seen, (x, 120), (x + 30, 112), (255.0, 255.0, 255.0), 5)
        return _picture(seen + noise(index % 20))

    assert told(watched(night(index) for index in range(70))) == []


def test_the_switch_to_infrared_is_no_fault() -> None:
    def grey(image: BgrImage) -> BgrImage:
        return np.repeat(image[:, :, 1:2], 3, axis=2)

    assert told(watched(frames((USUAL, None), (20, grey), (20, None)))) == []


def test_after_a_gap_other_light_is_no_fault() -> None:
    health = CameraHealthDetector()
    watched(frames((USUAL, None)), detector=health)
    assert told(watched([town(i, gain=0.3) for i in range(8)], detector=health, from_s=4 * 3600)) == []


def test_frames_that_come_quicker_are_looked_at_twice_a_minute() -> None:
    quick = [town(i // 6) for i in range(6 * USUAL)]  # the same picture for half a minute: a slow encoder, no fault
    assert told(watched(quick, step_s=5)) == []


@pytest.mark.parametrize(
    ("fault", "restart_at"),
    [*((fault, USUAL + 8) for fault in FAULTS), ("covered", USUAL + 5), ("frozen", USUAL + 5)],
)
def test_a_fault_that_began_before_a_restart_is_still_told_and_cleared_once(
    fault: str, restart_at: int, tmp_path: Path
) -> None:
    pictures = frames((USUAL, None), (8, FAULTS[fault]), (8, None))
    kept = HealthFile(tmp_path, "cam 1/2:p0")
    before = watched(pictures[: min(restart_at, USUAL + 6)], detector=CameraHealthDetector(memory=kept))
    assert told(before) == [f"alarm {fault}"]
    after = watched(pictures[restart_at:], detector=CameraHealthDetector(memory=kept), from_s=60 * restart_at)
    assert told(after)[-1] == f"clear {fault}"
    assert sum(c.tier == "clear" for one in after for c in one.candidates) == 1
    assert {c.label for one in after for c in one.candidates} == {fault}


@pytest.mark.parametrize("fault", ["covered", "blurred", "moved"])
def test_what_begins_while_the_worker_is_away_is_told(fault: str, tmp_path: Path) -> None:
    kept = HealthFile(tmp_path, "cam-1:p0")
    assert told(watched(frames((USUAL + 1, None)), detector=CameraHealthDetector(memory=kept))) == []
    faulty = [FAULTS[fault](town(index)) for index in range(6)]
    again = CameraHealthDetector(memory=kept)
    assert told(watched(faulty, detector=again, from_s=60 * (USUAL + 3))) == [f"alarm {fault}"]


def test_a_memory_that_can_not_be_used_is_none(tmp_path: Path) -> None:
    kept = HealthFile(tmp_path, "cam-1:p0")
    path = tmp_path / "cam-1%3Ap0.msgpack"
    path.write_bytes(b"\x81\xa4form")
    assert told(watched(frames((USUAL, None), (6, bag)), detector=CameraHealthDetector(memory=kept))) == [
        "alarm covered"
    ]
    past = watched(frames((4, None)), detector=CameraHealthDetector(memory=kept), from_s=-86_400)
    assert [(one.note, one.candidates) for one in past] == [("warming_up", ())] * 4  # a replay of yesterday
    path.unlink(missing_ok=True)
    path.mkdir()
    assert told(watched(frames((USUAL, None), (6, bag)), detector=CameraHealthDetector(memory=kept))) == [
        "alarm covered"
    ]


def test_what_a_restart_finds_hidden_is_called_unseen_and_not_well() -> None:
    seen = watched(frames((24, bag)))
    assert told(seen) == []
    assert {(one.state, one.note) for one in seen[12:]} == {("degraded", "no_pattern")}
