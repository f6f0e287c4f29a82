"""What may go to Kafka, where it goes, and the reason where it may not."""

from typing import Any

import orjson
import pytest

from ioc.errors import InvalidRecord
from ioc.events import MAX_EVENT_BYTES, Event
from tests.unit.domain.making import NOW_US, attributes, catalog, read
from tests.unit.publishing.making import dossier_line, judge


def refused(body: bytes) -> InvalidRecord:
    with pytest.raises(InvalidRecord) as caught:
        judge().judge(body, NOW_US)
    return caught.value


def test_a_valid_event_goes_to_the_topic_of_its_type_under_its_partition_key_byte_for_byte() -> None:
    body = dossier_line(7)
    outgoing = judge().judge(body, NOW_US)
    assert (outgoing.topic, outgoing.key, outgoing.value) == ("ioc.onestop.dossiers", b"H36.31-000007", body)
    (found,) = read(outgoing.topic, outgoing.headers, outgoing.value)
    assert isinstance(found, Event)
    assert found.partition_key.encode() == outgoing.key


@pytest.mark.parametrize(
    ("type_name", "data", "topic", "key"),
    [
        ("report.submitted", {"report_id": "R1", "submitted_at": "2026-11-20T08:00:00Z"}, "ioc.citizen.reports", b"R1"),
        ("dossier.submitted", {"dossier_id": "Hồ sơ 1", "deleted": True}, "ioc.onestop.dossiers", "Hồ sơ 1".encode()),
        (
            "camera.heartbeat",
            {"camera_id": "cam-01", "online": True, "last_frame_age_s": 1},
            "ioc.camera.health",
            b"cam-01",
        ),
        ("tourism.stay", {"admin_unit": "24781", "date": "2026-11-01"}, "ioc.tourism.stays", b"24781"),
    ],
)
def test_the_type_decides_topic_and_key(type_name: str, data: dict[str, Any], topic: str, key: bytes) -> None:
    outgoing = judge().judge(orjson.dumps({**attributes(type_name), "data": data}), NOW_US)
    assert (outgoing.topic, outgoing.key) == (topic, key)


@pytest.mark.parametrize(
    ("body", "reason", "field"),
    [
        pytest.param(b"{", "bad_json", "data", id="torn"),
        pytest.param(b"null", "bad_json", "data", id="null"),
        pytest.param(b"[" + dossier_line() + b"]", "bad_json", "data", id="an array"),
        pytest.param(dossier_line() + b" {}", "bad_json", "data", id="two events"),
        pytest.param(b'{"a":' + b"[" * 100_000, "bad_json", "data", id="deep nesting"),
        pytest.param(dossier_line().replace(b'"full"', b"NaN"), "bad_json", "data", id="NaN"),
        pytest.param(b'{"type":"\xff\xfe"}', "not_utf8", "", id="not UTF-8"),
        pytest.param(dossier_line().decode().encode("utf-16"), "not_utf8", "", id="UTF-16"),
        pytest.param("Hô".encode("cp1258"), "not_utf8", "", id="Windows-1258"),
        pytest.param(b'{"x":"\xed\xa0\x80"}', "not_utf8", "", id="half of a surrogate pair"),
        pytest.param(dossier_line(without="id"), "missing_field", "id", id="no id"),
        pytest.param(dossier_line(id=None), "missing_field", "id", id="id null"),
        pytest.param(dossier_line(id=""), "bad_id", "id", id="id empty"),
        pytest.param(dossier_line(id=7), "wrong_type", "id", id="id a number"),
        pytest.param(dossier_line(without="time"), "missing_field", "time", id="no time"),
        pytest.param(dossier_line(time=""), "missing_field", "time", id="time empty"),
        pytest.param(dossier_line(time="yesterday"), "bad_time", "time", id="no time at all"),
        pytest.param(dossier_line(time=1763600000), "wrong_type", "time", id="time a number"),
        pytest.param(dossier_line(time="2099-01-01T00:00:00Z"), "time_in_future", "time", id="time in 2099"),
        pytest.param(dossier_line(time="1970-01-01T00:00:00Z"), "time_too_old", "time", id="time in 1970"),
        pytest.param(dossier_line(without="type"), "missing_field", "type", id="no type"),
        pytest.param(dossier_line(type=["x"]), "wrong_type", "type", id="type a list"),
        pytest.param(dossier_line(type="vn.ioc.nothing.v1"), "unknown_type", "type", id="unknown type"),
        pytest.param(dossier_line(without="source"), "missing_field", "source", id="no source"),
        pytest.param(dossier_line(source="/lam-dong/citizen"), "foreign_source", "source", id="another family"),
        pytest.param(dossier_line(source="/ha-noi/onestop"), "foreign_source", "source", id="another province"),
        pytest.param(dossier_line(source="/lam-dong/onestopx"), "foreign_source", "source", id="a longer word"),
        pytest.param(dossier_line(data={"channel": "pigeon"}), "not_allowed", "channel", id="not in the list"),
        pytest.param(dossier_line(data={"dossier_id": None}), "missing_field", "dossier_id", id="a key that is null"),
        pytest.param(dossier_line(data={"admin_unit": "99999"}), "unknown_admin_unit", "admin_unit", id="unknown unit"),
        pytest.param(dossier_line(data={"note": "x" * MAX_EVENT_BYTES}), "too_large", "data", id="too large"),
        pytest.param(dossier_line(type="vn.ioc.incident.action.v1"), "product_type", "type", id="the product's own"),
        pytest.param(dossier_line(type="vn.ioc.camera.frame.v1"), "product_type", "type", id="a frame"),
    ],
)
def test_what_breaks_the_contract_has_a_reason_and_two_sentences(body: bytes, reason: str, field: str) -> None:
    error = refused(body)
    assert (error.reason, error.field) == (reason, field)
    assert error.vi
    assert error.en
    assert error.vi != error.en


def test_who_forgets_the_id_learns_what_it_is_for() -> None:
    error = refused(dossier_line(without="id"))
    assert "gửi lại" in error.vi
    assert "resend" in error.en


def test_no_type_that_only_the_product_writes_is_taken() -> None:
    departments = set(catalog().department_topics())
    own = [each for each in catalog().event_types.values() if each.topic not in departments]
    assert own
    for event_type in own:
        body = orjson.dumps({**attributes(event_type.name), "data": {}})
        assert refused(body).reason == "product_type"
