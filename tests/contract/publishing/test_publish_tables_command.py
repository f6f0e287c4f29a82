"""`ioc publish` of tables, templates, single events and cancellations: what people read and what lies on the disk."""

import csv
import io
import json
from pathlib import Path

import pytest
from openpyxl import load_workbook

from ioc.errors import ConfigurationError
from ioc.event_types import EventType
from ioc.publishing.delimited import open_delimited
from ioc.publishing.tables import OwnColumns, by_own_names
from ioc.publishing.templates import csv_template
from tests.contract.publishing.test_publish_command import publish
from tests.unit.domain.making import NOW_US, catalog
from tests.unit.publishing.making import HEADINGS, ONE_STOP, judge, row, table


def departments_types() -> list[EventType]:
    topics = set(catalog().department_topics())
    return [each for each in catalog().event_types.values() if each.entity and each.topic in topics]


def csv_of(folder: Path, *rows: list[str], name: str = "ho-so.csv") -> Path:
    path = folder / name
    path.write_text(table(*rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("language", "line", "summary"),
    [
        ("vi", "dòng 3, cột Mức độ DVC: not_allowed (service_level): 'Nửa' không nằm", "1 sự kiện hợp lệ, 1 dòng"),
        ("en", "row 3, column Mức độ DVC: not_allowed (service_level): 'Nửa' is not", "1 events are valid, 1 rows"),
    ],
)
def test_a_dry_run_names_row_column_reason_and_what_was_found(
    tmp_path: Path, language: str, line: str, summary: str
) -> None:
    path = csv_of(tmp_path, row(1), row(2, muc_do="Nửa"))
    result = publish(path, "--as", ONE_STOP, "--dry-run", "--lang", language)
    assert result.exit_code == 1
    assert result.stdout.startswith(line)
    assert summary in result.stdout
    assert not list(tmp_path.glob("*.ioc-journal"))


def test_rejects_are_in_the_departments_own_layout_and_can_be_published_once_mended(tmp_path: Path) -> None:
    path, rejects, again = csv_of(tmp_path, row(1), row(2, xa="99999")), tmp_path / "sai.csv", tmp_path / "sai-2.csv"
    publish(path, "--as", ONE_STOP, "--dry-run", "--rejects", rejects)
    with rejects.open(encoding="utf-8-sig", newline="") as file:
        head, *bad = list(csv.reader(file))
    assert tuple(head[: len(HEADINGS)]) == HEADINGS
    assert [cells[:1] + cells[-4:-1] for cells in bad] == [["H36.31-000002", "3", "Mã xã", "unknown_admin_unit"]]

    publish(rejects, "--as", ONE_STOP, "--dry-run", "--rejects", again)
    assert again.read_text(encoding="utf-8").count("ioc: ") == 4, "the old reasons go, the new ones come"

    rejects.write_text(rejects.read_text(encoding="utf-8").replace("99999", "24781"), encoding="utf-8")
    assert publish(rejects, "--as", ONE_STOP, "--dry-run").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--as", "khac"), "--as: 'khac' is not in imports.yaml; known: mot-cua-ho-so"),
        ((), "nothing says which events these rows are"),
        (("--type", "dossier.paid"), "has no column dossier_id"),
        (("--as", "phan-anh"), "has no column 'Mã phản ánh'"),
        (("--as", ONE_STOP, "--encoding", "tcvn3"), "--encoding: 'tcvn3' is not one of"),
        (("--as", ONE_STOP, "--publisher", "x"), "--publisher: 'x' is not in publishers.yaml"),
        (("--as", ONE_STOP, "--gateway", "http://127.0.0.1:1"), "--gateway URL and --token-file FILE go together"),
        (("--as", ONE_STOP, "--rejects", "ho-so.csv"), "is the file that is published"),
    ],
)
def test_what_can_not_be_done_is_one_sentence(
    tmp_path: Path, arguments: tuple[str, ...], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv_of(tmp_path, row(1))
    monkeypatch.chdir(tmp_path)
    error = publish("ho-so.csv", *arguments, "--dry-run").exception
    assert isinstance(error, ConfigurationError)
    assert says in str(error)


# ---- templates -----------------------------------------------------------------------------------------------------


def test_a_template_is_printed_and_can_be_published_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mau.dossier.paid.csv"  # the name says the type
    path.write_bytes(publish("--template", "dossier.paid").stdout_bytes)
    assert publish(path, "--dry-run").stdout.startswith("0 sự kiện hợp lệ, 0 dòng bị từ chối")
    assert len(publish("--template", "dossier", "--out", tmp_path / "all").stdout.splitlines()) == 5


@pytest.mark.parametrize("name", [each.name for each in departments_types()])
def test_the_example_of_every_template_is_right(name: str) -> None:
    event_type = catalog().event_types[name]
    head, _, example = csv_template(event_type).decode("utf-8-sig").splitlines()
    table = open_delimited(io.BytesIO("\n".join([head, example.removeprefix("# ")]).encode()))
    read = by_own_names(table.headings, judge(), catalog().event_types, province="lam-dong", default=OwnColumns(name))
    assert [event.type for row in table.rows for event in read(row.cells, NOW_US + 86_400_000_000)] == [name]


def test_a_workbook_has_a_sheet_of_each_type_with_lists_of_words_and_is_published_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "dossier.xlsx"
    publish("--template", "dossier", "--format", "xlsx", "--out", path)
    book = load_workbook(path)
    assert book.sheetnames[:2] == ["dossier.submitted", "dossier.status_changed"]
    sheet = book["dossier.submitted"]
    assert sheet["A1"].comment is not None
    assert any('"full,partial,info"' in each.formula1 for each in sheet.data_validations.dataValidation)
    assert publish(path, "--dry-run").stdout.startswith("0 sự kiện hợp lệ, 0 dòng bị từ chối")

    for cell, example in zip(sheet[4], sheet[3], strict=True):
        cell.value = str(example.value).removeprefix("# ")
    book.save(path)
    assert publish(path, "--dry-run").stdout.startswith("1 sự kiện hợp lệ, 0 dòng bị từ chối")


def test_a_template_of_nothing_names_what_there_is() -> None:
    error = publish("--template", "weather").exception
    assert isinstance(error, ConfigurationError)
    assert "dossier" in str(error)


# ---- one event -----------------------------------------------------------------------------------------------------


def test_a_cancellation_needs_no_more_than_the_key() -> None:
    result = publish("--cancel", "dossier.submitted", "dossier_id=H36.1", "source=onestop/x", "--dry-run", "--json")
    event = json.loads(result.stdout)["event"]
    assert event["data"] == {"deleted": True, "dossier_id": "H36.1"}
    assert (event["source"], event["time"]) == ("/lam-dong/onestop/x", "2026-11-22T08:00:00+07:00")


def test_a_cancellation_of_a_type_with_a_time_of_its_own_is_newer_than_what_it_cancels() -> None:
    result = publish("--cancel", "dossier.status_changed", "dossier_id=H36.1", "--dry-run", "--json")
    assert json.loads(result.stdout)["event"]["data"]["at"] == "2026-11-22T08:00:00+07:00"


def test_one_event_takes_what_people_write() -> None:
    words = ("dossier_id=H36.1", "status=resolved", "at=21/11/2026 09:00")
    result = publish("--event", "dossier.status_changed", *words, "--dry-run")
    assert result.exit_code == 0
    assert '"at": "2026-11-21T09:00:00+07:00"' in result.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--cancel", "dossier.submitted"), "say which dossier is meant: dossier_id=…"),
        (("--cancel", "dossier.sold", "dossier_id=1"), "is no event type"),
        (("--event", "dossier.submitted", "dossier_id=1"), "missing_field (service_level)"),
        (("--event", "dossier.submitted", "dossier=1"), "dossier is no field of dossier.submitted"),
        (("--event", "dossier.submitted", "dossier_id"), "write fields as NAME=VALUE"),
        (("--event", "dossier.submitted", "--cancel", "dossier.paid"), "one at a time"),
        ((), "name one FILE"),
    ],
)
def test_a_single_event_that_is_not_right_is_one_sentence(arguments: tuple[str, ...], says: str) -> None:
    error = publish(*arguments, "--dry-run").exception
    assert isinstance(error, ConfigurationError)
    assert says in str(error)
