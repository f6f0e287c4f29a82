"""Empty tables that people fill in: our field names, what they mean, an example, and lists of the words allowed."""

import csv
import io
from collections.abc import Sequence
from typing import BinaryIO

from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from ioc.contracts import ColumnDoc, template_columns
from ioc.event_types import EventType

__all__ = ["csv_template", "write_spreadsheet_template"]

_ROWS = 5_000  # that the lists of words are offered in
_LIST_CHARS = 255  # the longest list that Excel keeps beside a cell


def csv_template(event_type: EventType) -> bytes:
    """Returns a CSV with its byte order mark: the field names, and two rows that begin with # and are passed over."""
    columns = template_columns(event_type)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([column.name for column in columns])
    writer.writerows(_comments(columns))
    return text.getvalue().encode("utf-8-sig")


def write_spreadsheet_template(event_types: Sequence[EventType], file: BinaryIO) -> None:
    """Writes a workbook with a sheet for each type, named as the type."""
    book = Workbook()
    del book[book.sheetnames[0]]
    for event_type in event_types:
        _fill(book.create_sheet(event_type.name[:31]), event_type)
    book.save(file)


def _comments(columns: Sequence[ColumnDoc]) -> list[list[str]]:
    titles = [f"{column.title_vi}{' *' if column.required else ''}" for column in columns]
    examples = [column.example for column in columns]
    return [["# " + row[0], *row[1:]] for row in (titles, examples)]


def _fill(sheet: Worksheet, event_type: EventType) -> None:
    columns = template_columns(event_type)
    sheet.append([column.name for column in columns])
    for comments in _comments(columns):
        sheet.append(comments)
    sheet.freeze_panes = "A2"
    for number, column in enumerate(columns, start=1):
        letter = get_column_letter(number)
        sheet.column_dimensions[letter].width = max(14, len(column.name) + 4)
        head = sheet.cell(1, number)
        head.font = Font(bold=column.required)
        head.fill = PatternFill("solid", fgColor="FFE2EFDA" if column.required else "FFF2F2F2")
        head.comment = Comment(_explanation(column), "ioc")
        for row in range(2, 4):
            sheet.cell(row, number).font = Font(italic=True, color="FF808080")
        if column.type not in ("integer", "number"):
            sheet.column_dimensions[letter].number_format = "@"  # or a code would lose the zeros before it
        words = ",".join(column.enum)
        if words and len(words) <= _LIST_CHARS - 2:
            allowed = DataValidation(type="list", formula1=f'"{words}"', allow_blank=not column.required)
            allowed.error = f"{column.title_vi}: {words}"[:250]
            allowed.showErrorMessage = True
            sheet.add_data_validation(allowed)
            allowed.add(f"{letter}4:{letter}{_ROWS}")


def _explanation(column: ColumnDoc) -> str:
    needed = "bắt buộc / required" if column.required else "có thể để trống / optional"
    words = f"\n{', '.join(column.enum)}" if column.enum else f"\n{column.type}"
    return f"{column.title_vi}\n{column.title_en}\n{needed}{words}\nVí dụ / example: {column.example}"
