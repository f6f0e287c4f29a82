import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from detectors.base import Candidate, Observation
from detectors.construction import ConstructionDetector, ConstructionThresholds
from detectors.evaluation import Look, Run, evaluate, scored, sweep
from detectors.evaluation.models import read_folds, smoke_by_site
from detectors.manifest import read_manifest
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
    assert answer.sequences[0].alarm.detected
    assert answer.sequences[0].alarm.first == 2
    assert answer.sequences[0].states == {"ok": ConstructionThresholds().pool_frames}
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


START = datetime(2026, 1, 1, tzinfo=UTC)
LEFT, RIGHT, LABEL = Box(0.2, 0.5, 0.1, 0.1), Box(0.8, 0.5, 0.1, 0.1), Box(0.5, 0.5, 0.1, 0.1)
WHOLE = Box(0.5, 0.5, 1.0, 1.0)


def run_of(
    seen: Sequence[tuple[int, Box, Tier, float]], labels: Mapping[int, Box], *, frames: int = 60, positive: bool = True
) -> Run:
    """One frame a minute; `seen` is (minute, box, tier, score), `labels` the labelled box of a minute."""
    run = Run(sequence="s", site="A", is_positive=positive, frames=frames)
    for minute in range(frames):
        at = START + timedelta(minutes=minute)
        candidates = tuple(
            Candidate(label="smoke", tier=tier, score=score, box=box, first_seen_at=at)
            for then, box, tier, score in seen
            if then == minute
        )
        own = (labels[minute],) if minute in labels else ()
        observation = Observation(candidates=candidates, rejected={"still": 1} if minute == 0 else {})
        run.looks.append(Look(number=100 + minute, at=at, interval_s=60, labels=own, seen=observation))
    return run


def alarms(*seen: tuple[int, Box]) -> list[tuple[int, Box, Tier, float]]:
    return [(minute, box, "alarm", 0.9) for minute, box in seen]


@pytest.mark.parametrize(
    ("seen", "labels", "false", "detected"),
    [
        (alarms((0, LEFT), (29, LEFT)), {}, 1, False),
        (alarms((0, LEFT), (30, LEFT)), {}, 2, False),
        (alarms((0, LEFT), (20, LEFT), (40, LEFT)), {}, 1, False),
        (alarms((0, LEFT), (1, RIGHT)), {}, 2, False),
        (alarms((0, LEFT), (1, LABEL)), {1: LABEL}, 1, True),
        (alarms((0, LABEL), (1, LABEL)), {0: LABEL, 1: LABEL}, 0, True),
        (alarms((0, LABEL)), {50: LABEL}, 0, False),
    ],
    ids=["merged", "apart_in_time", "chain", "apart_in_place", "one_of_two", "right", "label_of_another_frame"],
)
def test_false_alarms_are_incidents_that_touch_no_label_of_the_sequence(
    seen: list[tuple[int, Box, Tier, float]], labels: dict[int, Box], false: int, detected: bool
) -> None:
    result = scored(run_of(seen, labels, positive=bool(labels)))
    assert (result.alarm.false, result.alarm.detected) == (false, detected)


@pytest.mark.parametrize(
    ("seen", "labels", "told"),
    [
        (alarms(*((minute, LEFT) for minute in range(60))), {}, 6),
        (alarms(*((minute, WHOLE) for minute in range(60))), {30: LABEL}, 6),
        (alarms((30, LABEL)), {30: LABEL}, 0),
        (alarms((19, LABEL)), {30: LABEL}, 1),
        (alarms((20, LABEL)), {30: LABEL}, 0),
        (alarms((0, LEFT), (5, Box(0.29, 0.5, 0.1, 0.1)), (8, Box(0.38, 0.5, 0.1, 0.1))), {}, 2),
    ],
    ids=["every_ten_minutes", "over_everything", "right", "long_before", "shortly_before", "no_chain_of_boxes"],
)
def test_told_again_does_not_saturate(
    seen: list[tuple[int, Box, Tier, float]], labels: dict[int, Box], told: int
) -> None:
    assert scored(run_of(seen, labels, positive=bool(labels))).alarm.told_again == told


def test_what_is_on_the_wall_counts_for_the_watch_tier_and_only_alarms_for_the_other() -> None:
    seen: list[tuple[int, Box, Tier, float]] = [
        (3, RIGHT, "watch", 0.2),
        (12, LABEL, "watch", 0.4),
        (14, LABEL, "alarm", 0.8),
    ]
    result = scored(run_of(seen, dict.fromkeys(range(10, 60), LABEL)))
    assert (result.watch.first, result.watch.frames_to, result.watch.false, result.watch.boxes) == (103, 3, 1, 3)
    assert (result.alarm.first, result.alarm.frames_to, result.alarm.false, result.alarm.boxes) == (114, 5, 0, 1)
    assert (result.watch.is_first_right, result.alarm.is_first_right) == (False, True)
    assert (result.hours, result.rejected) == (1.0, {"still": 1})


