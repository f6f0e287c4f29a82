"""Which preset a camera looks from: fixed, by a schedule, by an address that tells, or by the picture itself.

Where it is not known the answer is None and the still is not used: a background model fed with two poses at once sees
smoke everywhere or nowhere.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Protocol

import aiohttp

from ioc.capture.exif import LOCAL_TIME
from ioc.clock import Clock

__all__ = [
    "DailyStop",
    "FixedPose",
    "PatrolStop",
    "PicturePose",
    "PoseFinder",
    "PoseMatcher",
    "SchedulePose",
    "SidecarPose",
    "daily_pose",
    "patrol_pose",
    "sidecar_answer",
]

logger = logging.getLogger(__name__)

_MAX_ANSWER_BYTES = 64 * 1024
_STALE_POLLS = 3  # answers older than so many polls say nothing of now

PoseMatcher = Callable[[bytes], str | None]
"""A JPEG to the pose whose reference it lies on; None where none fits, or two do. Blocks for some tens of ms."""


class PoseFinder(Protocol):
    """Tells a still's pose."""

    async def pose_of(self, captured_at: datetime, jpeg: bytes) -> str | None:
        """The pose at that moment; None where it is not known."""

    async def run(self) -> None:
        """Whatever has to go on beside the stills; may return at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedPose:
    pose_id: str

    async def pose_of(self, captured_at: datetime, jpeg: bytes) -> str | None:
        return self.pose_id

    async def run(self) -> None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class PatrolStop:
    """One stop of a round: it stays `for_s` seconds, of which the first `settle_s` are the way there."""

    pose_id: str
    for_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyStop:
    """From `at` (local time) on the camera looks from this pose, until the next one of the day."""

    pose_id: str
    at: time


def patrol_pose(stops: Sequence[PatrolStop], at: datetime, *, starts_at: time, settle_s: float) -> str | None:
    """Returns the pose of a round that begins anew every day at `starts_at` local time; None while it moves."""
    local = at.astimezone(LOCAL_TIME)
    into_s = (local - local.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()
    into_s -= timedelta(hours=starts_at.hour, minutes=starts_at.minute, seconds=starts_at.second).total_seconds()
    into_s = into_s % 86_400 % sum(stop.for_s for stop in stops)
    for stop in stops:
        if into_s < stop.for_s:
            return stop.pose_id if into_s >= settle_s else None
        into_s -= stop.for_s
    return None


def daily_pose(stops: Sequence[DailyStop], at: datetime, *, settle_s: float) -> str | None:
    """Returns the pose by the time of day; None within `settle_s` after a change."""
    local = at.astimezone(LOCAL_TIME)
    ordered = sorted(stops, key=lambda stop: stop.at)
    current = ordered[-1]  # before the first of today: the last of yesterday
    for stop in ordered:
        if stop.at <= local.time():
            current = stop
    since = datetime.combine(local.date(), current.at, LOCAL_TIME)
    if since > local:
        since -= timedelta(days=1)
    return current.pose_id if (local - since).total_seconds() >= settle_s else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulePose:
    """A round (`patrol`) or times of day (`daily`); exactly one of them is filled."""

    patrol: Sequence[PatrolStop] = ()
    daily: Sequence[DailyStop] = ()
    starts_at: time = time(0)
    settle_s: float = 3.0

    async def pose_of(self, captured_at: datetime, jpeg: bytes) -> str | None:
        if self.patrol:
            return patrol_pose(self.patrol, captured_at, starts_at=self.starts_at, settle_s=self.settle_s)
        return daily_pose(self.daily, captured_at, settle_s=self.settle_s)

    async def run(self) -> None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class PicturePose:
    """Asks the matcher, in a thread: it decodes the picture."""

    matcher: PoseMatcher

    async def pose_of(self, captured_at: datetime, jpeg: bytes) -> str | None:
        return await asyncio.to_thread(self.matcher, jpeg)

    async def run(self) -> None:
        return None


def sidecar_answer(answer: Any, field: str) -> str | None:
    """Returns the pose that a sidecar's JSON names under `field` (dots lead inward); None where it names none, or says
    `"moving": true` beside it."""
    inside = answer
    *way, last = field.split(".")
    for step in way:
        inside = inside.get(step) if isinstance(inside, dict) else None
    if not isinstance(inside, dict) or inside.get("moving") is True:
        return None
    pose = inside.get(last)
    if isinstance(pose, int) and not isinstance(pose, bool):
        pose = str(pose)
    return pose if isinstance(pose, str) and 0 < len(pose) <= 100 and ":" not in pose and pose.isprintable() else None


class SidecarPose:
    """An HTTP address that answers with JSON. A pose is known only where the answers before and after a still agree."""

    def __init__(self, url: str, *, clock: Clock, field: str = "pose", every_s: float = 1.0) -> None:
        self._url, self._clock, self._field, self._every_s = url, clock, field, every_s
        self._answers: list[tuple[datetime, str | None]] = []  # (asked at, pose), the newest last
        self._changed = asyncio.Condition()
        self._said = ""

    async def pose_of(self, captured_at: datetime, jpeg: bytes) -> str | None:
        limit_s = _STALE_POLLS * self._every_s
        oldest = captured_at - timedelta(seconds=limit_s)
        try:
            async with asyncio.timeout(limit_s), self._changed:
                await self._changed.wait_for(lambda: bool(self._answers) and self._answers[-1][0] >= captured_at)
                before = next((pose for at, pose in reversed(self._answers) if oldest <= at < captured_at), None)
                after = self._answers[-1][1]
        except TimeoutError:
            return None
        return after if after == before else None

    async def run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=max(1.0, self._every_s))
        async with aiohttp.ClientSession(timeout=timeout, trust_env=False, auto_decompress=False) as session:
            while True:
                asked_at = self._clock()
                pose = await self._ask(session)
                async with self._changed:
                    self._answers = [*self._answers[-_STALE_POLLS:], (asked_at, pose)]
                    self._changed.notify_all()
                await asyncio.sleep(self._every_s)

    async def _ask(self, session: aiohttp.ClientSession) -> str | None:
        said = ""
        pose = None
        try:
            async with session.get(self._url, allow_redirects=False) as answer:
                body = await answer.content.read(_MAX_ANSWER_BYTES)
                if answer.status == 200:
                    pose = sidecar_answer(json.loads(body), self._field)
                else:
                    said = f"status {answer.status}"
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            said = type(error).__name__
        if said and said != self._said:
            logger.warning("a pose address does not answer (%s)", said)
        self._said = said
        return pose
