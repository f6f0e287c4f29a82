"""A shard of incidents: told once, the same after a restart, and no detection stops it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry

from ioc.canary import ANSWERS_TOPIC, Answer, answer_of
from ioc.catalog import Catalog
from ioc.catalog.cameras import Camera, Pose
from ioc.cloudevents import encode_json
from ioc.dead_letters import DEAD_LETTERS_TOPIC
from ioc.detections import DETECTION_TYPE, DETECTIONS_TOPIC, Box, Detection
from ioc.incident_book import IncidentBook
from ioc.incidents import INCIDENTS_TOPIC, KINDS, REPUBLISH, Incident
from ioc.permits import Permit
from streams.batch_topics import Batch
from streams.case_tables import CaseTables
from streams.detections_to_incidents import IncidentShard, place_of
from streams.metrics import PipelineMetrics
from streams.row_stores import MemoryRows
from streams.shard_log import Outgoing, Restored
from tests.unit.domain.making import NOW, NOW_US, catalog
from tests.unit.places.scenery import CAMERAS, FIRE, OTHER_FIRE, smoke, view

ZONE, PARCEL = "cam-02-plot-1", "24778-0012-0345"


def detection(minute: float = 0, **changes: Any) -> Detection:
    """Smoke before cam-01, `minute` minutes after an hour ago."""
    at = NOW - timedelta(minutes=60 - minute)
    first = Detection(
        detection_id=f"d{minute}",
        camera_id="cam-01",
        pose_id="p0",
        label="smoke",
        tier="watch",
        score=0.5,
        box=Box(0.5, 0.4, 0.1, 0.1),
        frame_at=at,
        frame_sha256="ab" * 32,
        frame_ref="evidence://sha256/" + "ab" * 32,
        detector="smoke",
        detector_version="1.0.0",
        first_seen_at=at,
        persisted_s=0.0,
    )
    return replace(first, **changes)


def building(minute: float = 0, **changes: Any) -> Detection:
    of_building = {"label": "construction", "camera_id": "cam-02", "zone_id": ZONE, "detector": "construction"}
    return detection(minute, **of_building | changes)


@dataclass(frozen=True, slots=True)
class Record:
    offset: int
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    key: bytes | None = b"cam-01:p0"


def record(offset: int, found: Detection) -> Record:
    value, headers = encode_json(
        found.as_json(),
        event_id=found.detection_id,
        event_type=DETECTION_TYPE,
        source="/lam-dong/camera/detectors",
        at=found.frame_at,
    )
    return Record(offset, value, headers)


def raw(offset: int, value: bytes | None, ce_type: str = DETECTION_TYPE) -> Record:
    return Record(offset, value, (("ce_type", ce_type.encode()),))


def with_permit(**changes: Any) -> Catalog:
    permit = Permit(
        permit_id="GPXD-1", parcel_id=PARCEL, valid_from=date(2026, 1, 1), valid_to=date(2026, 12, 31), status="valid"
    )
    return replace(catalog(), permits=(replace(permit, **changes),))


@dataclass
class Disk:
    """What Kafka holds of one partition after each transaction."""

    known: Catalog = field(default_factory=catalog)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    rows: dict[bytes, bytes] = field(default_factory=dict)
    marker: bytes | None = None
    others: list[Outgoing] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.metrics = PipelineMetrics(self.registry)
        self.tables = CaseTables(self.known, clock=lambda: NOW, metrics=self.metrics)
        self.tables.caught_up()
        self.shard = self.reopened()

    def reopened(self) -> IncidentShard:
        """A shard of another worker, restored from what is durable."""
        self.shard = IncidentShard(3, catalog=self.known, metrics=self.metrics, tables=self.tables)
        self.shard.restore(
            Restored(rows=MemoryRows({key.decode(): data for key, data in self.rows.items()}), marker=self.marker),
            NOW_US,
        )
        return self.shard

    def take(self, *records: Record) -> None:
        self.shard.take(Batch(DETECTIONS_TOPIC, 3, records), NOW_US)

    def write(self) -> list[Outgoing]:
        """One transaction; returns what it sent to other topics."""
        write = self.shard.prepare(NOW_US)
        if write is None:
            return []
        self.rows.update({key: value for key, value in write.rows.items() if value is not None})
        self.marker = write.marker
        self.others += write.others
        self.shard.committed(write)
        return write.others

    def see(self, *records: Record) -> list[Incident]:
        """Takes and writes; returns the incidents told by it."""
        self.take(*records)
        return [
            Incident.from_json(orjson.loads(other.value or b""))
            for other in self.write()
            if other.topic == INCIDENTS_TOPIC
        ]

    def letters(self) -> list[dict[str, Any]]:
        return [orjson.loads(other.value or b"") for other in self.others if other.topic == DEAD_LETTERS_TOPIC]

    def counted(self, kind: str, state: str) -> float:
        return self.registry.get_sample_value("ioc_incidents_total", {"kind": kind, "state": state}) or 0


# ---- told once -------------------------------------------------------------------------------------------------------


def test_a_candidate_is_told_once_and_opens_once() -> None:
    disk = Disk()
    (candidate,) = disk.see(record(0, detection(0)))
    assert (candidate.state, candidate.revision, candidate.opened_at) == ("candidate", 1, None)
    assert disk.see(record(1, detection(1))) == []
    (opened,) = disk.see(record(2, detection(2, tier="alarm", score=0.8)))
    assert (opened.incident_id, opened.state, opened.revision) == (candidate.incident_id, "open", 2)
    assert (opened.severity, opened.detections, opened.peak_score) == ("critical", 3, 0.8)
    assert disk.see(record(3, detection(3, tier="alarm")), record(4, detection(4, tier="alarm"))) == []
    assert (disk.counted("smoke", "candidate"), disk.counted("smoke", "open")) == (1, 1)


def test_an_incident_says_where_and_what_to_do_and_shows_the_frame_that_opened_it() -> None:
    (incident,) = Disk().see(record(0, detection(0, tier="alarm", azimuth_deg=310.0)))
    assert incident.place_vi == "Đỉnh Lang Biang, Phường Lang Biang - Đà Lạt"
    assert (incident.lon, incident.lat, incident.azimuth_deg) == (108.4309, 12.0137, 310.0)
    assert incident.runbook == "/runbooks/smoke"
    assert incident.evidence == "evidence://sha256/" + "ab" * 32


def test_the_record_of_an_incident_is_keyed_by_it_and_its_id_names_the_revision() -> None:
    disk = Disk()
    disk.take(record(0, detection(0)), record(1, detection(1, tier="alarm")))
    sent = [other for other in disk.write() if other.topic == INCIDENTS_TOPIC]
    ids = [dict(other.headers)["ce_id"].decode() for other in sent]
    assert [identity.rpartition("/")[2] for identity in ids] == ["1", "2"]
    assert {other.key for other in sent} == {ids[0].rpartition("/")[0].encode()}


def test_an_open_incident_is_told_again_only_every_few_minutes() -> None:
    disk = Disk()
    minutes = REPUBLISH.total_seconds() / 60
    told = [i for n in range(12) for i in disk.see(record(n, detection(n, tier="alarm")))]
    assert [incident.revision for incident in told] == [1, 2, 3]
    assert [incident.last_seen_at for incident in told] == [detection(n * minutes).frame_at for n in range(3)]


def test_another_place_of_the_picture_another_pose_and_another_camera_are_other_incidents() -> None:
    disk = Disk()
    told = disk.see(
        record(0, detection(0)),
        record(1, detection(0, detection_id="a", box=Box(0.1, 0.4, 0.1, 0.1))),
        record(2, detection(0, detection_id="b", pose_id="p1")),
        record(3, detection(0, detection_id="c", camera_id="cam-03")),
    )
    assert len({incident.incident_id for incident in told}) == 4
    assert set(disk.rows) == {b"cam-01:p0", b"cam-01:p1", b"cam-03:p0"}


def test_after_the_quiet_time_the_next_sight_is_another_incident() -> None:
    disk = Disk()
    quiet = KINDS["smoke"].quiet
    (first,) = disk.see(record(0, detection(0)))
    (second,) = disk.see(record(1, detection(1 + quiet.total_seconds() / 60)))
    assert first.incident_id != second.incident_id


# ---- permits ---------------------------------------------------------------------------------------------------------


def test_a_building_without_permit_is_an_incident_with_its_rule() -> None:
    (incident,) = Disk().see(record(0, building(tier="alarm")))
    assert (incident.kind, incident.state, incident.permit_rule) == ("construction", "open", "no_permit")
    assert incident.zone_id == ZONE


def test_a_building_with_a_valid_permit_is_none_and_is_counted() -> None:
    disk = Disk(with_permit())
    assert disk.see(record(0, building(tier="alarm"))) == []
    assert disk.rows == {}
    labels = {"detector": "construction", "reason": "permit_valid"}
    assert disk.registry.get_sample_value("ioc_detections_rejected_total", labels) == 1


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"status": "revoked"}, "permit_revoked"),
        ({"status": "suspended"}, "permit_suspended"),
        ({"valid_to": date(2026, 11, 21)}, "outside_dates"),
        ({"parcel_id": "another"}, "no_permit"),
    ],
    ids=["revoked", "suspended", "expired yesterday", "of another parcel"],
)
def test_a_permit_that_does_not_cover_the_work_is_named(changes: dict[str, Any], rule: str) -> None:
    (incident,) = Disk(with_permit(**changes)).see(record(0, building(tier="alarm")))
    assert incident.permit_rule == rule
    assert incident.permit_id == ("" if rule == "no_permit" else "GPXD-1")


# ---- restarts and redeliveries ---------------------------------------------------------------------------------------


def test_a_restart_gives_the_same_incidents_and_tells_none_of_them_again() -> None:
    stream = [record(n, detection(n, tier="alarm" if n > 3 else "watch")) for n in range(14)]
    undisturbed = Disk()
    told = [incident for one in stream for incident in undisturbed.see(one)]
    for dies_after in range(len(stream)):
        disk = Disk()
        found = [incident for one in stream[: dies_after + 1] for incident in disk.see(one)]
        disk.reopened()
        assert disk.write() == []
        found += disk.see(*stream)  # Faust's commit was lost: everything comes again
        assert found == told, f"died after {dies_after}"
        assert disk.rows == undisturbed.rows


def test_a_house_that_grew_while_the_background_was_learnt_anew_is_still_one_incident() -> None:
    """After a restart the detector sees only what is newer than its new reference: here the next storey, same plot.

    The boxes are those of the simulated house with the frames role restarted at frame 16.
    """
    disk = Disk()
    (first,) = disk.see(record(0, building(15, tier="alarm", box=Box.from_edges(0.536, 0.756, 0.611, 0.800))))
    later = building(26, tier="alarm", box=Box.from_edges(0.500, 0.643, 0.612, 0.687))
    assert {incident.incident_id for incident in disk.see(record(1, later))} <= {first.incident_id}


def test_what_was_not_written_is_told_by_the_next_owner_and_only_by_it() -> None:
    disk = Disk()
    disk.take(record(0, detection(0)))  # and dies here
    disk.reopened()
    assert [incident.revision for incident in disk.see(record(0, detection(0)))] == [1]


def test_offsets_pass_also_over_batches_that_told_nothing() -> None:
    disk = Disk(with_permit())
    disk.see(record(0, building()), record(5, building(1)))
    assert disk.reopened().next_offset(DETECTIONS_TOPIC) == 6
    disk.see(record(5, building(1)))
    assert disk.shard.next_offset(DETECTIONS_TOPIC) == 6


def test_nothing_new_is_no_write() -> None:
    disk = Disk()
    assert disk.shard.prepare(NOW_US) is None
    disk.see(record(0, detection(0)))
    assert disk.shard.prepare(NOW_US) is None


def test_the_same_detection_again_changes_nothing() -> None:
    disk = Disk()
    disk.see(record(0, detection(0)))
    before = dict(disk.rows)
    assert disk.see(record(1, detection(0))) == []
    assert disk.rows == before


# ---- several cameras -------------------------------------------------------------------------------------------------


def valley() -> Catalog:
    """The starting catalogue with three cameras round one valley."""
    cameras = {
        name: Camera(
            camera_id=name,
            name_vi=name,
            lon=lon,
            lat=lat,
            poses={
                "p0": Pose(pose_id="p0", azimuth_deg=view(name).azimuth_deg, fov_deg=90.0, azimuth_sd_deg=0.5),
            },
        )
        for name, (lon, lat) in CAMERAS.items()
    }
    return replace(catalog(), cameras=cameras)


def test_one_fire_that_three_cameras_see_is_one_incident_whenever_the_worker_restarts() -> None:
    fires = [smoke("cam-a", FIRE), smoke("cam-b", FIRE, 1, tier="watch"), smoke("cam-b", FIRE, 2)]
    fires += [smoke("cam-c", FIRE, 3), smoke("cam-a", OTHER_FIRE, 12), smoke("cam-b", OTHER_FIRE, 13)]
    stream = [record(offset, found) for offset, found in enumerate(fires)]
    undisturbed = Disk(valley())
    told = [incident for one in stream for incident in undisturbed.see(one)]
    standing = {incident.incident_id: incident for incident in told if incident.state != "candidate"}
    assert sorted(len(i.sightings) for i in standing.values() if i.state == "open") == [2, 3]
    assert [i.joined_into for i in standing.values() if i.state == "resolved"] == [told[0].incident_id]
    assert all(i.located_by == "crossing" for i in standing.values() if i.state == "open")
    for dies_after in range(len(stream)):
        disk = Disk(valley())
        found = [incident for one in stream[: dies_after + 1] for incident in disk.see(one)]
        disk.reopened()
        found += disk.see(*stream)
        assert found == told, f"died after {dies_after}"
        assert disk.rows == undisturbed.rows


def test_rows_of_before_the_joining_are_read() -> None:
    disk = Disk()
    (opened,) = disk.see(record(0, detection(0, tier="alarm")))
    at = detection(0).frame_at.isoformat()
    disk.rows[b"cam-01:p0"] = orjson.dumps([[opened.as_json(), at, [0.5, 0.4, 0.1, 0.1]]])
    disk.reopened()
    (again,) = disk.see(record(1, detection(6, tier="alarm")))
    assert (again.incident_id, again.revision) == (opened.incident_id, 2)


# ---- bad detections --------------------------------------------------------------------------------------------------


def changed(**changes: Any) -> bytes:
    return orjson.dumps(detection(9).as_json() | changes)


def without(name: str) -> bytes:
    return orjson.dumps({key: value for key, value in detection(9).as_json().items() if key != name})


BAD: list[tuple[str, Record, str]] = [
    ("no JSON", raw(1, b"{"), "bad_json"),
    ("no value", raw(1, None), "bad_json"),
    ("a list", raw(1, b"[]"), "bad_json"),
    ("another type", raw(1, changed(), "vn.ioc.camera.frame.v1"), "unknown_type"),
    ("no type", Record(1, changed(), ()), "unknown_type"),
    ("no box", raw(1, without("bbox")), "wrong_type"),
    ("a box of three numbers", raw(1, changed(bbox=[0, 0, 1])), "wrong_type"),
    ("a box of words", raw(1, changed(bbox=["a", "b", "c", "d"])), "wrong_type"),
    ("a box of nothing", raw(1, changed(bbox=[None, None, None, None])), "wrong_type"),
    ("cues that are a number", raw(1, changed(cues=3)), "wrong_type"),
    ("no time", raw(1, without("frame_at")), "wrong_type"),
    ("a time that is none", raw(1, changed(frame_at="yesterday")), "wrong_type"),
    ("a time without offset", raw(1, changed(frame_at="2026-11-22T07:09:00")), "wrong_type"),
    ("a first sight without offset", raw(1, changed(first_seen_at="2026-11-22T07:09:00")), "wrong_type"),
    ("a score that is a word", raw(1, changed(score="high")), "wrong_type"),
    ("no score", raw(1, changed(score=None)), "wrong_type"),
    ("a camera that is a list", raw(1, changed(camera_id=["cam-01"])), "wrong_type"),
    ("a camera that is a number", raw(1, changed(camera_id=1)), "wrong_type"),
    ("a label that is a list", raw(1, changed(label=["smoke"])), "wrong_type"),
    ("no pose", raw(1, changed(pose_id=None)), "wrong_type"),
    ("no detection id", raw(1, changed(detection_id=None)), "wrong_type"),
    ("a tier of its own", raw(1, changed(tier="panic")), "wrong_type"),
    ("an azimuth in words", raw(1, changed(azimuth_deg="north")), "wrong_type"),
    ("extra that is a list", raw(1, changed(extra=[1])), "wrong_type"),
    ("an unknown camera", raw(1, changed(camera_id="cam-99")), "unknown_camera"),
]


@pytest.mark.parametrize(("bad", "reason"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_a_bad_detection_is_a_dead_letter_and_its_neighbours_count(bad: Record, reason: str) -> None:
    disk = Disk()
    told = disk.see(record(0, detection(0)), bad, record(2, detection(2, tier="alarm")))
    assert [incident.state for incident in told] == ["candidate", "open"]
    (letter,) = disk.letters()
    assert letter["reason"] == reason
    assert letter["message_vi"]
    assert (letter["topic"], letter["partition"], letter["offset"]) == (DETECTIONS_TOPIC, 3, 1)


def test_a_dead_letter_is_written_once_though_the_detection_comes_again() -> None:
    disk = Disk()
    disk.see(raw(0, b"{"))
    disk.reopened()
    disk.see(raw(0, b"{"))
    assert len(disk.letters()) == 1


def test_a_field_of_a_newer_version_is_ignored() -> None:
    disk = Disk()
    assert len(disk.see(raw(0, changed(colour="grey")))) == 1
    assert disk.letters() == []


def test_a_defect_of_ours_costs_one_detection_not_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk()

    def defect(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(IncidentBook, "observe", defect)
        disk.see(record(0, detection(0)))
    (letter,) = disk.letters()
    assert letter["reason"] == "internal_error"
    assert [incident.state for incident in disk.see(record(1, detection(1)))] == ["candidate"]


def test_a_camera_without_a_described_pose_has_its_own_place() -> None:
    place = place_of(catalog(), "cam-03", "never-described")
    assert place.azimuth_deg is None
    assert place.place_vi.startswith("Hồ Xuân Hương")


# ---- canaries --------------------------------------------------------------------------------------------------------


def test_a_canary_is_answered_and_becomes_no_incident() -> None:
    disk = Disk()
    seen = detection(0, label="canary", camera_id="canary", pose_id="9", tier="alarm", cues=("77",))
    assert disk.see(record(0, seen)) == []
    (answer,) = [other for other in disk.others if other.topic == ANSWERS_TOPIC]
    assert answer_of(answer.value, answer.headers) == Answer(half="frames", part="9", mark=77)
    assert (disk.rows, disk.letters(), disk.counted("canary", "open")) == ({}, [], 0)


@pytest.mark.parametrize("cues", [(), ("seven",), ("9" * 40,), ("٣",)])
def test_a_canary_without_a_mark_is_a_dead_letter_and_stops_nothing(cues: tuple[str, ...]) -> None:
    disk = Disk()
    disk.see(record(0, detection(0, label="canary", camera_id="canary", cues=cues)))
    assert [letter["reason"] for letter in disk.letters()] == ["wrong_type"]
    assert len(disk.see(record(1, detection(1, tier="alarm")))) == 1