def test_another_threshold_judges_the_same_scores_again() -> None:
    seen: list[tuple[int, Box, Tier, float]] = [(3, RIGHT, "watch", 0.2), (14, LABEL, "alarm", 0.8)]
    low, middle, high = sweep([run_of(seen, {14: LABEL})], [0.1, 0.5, 0.9])
    assert (low.detected, low.false_alarms_per_camera_hour) == (1, 1.0)
    assert (middle.detected, middle.false_alarms_per_camera_hour, middle.median_frames_to_alarm) == (1, 0.0, 1.0)
    assert (high.detected, high.median_frames_to_alarm) == (0, None)


def test_a_site_is_judged_by_the_weights_that_its_fold_names(tmp_path: Path) -> None:
    (tmp_path / "one.onnx").write_bytes(b"weights")
    (tmp_path / "folds.json").write_text('[{"model": "one.onnx", "left_out": ["A"]}]', encoding="utf-8")
    folds = read_folds(tmp_path / "folds.json")
    assert folds.sites == {"A": str(tmp_path / "one.onnx")}
    assert smoke_by_site("rule", folds)("unseen")[0] == "rule"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not a list of folds"),
        ('{"sites": {}}', "not a list of folds"),
        ('[{"model": "none.onnx", "left_out": ["A"]}]', "none.onnx.*not there"),
    ],
    ids=["broken", "shape", "missing_weights"],
)
def test_wrong_folds_are_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "folds.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=says):
        read_folds(path)


def test_report_shows_pictures_boxes_and_reasons_and_names_no_outside_address(folder: Path) -> None:
    out = folder / "report.html"
    result = CliRunner().invoke(
        cli(), ["evaluate", "smoke", "--manifest", str(folder / "smoke.csv"), "--report", str(out)]
    )
    assert result.exit_code == 0, result.output
    page = out.read_text(encoding="utf-8")
    assert re.findall(r"""(?:https?:)?//[\w.-]+""", re.sub(r"base64,[\w+/=]+", "", page)) == []
    assert 'class="box label"' in page
    assert 'class="box alarm" data-score="' in page
    assert all(words in page for words in ("kênh tối sáng lên", "dark channel rises", "đang học nền", "quiet"))
    assert page.count("data:image/jpeg;base64,") >= 18


def test_report_of_construction_pairs_is_headed_and_says_what_was_new(folder: Path) -> None:
    out = folder / "construction.html"
    result = CliRunner().invoke(
        cli(), ["evaluate", "construction", "--manifest", str(folder / "construction.csv"), "--report", str(out)]
    )
    assert result.exit_code == 0, result.output
    page = out.read_text(encoding="utf-8")
    assert all(words in page for words in ("Đánh giá phát hiện xây dựng", "có công trình mới", "new structure"))


def test_table_over_thresholds_is_in_the_answer_when_asked_for(folder: Path) -> None:
    out = folder / "with_table.json"
    result = CliRunner().invoke(
        cli(), ["evaluate", "smoke", "--manifest", str(folder / "smoke.csv"), "--out", str(out), "--table"]
    )
    assert result.exit_code == 0, result.output
    assert "median frames" in result.stdout
    rows = json.loads(out.read_text(encoding="utf-8"))["thresholds"]
    assert rows[0]["detected"] == 1
    assert rows[-1]["detected"] <= rows[0]["detected"]


def test_construction_watches_only_poses_with_zones() -> None:
    zone = Zone(zone_id="z", kind="residential", polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)))
    poses = {"p0": Pose(pose_id="p0", zones=(zone,)), "p1": Pose(pose_id="p1")}
    camera = Camera(camera_id="c", name_vi="c", poses=poses)
    assert [detector.name for detector in build_detectors(camera, "p0")] == ["smoke", "construction", "camera_health"]
    assert [detector.name for detector in build_detectors(camera, "p1")] == ["smoke", "camera_health"]
    assert [detector.name for detector in build_detectors(camera, "swept")] == ["smoke", "camera_health"]
    assert build_detectors(Camera(camera_id="c", name_vi="c", is_active=False, poses=poses), "p0") == ()


def test_given_reference_of_another_size_is_used() -> None:
    zone = Zone(zone_id="z", kind="residential", polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
    reference = np.ascontiguousarray(plume_and_building()[0])
    detector = ConstructionDetector((zone,), reference=reference)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    seen = [detector.observe(plume_and_building()[29], start + timedelta(minutes=i)) for i in range(8)]
    assert [one.candidates[0].tier if one.candidates else "" for one in seen][-1] == "alarm"
