"""The way from the spool to the far end: one task sends the oldest events, in order, until they are answered."""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from ioc.clock import Clock
from ioc.errors import TransientError
from ioc.sdk.envelopes import Prepared
from ioc.sdk.patience import Patience, not_taken
from ioc.sdk.results import LinkTrouble, Refused, Result, Trouble, Verdict
from ioc.sdk.retrying import pause_s
from ioc.sdk.spool import Spool, Spooled

__all__ = ["Delivery", "Transport"]

logger = logging.getLogger(__name__)

_MAX_REQUEST_BYTES = 4 * 1024 * 1024
_T = TypeVar("_T")


class Transport(Protocol):
    """Somebody who takes events: the gateway, or Kafka."""

    clock_skew_s: float | None

    async def send(self, events: Sequence[Spooled]) -> list[Verdict]: ...

    async def is_well(self) -> bool: ...

    async def close(self) -> None: ...


class _Ticket:
    """Those who wait for the answers about some events."""

    def __init__(self, amount: int) -> None:
        self.verdicts: list[Verdict | None] = [None] * amount
        self._left = amount
        self.moved = asyncio.Event()

    @property
    def is_done(self) -> bool:
        return self._left == 0

    def answer(self, place: int, verdict: Verdict) -> None:
        self.verdicts[place] = verdict
        self._left -= 1


