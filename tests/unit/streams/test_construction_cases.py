"""Cases of building work in a shard: judged by what is told of permits, and judged anew when that changes."""

from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

import orjson
import pytest

from ioc.catalog import Catalog
from ioc.cloudevents import encode_json
from ioc.ground import ControlPoint, GroundMap
from ioc.incidents import INCIDENTS_TOPIC, Incident
from ioc.permits import Zone
from ioc.windows import LOCAL_ZONE
from streams.case_tables import CaseTables
from tests.unit.domain.making import NOW, catalog
from tests.unit.streams.test_detections_to_incidents import PARCEL, ZONE, Disk, Record, building, record

PERMITS, DECISIONS = "ioc.construction.permits", "ioc.violations.cases"
OUTLINE = {
    "type": "Polygon",
    "coordinates": [[[108.44, 11.94], [108.441, 11.94], [108.441, 11.941], [108.44, 11.941], [108.44, 11.94]]],
}
GROUND = GroundMap(
    [
        ControlPoint(x=0.0, y=1.0, lon=108.440, lat=11.940),
        ControlPoint(x=1.0, y=1.0, lon=108.444, lat=11.940),
        ControlPoint(x=0.75, y=0.5, lon=108.444, lat=11.949),
        ControlPoint(x=0.25, y=0.5, lon=108.440, lat=11.949),
    ]
)


def on_hillside(**zone: Any) -> Catalog:
    """The starting catalogue; the pose of the sample plot has a ground map, its zone is `zone`."""
    known = catalog()
    camera = known.cameras["cam-02"]
    pose = camera.poses["p0"]
    (plot,) = pose.zones
    pose = replace(pose, ground=GROUND, zones=(replace(plot, **zone),))
    return replace(known, cameras={**known.cameras, "cam-02": replace(camera, poses={"p0": pose})}, permits=())


def without_permits() -> Catalog:
    return replace(catalog(), permits=())


@pytest.fixture
def disk() -> Disk:
    return Disk(known=without_permits())


def told(topic: str, kind: str, event_id: str, minute: float, data: dict[str, Any]) -> Any:
    """A record of a department's topic, told `minute` minutes after an hour ago."""
    value, headers = encode_json(
        data,
        event_id=event_id,
        event_type=f"vn.ioc.{kind}.v1",
        source=f"/lam-dong/{'construction' if topic == PERMITS else 'violations'}/so-1",
        at=NOW - timedelta(minutes=60 - minute),
    )
    return _Told(topic, value, headers)


class _Told:
    def __init__(self, topic: str, value: bytes, headers: Any) -> None:
        self.topic, self.value, self.headers, self.partition, self.offset = topic, value, headers, 0, 0


def permit(event_id: str = "e1", minute: float = 0, **changes: Any) -> Any:
    data = {
        "permit_id": "GPXD-7",
        "parcel_id": PARCEL,
        "valid_from": "2026-01-01",
        "valid_to": "2026-12-31",
        "status": "valid",
    }
    return told(PERMITS, "permit.construction", event_id, minute, {**data, **changes})


def decision(case_id: str, **changes: Any) -> Any:
    data = {
        "case_id": case_id,
        "field": "construction",
        "detected_at": "2026-11-22T07:00:00+07:00",
        "source": "camera",
        "decision_at": "2026-11-22T07:50:00+07:00",
        "fine_vnd": 40_000_000,
    }
    return told(DECISIONS, "violation.recorded", "v1", 55, {**data, **changes})


def settled(disk: Disk, *records: Any) -> list[Incident]:
    """What the shard tells by itself once these have been read."""
    for one in records:
        disk.tables.take(one)
    return [
        Incident.from_json(orjson.loads(other.value or b"")) for other in disk.write() if other.topic == INCIDENTS_TOPIC
    ]


def opened(disk: Disk, **changes: Any) -> Incident:
    (incident,) = disk.see(record(0, building(0, tier="alarm", **changes)))
    return incident


def rules(incident: Incident) -> list[tuple[str, str]]:
    assert incident.case is not None
    return [(judged.rule, judged.permit_id) for judged in incident.case.judgements]


def counted(disk: Disk, outcome: str) -> float:
    return disk.registry.get_sample_value("ioc_permits_total", {"outcome": outcome}) or 0


