"""The loop that fires due timers: escalations, ends of holds and of snoozes. They lie in SQL."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from ioc.clock import Clock
from ioc.oncall.store import DueTimer, Store
from ioc.oncall_plan import Plan

__all__ = ["TimerLoop"]

logger = logging.getLogger(__name__)

BATCH = 50
IDLE_S = 2.0  # a timer that another process set, and a clock that jumped, are found then
BROKEN_DATABASE_PAUSE_S = 1.0


class TimerLoop:
    """Fires what is due until cancelled. `on_told` is called when people are to be told of something."""

    def __init__(self, store: Store, *, plan: Callable[[], Plan], clock: Clock, on_told: Callable[[], None]) -> None:
        self._store = store
        self._plan = plan
        self._clock = clock
        self._on_told = on_told
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Says that a timer may have been set."""
        self._wake.set()

    async def run(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self.fire_due()
                pause = await self._pause()
            except (SQLAlchemyError, OSError) as error:
                logger.error("timers: the database does not answer: %s", getattr(error, "orig", error))
                pause = timedelta(seconds=BROKEN_DATABASE_PAUSE_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), pause.total_seconds())

    async def fire_due(self) -> int:
        """Fires everything due now; returns how many fired. One that fails is tried again when its lease ends."""
        fired = 0
        while timers := await self._store.claim_timers(self._clock(), BATCH):
            fired += await self._fire(timers)
        return fired

    async def _fire(self, timers: Sequence[DueTimer]) -> int:
        """All in one transaction; one by one where that fails, so that one incident's fault stops no other's."""
        try:
            is_told = await self._store.fire(timers, self._plan(), self._clock())
        except Exception as error:  # the boundary: whatever it was, the others' escalation must go on
            if isinstance(error, OperationalError | InterfaceError | OSError):
                raise  # the database is away: for all of them
            if len(timers) > 1:
                return sum([await self._fire([timer]) for timer in timers])
            logger.exception("the timer %s of %s failed in an unforeseen way", timers[0].kind, timers[0].incident_id)
            return 0
        if is_told:
            self._on_told()
        return len(timers)

    async def _pause(self) -> timedelta:
        due_at = await self._store.next_timer_at()
        longest = timedelta(seconds=IDLE_S)
        return longest if due_at is None else max(timedelta(milliseconds=1), min(longest, due_at - self._clock()))
