"""Events of the starting catalogue as lines of a file."""

from collections.abc import AsyncIterator, Iterable
from functools import cache
from typing import Any

import orjson

from ioc.publishing import EventJudge, Outgoing
from tests.unit.domain.making import at, attributes, catalog


@cache
def judge() -> EventJudge:
    return EventJudge(catalog())


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
    """Keeps what it is given, and fails where it was told to."""

    def __init__(self, failure: Exception | None = None, after: int = 0) -> None:
        self.sent: list[Outgoing] = []
        self._failure, self._after = failure, after

    @property
    def acknowledged(self) -> int:
        return len(self.sent)

    async def send(self, outgoing: Outgoing) -> None:
        if self._failure is not None and len(self.sent) == self._after:
            raise self._failure
        self.sent.append(outgoing)

    async def flush(self) -> None:
        return


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def joined(lines: Iterable[bytes], end: bytes = b"\n") -> bytes:
    return b"".join(line + end for line in lines)
