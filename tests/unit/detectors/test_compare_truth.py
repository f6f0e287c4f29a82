"""What people know of alerts, and which of the kept stills can be compared on."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from detectors.evaluation.comparing import Alert
from detectors.manifest import LabelledFrame, LabelledSequence
from ioc.adapters.case_stills import CaseStills
from ioc.adapters.evidence import open_evidence
from ioc.adapters.recent_stills import pose_folder
from ioc.cli.compare_frames import case_stills, folder_stills, of_cases, of_folder
from ioc.cli.compare_truth import Truth, by_labels, by_verdicts
from ioc.detections import Box
from ioc.incidents import Incident, Sighting

AT = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
BOX, ELSEWHERE = Box(0.3, 0.5, 0.1, 0.1), Box(0.8, 0.5, 0.1, 0.1)


def alert(pose: str = "cam-01:p0", box: Box = BOX, minutes: float = 0) -> Alert:
    at = AT + timedelta(minutes=minutes)
    return Alert(
        pose=pose, outcome="lost", began_at=at, live_at=at, shadow_at=None, box=box, score=0.7, frame="one.jpg"
    )  # fmt: skip


def incident(incident_id: str = "i1", pose_id: str = "p0", sightings: tuple[Sighting, ...] = ()) -> Incident:
    return Incident(
        incident_id=incident_id, kind="smoke", state="open", severity="critical", revision=1, camera_id="cam-01",
        pose_id=pose_id, admin_unit="", place_vi="", place_en="", lon=None, lat=None, azimuth_deg=None, box=BOX,
        first_frame_at=AT, opened_at=AT, last_seen_at=AT, peak_score=0.9, detections=2, evidence="",
        evidence_sha256="", runbook="/runbooks/smoke", sightings=sightings,
    )  # fmt: skip


def sighting(camera_id: str, box: Box = ELSEWHERE) -> Sighting:
    return Sighting(
        camera_id=camera_id, pose_id="p1", azimuth_deg=None, azimuth_sd_deg=None, box=box, first_frame_at=AT,
        last_seen_at=AT, peak_score=0.8, evidence="", evidence_sha256="",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("of", "verdicts", "truth"),
    [
        (alert(), {"i1": "true_positive"}, "real"),
        (alert(), {"i1": "false_positive"}, "false"),
        (alert(), {"i1": "other_smoke"}, "other"),
        (alert(), {"i1": "unsure"}, "unknown"),
        (alert(), {}, "unknown"),
        (alert(box=ELSEWHERE), {"i1": "true_positive"}, "unknown"),
        (alert(pose="cam-02:p0"), {"i1": "true_positive"}, "unknown"),
        (alert(pose="cam-02:p1", box=ELSEWHERE), {"i1": "true_positive"}, "real"),
        (alert(minutes=29), {"i1": "true_positive"}, "real"),
        (alert(minutes=-31), {"i1": "true_positive"}, "unknown"),
    ],
)
def test_a_verdict_counts_for_alerts_at_its_place_and_time_on_every_pose_that_saw_it(
    of: Alert, verdicts: Mapping[str, str], truth: Truth
) -> None:
    assert by_verdicts([incident(sightings=(sighting("cam-02"),))], verdicts, "smoke")(of) == truth


@pytest.mark.parametrize(
    ("label", "boxes", "truth"),
    [("smoke", (BOX,), "real"), ("smoke", (ELSEWHERE,), "false"), ("smoke", (), "real"), ("none", (), "false")],
)
def test_a_label_counts_for_alerts_that_overlap_it(label: str, boxes: tuple[Box, ...], truth: Truth) -> None:
    frame = LabelledFrame(path=Path("one.jpg"), label=label, number=0, boxes=boxes, interval_s=60)
    sequence = LabelledSequence(name="cam-01:p0", site="", frames=(frame,))
    assert by_labels([sequence], "smoke")(alert()) == truth


def test_stills_of_a_pose_come_once_in_order_and_incidents_of_several_poses_are_left_out() -> None:
    evidence = open_evidence("memory:")
    cases = CaseStills(evidence)
    pictures = [b"\xff\xd8 one", b"\xff\xd8 two", b"\xff\xd8 three"]
    for minute, jpeg in enumerate(pictures):
        digest = evidence.put(jpeg).rsplit("/", 1)[-1]
        for incident_id in ("i1", "i2", "joined"):
            cases.add(incident_id, AT + timedelta(minutes=minute), digest)
    cases.add("i2", AT - timedelta(minutes=1), "0" * 64)
    joined = incident("joined", sightings=(sighting("cam-02"),))
    found = of_cases([incident("i1"), incident("i2"), joined, incident("no stills", "p9")], cases)
    assert [pose for pose, _ in found] == ["cam-01:p0"]
    stills = list(case_stills(found, evidence))
    assert [still.jpeg for still in stills] == [None, *pictures], "the first is gone from the store"


def test_a_folder_is_a_pose_and_a_name_without_a_time_is_the_next_after_a_while(tmp_path: Path) -> None:
    for name in (
        "a/frame-10.jpg",
        "a/frame-9.JPG",
        "a/notes.txt",
        f"{pose_folder('cam-01:p0')}/20261122T010000_500.jpg",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode())
    stills = list(folder_stills(of_folder(tmp_path, ["cam-01:p0"]), every_s=5))
    assert [(still.pose, Path(still.name).name) for still in stills] == [
        ("a", "frame-9.JPG"), ("a", "frame-10.jpg"), ("cam-01:p0", "20261122T010000_500.jpg")
    ]  # fmt: skip
    assert stills[1].at - stills[0].at == timedelta(seconds=5)
    assert stills[2].at == AT + timedelta(seconds=0.5)
