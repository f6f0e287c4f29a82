"""Delivery: takes what may be tried from the outbox, makes one try, and writes down how it went.

At-least-once: an entry that was sent but not marked (a crash between the two) is sent again under the same key.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from ioc.clock import Clock
from ioc.errors import InvalidRecord, PermanentError, TransientError
from ioc.oncall.backoff import is_given_up, retry_delay
from ioc.oncall.channels import Receipt, RetryLater
from ioc.oncall.delivery_lanes import (
    MACHINES,
    STUCK_AFTER,
    Bucket,
    Lane,
    LaneRules,
    Plan,
    Start,
    lane_of,
    overdue,
    plan,
)
from ioc.oncall.delivery_reach import Reach
from ioc.oncall.delivery_turns import Turn, always
from ioc.oncall.outcomes import FollowUp, GivenUp, OutboxRow, Outcome, Postponed, Sent
from ioc.oncall.store import Store

__all__ = ["FallBack", "Outlet", "Try"]

logger = logging.getLogger(__name__)

CONCURRENCY = 32  # tries in flight for one channel
GATHER_S = 0.005  # tries that end this close together are marked in one transaction
FRESH_S = 0.1  # what was read from the outbox is worked off this long before rows are asked for that may be new
OLD_S = 1.0  # and this long where nothing says that there are any
IDLE_S = 5.0  # how long to sleep at most when nothing is due: a row from another process is found then
BROKEN_DATABASE_PAUSE_S = 1.0

Try = Callable[[Sequence[OutboxRow]], Awaitable[Receipt]]
"""Makes one try of one entry, or of several in one message."""

Counted = Callable[[str], None]
FollowedUp = Callable[[OutboxRow], FollowUp | None]
Told = Callable[[Sent, bool], None]
"""Called after an entry was sent and marked, with whether it was the first notice of its incident."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FallBack:
    """The person's next address is called, besides, after so many failed tries or so long."""

    tries: int = 3
    after: timedelta = timedelta(seconds=60)


def _nothing_follows(_: OutboxRow) -> FollowUp | None:
    return None


def _nobody_told(_: Sent, __: bool) -> None:
    return None


def _nothing() -> None:
    return None


