"""Refused rows as a table of the department's own layout with the reasons beside, to be mended and sent again."""

import csv
import io
import os
from pathlib import Path
from typing import Literal

from ioc.errors import ConfigurationError
from ioc.publishing.pieces import RejectedRow

__all__ = ["REASON_HEADINGS", "RejectsFile"]

REASON_HEADINGS = {
    "vi": ("ioc: dòng", "ioc: cột", "ioc: mã lý do", "ioc: lý do"),
    "en": ("ioc: row", "ioc: column", "ioc: reason code", "ioc: reason"),
}
_BOM = b"\xef\xbb\xbf"  # without it Excel reads UTF-8 as something else


class RejectsFile:
    """Writes refused rows to `path`, those of a second sheet to `STEM.SHEET.csv` beside it: its columns are others.

    `keep_bytes`: how much of an interrupted run's file stands; what it wrote after that is written again.
    """

    def __init__(self, path: Path, *, language: Literal["vi", "en"], delimiter: str = ",", keep_bytes: int = 0) -> None:
        self._path, self._language, self._delimiter = path, language, delimiter
        self._files: dict[str, io.BufferedRandom] = {}
        self._first: str | None = None
        self._keep_bytes = keep_bytes
        if keep_bytes and path.exists():
            os.truncate(path, keep_bytes)

    @property
    def size_bytes(self) -> int:
        """Of the first file, after everything was written out."""
        for file in self._files.values():
            file.flush()
        return self._keep_bytes if self._first is None else self._files[self._first].tell()

    def write(self, row: RejectedRow) -> None:
        """Raises:
        ConfigurationError: the file can't be written.
        """
        if not row.headings:
            return
        try:
            file = self._files.get(row.sheet) or self._open(row)
            sentence = row.error.vi if self._language == "vi" else row.error.en
            cells = _own(row, (*row.cells, *[""] * (len(row.headings) - len(row.cells))))
            file.write(self._line((*cells, str(row.number), row.column, row.error.reason, sentence)))
        except OSError as error:
            raise ConfigurationError(f"{self._path} can't be written: {error.strerror}; name another file") from None

    def close(self) -> None:
        for file in self._files.values():
            file.close()

    def _open(self, row: RejectedRow) -> "io.BufferedRandom":
        is_first = self._first is None
        path = self._path if is_first else self._path.with_name(f"{self._path.stem}.{row.sheet}{self._path.suffix}")
        is_kept = is_first and self._keep_bytes and path.exists()
        file = path.open("r+b" if is_kept else "w+b")
        self._files[row.sheet] = file
        if is_first:
            self._first = row.sheet
        if is_kept:
            file.seek(0, os.SEEK_END)
        else:
            file.write(_BOM + self._line((*_own(row, row.headings), *REASON_HEADINGS[self._language])))
        return file

    def _line(self, cells: tuple[str, ...]) -> bytes:
        text = io.StringIO()
        csv.writer(text, delimiter=self._delimiter).writerow(cells)
        return text.getvalue().encode("utf-8", "surrogateescape")


def _own(row: RejectedRow, cells: tuple[str, ...]) -> list[str]:
    """The cells under the department's headings: what we wrote beside them the last time goes."""
    return [cell for heading, cell in zip(row.headings, cells, strict=False) if not heading.startswith("ioc: ")]
