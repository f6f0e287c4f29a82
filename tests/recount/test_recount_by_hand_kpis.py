"""The recount against figures worked out by hand: the KPIs in which two readings would differ."""

from datetime import timedelta

import pytest

from tests.recount.comparing import Exported, differences, report
from tests.recount.kpis import KPIS
from tests.recount.recount import OrderStatistic
from tests.recount.snapshots import period_start
from tests.recount.teller import CLOCK, UNITS, Teller, a_teller, march


@pytest.fixture
def teller() -> Teller:
    return a_teller()


def test_there_are_sixty_kpis_each_with_a_total_for_every_window(teller: Teller) -> None:
    totals = {series for series in teller.recount.figures() if series[1:3] == ("*", "") and not series[4]}
    assert len(KPIS) == 60
    assert totals == {(kpi, "*", "", window, "") for kpi in KPIS for window in KPIS[kpi].windows}


# ---- distinct --------------------------------------------------------------------------------------------------------


def test_a_site_with_two_open_alarms_is_down_once_and_up_when_both_are_cleared(teller: Teller) -> None:
    def alarm(raised_at: str, **fields: object) -> None:
        key: dict[str, object] = {"site_id": "S", "alarm": "down", "raised_at": raised_at}
        teller.say("telecom.site_alarm", {**key, **fields})

    alarm(march(1))
    alarm(march(2))
    teller.say("telecom.site_alarm", {"site_id": "P", "alarm": "power", "raised_at": march(1)})
    assert teller.total("bts_down") == (1, None)
    alarm("2026-03-01T01:00:00Z", cleared_at=march(3))  # the first one, written in another offset
    assert teller.total("bts_down") == (1, None)
    alarm(march(2), cleared_at=march(4))
    assert teller.total("bts_down") == (0, None)


def test_agencies_are_counted_once_whoever_names_them(teller: Teller) -> None:
    def document(name: str, **fields: object) -> None:
        teller.say("document.exchanged", {"document_id": name, **fields})

    document("1", from_agency="A", to_agency="B", sent_at=march(4), signed_digitally=True)
    document("2", from_agency="A", to_agency="C", sent_at=march(4), signed_digitally=True)
    document("3", from_agency="C", to_agency="A", sent_at="2026-02-03T23:59:59+07:00", signed_digitally=True)
    document("4", from_agency="B", to_agency="A", sent_at=march(4), signed_digitally=False)
    certificate: dict[str, object] = {"issued_at": march(1), "expires_at": march(30)}
    teller.say("signature.certificate", {"certificate_id": "K", "agency_code": "D", **certificate})
    assert teller.total("agencies_signing", "r30d") == (1, 4)
    document("3", sent_at="2026-02-04T00:00:00+07:00")  # the first instant of thirty local days
    assert teller.total("agencies_signing", "r30d") == (2, 4)


def test_a_meeting_point_is_a_site_with_a_good_test_in_thirty_days(teller: Teller) -> None:
    def test(session: str, at: str, connected: bool) -> None:
        teller.say("meeting.site_quality", {"site_id": "S", "session_id": session, "at": at, "connected": connected})

    test("1", "2026-02-03T09:37:20+07:00", True)  # a second too old
    assert teller.total("meeting_points") == (0, None)
    test("2", "2026-02-03T09:37:21+07:00", True)
    test("3", march(4), True)
    assert teller.total("meeting_points") == (1, None)


# ---- snapshots -------------------------------------------------------------------------------------------------------


def _indicator(teller: Teller, unit: str, period: str, numerator: int | None, **fields: object) -> None:
    data = {"indicator_id": "fibre_households", "period": period, "admin_unit": unit, "numerator": numerator}
    teller.say("indicator.reported", {**data, "denominator": 100, **fields})


def test_each_commune_counts_by_its_own_newest_period(teller: Teller) -> None:
    _indicator(teller, "24778", "2026-01", 10, as_of=march(4))
    _indicator(teller, "24778", "2026-02", 20, as_of=march(1))
    _indicator(teller, "24781", "2025-12", 7)
    _indicator(teller, "24781", "2026-02", None)  # a value alone can't be added up
    assert teller.total("fibre_households") == (27, 200)
    assert teller.total("fibre_households", unit="24778") == (20, 100)
    assert teller.total("fibre_households", unit="24781") == (7, 100)


