"""Accepting events: the three CloudEvents modes, and each reason to refuse one (semantics.md, "Accepting")."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from ioc.events import MAX_EVENT_BYTES, Event, Rejected
from tests.unit.domain.making import (
    BATCHED,
    NOW,
    STRUCTURED,
    at,
    attributes,
    binary,
    catalog,
    decoded,
    error_of,
    event,
    minutes,
    read,
    us,
)

DOSSIERS = "ioc.onestop.dossiers"
GOOD: Mapping[str, Any] = {
    "dossier_id": "H14-2026-1",
    "service_level": "full",
    "channel": "online",
    "submitted_at": at("20T08:00"),
}
RATED: Mapping[str, Any] = {"dossier_id": "D1", "score": 5, "at": at("07:00")}


def good(**changes: Any) -> dict[str, Any]:
    return {**GOOD, **changes}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name}


def reason_and_field(found: Event | Rejected) -> tuple[str, str]:
    error = error_of(found)
    assert error.vi, "says nothing in Vietnamese"
    assert error.en, "says nothing in English"
    return error.reason, error.field


def of_body(body: bytes) -> Event | Rejected:
    (found,) = read(DOSSIERS, binary(**attributes("dossier.submitted")), body)
    return found


# ---- accepted ------------------------------------------------------------------------------------------------------


def test_binary_mode_gives_the_fact_with_times_as_instants() -> None:
    found = event("dossier.submitted", good(agency_code="H14.01", due_at="2026-11-25T17:00:00+07:00"), event_id="a")
    values = dict(zip(found.type.stored, found.values, strict=True))
    assert (found.id, found.source, found.entity_id, found.partition_key) == (
        "a",
        "/lam-dong/onestop",
        *2 * ["H14-2026-1"],
    )
    assert values["submitted_at"] == us("20T08:00")
    assert values["due_at"] == us("25T17:00")
    assert values["agency_code"] == "H14.01"
    assert values["procedure_code"] is None
    assert found.order_us == us("07:00"), "the CloudEvents time, as the type's time_field says"
    assert not found.is_tombstone


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/cloudevents+json",
        b"application/cloudevents+json; charset=utf-8",
        b"Application/CloudEvents+JSON",
    ],
)
def test_structured_mode_gives_the_same_fact(content_type: bytes) -> None:
    envelope = {
        **attributes("dossier.submitted"),
        "data": GOOD,
        "traceparent": "00-0",
        "datacontenttype": "application/json",
    }
    (found,) = read(DOSSIERS, (("content-type", content_type),), orjson.dumps(envelope))
    direct = event("dossier.submitted", GOOD)
    assert isinstance(found, Event)
    assert found._replace(size_bytes=0) == direct._replace(size_bytes=0)


def test_batched_mode_gives_each_event_its_own_answer() -> None:
    parts = [
        {**attributes("dossier.submitted", event_id="1"), "data": GOOD},
        {**attributes("dossier.submitted", event_id="2"), "data": without("channel")},
        "no event",
        {**attributes("dossier.rated", event_id="4"), "data": RATED},
    ]
    found = read(DOSSIERS, BATCHED, orjson.dumps(parts))
    assert [item.id if isinstance(item, Event) else item.error.reason for item in found] == [
        "1",
        "missing_field",
        "bad_json",
        "4",
    ]


@pytest.mark.parametrize("body", [b"[]", b"[", b"{}", b"", b'[{"id": 1}'])
def test_an_unreadable_batch_is_one_rejected_event(body: bytes) -> None:
    (found,) = read(DOSSIERS, BATCHED, body)
    assert error_of(found).reason == "bad_json"


def test_unknown_fields_and_null_are_no_reason() -> None:
    found = event("dossier.submitted", good(colour="red", nested={"a": [1, {}]}, admin_unit=None, agency_code=None))
    assert found.values == event("dossier.submitted", GOOD).values


def test_null_in_a_required_field_is_not_known_and_is_no_reason() -> None:
    found = event("dossier.submitted", good(channel=None))
    assert found.values[found.type.position("channel")] is None


def test_dates_and_lists_are_kept_and_a_field_that_no_figure_reads_is_not() -> None:
    output = {"outlet_id": "O1", "date": "2026-11-20", "items": 3, "languages": ["vi", "en"]}
    assert event("press.output", output).values == ("O1", "2026-11-20", 3, None, ["vi", "en"])
    located = {
        "report_id": "R1",
        "submitted_at": at("20T08:00"),
        "geo": {"type": "Point", "coordinates": [108.4, 11.9]},
    }
    assert "geo" not in event("report.submitted", located).type.stored


def test_a_bare_date_is_its_local_midnight() -> None:
    data = {"facility_id": "F1", "cashless_tuition": True, "as_of": "2026-11-20"}
    assert event("education.facility", data).order_us == us("20T00:00")


def test_times_inside_a_key_are_compared_as_instants() -> None:
    reading = {"station_id": "S1", "kind": "rain", "value": 1.5}
    here = event("disaster.reading", {**reading, "at": "2026-11-22T07:00:00+07:00"})
    there = event("disaster.reading", {**reading, "at": "2026-11-22T00:00:00.000Z"})
    later = event("disaster.reading", {**reading, "at": "2026-11-22T00:00:00.001Z"})
    assert here.entity_id == there.entity_id != later.entity_id


def test_parts_of_a_key_can_not_be_shifted_into_each_other() -> None:
    def report(indicator: str, period: str) -> Event:
        data = {"indicator_id": indicator, "period": period, "admin_unit": "24781"}
        return event("indicator.reported", data)

    assert report("a", "bc").entity_id != report("ab", "c").entity_id


def test_ids_and_keys_are_not_normalised() -> None:
    composed, decomposed = (event("dossier.submitted", good(dossier_id=text)) for text in ("Đ\u00e9", "Đe\u0301"))
    assert composed.entity_id != decomposed.entity_id


def test_a_tombstone_needs_no_more_than_its_key() -> None:
    found = event("dossier.submitted", {"dossier_id": "D1", "deleted": True})
    assert (found.is_tombstone, found.entity_id) == (True, "D1")
    assert not event("dossier.submitted", good(deleted=False)).is_tombstone


# ---- the source rule -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["/lam-dong/onestop", "/lam-dong/onestop/dvcqg", "/lam-dong/onestop/igate/2"])
def test_every_source_of_a_family_may_send_all_its_types(source: str) -> None:
    assert event("dossier.submitted", GOOD, source=source).source == source
    assert event("dossier.rated", RATED, source=source).source == source


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("/lam-dong/onestopx", id="a longer word"),
        pytest.param("/lam-dong/onesto", id="a shorter word"),
        pytest.param("/lam-dong/citizen", id="another family"),
        pytest.param("/dak-lak/onestop", id="another province"),
        pytest.param("/lam-dong", id="no family"),
        pytest.param("lam-dong/onestop", id="no slash"),
        pytest.param("//lam-dong/onestop", id="two slashes"),
        pytest.param("/lam-dong//onestop", id="empty word"),
        pytest.param("/Lam-Dong/onestop", id="capitals"),
        pytest.param("/lam-dong/onestop\u0000", id="control character"),
        pytest.param("/lam-dong/onestop/" + "x" * 600, id="too long"),
        pytest.param("/lam-dong/citizen/../onestop", id="a path"),
        pytest.param("https://x/lam-dong/onestop", id="an address"),
    ],
)
def test_any_other_source_is_foreign(source: str) -> None:
    for _ in range(2):  # the second time from memory
        found = decoded("dossier.submitted", GOOD, source=source)
        assert reason_and_field(found) == ("foreign_source", "source")


# ---- reasons -------------------------------------------------------------------------------------------------------

TOO_DEEP = b'{"dossier_id": ' + b"[" * 100_000


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(without("dossier_id"), ("missing_field", "dossier_id"), id="no key"),
        pytest.param(without("channel"), ("missing_field", "channel"), id="no required field"),
        pytest.param(good(dossier_id=None), ("missing_field", "dossier_id"), id="a key not known"),
        pytest.param(good(channel="fax"), ("not_allowed", "channel"), id="outside the enumeration"),
        pytest.param(good(channel="Online"), ("not_allowed", "channel"), id="an enumeration has its case"),
        pytest.param(good(channel=1), ("wrong_type", "channel"), id="a number in an enumeration"),
        pytest.param(good(dossier_id=7), ("wrong_type", "dossier_id"), id="number for text"),
        pytest.param(good(agency_code=["H14"]), ("wrong_type", "agency_code"), id="list for text"),
        pytest.param(good(fee_due_vnd="1000"), ("wrong_type", "fee_due_vnd"), id="text for number"),
        pytest.param(good(fee_due_vnd=True), ("wrong_type", "fee_due_vnd"), id="truth for number"),
        pytest.param(good(fee_due_vnd=-1), ("out_of_range", "fee_due_vnd"), id="below the minimum"),
        pytest.param(good(deleted="yes"), ("wrong_type", "deleted"), id="text for deleted"),
        pytest.param(
            good(submitted_at="2026-11-20T08:00:00"), ("bad_time", "submitted_at"), id="a time without offset"
        ),
        pytest.param(good(submitted_at="20/11/2026 08:00"), ("bad_time", "submitted_at"), id="a time in words"),
        pytest.param(good(submitted_at="2026-11-31T08:00:00Z"), ("bad_time", "submitted_at"), id="no such day"),
        pytest.param(good(due_at="2026-11-20"), ("bad_time", "due_at"), id="a date for a time"),
        pytest.param(good(dossier_id=""), ("bad_id", "dossier_id"), id="an empty key"),
        pytest.param(good(dossier_id="a\x1fb"), ("bad_id", "dossier_id"), id="a separator in a key"),
        pytest.param(good(dossier_id="a\x00"), ("bad_id", "dossier_id"), id="NUL in a key"),
        pytest.param(good(dossier_id="a\u0085"), ("bad_id", "dossier_id"), id="a C1 control in a key"),
        pytest.param(good(dossier_id="a\x7f"), ("bad_id", "dossier_id"), id="DEL in a key"),
        pytest.param(good(dossier_id="x" * 513), ("bad_id", "dossier_id"), id="a key too long"),
        pytest.param(good(admin_unit="99999"), ("unknown_admin_unit", "admin_unit"), id="no commune of the province"),
        pytest.param(good(admin_unit=24781), ("wrong_type", "admin_unit"), id="a commune as a number"),
        pytest.param(
            good(submitted_at=at("1999-12-31T23:59:59")), ("time_too_old", "submitted_at"), id="before accept_since"
        ),
        pytest.param(good(submitted_at=at("08:15:00.000001")), ("time_in_future", "submitted_at"), id="in the future"),
    ],
)
def test_a_body_that_breaks_the_contract_is_refused_with_its_field(body: Any, expected: tuple[str, str]) -> None:
    assert reason_and_field(decoded("dossier.submitted", body)) == expected


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"", "bad_json", id="nothing"),
        pytest.param(b"{", "bad_json", id="cut off"),
        pytest.param(orjson.dumps(dict(GOOD)) + b"{}", "bad_json", id="two values"),
        pytest.param(b"\xff\xfe{}", "bad_json", id="no UTF-8"),
        pytest.param(
            orjson.dumps(good(dossier_id="@")).replace(b"@", b"\xc3\x28"), "bad_json", id="no UTF-8 in a text"
        ),
        pytest.param(
            orjson.dumps(good(dossier_id="@")).replace(b"@", b"\\ud800"), "bad_json", id="half a surrogate pair"
        ),
        pytest.param(orjson.dumps(good(fee_due_vnd=7)).replace(b":7", b":NaN"), "bad_json", id="NaN"),
        pytest.param(orjson.dumps(good(fee_due_vnd=7)).replace(b":7", b":Infinity"), "bad_json", id="Infinity"),
        pytest.param(
            orjson.dumps(good(fee_due_vnd=7)).replace(b":7", b":1e999"), "wrong_type", id="more than a double"
        ),
        pytest.param(b"[]", "wrong_type", id="a list"),
        pytest.param(b"null", "wrong_type", id="null"),
        pytest.param(TOO_DEEP, "wrong_type", id="nested where a text belongs"),
        pytest.param(TOO_DEEP.replace(b"dossier_id", b"other"), "bad_json", id="nested too deeply"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes, reason: str) -> None:
    assert error_of(of_body(body)).reason == reason


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"type": None}, ("missing_field", "type"), id="no type header"),
        pytest.param({"source": None}, ("missing_field", "source"), id="no source"),
        pytest.param({"id": None}, ("missing_field", "id"), id="no id"),
        pytest.param({"time": None}, ("missing_field", "time"), id="no time, and the type has none of its own"),
        pytest.param({"type": "vn.ioc.dossier.submitted.v2"}, ("unknown_type", "type"), id="unknown type"),
        pytest.param({"type": ""}, ("unknown_type", "type"), id="empty type"),
        pytest.param(
            {"type": "vn.ioc.camera.frame.v1"}, ("unknown_type", "type"), id="a frame is no department's event"
        ),
        pytest.param({"type": "vn.ioc.report.rated.v1"}, ("wrong_topic", "type"), id="type of another topic"),
        pytest.param({"id": ""}, ("bad_id", "id"), id="empty id"),
        pytest.param({"id": "a\nb"}, ("bad_id", "id"), id="line break in the id"),
        pytest.param({"id": "x" * 513}, ("bad_id", "id"), id="id too long"),
        pytest.param({"time": "2026-11-22T07:00:00"}, ("bad_time", "time"), id="time without offset"),
        pytest.param({"time": "yesterday"}, ("bad_time", "time"), id="no time at all"),
        pytest.param({"time": "1970-01-01T00:00:00Z"}, ("time_too_old", "time"), id="1970"),
        pytest.param({"time": "2099-01-01T00:00:00Z"}, ("time_in_future", "time"), id="2099"),
    ],
)
def test_wrong_attributes_are_refused(changes: dict[str, str | None], expected: tuple[str, str]) -> None:
    wanted = {**attributes("dossier.submitted"), **changes}
    headers = binary(**{name: text for name, text in wanted.items() if text is not None})
    (found,) = read(DOSSIERS, headers, orjson.dumps(dict(GOOD)))
    assert reason_and_field(found) == expected


@pytest.mark.parametrize("name", ["ce_type", "ce_source", "ce_id", "ce_time"])
def test_a_header_that_is_no_utf8_is_refused(name: str) -> None:
    headers = [(key, b"\xff" if key == name else text) for key, text in binary(**attributes("dossier.submitted"))]
    (found,) = read(DOSSIERS, headers, orjson.dumps(dict(GOOD)))
    reason, field = reason_and_field(found)
    assert reason == "bad_header"
    assert name in field


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"id": 7}, ("wrong_type", "id"), id="a number as id"),
        pytest.param({"time": 7}, ("wrong_type", "time"), id="a number as time"),
        pytest.param({"source": None}, ("missing_field", "source"), id="no source"),
        pytest.param({"data": None}, ("wrong_type", "data"), id="data is null"),
        pytest.param({"data": "text"}, ("wrong_type", "data"), id="data is text"),
        pytest.param({"data_base64": "e30="}, ("bad_json", "data_base64"), id="base64"),
    ],
)
def test_a_wrong_envelope_is_refused(changes: dict[str, Any], expected: tuple[str, str]) -> None:
    envelope = {**attributes("dossier.submitted"), "data": GOOD, **changes}
    (found,) = read(DOSSIERS, STRUCTURED, orjson.dumps(envelope))
    assert reason_and_field(found) == expected


def test_a_refused_event_names_its_source_where_it_can_be_read() -> None:
    found = decoded("dossier.submitted", without("channel"), source="/lam-dong/onestop/igate")
    assert isinstance(found, Rejected)
    assert found.source == "/lam-dong/onestop/igate"
    (unreadable,) = read(DOSSIERS, STRUCTURED, b"{")
    assert isinstance(unreadable, Rejected)
    assert unreadable.source == ""


def test_a_camera_that_is_not_registered_is_refused() -> None:
    data = {"camera_id": "cam-99", "online": True, "last_frame_age_s": 1}
    assert reason_and_field(decoded("camera.heartbeat", data)) == ("unknown_camera", "camera_id")


@pytest.mark.parametrize("score", [0, 6])
def test_a_number_outside_its_bounds_is_refused(score: int) -> None:
    assert reason_and_field(decoded("dossier.rated", {**RATED, "score": score})) == ("out_of_range", "score")


# ---- times and sizes -----------------------------------------------------------------------------------------------


def test_the_clock_plus_15_minutes_is_still_accepted_for_both_times() -> None:
    edge = (NOW + minutes(15)).isoformat()
    found = event("dossier.submitted", good(submitted_at=edge), time="08:15:00")
    assert found.order_us == us("08:15")


def test_the_first_instant_of_accept_since_is_accepted() -> None:
    assert event("dossier.submitted", good(submitted_at=at("2000-01-01T00:00")), time="2000-01-01T00:00")
    found = decoded("dossier.submitted", GOOD, time="1999-12-31T23:59:59.999999")
    assert reason_and_field(found) == ("time_too_old", "time")


def test_a_due_date_may_lie_in_the_future() -> None:
    assert event("dossier.submitted", good(due_at=at("2027-03-01T17:00")))


def test_a_facts_own_time_beats_the_cloudevents_time_and_does_without_it() -> None:
    data = {"dossier_id": "D1", "status": "resolved", "at": at("20T09:00")}
    assert event("dossier.status_changed", data, time="07:00").order_us == us("20T09:00")
    assert event("dossier.status_changed", data, time=None).order_us == us("20T09:00")


def test_the_cloudevents_time_is_checked_also_where_the_fact_has_its_own() -> None:
    data = {"dossier_id": "D1", "status": "resolved", "at": at("20T09:00")}
    assert reason_and_field(decoded("dossier.status_changed", data, time="08:15:01")) == ("time_in_future", "time")
    late = {**data, "at": at("08:15:01")}
    assert reason_and_field(decoded("dossier.status_changed", late)) == ("time_in_future", "at")


def test_an_event_of_256_kib_is_accepted_and_one_byte_more_is_not() -> None:
    body = orjson.dumps(dict(GOOD))
    padded = body + b" " * (MAX_EVENT_BYTES - len(body))
    assert MAX_EVENT_BYTES == 256 * 1024
    assert isinstance(of_body(padded), Event)
    assert reason_and_field(of_body(padded + b" ")) == ("too_large", "data")


def test_in_a_batch_the_limit_is_for_each_event() -> None:
    part = {**attributes("dossier.submitted"), "data": good(note="x" * 200_000)}
    found = read(DOSSIERS, BATCHED, orjson.dumps([part, part, {**part, "data": good(note="x" * 300_000)}]))
    assert [item.error.reason if isinstance(item, Rejected) else "accepted" for item in found] == [
        "accepted",
        "accepted",
        "too_large",
    ]


def test_a_long_text_is_shortened_in_the_row_and_an_id_never() -> None:
    found = event(
        "dossier.status_changed",
        {"dossier_id": "x" * 512, "status": "rejected", "at": at("07:00"), "reason": "y" * 9_000},
    )
    assert found.entity_id == "x" * 512
    reason = found.values[found.type.position("reason")]
    assert isinstance(reason, str)
    assert 0 < len(reason) < 9_000


# ---- the starting catalogue ----------------------------------------------------------------------------------------


def test_the_family_of_a_type_is_the_second_word_of_its_topic() -> None:
    assert {t.family for t in catalog().event_types.values() if t.topic.startswith("ioc.onestop.")} == {"onestop"}


@pytest.mark.parametrize("topic", ["ioc.citizen.reports", "ioc.onestop.payments", "", "ioc.dead-letters"])
def test_a_right_event_on_another_topic_is_refused(topic: str) -> None:
    (found,) = read(topic, binary(**attributes("dossier.submitted")), orjson.dumps(dict(GOOD)))
    assert reason_and_field(found) == ("wrong_topic", "type")
