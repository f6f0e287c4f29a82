"""XLSX as rows of values, read as they come and in bounded memory.

openpyxl reads it: it streams, and it tells a formula from the value that was kept with it, which faster readers do not.
"""

import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, BinaryIO

from openpyxl import load_workbook

from ioc.errors import ConfigurationError, InvalidRecord
from ioc.publishing.cells import Formula, shown
from ioc.publishing.rows import Row, Table

__all__ = ["open_spreadsheet"]

MAX_UNPACKED_BYTES = 1 << 30  # a million rows of twenty columns unpack to about 900 MB
MAX_MEMBER_RATIO = 200  # sheets pack 5 to 30 times; a bomb a thousand times
_RATIO_FROM_BYTES = 10 << 20  # a small member may pack as well as it likes
MAX_STRINGS_BYTES = 64 << 20  # the texts that cells share lie in memory as a whole
_MAX_ROW_CELLS = 1_000
_ZEROS = re.compile(r"0{2,20}")
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell [^>]*ref="([A-Z]+)(\d+):([A-Z]+)(\d+)"')
_CHUNK_BYTES = 1 << 20


def open_spreadsheet(
    file: BinaryIO,
    *,
    sheet: str = "",
    header_row: int = 1,
    takes_formula_values: bool = False,
    only_first: bool = False,
) -> Iterator[Table]:
    """Yields the tables of an open file: of the sheet named, else of the first visible one or of all of them.

    Raises:
        ConfigurationError: macros, a password, a bomb, no spreadsheet, no such sheet, no column names.
    """
    _check_package(file)
    second = _workbook(file, keeps_formulas=False) if takes_formula_values else nullcontext()
    with _workbook(file, keeps_formulas=True) as book, second as kept:
        visible = [each.title for each in book.worksheets if each.sheet_state == "visible"]
        if sheet and sheet not in book.sheetnames:
            raise ConfigurationError(f"it has no sheet {sheet!r}; its sheets are {', '.join(book.sheetnames)}")
        names = [sheet] if sheet else visible[:1] if only_first else visible
        if not names:
            raise ConfigurationError("it has no visible sheet; name one with --sheet")
        found = 0
        for name in names:
            values = kept[name] if kept is not None else None
            table = _table(file, book[name], values, header_row, book.epoch)
            if table is not None:
                found += 1
                yield table
        if not found:
            raise ConfigurationError(f"row {header_row} of sheet {names[0]} has no column names")


def _check_package(file: BinaryIO) -> None:
    """Looks into the directory of the zip before anything is unpacked."""
    try:
        with zipfile.ZipFile(file) as package:
            members = package.infolist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        file.seek(0)
        if file.read(8) == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
            raise ConfigurationError("it has a password or is an old .xls; save it as .xlsx without one") from None
        raise ConfigurationError(f"it is no .xlsx: {error}; save it again as Excel workbook (.xlsx)") from None
    if any(member.filename.lower().endswith("vbaproject.bin") for member in members):
        raise ConfigurationError("it carries macros (.xlsm), which are not taken; save it as .xlsx")
    if sum(member.file_size for member in members) > MAX_UNPACKED_BYTES:
        raise ConfigurationError(
            f"it would unpack to more than {MAX_UNPACKED_BYTES >> 20} MiB; send it in parts, or as CSV"
        )
    for member in members:
        packs = member.file_size / max(1, member.compress_size)
        if member.file_size > _RATIO_FROM_BYTES and packs > MAX_MEMBER_RATIO:
            raise ConfigurationError(
                f"{member.filename} in it unpacks to {packs:.0f} times its size: refused as a bomb"
            )
        if member.filename.lower().endswith("sharedstrings.xml") and member.file_size > MAX_STRINGS_BYTES:
            raise ConfigurationError(
                f"its texts take more than {MAX_STRINGS_BYTES >> 20} MiB; send it in parts, or as CSV"
            )


