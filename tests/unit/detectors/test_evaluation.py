import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from detectors.base import Candidate, Observation
from detectors.construction import ConstructionDetector
from detectors.evaluation import _Tally, evaluate
from detectors.manifest import LabelledFrame, LabelledSequence, read_manifest
from detectors.registry import build_detectors
from detectors.smoke import SmokeDetector
from ioc.catalog.cameras import Camera, Pose
from ioc.cli.evaluate import register
from ioc.detections import Box, Tier
from ioc.errors import ConfigurationError
from ioc.opencv import cv2
from ioc.permits import Zone
from tests.contract.test_detectors import plume_and_building

HEADER = "path,label,sequence,site,frame,order,bbox"
PLUME_BOX = "[[0.25, 0.42, 0.2, 0.4]]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plume sequence (rows shuffled, one picture broken), a clean one, and a construction pair."""
    root = tmp_path_factory.mktemp("labelled")
    images = plume_and_building()
    rows = []
    for i, image in enumerate(images):
        cv2.imwrite(str(root / f"s{i}.jpg"), image)
        rows.append(
            f's{i}.jpg,{"smoke" if i >= 10 else "no-smoke"},plume,A,{i},native,"{PLUME_BOX if i >= 10 else ""}"'
        )
        rows.append(f"s{i % 10}.jpg,no-smoke,clean,B,{i},native,")
    (root / "s25.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    (root / "smoke.csv").write_text("\n".join([HEADER, *reversed(rows)]), encoding="utf-8")
    pair = ["s0.jpg,construction,site,C,1,pair,", "s29.jpg,construction,site,C,2,pair,"]
    (root / "construction.csv").write_text("\n".join([HEADER, *pair]), encoding="utf-8")
    return root


def cli() -> typer.Typer:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.callback()(lambda: None)
    register(app)
    return app


def test_smoke_answer_keeps_the_contract(folder: Path) -> None:
    out = folder / "answer.json"
    result = CliRunner().invoke(
        cli(), ["evaluate", "smoke", "--manifest", str(folder / "smoke.csv"), "--out", str(out), "--json"]
    )
    assert result.exit_code == 0, result.output
    answer = json.loads(out.read_text(encoding="utf-8"))
    assert json.loads(result.stdout) == answer
    assert (answer["detector"], answer["version"]) == ("smoke", SmokeDetector.version)
    by_name = {sequence["sequence"]: sequence for sequence in answer["sequences"]}
    plume, clean = by_name["plume"], by_name["clean"]
    assert plume["detected"] is True
    assert 10 <= plume["first_watch_frame"] < plume["first_alarm_frame"] <= 20
    assert (plume["frames"], plume["false_alarms"]) == (30, 0)
    assert [one["path"].endswith("s25.jpg") for one in plume["unreadable"]] == [True]
    assert (clean["detected"], clean["first_watch_frame"], clean["first_alarm_frame"]) == (False, None, None)
    totals = answer["totals"]
    assert {key: totals[key] for key in ("positive", "detected", "negative", "negative_alarmed", "unreadable")} == {
        "positive": 1,
        "detected": 1,
        "negative": 1,
        "negative_alarmed": 0,
        "unreadable": 1,
    }
    assert totals["false_alarms_per_camera_hour"] == 0
    assert totals["ms_per_frame"] > 0


def test_table_names_unreadable_pictures(folder: Path) -> None:
    result = CliRunner().invoke(cli(), ["evaluate", "smoke", "--manifest", str(folder / "smoke.csv")])
    assert result.exit_code == 0, result.output
    assert "detected 1 of 1" in result.stdout
    assert "s25.jpg" in result.stdout


def test_construction_pair_is_judged_against_its_first_frame(folder: Path) -> None:
    answer = evaluate("construction", read_manifest(folder / "construction.csv"))
    assert answer.sequences[0].detected
    assert answer.sequences[0].first_alarm_frame == 2
    assert answer.sequences[0].states == {"ok": 8}
    assert any("reference" in note for note in answer.notes)


@pytest.mark.parametrize("command", ["smoke", "construction"])
def test_help_holds_an_example(command: str) -> None:
    result = CliRunner().invoke(cli(), ["evaluate", command, "--help"])
    assert result.exit_code == 0
    assert f"ioc evaluate {command}" in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([HEADER, "absent.jpg,smoke,a,A,0,native,"], "line 2.*absent.jpg.*does not exist"),
        ([HEADER, "s0.jpg,smoke,a,A,first,native,"], "line 2.*frame"),
        ([HEADER, 's0.jpg,smoke,a,A,0,native,"[[2, 0, 0, 0]]"'], "line 2.*bbox"),
        ([HEADER, "s0.jpg,smoke,a,A,0,native,box"], "line 2.*bbox"),
        ([HEADER + ",interval_s", "s0.jpg,smoke,a,A,0,native,,-1"], "line 2.*interval_s"),
        (["path,label", "s0.jpg,smoke"], "column 'sequence' is missing"),
        ([HEADER], "lists no frame"),
    ],
    ids=["missing_file", "frame", "box_outside", "box_no_list", "interval", "column", "empty"],
)
def test_wrong_manifest_is_refused_with_row_and_remedy(folder: Path, lines: list[str], says: str) -> None:
    path = folder / "wrong.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=says):
        read_manifest(path)


