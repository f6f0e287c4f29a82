"""Bodies of requests in bounded time and memory: refused before they are read where their length says so, unpacked
piece by piece, given up where the sender is too slow."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from ioc.gateway.limits import Hold
from ioc.gateway.problems import Problem

__all__ = ["ClientGone", "Headers", "Receive", "Scope", "Send", "chunks", "headers_of", "read_body"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = Mapping[bytes, bytes]

CHUNK_TIMEOUT_S = 10.0  # silence in the middle of a body
SLOWEST_BYTES_PER_S = 8 * 1024  # slower than any line a department has; after the first ten seconds
UNPACK_BYTES = 64 * 1024  # what one step of unpacking may yield
_GZIP = 31  # zlib's sign for a gzip header and trailer


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """The headers by lower-case name; of a repeated one the last."""
    return dict(scope["headers"])


async def read_body(headers: Headers, receive: Receive, *, limit_bytes: int, hold: Hold) -> bytes:
    """Returns the whole body, unpacked.

    Raises:
        Problem: 413 over `limit_bytes`, 408 too slow, 415 or 400 not unpackable, 503 no room for it now.
    """
    if headers.get(b"content-length", b"").isdigit() and b"content-encoding" not in headers:
        return await _read_plain(headers, receive, limit_bytes=limit_bytes, hold=hold)
    parts = [part async for part in chunks(headers, receive, limit_bytes=limit_bytes, hold=hold)]
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _read_plain(headers: Headers, receive: Receive, *, limit_bytes: int, hold: Hold) -> bytes:
    """As `read_body`, for nearly every request: its length is known, so its room is taken before its first byte."""
    declared = int(headers[b"content-length"][:20])
    if declared > limit_bytes:
        raise body_too_large(limit_bytes)
    hold.take(declared)
    parts = [part async for part in _received(receive)]
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def chunks(headers: Headers, receive: Receive, *, limit_bytes: int, hold: Hold) -> AsyncIterator[bytes]:
    """Yields the body's pieces, unpacked; each is taken from `hold` before it is yielded. Raises as `read_body`."""
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared[:20]) > limit_bytes:
        raise body_too_large(limit_bytes)
    total = 0
    async for piece in _unpacked(headers.get(b"content-encoding", b""), _received(receive)):
        total += len(piece)
        if total > limit_bytes:
            raise body_too_large(limit_bytes)
        hold.take(len(piece))
        yield piece


async def _received(receive: Receive) -> AsyncIterator[bytes]:
    """The pieces as they come. A sender that stops half-way, or dribbles, is given up."""
    loop = asyncio.get_running_loop()
    total, is_more = 0, True
    waited_s = 0.0  # only our waiting counts: what the caller does with a piece is not the sender's fault
    while is_more:
        began_s = loop.time()
        try:
            async with asyncio.timeout(CHUNK_TIMEOUT_S):
                message = await receive()
        except TimeoutError:
            raise _too_slow() from None
        waited_s += loop.time() - began_s
        if message["type"] == "http.disconnect":
            raise ClientGone
        body: bytes = message.get("body", b"")
        total += len(body)
        is_more = message.get("more_body", False)
        if is_more and waited_s > CHUNK_TIMEOUT_S and total < waited_s * SLOWEST_BYTES_PER_S:
            raise _too_slow()
        if body:
            yield body


class ClientGone(Exception):
    """The client hung up in the middle of its request: nobody is left to answer."""


# ---- packed bodies ---------------------------------------------------------------------------------------------------


def _unpacked(encoding: bytes, packed: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    name = encoding.strip().lower()
    if name in (b"", b"identity"):
        return packed
    if name in (b"gzip", b"x-gzip"):
        return _gunzipped(packed)
    raise Problem(
        415,
        "bad_encoding",
        field="content-encoding",
        vi="Chỉ nhận nội dung không nén hoặc nén gzip (Content-Encoding: gzip).",
        en="send the body plain or packed with gzip (Content-Encoding: gzip)",
        headers={"Accept-Encoding": "gzip"},
    )


async def _gunzipped(packed: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A few bytes may unpack to a thousand times as many: never more than 64 KiB at a time."""
    unpacker = zlib.decompressobj(wbits=_GZIP)
    is_begun = False
    async for rest in packed:
        while rest:
            if unpacker.eof:
                unpacker = zlib.decompressobj(wbits=_GZIP)  # several members, as `cat a.gz b.gz` makes them
            try:
                piece = unpacker.decompress(rest, UNPACK_BYTES)
            except zlib.error:
                raise _bad_gzip() from None
            is_begun = True
            rest = unpacker.unconsumed_tail or unpacker.unused_data
            if piece:
                yield piece
    if is_begun and not unpacker.eof:
        raise _bad_gzip()


# ---- refusals --------------------------------------------------------------------------------------------------------


def body_too_large(limit_bytes: int) -> Problem:
    return Problem(
        413,
        "too_large",
        vi=f"Nội dung yêu cầu vượt {limit_bytes} byte (sau khi giải nén); hãy chia thành nhiều yêu cầu nhỏ hơn.",
        en=f"the body is over {limit_bytes} bytes (unpacked); send it in several requests",
    )


def _too_slow() -> Problem:
    return Problem(
        408,
        "too_slow",
        vi="Nội dung yêu cầu đến quá chậm nên bị bỏ; chưa nhận sự kiện nào, hãy gửi lại.",
        en="the body came too slowly and was given up; nothing was taken, send it again",
    )


def _bad_gzip() -> Problem:
    return Problem(
        400,
        "bad_encoding",
        field="content-encoding",
        vi="Nội dung không phải gzip hợp lệ hoặc bị cắt cụt.",
        en="the body is not valid gzip, or was cut short",
    )
