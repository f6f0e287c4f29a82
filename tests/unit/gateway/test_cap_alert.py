"""CAP 1.2: what the standard asks of an alert, each fault with its element and the fix, and XML that attacks."""

import time
import tracemalloc

import pytest

from ioc.errors import InvalidRecord
from ioc.gateway.cap_alert import CapAlert, read_alert
from ioc.gateway.cap_xml import MAX_XML_BYTES, parse_xml
from tests.unit.gateway.cap_samples import AREA, document, info, storm


def faults(body: bytes) -> list[tuple[str, str]]:
    found = read_alert(body)
    assert isinstance(found, tuple)
    return [(fault.reason, fault.field) for fault in found]


def test_an_alert_in_two_languages_is_read_whole() -> None:
    alert = read_alert(storm())
    assert isinstance(alert, CapAlert)
    assert (alert.identifier, alert.sender, alert.sent.isoformat()) == (
        "pctt-2026-0001",
        "pctt@lamdong.gov.vn",
        "2026-11-22T08:00:00+07:00",
    )
    assert [(info.language, info.event) for info in alert.infos] == [("vi-VN", "Mưa lớn"), ("en-US", "Heavy rain")]
    assert alert.infos[0].areas[0].polygons == (((108.4, 11.9), (108.5, 11.9), (108.5, 11.99), (108.4, 11.9)),)
    assert alert.infos[0].areas[0].geocodes == (("VN-GSO", "24781"),)


@pytest.mark.parametrize("name", ["identifier", "sender", "sent", "status", "msgType", "scope"])
def test_what_the_standard_asks_of_the_alert_is_named_where_it_is_missing_or_empty(name: str) -> None:
    assert faults(document({name: None})) == [("missing_field", f"alert/{name}")]
    assert faults(document({name: " "})) == [("missing_field", f"alert/{name}")]


@pytest.mark.parametrize("name", ["category", "event", "urgency", "severity", "certainty"])
def test_what_the_standard_asks_of_an_info_is_named_where_it_is_missing(name: str) -> None:
    assert faults(document({}, info() + info(without=name))) == [("missing_field", f"alert/info[2]/{name}")]


@pytest.mark.parametrize(
    ("values", "infos", "fault"),
    [
        ({"sent": "2026-11-22T08:00:00"}, None, ("bad_time", "alert/sent")),
        ({"sent": "22/11/2026 08:00"}, None, ("bad_time", "alert/sent")),
        ({"sent": "2026-02-30T08:00:00+07:00"}, None, ("bad_time", "alert/sent")),
        ({"sent": "9999-12-31T23:59:59-07:00"}, None, ("bad_time", "alert/sent")),
        ({"status": "actual"}, None, ("not_allowed", "alert/status")),
        ({"msgType": "Warning"}, None, ("not_allowed", "alert/msgType")),
        ({"scope": "Everybody"}, None, ("not_allowed", "alert/scope")),
        ({"scope": "Private"}, None, ("missing_field", "alert/addresses")),
        ({"scope": "Restricted"}, None, ("missing_field", "alert/restriction")),
        ({"identifier": "a b"}, None, ("bad_id", "alert/identifier")),
        ({"identifier": "a,b"}, None, ("bad_id", "alert/identifier")),
        ({"identifier": "x" * 151}, None, ("bad_id", "alert/identifier")),
        ({"msgType": "Update"}, None, ("missing_field", "alert/references")),
        ({"msgType": "Cancel"}, "", ("missing_field", "alert/references")),
        ({"msgType": "Cancel", "references": "pctt-2026-0001"}, "", ("bad_id", "alert/references")),
        ({"msgType": "Cancel", "references": "a,b,c"}, "", ("bad_id", "alert/references")),
        ({"msgType": "Cancel", "references": "a,b,2026-11-22T08:00:00Z " * 101}, "", ("bad_id", "alert/references")),
        ({}, "", ("missing_field", "alert/info")),
        ({}, info(area=""), ("missing_field", "alert/info[1]/area")),
        ({}, info(severity="Terrible"), ("not_allowed", "alert/info[1]/severity")),
        ({}, info(category="Weather"), ("not_allowed", "alert/info[1]/category")),
        ({}, info(expires="tomorrow"), ("bad_time", "alert/info[1]/expires")),
        ({}, info(event="x" * 8_001), ("too_large", "alert/info[1]/event")),
        ({}, info(area="<area></area>"), ("missing_field", "alert/info[1]/area[1]/areaDesc")),
        ({}, info(area=AREA.replace("11.90,108.50", "95,108.5")), ("wrong_type", "alert/info[1]/area[1]/polygon[1]")),
        ({}, info(area=AREA.replace("11.90,108.50", "nan,108.5")), ("wrong_type", "alert/info[1]/area[1]/polygon[1]")),
        ({}, info(area=AREA.replace("11.90,108.50", "9" * 400)), ("wrong_type", "alert/info[1]/area[1]/polygon[1]")),
        ({}, info(area=AREA.replace("11.99,108.50 ", "")), ("wrong_type", "alert/info[1]/area[1]/polygon[1]")),
        (
            {},
            info(area="<area><areaDesc>x</areaDesc><circle>11.9,108.4</circle></area>"),
            ("wrong_type", "alert/info[1]/area[1]/circle[1]"),
        ),
        (
            {},
            info(area=AREA.replace("<value>24781</value>", "")),
            ("missing_field", "alert/info[1]/area[1]/geocode[1]/value"),
        ),
    ],
)  # fmt: skip
def test_a_fault_names_the_element(values: dict[str, str | None], infos: str | None, fault: tuple[str, str]) -> None:
    assert faults(document(values) if infos is None else document(values, infos)) == [fault]


