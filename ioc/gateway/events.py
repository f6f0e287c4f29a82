"""POST /v1/events: the hot path, plain ASGI. One event, a batch, or lines without end; each gets its result."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile
from typing import IO

from ioc.errors import InvalidRecord
from ioc.events import MAX_EVENT_BYTES
from ioc.gateway.answers import counts_of, encode_answer, encode_result, status_of
from ioc.gateway.bodies import Headers, Receive, Send, chunks, read_body
from ioc.gateway.intake import Intake, Result
from ioc.gateway.limits import Hold, RateLimit, too_many
from ioc.gateway.problems import Language
from ioc.gateway.reading import events_of_batch, mode_of, structured_of
from ioc.publishers import Publisher
from ioc.publishing import Line, LineSplitter
from ioc.publishing.judge import too_large

__all__ = ["MAX_REQUEST_BYTES", "MAX_STREAM_BYTES", "EventsDoor"]

MAX_REQUEST_BYTES = 16 * 1024 * 1024
MAX_STREAM_BYTES = 1024 * 1024 * 1024  # lines take no more memory the more of them there are
MAX_SINGLE_BYTES = MAX_EVENT_BYTES + 1024  # so that an event a little too large is named, not only refused
STREAM_EVENTS = 500
STREAM_BYTES = 1024 * 1024
STREAMS_OF_PUBLISHER = 4
SPOOL_BYTES = 256 * 1024  # results of lines beyond this wait in a temporary file until the last line is read
ANSWER_BYTES = 64 * 1024
READ_TIMEOUT_S = 30.0  # a client that does not read its answer
_JSON = b"application/json"
_LINES = b"application/x-ndjson"


class EventsDoor:
    """Takes the requests of both doors: with `is_sandbox`, everything is judged and nothing is published.

    Args:
        rate: events a second of a department; the sandbox counts too.
    """

    def __init__(self, intake: Intake, *, rate: RateLimit, is_sandbox: bool, monotonic: Callable[[], float]) -> None:
        self._intake, self._rate, self._is_sandbox, self._monotonic = intake, rate, is_sandbox, monotonic
        self._streams: Counter[str] = Counter()

    async def answer(
        self, publisher: Publisher, headers: Headers, language: Language, receive: Receive, send: Send, hold: Hold
    ) -> int:
        """Answers one request and returns the HTTP status.

        Raises:
            Problem: nothing of it was taken, or of lines not all; the client may send it all again.
            TransientError: as `Intake.submit`.
        """
        mode = mode_of(headers)
        if mode == "lines":
            with self._stream(publisher):
                return await self._lines(publisher, headers, language, receive, send, hold)
        limit = MAX_SINGLE_BYTES if mode in ("single", "binary") else MAX_REQUEST_BYTES
        body = await read_body(headers, receive, limit_bytes=limit, hold=hold)
        if mode == "json":
            mode = "batch" if body[:64].lstrip()[:1] == b"[" else "single"
        if mode == "batch":
            bodies = events_of_batch(body)
            self._charge(publisher, len(bodies))
            results = await self._intake.submit(publisher, bodies, is_sandbox=self._is_sandbox)
            status = 200
        else:
            self._charge(publisher, 1)
            results = [await self._one(publisher, headers, body, is_binary=mode == "binary")]
            status = status_of(results[0])
        await respond(send, status, encode_answer(results, language, is_sandbox=self._is_sandbox))
        return status

    async def _one(self, publisher: Publisher, headers: Headers, body: bytes, *, is_binary: bool) -> Result:
        if is_binary:
            try:
                body = structured_of(headers, body)
            except InvalidRecord as error:
                return self._intake.refuse(publisher, error, body, is_sandbox=self._is_sandbox)
        return (await self._intake.submit(publisher, [body], is_sandbox=self._is_sandbox))[0]

    def _charge(self, publisher: Publisher, events: int) -> None:
        wait_s = self._rate.wait_s(publisher.name, events, self._monotonic())
        if wait_s:
            raise too_many(wait_s)

    # ---- lines -------------------------------------------------------------------------------------------------------

    @contextmanager
    def _stream(self, publisher: Publisher) -> Iterator[None]:
        if self._streams[publisher.name] >= STREAMS_OF_PUBLISHER:
            raise too_many(5.0)
        self._streams[publisher.name] += 1
        try:
            yield
        finally:
            self._streams[publisher.name] -= 1

    async def _lines(
        self, publisher: Publisher, headers: Headers, language: Language, receive: Receive, send: Send, hold: Hold
    ) -> int:
        """The results wait for the last line: most clients read nothing before they have sent everything."""
        counts: Counter[str] = Counter()
        with SpooledTemporaryFile(max_size=SPOOL_BYTES) as spool:
            async for results in self._taken(publisher, headers, receive, hold):
                first = counts.total()
                counts.update(counts_of(results))
                for number, result in enumerate(results, first):
                    spool.write(encode_result(number, result, language, is_sandbox=self._is_sandbox) + b"\n")
            spool.seek(0)
            await _send_spool(send, spool, counts, is_lines=_LINES in headers.get(b"accept", b""))
        return 200

    async def _taken(
        self, publisher: Publisher, headers: Headers, receive: Receive, hold: Hold
    ) -> AsyncIterator[list[Result]]:
        """The results of the lines, some hundred at a time. A department that sends faster than it may is read more
        slowly."""
        splitter = LineSplitter(MAX_EVENT_BYTES)
        lines: list[Line] = []
        held = 0
        async for piece in chunks(headers, receive, limit_bytes=MAX_STREAM_BYTES, hold=hold):
            held += len(piece)
            lines += splitter.feed(piece)
            while len(lines) >= STREAM_EVENTS or (lines and held > STREAM_BYTES):
                yield await self._submit(publisher, lines[:STREAM_EVENTS])
                del lines[:STREAM_EVENTS]
            if not lines or held > STREAM_BYTES:
                hold.give(held)
                held = 0
        lines += splitter.finish()
        if lines:
            yield await self._submit(publisher, lines)

    async def _submit(self, publisher: Publisher, lines: list[Line]) -> list[Result]:
        while wait_s := self._rate.wait_s(publisher.name, len(lines), self._monotonic()):  # noqa: ASYNC110  (time brings it)
            await asyncio.sleep(wait_s)
        bodies = [line.body for line in lines if line.body is not None]
        found = iter(await self._intake.submit(publisher, bodies, is_sandbox=self._is_sandbox) if bodies else [])
        return [
            next(found)
            if line.body is not None
            else self._intake.refuse(
                publisher, too_large(line.size_bytes, MAX_EVENT_BYTES), b"", is_sandbox=self._is_sandbox
            )
            for line in lines
        ]


async def respond(
    send: Send, status: int, body: bytes, *, content_type: bytes = _JSON, headers: Mapping[str, str] | None = None
) -> None:
    found = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    found += [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    await send({"type": "http.response.start", "status": status, "headers": found})
    await send({"type": "http.response.body", "body": body})


async def _send_spool(send: Send, spool: IO[bytes], counts: Mapping[str, int], *, is_lines: bool) -> None:
    kind = _LINES if is_lines else _JSON
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    if not is_lines:
        total = {name: counts.get(name, 0) for name in ("accepted", "duplicate", "rejected")}
        head = ",".join(f'"{name}":{count}' for name, count in {"in": sum(total.values()), **total}.items())
        await send({"type": "http.response.body", "body": b"{" + head.encode() + b',"results":[', "more_body": True})
    is_first = True
    while part := b"".join(spool.readlines(ANSWER_BYTES)):
        if not is_lines:
            part = (b"" if is_first else b",") + part[:-1].replace(b"\n", b",\n")
        is_first = False
        async with asyncio.timeout(READ_TIMEOUT_S):
            await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b"" if is_lines else b"]}"})