# ---- a permit that comes, and goes -----------------------------------------------------------------------------------


def test_a_late_permit_makes_the_work_legal_and_a_withdrawn_one_opens_it_again_with_all_judgements_kept(
    disk: Disk,
) -> None:
    first = opened(disk)
    assert (first.state, first.permit_rule) == ("open", "no_permit")
    (legal,) = settled(disk, permit())
    assert (legal.incident_id, legal.revision, legal.state) == (first.incident_id, 2, "resolved")
    assert (legal.permit_rule, legal.permit_id) == ("permit_valid", "GPXD-7")
    (again,) = settled(disk, permit("e2", 30, status="revoked"))
    assert (again.revision, again.state, again.permit_rule) == (3, "open", "permit_revoked")
    assert again.opened_at == first.opened_at
    assert rules(again) == [("no_permit", ""), ("permit_valid", "GPXD-7"), ("permit_revoked", "GPXD-7")]
    assert settled(disk) == []


def test_a_candidate_is_judged_again_and_stays_a_candidate(disk: Disk) -> None:
    (first,) = disk.see(record(0, building(0)))
    (legal,) = settled(disk, permit())
    (again,) = settled(disk, permit("e2", 30, status="suspended"))
    assert [i.state for i in (first, legal, again)] == ["candidate", "resolved", "candidate"]
    assert again.opened_at is None


def test_a_revision_by_permit_is_newer_than_the_one_that_the_camera_told(disk: Disk) -> None:
    """Figures take the newest: by its own time, which is not that of the last picture."""
    opened(disk)
    settled(disk, permit())
    sent = [other for other in disk.others if other.topic == INCIDENTS_TOPIC]
    times = [datetime.fromisoformat(dict(other.headers)["ce_time"].decode()) for other in sent]
    assert times[0] < times[1] == NOW


def test_legal_work_goes_on_unsaid_and_one_storey_too_many_is_told(disk: Disk) -> None:
    opened(disk)
    settled(disk, permit(floors=2))
    assert disk.see(record(1, building(10, tier="alarm", extra={"storeys": "2", "stage": "frame"}))) != []
    assert disk.see(record(2, building(20, tier="alarm", extra={"storeys": "2", "stage": "frame"}))) == []
    (third,) = disk.see(record(3, building(30, tier="alarm", extra={"storeys": "3", "stage": "frame"})))
    assert (third.state, third.permit_rule) == ("open", "too_many_storeys")
    assert third.case is not None
    assert [(seen.stage, seen.storeys) for seen in third.case.stages] == [("frame", 2), ("frame", 3)]
    assert disk.see(record(4, building(33, tier="alarm", extra={"storeys": "1"}))) == [], "what was certain stays"


def test_what_is_restored_is_judged_by_what_was_told_meanwhile(disk: Disk) -> None:
    first = opened(disk)
    disk.tables.take(permit())
    disk.reopened()
    (legal,) = settled(disk)
    assert (legal.incident_id, legal.revision, legal.state) == (first.incident_id, 2, "resolved")
    disk.reopened()
    assert settled(disk) == [], "it is told once"


def test_the_same_events_in_another_order_and_twice_come_to_the_same(disk: Disk) -> None:
    opened(disk)
    told_events = [permit("e2", 30, status="revoked"), permit("e1", 0), permit("e2", 30, status="revoked")]
    (last,) = settled(disk, *told_events)
    assert (last.permit_rule, counted(disk, "duplicate"), counted(disk, "accepted")) == ("permit_revoked", 1, 2)


def test_an_event_that_tells_one_field_changes_that_field(disk: Disk) -> None:
    opened(disk)
    settled(disk, permit())
    (again,) = settled(
        disk, told(PERMITS, "permit.construction", "e2", 9, {"permit_id": "GPXD-7", "status": "revoked"})
    )
    assert again.permit_rule == "permit_revoked"
    (gone,) = settled(disk, told(PERMITS, "permit.construction", "e3", 10, {"permit_id": "GPXD-7", "deleted": True}))
    assert (gone.permit_rule, gone.permit_id) == ("no_permit", "")


