"""Commands that draw pictures or tell a whole province's past."""

import json
from pathlib import Path

import typer
from typer.testing import CliRunner, Result

from ioc.cli.simulate import register


def _run(*arguments: str) -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)
    register(app)
    return CliRunner().invoke(app, ["simulate", *arguments], catch_exceptions=True)


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


def test_scenes_of_a_kind_with_a_fault_go_to_a_folder(tmp_path: Path) -> None:
    arguments = ("--kind", "rain", "--number", "2", "--frames", "3", "--size", "160x90", "--json")
    for name, fault in (("faulty", ("--fault", "cam-02:under_exposed:1-1")), ("well", ())):
        result = _run("scenes", "--out", str(tmp_path / name), *arguments, *fault)
        assert result.exit_code == 0, result.output
        assert json.loads(result.output)["frames"] == 6
    same = {
        str(path.relative_to(tmp_path / "well")): path.read_bytes()
        == (tmp_path / "faulty" / path.relative_to(tmp_path / "well")).read_bytes()
        for path in (tmp_path / "well").rglob("*.jpg")
    }
    assert [path for path, is_same in sorted(same.items()) if not is_same] == ["cam-02/001.jpg"]


def test_some_days_of_a_year_go_to_a_folder_with_their_truth(tmp_path: Path) -> None:
    arguments = ("--poses", "1", "--works", "4", "--first-day", "200", "--days", "2", "--size", "160x90", "--json")
    result = _run("year", "--out", str(tmp_path), *arguments)
    assert result.exit_code == 0, result.output
    assert json.loads(result.output) == {"frames": 8, "poses": 1, "works": 4}
    truth = [json.loads(line) for line in (tmp_path / "pose-01" / "truth.jsonl").read_text("utf-8").splitlines()]
    assert [line["path"] for line in truth][:5] == ["200-0.jpg", "200-1.jpg", "200-2.jpg", "200-3.jpg", "201-0.jpg"]
    assert all((tmp_path / "pose-01" / line["path"]).is_file() for line in truth)
    assert {"work", "plot", "stage", "storeys", "box", "polygon", "active", "cover"} == set(truth[0]["works"][0])
