"""What happens: documents, meetings, orders, parcels, bulletins, alerts, violations, incidents."""

from datetime import datetime, timedelta

from tests.recount.accepting import instant
from tests.recount.scribe import AGENCIES, MILLISECOND, UNITS, Scribe, near
from tests.recount.subjects import tell

__all__ = [
    "bad_info",
    "bulletin",
    "disaster_alert",
    "disaster_incident",
    "document",
    "incident",
    "meeting_site",
    "order",
    "parcel",
    "reading",
    "security_incident",
    "session",
    "spam",
    "violation",
]


def _later(scribe: Scribe, start: datetime, minutes: int) -> str:
    """Returns a time some minutes after `start`, at most the clock's; now and then the very same, or before."""
    moment = start + timedelta(seconds=scribe.rng.choice([0, scribe.rng.randrange(minutes * 60), -30]))
    return scribe.stamp(min(moment, scribe.clock))


def document(scribe: Scribe) -> None:
    rng, sender, sent_at = scribe.rng, scribe.rng.choice(AGENCIES), scribe.moment(60)

    def body(at: datetime) -> dict[str, object]:
        data: dict[str, object] = {}
        scribe.maybe(data, "from_agency", rng.choice(AGENCIES) if scribe.chance(0.1) else sender, absent=0.2)
        scribe.maybe(data, "to_agency", rng.choice(AGENCIES), absent=0.2)
        scribe.maybe(data, "sent_at", scribe.stamp(scribe.moment(60) if scribe.chance(0.1) else sent_at), absent=0.15)
        scribe.maybe(data, "received_at", _later(scribe, sent_at, 600), absent=0.4)
        scribe.maybe(data, "signed_digitally", scribe.chance(0.7), absent=0.2)
        return data

    tell(scribe, "document.exchanged", {"document_id": scribe.entity_id("VB")}, body)


def session(scribe: Scribe) -> None:
    rng, started_at = scribe.rng, scribe.moment(45)

    def body(at: datetime) -> dict[str, object]:
        data: dict[str, object] = {"started_at": scribe.stamp(started_at), "sites_invited": rng.randrange(1, 175)}
        scribe.maybe(data, "sites_joined", rng.randrange(170), absent=0.3)
        scribe.maybe(data, "level", rng.choice([2, 3]))
        return data

    tell(scribe, "meeting.session", {"session_id": scribe.entity_id("H")}, body)


def meeting_site(scribe: Scribe) -> None:
    """Tests of one site in several sessions; some of them thirty days old to the millisecond."""
    rng, site = scribe.rng, scribe.entity_id("DC")

    def body(at: datetime) -> dict[str, object]:
        data: dict[str, object] = {"connected": scribe.chance(0.6)}
        if scribe.chance(0.5):
            age = timedelta(days=30) + rng.choice([timedelta(), MILLISECOND, -MILLISECOND])
            data["at"] = scribe.stamp(scribe.clock - age)
        return data

    for number in range(rng.choice([1, 1, 2])):
        tell(scribe, "meeting.site_quality", {"site_id": site, "session_id": f"H-{number}"}, body, days=70, most=2)


def order(scribe: Scribe) -> None:
    rng, placed_at = scribe.rng, scribe.moment(200)

    def body(at: datetime) -> dict[str, object]:
        data: dict[str, object] = {"placed_at": scribe.stamp(placed_at)}
        scribe.maybe(data, "value_vnd", rng.randrange(10**7))
        if scribe.chance(0.2):
            data["cancelled_at"] = _later(scribe, placed_at, 900)
        return data

    tell(scribe, "marketplace.order", {"order_id": scribe.entity_id("DH")}, body, days=100)