def test_a_permit_of_the_catalogue_is_changed_by_an_event_that_names_its_status_only() -> None:
    known = replace(catalog(), permits=tuple(replace(p, parcel_id=PARCEL) for p in catalog().permits))
    disk = Disk(known=known)
    (declared,) = known.permits
    assert disk.see(record(0, building(0, tier="alarm"))) == [], "legal from the start"
    data = {"permit_id": declared.permit_id, "status": "revoked"}
    disk.tables.take(told(PERMITS, "permit.construction", "e1", 5, data))
    (incident,) = disk.see(record(1, building(10, tier="alarm")))
    assert (incident.permit_rule, incident.permit_id) == ("permit_revoked", declared.permit_id)


# ---- events that are wrong -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "outcome", "rule"),
    [
        ({"polygon": OUTLINE}, "accepted", "permit_valid"),
        ({"polygon": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}}, "without_outline", "permit_valid"),
        ({"polygon": "ranh giới"}, "without_outline", "permit_valid"),
        ({"valid_from": "2027-01-01"}, "ignored", "no_permit"),
        ({"status": "maybe"}, "ignored", "no_permit"),
        ({"status": 3}, "rejected", "no_permit"),
        ({"valid_from": "2027-01-01", "polygon": "x"}, "ignored", "no_permit"),
    ],
)
def test_a_bad_outline_costs_the_outline_and_dates_that_can_not_be_cost_the_event(
    disk: Disk, changes: dict[str, Any], outcome: str, rule: str
) -> None:
    first = opened(disk)
    newest = (settled(disk, permit(**changes)) or [first])[-1]
    assert newest.permit_rule == rule
    assert counted(disk, outcome) == 1


@pytest.mark.parametrize("value", [b"", b"[]", b"{", b'{"permit_id": null}', b"\xff"])
def test_a_record_that_is_no_event_is_counted_and_stops_nothing(disk: Disk, value: bytes) -> None:
    broken = permit()
    broken.value = value
    assert settled(disk, broken) == []
    assert counted(disk, "rejected") == 1


# ---- the hours, the place, the agency --------------------------------------------------------------------------------


def test_work_at_night_stays_told_in_the_morning() -> None:
    disk = Disk(known=without_permits())
    disk.tables.take(permit())
    night = datetime(2026, 11, 21, 23, 0, tzinfo=LOCAL_ZONE)
    (seen,) = disk.see(
        record(0, building(0, tier="alarm", frame_at=night, first_seen_at=night, extra={"active": "true"}))
    )
    assert seen.permit_rule == "forbidden_hours"
    (morning,) = disk.see(record(1, building(0, detection_id="m", tier="alarm", extra={"active": "true"})))
    assert (morning.incident_id, morning.permit_rule) == (seen.incident_id, "forbidden_hours")


def test_the_place_is_that_of_the_footprint_with_the_error_of_the_ground_map() -> None:
    disk = Disk(known=on_hillside(agency="H36.33"))
    (incident,) = disk.see(
        record(0, building(0, tier="alarm", extra={"footprint": "[[0.45,0.7],[0.55,0.7],[0.55,0.75],[0.45,0.75]]"}))
    )
    assert incident.located_by == "ground"
    assert incident.lon == pytest.approx(108.442, abs=1e-4)
    assert incident.uncertainty_m == pytest.approx(1.73 * GROUND.error_m, abs=0.1)
    assert incident.case is not None
    assert (incident.case.agency, len(incident.case.footprint)) == ("H36.33", 4)
    assert Incident.from_json(orjson.loads(orjson.dumps(incident.as_json()))) == incident


@pytest.mark.parametrize(
    "footprint", ["", "[", "[[0,0],[1,1]]", "[[0,0],[2,1],[1,1]]", '{"a": 1}', "[[0,0],[1,1],[1]]"]
)
def test_a_footprint_that_is_none_is_left_out_and_the_foot_of_the_box_is_the_place(footprint: str) -> None:
    disk = Disk(known=on_hillside())
    extra = {"footprint": footprint, "storeys": "many", "active": "?"}
    (incident,) = disk.see(record(0, building(0, tier="alarm", extra=extra)))
    assert incident.case is not None
    assert (incident.located_by, incident.case.footprint, incident.case.storeys) == ("ground", (), None)


