"""Bytes in pieces of any size to numbered lines, in bounded memory. Pure."""

from typing import NamedTuple

__all__ = ["Line", "LineSplitter"]

_BOM = b"\xef\xbb\xbf"
_SLACK_BYTES = 16  # a byte order mark, a carriage return and a few spaces belong to no event


class Line(NamedTuple):
    """One line that is not blank, numbered from 1, without its end, byte order mark and surrounding blanks.

    `body` is None where the line is longer than the splitter keeps; `size_bytes` is then what was passed over.
    """

    number: int
    body: bytes | None
    size_bytes: int


class LineSplitter:
    """Cuts a stream of bytes at line feeds. Of a line over `limit_bytes` only the length is kept."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._number = 0
        self._parts: list[bytes] = []
        self._size_bytes = 0

    def feed(self, chunk: bytes) -> list[Line]:
        """Returns the lines that end in `chunk`."""
        *ended, rest = chunk.split(b"\n")
        lines: list[Line] = []
        for part in ended:
            self._keep(part)
            self._end(lines)
        self._keep(rest)
        return lines

    def finish(self) -> list[Line]:
        """Returns the last line, where the stream ended without a line feed."""
        lines: list[Line] = []
        if self._size_bytes:
            self._end(lines)
        return lines

    def _keep(self, part: bytes) -> None:
        self._size_bytes += len(part)
        if self._size_bytes > self._limit_bytes + _SLACK_BYTES:
            self._parts.clear()
        elif part:
            self._parts.append(part)

    def _end(self, lines: list[Line]) -> None:
        self._number += 1
        size_bytes, body = self._size_bytes, b"".join(self._parts)
        self._size_bytes = 0
        self._parts.clear()
        if size_bytes > self._limit_bytes + _SLACK_BYTES:
            lines.append(Line(self._number, None, size_bytes))
            return
        body = body.removeprefix(_BOM).strip(b" \t\r")
        if len(body) > self._limit_bytes:
            lines.append(Line(self._number, None, len(body)))
        elif body:
            lines.append(Line(self._number, body, len(body)))
