"""What a file gives, piece by piece: judged events and refused rows, in the order of the file. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from ioc.clock import Clock
from ioc.errors import InvalidRecord
from ioc.events import MAX_EVENT_BYTES
from ioc.publishers import Publisher
from ioc.publishing.cells import shown
from ioc.publishing.judge import EventJudge, Outgoing, too_large
from ioc.publishing.lines import Line
from ioc.publishing.rows import Row, Table
from ioc.publishing.tables import RowError, RowReader
from ioc.windows import microseconds_of

__all__ = ["Piece", "RejectedRow", "line_piece", "table_pieces"]

_ROWS = 2_000  # of a piece: some 700 kB of events, which is what memory holds several times over


class RejectedRow(NamedTuple):
    """A line or row that gives no event. `headings` and `cells` are the row as it was, empty for a line of JSON."""

    number: int
    error: InvalidRecord
    sheet: str = ""
    column: str = ""
    found: str = ""
    headings: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()


class Piece(NamedTuple):
    """Some rows, judged. `last` counts the rows of the file up to its end; `numbers` says which row each event is of;
    `seen` is the number of its last row as people count; `position` how far the file was read; `table` and `rows`, of a
    table, the rows as they were."""

    last: int
    seen: int
    events: list[Outgoing]
    numbers: list[int]
    rejected: list[RejectedRow]
    position: int = 0
    table: Table | None = None
    rows: Sequence[Row] = ()

    def refused(self, number: int, error: InvalidRecord) -> RejectedRow:
        """Returns row `number` of this piece as one that the other side would not have."""
        row = next((each for each in self.rows if each.number == number), None)
        if row is None or self.table is None:
            return RejectedRow(number, error)
        return _rejected(self.table, number, row.cells, RowError(error))


def line_piece(
    lines: Iterable[Line], judge: EventJudge, clock: Clock, *, skip: int = 0, publisher: Publisher | None = None
) -> Piece:
    """Judges lines of JSON, but for those up to number `skip`."""
    events: list[Outgoing] = []
    numbers: list[int] = []
    rejected: list[RejectedRow] = []
    last, now_us = skip, microseconds_of(clock())
    for line in lines:
        last = line.number
        if last <= skip:
            continue
        try:
            if line.body is None:
                raise too_large(line.size_bytes, MAX_EVENT_BYTES)
            outgoing = judge.judge(line.body, now_us)
            refusal = publisher.refusal(outgoing.source, outgoing.type) if publisher is not None else None
            if refusal is not None:
                raise refusal
        except InvalidRecord as error:
            rejected.append(RejectedRow(last, error))
            continue
        events.append(outgoing)
        numbers.append(last)
    return Piece(last, last, events, numbers, rejected)


def table_pieces(
    table: Table, read: RowReader, clock: Clock, *, skip: int = 0, before: int = 0, rows: int = _ROWS
) -> Iterator[Piece]:
    """Yields the rows of `table` judged, but for those up to number `skip` of the whole file; `before` of them lie in
    the sheets before this one."""
    last = before
    for _ in islice(table.rows, max(0, skip - before)):
        last += 1
    while chunk := list(islice(table.rows, rows)):
        events: list[Outgoing] = []
        numbers: list[int] = []
        rejected: list[RejectedRow] = []
        now_us = microseconds_of(clock())
        for number, cells, unreadable in chunk:
            try:
                if unreadable is not None:
                    raise RowError(unreadable)
                found = read(cells, now_us)
            except RowError as error:
                rejected.append(_rejected(table, number, cells, error))
                continue
            events += found
            numbers += [number] * len(found)
        last += len(chunk)
        yield Piece(last, chunk[-1].number, events, numbers, rejected, table.position(), table, chunk)


def _rejected(table: Table, number: int, cells: Iterable[object], error: RowError) -> RejectedRow:
    show: Callable[[object], str] = shown  # type: ignore[assignment]  # cells are what the table's reader gave
    return RejectedRow(
        number, error.error, table.sheet, error.column, error.found, tuple(table.headings), tuple(map(show, cells))
    )
