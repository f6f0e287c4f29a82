"""Rows of departments' tables: the events they give, or the column, reason and sentence."""

import contextlib
import io
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ioc.catalog.imports import ImportMapping
from ioc.errors import ConfigurationError, InvalidRecord
from ioc.event_types import FieldSpec
from ioc.publishing import Outgoing, Piece, RejectedRow, table_pieces
from ioc.publishing.cells import TimeReader, converter
from ioc.publishing.delimited import open_delimited
from ioc.publishing.tables import OwnColumns, RowError, by_mapping, by_own_names
from tests.unit.domain.making import NOW, NOW_US, catalog
from tests.unit.publishing.making import HEADINGS, ONE_STOP, judge, row, table


def one_stop() -> ImportMapping:
    return catalog().imports[ONE_STOP]


def pieces_of(content: bytes, *, skip: int = 0, rows: int = 2_000, is_correction: bool = False) -> list[Piece]:
    found = open_delimited(io.BytesIO(content))
    read = by_mapping(one_stop(), found.headings, judge(), is_correction=is_correction)
    return list(table_pieces(found, read, lambda: NOW, skip=skip, rows=rows))


def published(content: str | bytes, **options: Any) -> tuple[list[Outgoing], list[RejectedRow]]:
    pieces = pieces_of(content.encode() if isinstance(content, str) else content, **options)
    return [event for piece in pieces for event in piece.events], [bad for piece in pieces for bad in piece.rejected]


def own(headings: Sequence[str], *cells: Sequence[Any], **default: str) -> list[Outgoing]:
    read = by_own_names(
        headings,
        judge(),
        catalog().event_types,
        province="lam-dong",
        default=OwnColumns(**default),
        publisher=catalog().publishers["van-phong-ubnd"],
    )
    return [event for each in cells for event in read(each, NOW_US)]


def test_a_row_becomes_the_event_that_the_judge_takes_too() -> None:
    (event,), bad = published(table(row(1)))
    assert bad == []
    assert json.loads(event.value)["data"] == {
        "dossier_id": "H36.31-000001",
        "procedure_code": "1.004946",
        "service_level": "full",
        "channel": "online",
        "submitted_at": "2026-11-20T08:15:00+07:00",
        "agency_code": "H36.31",
        "admin_unit": "24781",
        "fee_due_vnd": 150000.5,
        "due_at": "2026-11-25T00:00:00+07:00",
    }
    assert event == judge().judge(event.value, NOW_US)
    assert (event.source, event.entity, event.entity_id) == ("/lam-dong/onestop/mot-cua", "dossier", "H36.31-000001")


def test_one_row_gives_a_second_event_once_its_column_is_filled() -> None:
    events, _ = published(table(row(1), row(2, ngay_tra="21/11/2026 10:00", tra="Bưu chính công ích")))
    assert [event.type for event in events] == ["dossier.submitted"] * 2 + ["dossier.status_changed"]
    assert json.loads(events[2].value)["data"]["status"] == "resolved"


def test_the_same_row_has_the_same_id_for_ever_and_a_changed_one_another() -> None:
    ids = [published(table(cells))[0][0].id for cells in (row(1), row(1), row(1, phi="1"), row(2))]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def test_a_correction_happens_now_and_so_comes_after_what_it_corrects() -> None:
    (first,), _ = published(table(row(1)))
    (second,), _ = published(table(row(1, phi="1")), is_correction=True)
    times = [json.loads(event.value)["time"] for event in (first, second)]
    assert times == ["2026-11-20T08:15:00+07:00", NOW.isoformat()]


@pytest.mark.parametrize(
    ("changes", "reason", "column", "found"),
    [
        ({"muc_do": "Toàn trìnhh"}, "not_allowed", "Mức độ DVC", "Toàn trìnhh"),
        ({"ma": ""}, "missing_field", "Mã hồ sơ", ""),
        ({"ma": "1,23457E+17"}, "lost_digits", "Mã hồ sơ", "1,23457E+17"),
        ({"ma": "a\x00b"}, "bad_id", "Mã hồ sơ", "a\x00b"),
        ({"ngay_nop": "31/11/2026"}, "bad_time", "Ngày nộp", "31/11/2026"),
        ({"ngay_nop": "11/22/2026"}, "bad_time", "Ngày nộp", "11/22/2026"),
        ({"ngay_nop": "23/11/2026"}, "time_in_future", "Ngày nộp", "23/11/2026"),
        ({"ngay_nop": ""}, "missing_field", "Ngày nộp", ""),
        ({"xa": "99999"}, "unknown_admin_unit", "Mã xã", "99999"),
        ({"phi": "1.5"}, "wrong_type", "Phí, lệ phí", "1.5"),
        ({"phi": "nan"}, "wrong_type", "Phí, lệ phí", "nan"),
        ({"phi": "-5"}, "out_of_range", "Phí, lệ phí", "-5"),
        ({"ngay_tra": "22/11/2026 23:00"}, "time_in_future", "Ngày trả kết quả", "22/11/2026 23:00"),
    ],
)
def test_a_bad_row_is_named_by_column_with_what_was_found_and_gives_nothing(
    changes: dict[str, str], reason: str, column: str, found: str
) -> None:
    events, bad = published(table(row(1), row(2, **changes), row(3)))
    assert [event.entity_id for event in events] == ["H36.31-000001", "H36.31-000003"]
    assert [(one.number, one.error.reason, one.column, one.found) for one in bad] == [(3, reason, column, found)]
    assert bad[0].error.vi
    assert bad[0].cells[1] == "1.004946"


