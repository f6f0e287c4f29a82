"""What the construction detector knows outlives a restart, exactly, or is put aside; it never stops a worker."""

import logging
import pickle
import shutil
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import chain, pairwise, repeat
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from detectors.base import BgrImage, Observation
from detectors.construction import ConstructionDetector, ConstructionThresholds, PoseFile
from detectors.registry import detectors_with
from ioc.catalog.cameras import Camera, Pose
from ioc.cli.bench_construction_year import pose_ground
from ioc.ground import GroundMap
from ioc.permits import Zone
from ioc.simulate.site_year import FRAMES_PER_DAY, SiteYear

START = datetime(2026, 1, 1, tzinfo=UTC)
T = ConstructionThresholds(
    growth_lags=(4, 6, 8), outline_frames=6, height_frames=5, active_frames=2, active_of=3, finished_frames=16
)
STOPPED, COUNT = 44, 60  # frames
CAMERA_POSE = "cam-1:p0"


@cache
def rising() -> tuple[tuple[Zone, ...], GroundMap, tuple[BgrImage, ...]]:
    """Zones and ground of a rendered pose, and its frames from five days before its first house on."""
    pose = SiteYear(9, poses=1, works=2, days=60, width=320, height=180).pose(0)
    first = FRAMES_PER_DAY * (min(work.first_day for work in pose.works) - 5)
    zones = tuple(
        Zone(zone_id=work.plot.plot_id, kind="residential", polygon=pose.plot_polygon(work.plot)) for work in pose.works
    )
    road = Zone(zone_id="road", kind="road_corridor", polygon=pose.road_polygon)
    return (*zones, road), pose_ground(pose), tuple(pose.render(first + i) for i in range(COUNT))


def at(index: int) -> datetime:
    return START + timedelta(hours=6 * index)


def minutes_at(last: int) -> Callable[[], float]:
    """A clock that is read with each of some frames, and says that a minute has passed with the last of them."""
    return chain(repeat(0.0, last - 1), repeat(60.0)).__next__


def feed(detector: ConstructionDetector, indices: range) -> list[Observation]:
    images = rising()[2]
    return [detector.observe(images[i], at(i)) for i in indices]


def detector_in(
    folder: Path | None, *, now_s: Callable[[], float] = time.monotonic, **changes: Any
) -> ConstructionDetector:
    zones, ground, _ = rising()
    memory = None if folder is None else PoseFile(folder, CAMERA_POSE, now_s=now_s)
    options: dict[str, Any] = {"zones": zones, "ground": ground, "thresholds": T, "memory": memory, **changes}
    return ConstructionDetector(options.pop("zones"), **options)