def parcel(scribe: Scribe) -> None:
    rng, accepted_at = scribe.rng, scribe.moment(45)
    operator = rng.choice(["VNPost", "Viettel Post", "J&T", 'Bưu điện "Đà Lạt"'])

    def body(at: datetime) -> dict[str, object]:
        delivered_at = min(accepted_at + timedelta(hours=rng.randrange(90)), scribe.clock)
        promised_at = delivered_at + rng.choice([timedelta(), MILLISECOND, -MILLISECOND, timedelta(hours=5)])
        now = rng.choice(["VNPost", "J&T"]) if scribe.chance(0.1) else operator
        data: dict[str, object] = {"operator": now, "promised_at": scribe.stamp(promised_at)}
        scribe.maybe(data, "accepted_at", scribe.stamp(accepted_at))
        scribe.maybe(data, "delivered_at", scribe.stamp(delivered_at), absent=0.3)
        return data

    tell(scribe, "postal.item", {"item_id": scribe.entity_id("E")}, body)


def bulletin(scribe: Scribe) -> None:
    rng, issued_at = scribe.rng, scribe.moment(45)

    def body(at: datetime) -> dict[str, object]:
        wait = timedelta(seconds=rng.choice([0, 30, 300, 300, 301, 900])) + rng.choice([timedelta(), MILLISECOND])
        target = rng.randrange(1, 60)
        data: dict[str, object] = {}
        scribe.maybe(data, "kind", rng.choice(["urgent", "urgent", "routine"]), absent=0.15)
        scribe.maybe(data, "issued_at", scribe.stamp(issued_at), absent=0.15)
        scribe.maybe(data, "target_clusters", target, absent=0.15)
        scribe.maybe(data, "played_clusters", rng.randrange(target + 1), absent=0.2)
        scribe.maybe(data, "first_played_at", scribe.stamp(issued_at + wait), absent=0.2)
        return data

    tell(scribe, "loudspeaker.bulletin", {"bulletin_id": scribe.entity_id("BT")}, body)


def disaster_alert(scribe: Scribe) -> None:
    rng, identifier, sent = scribe.rng, scribe.entity_id("CAP"), scribe.moment(110)

    def alert(at: datetime) -> dict[str, object]:
        data: dict[str, object] = {"event": "lũ quét"}
        scribe.maybe(data, "sent", scribe.stamp(sent), absent=0.15)
        return data

    def acknowledgement(at: datetime) -> dict[str, object]:
        data: dict[str, object] = {"at": _later(scribe, sent, 240)}
        scribe.maybe(data, "admin_unit", rng.choice(UNITS), absent=0.1)
        return data

    if scribe.chance(0.93):
        tell(scribe, "disaster.alert", {"identifier": identifier}, alert, days=110, most=2)
    for _ in range(rng.choice([0, 1, 3, 6])):
        said = {"identifier": identifier, **acknowledgement(sent)}
        moment = near(scribe, instant(said["at"]))
        type_, topic = "vn.ioc.disaster.alert_acknowledged.v1", "ioc.disaster.alerts"
        scribe.write(("disaster_alert", identifier), identifier, type_, topic, said, moment)


def disaster_incident(scribe: Scribe) -> None:
    rng, reported_at = scribe.rng, scribe.moment(110)

    def body(at: datetime) -> dict[str, object]:
        data: dict[str, object] = {}
        scribe.maybe(data, "kind", rng.choice(["forest_fire", "flood", "landslide", "rescue"]))
        scribe.maybe(data, "reported_at", scribe.stamp(reported_at), absent=0.15)
        scribe.maybe(data, "dispatched_at", _later(scribe, reported_at, 90), absent=0.3)
        return data

    tell(scribe, "disaster.incident", {"incident_id": scribe.entity_id("SC")}, body, days=110)


def reading(scribe: Scribe) -> None:
    at = scribe.moment(10)
    identity = {"station_id": f"KTTV-{scribe.rng.randrange(9)}", "at": at}
    tell(scribe, "disaster.reading", identity, lambda at: {"kind": "rain", "value": scribe.rng.randrange(90)}, most=2)


def violation(scribe: Scribe) -> None:
    rng, detected_at = scribe.rng, scribe.moment(200)
    fields = ["construction", "urban_order", "culture", "information", "forest"]

    def body(at: datetime) -> dict[str, object]:
        decided_at = scribe.moment(60) if scribe.chance(0.4) else detected_at + timedelta(days=rng.randrange(40))
        data: dict[str, object] = {"detected_at": scribe.stamp(detected_at)}
        scribe.maybe(data, "field", rng.choice(fields), absent=0.2)
        scribe.maybe(data, "decision_at", scribe.stamp(min(decided_at, scribe.clock)), absent=0.4)
        scribe.maybe(data, "fine_vnd", rng.choice([0, 5_000_000]), absent=0.5)
        return data

    tell(scribe, "violation.recorded", {"case_id": scribe.entity_id("VP")}, body)


