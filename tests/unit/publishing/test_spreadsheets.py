"""XLSX: what spreadsheets do to data, and what bad ones would do to us."""

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import pytest
from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from ioc.errors import ConfigurationError
from ioc.publishing import Outgoing, RejectedRow, spreadsheets, table_pieces
from ioc.publishing.tables import OwnColumns, by_own_names
from tests.unit.domain.making import NOW, catalog
from tests.unit.publishing.making import judge

HEADINGS = ("dossier_id", "service_level", "channel", "submitted_at", "admin_unit", "fee_due_vnd")
GOOD = ("H36.1", "full", "online", datetime(2026, 11, 20, 8, 15), 24781, 150000.5)  # noqa: DTZ001
TYPE = "dossier.submitted"


def workbook(*rows: Sequence[Any], change: Callable[[Worksheet], None] = lambda sheet: None) -> bytes:
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.title = TYPE
    for row in (HEADINGS, *rows):
        sheet.append(row)
    change(sheet)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def published(content: bytes, **options: Any) -> tuple[list[Outgoing], list[RejectedRow]]:
    events: list[Outgoing] = []
    bad: list[RejectedRow] = []
    for table in spreadsheets.open_spreadsheet(io.BytesIO(content), **options):
        read = by_own_names(
            table.headings, judge(), catalog().event_types, province="lam-dong", default=OwnColumns(TYPE)
        )
        for piece in table_pieces(table, read, lambda: NOW):
            events += piece.events
            bad += piece.rejected
    return events, bad


def data(*cells: Any, change: Callable[[Worksheet], None] = lambda sheet: None) -> dict[str, Any]:
    (event,), bad = published(workbook(cells, change=change))
    assert bad == []
    found: dict[str, Any] = json.loads(event.value)["data"]
    return found


def test_dates_numbers_and_codes_come_as_what_they_are() -> None:
    assert data(*GOOD) == {
        "dossier_id": "H36.1",
        "service_level": "full",
        "channel": "online",
        "submitted_at": "2026-11-20T08:15:00+07:00",
        "admin_unit": "24781",
        "fee_due_vnd": 150000.5,
    }


def test_a_date_that_is_only_a_number_is_one_all_the_same() -> None:
    assert data(*GOOD[:3], 46346.34375, *GOOD[4:])["submitted_at"] == "2026-11-20T08:15:00+07:00"


def test_a_code_keeps_the_zeros_that_its_format_shows() -> None:
    def format_it(sheet: Worksheet) -> None:
        sheet["A2"].number_format = "000000"

    assert data(42, *GOOD[1:], change=format_it)["dossier_id"] == "000042"


def test_numbers_kept_as_text_are_numbers() -> None:
    assert data(*GOOD[:5], "150000.5")["fee_due_vnd"] == 150000.5


@pytest.mark.parametrize(
    ("cells", "reason", "column"),
    [
        ((1234567890123456789, *GOOD[1:]), "lost_digits", "dossier_id"),
        (("=1+1", *GOOD[1:]), "formula", "dossier_id"),
        ((*GOOD[:5], "=SUM(A1:A9)"), "formula", "fee_due_vnd"),
        ((*GOOD[:5], "#N/A"), "wrong_type", "fee_due_vnd"),
        ((*GOOD[:3], True, *GOOD[4:]), "bad_time", "submitted_at"),
        ((*GOOD[:3], 12, *GOOD[4:]), "bad_time", "submitted_at"),
    ],
    ids=["long number", "formula", "sum", "error", "boolean time", "small number as time"],
)
def test_a_cell_that_is_no_value_refuses_its_row(cells: Sequence[Any], reason: str, column: str) -> None:
    events, bad = published(workbook(GOOD, cells))
    assert len(events) == 1
    assert [(one.number, one.sheet, one.column) for one in bad] == [(3, TYPE, column)]
    assert bad[0].error.reason in (reason, "formula")


def test_a_kept_value_of_a_formula_is_taken_when_asked_for() -> None:
    content = workbook((*GOOD[:5], "=2+3"))
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(changed, "w") as after:
        for name in before.namelist():
            after.writestr(
                name,
                before.read(name)
                .replace(b"<f>2+3</f><v></v>", b"<f>2+3</f><v>5</v>")
                .replace(b"<f>2+3</f><v />", b"<f>2+3</f><v>5</v>"),
            )
    (event,), bad = published(changed.getvalue(), takes_formula_values=True)
    assert (json.loads(event.value)["data"]["fee_due_vnd"], bad) == (5, [])
    assert published(content, takes_formula_values=True)[1][0].error.reason == "formula"  # nothing was kept


def test_rows_in_merged_cells_are_refused_and_named() -> None:
    events, bad = published(workbook(GOOD, GOOD, GOOD, change=lambda sheet: sheet.merge_cells("B3:B4")))
    assert len(events) == 1
    assert [(one.number, one.error.reason) for one in bad] == [(3, "merged_cells"), (4, "merged_cells")]
    assert "B3:B4" in bad[0].error.vi


def test_hidden_sheets_are_passed_over_unless_named() -> None:
    def hide_one(sheet: Worksheet) -> None:
        other = sheet.parent.create_sheet("nháp")  # type: ignore[union-attr]
        for row in (HEADINGS, GOOD, GOOD):
            other.append(row)
        other.sheet_state = "hidden"

    content = workbook(GOOD, change=hide_one)
    assert len(published(content)[0]) == 1
    assert len(published(content, sheet="nháp")[0]) == 2


def member(name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"no zip", "it is no .xlsx"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 100, "password or is an old .xls"),
        (member("xl/vbaProject.bin", b"x"), "macros"),
        (member("xl/worksheets/sheet1.xml", b"\x00" * (20 << 20)), "refused as a bomb"),
        (member("nothing.xml", b"<a/>"), "can't be read as .xlsx"),
        (workbook(GOOD)[:-300], "it is no .xlsx"),
        (workbook(), "has no column names"),
    ],
    ids=["text", "password", "macros", "bomb", "no workbook", "torn", "wrong header row"],
)
def test_a_file_that_is_not_to_be_trusted_is_one_sentence(content: bytes, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        published(content, header_row=1 if "column" not in says else 5)


def test_what_would_unpack_to_too_much_is_refused_before_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheets, "MAX_UNPACKED_BYTES", 1_000)
    with pytest.raises(ConfigurationError, match="unpack to more than"):
        published(workbook(GOOD))


def test_a_sheet_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(ConfigurationError, match=f"no sheet 'Tháng 1'; its sheets are {TYPE}"):
        published(workbook(GOOD), sheet="Tháng 1")