@pytest.mark.parametrize(
    ("written", "value"),
    [("toàn TRÌNH", "full"), ("  Một   phần ", "partial"), ("full", "full"), ("Toàn trình", "full")],
    ids=["case", "blanks", "ours", "decomposed"],
)
def test_words_are_known_however_they_are_written(written: str, value: str) -> None:
    (event,), _ = published(table(row(1, muc_do=written)))
    assert json.loads(event.value)["data"]["service_level"] == value


@pytest.mark.parametrize(
    ("written", "value"),
    [("150.000", 150000), ("150 000", 150000), ("1.234.567,25", 1234567.25), ("12", 12), ("0,5", 0.5)],
)
def test_numbers_with_a_decimal_comma(written: str, value: float) -> None:
    (event,), _ = published(table(row(1, phi=written)))
    assert json.loads(event.value)["data"]["fee_due_vnd"] == value


def test_a_row_where_a_piece_ended_is_where_the_next_run_goes_on() -> None:
    content = table(*[row(number) for number in range(1, 8)]).encode()
    whole = pieces_of(content, rows=3)
    assert [(piece.last, piece.seen, len(piece.events)) for piece in whole] == [(3, 4, 3), (6, 7, 3), (7, 8, 1)]
    rest = pieces_of(content, skip=3, rows=3)
    assert [event for piece in rest for event in piece.events] == [
        event for piece in whole[1:] for event in piece.events
    ]
    assert rest[-1].last == 7


