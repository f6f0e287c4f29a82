import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from ioc.cli.simulate import register
from ioc.errors import ConfigurationError


def _run(*arguments: str) -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)
    register(app)
    return CliRunner().invoke(app, ["simulate", *arguments], catch_exceptions=True)


@pytest.mark.parametrize("command", ["events", "scenes"])
def test_help_holds_an_example(command: str) -> None:
    result = _run(command, "--help")
    assert result.exit_code == 0
    assert f"ioc simulate {command} --" in " ".join(result.output.split())


def test_events_go_to_a_file_as_json_lines_and_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    arguments = ("--seed", "7", "--history", "350", "--start", "2026-11-22T08:00:00+07:00", "--no-stock", "--json")
    written = []
    for name in ("first.jsonl", "second.jsonl"):
        result = _run("events", *arguments, "--count", "100", "--out", str(tmp_path / name))
        assert result.exit_code == 0, result.output
        assert json.loads(result.output) == {"events": 450, "fresh": 450, "duplicate": 0, "invalid": 0}
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    lines = [json.loads(line) for line in written[0].splitlines()]
    assert len(lines) == 450
    assert all(line["specversion"] == "1.0" and line["source"].startswith("/lam-dong/") for line in lines)


def test_stock_and_past_incidents_come_before_the_rest_where_they_are_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "past.jsonl"
    arguments = ("events", "--history", "0", "--count", "0", "--out", str(out), "--json")
    assert json.loads(_run(*arguments).output)["events"] > 3000
    assert json.loads(_run(*arguments, "--no-stock", "--past-incidents").output)["events"] == 35 * 5
    assert json.loads(_run(*arguments, "--no-stock").output)["events"] == 0


def test_for_bounds_the_live_part_by_its_rate(tmp_path: Path) -> None:
    out = str(tmp_path / "live.jsonl")
    result = _run("events", "--rate", "20", "--history", "0", "--no-stock", "--for", "30s", "--out", out, "--json")
    assert json.loads(result.output)["events"] == 600


def test_scenes_go_to_a_folder(tmp_path: Path) -> None:
    arguments = ("--frames", "2", "--size", "160x90", "--cameras", "cam-02,cam-03", "--no-building", "--json")
    result = _run("scenes", "--out", str(tmp_path), *arguments)
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["frames"] == 4
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.jpg")) == [
        "cam-02/000.jpg",
        "cam-02/001.jpg",
        "cam-03/000.jpg",
        "cam-03/001.jpg",
    ]
    assert ",construction," not in (tmp_path / "manifest.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("scenes",), "either --out FOLDER or --publish"),
        (("scenes", "--publish", "--out", "x"), "either --out FOLDER or --publish"),
        (("scenes", "--out", "x", "--size", "big"), "is not WIDTHxHEIGHT"),
        (("scenes", "--out", "x", "--cameras", "cam-99"), "'cam-99' has no scene; there are cam-01, cam-02"),
        (("events", "--out", "x"), "a file must end"),
        (("events", "--count", "1", "--start", "yesterday"), "is not a time with an offset"),
        (("events", "--for", "soon"), "is not a length of time"),
        (("events", "--no-stock", "--count", "1", "--out", "/dev/null/x"), "can't be written"),
    ],
)
def test_wrong_use_is_answered_with_what_to_do(arguments: tuple[str, ...], sentence: str) -> None:
    result = _run(*arguments)
    assert isinstance(result.exception, ConfigurationError)
    assert sentence in str(result.exception)