@cache
def never_stopped() -> tuple[Observation, ...]:
    return tuple(feed(detector_in(None), range(COUNT)))


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the memory of a detector that has seen all but the last frames."""
    folder = tmp_path_factory.mktemp("kept")
    feed(detector_in(folder, now_s=minutes_at(STOPPED)), range(STOPPED))
    return folder


@pytest.fixture
def folder(stopped: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(stopped, tmp_path / "construction"))


def file_in(folder: Path, suffix: str = "construction") -> Path:
    return folder / f"cam-1%3Ap0.{suffix}"


def test_before_and_after_the_stop_everything_is_told_that_is_to_be_kept() -> None:
    for part in (never_stopped()[:STOPPED], never_stopped()[STOPPED:]):
        told = [candidate for seen in part for candidate in seen.candidates]
        works = [one.work for one in told if one.work is not None]
        assert any(one.tier == "alarm" for one in told)
        assert any(work.footprint for work in works)
        assert any(work.storeys is not None for work in works)
        assert any(work.is_active for work in works)
        assert any(work.worked_at is not None for work in works)


@pytest.mark.parametrize("stops", [(STOPPED,), (2, 7, 20, 52)], ids=["once", "while_learning_and_later"])
def test_detector_made_anew_answers_as_one_that_went_on(tmp_path: Path, stops: tuple[int, ...]) -> None:
    edges = (0, *stops, COUNT)
    answers = [
        seen
        for start, stop in pairwise(edges)
        for seen in feed(detector_in(tmp_path, now_s=minutes_at(stop - start)), range(start, stop))
    ]
    assert answers == list(never_stopped())


def test_only_the_owner_may_read_it_and_nothing_else_lies_beside_it(folder: Path) -> None:
    assert [path.name for path in folder.iterdir()] == [file_in(folder).name]
    assert file_in(folder).stat().st_mode & 0o777 == 0o600


NEW_VERSION = type("NewVersion", (ConstructionDetector,), {"version": "99.0.0"})


def smaller(folder: Path) -> Observation:
    return detector_in(folder).observe(np.ascontiguousarray(rising()[2][STOPPED][:150, :300]), at(STOPPED))


def first_seen(folder: Path, *, later: timedelta = timedelta(0), **changes: Any) -> Observation:
    return detector_in(folder, **changes).observe(rising()[2][STOPPED], at(STOPPED) + later)


def by_new_version(folder: Path) -> Observation:
    zones, ground, images = rising()
    detector = NEW_VERSION(zones, ground=ground, thresholds=T, memory=PoseFile(folder, CAMERA_POSE))
    seen: Observation = detector.observe(images[STOPPED], at(STOPPED))
    return seen


def after(change: Callable[[bytes], bytes]) -> Callable[[Path], Observation]:
    def look(folder: Path) -> Observation:
        file_in(folder).write_bytes(change(file_in(folder).read_bytes()))
        return first_seen(folder)

    return look


LEARNT_ANEW: dict[str, Callable[[Path], Observation]] = {
    "empty": after(lambda content: b""),
    "cut_off": after(lambda content: content[: len(content) // 2]),
    "one_byte_changed": after(lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]),
    "another_form": after(lambda content: content.replace(b" 1\n", b" 9\n", 1)),
    "a_pickle": after(lambda content: pickle.dumps({"at": START})),
    "parts_that_do_not_fit": after(lambda content: without_plots(content)),
    "other_version": by_new_version,
    "other_zones": lambda folder: first_seen(folder, zones=rising()[0][1:]),
    "other_thresholds": lambda folder: first_seen(folder, thresholds=ConstructionThresholds()),
    "no_ground_map": lambda folder: first_seen(folder, ground=None),
    "other_picture_size": smaller,
    "months_of_silence": lambda folder: first_seen(folder, later=timedelta(days=61)),
    "a_replay_of_last_week": lambda folder: first_seen(folder, later=-timedelta(days=7)),
}


def without_plots(content: bytes) -> bytes:
    mark, made_for, packed = content.split(b"\n", 2)
    pose = msgspec.msgpack.decode(zlib.decompress(packed))
    return b"\n".join([mark, made_for, zlib.compress(msgspec.msgpack.encode({**pose, "plots": {}}))])


@pytest.mark.parametrize("look", LEARNT_ANEW.values(), ids=LEARNT_ANEW.keys())
def test_what_does_not_fit_is_put_aside_with_one_sentence_and_learnt_anew(
    folder: Path, look: Callable[[Path], Observation], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert look(folder).state == "warming_up"
    assert len(caplog.messages) == 1
    assert "put aside as cam-1%3Ap0.unused" in caplog.messages[0]
    assert file_in(folder, "unused").exists()
    caplog.clear()
    assert file_in(folder).exists()  # what is learnt since is kept


def test_frame_that_comes_again_after_the_restart_is_not_seen_twice(folder: Path) -> None:
    detector = detector_in(folder)
    assert detector.observe(rising()[2][STOPPED - 1], at(STOPPED - 1)).rejected == {"repeated_frame": 1}
    assert feed(detector, range(STOPPED, COUNT)) == list(never_stopped()[STOPPED:])


def test_folder_that_cannot_be_written_is_told_once_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "taken").write_text("a file")
    assert feed(detector_in(tmp_path / "taken"), range(8)) == list(never_stopped()[:8])
    assert [message for message in caplog.messages if "can't be written" in message] == caplog.messages[1:]
    assert len(caplog.messages) == 2  # it can't be read either


def test_it_is_written_at_most_once_a_minute(tmp_path: Path) -> None:
    times_s = (0.0, 30.0, 59.0, 60.0, 100.0, 121.0)
    file = PoseFile(tmp_path, CAMERA_POSE, now_s=iter(times_s).__next__)
    zones, ground, images = rising()
    detector, written = ConstructionDetector(zones, ground=ground, memory=file), []
    for index in range(len(times_s)):
        file_in(tmp_path).unlink(missing_ok=True)
        detector.observe(images[index], at(index))
        written.append(file_in(tmp_path).exists())
    assert written == [True, False, False, True, False, True]


def test_refused_frame_is_not_kept(folder: Path) -> None:
    before = file_in(folder).read_bytes()
    detector = detector_in(folder)
    assert detector.observe(np.zeros_like(rising()[2][0]), at(STOPPED)).state == "degraded"
    assert file_in(folder).read_bytes() == before


def test_sampled_pose_goes_on_after_a_restart_where_it_was(tmp_path: Path) -> None:
    zones, ground, images = rising()
    pose = Pose(pose_id="p0", zones=zones, ground=ground)
    feed(detector_in(tmp_path, now_s=minutes_at(7), thresholds=None), range(7))
    factories = detectors_with("rule", construction_memory=tmp_path, construction_every=timedelta(hours=3))
    detector = factories["construction"](Camera(camera_id="cam-1", name_vi="c", poses={"p0": pose}), pose)
    assert detector is not None
    before = file_in(tmp_path).stat().st_mtime_ns
    for later, is_looked_at in ((timedelta(minutes=10), False), (timedelta(hours=2), True)):
        assert detector.observe(images[7], at(6) + later).state == "ok"
        assert (file_in(tmp_path).stat().st_mtime_ns > before) is is_looked_at
