"""Coverage: which minutes count, which do not, and why."""

from datetime import UTC, datetime, timedelta

from ioc.camera_coverage import CoverageLedger
from ioc.catalog.cameras import Camera, Pose

START = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
CAMERAS = {
    "cam-0": Camera(camera_id="cam-0", name_vi="0", poses={"p0": Pose(pose_id="p0")}),
    "cam-1": Camera(camera_id="cam-1", name_vi="1", poses={"p0": Pose(pose_id="p0"), "p1": Pose(pose_id="p1")}),
    "cam-2": Camera(camera_id="cam-2", name_vi="2", is_active=False, poses={}),
}


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def look(ledger: CoverageLedger, camera: str, minute: float, *, pose: str = "p0", **said: str) -> None:
    health = {"state": "ok", "note": ""} | {k[7:]: v for k, v in said.items() if k.startswith("health_")}
    smoke = {"state": "ok", "note": ""} | {k: v for k, v in said.items() if not k.startswith("health_")}
    ledger.looked(f"{camera}:{pose}", "smoke", **smoke, at=at(minute))
    ledger.looked(f"{camera}:{pose}", "camera_health", **health, at=at(minute))


def test_every_expected_minute_counts_also_of_a_camera_that_was_never_heard() -> None:
    ledger = CoverageLedger(CAMERAS, START)
    for minute in range(10):
        look(ledger, "cam-0", minute + 0.2)
        ledger.close_minutes(at(minute + 1))
    shares = ledger.shares()
    assert {key: share.ratio for key, share in shares.items() if key[1] == "smoke"} == {
        ("cam-0", "smoke"): 1.0,
        ("cam-1", "smoke"): 0.0,
    }
    assert shares["cam-1", "smoke"].expected == 20
    assert ledger.uncovered()["cam-1", "smoke", "offline"] == 20
    assert ledger.expected()["cam-1", "smoke"] == 20


def test_what_a_detector_could_not_see_does_not_count_and_says_why() -> None:
    ledger = CoverageLedger(CAMERAS, START)
    said = [
        {},
        {"health_state": "suspended", "health_note": "covered"},
        {"health_state": "degraded", "health_note": "darkness", "state": "degraded", "note": "darkness"},
        {"state": "suspended", "note": "exposure_jump"},
        {"state": "warming_up", "note": "warming_up"},
    ]
    for minute, each in enumerate(said):
        look(ledger, "cam-0", minute + 0.5, **each)
        ledger.close_minutes(at(minute + 1))
    assert ledger.shares()["cam-0", "smoke"].analysed == 1
    assert {key[2]: count for key, count in ledger.uncovered().items() if key[:2] == ("cam-0", "smoke")} == {
        "camera_fault": 1,
        "darkness": 1,
        "suspended": 1,
        "warming_up": 1,
    }


def test_a_camera_that_falls_silent_stops_counting_and_comes_back() -> None:
    ledger = CoverageLedger(CAMERAS, START)
    for minute in range(30):
        if not 10 <= minute < 20:
            look(ledger, "cam-0", minute + 0.5)
        ledger.close_minutes(at(minute + 1))
    assert 18 <= ledger.shares()["cam-0", "smoke"].analysed <= 21
    assert 9 <= ledger.uncovered()["cam-0", "smoke", "offline"] <= 12


def test_frames_that_gave_way_are_told_as_skipped() -> None:
    ledger = CoverageLedger(CAMERAS, START)
    look(ledger, "cam-0", 0.5)
    for minute in range(1, 8):
        ledger.skipped("cam-0:p0", at(minute + 0.5))
        ledger.close_minutes(at(minute + 1))
    assert ledger.uncovered()["cam-0", "smoke", "skipped"] >= 4


def test_a_tour_of_presets_counts_by_its_own_rhythm() -> None:
    ledger = CoverageLedger(CAMERAS, START)
    for minute in range(60):
        if minute % 5 == 0:
            look(ledger, "cam-1", minute + 0.1, pose="p0")
            look(ledger, "cam-1", minute + 0.1, pose="p1")
        ledger.close_minutes(at(minute + 1))
    assert ledger.shares()["cam-1", "smoke"].ratio > 0.9


def test_a_worker_that_stood_still_counts_the_minutes_it_missed() -> None:
    ledger = CoverageLedger(CAMERAS, START)
    ledger.close_minutes(at(200))
    assert ledger.shares()["cam-0", "smoke"].expected == 60
    assert ledger.uncovered()["cam-0", "smoke", "offline"] == 200


def spans_of(
    ledger: CoverageLedger, camera: str = "cam-0", detector: str = "smoke"
) -> list[tuple[str, int, dict[str, int]]]:
    return [
        (f"{span.begins_at:%H:%M}", span.analysed, dict(span.reasons))
        for span in ledger.take_ended()
        if span.key == (camera, "p0", detector)
    ]


def test_a_span_says_how_many_of_its_minutes_were_looked_at_and_why_not_the_others() -> None:
    ledger = CoverageLedger(CAMERAS, START)
    said: dict[int, dict[str, str]] = {
        1: {"state": "suspended", "note": "x"},
        2: {"state": "degraded", "note": "darkness"},
    }
    for minute in range(10):
        look(ledger, "cam-0", minute + 0.5, **said.get(minute, {}))
        ledger.close_minutes(at(minute + 1))
    assert spans_of(ledger) == [("01:00", 3, {"suspended": 1, "darkness": 1}), ("01:05", 5, {})]
    assert ledger.take_ended() == []


def test_minutes_before_the_start_of_a_worker_are_expected_and_nobody_looked() -> None:
    ledger = CoverageLedger(CAMERAS, at(2.4))
    for minute in (2.5, 3.5, 4.5, 5.5):
        look(ledger, "cam-0", minute)
        ledger.close_minutes(at(minute + 0.9))
    assert spans_of(ledger) == [("01:00", 3, {"not_running": 2})]


def test_only_poses_whose_frames_come_to_this_worker_are_counted() -> None:
    ledger = CoverageLedger(CAMERAS, START)
    ledger.close_minutes(at(3))
    ledger.close_minutes(at(12), lambda pose: pose == "cam-1:p1")
    assert {span.key[:2] for span in ledger.take_ended()} == {("cam-1", "p1")}
    assert ledger.shares()["cam-0", "smoke"].expected == 0
    assert ledger.shares()["cam-1", "smoke"].expected == 12


def test_minutes_that_nobody_took_are_told_span_by_span_as_short_as_asked() -> None:
    ledger = CoverageLedger(CAMERAS, START, span_minutes=1)
    ledger.close_minutes(at(3.9))
    assert [(begins, analysed) for begins, analysed, _ in spans_of(ledger)] == [
        ("01:00", 0),
        ("01:01", 0),
        ("01:02", 0),
    ]