def security_incident(scribe: Scribe) -> None:
    rng, detected_at = scribe.rng, scribe.moment(300)
    statuses = ["new", "confirmed", "contained", "closed", "false_positive"]

    def body(at: datetime) -> dict[str, object]:
        data: dict[str, object] = {"detected_at": scribe.stamp(detected_at), "status": rng.choice(statuses)}
        scribe.maybe(data, "affects_shared_system", scribe.chance(0.6), absent=0.3)
        scribe.maybe(data, "level", rng.randrange(1, 6))
        return data

    tell(scribe, "soc.incident", {"incident_id": scribe.entity_id("AT")}, body)


def spam(scribe: Scribe) -> None:
    tell(scribe, "soc.spam_report", {"report_id": scribe.entity_id("RAC")}, lambda at: {"kind": "sms"}, most=2)


def bad_info(scribe: Scribe) -> None:
    tell(scribe, "socialnet.bad_info", {"case_id": scribe.entity_id("XD")}, lambda at: {"platform": "facebook"}, most=2)


def incident(scribe: Scribe) -> None:
    """An incident as the product tells of it, and what people did about it; now and then only the latter."""
    rng, incident_id, opened_at = scribe.rng, scribe.entity_id("I"), scribe.moment(12)
    kind, severity = rng.choice(["smoke", "smoke", "construction", "camera"]), rng.choice(["low", "high", "critical"])
    first_frame_at = opened_at - timedelta(seconds=rng.randrange(300))
    entity = ("incident", incident_id)
    for _ in range(rng.choice([0, 1, 2, 2, 3])):
        data: dict[str, object] = {"incident_id": incident_id}
        scribe.maybe(data, "kind", kind, absent=0.15)
        scribe.maybe(data, "state", rng.choice(["candidate", "open", "acknowledged", "resolved", "dismissed"]))
        scribe.maybe(data, "severity", rng.choice(["low", "high"]) if scribe.chance(0.1) else severity, absent=0.2)
        scribe.maybe(data, "admin_unit", rng.choice(UNITS), absent=0.2)
        scribe.maybe(data, "first_frame_at", scribe.stamp(first_frame_at), absent=0.2)
        scribe.maybe(data, "opened_at", scribe.stamp(opened_at), absent=0.2)
        rules = ["permit_valid", "valid", "no_permit", "permit_expired", "valid_permit", "permitted"]
        scribe.maybe(data, "permit_rule", rng.choice(rules), absent=0.4)
        if scribe.chance(0.03):
            data["deleted"] = True
        moment = scribe.capped(opened_at + timedelta(seconds=rng.randrange(9_000)))
        scribe.write(entity, incident_id, "vn.ioc.incident.changed.v1", "ioc.incidents", data, moment)
    actions = ["notified", "notified", "acknowledged", "acknowledged", "verdict", "verdict", "escalated", "resolved"]
    for action in rng.choices(actions, k=rng.choice([0, 2, 4, 6])):
        at = scribe.capped(opened_at + timedelta(milliseconds=rng.randrange(-2_000, 4_000_000)))
        said: dict[str, object] = {"incident_id": incident_id, "action": action}
        if action == "verdict":
            verdicts = ["true_positive", "true_positive", "false_positive", "other_smoke", "unsure"]
            scribe.maybe(said, "verdict", rng.choice(verdicts))
        if not scribe.chance(0.05):
            said["at"] = scribe.stamp(at)
        scribe.maybe(said, "exercise", scribe.chance(0.2), absent=0.6)
        moment = near(scribe, at) if "at" in said else at
        scribe.write(entity, incident_id, "vn.ioc.incident.action.v1", "ioc.incident.actions", said, moment)
