"""`ioc calibrate` as an administrator meets it: lines to copy, their error, JSON, and sentences for what is wrong."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from geographiclib.geodesic import Geodesic
from typer.testing import CliRunner

from ioc import cli
from ioc.errors import ConfigurationError
from ioc.places.bearings import View, pixel_of
from tests.unit.domain.making import catalog, copy_of_catalog

CAMERA = "cam-01"
WIDTH, HEIGHT = 1280, 720


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copy_of_catalog(tmp_path / "catalog", lambda path: path.stem == "camera_online")


def true_view() -> View:
    view = catalog().cameras[CAMERA].view("p0")
    assert view is not None
    return replace(view, azimuth_deg=326.4, fov_deg=57.2)


def landmarks(view: View, turns: tuple[float, ...] = (-22, -7, 8, 24)) -> list[str]:
    found = []
    for number, turn in enumerate(turns):
        end = Geodesic.WGS84.Direct(view.lat, view.lon, view.azimuth_deg + turn, 4_000 + 700 * number)
        at = pixel_of(view, view.azimuth_deg + turn, -1.0)
        assert at is not None
        found.append(f"mốc {number},{at[0] * WIDTH:.1f},{at[1] * HEIGHT:.1f},{end['lat2']:.6f},{end['lon2']:.6f}")
    return found


def run(folder: Path, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    monkeypatch.setattr(cli, "COMMAND_MODULES", ("calibrate", "check"))
    result = CliRunner().invoke(cli.build_cli(), ["calibrate", *arguments, "--catalog", str(folder)])
    if isinstance(result.exception, ConfigurationError):
        raise result.exception
    return result.exit_code, result.stdout


def options(marks: list[str]) -> list[str]:
    return [part for mark in marks for part in ("--landmark", mark)]


def test_its_lines_go_into_cameras_yaml_and_the_check_then_finds_the_pose_sound(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, text = run(folder, CAMERA, "p0", *options(landmarks(true_view())), monkeypatch=monkeypatch)
    assert code == 0
    assert "hướng 326.4" in text
    assert "azimuth 326.4" in text
    lines = yaml.safe_load(text.partition("# cameras.yaml\n")[2])[CAMERA]["poses"]["p0"]
    assert lines["azimuth_deg"] == pytest.approx(326.4, abs=0.05)
    assert lines["fov_deg"] == pytest.approx(57.2, abs=0.1)
    assert len(lines["landmarks"]) == 4
    written = yaml.safe_load((folder / "cameras.yaml").read_text(encoding="utf-8"))
    written[CAMERA]["poses"]["p0"] |= lines
    (folder / "cameras.yaml").write_text(yaml.safe_dump(written, allow_unicode=True), encoding="utf-8")
    assert run(folder, CAMERA, "--check", monkeypatch=monkeypatch)[0] == 0
    written[CAMERA]["poses"]["p0"]["azimuth_deg"] = 280.0
    (folder / "cameras.yaml").write_text(yaml.safe_dump(written, allow_unicode=True), encoding="utf-8")
    code, text = run(folder, CAMERA, "--check", "--json", monkeypatch=monkeypatch)
    (pose,) = json.loads(text)["poses"]
    assert (code, pose["ok"]) == (1, False)
    assert abs(pose["off_deg"]) > 30


def test_a_table_and_json_tell_the_same(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "marks.csv"
    table.write_text("\n".join(["name,px,py,lat,lon,elevation_m", *(f"{m}," for m in landmarks(true_view()))]), "utf-8")
    code, text = run(folder, CAMERA, "p0", "--csv", str(table), "--json", monkeypatch=monkeypatch)
    answer = json.loads(text)
    assert code == 0
    assert answer["azimuth_deg"] == pytest.approx(326.4, abs=0.05)
    assert answer["is_checked"]
    assert max(abs(residual["px"]) for residual in answer["residuals"]) < 1
    assert 0 < answer["sd"]["azimuth_deg"] < 0.2
    assert answer["warnings"] == []


def test_two_landmarks_are_solved_with_a_warning(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marks = landmarks(true_view(), (-20, 20))
    _, text = run(folder, CAMERA, "p0", *options(marks), "--json", monkeypatch=monkeypatch)
    (warning,) = json.loads(text)["warnings"]
    assert "một mốc sai" in warning["vi"]
    assert "unnoticed" in warning["en"]


def test_a_picture_of_another_pose_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = yaml.safe_load((folder / "cameras.yaml").read_text(encoding="utf-8"))
    written[CAMERA]["poses"] |= {"p1": {"azimuth_deg": 55, "fov_deg": 60}}
    (folder / "cameras.yaml").write_text(yaml.safe_dump(written, allow_unicode=True), encoding="utf-8")
    marks = landmarks(replace(true_view(), azimuth_deg=56.0))
    _, text = run(folder, CAMERA, "p0", *options(marks), "--json", monkeypatch=monkeypatch)
    (warning,) = json.loads(text)["warnings"]
    assert "p1" in warning["vi"]
    assert "swapped" in warning["en"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["cam-99", "p0"], "no camera of cameras.yaml"),
        ([CAMERA, "p0"], "0 landmark tells no direction"),
        ([CAMERA, "p0", "--landmark", "a,1,2"], "must be name,px,py,lat,lon"),
        ([CAMERA, "p0", "--landmark", "a,x,2,12,108"], "must be name,px,py,lat,lon"),
        ([CAMERA, "p0", "--size", "big"], "--size 'big' must be like 1280x720"),
        ([CAMERA, "p0", "--csv", "nowhere.csv"], "can't be read as a table"),
        ([CAMERA, "--landmark", "a,100,300,12.05,108.40"], "name the POSE"),
        (
            [CAMERA, "p0", "--landmark", "a,100,300,108.40,12.05", "--landmark", "b,1000,300,12.06,108.42"],
            "latitude 108.4 and longitude 12.05 are reversed",
        ),
    ],
    ids=["no camera", "no landmark", "too few numbers", "no number", "size", "no table", "no pose", "reversed"],
)
def test_what_is_wrong_is_one_sentence(
    folder: Path, arguments: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        run(folder, *arguments, monkeypatch=monkeypatch)
    assert sentence in str(refused.value)