def test_one_answer_names_every_fault_with_the_fix_in_both_languages() -> None:
    found = read_alert(document({"status": "real", "sent": None}, info(without="urgency")))
    assert isinstance(found, tuple)
    assert [fault.field for fault in found] == ["alert/sent", "alert/status", "alert/info[1]/urgency"]
    assert "write one of Actual, Exercise, System, Test, Draft" in found[1].en
    assert "phải là một trong Actual, Exercise" in found[1].vi
    assert found[2].vi.startswith("Dòng 1: thiếu alert/info[1]/urgency")
    assert "add it: one of Immediate" in found[2].en


def test_a_document_that_is_all_faults_names_twenty() -> None:
    found = read_alert(document({}, info(severity="x") * 500))
    assert isinstance(found, tuple)
    assert len(found) == 20


def test_an_element_twice_is_a_fault_and_one_of_a_stranger_is_not() -> None:
    body = document({}).replace(b"<status>", b'<scope>Public</scope><x:y xmlns:x="urn:x"><x:z/></x:y><odd/><status>')
    assert faults(body) == [("not_allowed", "alert/scope")]


@pytest.mark.parametrize("sent", ["2026-11-22T01:00:00Z", "2026-11-22T01:00:00-00:00", "2026-11-22T08:00:00.123+07:00"])
def test_other_ways_to_write_the_time_are_taken(sent: str) -> None:
    assert isinstance(read_alert(storm(sent=sent)), CapAlert)


def test_a_cancel_needs_no_info() -> None:
    references = "a@b,c,2026-11-22T08:00:00+07:00\n d@e,f,2026-11-22T09:00:00+07:00"
    alert = read_alert(document({"msgType": "Cancel", "references": references}, ""))
    assert isinstance(alert, CapAlert)
    assert [reference.identifier for reference in alert.references] == ["c", "f"]


@pytest.mark.parametrize(
    "body",
    [
        storm().replace(b"cap:1.2", b"cap:1.1"),
        document({}, namespace=""),
        b"<feed xmlns='http://www.w3.org/2005/Atom'/>",
    ],
    ids=["CAP 1.1", "no namespace", "another document"],
)
def test_what_is_no_cap_1_2_is_told_so(body: bytes) -> None:
    assert faults(body) == [("not_cap", "alert")]


_LAUGHS = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))
HOSTILE = {
    "empty": b"",
    "blank": b"   ",
    "no XML": b'{"specversion": "1.0"}',
    "torn": storm()[:-20],
    "not UTF-8": storm().replace("Đ".encode(), b"\xd0"),
    "half of a surrogate pair": storm().replace("Đ".encode(), b"\xed\xa0\x80"),
    "a surrogate by number": storm().replace("Đ".encode(), b"&#xD800;"),
    "NUL": storm().replace("Đ".encode(), b"\x00"),
    "an encoding that does not exist": storm().replace(b"UTF-8", b"KLINGON"),
    "an encoding of several bytes": storm().replace(b"UTF-8", b"shift_jis"),
    "billion laughs": b'<!DOCTYPE alert [<!ENTITY l0 "ha">' + _LAUGHS + b"]><alert>&l9;</alert>",
    "external entity": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    "parameter entity": b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x"> %x;]><a/>',
    "external document type": b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd"><a/>',
    "an entity that nobody declared": b"<a>&x;</a>",
    "deep": b"<a>" * 100_000,
    "wide": b"<a>" + b"<b/>" * 20_000 + b"</a>",
    "an unknown prefix": b"<x:alert/>",
    "an attribute twice": b"<alert a='1' a='2'/>",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_hostile_xml_is_refused_in_little_time_and_memory(body: bytes) -> None:
    tracemalloc.start()
    began = time.process_time()
    try:
        found = read_alert(body)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(found, tuple)
    assert (found[0].reason, len(found)) == ("bad_xml", 1)
    assert "Dòng" in found[0].vi
    assert "line" in found[0].en
    assert peak_bytes < 20_000_000
    assert time.process_time() - began < 2


def test_a_document_over_the_limit_is_not_parsed() -> None:
    with pytest.raises(InvalidRecord, match="too_large"):
        parse_xml(b"<a>" + b" " * MAX_XML_BYTES)


def test_a_document_in_another_encoding_is_read() -> None:
    body = storm().decode().replace("UTF-8", "UTF-16").encode("utf-16")
    assert isinstance(read_alert(body), CapAlert)
