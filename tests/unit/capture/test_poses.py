"""Which pose a still is of: schedules by the clock, answers of a sidecar, the picture itself."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from detectors.pose_matching import ReferencePoses
from ioc.capture.poses import (
    DailyStop,
    PatrolStop,
    SchedulePose,
    SidecarPose,
    daily_pose,
    patrol_pose,
    sidecar_answer,
)
from ioc.errors import ConfigurationError
from ioc.opencv import cv2

MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC) - timedelta(hours=7)  # in Viet Nam
ROUND = (PatrolStop(pose_id="north", for_s=60), PatrolStop(pose_id="east", for_s=30))
DAY = (DailyStop(pose_id="night", at=time(18)), DailyStop(pose_id="day", at=time(5, 30)))


@pytest.mark.parametrize(
    ("second", "pose"),
    [
        (0, None),
        (2.9, None),
        (3, "north"),
        (59.9, "north"),
        (60, None),
        (63, "east"),
        (89, "east"),
        (90, None),
        (93, "north"),
        (86_399, "east"),
    ],
)
def test_a_round_tells_the_pose_and_nothing_while_the_camera_moves(second: float, pose: str | None) -> None:
    at = MIDNIGHT + timedelta(seconds=second)
    assert patrol_pose(ROUND, at, starts_at=time(0), settle_s=3) == pose
    assert patrol_pose(ROUND, at + timedelta(hours=6), starts_at=time(6), settle_s=3) == pose


@pytest.mark.parametrize(
    ("hour", "pose"),
    [
        (0, "night"),
        (5.49, "night"),
        (5.5, None),
        (5.51, "day"),
        (17.9, "day"),
        (18, None),
        (18.01, "night"),
        (23.9, "night"),
    ],
)
def test_times_of_day_tell_the_pose(hour: float, pose: str | None) -> None:
    assert daily_pose(DAY, MIDNIGHT + timedelta(hours=hour), settle_s=10) == pose


async def test_a_schedule_answers_by_the_kind_it_has() -> None:
    at = MIDNIGHT + timedelta(hours=12, seconds=10)
    assert await SchedulePose(patrol=ROUND).pose_of(at, b"") == "north"
    assert await SchedulePose(daily=DAY).pose_of(at, b"") == "day"


@pytest.mark.parametrize(
    ("answer", "field", "pose"),
    [
        ({"pose": "p1"}, "pose", "p1"),
        ({"status": {"preset": 3}}, "status.preset", "3"),
        ({"pose": "p1", "moving": True}, "pose", None),
        ({"pose": "p1", "moving": False}, "pose", "p1"),
        ({"pose": None}, "pose", None),
        ({"pose": True}, "pose", None),
        ({"pose": ""}, "pose", None),
        ({"pose": "a:b"}, "pose", None),
        ({"pose": "x" * 101}, "pose", None),
        ([], "pose", None),
        ("p1", "pose", None),
        ({"status": []}, "status.preset", None),
    ],
)
def test_a_sidecars_answer_names_a_pose_or_none(answer: Any, field: str, pose: str | None) -> None:
    assert sidecar_answer(answer, field) == pose


@pytest.mark.parametrize(
    ("before", "after", "pose"),
    [
        pytest.param(lambda: web.json_response({"pose": "p1"}), None, "p1", id="the same before and after"),
        pytest.param(
            lambda: web.json_response({"pose": "p1"}), lambda: web.json_response({"pose": "p2"}), None, id="it moved"
        ),
        pytest.param(lambda: web.Response(text="<html>", status=200), None, None, id="no JSON"),
        pytest.param(lambda: web.Response(status=500), None, None, id="an error"),
    ],
)
async def test_a_pose_is_known_where_the_answers_before_and_after_the_still_agree(
    before: Callable[[], web.Response], after: Callable[[], web.Response] | None, pose: str | None
) -> None:
    asked = asyncio.Event()
    answer = before
    now = MIDNIGHT

    async def respond(request: web.Request) -> web.Response:
        asked.set()
        return answer()

    def clock() -> datetime:
        nonlocal now
        now += timedelta(milliseconds=10)
        return now

    app = web.Application()
    app.router.add_get("/", respond)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    finder = SidecarPose(f"http://{host}:{port}/", clock=clock, every_s=0.02)
    running = asyncio.create_task(finder.run())
    try:
        await asyncio.wait_for(asked.wait(), 5)
        asked.clear()
        await asyncio.wait_for(asked.wait(), 5)  # so the first answer is known
        captured_at = clock()
        answer = after or before
        assert await asyncio.wait_for(finder.pose_of(captured_at, b""), 5) == pose
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await runner.cleanup()


def view_jpeg(seed: int, *, shift_px: int = 0) -> bytes:
    """A landscape of blobs of many sizes, seen 480 pixels wide, turned by `shift_px`."""
    generator = np.random.default_rng(seed)
    land = np.zeros((270, 720), np.float32)
    for cell in (6, 14, 40):
        noise = generator.normal(size=(270 // cell + 1, 720 // cell + 1)).astype(np.float32)
        land += np.asarray(cv2.resize(noise, (720, 270), interpolation=cv2.INTER_CUBIC), dtype=np.float32)
    grey = np.clip(128 + 30 * land, 0, 255).astype(np.uint8)[:, 120 + shift_px : 600 + shift_px]
    return bytes(cv2.imencode(".jpg", grey)[1].tobytes())


def test_a_picture_is_of_the_reference_that_it_lies_on_and_of_none_where_it_is_not_sure() -> None:
    poses = ReferencePoses({"hill": view_jpeg(1), "houses": view_jpeg(2)})
    assert poses(view_jpeg(1, shift_px=6)) == "hill"
    assert poses(view_jpeg(2)) == "houses"
    assert poses(view_jpeg(1, shift_px=100)) is None, "a preset beside it"
    flat = bytes(cv2.imencode(".jpg", np.full((270, 480, 3), 200, np.uint8))[1].tobytes())
    assert poses(flat) is None, "fog"


def test_two_references_that_both_fit_are_no_answer() -> None:
    poses = ReferencePoses({"a": view_jpeg(1), "b": view_jpeg(1, shift_px=4)})
    assert poses(view_jpeg(1, shift_px=2)) is None


def test_a_reference_that_is_no_picture_is_a_sentence() -> None:
    with pytest.raises(ConfigurationError, match="pose p0"):
        ReferencePoses({"p0": b"nothing"})