class Outlet:
    """The delivery loop of one channel; a channel or a try that hangs delays nobody else.

    What ended while the database was busy is marked in one transaction. What is known of lanes is in memory only: the
    entries themselves say what failed, so a restart changes no order.
    """

    def __init__(
        self,
        name: str,
        *,
        store: Store,
        send: Try,
        count: Counted,
        clock: Clock,
        rules: LaneRules = MACHINES,
        fall_back: FallBack | None = None,
        follow_up: FollowedUp = _nothing_follows,
        told: Told = _nobody_told,
        on_fallback: Callable[[], None] = _nothing,
        reach: Reach | None = None,
        turn: Turn = always,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self._store = store
        self._send = send
        self._count = count
        self._clock = clock
        self._rules = rules
        self._fall_back = fall_back or FallBack()
        self._follow_up = follow_up
        self._told = told
        self._on_fallback = on_fallback
        self._reach = reach or Reach()
        self._turn = turn
        self._chance = chance
        self._wake = asyncio.Event()
        self._stuck: set[int] = set()
        self._probes: set[Lane] = set()
        self._draining: dict[Lane, int] = {}
        self._buckets: dict[Lane, Bucket] = {}
        self._next_at: datetime | None = None
        self._rows: list[OutboxRow] = []
        self._is_stale = self._has_more = False
        self._read_s = 0.0

    def wake(self) -> None:
        """Says that something new may be due."""
        self._wake.set()

    async def run(self) -> None:
        """Delivers until cancelled. A broken database pauses the loop, it does not end it."""
        while True:
            self._wake.clear()
            try:
                delivered = await self.deliver_due()
                pause = timedelta() if delivered else self._pause()
            except (SQLAlchemyError, OSError) as error:
                logger.error("outbox of %s: the database does not answer: %s", self.name, getattr(error, "orig", error))
                pause = timedelta(seconds=BROKEN_DATABASE_PAUSE_S)
            if pause:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), pause.total_seconds())

    async def deliver_due(self) -> int:
        """Tries what may be tried, a few at a time, until nothing may; returns how many entries were tried."""
        if not await self._turn():
            self._next_at = None
            return 0
        self._rows, self._read_s = [], 0.0
        in_flight: dict[asyncio.Task[list[Outcome]], Start] = {}
        woken = asyncio.create_task(self._wake.wait())
        tries = 0
        try:
            while True:
                for start in await self._startable(in_flight.values()):
                    in_flight[asyncio.create_task(self._try(start))] = start
                    tries += len(start.rows)
                if not in_flight:
                    return tries
                # Not for ever: while one hangs, another's pause ends.
                await asyncio.wait(
                    {*in_flight, woken}, timeout=self._look_again_s(), return_when=asyncio.FIRST_COMPLETED
                )
                if any(task.done() for task in in_flight) and not all(task.done() for task in in_flight):
                    await asyncio.wait(in_flight, timeout=GATHER_S)
                if woken.done():
                    self._wake.clear()
                    self._is_stale = True
                    woken = asyncio.create_task(self._wake.wait())
                ended = {task: start for task, start in in_flight.items() if task.done()}
                if ended:
                    await self._settle([(start, task.result()) for task, start in ended.items()])
                for task in ended:
                    del in_flight[task]
        finally:
            for waiting in (*in_flight, woken):
                waiting.cancel()
            await asyncio.gather(*in_flight, woken, return_exceptions=True)

    async def _startable(self, in_flight: Iterable[Start]) -> list[Start]:
        flying: dict[Lane, set[int]] = {}
        count = 0
        for start in in_flight:
            flying.setdefault(start.lane, set()).update(row.entry_id for row in start.rows)
            count += 1
        if count >= CONCURRENCY:
            return []
        now = self._clock()
        read_before_s = asyncio.get_running_loop().time() - self._read_s
        is_short = self._has_more and len(self._rows) <= 2 * self._rules.parallel
        if not self._rows or is_short or read_before_s >= (FRESH_S if self._is_stale else OLD_S):
            await self._read(now)
        found = self._planned(flying, now)
        if not found.starts and (self._is_stale or self._has_more) and not flying:
            await self._read(now)
            found = self._planned(flying, now)
        self._probes.clear()
        self._next_at = found.next_at
        starts = list(found.starts[: CONCURRENCY - count])
        for start in starts:
            if start.lane in self._buckets:
                self._buckets[start.lane].take(now)
        return starts

    async def _read(self, now: datetime) -> None:
        self._read_s = asyncio.get_running_loop().time()
        rows = await self._store.waiting(self.name, self._rules.most)
        if await self._call_others(rows, now):
            rows = await self._store.waiting(self.name, self._rules.most)
        self._rows, self._is_stale, self._has_more = rows, False, len(rows) >= self._rules.most
        self._remember(rows, now)

    def _planned(self, flying: dict[Lane, set[int]], now: datetime) -> Plan:
        return plan(
            self._rows,
            self._rules,
            now,
            in_flight=flying,
            stuck=self._stuck,
            probes=self._probes,
            draining=self._draining,
            buckets=self._buckets,
        )

    def _remember(self, rows: Sequence[OutboxRow], now: datetime) -> None:
        """Notes which lanes are down: what waits there now goes one by one, in order, once it is up again."""
        seen: set[Lane] = set()
        for row in rows:
            lane = lane_of(row, self._rules)
            if lane not in seen and row.attempts > 0 and row.entry_id not in self._stuck:
                self._draining[lane] = max(other.entry_id for other in rows if lane_of(other, self._rules) == lane)
            seen.add(lane)
            if self._rules.burst is not None and lane not in self._buckets:
                self._buckets[lane] = Bucket(self._rules.burst, self._rules.every, now)
        self._stuck &= {row.entry_id for row in rows}

    async def _call_others(self, rows: Sequence[OutboxRow], now: datetime) -> bool:
        """Queues the next address of everybody who has waited too long; whether there was any."""
        late = overdue(rows, now - self._fall_back.after)
        if not late:
            return False
        error = f"waited {self._fall_back.after.total_seconds():.0f} s: the next address is called"
        outcomes = [
            Postponed(row=row, error=error, next_attempt_at=row.next_attempt_at or now, falls_back=True) for row in late
        ]
        await self._store.settle(outcomes, now)
        self._on_fallback()
        return True

    def _look_again_s(self) -> float:
        return FRESH_S if self._is_stale else max(0.01, min(OLD_S, self._pause().total_seconds()))

    def _pause(self) -> timedelta:
        longest = timedelta(seconds=IDLE_S)
        if self._next_at is None:
            return longest
        return max(timedelta(milliseconds=1), min(longest, self._next_at - self._clock()))

    async def _try(self, start: Start) -> list[Outcome]:
        try:
            receipt = await self._send(start.rows)
        except (PermanentError, InvalidRecord) as error:
            return [GivenUp(row=row, error=str(error)) for row in start.rows]
        except TransientError as error:
            return self._postponed(start.rows, error)
        except Exception as error:  # the boundary: a fault in one channel must not stop the others
            logger.exception("channel %s failed in an unforeseen way", self.name)
            return self._postponed(start.rows, TransientError(type(error).__name__))
        return [Sent(row=row, receipt=receipt.reference, follow_up=self._follow_up(row)) for row in start.rows]

    def _postponed(self, rows: Sequence[OutboxRow], error: TransientError) -> list[Outcome]:
        """All of one message wait together, as long as the first of them."""
        now = self._clock()
        pause = retry_delay(rows[0].attempts + 1, self._chance)
        if isinstance(error, RetryLater):
            pause = max(pause, timedelta(seconds=error.after_s))
        outcomes: list[Outcome] = []
        for row in rows:
            if is_given_up(row.created_at, now):
                outcomes.append(GivenUp(row=row, error=f"given up after a day: {error}"))
                continue
            is_enough = row.attempts + 1 >= self._fall_back.tries or now - row.created_at >= self._fall_back.after
            outcomes.append(
                Postponed(
                    row=row, error=str(error), next_attempt_at=now + pause, falls_back=bool(row.spare) and is_enough
                )
            )
        return outcomes

    async def _settle(self, ended: Sequence[tuple[Start, list[Outcome]]]) -> None:
        now = self._clock()
        firsts = await self._store.settle([outcome for _, outcomes in ended for outcome in outcomes], now)
        done = {outcome.row.entry_id for _, outcomes in ended for outcome in outcomes}
        self._rows = [row for row in self._rows if row.entry_id not in done]
        if any(not isinstance(outcome, Sent) for _, outcomes in ended for outcome in outcomes):
            self._rows = []  # what was put off comes back at its place, with its new time
        for start, outcomes in ended:
            self._judge_lane(start, outcomes[0])
            for outcome in outcomes:
                self._say(outcome, firsts, now)

    def _judge_lane(self, start: Start, outcome: Outcome) -> None:
        if isinstance(outcome, Sent):
            if start.behind is not None:
                logger.warning("%s: entry %d fails while others pass; it is left behind", self.name, start.behind)
                self._stuck.add(start.behind)
        elif isinstance(outcome, Postponed) and start.behind is None and outcome.row.attempts + 1 >= STUCK_AFTER:
            self._probes.add(start.lane)

    def _say(self, outcome: Outcome, firsts: set[str], now: datetime) -> None:
        row = outcome.row
        if isinstance(outcome, Sent):
            self._count("sent")
            self._reach.reached(self.name, row)
            self._told(outcome, row.idempotency_key in firsts)
            return
        self._reach.failed(self.name, row, outcome.error, now, is_final=isinstance(outcome, GivenUp))
        if isinstance(outcome, GivenUp):
            self._count("failed")
            logger.error(
                "%s: %s for incident %s can't be delivered: %s",
                *(self.name, row.idempotency_key, row.incident_id, outcome.error),
            )
        else:
            self._count("retried")
            pause_s = (outcome.next_attempt_at - now).total_seconds()
            logger.warning(
                "%s: try %d of %s for incident %s failed, next in %.1f s: %s",
                *(self.name, row.attempts + 1, row.idempotency_key, row.incident_id, pause_s, outcome.error),
            )
        if row.spare and (isinstance(outcome, GivenUp) or outcome.falls_back):
            self._on_fallback()
