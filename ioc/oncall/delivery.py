"""Delivery: takes what is due from the outbox, makes one try, and writes down how it went.

At-least-once: an entry that was sent but not marked (a crash between the two) is sent again under the same key.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from ioc.clock import Clock
from ioc.errors import InvalidRecord, PermanentError, TransientError
from ioc.oncall.actions import notified_action
from ioc.oncall.backoff import is_given_up, retry_delay
from ioc.oncall.channels import Channel, Receipt, RetryLater
from ioc.oncall.intake import parse_payload
from ioc.oncall.metrics import OncallMetrics
from ioc.oncall.notices import UnitNames, compose
from ioc.oncall.outcomes import FollowUp, GivenUp, OutboxRow, Outcome, Postponed, Sent
from ioc.oncall.store import Store

__all__ = ["Outlet", "Try", "action_outlet", "notice_outlet"]

logger = logging.getLogger(__name__)

CONCURRENCY = 8  # tries in flight for one channel
IDLE_S = 5.0  # how long to sleep at most when nothing is due: a row from another process is found then
BROKEN_DATABASE_PAUSE_S = 1.0

Try = Callable[[OutboxRow], Awaitable[Receipt]]
"""Makes one try of one entry."""

Counted = Callable[[str], None]
FollowedUp = Callable[[OutboxRow], FollowUp | None]
Told = Callable[[Sent, bool], None]
"""Called after an entry was sent and marked, with whether it was the first notice of its incident."""


def _nothing_follows(_: OutboxRow) -> FollowUp | None:
    return None


def _nobody_told(_: Sent, __: bool) -> None:
    return None


class Outlet:
    """The delivery loop of one channel; a channel or a try that hangs delays nobody else.

    What ended while the database was busy is marked in one transaction.
    """

    def __init__(
        self,
        name: str,
        *,
        store: Store,
        send: Try,
        count: Counted,
        clock: Clock,
        follow_up: FollowedUp = _nothing_follows,
        told: Told = _nobody_told,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self._store = store
        self._send = send
        self._count = count
        self._clock = clock
        self._follow_up = follow_up
        self._told = told
        self._chance = chance
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Says that something new may be due."""
        self._wake.set()

    async def run(self) -> None:
        """Delivers until cancelled. A broken database pauses the loop, it does not end it."""
        while True:
            self._wake.clear()
            try:
                delivered = await self.deliver_due()
                pause = timedelta() if delivered else await self._pause()
            except (SQLAlchemyError, OSError) as error:
                logger.error("outbox of %s: the database does not answer: %s", self.name, getattr(error, "orig", error))
                pause = timedelta(seconds=BROKEN_DATABASE_PAUSE_S)
            if pause:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), pause.total_seconds())

    async def deliver_due(self) -> int:
        """Tries what is due, a few at a time, until nothing is; returns how many tries were made."""
        in_flight: dict[asyncio.Task[Outcome], OutboxRow] = {}
        woken = asyncio.create_task(self._wake.wait())
        tries = 0
        try:
            while True:
                for row in await self._startable(in_flight.values()):
                    in_flight[asyncio.create_task(self._try(row))] = row
                    tries += 1
                if not in_flight:
                    return tries
                await asyncio.wait({*in_flight, woken}, return_when=asyncio.FIRST_COMPLETED)
                if woken.done():
                    self._wake.clear()
                    woken = asyncio.create_task(self._wake.wait())
                ended = [task for task in in_flight if task.done()]
                if ended:
                    await self._settle([task.result() for task in ended])
                for task in ended:
                    del in_flight[task]
        finally:
            for waiting in (*in_flight, woken):
                waiting.cancel()
            await asyncio.gather(*in_flight, woken, return_exceptions=True)

    async def _startable(self, in_flight: Collection[OutboxRow]) -> list[OutboxRow]:
        free = CONCURRENCY - len(in_flight)
        if free <= 0:
            return []
        taken = {row.entry_id for row in in_flight}
        rows = await self._store.due(self.name, self._clock(), CONCURRENCY + len(taken))
        return [row for row in rows if row.entry_id not in taken][:free]

    async def _pause(self) -> timedelta:
        due_at = await self._store.next_due_at(self.name)
        longest = timedelta(seconds=IDLE_S)
        return longest if due_at is None else max(timedelta(milliseconds=1), min(longest, due_at - self._clock()))

    async def _try(self, row: OutboxRow) -> Outcome:
        try:
            receipt = await self._send(row)
        except (PermanentError, InvalidRecord) as error:
            return GivenUp(row=row, error=str(error))
        except TransientError as error:
            return self._postponed(row, error)
        except Exception as error:  # the boundary: a fault in one channel must not stop the others
            logger.exception("channel %s failed in an unforeseen way for %s", self.name, row.idempotency_key)
            return self._postponed(row, TransientError(type(error).__name__))
        return Sent(row=row, receipt=receipt.reference, follow_up=self._follow_up(row))

    def _postponed(self, row: OutboxRow, error: TransientError) -> Outcome:
        now = self._clock()
        if is_given_up(row.created_at, now):
            return GivenUp(row=row, error=f"given up after a day: {error}")
        pause = retry_delay(row.attempts + 1, self._chance)
        if isinstance(error, RetryLater):
            pause = max(pause, timedelta(seconds=error.after_s))
        return Postponed(row=row, error=str(error), next_attempt_at=now + pause)

    async def _settle(self, outcomes: Sequence[Outcome]) -> None:
        now = self._clock()
        firsts = await self._store.settle(outcomes, now)
        for outcome in outcomes:
            row = outcome.row
            match outcome:
                case Sent():
                    self._count("sent")
                    self._told(outcome, row.idempotency_key in firsts)
                case Postponed():
                    self._count("retried")
                    pause_s = (outcome.next_attempt_at - now).total_seconds()
                    logger.warning(
                        "%s: try %d of %s for incident %s failed, next in %.1f s: %s",
                        *(self.name, row.attempts + 1, row.idempotency_key, row.incident_id, pause_s, outcome.error),
                    )
                case GivenUp():
                    self._count("failed")
                    logger.error(
                        "%s: %s for incident %s can't be delivered: %s",
                        *(self.name, row.idempotency_key, row.incident_id, outcome.error),
                    )


