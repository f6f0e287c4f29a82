"""Many live cameras as one source of stills: RTSP in children of their own, HTTP snapshots in tasks of their own.

Each camera goes its own way; where they meet there is room for one still of each camera and pose, the newest. So
neither a slow camera nor a slow broker makes another camera's still wait, or any still old.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any

from ioc.capture.camera_file import CameraPlan
from ioc.capture.child_wire import Alive, Failed, Job, Message, Opened
from ioc.capture.pacing import Pacer
from ioc.capture.poses import PoseFinder
from ioc.capture.reasons import reason_of
from ioc.capture.snapshots import SnapshotSource, parse_address
from ioc.capture.status import CameraStatus
from ioc.capture.stills import CameraTally, CapturedStill, Tally
from ioc.capture.supervisor import Nursery, pause_s, pictures
from ioc.clock import Clock
from ioc.errors import InvalidRecord

__all__ = ["LatestStills", "LiveSource"]

logger = logging.getLogger(__name__)


class LatestStills:
    """Room for one still of each camera and pose. The pose that has waited longest goes first, with its newest."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._waiting: dict[tuple[str, str], CapturedStill] = {}
        self._filled = asyncio.Event()
        self._error: BaseException | None = None

    def fail(self, error: BaseException) -> None:
        """Ends whoever fetches: a camera's way ended by a defect of ours."""
        self._error = error
        self._filled.set()

    def put(self, still: CapturedStill) -> None:
        """Never waits; a still that was not fetched yet gives way and counts as skipped."""
        key = (still.camera_id, still.pose_id)
        if key in self._waiting:
            self._tally.of(still.camera_id).skipped += 1
        self._waiting[key] = still
        self._filled.set()

    async def get(self) -> CapturedStill:
        while not self._waiting:
            if self._error is not None:
                raise self._error
            self._filled.clear()
            await self._filled.wait()
        return self._waiting.pop(next(iter(self._waiting)))


class _ReportingTally(Tally):
    """Counts in `shared`, and tells of each refusal: a snapshot camera's failures are seen like a stream's."""

    def __init__(self, shared: Tally, on_refused: Callable[[str, str], None]) -> None:
        super().__init__()
        self._shared, self._on_refused = shared, on_refused

    def of(self, camera_id: str) -> CameraTally:
        return self._shared.of(camera_id)

    def reject(self, camera_id: str, reason: str, sentence: str) -> None:
        super().reject(camera_id, reason, sentence)
        self._on_refused(camera_id, reason)


