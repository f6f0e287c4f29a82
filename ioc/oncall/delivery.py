"""Delivery: takes what is due from the outbox, makes one try, and writes down how it went.

At-least-once: an entry that was sent but not marked (a crash between the two) is sent again under the same key.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
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
from ioc.oncall.store import OutboxRow, Store

__all__ = ["Outlet", "Try", "action_outlet", "notice_outlet"]

logger = logging.getLogger(__name__)

CONCURRENCY = 8  # tries in flight for one channel
IDLE_S = 5.0  # how long to sleep at most when nothing is due: a row from another process is found then
BROKEN_DATABASE_PAUSE_S = 1.0

Try = Callable[[OutboxRow], Awaitable[Receipt]]
"""Makes one try of one entry."""

Settled = Callable[[OutboxRow, Receipt, datetime], Awaitable[None]]
Counted = Callable[[str], None]


class Outlet:
    """The delivery loop of one channel; a channel that hangs delays nobody else."""

    def __init__(
        self,
        name: str,
        *,
        store: Store,
        send: Try,
        settle: Settled,
        count: Counted,
        clock: Clock,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self._store = store
        self._send = send
        self._settle = settle
        self._count = count
        self._clock = clock
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
                logger.error("outbox of %s: the database does not answer: %s", self.name, error)
                pause = timedelta(seconds=BROKEN_DATABASE_PAUSE_S)
            if pause:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), pause.total_seconds())

    async def deliver_due(self) -> int:
        """Tries everything that is due now, a few at a time; returns how many entries were tried."""
        rows = await self._store.due(self.name, self._clock(), CONCURRENCY)
        results = await asyncio.gather(*(self._try(row) for row in rows), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return len(rows)

    async def _pause(self) -> timedelta:
        due_at = await self._store.next_due_at(self.name)
        longest = timedelta(seconds=IDLE_S)
        return longest if due_at is None else max(timedelta(milliseconds=1), min(longest, due_at - self._clock()))

    async def _try(self, row: OutboxRow) -> None:
        try:
            receipt = await self._send(row)
        except (PermanentError, InvalidRecord) as error:
            await self._give_up(row, str(error))
        except TransientError as error:
            await self._retry(row, error)
        except Exception as error:  # the boundary: a fault in one channel must not stop the others
            logger.exception("channel %s failed in an unforeseen way for %s", self.name, row.idempotency_key)
            await self._retry(row, TransientError(type(error).__name__))
        else:
            await self._settle(row, receipt, self._clock())
            self._count("sent")

    async def _retry(self, row: OutboxRow, error: TransientError) -> None:
        now = self._clock()
        if is_given_up(row.created_at, now):
            await self._give_up(row, f"given up after a day: {error}")
            return
        pause = retry_delay(row.attempts + 1, self._chance)
        if isinstance(error, RetryLater):
            pause = max(pause, timedelta(seconds=error.after_s))
        await self._store.mark_retry(row, error=str(error), next_attempt_at=now + pause)
        self._count("retried")
        logger.warning(
            "%s: try %d of %s for incident %s failed, next in %.1f s: %s",
            *(self.name, row.attempts + 1, row.idempotency_key, row.incident_id, pause.total_seconds(), error),
        )

    async def _give_up(self, row: OutboxRow, reason: str) -> None:
        await self._store.mark_failed(row, error=reason)
        self._count("failed")
        logger.error(
            "%s: %s for incident %s can't be delivered: %s",
            *(self.name, row.idempotency_key, row.incident_id, reason),
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

    async def settle(row: OutboxRow, receipt: Receipt, now: datetime) -> None:
        action = notified_action(row, at=facts_clock())
        is_first = await store.mark_sent(row, receipt=receipt.reference, now=now, follow_up=action)
        if is_first:
            first_frame_at = datetime.fromisoformat(str(row.payload["first_frame_at"]))
            metrics.stage.labels("first_frame_to_alert").observe(_seconds(first_frame_at, facts_clock()))
            metrics.stage.labels("inbox_to_alert").observe(_seconds(row.created_at, now))
        on_sent()

    return Outlet(
        channel.name,
        store=store,
        send=send,
        settle=settle,
        count=lambda outcome: metrics.notices.labels(channel.name, outcome).inc(),
        clock=clock,
        chance=chance,
    )


def action_outlet(name: str, send: Try, *, store: Store, metrics: OncallMetrics, clock: Clock) -> Outlet:
    """The outlet that publishes actions; nothing follows from its entries."""

    async def settle(row: OutboxRow, receipt: Receipt, now: datetime) -> None:
        await store.mark_sent(row, receipt=receipt.reference, now=now, follow_up=None)

    return Outlet(
        name,
        store=store,
        send=send,
        settle=settle,
        count=lambda outcome: metrics.actions.labels(outcome).inc(),
        clock=clock,
    )


def _seconds(begin: datetime, end: datetime) -> float:
    return max(0.0, (end - begin).total_seconds())
