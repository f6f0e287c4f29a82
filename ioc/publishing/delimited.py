"""CSV and TSV as rows of texts, read as they come and in bounded memory."""

import csv
import io
import unicodedata
from collections.abc import Iterator
from typing import BinaryIO

from ioc.errors import ConfigurationError, InvalidRecord
from ioc.events import MAX_EVENT_BYTES
from ioc.publishing.encodings import Encoding, encoding_of, named_encoding
from ioc.publishing.judge import too_large
from ioc.publishing.rows import Row, Table

__all__ = ["open_delimited"]

_SAMPLE_BYTES = 1 << 20
_SIGNS = (",", ";", "\t")


def open_delimited(file: BinaryIO, *, header_row: int = 1, encoding: str = "", delimiter: str = "") -> Table:
    """Returns the table of an open file, whose header has been read.

    `encoding` and `delimiter`: found out where they are "".

    Raises:
        ConfigurationError: no text, no header, an encoding that can't be read.
    """
    buffered = io.BufferedReader(_Raw(file), buffer_size=_SAMPLE_BYTES)
    sample = buffered.peek(_SAMPLE_BYTES)
    found = named_encoding(encoding) if encoding else encoding_of(sample)
    errors = "surrogateescape" if found.codec != "utf-16" else "replace"
    text = io.TextIOWrapper(buffered, encoding=found.codec, errors=errors, newline=None)
    csv.field_size_limit(MAX_EVENT_BYTES)
    lines = _Lines(text, found)
    for _ in range(header_row - 1):
        next(lines, "")
    first = next(lines, "")
    sign = delimiter or max(_SIGNS, key=first.count)
    headings = [heading.strip() for heading in next(csv.reader([first], delimiter=sign), [])]
    while headings and not headings[-1]:
        headings.pop()
    if not headings:
        raise ConfigurationError(f"row {header_row} has no column names")
    return Table(
        sheet="", headings=headings, rows=_rows(lines, sign, len(headings)), encoding=found, position=file.tell
    )


class _Raw(io.RawIOBase):
    """Keeps the file open when the layers above it go."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        piece = self._file.read(len(buffer))  # type: ignore[arg-type]  # a buffer has a length
        buffer[: len(piece)] = piece  # type: ignore[index]
        return len(piece)


class _Lines:
    """Lines of the text with their numbers; of one over the limit only its beginning is kept."""

    def __init__(self, text: io.TextIOWrapper, encoding: Encoding) -> None:
        self._read, self._decomposed = text.readline, encoding.decomposed
        self.number = 0
        self.dropped = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._read(MAX_EVENT_BYTES)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) == MAX_EVENT_BYTES and line[-1] != "\n":
            self._drop(len(line))
            return "\n"
        return unicodedata.normalize("NFC", line) if self._decomposed and not line.isascii() else line

    def _drop(self, size: int) -> None:
        while rest := self._read(MAX_EVENT_BYTES):
            size += len(rest)
            if rest[-1] == "\n":
                break
        self.dropped = size


def _rows(lines: _Lines, sign: str, width: int) -> Iterator[Row]:
    reader = csv.reader(lines, delimiter=sign)
    is_before_data = True
    while True:
        began = lines.number + 1
        try:
            cells: list[str] = next(reader)
        except StopIteration:
            return
        except csv.Error:  # a field without end: the lines that it took with it are in this row
            yield Row(began, [""] * width, _unclosed(began, lines.number))
            continue
        if lines.dropped:
            yield Row(began, [""] * width, too_large(lines.dropped, MAX_EVENT_BYTES))
            lines.dropped = 0
            continue
        if is_before_data and cells and cells[0].lstrip().startswith("#"):
            continue  # a template's own explanations
        if any(cells):
            is_before_data = False
            if len(cells) < width:
                cells += [""] * (width - len(cells))
            yield Row(began, cells, None)


def _unclosed(first: int, last: int) -> InvalidRecord:
    return InvalidRecord(
        "bad_quotes",
        vi=f"Dấu ngoặc kép mở ở dòng {first} không được đóng (đến dòng {last}); sửa rồi gửi lại các dòng này.",
        en=f"a quote opened in line {first} is not closed (up to line {last}): mend it and send these lines again",
    )
