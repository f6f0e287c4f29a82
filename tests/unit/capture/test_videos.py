from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from ioc.capture.stills import CapturedStill
from ioc.capture.videos import VideoSource
from ioc.errors import ConfigurationError
from ioc.frames import inspect_jpeg
from ioc.opencv import cv2
from tests.unit.capture.timekeeping import BEGIN, FakeTime

FPS, SECONDS = 10, 4


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of 64×48, ten pictures a second, each brighter than the one before."""
    path = tmp_path_factory.mktemp("video") / "100% hill.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (64, 48))
    for number in range(FPS * SECONDS):
        writer.write(np.full((48, 64, 3), 6 * number, np.uint8))
    writer.release()
    return path


def source(path: Path | str, time: FakeTime, *, interval_s: float = 1.0, **more: object) -> VideoSource:
    return VideoSource(
        path, camera_id="cam-01", pose_id="p0", interval_s=interval_s, clock=time.clock, pacer=time.pacer(), **more
    )  # type: ignore[arg-type]  # a table


def brightness(still: CapturedStill) -> int:
    image = cv2.imdecode(np.frombuffer(still.jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    return round(float(image.mean()))


@pytest.mark.parametrize(("interval_s", "expected"), [(1.0, [0, 60, 120, 180]), (1.5, [0, 90, 180]), (10, [0])])
async def test_a_still_is_taken_every_interval_of_its_own_time(
    video: Path, interval_s: float, expected: list[int]
) -> None:
    stills = [still async for still in source(video, FakeTime(), interval_s=interval_s).stills()]
    assert [brightness(still) for still in stills] == pytest.approx(expected, abs=4)
    assert [still.sequence for still in stills] == list(range(len(expected)))
    assert all(inspect_jpeg(still.jpeg) == (64, 48) for still in stills)


async def test_captured_at_is_the_clock_or_the_videos_own_time(video: Path) -> None:
    live = [still.captured_at async for still in source(video, FakeTime(), interval_s=2).stills()]
    assert live == [BEGIN, BEGIN + timedelta(seconds=1)]
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    own = [still.captured_at async for still in source(video, FakeTime(), interval_s=2, starts_at=begun).stills()]
    assert own == [begun, begun + timedelta(seconds=2)]


async def test_a_slow_sink_skips_in_the_video_too(video: Path) -> None:
    time = FakeTime()
    playing = source(video, time)
    seen = []
    async for still in playing.stills():
        seen.append((still.sequence, brightness(still)))
        time.now_s += 2.2 if still.sequence == 0 else 0
    assert [sequence for sequence, _ in seen] == [0, 2, 3]
    assert seen[1][1] == pytest.approx(120, abs=4)
    assert playing.tally.of("cam-01").skipped == 1


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        pytest.param("rtsp://admin:secret@10.0.0.1/1", "ioc capture rtsp", id="RTSP"),
        pytest.param("http://user:secret@host/x.mp4", "reads local files", id="HTTP"),
        pytest.param("/nowhere/x.mp4", "no such video file", id="missing"),
    ],
)
def test_what_is_no_local_file_is_refused_without_showing_a_password(address: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence) as refusal:
        source(address, FakeTime())
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"not a video", b"#EXTM3U\nhttp://127.0.0.1/x.ts\n"])
async def test_a_file_that_is_no_video_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.mp4").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"x\.mp4: can't be read as a video"):
        await anext(source(tmp_path / "x.mp4", FakeTime()).stills())


async def test_a_video_cut_short_gives_what_it_has(video: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.avi"
    cut.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    stills = [still async for still in source(cut, FakeTime()).stills()]
    assert 1 <= len(stills) <= 3


@pytest.mark.parametrize("interval_s", [0.0, -1.0, float("nan"), 86_401.0])
def test_an_interval_out_of_range_is_a_sentence(video: Path, interval_s: float) -> None:
    with pytest.raises(ConfigurationError, match="--interval"):
        source(video, FakeTime(), interval_s=interval_s)
