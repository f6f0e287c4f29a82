"""Which stills an incident keeps, for how long, and what nobody may see."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from ioc.adapters.case_stills import CaseStill, CaseStills, Swept
from ioc.adapters.evidence import open_evidence
from ioc.adapters.recent_stills import RecentStills
from ioc.errors import InvalidRecord
from ioc.evidence.privacy import masked_jpeg
from ioc.evidence.recording import Recordings
from ioc.evidence.retention import Retention, Verdict
from ioc.frames import sha256_hex

START = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
POSE = "cam-01:p0"


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


# ---- which stills ----------------------------------------------------------------------------------------------------


def test_an_incident_wants_ten_minutes_before_it_and_ten_after_its_last_sight() -> None:
    recordings = Recordings()
    new = recordings.told(POSE, "i1", first_at=at(0), last_at=at(2))
    assert new is not None
    assert [minute for minute in (-11, -10, 0, 5, 12, 13) if new.wants(at(minute))] == [-10, 0, 5, 12]
    assert recordings.told(POSE, "i1", first_at=at(0), last_at=at(4)) is None, "news of a known one lengthens it"
    assert [recordings.taken(POSE, at(minute)) for minute in (3, 14, 15)] == [("i1",), ("i1",), ()]
    assert recordings.taken("cam-02:p0", at(3)) == ()


def test_after_ten_minutes_one_still_a_minute_is_enough() -> None:
    recordings = Recordings()
    recordings.told(POSE, "i1", first_at=at(0), last_at=at(60))
    kept = [second for second in range(0, 1200, 5) if recordings.taken(POSE, START + timedelta(seconds=second))]
    assert kept == [*range(0, 605, 5), *range(660, 1200, 60)]


def test_what_is_over_wants_nothing() -> None:
    recordings = Recordings()
    recordings.told(POSE, "i1", first_at=at(0), last_at=at(0))
    recordings.told(POSE, "i2", first_at=at(1), last_at=at(9))
    assert recordings.taken(POSE, at(8)) == ("i1", "i2")
    assert recordings.told(POSE, "i2", first_at=at(1), last_at=at(9), is_begun=False) is None, "a known one goes on"
    assert recordings.told(POSE, "i3", first_at=at(1), last_at=at(9), is_begun=False) is None
    assert recordings.taken(POSE, at(12)) == ("i2",)
    assert recordings.taken(POSE, at(40)) == ()


# ---- the last minutes ------------------------------------------------------------------------------------------------


def test_the_last_ten_minutes_are_at_hand_also_after_a_restart(tmp_path: Path) -> None:
    recent = RecentStills(tmp_path)
    for minute in range(15):
        assert recent.put(POSE, at(minute), b"%d" % minute)
    found = RecentStills(tmp_path).between(POSE, at(3), at(6))
    assert found == [(at(4), b"4"), (at(5), b"5"), (at(6), b"6")]
    again = RecentStills(tmp_path)
    again.put(POSE, at(20), b"20")
    assert [still for _, still in again.between(POSE, at(0), at(30))] == [b"10", b"11", b"12", b"13", b"14", b"20"]


@pytest.mark.parametrize("pose", ["cam-01:../../etc", "..:p", "a/b:c", "Đỉnh:góc 1", ":"])
def test_no_pose_leaves_its_folder(tmp_path: Path, pose: str) -> None:
    recent = RecentStills(tmp_path / "recent")
    assert recent.put(pose, at(0), b"x")
    assert recent.between(pose, at(0), at(0)) == [(at(0), b"x")]
    assert [path.parent.parent for path in tmp_path.rglob("*.jpg")] == [tmp_path / "recent"]


def test_a_disk_that_takes_nothing_is_told_once_and_stops_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "recent").write_text("a file where the folder should be")
    recent = RecentStills(tmp_path / "recent")
    assert not recent.put(POSE, at(0), b"x")
    assert not recent.put(POSE, at(1), b"x")
    assert recent.between(POSE, at(0), at(1)) == []
    assert len(caplog.records) == 1


# ---- cases -----------------------------------------------------------------------------------------------------------


def test_a_case_lists_its_stills_by_time_however_often_they_were_told() -> None:
    cases = CaseStills(open_evidence("memory:"))
    a, b = "a" * 64, "b" * 64
    for minute, sha256 in ((2, b), (1, a), (2, b)):
        cases.add("smoke-cam-01", at(minute), sha256)
    cases.add("other", at(0), a)
    assert cases.of("smoke-cam-01") == (CaseStill(at(1), a), CaseStill(at(2), b))
    assert cases.incidents() == ("other", "smoke-cam-01")


@pytest.mark.parametrize("incident_id", ["", "..", "a/b", "a" * 201, "x\n"])
def test_an_incident_of_no_such_name_reaches_no_object(incident_id: str) -> None:
    with pytest.raises(ValueError, match="no incident id"):
        CaseStills(open_evidence("memory:")).add(incident_id, at(0), "a" * 64)


def test_a_sweep_lets_go_what_is_over_and_what_belongs_to_nothing(tmp_path: Path) -> None:
    evidence = open_evidence(tmp_path)
    cases = CaseStills(evidence)
    stills = [b"kept", b"over", b"loose", b"of both"]
    for still in stills:
        evidence.put(still)
    kept, over, _, both = (sha256_hex(still) for still in stills)
    for incident_id, sha256 in (("new", kept), ("new", both), ("old", over), ("old", both)):
        cases.add(incident_id, at(0), sha256)
    soon = datetime.now(UTC)
    assert cases.sweep(["old"], now=soon, loose=timedelta(days=30)) == Swept(1, 0), "what was just stored stays"
    later = soon + timedelta(days=31)
    with_named = cases.sweep([], now=later, loose=timedelta(days=30), named={over}, is_dry=True)
    assert with_named == Swept(0, 1, len(b"loose")), "what an incident of on-call names stays"
    assert cases.sweep(["new"], now=later, loose=timedelta(days=30), is_dry=True).stills == 4
    assert cases.sweep([], now=later, loose=timedelta(days=30)) == Swept(0, 2, len(b"over") + len(b"loose"))
    assert [evidence.get(f"evidence://sha256/{sha256}") for sha256 in (kept, both)] == [b"kept", b"of both"]
    with pytest.raises(InvalidRecord, match="missing_evidence"):
        evidence.get(f"evidence://sha256/{over}")


@pytest.mark.parametrize(
    ("verdict", "days"), [("true_positive", 1825), ("other_smoke", 365), ("false_positive", 180), ("", 365)]
)
def test_a_verdict_says_how_long_pictures_are_kept(verdict: Verdict, days: int) -> None:
    assert Retention().keep_until(verdict, START) == START + timedelta(days=days)


# ---- private areas ---------------------------------------------------------------------------------------------------


def test_a_private_area_is_gone_from_the_still_and_the_rest_is_not() -> None:
    rng = np.random.default_rng(1)
    ok, data = cv2.imencode(".jpg", cv2.resize(rng.integers(0, 255, (9, 16, 3), np.uint8), (320, 180)))
    assert ok
    masked = masked_jpeg(data.tobytes(), [((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))])
    before, after = (cv2.imdecode(np.frombuffer(each, np.uint8), cv2.IMREAD_COLOR) for each in (data.tobytes(), masked))
    assert before is not None
    assert after is not None
    assert after[50:130, 85:235].std() < 3
    assert np.abs(after[:35].astype(int) - before[:35]).mean() < 3
    assert masked_jpeg(data.tobytes(), []) == data.tobytes()


def test_a_still_that_can_not_be_read_is_not_stored_unmasked() -> None:
    ok, data = cv2.imencode(".jpg", np.zeros((180, 320, 3), np.uint8))
    assert ok
    whole = data.tobytes()
    for broken in (b"\xff\xd8\xff no picture", whole[: len(whole) // 2], b""):
        with pytest.raises(InvalidRecord):
            masked_jpeg(broken, [((0, 0), (1, 0), (1, 1))])