def test_automatic_beats_manual_within_a_period_and_then_the_newest(teller: Teller) -> None:
    _indicator(teller, "24778", "2026-02", 30, method="auto", as_of="2026-03-01")
    _indicator(teller, "24778", "2026-02", 40, method="manual", as_of=march(4))
    assert teller.total("fibre_households") == (30, 100)
    assert teller.total("manual_share") == (0, 1)
    _indicator(teller, "24778", "2026-02", 31, method="auto", as_of=march(2))
    assert teller.total("fibre_households") == (31, 100)
    _indicator(teller, "24778", "2026-03", 50, method="manual", as_of=march(1))
    assert teller.total("fibre_households") == (50, 100)
    assert teller.total("manual_share") == (1, 1)
    _indicator(teller, "24778", "2026-03", 50, as_of=march(4), deleted=True)
    assert teller.total("fibre_households") == (31, 100)


def test_a_value_is_manual_until_an_automatic_one_comes_whatever_tells_no_method(teller: Teller) -> None:
    _indicator(teller, "24778", "2026-02", 30, method="manual", as_of=march(1))
    _indicator(teller, "24778", "2026-02", 31, as_of=march(2))
    assert teller.total("fibre_households") == (31, 100)
    assert teller.total("manual_share") == (1, 1)
    _indicator(teller, "24778", "2026-02", None, method="auto", as_of=march(1))
    assert teller.total("fibre_households") == (31, 100)
    assert teller.total("manual_share") == (0, 1)


@pytest.mark.parametrize(
    ("period", "start"),
    [
        ("2026", "2026-01-01"),
        ("2026-Q4", "2026-10-01"),
        ("2026-11", "2026-11-01"),
        ("2026-11-05", "2026-11-05"),
        ("2026-13", None),
        ("2026-Q5", None),
        ("kỳ 3", None),
    ],
)
def test_a_period_begins_at_its_first_local_midnight(period: str, start: str | None) -> None:
    begins = period_start(period)
    assert (begins and begins.isoformat()) == (start and f"{start}T00:00:00+07:00")


def test_communes_with_data_are_those_whose_period_begins_in_the_month(teller: Teller) -> None:
    _indicator(teller, "24778", "2026-03", 1)
    _indicator(teller, "24778", "2026-03-02", 1)
    _indicator(teller, "24781", "2026-Q1", 1)
    _indicator(teller, "24787", "2026-02", 1)
    assert teller.total("source_complete", "mtd") == (1, len(UNITS))


def test_of_accounts_the_newest_day_of_each_commune_is_added_up(teller: Teller) -> None:
    for unit, date, cumulative in (("24778", "2026-03-04", 7), ("24778", "2026-03-03", 90), ("24781", "2026-01-01", 5)):
        teller.say("identity.activated", {"admin_unit": unit, "date": date, "cumulative": cumulative})
    assert teller.total("eid_activated") == (12, None)
    assert teller.total("eid_activated", unit="24778") == (7, None)


# ---- quantiles, and what is measured ---------------------------------------------------------------------------------


def test_a_p95_may_lie_between_two_ranks_or_a_hundredth_beside_them() -> None:
    statistic = OrderStatistic([*range(1, 20), 400])  # rank 18.05 of 0 … 19
    assert (float(statistic), statistic.ceiling) == (19, 400)
    assert statistic.agrees_with(18.82)
    assert statistic.agrees_with(403)
    assert not statistic.agrees_with(18.7)
    assert not statistic.agrees_with(405)
    below = OrderStatistic([-100.0])
    assert below.agrees_with(-100.9)
    assert not below.agrees_with(-98.9)


def test_each_commune_answers_an_alert_once_by_its_first_acknowledgement(teller: Teller) -> None:
    def acknowledged(at: str, **fields: object) -> None:
        teller.say("disaster.alert_acknowledged", {"identifier": "CAP", "at": at, **fields})

    acknowledged(march(1, "08:10"), admin_unit="24778")
    assert teller.figure("disaster_alert_relay", "r90d") == (None, None, 0)  # not known when it was sent
    teller.say("disaster.alert", {"identifier": "CAP", "sent": march(1)})
    acknowledged(march(1, "08:05"), admin_unit="24778")
    acknowledged(march(1, "08:01"))  # nobody knows by whom
    assert teller.figure("disaster_alert_relay", "r90d") == (300.0, None, 1)
    acknowledged(march(1, "07:59"), admin_unit="24781")
    assert teller.figure("disaster_alert_relay", "r90d")[2] == 2


