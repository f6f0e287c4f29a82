"""Cameras that fall silent and clocks that are wrong, told from when frames come."""

from datetime import UTC, datetime, timedelta

import pytest

from ioc.camera_presence import CameraPresence
from ioc.catalog.cameras import Camera, Pose

START = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
CAMERAS = {name: Camera(camera_id=name, name_vi=name, poses={}) for name in [f"cam-{i}" for i in range(8)]}


def run(
    *,
    minutes: int = 30,
    every_s: float = 60,
    silent: dict[str, tuple[int, int]] | None = None,
    off_s: dict[str, tuple[int, float]] | None = None,
    names: tuple[str, ...] = ("cam-0", "cam-1"),
) -> list[tuple[str, str, str, int]]:
    """(tier, label, camera, second) of what is told, each once in a row. `silent`: the minutes from and to; `off_s`:
    from which minute on, and by how much a clock is off."""
    presence = CameraPresence(CAMERAS)
    told: list[tuple[str, str, str, int]] = []
    standing: set[tuple[str, str]] = set()
    for second in range(0, minutes * 60, 10):
        now = START + timedelta(seconds=second)
        for name in names:
            begin, end = (silent or {}).get(name, (10_000, 0))
            if second % every_s == 0 and not begin * 60 <= second < end * 60:
                from_minute, off = (off_s or {}).get(name, (10_000, 0.0))
                wrong = timedelta(seconds=off if second >= from_minute * 60 else 0)
                presence.saw(name, "p0", captured_at=now + wrong, published_at=now, at=now)
        for each in presence.told(now):
            key = each.camera_id, each.label
            if (each.tier == "alarm") != (key in standing):
                told.append((each.tier, each.label, each.camera_id, second))
                standing ^= {key}
    return told


@pytest.mark.parametrize("every_s", [5, 60])
def test_a_silent_camera_is_told_within_five_minutes_and_cleared_with_its_next_frame(every_s: float) -> None:
    alarm, clear = run(every_s=every_s, silent={"cam-1": (10, 20)})
    assert alarm[:3] == ("alarm", "offline", "cam-1")
    assert 600 < alarm[3] <= 900
    assert clear == ("clear", "offline", "cam-1", 1200)


def test_one_lost_frame_and_a_slow_tour_are_no_silence() -> None:
    assert run(silent={"cam-1": (10, 11)}) == []
    assert run(every_s=600, minutes=90) == []


def test_when_most_fall_silent_at_once_it_is_no_camera() -> None:
    names = tuple(CAMERAS)
    assert run(names=names, silent=dict.fromkeys(names[:6], (10, 25))) == []
    assert len(run(names=names, silent=dict.fromkeys(names[:2], (10, 25)))) == 4


@pytest.mark.parametrize("off_s", [-3600.0, -75.0, 65.0])
def test_a_wrong_clock_is_told_after_five_frames(off_s: float) -> None:
    (alarm,) = run(off_s={"cam-0": (10, off_s)})
    assert alarm[:3] == ("alarm", "clock_skew", "cam-0")
    assert 600 <= alarm[3] <= 900


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


@pytest.mark.parametrize(
    ("beats_until", "is_online", "why"),
    [(0, False, ""), (300, False, "capture_silent"), (900, False, "camera_silent"), (900, True, "pictures_unused")],
)
def test_the_heartbeats_of_capture_tell_why_a_camera_is_silent(beats_until: int, is_online: bool, why: str) -> None:
    presence = CameraPresence(CAMERAS)
    found: set[str] = set()
    for second in range(0, 900, 10):
        for name in ("cam-0", "cam-1"):
            if second < 300 or name == "cam-0":
                presence.saw(name, "p0", captured_at=at(second), published_at=at(second), at=at(second))
            if second % 30 == 0 and second < beats_until:
                was_seen = name == "cam-0" or is_online or second < 300
                age_s = 1.0 if was_seen else second - 300.0
                presence.heard(name, is_online=was_seen, age_s=age_s, at=at(second))
        found |= {each.why for each in presence.told(at(second)) if each.tier == "alarm"}
    assert found == {why}


def test_a_camera_that_died_while_no_worker_ran_is_told_by_capture_and_cleared_by_its_first_frame() -> None:
    cameras = {name: Camera(camera_id=name, name_vi=name, poses={"p0": Pose(pose_id="p0")}) for name in CAMERAS}
    presence = CameraPresence(cameras)
    for name in ("cam-0", "cam-1", "cam-2"):
        presence.heard(name, is_online=name != "cam-1", age_s=400.0 if name == "cam-1" else 1.0, at=at(0))
    (alarm,) = presence.told(at(10))
    assert (alarm.tier, alarm.camera_id, alarm.label, alarm.why) == ("alarm", "cam-1", "offline", "camera_silent")
    assert alarm.since == at(-400)
    assert presence.told(at(10), lambda pose: pose != "cam-1:p0") == []  # another worker tells it
    assert presence.told(at(200)) == []  # capture is gone meanwhile: nobody knows
    presence.saw("cam-1", "p0", captured_at=at(210), published_at=at(210), at=at(210))
    assert [(each.tier, each.camera_id) for each in presence.told(at(211))] == [("clear", "cam-1")]


def test_when_capture_has_no_picture_of_most_cameras_none_of_them_is_told() -> None:
    cameras = {name: Camera(camera_id=name, name_vi=name, poses={"p0": Pose(pose_id="p0")}) for name in CAMERAS}
    presence = CameraPresence(cameras)
    for number, name in enumerate(cameras):
        presence.heard(name, is_online=number < 3, age_s=400.0, at=at(0))
    assert presence.told(at(10)) == []


def test_a_right_clock_is_cleared() -> None:
    presence = CameraPresence(CAMERAS)
    tiers = []
    for second in range(0, 900, 60):
        now = START + timedelta(seconds=second)
        off = timedelta(seconds=200 if second < 400 else 0)
        presence.saw("cam-0", "p0", captured_at=now + off, published_at=now, at=now)
        tiers += [each.tier for each in presence.told(now) if each.label == "clock_skew"]
    assert tiers == ["alarm"] * (len(tiers) - 1) + ["clear"]


def test_frames_that_wait_on_a_slow_line_are_no_wrong_clock() -> None:
    presence = CameraPresence(CAMERAS)
    for minute in range(12):
        now = START + timedelta(minutes=minute)
        late = timedelta(seconds=70 + 40 * (minute % 3))
        presence.saw("cam-0", "p0", captured_at=now - late, published_at=now, at=now)
        assert not [each for each in presence.told(now) if each.label == "clock_skew"]


def test_after_a_restart_a_camera_that_is_heard_is_cleared_once() -> None:
    presence = CameraPresence(CAMERAS)
    presence.saw("cam-0", "p0", captured_at=START, published_at=START, at=START)
    assert [(each.tier, each.label) for each in presence.told(START)] == [("clear", "offline")]
    assert presence.told(START) == []


def test_poses_of_other_workers_and_unknown_cameras_are_not_told() -> None:
    presence = CameraPresence(CAMERAS)
    presence.saw("cam-0", "p0", captured_at=START, published_at=START, at=START, part=3)
    presence.saw("cam-99", "p0", captured_at=START, published_at=START, at=START)
    presence.forget_all_but({1})
    assert presence.told(START + timedelta(hours=1)) == []
