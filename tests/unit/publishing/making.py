"""Events of the starting catalogue as lines of a file and as rows of a table."""

from collections.abc import AsyncIterator, Iterable
from functools import cache
from typing import Any

import orjson

from ioc.events import MAX_EVENT_BYTES
from ioc.publishing import EventJudge, LineSplitter, Outgoing, Piece, line_piece
from ioc.publishing.publication import OnSafe
from tests.unit.domain.making import NOW, at, attributes, catalog

ONE_STOP = "mot-cua-ho-so"
HEADINGS = (
    "Mã hồ sơ",
    "Mã thủ tục",
    "Mức độ DVC",
    "Hình thức nộp",
    "Ngày nộp",
    "Mã cơ quan",
    "Mã xã",
    "Phí, lệ phí",
    "Hạn trả",
    "Ngày trả kết quả",
    "Hình thức trả",
)
"""Of the starting catalogue's mapping of the one-stop software's export."""


@cache
def judge() -> EventJudge:
    return EventJudge(catalog())


def row(number: int = 1, **changes: str) -> list[str]:
    """A row under `HEADINGS`, right in every way but for `changes`, like `ngay_nop="31/11/2026"`."""
    cells = {
        "ma": f"H36.31-{number:06d}",
        "thu_tuc": "1.004946",
        "muc_do": "Toàn trình",
        "hinh_thuc": "Trực tuyến",
        "ngay_nop": "20/11/2026 08:15",
        "co_quan": "H36.31",
        "xa": "24781",
        "phi": "150.000,5",
        "han": "25/11/2026",
        "ngay_tra": "",
        "tra": "",
    }
    return list((cells | changes).values())


def table(*rows: Iterable[str], sign: str = ";", headings: Iterable[str] = HEADINGS, end: str = "\n") -> str:
    """The text of a CSV without anything that needs quotes."""
    return end.join([sign.join(headings), *(sign.join(cells) for cells in rows), ""])


def dossier_line(number: int = 1, *, without: str = "", data: dict[str, Any] | None = None, **changes: Any) -> bytes:
    """A `dossier.submitted` in structured mode, right in every way but for `changes` (of attributes) and `data`."""
    body = {
        "dossier_id": f"H36.31-{number:06d}",
        "service_level": "full",
        "channel": "online",
        "submitted_at": at("20T08:00"),
    }
    envelope = {**attributes("dossier.submitted", event_id=f"e-{number}", time="20T08:00"), **changes}
    envelope.pop(without, None)
    return orjson.dumps({**envelope, "data": {**body, **(data or {})}})


class ListSink:
    """Keeps what it is given, and fails where it was told to: before the piece that holds event number `after`."""

    def __init__(self, failure: Exception | None = None, after: int = 0) -> None:
        self.sent: list[Outgoing] = []
        self._failure, self._after = failure, after

    async def send(self, piece: Piece, on_safe: OnSafe) -> None:
        if self._failure is not None and len(self.sent) + len(piece.events) > self._after:
            raise self._failure
        self.sent += piece.events
        on_safe(piece, ())

    async def flush(self) -> None:
        return


async def line_pieces(*chunks: bytes) -> AsyncIterator[Piece]:
    """Lines of JSON, judged chunk by chunk."""
    splitter = LineSplitter(MAX_EVENT_BYTES)
    for chunk in chunks:
        yield line_piece(splitter.feed(chunk), judge(), lambda: NOW)
    yield line_piece(splitter.finish(), judge(), lambda: NOW)


def joined(lines: Iterable[bytes], end: bytes = b"\n") -> bytes:
    return b"".join(line + end for line in lines)