class LiveSource:
    """The cameras of `capture.yaml`. `finders` tells each camera's pose; `share` draws a number in 0–1."""

    total: int | None = None

    def __init__(
        self,
        cameras: Sequence[CameraPlan],
        *,
        finders: Mapping[str, PoseFinder],
        clock: Clock,
        nursery: Nursery | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
        share: Callable[[], float] = random.random,
    ) -> None:
        self._cameras, self._finders, self._clock = tuple(cameras), finders, clock
        self._nursery = nursery or Nursery()
        self._monotonic_s, self._share = monotonic_s, share
        self.tally = Tally([plan.camera_id for plan in cameras])
        now_s = monotonic_s()
        self.statuses = {
            plan.camera_id: CameraStatus(interval_s=plan.interval_s, since_s=now_s) for plan in self._cameras
        }
        self.warnings = tuple(_doubled(cameras))
        self._sequences = dict.fromkeys(self.statuses, 0)

    @property
    def nursery(self) -> Nursery:
        return self._nursery

    async def stills(self) -> AsyncGenerator[CapturedStill, None]:
        latest = LatestStills(self.tally)
        tasks = [asyncio.create_task(_guarded(way, latest), name="camera") for way in self._ways(latest)]
        try:
            while True:
                yield await latest.get()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._nursery.close()

    def _ways(self, latest: LatestStills) -> list[Coroutine[Any, Any, None]]:
        ways = []
        for plan in self._cameras:
            ways.append(self._finders[plan.camera_id].run())
            ways.append(self._stream(plan, latest) if plan.address.is_rtsp else self._snapshots(plan, latest))
        return ways

    async def _stream(self, plan: CameraPlan, latest: LatestStills) -> None:
        """One RTSP camera for ever: read, and when it ends for whatever reason, begin anew after a pause."""
        status = self.statuses[plan.camera_id]
        failures = 0
        while True:
            before = status.stills
            job = Job(
                url=plan.address.url,
                interval_s=plan.interval_s,
                phase_s=0.0 if status.restarts else self._share() * plan.interval_s,
                open_timeout_s=plan.timeout_s,
                silence_s=plan.timeout_s,
                jpeg_scale=plan.jpeg_scale,
                transport=plan.transport,
            )
            async with aclosing(pictures(self._nursery, job, lambda m: self._heard(plan, m))) as stills:
                async for still in stills:
                    await self._take(plan, still.jpeg, self._captured_at(still.at_s), still.at_s, latest)
            failures = 1 if status.stills > before else failures + 1
            await asyncio.sleep(pause_s(failures, self._share()))

    def _captured_at(self, at_s: float) -> datetime:
        return self._clock() - timedelta(seconds=max(0.0, self._monotonic_s() - at_s))

    def _heard(self, plan: CameraPlan, message: Message) -> None:
        status = self.statuses[plan.camera_id]
        if isinstance(message, Opened):
            status.opened = message
        elif isinstance(message, Alive):
            status.key_gap_s = message.key_gap_s
        elif isinstance(message, Failed):
            self._failed(plan.camera_id, message.reason, message.detail)

    def _failed(self, camera_id: str, reason: str, detail: str = "") -> None:
        status = self.statuses[camera_id]
        level = logging.WARNING if status.reason != reason else logging.DEBUG  # the first of a row is worth a line
        logger.log(level, "camera %s: %s%s", camera_id, reason_of(reason).en, f" ({detail})" if detail else "")
        status.failed(reason)

    async def _snapshots(self, plan: CameraPlan, latest: LatestStills) -> None:
        await asyncio.sleep(self._share() * plan.interval_s)
        tally = _ReportingTally(self.tally, self._failed)
        source = SnapshotSource(
            parse_address(plan.address.url),
            camera_id=plan.camera_id,
            pose_id="p0",
            clock=self._clock,
            pacer=Pacer(fps=1 / plan.interval_s),
            timeout_s=plan.timeout_s,
            tally=tally,
        )
        async with aclosing(source.stills()) as stills:
            async for still in stills:
                await self._take(plan, still.jpeg, still.captured_at, self._monotonic_s(), latest)

    async def _take(
        self, plan: CameraPlan, jpeg: bytes, captured_at: datetime, at_s: float, latest: LatestStills
    ) -> None:
        camera_id = plan.camera_id
        self.statuses[camera_id].pictured(at_s)
        sequence = self._sequences[camera_id]
        self._sequences[camera_id] += 1
        try:
            pose_id = await self._finders[camera_id].pose_of(captured_at, jpeg)
        except InvalidRecord as error:  # the pose was to be told from a picture that can't be read
            self.tally.reject(camera_id, error.reason, error.en)
            return
        if pose_id is None:
            self.tally.reject(camera_id, "unknown_pose", reason_of("unknown_pose").en)
            return
        latest.put(
            CapturedStill(camera_id=camera_id, pose_id=pose_id, jpeg=jpeg, captured_at=captured_at, sequence=sequence)
        )


async def _guarded(way: Coroutine[Any, Any, None], latest: LatestStills) -> None:
    try:
        await way
    except Exception as error:  # a defect of ours: the service ends and says so, rather than lose one camera in silence
        latest.fail(error)


def _doubled(cameras: Sequence[CameraPlan]) -> list[str]:
    """Sentences about cameras that have one address: one of them is probably another camera's."""
    first: dict[str, str] = {}
    said = []
    for plan in cameras:
        other = first.setdefault(plan.address.url, plan.camera_id)
        if other != plan.camera_id:
            said.append(f"{plan.camera_id} has the address of {other} ({plan.address.shown}): is it another camera?")
    return said