def notice_outlet(
    channel: Channel,
    *,
    store: Store,
    metrics: OncallMetrics,
    public_url: str,
    unit_names: UnitNames,
    clock: Clock,
    facts_clock: Clock,
    on_sent: Callable[[], None],
    chance: Callable[[], float] = random.random,
) -> Outlet:
    """The outlet of a channel of notices.

    `clock` moves (pauses, signatures); `facts_clock` says when the notice was given, and may be fixed in a replay.
    `on_sent` is called when an action has been queued.
    """

    async def send(row: OutboxRow) -> Receipt:
        incident = parse_payload(dict(row.payload))
        notice = compose(incident, queued_at=row.created_at, public_url=public_url, unit_names=unit_names)
        return await channel.send(notice, idempotency_key=row.idempotency_key)

    def told(sent: Sent, is_first: bool) -> None:
        if is_first:
            first_frame_at = datetime.fromisoformat(str(sent.row.payload["first_frame_at"]))
            metrics.stage.labels("first_frame_to_alert").observe(_seconds(first_frame_at, facts_clock()))
            metrics.stage.labels("inbox_to_alert").observe(_seconds(sent.row.created_at, clock()))
        on_sent()

    return Outlet(
        channel.name,
        store=store,
        send=send,
        count=lambda outcome: metrics.notices.labels(channel.name, outcome).inc(),
        clock=clock,
        follow_up=lambda row: notified_action(row, at=facts_clock()),
        told=told,
        chance=chance,
    )


def action_outlet(name: str, send: Try, *, store: Store, metrics: OncallMetrics, clock: Clock) -> Outlet:
    """The outlet that publishes actions; nothing follows from its entries."""
    return Outlet(
        name,
        store=store,
        send=send,
        count=lambda outcome: metrics.actions.labels(outcome).inc(),
        clock=clock,
    )


def _seconds(begin: datetime, end: datetime) -> float:
    return max(0.0, (end - begin).total_seconds())