def test_smoke_is_judged_by_the_newest_verdict_and_told_by_the_first_notice(teller: Teller) -> None:
    def action(name: str, at: str, **fields: object) -> None:
        teller.say("incident.action", {"incident_id": "I", "action": name, "at": at, **fields})

    changed = {"incident_id": "I", "kind": "smoke", "opened_at": march(4), "admin_unit": "24778", "severity": "high"}
    action("notified", march(4, "08:02"))
    action("notified", march(4, "08:01"))
    action("acknowledged", march(4, "08:09"))
    teller.say("incident.changed", {**changed, "first_frame_at": march(4, "07:59")})
    assert teller.total("smoke_alert_confirm", "r7d") == (0, 0)
    action("verdict", march(4, "09:00"), verdict="false_positive")
    action("verdict", march(4, "10:00"), verdict="true_positive")
    action("verdict", march(4, "11:00"))
    assert teller.total("smoke_alert_confirm", "r7d", unit="24778") == (1, 1)
    assert teller.figure("smoke_detection_latency", "r7d") == (120.0, None, 1)
    assert teller.figure("alert_ack_time", "r7d", dim="high") == (540.0, None, 1)
    action("verdict", march(4, "12:00"), verdict="unsure")
    assert teller.total("smoke_alert_confirm", "r7d") == (0, 0)


PERMITS = {"permit_valid": 0, "valid": 0, "valid_permit": 0, "permitted": 0, "no_permit": 1, None: 1}


@pytest.mark.parametrize(("rule", "counts"), PERMITS.items())
def test_a_construction_candidate_has_no_valid_permit(teller: Teller, rule: str | None, counts: int) -> None:
    changed: dict[str, object] = {"incident_id": "I", "kind": "construction", "opened_at": march(5)}
    changed["permit_rule"] = rule
    teller.say("incident.changed", changed)
    assert teller.total("construction_candidates", "day") == (counts, None)


def test_a_mean_is_weighted_by_samples_and_one_that_tells_none_counts_as_one(teller: Teller) -> None:
    told: list[dict[str, object]] = [{"down_mbps": 100, "samples": 3}, {"down_mbps": 300.5}, {"samples": 9}]
    for minute, fields in enumerate(told):
        key: dict[str, object] = {"admin_unit": "24778", "tech": "5G", "at": march(4, f"08:{minute:02d}")}
        teller.say("telecom.speed_test", {**key, **fields})
    assert teller.figure("speed_5g", "r7d", unit="24778") == (150_125_000.0, 600_500_000, 4)


PLAYED = {"in time": ("08:05:00", 7), "a second late": ("08:05:01", 0)}


@pytest.mark.parametrize(("first", "played"), PLAYED.values(), ids=PLAYED)
def test_an_urgent_bulletin_reaches_whom_it_reaches_in_five_minutes(teller: Teller, first: str, played: int) -> None:
    said: dict[str, object] = {"issued_at": march(4), "first_played_at": f"2026-03-04T{first}+07:00"}
    clusters = {"target_clusters": 9, "played_clusters": 7}
    for kind in ("urgent", "routine"):
        teller.say("loudspeaker.bulletin", {"bulletin_id": kind, "kind": kind, **said, **clusters})
    assert teller.total("urgent_bulletin_reach", "r30d") == (played, 9)


# ---- groups, dims, midnights -----------------------------------------------------------------------------------------


def test_a_corrected_parcel_moves_from_one_operator_to_the_other(teller: Teller) -> None:
    said: dict[str, object] = {"item_id": "E", "promised_at": march(3), "delivered_at": march(3)}
    teller.say("postal.item", {**said, "operator": "VNPost"}, time=march(3))
    teller.say("postal.item", {**said, "item_id": "F", "operator": "J&T", "promised_at": march(2)}, time=march(3))
    assert teller.groups("postal_on_time") == {("*", "", "VNPost"), ("*", "", "J&T")}
    teller.say("postal.item", {**said, "operator": "J&T"}, time=march(4))
    assert teller.groups("postal_on_time") == {("*", "", "J&T")}
    assert teller.total("postal_on_time", "mtd", dim="J&T") == teller.total("postal_on_time", "mtd") == (1, 2)


def test_violations_count_on_the_local_day_of_the_decision_beside_the_total(teller: Teller) -> None:
    for case, decision_at in (("1", "2026-02-28T16:59:59Z"), ("2", "2026-02-28T17:00:00Z"), ("3", None)):
        data: dict[str, object] = {"case_id": case, "detected_at": march(1), "field": "forest"}
        data["decision_at"] = decision_at
        teller.say("violation.recorded", data)
    assert teller.total("violations_fined", "mtd") == (1, None)
    assert teller.total("violations_fined", "ytd", dim="forest") == (2, None)


