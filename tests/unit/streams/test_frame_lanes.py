"""Frames in lanes: what gives way, what waits, and that one slow pose holds no other."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from ioc.frames import Frame
from streams.frame_lanes import MAX_WAITING, FrameLanes, WaitingFrame, superseded

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
LATE_S = 20.0


def waiting(
    second: float, *, pose: str = "p0", published: float | None = None, is_replay: bool = False
) -> WaitingFrame:
    """A frame captured `second` seconds from NOW, and published at once unless said otherwise."""
    captured_at = NOW + timedelta(seconds=second)
    frame = Frame(
        camera_id="cam-01", pose_id=pose, sequence=0, captured_at=captured_at, sha256="", jpeg=b"x", is_replay=is_replay
    )
    published_s = NOW.timestamp() + (second + 0.1 if published is None else published)
    return WaitingFrame(
        key=frame.key.encode(),
        captured_at=captured_at,
        published_s=published_s,
        is_replay=is_replay,
        event=None,
        frame=frame,
    )


def seconds(frames: Sequence[WaitingFrame]) -> list[float]:
    return [(frame.captured_at - NOW).total_seconds() for frame in frames]


@pytest.mark.parametrize(
    ("frames", "gives_way"),
    [
        pytest.param([waiting(-15), waiting(-10), waiting(-5)], [], id="none is late"),
        pytest.param([waiting(-25), waiting(-10), waiting(-5)], [-25, -10], id="the newest goes first"),
        pytest.param([waiting(-5), waiting(-25)], [-25], id="newest by its capture, not by its place"),
        pytest.param([waiting(-3600)], [], id="a late one that nothing replaces"),
        pytest.param([waiting(-3600, is_replay=True), waiting(-5, is_replay=True)], [], id="a declared replay"),
        pytest.param([waiting(-3600, published=-30), waiting(-3540, published=-30)], [], id="old when published"),
        pytest.param(
            [waiting(-3600, published=-30), waiting(-30), waiting(-1)], [-30], id="a replay beside a live camera"
        ),
    ],
)
def test_a_late_live_frame_gives_way_to_a_newer_one_of_its_pose(
    frames: list[WaitingFrame], gives_way: list[float]
) -> None:
    assert seconds(superseded(frames, now_s=NOW.timestamp(), late_s=LATE_S)) == gives_way


@dataclass
class Bench:
    """Lanes whose work waits for the test's word."""

    late_s: float | None = LATE_S
    width: int = 4
    started: list[WaitingFrame] = field(default_factory=list)
    skipped: list[WaitingFrame] = field(default_factory=list)
    gates: dict[bytes, asyncio.Event] = field(default_factory=dict)
    error: Exception | None = None

    def __post_init__(self) -> None:
        self.lanes = FrameLanes(
            work=self.work, skip=self.skipped.append, late_s=self.late_s, now_s=NOW.timestamp, width=self.width
        )

    async def work(self, frame: WaitingFrame) -> None:
        self.started.append(frame)
        if self.error is not None:
            raise self.error
        if frame.key in self.gates:
            await self.gates[frame.key].wait()

    async def put(self, *frames: WaitingFrame) -> None:
        for frame in frames:
            await self.lanes.put(frame)
        await self.settle()

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)


async def test_one_slow_pose_holds_no_other_and_has_one_frame_at_a_time() -> None:
    bench = Bench(width=2)
    bench.gates[b"cam-01:slow"] = asyncio.Event()
    await bench.put(*(waiting(-3 + index, pose=pose) for index in range(3) for pose in ("slow", "quick")))
    assert [frame.frame.pose_id for frame in bench.started] == ["slow", "quick", "quick", "quick"]
    bench.gates[b"cam-01:slow"].set()
    await bench.settle()
    assert seconds([frame for frame in bench.started if frame.frame.pose_id == "slow"]) == [-3, -2, -1]
    assert bench.skipped == []


async def test_what_a_slow_pose_missed_is_skipped_and_told_and_the_newest_comes_next() -> None:
    bench = Bench()
    gate = bench.gates[b"cam-01:p0"] = asyncio.Event()
    await bench.put(waiting(-40))
    await bench.put(*(waiting(second) for second in (-35, -30, -25, -2)))
    assert seconds(bench.started) == [-40]
    assert seconds(bench.skipped) == [-35, -30, -25]
    gate.set()
    await bench.settle()
    assert seconds(bench.started) == [-40, -2]
    assert bench.lanes.waiting == 0


async def test_a_backlog_of_an_hour_takes_no_more_memory_than_one_frame_a_pose() -> None:
    bench = Bench()
    for pose in ("p0", "p1"):
        bench.gates[f"cam-01:{pose}".encode()] = asyncio.Event()
    await bench.put(waiting(-3600, pose="p0"), waiting(-3600, pose="p1"))
    await bench.put(*(waiting(second, pose=pose) for second in range(-3595, -25, 5) for pose in ("p0", "p1")))
    assert bench.lanes.waiting == 2
    assert len(bench.skipped) == 2 * 713
    for gate in bench.gates.values():
        gate.set()
    await bench.settle()
    assert seconds(bench.started[-2:]) == [-30, -30]


async def test_without_a_limit_nothing_is_skipped_and_the_reader_waits_for_room() -> None:
    bench = Bench(late_s=None)
    gate = bench.gates[b"cam-01:p0"] = asyncio.Event()
    putting = asyncio.create_task(bench.put(*(waiting(-3600 + index) for index in range(MAX_WAITING + 10))))
    await bench.settle()
    for _ in range(MAX_WAITING):
        await asyncio.sleep(0)
    assert not putting.done()
    assert bench.lanes.waiting == MAX_WAITING
    gate.set()
    await asyncio.wait_for(putting, 5)
    await bench.settle()
    assert bench.skipped == []


async def test_a_broken_way_to_kafka_ends_the_role() -> None:
    bench = Bench(error=RuntimeError("Kafka is gone"))
    await bench.put(waiting(-1))
    with pytest.raises(RuntimeError, match="gone"):
        await asyncio.wait_for(bench.lanes.broken(), 5)
    with pytest.raises(RuntimeError, match="gone"):
        await bench.lanes.put(waiting(0))


async def test_closing_ends_what_is_going_on() -> None:
    bench = Bench()
    bench.gates[b"cam-01:p0"] = asyncio.Event()
    await bench.put(waiting(-2), waiting(-1))
    await asyncio.wait_for(bench.lanes.close(), 5)
    assert seconds(bench.started) == [-2]