def test_missing_manifest_and_missing_folder_are_named(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such manifest"):
        read_manifest(folder / "none.csv")
    result = CliRunner().invoke(
        cli(), ["evaluate", "smoke", "--manifest", str(folder / "smoke.csv"), "--out", str(folder / "no" / "x.json")]
    )
    assert isinstance(result.exception, ConfigurationError)


def tally_of(alarms: list[tuple[int, Box]], labels: tuple[Box, ...]) -> _Tally:
    """Counts alarms at given minutes of a sequence whose frames all carry `labels`."""
    frame = LabelledFrame(
        path=Path("x.jpg"), label="smoke" if labels else "no-smoke", number=0, boxes=labels, interval_s=60
    )
    tally = _Tally(LabelledSequence(name="s", site="A", frames=(frame,)), "smoke")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    tier: Tier = "alarm"
    for minute, box in alarms:
        at = start + timedelta(minutes=minute)
        candidate = Candidate(label="smoke", tier=tier, score=1, box=box, first_seen_at=at)
        tally.add(frame, at, Observation(candidates=(candidate,)))
    return tally


LEFT, RIGHT, LABEL = Box(0.2, 0.5, 0.1, 0.1), Box(0.8, 0.5, 0.1, 0.1), Box(0.5, 0.5, 0.1, 0.1)


@pytest.mark.parametrize(
    ("alarms", "labels", "false_alarms", "detected"),
    [
        ([(0, LEFT), (29, LEFT)], (), 1, False),
        ([(0, LEFT), (30, LEFT)], (), 2, False),
        ([(0, LEFT), (20, LEFT), (40, LEFT)], (), 1, False),
        ([(0, LEFT), (1, RIGHT)], (), 2, False),
        ([(0, LEFT), (1, LABEL)], (LABEL,), 1, True),
        ([(0, LABEL), (1, LABEL)], (LABEL,), 0, True),
    ],
    ids=["merged", "apart_in_time", "chain", "apart_in_place", "one_of_two", "right"],
)
def test_false_alarms_are_incidents_that_touch_no_label(
    alarms: list[tuple[int, Box]], labels: tuple[Box, ...], false_alarms: int, detected: bool
) -> None:
    result = tally_of(alarms, labels).result()
    assert (result.false_alarms, result.detected) == (false_alarms, detected)


def test_construction_watches_only_poses_with_zones() -> None:
    zone = Zone(zone_id="z", kind="residential", polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)))
    poses = {"p0": Pose(pose_id="p0", zones=(zone,)), "p1": Pose(pose_id="p1")}
    camera = Camera(camera_id="c", name_vi="c", poses=poses)
    assert [detector.name for detector in build_detectors(camera, "p0")] == ["smoke", "construction"]
    assert [detector.name for detector in build_detectors(camera, "p1")] == ["smoke"]
    assert [detector.name for detector in build_detectors(camera, "swept")] == ["smoke"]
    assert build_detectors(Camera(camera_id="c", name_vi="c", is_active=False, poses=poses), "p0") == ()


def test_given_reference_of_another_size_is_used() -> None:
    zone = Zone(zone_id="z", kind="residential", polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
    reference = np.ascontiguousarray(plume_and_building()[0])
    detector = ConstructionDetector((zone,), reference=reference)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    seen = [detector.observe(plume_and_building()[29], start + timedelta(minutes=i)) for i in range(8)]
    assert [one.candidates[0].tier if one.candidates else "" for one in seen][-1] == "alarm"