def test_a_house_that_reaches_out_of_its_parcel_is_judged_by_the_outline() -> None:
    disk = Disk(known=on_hillside())
    disk.tables.take(permit(polygon=OUTLINE))
    corners = {"footprint": "[[0.5,0.7],[0.9,0.7],[0.9,0.9],[0.5,0.9]]"}
    (incident,) = disk.see(record(0, building(0, tier="alarm", extra=corners)))
    assert incident.permit_rule == "outside_parcel"


# ---- what stands about -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "persisted_s", "state"),
    [("road_corridor", 1800, "open"), ("road_corridor", 60, "candidate"), ("residential", 1800, None)],
)
def test_what_stands_on_public_ground_for_the_time_of_the_zone_is_an_encroachment(
    kind: str, persisted_s: float, state: str | None
) -> None:
    disk = Disk(known=on_hillside(kind=kind))
    disk.tables.take(permit())
    found = disk.see(record(0, building(0, label="encroachment", tier="alarm", persisted_s=persisted_s)))
    assert [incident.state for incident in found] == ([state] if state else [])
    assert all(incident.permit_rule == "encroachment" for incident in found)


# ---- decided ---------------------------------------------------------------------------------------------------------


def test_a_decision_closes_the_case_and_neither_permit_nor_camera_opens_it_again(disk: Disk) -> None:
    first = opened(disk)
    (closed,) = settled(disk, decision(first.incident_id))
    assert (closed.state, closed.permit_rule, closed.revision) == ("resolved", "no_permit", 2)
    assert closed.case is not None
    assert closed.case.decision is not None
    assert (closed.case.decision.field, closed.case.decision.fine_vnd) == ("construction", 40_000_000)
    assert disk.see(record(1, building(30, tier="alarm"))) == []
    (judged,) = settled(disk, permit("e1", 0, status="revoked"))
    assert judged.state == "resolved"
    disk.reopened()
    assert settled(disk) == []


def test_what_decides_another_case_changes_nothing(disk: Disk) -> None:
    opened(disk)
    assert settled(disk, decision("VV-2026-0311")) == []


# ---- what people found -----------------------------------------------------------------------------------------------


def action(case_id: str, minute: float = 10, **changes: Any) -> Any:
    at = NOW - timedelta(minutes=60 - minute)
    data = {"incident_id": case_id, "action": "verdict", "verdict": "true_positive", "at": at.isoformat(),
            "actor_role": "operator", **changes}  # fmt: skip
    value, headers = encode_json(
        data, event_id=f"a{minute}", event_type="vn.ioc.incident.action.v1", source="/lam-dong/incident", at=at
    )
    return _Told("ioc.incident.actions", value, headers)


def terms(incident: Incident) -> dict[str, bool]:
    """The terms that run, and whether each is met."""
    assert incident.case is not None
    return {term.name: term.met_at is not None for term in incident.case.terms}


def test_a_persons_verdict_begins_the_terms_and_the_record_and_decision_meet_them(disk: Disk) -> None:
    first = opened(disk)
    assert terms(first) == {}
    (found,) = settled(disk, action(first.incident_id))
    assert (found.state, terms(found)) == ("open", {"record": False, "limitation": False})
    assert found.case is not None
    assert found.case.finding is not None
    assert found.case.finding.found_at == NOW - timedelta(minutes=50)
    record_at = (NOW - timedelta(minutes=30)).isoformat()
    on_record = decision(first.incident_id, decision_at=None, record_at=record_at)
    (recorded,) = settled(disk, on_record)
    assert terms(recorded) == {"record": True, "decision": False, "limitation": False}
    assert recorded.case is not None
    assert recorded.case.terms[1].since == NOW - timedelta(minutes=30)
    (decided,) = settled(disk, told(DECISIONS, "violation.recorded", "v2", 56, _decided(first.incident_id)))
    assert (decided.state, terms(decided)) == ("resolved", dict.fromkeys(("record", "decision", "limitation"), True))
    disk.reopened()
    assert settled(disk) == []


def _decided(case_id: str) -> dict[str, Any]:
    return {"case_id": case_id, "detected_at": "2026-11-22T07:00:00+07:00", "decision_at": "2026-11-22T07:50:00+07:00"}


