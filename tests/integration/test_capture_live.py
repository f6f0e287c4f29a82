"""Live cameras: real RTSP on loopback, read by real children, with everything that streams do wrong."""

import asyncio
import itertools
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from ioc.capture import supervisor
from ioc.capture.camera_file import CameraPlan, camera_address
from ioc.capture.checking import check_camera
from ioc.capture.child_wire import Failed, Job, Message, Opened, Still
from ioc.capture.live import LiveSource
from ioc.capture.poses import FixedPose, PoseFinder
from ioc.capture.reasons import REASONS
from ioc.capture.stills import CapturedStill
from ioc.capture.supervisor import Nursery, pictures
from ioc.clock import system_clock
from ioc.frames import inspect_jpeg
from tests.integration.rtsp_cameras import Behaviour, Camera, serving_camera

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def nursery() -> AsyncIterator[Nursery]:
    one = Nursery()
    yield one
    one.close()


def job(url: str, *, interval_s: float = 0.2, silence_s: float = 1.0) -> Job:
    return Job(url=url, interval_s=interval_s, open_timeout_s=silence_s, silence_s=silence_s)


async def read(
    nursery: Nursery, url: str, *, stills: int | None = None, interval_s: float = 0.2, silence_s: float = 1.0
) -> tuple[list[Still], list[Message]]:
    """What a camera shows until its stream ends, or until so many stills came."""
    said: list[Message] = []
    seen: list[Still] = []
    async with aclosing(pictures(nursery, job(url, interval_s=interval_s, silence_s=silence_s), said.append)) as coming:
        async for still in coming:
            seen.append(still)
            if len(seen) == stills:
                break
    return seen, said


def why(said: Sequence[Message]) -> str:
    (failed,) = [message for message in said if isinstance(message, Failed)]
    return failed.reason


async def test_a_stream_gives_stills_made_of_its_keyframes(nursery: Nursery) -> None:
    async with serving_camera() as camera:
        seen, said = await read(nursery, camera.url, stills=3, interval_s=1.0)
    opened = next(message for message in said if isinstance(message, Opened))
    assert (opened.codec, opened.width, opened.height) == ("h264", 320, 176)
    assert all(inspect_jpeg(still.jpeg) == (320, 176) for still in seen)
    gaps = [later.at_s - earlier.at_s for earlier, later in itertools.pairwise(seen)]
    assert all(0.6 < gap < 1.9 for gap in gaps), gaps
    assert seen[-1].at_s - seen[0].at_s < 3.2, "a rate is kept over time, though each still waits for its keyframe"


async def test_stills_come_as_often_as_asked_also_where_keyframes_are_rarer(nursery: Nursery) -> None:
    async with serving_camera() as camera:  # a keyframe each 0.5 s
        seen, _ = await read(nursery, camera.url, stills=12, interval_s=0.2)
    late = seen[-6:]
    assert (late[-1].at_s - late[0].at_s) / 5 < 0.3


ENDS: Mapping[Behaviour, tuple[str, int]] = {  # why the stream ends, and how many good pictures come before at least
    "says nothing": ("timeout", 0),
    "slams the door": ("not_rtsp", 0),
    "refuses the password": ("unauthorized", 0),
    "has no such path": ("not_found", 0),
    "has sound only": ("no_video", 0),
    "speaks no protocol": ("timeout", 0),
    "falls silent": ("timeout", 1),
    "ends": ("ended", 1),
    "dies mid-frame": ("ended", 1),
    "changes its codec": ("no_picture", 1),
    "sends garbage": ("no_picture", 1),
}