def test_guests_of_today_are_those_of_the_local_day(teller: Teller) -> None:
    for date, guests in (("2026-03-04", 5), ("2026-03-05", 7), ("2026-02-28", 11)):
        teller.say("tourism.stay", {"admin_unit": "24778", "date": date, "guests": guests})
    assert teller.total("tourism_guests", "day", unit="24778") == (7, None)
    assert teller.total("tourism_guests", "mtd") == (12, None)


def test_a_school_of_either_register_is_one_of_its_own(teller: Teller) -> None:
    teller.say("education.facility", {"facility_id": "S", "cashless_tuition": True})
    teller.say("cashless.facility", {"facility_id": "S", "kind": "school", "accepts_cashless": False})
    teller.say("cashless.facility", {"facility_id": "M", "kind": "market_stall", "accepts_cashless": True})
    assert teller.total("schools_cashless") == (1, 2)
    assert teller.total("supermarkets_cashless") == (1, 1)


def test_communes_are_served_by_what_is_staffed_active_or_there(teller: Teller) -> None:
    teller.say("postal.point", {"point_id": "1", "admin_unit": "24778", "staffed": True})
    teller.say("postal.point", {"point_id": "2", "admin_unit": "24778", "staffed": True})
    teller.say("postal.point", {"point_id": "3", "admin_unit": "24781"})
    teller.say("community.team", {"team_id": "1", "admin_unit": "24781", "active": True})
    teller.say("loudspeaker.heartbeat", {"cluster_id": "1", "admin_unit": "24778", "online": False}, time=march(1))
    teller.say("loudspeaker.heartbeat", {"cluster_id": "1", "admin_unit": "24787", "online": False}, time=march(2))
    for kpi in ("postal_communes", "teams_communes", "loudspeaker_communes"):
        assert teller.total(kpi) == (1, len(UNITS))


CONNECTED = {"to the second": ("2026-03-04T09:37:21+07:00", 1), "a second more": ("2026-03-04T09:37:20+07:00", 0)}


@pytest.mark.parametrize(("last_ok_at", "connected"), CONNECTED.values(), ids=CONNECTED)
def test_a_required_system_was_heard_within_a_day(teller: Teller, last_ok_at: str, connected: int) -> None:
    said = {"connected": True, "required": True, "last_ok_at": last_ok_at}
    teller.say("lgsp.connection", {"system_id": "A", **said})
    teller.say("lgsp.connection", {"system_id": "B", **said, "required": False})
    assert teller.total("lgsp_connected") == (connected, 1)


REASONS = {"told": ("ngoài thẩm quyền", 1), "blank": ("  ", 0), "not told": (None, 0)}


@pytest.mark.parametrize(("reason", "answered"), REASONS.values(), ids=REASONS)
def test_a_refusal_answers_a_report_by_its_own_reason(teller: Teller, reason: str | None, answered: int) -> None:
    teller.say("report.submitted", {"report_id": "R", "submitted_at": march(3)}, time=march(3))
    for at, why in ((march(3), "chờ"), (march(4), reason)):
        teller.say("report.status_changed", {"report_id": "R", "status": "rejected", "at": at, "reason": why})
    assert teller.total("reports_answered", "r30d") == (answered, 1)


# ---- sources ---------------------------------------------------------------------------------------------------------


def _channel(teller: Teller, event_id: str, up: bool, *, system: str = "/vnpt", **fields: object) -> str:
    data: dict[str, object] = {"channel_id": "K", "up": up, "at": march(4), **fields}
    return teller.say("network.channel_state", data, event_id=event_id, system=system)


def _digitised(teller: Teller, event_id: str, components: int, *, system: str = "/x", **fields: object) -> str:
    data = {"dossier_id": "D", "components_total": 3, "components_digitised": components, "at": march(4), **fields}
    return teller.say("dossier.digitised", data, event_id=event_id, system=system, time=march(4))


