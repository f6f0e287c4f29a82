"""What a case holds: the stills before an incident, its own, those after it; whatever the disk does."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from ioc.adapters.case_stills import CaseStills
from ioc.adapters.evidence import EvidenceStore, evidence_reference, open_evidence
from ioc.adapters.recent_stills import RecentStills
from ioc.detections import Box
from ioc.errors import TransientError
from ioc.evidence.recording import AT_HAND
from ioc.frames import sha256_hex
from ioc.incidents import Incident, Sighting
from streams.case_keeping import CaseKeeper
from streams.case_metrics import CaseMetrics

START = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
POSE, OTHER = "cam-01:p0", "cam-02:p1"
BOX = Box(0.5, 0.5, 0.1, 0.1)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def still_of(pose: str, minutes: float) -> bytes:
    return f"{pose} at {minutes:g}".encode()


def an_incident(**changes: Any) -> Incident:
    """Smoke that cam-01 saw from minute 0 to minute 2."""
    fields: dict[str, Any] = dict.fromkeys(
        ("admin_unit", "place_vi", "place_en", "evidence", "evidence_sha256", "runbook"), ""
    )
    fields |= {"incident_id": "smoke-1", "kind": "smoke", "state": "open", "severity": "critical", "revision": 1}
    fields |= {"camera_id": "cam-01", "pose_id": "p0", "lon": None, "lat": None, "azimuth_deg": None, "box": BOX}
    fields |= {"first_frame_at": at(0), "opened_at": at(1), "last_seen_at": at(2), "peak_score": 0.9, "detections": 3}
    return Incident(**fields | changes)


class FailingStore(EvidenceStore):
    """A store that is away while `is_away`."""

    is_away = False

    def put(self, jpeg: bytes) -> str:
        if self.is_away:
            raise TransientError("the store is away")
        return super().put(jpeg)


class SlowStore(EvidenceStore):
    """A store that keeps nothing until it is let go."""

    def __init__(self, store: EvidenceStore) -> None:
        super().__init__(store.objects)
        self.is_free = threading.Event()

    def put(self, jpeg: bytes) -> str:
        assert self.is_free.wait(30)
        return super().put(jpeg)


class Kept:
    """A keeper over a store in memory, and what it kept."""

    def __init__(self, folder: Path, evidence: EvidenceStore | None = None) -> None:
        self.evidence = evidence or open_evidence("memory:")
        self.registry = CollectorRegistry()
        metrics = CaseMetrics(self.registry)
        self.keeper = CaseKeeper(evidence=self.evidence, recent=RecentStills(folder, keep=AT_HAND), metrics=metrics)

    def show(self, pose: str, *minutes: float) -> None:
        for minute in minutes:
            self.keeper.still(pose, at(minute), still_of(pose, minute))

    def of(self, incident_id: str = "smoke-1") -> list[tuple[float, bytes]]:
        """(minute, still), by time; every one of them is in the store."""
        self.keeper.settle(30)
        return [
            ((still.at - START) / timedelta(minutes=1), self.evidence.get(evidence_reference(still.sha256)))
            for still in CaseStills(self.evidence).of(incident_id)
        ]

    def minutes(self, incident_id: str = "smoke-1") -> list[float]:
        return [minute for minute, _ in self.of(incident_id)]

    def lost(self, where: str) -> float:
        return self.registry.get_sample_value("ioc_case_stills_lost_total", {"where": where}) or 0


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_a_case_holds_the_stills_before_an_incident_and_those_after_it(kept: Kept) -> None:
    kept.show(POSE, -10.5, -10, -5, 0, 1)
    kept.show(OTHER, -5, 0)
    kept.keeper.told(an_incident(last_seen_at=at(1)))
    kept.show(POSE, 2, 10, 11, 11.5)
    kept.show(OTHER, 2)
    assert kept.of() == [(minute, still_of(POSE, minute)) for minute in (-10, -5, 0, 1, 2, 10, 11)]


def test_a_pose_that_joins_later_brings_its_own_minutes_before(kept: Kept) -> None:
    kept.show(POSE, 0)
    kept.show(OTHER, -8, 0, 3)
    kept.keeper.told(an_incident())
    sighting = Sighting(
        camera_id="cam-02", pose_id="p1", azimuth_deg=None, azimuth_sd_deg=None, box=BOX, first_frame_at=at(3),
        last_seen_at=at(4), peak_score=0.8, evidence="", evidence_sha256="",
    )  # fmt: skip
    kept.keeper.told(an_incident(sightings=(sighting,)))
    kept.show(OTHER, 5)
    expected = [(0, OTHER), (0, POSE), (3, OTHER), (5, OTHER)]  # minute -8 is too long before
    assert sorted(kept.of()) == sorted((minute, still_of(pose, minute)) for minute, pose in expected)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        pytest.param(("candidate",), [0, 5], id="nobody was called yet"),
        pytest.param(("open", "resolved"), [0, 5], id="over: recorded to its end"),
        pytest.param(("resolved",), [], id="over before we heard of it"),
        pytest.param(("dismissed",), [], id="dismissed before we heard of it"),
    ],
)
def test_only_what_lives_begins_a_case(kept: Kept, states: tuple[Any, ...], expected: list[float]) -> None:
    kept.show(POSE, 0)
    for state in states:
        kept.keeper.told(an_incident(state=state))
    kept.show(POSE, 5, 13)
    assert kept.minutes() == expected


def test_the_still_of_the_alarm_is_in_the_case_once_wherever_it_was_seen(kept: Kept) -> None:
    own = still_of(POSE, 1)
    kept.show(POSE, 1)
    kept.keeper.told(an_incident(evidence_sha256=sha256_hex(own)))
    assert kept.minutes() == [1]
    elsewhere = b"of another worker's camera"
    kept.evidence.put(elsewhere)
    for _ in range(2):
        kept.keeper.told(an_incident(incident_id="smoke-2", camera_id="cam-07", evidence_sha256=sha256_hex(elsewhere)))
    assert kept.of("smoke-2") == [(1, elsewhere)]


def test_a_restart_goes_on_with_the_stills_that_lie_there(tmp_path: Path, kept: Kept) -> None:
    kept.show(POSE, -2, 0, 1)
    again = Kept(tmp_path, kept.evidence)
    again.keeper.told(an_incident())
    again.keeper.told(an_incident())
    again.show(POSE, 3)
    assert again.minutes() == [-2, 0, 1, 3]


def test_a_store_that_is_away_costs_stills_and_is_told_once_and_the_next_news_bring_what_is_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = FailingStore(open_evidence("memory:").objects)
    kept = Kept(tmp_path, store)
    kept.show(POSE, -1, 0)
    store.is_away = True
    kept.keeper.told(an_incident())
    kept.show(POSE, 1, 2)
    assert kept.minutes() == []
    assert kept.lost("case") == 1
    store.is_away = False
    kept.keeper.told(an_incident(revision=2))
    kept.show(POSE, 3)
    assert kept.minutes() == [-1, 0, 1, 2, 3]
    assert len(caplog.records) == 1


def test_a_store_that_hangs_holds_no_detector_and_what_does_not_fit_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.case_keeping._MOST_WAITING", 3)
    store = SlowStore(open_evidence("memory:"))
    kept = Kept(tmp_path, store)
    kept.keeper.told(an_incident())
    kept.show(POSE, 3, 4, 5, 6, 7)
    assert kept.lost("case") == 2
    store.is_free.set()
    assert kept.minutes() == [3, 4, 5]


def test_a_disk_without_room_for_recent_stills_costs_only_those(tmp_path: Path) -> None:
    (tmp_path / "recent").write_text("a file where the folder should be")
    kept = Kept(tmp_path / "recent")
    kept.show(POSE, -1)
    kept.keeper.told(an_incident())
    kept.show(POSE, 1)
    assert kept.minutes() == [1]
    assert kept.lost("recent") == 2


def test_poses_and_news_from_many_threads_lose_no_still(kept: Kept) -> None:
    poses = [f"cam-{number:02}:p0" for number in range(6)]

    def show(pose: str) -> Callable[[], None]:
        return lambda: kept.show(pose, *range(10))

    def tell(camera_id: str) -> Callable[[], None]:
        return lambda: kept.keeper.told(an_incident(incident_id=camera_id, camera_id=camera_id))

    with ThreadPoolExecutor(8) as pool:
        work = [one for pose in poses for one in (show(pose), tell(pose.split(":")[0]))]
        for done in [pool.submit(one) for one in work]:
            done.result(30)
    for pose in poses:
        assert kept.minutes(pose.split(":")[0]) == list(range(10)), pose