async def test_a_bad_stream_ends_with_its_reason_after_the_good_pictures_it_gave(
    nursery: Nursery, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_NO_PICTURE_S", 1.5)

    async def end_of(behaviour: Behaviour) -> tuple[list[Still], list[Message]]:
        async with serving_camera(behaviour) as camera:
            return await asyncio.wait_for(read(nursery, camera.url), 20)

    found = dict(zip(ENDS, await asyncio.gather(*map(end_of, ENDS)), strict=True))
    assert {behaviour: why(said) for behaviour, (_, said) in found.items()} == {
        behaviour: reason for behaviour, (reason, _) in ENDS.items()
    }
    for behaviour, (seen, _) in found.items():
        assert len(seen) >= ENDS[behaviour][1], behaviour
        assert all(inspect_jpeg(still.jpeg) == (320, 176) for still in seen), behaviour
    assert {reason for reason, _ in ENDS.values()} <= set(REASONS)
    assert "s3cret" not in str(found) + "".join(capfd.readouterr())


async def test_nobody_listening_is_unreachable(nursery: Nursery, unused_tcp_port: int) -> None:
    _, said = await read(nursery, f"rtsp://a:s3cret@127.0.0.1:{unused_tcp_port}/")
    assert why(said) == "unreachable"


async def test_a_stream_that_changes_its_size_goes_on_in_the_new_size(nursery: Nursery) -> None:
    async with serving_camera("changes its size") as camera:
        seen, said = await read(nursery, camera.url, stills=6, interval_s=0.4)
    assert {inspect_jpeg(still.jpeg) for still in seen} == {(320, 176), (640, 368)}
    assert not [message for message in said if isinstance(message, Failed)]


async def test_a_child_that_hangs_is_killed_and_one_that_dies_is_told(
    nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_PATIENCE_S", 0.5)
    for number, reason in ((signal.SIGSTOP, "silent"), (signal.SIGSEGV, "crashed")):
        said: list[Message] = []
        async with serving_camera() as camera:
            async for _ in pictures(nursery, job(camera.url), said.append):
                (child,) = psutil.Process(nursery.process_number).children()
                os.kill(child.pid, number)
        assert why(said) == reason
        await asyncio.to_thread(child.wait, 5)  # gone, also where it could not answer


async def test_no_process_shows_an_address(nursery: Nursery) -> None:
    async with serving_camera() as camera:
        async for _ in pictures(nursery, job(camera.url), lambda message: None):
            parent = psutil.Process(nursery.process_number)
            shown = [
                Path(f"/proc/{process.pid}/{file}").read_bytes()
                for process in (parent, *parent.children())
                for file in ("cmdline", "environ")
            ]
            assert len(shown) == 4
            assert not [text for text in shown if b"s3cret" in text]
            break


async def test_children_end_with_the_parent_however_it_ends(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\nfrom ioc.capture.supervisor import *\nfrom ioc.capture.child_wire import Job\n"
        "async def main():\n n = Nursery()\n"
        " async for _ in pictures(n, Job(url=sys.stdin.readline().strip(), interval_s=0.2), lambda m: None):\n"
        "  print(n.process_number, flush=True)\nasyncio.run(main())\n"
    )
    import sys

    async with serving_camera() as camera:
        service = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert service.stdin is not None
        assert service.stdout is not None
        service.stdin.write(camera.url.encode() + b"\n")
        nursery_process = psutil.Process(int(await service.stdout.readline()))
        family = [nursery_process, *nursery_process.children()]
        assert len(family) == 2
        service.kill()
        await service.wait()
        _, left = await asyncio.to_thread(psutil.wait_procs, family, 5)
    assert not left


def plan(camera_id: str, camera: Camera, **changes: object) -> CameraPlan:
    values: dict[str, object] = {"interval_s": 0.5, "timeout_s": 1.0, **changes}
    return CameraPlan(camera_id=camera_id, address=camera_address(camera.url, where="url"), **values)  # type: ignore[arg-type]


class CountingPose:
    """Says p0, and when so many stills of its camera have come."""

    def __init__(self, until: int) -> None:
        self._left, self.done = until, asyncio.Event()

    async def pose_of(self, captured_at: datetime, jpeg: bytes) -> str | None:
        self._left -= 1
        if self._left <= 0:
            self.done.set()
        return "p0"

    async def run(self) -> None:
        return None


def live(plans: Sequence[CameraPlan], finders: Mapping[str, PoseFinder] | None = None) -> LiveSource:
    if finders is None:
        finders = {one.camera_id: FixedPose(pose_id="p0") for one in plans}
    return LiveSource(plans, finders=finders, clock=system_clock, share=lambda: 0.0)


async def test_cameras_that_hang_die_or_babble_delay_no_other(caplog: pytest.LogCaptureFixture) -> None:
    behaviours: list[Behaviour] = ["plays", "says nothing", "plays", "falls silent", "sends garbage", "plays"]
    async with AsyncExitStack() as stack:
        cameras = [await stack.enter_async_context(serving_camera(behaviour)) for behaviour in behaviours]
        source = live([plan(f"cam-{index}", camera) for index, camera in enumerate(cameras)])
        seen: dict[str, list[CapturedStill]] = {}
        delays_s: list[float] = []
        async with asyncio.timeout(30), aclosing(source.stills()) as stills:
            async for still in stills:
                delays_s.append((datetime.now(UTC) - still.captured_at).total_seconds())
                seen.setdefault(still.camera_id, []).append(still)
                if all(len(seen.get(f"cam-{index}", ())) >= 8 for index in (0, 2, 5)):
                    break
    assert max(delays_s) < 0.5
    for good in ("cam-0", "cam-2", "cam-5"):
        times = [still.captured_at for still in seen[good]][2:]
        gaps = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(times)]
        assert max(gaps) < 1.2, gaps
        assert source.statuses[good].restarts == 0
    assert source.statuses["cam-1"].failures.keys() == {"timeout"}
    assert source.statuses["cam-3"].failures["timeout"] >= 1
    assert source.statuses["cam-1"].restarts >= 2, "tried again"
    assert cameras[1].connections >= 2
    assert not source.statuses["cam-1"].is_online(time.monotonic())
    assert source.statuses["cam-0"].is_online(time.monotonic())
    assert "s3cret" not in caplog.text
    assert "camera cam-1: the camera does not answer in time" in caplog.text


async def test_a_slow_sink_gets_the_newest_still_of_each_camera_and_the_others_are_counted() -> None:
    async with serving_camera() as one, serving_camera() as two:
        busy = {"cam-1": CountingPose(until=9), "cam-2": CountingPose(until=9)}
        source = live([plan("cam-1", one, interval_s=0.2), plan("cam-2", two, interval_s=0.2)], busy)
        async with asyncio.timeout(30), aclosing(source.stills()) as stills:
            first = [await anext(stills), await anext(stills)]
            for counter in busy.values():  # the sink is busy meanwhile
                await counter.done.wait()
            later = [await anext(stills), await anext(stills)]
    assert {still.camera_id for still in first} == {still.camera_id for still in later} == {"cam-1", "cam-2"}
    assert all(still.sequence >= 7 for still in later)
    assert all(source.tally.of(camera).skipped >= 5 for camera in ("cam-1", "cam-2"))


async def test_the_check_says_what_a_camera_sends_and_what_is_wrong_with_another(nursery: Nursery) -> None:
    async with serving_camera() as good, serving_camera("refuses the password") as bad:
        found = [
            await check_camera(
                plan("cam-1", camera), nursery=nursery, finder=FixedPose(pose_id="p7"), clock=system_clock
            )
            for camera in (good, bad)
        ]
    assert (found[0].codec, found[0].width, found[0].height, found[0].pose) == ("h264", 320, 176, "p7")
    assert found[0].key_gap_s == pytest.approx(0.5, abs=0.25)
    assert (found[1].reason, found[1].is_good) == ("unauthorized", False)
    assert "mật khẩu" in found[1].says()[0]
    assert "s3cret" not in str(found) + str([check.as_json() for check in found])
