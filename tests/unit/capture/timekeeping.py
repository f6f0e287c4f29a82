"""Time that moves only when a test sleeps in it."""

import asyncio
from datetime import UTC, datetime, timedelta

from ioc.capture.pacing import Pacer

BEGIN = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)


class FakeTime:
    """Seconds since the test began, as a monotonic clock, a sleep and a wall clock."""

    def __init__(self, *, oversleep_s: float = 0.0) -> None:
        self.now_s = 0.0
        self._oversleep_s = oversleep_s

    def monotonic_s(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds + self._oversleep_s
        await asyncio.sleep(0)

    def clock(self) -> datetime:
        return BEGIN + timedelta(seconds=self.now_s)

    def pacer(self, fps: float = 1.0, *, is_every_frame: bool = False) -> Pacer:
        return Pacer(fps=fps, is_every_frame=is_every_frame, monotonic_s=self.monotonic_s, sleep=self.sleep)
