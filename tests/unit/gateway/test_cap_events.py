"""What a CAP message tells the centre: an alert is one entity, an Update its later fact, a Cancel its tombstone."""

from typing import Any

import orjson
import pytest

from ioc.events import Event
from ioc.gateway.cap_alert import CapAlert, read_alert
from ioc.gateway.cap_events import CapEvents, events_of, extended_id, is_real
from ioc.publishing import EventJudge
from tests.unit.domain.making import NOW_US, catalog, read
from tests.unit.gateway.cap_samples import document, info, storm

SOURCE = "/lam-dong/disaster"
CE_TYPE = "vn.ioc.disaster.alert.v1"
FIRST = "pctt@lamdong.gov.vn,pctt-2026-0001,2026-11-22T01:00:00Z"


def told(body: bytes, roots: dict[str, str] | None = None) -> CapEvents:
    alert = read_alert(body)
    assert isinstance(alert, CapAlert)
    return events_of(alert, source=SOURCE, ce_type=CE_TYPE, geography=catalog().geography, roots=roots or {})


def follow_up(message_type: str, references: str = FIRST, **values: str) -> bytes:
    own = {"identifier": "pctt-2026-0002", "sent": "2026-11-22T07:50:00+07:00", **values}
    infos = "" if message_type == "Cancel" else info()
    return document({**own, "msgType": message_type, "references": references}, infos)


def judged(body: bytes) -> Event:
    outgoing = EventJudge(catalog()).judge(body, NOW_US)
    (found,) = read(outgoing.topic, outgoing.headers, outgoing.value)
    assert isinstance(found, Event)
    return found


def data_of(body: bytes) -> dict[str, Any]:
    return dict(orjson.loads(body)["data"])


def test_an_alert_is_an_event_that_the_catalogue_takes() -> None:
    events = told(storm())
    assert (events.identifiers, events.admin_units, events.unknown_codes) == (("pctt-2026-0001",), ("24781",), ())
    event = judged(events.bodies[0])
    assert (event.entity_id, event.source, event.is_tombstone) == ("pctt-2026-0001", SOURCE, False)
    assert event.id == "pctt@lamdong.gov.vn,pctt-2026-0001,2026-11-22T08:00:00+07:00"
    data = data_of(events.bodies[0])
    assert (data["event"], data["severity"], data["admin_units"]) == ("Mưa lớn", "Severe", ["24781"])
    assert data["texts"]["en-US"] == {"event": "Heavy rain", "headline": "Heavy rain in Da Lat"}
    assert len(data["area"]) == 1, "both languages tell of one place"
    assert data["area"][0]["geometry"]["coordinates"][0][0][0] == [108.4, 11.9]


def test_the_same_message_has_the_same_id_however_its_offset_is_written() -> None:
    ids = {
        judged(told(storm(sent=sent)).bodies[0]).id for sent in ("2026-11-22T08:00:00+07:00", "2026-11-22T01:00:00Z")
    }
    assert len(ids) == 1


def test_facts_that_differ_take_the_worst_and_the_latest() -> None:
    calm = info("en-US", severity="Minor", urgency="Future", certainty="Observed", expires="2026-11-25T00:00:00Z")
    data = data_of(told(document({}, calm + info())).bodies[0])
    assert (data["severity"], data["urgency"], data["certainty"]) == ("Severe", "Immediate", "Observed")
    assert (data["event"], data["expires"]) == ("Mưa lớn", "2026-11-25T00:00:00+00:00")


def test_an_update_is_a_later_fact_of_the_alert_and_leaves_the_time_of_the_first_warning() -> None:
    event = judged(told(follow_up("Update")).bodies[0])
    assert (event.entity_id, event.is_tombstone) == ("pctt-2026-0001", False)
    assert event.values[event.type.position("sent")] is None


def test_a_cancel_is_the_tombstone_of_each_alert_that_it_names() -> None:
    events = told(follow_up("Cancel", f"{FIRST} pctt@lamdong.gov.vn,other,2026-11-22T02:00:00+00:00"))
    tombstones = [judged(body) for body in events.bodies]
    assert [(event.entity_id, event.is_tombstone) for event in tombstones] == [
        ("pctt-2026-0001", True),
        ("other", True),
    ]
    assert tombstones[1].id == f"{tombstones[0].id}#2"


def test_a_message_about_an_update_is_about_the_alert_behind_it() -> None:
    update = read_alert(follow_up("Update"))
    assert isinstance(update, CapAlert)
    update_id = extended_id(update.sender, update.identifier, update.sent)
    cancel = follow_up("Cancel", "pctt@lamdong.gov.vn,pctt-2026-0002,2026-11-22T07:50:00+07:00", identifier="3")
    assert told(cancel, {update_id: "pctt-2026-0001"}).identifiers == ("pctt-2026-0001",)
    assert told(cancel).identifiers == ("pctt-2026-0002",)


def test_a_code_that_is_no_unit_is_reported_and_not_guessed() -> None:
    events = told(document({}, info().replace("24781", "VN-35")))
    assert (events.admin_units, events.unknown_codes) == ((), ("VN-35",))


@pytest.mark.parametrize(
    ("status", "real"), [("Actual", True), ("Exercise", False), ("Test", False), ("System", False), ("Draft", False)]
)
def test_only_an_actual_message_is_about_something_real(status: str, real: bool) -> None:
    alert = read_alert(storm(status=status))
    assert isinstance(alert, CapAlert)
    assert is_real(alert) is real