class Delivery:
    """Keeps events in a spool and sends them. Used within one event loop.

    Args:
        open_spool: called in a thread of its own, where all disk work happens.
        is_durable: whether what nobody took stays for another process; else it is given back to its publisher.
        chance: numbers in 0–1, for the jitter.
    """

    def __init__(
        self,
        transport: Transport,
        open_spool: Callable[[], Spool],
        *,
        is_durable: bool,
        clock: Clock,
        chance: Callable[[], float],
    ) -> None:
        self._transport, self._open_spool, self._is_durable = transport, open_spool, is_durable
        self._clock, self._chance = clock, chance
        self._patience = Patience()
        self._waiting: dict[int, tuple[_Ticket, int]] = {}
        self._work, self._empty = asyncio.Event(), asyncio.Event()
        self._stalled_since_s = 0.0
        self.trouble: Trouble | None = None

    async def open(self) -> None:
        """Takes the spool and begins to send what it holds. Raises ConfigurationError where it is not to be had."""
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="ioc-spool")
        try:
            self._spool = await self._on_disk(self._open_spool)
        except BaseException:
            self._disk.shutdown()
            raise
        self._stalled_since_s = asyncio.get_running_loop().time()
        self._task = asyncio.create_task(self._send_all(), name="ioc-sdk-delivery")

    async def close(self) -> None:
        """Stops at once; what is not answered stays in the spool."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self._transport.close()
        await self._on_disk(self._spool.close)
        self._disk.shutdown()

    @property
    def pending(self) -> int:
        return self._spool.pending

    @property
    def rejected_count(self) -> int:
        return self._spool.rejected_count

    async def rejected(self) -> list[Refused]:
        return await self._on_disk(self._spool.rejected)

    async def forget_rejected(self, numbers: Sequence[int]) -> None:
        await self._on_disk(self._spool.forget_rejected, numbers)

    async def submit(self, events: Sequence[Prepared], wait_s: float) -> list[Result]:
        """Keeps `events`; returns what became of each once all are answered, or once nothing has moved for `wait_s`.

        Raises:
            SpoolFull: none of them is kept.
            TransientError: no answer, and nothing on disk to keep them; publish them again.
        """
        if not events:
            return []
        loop = asyncio.get_running_loop()
        if not self._spool.pending:
            self._stalled_since_s = loop.time()
        adding = loop.run_in_executor(self._disk, self._spool.add, events, self._clock().timestamp())
        adding.add_done_callback(self._begin)  # also where the caller is cancelled meanwhile: they are kept, so they go
        numbers = await asyncio.shield(adding)
        ticket = _Ticket(len(events))
        self._waiting.update((number, (ticket, place)) for place, number in enumerate(numbers))
        try:
            while not ticket.is_done and (left_s := self._stalled_since_s + wait_s - loop.time()) > 0:
                ticket.moved.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(ticket.moved.wait(), left_s)
        finally:
            for number in numbers:
                self._waiting.pop(number, None)
        if not ticket.is_done and not self._is_durable:
            await self._on_disk(self._spool.withdraw, numbers)
            raise TransientError(
                f"not acknowledged within {wait_s:g} s: {self._reason().en}; publish it again with the same id, or "
                f"give "
                f"spool= a folder that keeps it"
            )
        return [self._result(event, verdict) for event, verdict in zip(events, ticket.verdicts, strict=True)]

    async def flush(self, timeout_s: float | None) -> int:
        """Returns how many events still wait: 0 once all are answered, more where `timeout_s` went by."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._spool.pending:
                    self._empty.clear()
                    await self._empty.wait()
        return self._spool.pending

    # ---- sending ---------------------------------------------------------------------------------------------------

    def _begin(self, adding: "asyncio.Future[list[int]]") -> None:
        self._empty.clear()
        self._work.set()

    async def _send_all(self) -> None:
        while True:
            self._work.clear()
            try:
                events = await self._on_disk(self._spool.head, self._patience.size, _MAX_REQUEST_BYTES)
                if events:
                    await self._send(events)
                else:
                    self._empty.set()
                    await self._work.wait()
            except sqlite3.Error as error:  # the disk is full or gone: what was answered is sent again, and counts once
                await self._pause(_disk_trouble(error))
            except Exception as error:  # the boundary of this task: it must not die silently
                logger.exception("the delivery failed")
                await self._pause(_own_trouble(error))

    async def _send(self, events: list[Spooled]) -> None:
        try:
            verdicts = await self._transport.send(events)
        except LinkTrouble as error:
            await self._handle(error.trouble, events)
            return
        self._patience.succeeded()
        await self._settle(events, verdicts)

    async def _handle(self, trouble: Trouble, events: list[Spooled]) -> None:
        step = self._patience.failed(trouble, len(events))
        if step == "reject" and trouble.refusal is not None:
            await self._settle(events, [trouble.refusal])
        elif step == "suspect" and await self._transport.is_well():
            self._patience.succeeded()
            await self._settle(events, [not_taken(trouble)])
        elif step != "at_once":
            await self._pause(trouble)

    async def _settle(self, events: Sequence[Spooled], verdicts: Sequence[Verdict]) -> None:
        answers = list(zip(events, verdicts, strict=True))
        await self._on_disk(self._spool.settle, answers, self._clock().timestamp())
        if self.trouble is not None:
            logger.info("the link is back", extra={"pending": self._spool.pending})
        self.trouble = None
        self._stalled_since_s = asyncio.get_running_loop().time()
        tickets: set[_Ticket] = set()
        for event, verdict in answers:
            if (waiting := self._waiting.pop(event.number, None)) is not None:
                waiting[0].answer(waiting[1], verdict)
                tickets.add(waiting[0])
            elif verdict.outcome == "rejected":
                logger.warning("a spooled event was refused: %s", verdict.en, extra={"event_id": event.id})
        for ticket in tickets:
            ticket.moved.set()

    async def _pause(self, trouble: Trouble) -> None:
        if self.trouble is None or self.trouble.en != trouble.en:
            logger.warning("events are kept: %s", trouble.en, extra={"pending": self._spool.pending})
        self.trouble = trouble
        await asyncio.sleep(pause_s(trouble, max(1, self._patience.failures), self._chance))

    # ---- the rest --------------------------------------------------------------------------------------------------

    def _reason(self) -> Trouble:
        return self.trouble or Trouble(
            problem="away", vi="Cổng nhận dữ liệu chưa trả lời.", en="the gateway has not answered yet"
        )

    def _result(self, event: Prepared, verdict: Verdict | None) -> Result:
        if verdict is not None:
            return verdict.of(event.source, event.id)
        reason = self._reason()
        return Result(outcome="spooled", source=event.source, id=event.id, vi=reason.vi, en=reason.en)

    async def _on_disk(self, work: Callable[..., _T], *arguments: Any) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._disk, work, *arguments)


def _disk_trouble(error: sqlite3.Error) -> Trouble:
    return Trouble(
        problem="busy",
        vi=f"Không ghi được hàng chờ trên đĩa: {error}; hãy kiểm tra dung lượng đĩa.",
        en=f"the spool on disk can't be written to: {error}; check the disk's free space",
    )


def _own_trouble(error: Exception) -> Trouble:
    return Trouble(
        problem="busy",
        vi=f"Lỗi trong SDK: {type(error).__name__}: {error}; sự kiện vẫn được giữ.",
        en=f"an error within the SDK: {type(error).__name__}: {error}; the events are kept",
    )
