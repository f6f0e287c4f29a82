"""Pieces of a file on their way: sent or only looked at, reported, counted, and remembered once they are safe."""

import asyncio
from collections.abc import AsyncIterable, Callable, Sequence
from typing import Protocol

from ioc.errors import PermanentError, TransientError
from ioc.publishing.pieces import Piece, RejectedRow

__all__ = ["EventSink", "OnSafe", "Publication"]

OnSafe = Callable[[Piece, Sequence[RejectedRow]], None]
"""Told of each piece in order, once all its events are safe; the rows that the other side refused come with it."""


class EventSink(Protocol):
    """Where judged events go. `send` may wait while much is on the way; `flush` returns once all of it is safe."""

    async def send(self, piece: Piece, on_safe: OnSafe) -> None: ...

    async def flush(self) -> None: ...


class Publication:
    """One run over a file. The counts stand also where the run ended early.

    Args:
        on_rejected: told of each bad row, in the order of the rows.
        on_safe: told of each piece whose events are safe, after its bad rows were reported.
        accepted, rejected: what an earlier run that this one goes on with had.
    """

    def __init__(
        self,
        *,
        on_rejected: Callable[[RejectedRow], None] = lambda row: None,
        on_safe: Callable[[Piece], None] = lambda piece: None,
        accepted: int = 0,
        rejected: int = 0,
    ) -> None:
        self._on_rejected, self._on_safe = on_rejected, on_safe
        self.accepted = accepted
        self.rejected = rejected
        self.line_number = 0

    async def run(self, pieces: AsyncIterable[Piece], *, sink: EventSink | None, stop: asyncio.Event) -> None:
        """Takes `pieces` to their end, or until `stop` is set; events go to `sink`, or nowhere where there is none.

        Raises:
            PermanentError, TransientError: the other side does not take the events; says how far it came.
        """
        try:
            async for piece in pieces:
                if sink is None:
                    self._safe(piece, ())
                else:
                    await sink.send(piece, self._safe)
                if stop.is_set():
                    break
            if sink is not None:
                await sink.flush()
        except (PermanentError, TransientError) as error:
            raise type(error)(
                f"{error} Stopped after line {self.line_number}; {self.accepted} events were acknowledged. "
                f"Run the same command again once this is mended: nothing counts twice."
            ) from error

    def _safe(self, piece: Piece, refused: Sequence[RejectedRow]) -> None:
        bad = sorted((*piece.rejected, *refused), key=lambda row: row.number) if refused else piece.rejected
        for row in bad:
            self._on_rejected(row)
        self.rejected += len(bad)
        gone = {row.number for row in refused}
        self.accepted += sum(number not in gone for number in piece.numbers) if gone else len(piece.events)
        self.line_number = max(self.line_number, piece.seen)
        self._on_safe(piece)
