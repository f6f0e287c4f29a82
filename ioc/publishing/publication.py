"""A stream of JSON lines: each judged, sent or reported, and counted."""

import asyncio
from collections.abc import AsyncIterable, Callable
from typing import NamedTuple, Protocol

from ioc.clock import Clock
from ioc.errors import InvalidRecord, PermanentError, TransientError
from ioc.events import MAX_EVENT_BYTES
from ioc.publishing.judge import EventJudge, Outgoing, too_large
from ioc.publishing.lines import Line, LineSplitter
from ioc.windows import microseconds_of

__all__ = ["EventSink", "Publication", "RejectedLine"]


class EventSink(Protocol):
    """Where judged events go. `acknowledged` counts those that are safely there."""

    @property
    def acknowledged(self) -> int: ...

    async def send(self, outgoing: Outgoing) -> None: ...

    async def flush(self) -> None: ...


class RejectedLine(NamedTuple):
    """A line that is no valid event, by its number from 1, and why."""

    number: int
    error: InvalidRecord


class Publication:
    """One run over a stream. The counts stand also where the run ended early.

    Args:
        judge: decides.
        clock: what "now" is, asked for each line: a stream from a pipe may last for days.
        on_rejected: told of each bad line, in the order of the lines.
    """

    def __init__(
        self,
        judge: EventJudge,
        *,
        clock: Clock,
        on_rejected: Callable[[RejectedLine], None] = lambda line: None,
    ) -> None:
        self._judge, self._clock, self._on_rejected = judge, clock, on_rejected
        self._sink: EventSink | None = None
        self._judged_good = 0
        self.rejected = 0
        self.line_number = 0

    @property
    def accepted(self) -> int:
        """Events acknowledged by Kafka; without a sink those that would be sent."""
        return self._judged_good if self._sink is None else self._sink.acknowledged

    async def run(self, chunks: AsyncIterable[bytes], *, sink: EventSink | None, stop: asyncio.Event) -> None:
        """Takes `chunks` to their end; valid events go to `sink`, or nowhere where there is none.

        `stop` says that the chunks ended before their time: what has no line end yet is then left out.

        Raises:
            PermanentError, TransientError: Kafka does not take the events; says how far it came.
        """
        self._sink = sink
        splitter = LineSplitter(MAX_EVENT_BYTES)
        try:
            async for chunk in chunks:
                await self._take(splitter.feed(chunk))
            if not stop.is_set():
                await self._take(splitter.finish())
            if sink is not None:
                await sink.flush()
        except (PermanentError, TransientError) as error:
            raise type(error)(
                f"{error} Stopped at line {self.line_number}; {self.accepted} events were acknowledged. "
                f"Send the whole file again once this is mended: ids are known, so nothing counts twice."
            ) from error

    async def _take(self, lines: list[Line]) -> None:
        for line in lines:
            self.line_number = line.number
            try:
                if line.body is None:
                    raise too_large(line.size_bytes, MAX_EVENT_BYTES)
                outgoing = self._judge.judge(line.body, microseconds_of(self._clock()))
            except InvalidRecord as error:
                self.rejected += 1
                self._on_rejected(RejectedLine(line.number, error))
                continue
            self._judged_good += 1
            if self._sink is not None:
                await self._sink.send(outgoing)