@pytest.mark.parametrize(
    ("source", "minute"), [("patrol", 0), ("camera", 55)], ids=["a patrol finds it", "a camera finds nothing"]
)
def test_what_a_camera_detected_is_no_finding(disk: Disk, source: str, minute: float) -> None:
    first = opened(disk)
    (found,) = settled(disk, decision(first.incident_id, decision_at=None, source=source))
    assert found.case is not None
    assert found.case.finding is not None
    assert found.case.finding.found_at == NOW - timedelta(minutes=60 - minute)
    assert found.case.finding.recorded_at == NOW - timedelta(minutes=5)


@pytest.mark.parametrize("verdict", ["false_positive", "unsure"])
def test_another_verdict_begins_nothing_and_takes_back_what_the_one_before_began(disk: Disk, verdict: str) -> None:
    first = opened(disk)
    assert settled(disk, action(first.incident_id, verdict=verdict)) == []
    (found,) = settled(disk, action(first.incident_id, 20))
    by_itself = action(first.incident_id, 20.5, action="reopened", verdict=None, actor_role="system")
    assert settled(disk, by_itself) == [], "its permit was withdrawn, say: the violation was found all the same"
    (reopened,) = settled(disk, action(first.incident_id, 21, action="reopened", verdict=None))
    assert (len(terms(found)), len(terms(reopened))) == (2, 0)
    assert reopened.case is not None
    assert reopened.case.finding is None


def test_an_exercise_finds_nothing_and_a_verdict_that_is_forgotten_still_counts(disk: Disk) -> None:
    first = opened(disk)
    assert settled(disk, action(first.incident_id, exercise=True)) == []
    (found,) = settled(disk, action(first.incident_id, 20))
    disk.tables = CaseTables(disk.known, clock=lambda: NOW, metrics=disk.metrics)
    disk.tables.caught_up()
    disk.reopened()
    assert settled(disk) == [], "verdicts are kept for a month; a term of two years outlives them"
    (recorded,) = settled(disk, decision(first.incident_id, decision_at=None))
    assert recorded.case is not None
    assert found.case is not None
    assert recorded.case.finding is not None
    assert found.case.finding is not None
    assert recorded.case.finding.found_at == found.case.finding.found_at


# ---- what goes on standing there -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "since_days", "is_same"),
    [(6, 5, True), (30, 0, True), (30, 29, False), (61, 0, False)],
    ids=["within a week", "the camera was away", "the plot was empty meanwhile", "forgotten"],
)
def test_a_decided_house_that_goes_on_standing_is_the_same_case(
    disk: Disk, days: int, since_days: int, is_same: bool
) -> None:
    first = opened(disk)
    settled(disk, decision(first.incident_id))
    stood_since = first.first_frame_at + timedelta(days=since_days)
    again = building(days * 1440, detection_id="later", tier="alarm", first_seen_at=stood_since)
    told_again = disk.see(record(1, again))
    if is_same:
        assert told_again == []
    else:
        assert [incident.state for incident in told_again] == ["open"]
        assert told_again[0].incident_id != first.incident_id


def test_a_case_of_a_camera_that_is_gone_is_left_as_it_is(disk: Disk) -> None:
    opened(disk)
    disk.known = replace(disk.known, cameras={k: v for k, v in disk.known.cameras.items() if k != "cam-02"})
    disk.reopened()
    assert settled(disk, permit()) == []


def test_zones_without_hours_have_those_of_the_country() -> None:
    plain = Zone(zone_id=ZONE, kind="residential", polygon=((0, 0), (1, 0), (1, 1)))
    assert (plain.work_from, plain.work_until) == (time(6), time(21))


def test_a_detection_of_a_row_from_before_cases_is_followed_on() -> None:
    disk = Disk(known=without_permits())
    first = opened(disk)
    (key,) = disk.rows
    (row,) = orjson.loads(disk.rows[key])
    row["incident"].pop("case")
    disk.rows[key] = orjson.dumps([row])
    disk.reopened()
    disk.tables.take(permit())
    (legal,) = disk.see(Record(1, *_encoded(building(9, tier="alarm"))))
    assert (legal.incident_id, legal.state) == (first.incident_id, "resolved")


def _encoded(found: Any) -> tuple[bytes | None, Any]:
    made = record(0, found)
    return made.value, made.headers