@pytest.mark.parametrize(
    ("headings", "says"),
    [
        (HEADINGS[1:], "no column 'Mã hồ sơ', which the mapping mot-cua-ho-so needs; its row 1 has 'Mã thủ tục'"),
        ((*HEADINGS, "mã  HỒ sơ"), "'Mã hồ sơ' is there twice"),
    ],
    ids=["missing", "twice"],
)
def test_wrong_columns_are_one_sentence_before_any_row(headings: Sequence[str], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        published(table(row(1), headings=headings))


# ---- our own names -------------------------------------------------------------------------------------------------


def test_our_own_names_need_no_mapping() -> None:
    (event,) = own(
        ("dossier_id", "method", "status", "amount_vnd", "at"),
        ("H36.1", "online", "success", 75000, "2026-11-20T08:00:00+07:00"),
        type="dossier.paid",
    )
    assert json.loads(event.value)["time"] == "2026-11-20T08:00:00+07:00"
    assert event.source == "/lam-dong/onestop"


def test_type_source_id_and_time_may_be_columns_and_deleted_cancels() -> None:
    (event,) = own(
        ("type", "source", "id", "time", "dossier_id", "deleted"),
        ("dossier.submitted", "onestop/x", "e1", "20/11/2026", "H36.1", "có"),
    )
    body = json.loads(event.value)
    assert (body["source"], body["id"], body["time"]) == ("/lam-dong/onestop/x", "e1", "2026-11-20T00:00:00+07:00")
    assert body["data"] == {"dossier_id": "H36.1", "deleted": True}


def test_a_source_of_another_department_is_refused_row_by_row() -> None:
    headings = ("type", "source", "camera_id", "at")
    with pytest.raises(Exception, match="not_your_source"):
        own(headings, ("camera.heartbeat", "camera", "cam-01", "20/11/2026"))


@pytest.mark.parametrize(
    ("headings", "default", "says"),
    [
        (("dossier_id",), {}, "nothing says which events"),
        (("dossier_id",), {"type": "dossier.sold"}, "is no event type"),
        (("dossier_id",), {"type": "dossier.paid"}, "no column method, status, which dossier.paid needs"),
    ],
    ids=["no type", "unknown type", "missing"],
)
def test_a_table_that_does_not_say_what_it_is(headings: Sequence[str], default: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        own(headings, **default)


# ---- bytes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_separators_and_line_ends_are_found_out(sign: str, end: str) -> None:
    names = [heading.replace(",", "") for heading in HEADINGS]
    found = open_delimited(io.BytesIO(table(row(1, phi="5"), sign=sign, headings=names, end=end).encode()))
    assert found.headings == names
    assert [each.cells[0] for each in found.rows] == ["H36.31-000001"]


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_that_say_what_they_are(codec: str) -> None:
    events, bad = published(table(row(1)).encode(codec))
    assert (len(events), bad) == (1, [])


def test_windows_1258_is_guessed_said_and_composed() -> None:
    import unicodedata

    marks = {"\u0300", "\u0301", "\u0303", "\u0309", "\u0323"}  # this encoding keeps tones apart from their letters
    text = "".join(
        unicodedata.normalize("NFC", "".join(c for c in unicodedata.normalize("NFD", sign) if c not in marks))
        + "".join(c for c in unicodedata.normalize("NFD", sign) if c in marks)
        for sign in table(row(1))
    )
    content = text.encode("cp1258")
    found = open_delimited(io.BytesIO(content))
    assert found.encoding is not None
    assert (found.encoding.name, found.encoding.is_assumed) == ("windows-1258", True)
    assert tuple(found.headings) == HEADINGS
    assert published(content)[1] == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no column names"),
        (b"\n\n", "no column names"),
        ("Mã,Tên\n".encode("utf-16-le"), "UTF-16 without its mark"),
        (b"M\xb7 h\xe5 s\xac,Ng\xb5y n\xe9p,Tr\xb9ng th\xb8i\n", "TCVN3"),
    ],
    ids=["empty", "blank", "utf-16 bare", "tcvn3"],
)
def test_what_is_no_table_is_a_sentence(content: bytes, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        open_delimited(io.BytesIO(content))


@pytest.mark.parametrize(
    ("line", "reason", "number"),
    [
        (b"x" * 300_000, "too_large", 3),
        (b'"' + b"y;" * 200_000, "too_large", 3),
        (b"H36.\xff" + ";".join(row(2)[1:]).join(("1;", "")).encode(), "not_utf8", 3),
    ],
    ids=["long line", "long quoted line", "torn byte"],
)
def test_a_line_that_can_not_be_read_costs_itself_only(line: bytes, reason: str, number: int) -> None:
    head, first, last = (table(row(1), row(3)).encode().split(b"\n"))[:3]
    events, bad = published(b"\n".join([head, first, line, last, b""]))
    assert [(one.number, one.error.reason) for one in bad] == [(number, reason)]
    assert [event.entity_id for event in events] == ["H36.31-000001", "H36.31-000003"]


def test_quotes_hold_separators_and_line_ends_and_numbers_count_lines() -> None:
    text = table(row(1, thu_tuc='"a;""b""\nc"'), row(2, xa="99999"))
    events, bad = published(text)
    assert json.loads(events[0].value)["data"]["procedure_code"] == 'a;"b"\nc'
    assert [one.number for one in bad] == [4]


def test_a_quote_that_is_never_closed_is_one_bad_row_in_bounded_memory() -> None:
    filler = "\n".join(";".join(row(number)) for number in range(10, 6_000))
    events, bad = published(table(row(1)) + '"H36\n' + filler)
    assert events[0].entity_id == "H36.31-000001"
    assert bad[0].error.reason == "bad_quotes"
    assert bad[0].number == 3


def test_short_rows_are_filled_up_and_blank_ones_passed_over() -> None:
    events, bad = published(table(row(1)[:9]) + "\n;;;\n" + ";".join(row(2)) + "\n")
    assert (len(events), bad) == (2, [])


# ---- whatever comes ------------------------------------------------------------------------------------------------


@given(st.binary(max_size=400) | st.text(alphabet='",;\t\r\n#ãđ0\x00a\ufeff', max_size=200).map(str.encode))
def test_no_bytes_do_more_than_be_refused(content: bytes) -> None:
    try:
        found = open_delimited(io.BytesIO(content))
        read = by_own_names(
            found.headings, judge(), catalog().event_types, province="lam-dong", default=OwnColumns("dossier.rated")
        )
    except ConfigurationError:
        return
    for piece in table_pieces(found, read, lambda: NOW):
        assert len(piece.rejected) + len(piece.events) == len(piece.rows)


@given(st.lists(st.text(max_size=20), min_size=len(HEADINGS), max_size=len(HEADINGS)))
def test_no_cells_do_more_than_be_refused(cells: list[str]) -> None:
    read = by_mapping(one_stop(), HEADINGS, judge())
    with contextlib.suppress(RowError):
        for event in read(cells, NOW_US):
            assert judge().judge(event.value, NOW_US) == event


@given(
    st.sampled_from(
        ["time", "date", "date_or_time", "integer", "number", "boolean", "admin_unit", "list", "any", "string"]
    ),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes() | st.dates() | st.times(),
)
def test_no_cell_of_a_spreadsheet_does_more_than_be_refused(kind: Any, cell: Any) -> None:
    convert = converter(FieldSpec(name="x", type=kind), times=TimeReader(("d/m/Y",)), decimal=",", values={})
    with contextlib.suppress(InvalidRecord):
        convert(cell)