@contextmanager
def _workbook(file: BinaryIO, *, keeps_formulas: bool) -> Iterator[Any]:
    file.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about styles and extensions that don't matter here
        try:
            book = load_workbook(file, read_only=True, data_only=not keeps_formulas, keep_links=False)
        except Exception as error:  # whatever a broken package makes the reader raise: KeyError, ValueError, XML's own
            raise ConfigurationError(f"it can't be read as .xlsx: {error!r:.200}; save it again") from None
    try:
        yield book
    finally:
        book.close()


def _table(file: BinaryIO, sheet: Any, values: Any, header_row: int, epoch: Any) -> Table | None:
    sheet.reset_dimensions()  # what it says of its own size may be wrong, or a million columns
    head = next(sheet.iter_rows(min_row=header_row, max_row=header_row, max_col=_MAX_ROW_CELLS, values_only=True), ())
    headings = [shown(cell).strip() for cell in head]
    while headings and not headings[-1]:
        headings.pop()
    if not headings:
        return None
    merged = _merged_rows(sheet, header_row)
    rows = _rows(sheet, values, header_row, len(headings), merged)
    return Table(sheet=sheet.title, headings=headings, rows=rows, position=file.tell)


def _rows(sheet: Any, values: Any, header_row: int, width: int, merged: dict[int, str]) -> Iterator[Row]:
    limits = {"min_row": header_row + 1, "max_col": width}
    kept = values.iter_rows(**limits, values_only=True) if values is not None else None
    number, is_before_data = header_row, True
    for cells in _safely(sheet.iter_rows(**limits)):
        number += 1
        found = [_value(cell) for cell in cells]
        if kept is not None:
            instead = next(kept, ())
            found = [
                instead[place]
                if isinstance(cell, Formula) and place < len(instead) and instead[place] is not None
                else cell
                for place, cell in enumerate(found)
            ]
        if is_before_data and found and isinstance(found[0], str) and found[0].lstrip().startswith("#"):
            continue  # a template's own explanations
        if any(cell is not None and cell != "" for cell in found):
            is_before_data = False
            found += [None] * (width - len(found))
            yield Row(number, found, _merged(merged[number]) if number in merged else None)


def _safely(rows: Iterator[Any]) -> Iterator[Any]:
    try:
        yield from rows
    except Exception as error:  # the XML breaks off, or a cell holds what its own type says that it can't
        raise ConfigurationError(f"the sheet can't be read to its end: {error!r:.200}; save it again") from None


def _value(cell: Any) -> Any:
    """The cell's value; a number whose format writes zeros before it is the text that people see."""
    value = cell.value
    if value is None:
        return None
    if cell.data_type == "f" or value.__class__.__name__ in ("ArrayFormula", "DataTableFormula"):
        return Formula(str(getattr(value, "text", value))[:200])
    if cell.data_type == "e":
        return Formula(str(value))  # #N/A and the like: what a formula came to
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int) and not isinstance(value, bool) and _ZEROS.fullmatch(cell.number_format or ""):
        return str(value).zfill(len(cell.number_format))
    return value


def _merged_rows(sheet: Any, header_row: int) -> dict[int, str]:
    """The data rows of merged cells, which hold a value in their first cell only. The reader does not tell of them when
    it streams, so the sheet's own XML is looked through."""
    found: dict[int, str] = {}
    rest = b""
    with sheet.parent._archive.open(sheet._worksheet_path) as xml:
        while chunk := xml.read(_CHUNK_BYTES):
            text = rest + chunk
            for match in _MERGED.finditer(text):
                first, last = int(match[2]), int(match[4])
                for row in range(max(first, header_row + 1), min(last, first + 100_000) + 1):
                    found[row] = f"{match[1].decode()}{first}:{match[3].decode()}{last}"
            rest = text[-200:]
    return found


def _merged(place: str) -> InvalidRecord:
    return InvalidRecord(
        "merged_cells",
        vi=f"Dòng nằm trong ô gộp {place}: bỏ gộp và ghi giá trị vào từng ô.",
        en=f"the row lies in the merged cells {place}: unmerge them and write the value into each cell",
    )
