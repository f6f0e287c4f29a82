"""Frames in lanes: one frame of a pose at a time, poses side by side, and under lag the newest first.

A frame of a live camera is worth something while it is fresh. One that has waited in Kafka for long gives way to a
newer one of its pose; it is told as skipped, never silently left out. A replay is worth its completeness: it waits.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ioc.frames import Frame

__all__ = ["MAX_WAITING", "FrameLanes", "FrameLimits", "WaitingFrame", "superseded"]

MAX_WAITING = 256  # frames in memory, at most 256 KiB each; a live backlog folds to one a pose long before
_LIVE_WITHIN_S = 60.0  # published within a minute of its capture: live; later: somebody replays


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameLimits:
    """What is left out for freshness: `late_s` as in `superseded`, `max_age_s` of any frame; None: nothing."""

    late_s: float | None = None
    max_age_s: float | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class WaitingFrame:
    """A frame read from Kafka and not yet looked at. `published_s`: the record's own time, seconds since 1970."""

    key: bytes
    captured_at: datetime
    published_s: float
    is_replay: bool
    event: Any
    frame: Frame

    @property
    def is_live(self) -> bool:
        return not self.is_replay and self.published_s - self.captured_at.timestamp() <= _LIVE_WITHIN_S


def superseded(waiting: Collection[WaitingFrame], *, now_s: float, late_s: float) -> list[WaitingFrame]:
    """Returns the frames of one pose that give way.

    Once a live frame has waited longer than `late_s` and a newer one is at hand, every live frame but the newest goes:
    leaving out only the late ones would keep the pose late for ever.
    """
    live = [frame for frame in waiting if frame.is_live]
    if len(live) < 2 or now_s - min(frame.published_s for frame in live) <= late_s:
        return []
    newest = max(live, key=lambda frame: frame.captured_at)
    return [frame for frame in live if frame is not newest]


class FrameLanes:
    """Args:
    work: looks at one frame to its end; what it raises breaks the lanes (`put` and `broken` raise it).
    skip: is told of a frame that gave way.
    late_s: see `superseded`; None: nothing is ever skipped (a fixed clock: a replay).
    width: poses that are looked at side by side.
    """

    def __init__(
        self,
        *,
        work: Callable[[WaitingFrame], Awaitable[None]],
        skip: Callable[[WaitingFrame], None],
        late_s: float | None,
        now_s: Callable[[], float],
        width: int,
    ) -> None:
        self._work, self._skip, self._late_s, self._now_s = work, skip, late_s, now_s
        self._width = asyncio.Semaphore(width)
        self._room = asyncio.Event()
        self._room.set()
        self._lanes: dict[bytes, deque[WaitingFrame]] = {}
        self._tasks: dict[bytes, asyncio.Task[None]] = {}
        self._waiting = 0
        self._error: Exception | None = None
        self._broken = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Frames in memory that nobody has looked at."""
        return self._waiting

    async def put(self, frame: WaitingFrame) -> None:
        """Takes a frame; waits while too many are in memory."""
        while self._waiting >= MAX_WAITING and self._error is None:
            self._room.clear()
            await self._room.wait()
        if self._error is not None:
            raise self._error
        lane = self._lanes.setdefault(frame.key, deque())
        lane.append(frame)
        self._waiting += 1
        self._fold(lane)
        if frame.key not in self._tasks:
            self._tasks[frame.key] = asyncio.create_task(self._run(frame.key, lane), name="frame lane")

    async def broken(self) -> None:
        """Returns never, and raises what broke the lanes."""
        await self._broken.wait()
        assert self._error is not None
        raise self._error

    async def close(self) -> None:
        """Ends what is going on. What was not finished was not acknowledged, and comes again."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, key: bytes, lane: deque[WaitingFrame]) -> None:
        try:
            while lane:
                async with self._width:
                    self._fold(lane)
                    frame = lane.popleft()
                    self._freed(1)
                    await self._work(frame)
        except Exception as error:  # of the whole role: it ends, and what was not acknowledged comes again
            self._error = error
            self._broken.set()
            self._room.set()
        finally:
            del self._tasks[key], self._lanes[key]

    def _fold(self, lane: deque[WaitingFrame]) -> None:
        if self._late_s is None:
            return
        for frame in superseded(lane, now_s=self._now_s(), late_s=self._late_s):
            lane.remove(frame)
            self._freed(1)
            self._skip(frame)

    def _freed(self, count: int) -> None:
        self._waiting -= count
        self._room.set()
