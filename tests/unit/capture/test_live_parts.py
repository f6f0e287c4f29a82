"""The small parts of the live capture: messages, pauses, the room for stills, status and metrics."""

from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from ioc.capture.child_wire import (
    HEADER,
    Alive,
    Failed,
    Job,
    Message,
    Opened,
    Still,
    decode_message,
    encode_message,
    sizes,
)
from ioc.capture.heartbeats import heartbeat
from ioc.capture.live import LatestStills
from ioc.capture.reasons import REASONS
from ioc.capture.status import CameraStatus, CaptureCollector
from ioc.capture.stills import CapturedStill, Tally
from ioc.capture.supervisor import pause_s
from ioc.frames import MAX_FRAME_BYTES

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    "message",
    [
        Opened(codec="h264", width=1280, height=720, fps=25.0, open_s=0.4),
        Alive(packets=25, key_gap_s=2.0),
        Failed(reason="timeout", detail="ExitError"),
        Still(jpeg=b"\xff\xd8\xff", at_s=12.5, codec="h264", width=1280, height=720),
    ],
)
def test_a_message_comes_back_as_it_was(message: Message) -> None:
    data = encode_message(message)
    text_bytes, picture_bytes = sizes(data[: HEADER.size])
    text, picture = data[HEADER.size :][:text_bytes], data[HEADER.size + text_bytes :]
    assert len(picture) == picture_bytes
    assert decode_message(text, picture) == message


@pytest.mark.parametrize("header", [b"\0" * 8, b"\xff" * 8, HEADER.pack(10, MAX_FRAME_BYTES + 2)])
def test_a_child_that_lost_its_mind_is_not_believed(header: bytes) -> None:
    with pytest.raises(ValueError, match="no"):
        sizes(header)


@pytest.mark.parametrize(
    "text", [b"{}", b"[]", b'{"kind": "x"}', b'{"kind": "alive"}', b'{"kind": "still", "x": 1}', b"{"]
)
def test_another_text_is_no_message(text: bytes) -> None:
    with pytest.raises(ValueError):
        decode_message(text, b"")


def test_a_job_travels_whole_and_never_shows_its_address() -> None:
    job = Job(url="rtsp://u:s3cret@h/1", interval_s=5)
    assert Job.decode(job.encode()) == job
    assert "s3cret" not in repr(job)


@pytest.mark.parametrize(("failures", "longest_s"), [(0, 1), (1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (1_000_000, 30)])
def test_pauses_double_up_to_half_a_minute_and_chance_takes_up_to_half(failures: int, longest_s: float) -> None:
    assert pause_s(failures, 0.0) == longest_s
    assert pause_s(failures, 1.0) == longest_s / 2


def still(camera: str, sequence: int, pose: str = "p0") -> CapturedStill:
    return CapturedStill(camera_id=camera, pose_id=pose, jpeg=b"", captured_at=NOW, sequence=sequence)


async def test_the_pose_that_waited_longest_goes_first_with_its_newest_still() -> None:
    tally = Tally()
    latest = LatestStills(tally)
    for one in (still("a", 0), still("b", 0), still("a", 1), still("a", 0, "p1"), still("a", 2)):
        latest.put(one)
    got = [await latest.get() for _ in range(3)]
    assert [(one.camera_id, one.pose_id, one.sequence) for one in got] == [
        ("a", "p0", 2),
        ("b", "p0", 0),
        ("a", "p1", 0),
    ]
    assert (tally.of("a").skipped, tally.of("b").skipped) == (2, 0)


async def test_a_defect_in_a_cameras_way_is_raised_where_stills_are_fetched() -> None:
    latest = LatestStills(Tally())
    latest.fail(RuntimeError("a defect"))
    with pytest.raises(RuntimeError, match="a defect"):
        await latest.get()


def test_a_camera_is_online_while_its_stills_are_young() -> None:
    status = CameraStatus(interval_s=20, since_s=100)
    assert not status.is_online(100)
    status.pictured(110)
    assert status.is_online(170)
    assert not status.is_online(171)
    status.failed("timeout")
    assert (status.state, status.reason, status.restarts) == ("failing", "timeout", 1)
    status.pictured(200)
    assert (status.state, status.reason) == ("live", "")
    assert heartbeat("cam-01", status, now_s=203, at=NOW) == {
        "camera_id": "cam-01",
        "at": "2026-11-22T00:00:00Z",
        "online": True,
        "last_frame_age_s": 3.0,
    }


def test_metrics_tell_each_cameras_state() -> None:
    statuses = {"cam-01": CameraStatus(interval_s=5, since_s=0), "cam-02": CameraStatus(interval_s=5, since_s=0)}
    statuses["cam-01"].pictured(95)
    statuses["cam-02"].failed("unauthorized")
    tally = Tally(["cam-01"])
    tally.of("cam-01").published = 3
    tally.reject("cam-01", "unknown_pose", "…")
    registry = CollectorRegistry()
    registry.register(CaptureCollector(statuses, tally, monotonic_s=lambda: 100.0))

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    assert value("ioc_capture_online", camera="cam-01") == 1
    assert value("ioc_capture_online", camera="cam-02") == 0
    assert value("ioc_capture_last_frame_age_seconds", camera="cam-01") == 5
    assert value("ioc_capture_last_frame_age_seconds", camera="cam-02") == 100
    assert value("ioc_capture_failures_total", camera="cam-02", reason="unauthorized") == 1
    assert value("ioc_capture_restarts_total", camera="cam-02") == 1
    assert value("ioc_capture_frames_total", camera="cam-01", outcome="published") == 3
    assert value("ioc_capture_frames_total", camera="cam-01", outcome="rejected") == 1


def test_every_reason_is_said_in_both_languages() -> None:
    assert all(reason.vi and reason.en and reason.vi != reason.en for reason in REASONS.values())
