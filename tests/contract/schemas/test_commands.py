"""`ioc catalog …` as people and programs call it."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from ioc.cli import build_cli
from ioc.cli.init import SHIPPED
from ioc.errors import ConfigurationError

RUN = CliRunner()


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    return build_cli()


def call(app: typer.Typer, *words: str) -> str:
    found = RUN.invoke(app, ["catalog", *words, "--catalog", str(SHIPPED)])
    assert found.exit_code == 0, found.output
    return found.stdout


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("vi", ["Hồ sơ được nộp", "đơn vị gửi", "mã hồ sơ", "dossier_id (murmur2)", "full | partial | info", "Ví dụ:"]),
        ("en", ["Dossier submitted", "published by", "id of the dossier", "fee due, VND", "number ≥ 0", "Example:"]),
    ],
)
def test_a_type_is_shown_as_a_page_with_its_fields_and_an_example(
    app: typer.Typer, lang: str, words: list[str]
) -> None:
    name = "dossier.submitted" if lang == "vi" else "vn.ioc.dossier.submitted.v1"  # either name will do
    page = call(app, "show", name, "--lang", lang)
    assert [word for word in words if word not in page] == []
    assert json.loads(page[page.index("{") :])["source"] == "/lam-dong/onestop"


def test_without_a_type_all_are_listed(app: typer.Typer) -> None:
    lines = call(app, "show").splitlines()
    assert len(lines) == 57
    (line,) = (line for line in lines if line.startswith("dossier.paid "))
    assert line.split(maxsplit=2) == ["dossier.paid", "ioc.onestop.payments", "Hồ sơ được thanh toán"]


def test_a_misspelt_type_is_guessed(app: typer.Typer) -> None:
    found = RUN.invoke(app, ["catalog", "show", "dosier.paid", "--catalog", str(SHIPPED)])
    assert isinstance(found.exception, ConfigurationError)
    assert "did you mean dossier.paid" in str(found.exception)


def test_schemas_are_printed_or_written_one_file_a_type(app: typer.Typer, tmp_path: Path) -> None:
    printed = json.loads(call(app, "schemas", "dossier.paid"))
    assert printed["$id"] == "urn:ioc:event:vn.ioc.dossier.paid:v1"
    assert "56 schemas" in call(app, "schemas", "--out", str(tmp_path / "out"))
    assert len(list((tmp_path / "out").glob("vn.ioc.*.v1.json"))) == 56
    assert json.loads((tmp_path / "out/vn.ioc.dossier.paid.v1.json").read_text(encoding="utf-8")) == printed


def test_the_examples_hold_and_the_answer_is_there_as_json(app: typer.Typer) -> None:
    answer = json.loads(call(app, "examples", "--json"))
    assert answer["ok"] is True
    assert answer["examples"] > 500


def test_the_asyncapi_document_is_written_where_asked(app: typer.Typer, tmp_path: Path) -> None:
    call(app, "asyncapi", "--out", str(tmp_path / "asyncapi.json"), "--lang", "en")
    document = json.loads((tmp_path / "asyncapi.json").read_text(encoding="utf-8"))
    assert document["asyncapi"] == "3.0.0"
    assert document["operations"]["send.dossier.paid"]["title"] == "Dossier paid"


def test_what_cannot_be_written_is_told_in_a_sentence(app: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = RUN.invoke(app, ["catalog", "schemas", "--out", str(tmp_path / "file"), "--catalog", str(SHIPPED)])
    assert isinstance(found.exception, ConfigurationError)
    assert "give another --out" in str(found.exception)
