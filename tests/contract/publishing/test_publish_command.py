"""`ioc publish --dry-run`: what people read, what programs read, and the exit code."""

import json
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from ioc.cli import publish as command
from ioc.errors import ConfigurationError, TransientError
from tests.unit.publishing.making import dossier_line, joined


def publish(*arguments: object) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)
    return CliRunner().invoke(app, ["publish", *map(str, arguments)])


def file_of(folder: Path, *lines: bytes) -> Path:
    path = folder / "events.jsonl"
    path.write_bytes(joined(lines))
    return path


def test_a_file_without_fault_exits_0(tmp_path: Path) -> None:
    result = publish(file_of(tmp_path, dossier_line(1), dossier_line(2)), "--dry-run")
    assert (result.exit_code, result.stdout) == (0, "2 dòng hợp lệ, 0 dòng bị từ chối; chưa gửi gì\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((), "dòng 2: missing_field (id): Thiếu id"),
        (("--lang", "en"), "line 2: missing_field (id): id is missing"),
    ],
)
def test_a_bad_line_is_named_with_number_reason_and_sentence(
    tmp_path: Path, arguments: tuple[str, ...], line: str
) -> None:
    result = publish(file_of(tmp_path, dossier_line(1), dossier_line(2, without="id")), "--dry-run", *arguments)
    assert result.exit_code == 1
    assert result.stdout.startswith(line)


def test_json_counts_and_names_every_bad_line(tmp_path: Path) -> None:
    bad = [dossier_line(number, without="time") for number in range(3000)]  # more than the spool keeps in memory
    result = publish(file_of(tmp_path, dossier_line(1), *bad), "--dry-run", "--json")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["accepted"], answer["rejected"]) == (1, 1, 3000)
    assert [error["line"] for error in answer["errors"]] == list(range(2, 3002))
    assert set(answer["errors"][0]) == {"line", "reason", "field", "message_vi", "message_en"}


def test_what_a_terminal_would_obey_is_not_printed_as_it_is(tmp_path: Path) -> None:
    hostile = dossier_line(1, type="vn.ioc.\x1b]0;owned\x07.v1")
    result = publish(file_of(tmp_path, hostile), "--dry-run")
    assert "\x1b" not in result.stdout
    assert "unknown_type" in result.stdout


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("rows.ods", "save it as .xlsx"),
        ("Rows.XLS", "save it as .xlsx"),
        ("events.jsonl.gz", "unpack it first"),
        ("nowhere.jsonl", "can't be read: No such file"),
        ("", "can't be read: is a folder"),
    ],
)
def test_what_is_no_file_of_json_lines_is_a_sentence(tmp_path: Path, name: str, says: str) -> None:
    error = publish(tmp_path / name, "--dry-run").exception
    assert isinstance(error, ConfigurationError)
    assert says in str(error)


def test_with_no_kafka_the_json_answer_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ioc.publishing.sender._FIND_TIMEOUT_S", 0.0)
    result = publish(file_of(tmp_path, dossier_line(1)), "--broker", "127.0.0.1:1", "--json")
    assert isinstance(result.exception, TransientError)
    answer = json.loads(result.stdout)
    assert (answer["accepted"], answer["rejected"], answer["errors"]) == (0, 0, [])
    assert "no Kafka at 127.0.0.1:1" in answer["failure"]