def test_a_contradiction_tells_of_the_same_moment_what_nobody_told_before(teller: Teller) -> None:
    source = "/lam-dong/onestop/x"
    _digitised(teller, "1", 1)
    _digitised(teller, "2", 1, at="2026-03-04T01:00:00Z")  # the same again, in another offset
    _digitised(teller, "2a", 1, at=None)  # and with the envelope's time
    assert teller.total("source_clean", "day", dim=source) == (3, 3)
    _digitised(teller, "3", 2)
    _digitised(teller, "3", 3)  # a duplicate
    _digitised(teller, "4", 2, system="/y")  # two sources may differ
    _digitised(teller, "5", 2, at=march(3))
    assert teller.total("source_clean", "day", dim=source) == (4, 6)
    _digitised(teller, "6", 1)  # told before, though not by the one just before
    _digitised(teller, "7", 1, deleted=True)  # here and gone at the same moment
    _digitised(teller, "8", 2, deleted=True)  # gone, as the one before said
    assert teller.total("source_clean", "day", dim=source) == (6, 9)
    _digitised(teller, "9", 1, reused_components=1)  # a telling is compared as a whole
    assert teller.total("source_clean", "day", dim=source) == (6, 10)
    assert teller.total("source_clean", "day") == (7, 11)


def test_a_state_contradicts_nothing(teller: Teller) -> None:
    _channel(teller, "1", True)
    _channel(teller, "2", False)
    assert teller.total("source_clean", "day", dim="/lam-dong/network/vnpt") == (2, 2)


def test_a_day_ahead_of_the_clock_counts_in_its_own_period(teller: Teller) -> None:
    for day, guests in (("2026-03-31", 5), ("2026-04-01", 7), ("1990-01-01", 9)):
        said = {"admin_unit": "24778", "date": day, "guests": guests}
        assert teller.say("tourism.stay", {**said}) == "accepted"
    assert teller.total("tourism_guests", "mtd") == (5, None)


DELETED = {"null": (None, "accepted"), "false": (False, "accepted"), "text": ("true", "rejected"), "1": (1, "rejected")}


@pytest.mark.parametrize(("deleted", "outcome"), DELETED.values(), ids=DELETED)
def test_deleted_is_true_or_false(teller: Teller, deleted: object, outcome: str) -> None:
    assert _channel(teller, "1", True, deleted=deleted) == outcome
    assert _channel(teller, "2", True, at="2026-03-04t08:00:00z") == "accepted"  # RFC 3339 allows small letters


def test_a_rejected_event_counts_against_its_source_or_in_the_total_only(teller: Teller) -> None:
    _channel(teller, "1", True)
    assert _channel(teller, "2", True, at="2099-01-01T00:00:00Z") == "rejected"
    assert _channel(teller, "3", True, system="x") == "rejected"  # of no family: /lam-dong/networkx
    assert teller.total("source_valid", "1h", dim="/lam-dong/network/vnpt") == (1, 2)
    assert teller.total("source_valid", "day") == (1, 3)
    assert teller.groups("source_valid") == {("*", "", "/lam-dong/network/vnpt")}


def test_a_source_is_alive_while_its_newest_fact_is_as_new_as_it_promised(teller: Teller) -> None:
    teller.recount.registered = ("/lam-dong/postal",)
    teller.recount.promises = {"/lam-dong/network": timedelta(hours=25), "/lam-dong/network/vnpt": timedelta(hours=26)}
    _channel(teller, "1", True)  # 25 h 37 min 21 s ago
    _channel(teller, "1", True, system="/viettel")
    assert teller.total("source_alive") == (1, 3)


def test_a_centre_counts_while_its_summary_is_ten_minutes_old(teller: Teller) -> None:
    for system, at in (("/a", "09:27:21"), ("/b", "09:27:20"), ("/c", "09:40:00")):
        data: dict[str, object] = {"indicator_id": "x", "period": "2026", "admin_unit": "24778"}
        teller.say("indicator.reported", {**data, "as_of": f"2026-03-05T{at}+07:00"}, system=system)
    assert teller.total("ioc_centres") == (2, None)


# ---- what a reader of a difference is told ---------------------------------------------------------------------------


def test_a_difference_says_kpi_labels_expected_and_found(teller: Teller) -> None:
    teller.say(
        "violation.recorded", {"case_id": "1", "detected_at": march(1), "decision_at": march(2), "field": "forest"}
    )
    expected = teller.recount.figures(CLOCK)
    shown = Exported(figures=dict(expected))
    assert not differences(shown, expected)
    shown.figures["violations_fined", "*", "", "mtd", "forest"] = (2, 2, None)
    shown.figures["violations_fined", "*", "", "mtd", "culture"] = (1, 1, None)
    del shown.figures["bts_down", "*", "", "now", ""]
    text = report(differences(shown, expected), shown, expected)
    assert "1 KPIs are not exported at all (series expected): bts_down (1)" in text
    assert 'window="mtd", dim="forest"}: expected value 1, numerator 1, denominator None, found value 2' in text
    assert 'dim="culture"}: expected no series, found value 1' in text
