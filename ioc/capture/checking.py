"""`ioc capture check`: looks at each camera once and says what it found, or why nothing."""

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass

from ioc.capture.camera_file import CameraPlan
from ioc.capture.child_wire import Failed, Job, Message, Opened
from ioc.capture.pacing import Pacer
from ioc.capture.poses import PoseFinder
from ioc.capture.reasons import reason_of
from ioc.capture.snapshots import SnapshotSource, parse_address
from ioc.capture.stills import CapturedStill
from ioc.capture.supervisor import Nursery, pictures
from ioc.clock import Clock
from ioc.errors import InvalidRecord
from ioc.frames import inspect_jpeg

__all__ = ["CameraCheck", "check_camera"]

_LOOK_S = 12.0  # for two keyframes after the first picture
_EVERY_PICTURE_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraCheck:
    """What one camera showed. `reason` is "" where a picture came, else a code of `ioc.capture.reasons`.

    `latency_s`: from the first word to the first picture. `key_gap_s`: between keyframes, None where not seen or where
    every picture is one (JPEG). `pose`: None where it is not known.
    """

    camera_id: str
    address: str
    reason: str = ""
    detail: str = ""
    codec: str = ""
    width: int = 0
    height: int = 0
    fps: float = 0.0
    latency_s: float | None = None
    key_gap_s: float | None = None
    interval_s: float
    pose: str | None = None
    bytes_: int = 0

    @property
    def is_good(self) -> bool:
        return not self.reason

    def says(self) -> tuple[str, str]:
        """What to do, in Vietnamese and English; empty where all is well."""
        if self.reason:
            reason = reason_of(self.reason)
            return reason.vi, reason.en
        if self.key_gap_s is not None and self.key_gap_s > 1.5 * self.interval_s:
            return (
                f"I-frame cách nhau {self.key_gap_s:.0f} giây, thưa hơn "
                "nhịp lấy ảnh: đặt camera mỗi 2 giây một I-frame để máy chủ đỡ phải giải mã mọi hình.",
                f"keyframes are {self.key_gap_s:.0f} s apart, rarer than the stills: set the camera to one every 2 s, "
                "and this machine need not decode every picture",
            )
        return "", ""

    def as_json(self) -> dict[str, object]:
        vi, en = self.says()
        return {
            "camera": self.camera_id,
            "address": self.address,
            "reachable": self.is_good,
            "reason": self.reason or None,
            "detail": self.detail or None,
            "codec": self.codec or None,
            "width": self.width,
            "height": self.height,
            "fps": self.fps,
            "latency_s": self.latency_s,
            "keyframe_gap_s": self.key_gap_s,
            "pose": self.pose,
            "jpeg_bytes": self.bytes_,
            "message_vi": vi or None,
            "message_en": en or None,
        }


async def check_camera(plan: CameraPlan, *, nursery: Nursery, finder: PoseFinder, clock: Clock) -> CameraCheck:
    """Returns what the camera showed within some seconds; never raises for what the camera does."""
    running = asyncio.create_task(finder.run())
    try:
        look = _stream if plan.address.is_rtsp else _snapshot
        return await look(plan, nursery, finder, clock)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _stream(plan: CameraPlan, nursery: Nursery, finder: PoseFinder, clock: Clock) -> CameraCheck:
    heard: list[Message] = []
    began_s = time.monotonic()
    job = Job(
        url=plan.address.url,
        interval_s=_EVERY_PICTURE_S,
        open_timeout_s=plan.timeout_s,
        silence_s=plan.timeout_s,
        jpeg_scale=plan.jpeg_scale,
        transport=plan.transport,
        is_keyframes_only=True,
    )
    at_s: list[float] = []
    first = None
    limit_s = plan.timeout_s + _LOOK_S
    try:
        async with asyncio.timeout(limit_s), aclosing(pictures(nursery, job, heard.append)) as stills:
            async for still in stills:
                first = first or still
                at_s.append(still.at_s)
                if len(at_s) == 3 or still.codec == "mjpeg":
                    break
    except TimeoutError:
        pass
    opened = next((message for message in heard if isinstance(message, Opened)), None)
    failed = next((message for message in heard if isinstance(message, Failed)), None)
    known = (opened.codec, opened.width, opened.height, opened.fps) if opened else ("", 0, 0, 0.0)
    if first is None:
        reason = failed.reason if failed else "no_picture"
        detail = failed.detail if failed else ""
        return CameraCheck(
            camera_id=plan.camera_id, address=plan.address.shown, interval_s=plan.interval_s, reason=reason,
            detail=detail, codec=known[0], width=known[1], height=known[2], fps=known[3],
        )  # fmt: skip
    return CameraCheck(
        camera_id=plan.camera_id,
        address=plan.address.shown,
        interval_s=plan.interval_s,
        codec=first.codec,
        width=first.width,
        height=first.height,
        fps=known[3],
        latency_s=round(first.at_s - began_s, 3),
        key_gap_s=round((at_s[-1] - at_s[0]) / (len(at_s) - 1), 2) if len(at_s) > 1 else None,
        pose=await finder.pose_of(clock(), first.jpeg),
        bytes_=len(first.jpeg),
    )


async def _snapshot(plan: CameraPlan, nursery: Nursery, finder: PoseFinder, clock: Clock) -> CameraCheck:
    source = SnapshotSource(
        parse_address(plan.address.url),
        camera_id=plan.camera_id,
        pose_id="p0",
        clock=clock,
        pacer=Pacer(fps=0.001),
        timeout_s=plan.timeout_s,
    )
    began_s = time.monotonic()
    still: CapturedStill | None = None
    async with aclosing(source.stills()) as stills:
        waiting = asyncio.ensure_future(anext(stills))
        while not waiting.done() and not source.tally.of(plan.camera_id).rejected:
            await asyncio.wait([waiting], timeout=0.05)
        if waiting.done():
            still = waiting.result()
        else:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
    if still is None:
        reason = next(iter(source.tally.of(plan.camera_id).rejected))
        return CameraCheck(
            camera_id=plan.camera_id, address=plan.address.shown, interval_s=plan.interval_s, reason=reason
        )
    latency_s = round(time.monotonic() - began_s, 3)
    try:
        width, height = inspect_jpeg(still.jpeg)
    except InvalidRecord as error:
        return CameraCheck(
            camera_id=plan.camera_id, address=plan.address.shown, interval_s=plan.interval_s, reason="bad_stream",
            detail=error.reason,
        )  # fmt: skip
    return CameraCheck(
        camera_id=plan.camera_id,
        address=plan.address.shown,
        interval_s=plan.interval_s,
        codec="jpeg",
        width=width,
        height=height,
        latency_s=latency_s,
        pose=await finder.pose_of(clock(), still.jpeg),
        bytes_=len(still.jpeg),
    )
