"""Rows of a table, whatever file they lie in. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ioc.errors import InvalidRecord
from ioc.publishing.encodings import Encoding

__all__ = ["Row", "Table"]


class Row(NamedTuple):
    """A row that is not blank. `number`: of its first line in the file, or in the sheet, from 1. `error`: why it can't
    even be read."""

    number: int
    cells: Sequence[Any]
    error: InvalidRecord | None


@dataclass(slots=True, kw_only=True)
class Table:
    """A header and the rows below it, which are read as they are asked for. `position` says how much of the file that
    took."""

    sheet: str
    headings: list[str]
    rows: Iterator[Row]
    encoding: Encoding | None = None
    position: Callable[[], int] = field(default=lambda: 0)
