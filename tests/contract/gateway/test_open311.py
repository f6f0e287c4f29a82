"""Open311 GeoReport v2: reports in, what became of them out, both formats, errors as the standard has them."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import orjson
import pytest
from fastapi import APIRouter

from ioc.errors import ConfigurationError, InvalidRecord, TransientError
from ioc.gateway.open311 import router
from ioc.gateway.open311_form import read_form
from ioc.gateway.open311_format import render
from ioc.gateway.open311_index import Fact, Query, ReportIndex
from ioc.gateway.open311_services import load_report_services
from tests.contract.gateway.asking import Answer, ask
from tests.contract.gateway.doors import CITIZENS, HEALTH, Doors
from tests.unit.domain.making import NOW, catalog, copy_of_catalog

FORM = {
    "api_key": CITIZENS,
    "service_code": "environment",
    "attribute[admin_unit]": "24781",
    "lat": "11.94",
    "long": "108.44",
    "description": "Rác đổ trộm, gọi 0912345678",
    "email": "an@example.vn",
}
OPEN311 = "/open311/v2"


@pytest.fixture
def doors(tmp_path: Path) -> Doors:
    return Doors(tmp_path)


def post(door: APIRouter, form: dict[str, str], *, format: str = "json", **headers: str) -> Answer:
    told = {"Content-Type": "application/x-www-form-urlencoded", **{k.replace("_", "-"): v for k, v in headers.items()}}
    return ask(door, "POST", f"{OPEN311}/requests.{format}", body=urlencode(form).encode(), headers=told)


def get(door: APIRouter, path: str, **headers: str) -> Answer:
    return ask(door, "GET", OPEN311 + path, headers={k.replace("_", "-"): v for k, v in headers.items()})


def test_the_services_are_the_catalogues_in_both_languages_and_formats(doors: Doors) -> None:
    door = router(doors.services)
    told = get(door, "/services.json").json
    assert {service["service_code"] for service in told} >= {"environment", "urban_order", "other"}
    assert "Môi trường" in [service["service_name"] for service in told]
    xml = ElementTree.fromstring(get(door, "/services.xml", Accept_Language="en").body)
    assert (xml.tag, xml[3].findtext("service_name"), xml[3].findtext("metadata")) == (
        "services",
        "Environment",
        "true",
    )


def test_a_service_asks_for_the_commune(doors: Doors) -> None:
    door = router(doors.services)
    (attribute,) = get(door, "/services/forest.json").json["attributes"]
    assert (attribute["code"], attribute["required"], len(attribute["values"])) == ("admin_unit", True, 124)
    assert "24781" in [value["key"] for value in attribute["values"]]
    xml = ElementTree.fromstring(get(door, "/services/forest.xml").body)
    assert xml.findtext("attributes/attribute/values/value/key") == attribute["values"][0]["key"]
    assert get(door, "/services/nothing.json").json == [{"code": 404, "description": "Không có loại phản ánh này."}]


def test_a_report_becomes_an_event_without_its_reporter(doors: Doors) -> None:
    door = router(doors.services)
    answer = post(door, FORM)
    assert answer.status == 201
    (record,) = doors.carrier.records
    event = orjson.loads(record.value)
    assert (record.topic, record.key.decode()) == ("ioc.citizen.reports", answer.json[0]["service_request_id"])
    data = event["data"]
    assert (event["source"], data["service_code"], data["ward_code"]) == ("/lam-dong/citizen", "environment", "24781")
    assert data["geo"] == {"type": "Point", "coordinates": [108.44, 11.94]}
    assert (data["channel"], len(data["reporter_hash"])) == ("open311", 32)
    assert b"an@example.vn" not in record.value


def test_the_same_person_has_the_same_hash_and_another_gateway_another(doors: Doors, tmp_path: Path) -> None:
    def hash_at(where: Doors, **form: str) -> str:
        post(router(where.services), {**FORM, **form})
        return str(orjson.loads(where.carrier.records[-1].value)["data"]["reporter_hash"])

    assert hash_at(doors) == hash_at(doors, email="AN@example.vn") != hash_at(doors, email="binh@example.vn")
    assert hash_at(Doors(tmp_path / "other")) != hash_at(doors)


def test_a_repeat_with_the_same_idempotency_key_is_the_same_report(doors: Doors) -> None:
    door = router(doors.services)
    first, second = (post(door, FORM, Idempotency_Key="7f3a").json[0]["service_request_id"] for _ in range(2))
    assert first == second != post(door, FORM, Idempotency_Key="7f3b").json[0]["service_request_id"]
    assert len(doors.carrier.records) == 2


@pytest.mark.parametrize(
    ("change", "code", "named"),
    [
        ({"service_code": ""}, 400, "service_code"),
        ({"service_code": "aliens"}, 400, "service_code"),
        ({"attribute[admin_unit]": ""}, 400, "attribute[admin_unit]"),
        ({"attribute[admin_unit]": "99999"}, 400, "attribute[admin_unit]"),
        ({"lat": ""}, 400, "lat"),
        ({"lat": "91"}, 400, "lat"),
        ({"long": "NaN"}, 400, "long"),
        ({"long": "9" * 400}, 400, "long"),
        ({"description": "x" * 4_001}, 400, "description"),
        ({"api_key": "wrong"}, 403, ""),
        ({"api_key": HEALTH}, 400, "/lam-dong/citizen"),
        ({"jurisdiction_id": "hue"}, 404, "jurisdiction_id"),
    ],
)
def test_a_form_that_can_not_be_taken_is_told_as_the_standard_tells_errors(
    doors: Doors, change: dict[str, str], code: int, named: str
) -> None:
    answer = post(router(doors.services), {**FORM, **change})
    (error,) = answer.json
    assert (answer.status, error["code"], doors.carrier.records) == (code, code, [])
    assert named in error["description"]
    xml = ElementTree.fromstring(post(router(doors.services), {**FORM, **change}, format="xml").body)
    assert xml.findtext("error/code") == str(code)


def test_an_address_stands_for_a_place_on_the_map(doors: Doors) -> None:
    form = {**FORM, "lat": "", "long": "", "address_string": "1 Trần Phú"}
    assert post(router(doors.services), form).status == 201
    assert "geo" not in orjson.loads(doors.carrier.records[0].value)["data"]


def test_while_kafka_is_away_or_the_department_too_fast_the_report_is_to_come_again(doors: Doors) -> None:
    door = router(doors.services)
    doors.carrier.error = TransientError("no broker")
    away = post(door, FORM)
    assert (away.status, away.headers["retry-after"], away.json[0]["code"]) == (503, "2", 503)
    doors.is_too_fast = True
    fast = post(door, FORM)
    assert (fast.status, fast.headers["retry-after"], fast.json[0]["code"]) == (429, "3", 429)


def test_what_a_citizen_wrote_is_shown_to_departments_only(doors: Doors) -> None:
    door = router(doors.services)
    report_id = post(door, FORM).json[0]["service_request_id"]
    (public,) = get(door, f"/requests/{report_id}.json").json
    assert (public["status"], public["description"], public["lat"]) == ("open", None, 11.94)
    assert public["service_name"] == "Môi trường"
    (whole,) = get(door, f"/requests.json?service_request_id={report_id}&api_key={CITIZENS}").json
    assert whole["description"] == FORM["description"]
    assert get(door, "/requests.json?api_key=wrong").status == 403
    (other,) = get(door, f"/requests.json?api_key={HEALTH}").json
    assert other["description"] is None, "health has nothing to do with reports"
    xml = ElementTree.fromstring(get(door, f"/requests/{report_id}.xml").body)
    assert xml.findtext("request/service_request_id") == report_id
    assert get(door, f"/tokens/{report_id}.json").json == [{"service_request_id": report_id, "token": report_id}]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 1), ("?status=open", 1), ("?status=closed", 0), ("?status=open,closed", 1), ("?service_code=forest", 0),
        ("?service_code=forest,environment", 1), ("?start_date=2026-11-22T08:00:00%2B07:00", 1),
        ("?start_date=2026-11-22T01:00:01Z", 0), ("?end_date=2026-11-22T00:59:59Z", 0),
        ("?end_date=2026-11-22T08:00:00+07:00", 1), ("?service_request_id=other", 0),
    ],
)  # fmt: skip
def test_reports_are_found_by_what_is_asked_for(doors: Doors, query: str, found: int) -> None:
    door = router(doors.services)
    post(door, FORM)
    assert len(get(door, f"/requests.json{query}").json) == found


@pytest.mark.parametrize("query", ["?status=lost", "?start_date=yesterday", "?end_date=2026-11-22T08:00:00"])
def test_a_question_that_makes_no_sense_is_told_so(doors: Doors, query: str) -> None:
    answer = get(router(doors.services), f"/requests.json{query}")
    assert (answer.status, answer.json[0]["code"]) == (400, 400)


def test_what_is_not_known_names_what_the_view_covers(doors: Doors) -> None:
    answer = get(router(doors.services), "/requests/x.json", Accept_Language="en")
    assert answer.json == [
        {"code": 404, "description": "there is no such report among those since 2026-08-24T08:00:00+07:00"}
    ]


@pytest.mark.parametrize("host", ["[", "a b", "x/../y", "", "\u00ff"])
def test_a_host_that_is_none_breaks_nothing(doors: Doors, host: str) -> None:
    answer = get(router(doors.services), "/discovery.json", Host=host)
    assert answer.status == 200
    assert answer.json["endpoints"][0]["url"].endswith("/open311/v2")


def test_the_discovery_names_the_endpoint(doors: Doors) -> None:
    (endpoint,) = get(router(doors.services), "/discovery.json").json["endpoints"]
    assert (endpoint["url"], endpoint["type"]) == ("http://127.0.0.1:8080/open311/v2", "production")


def test_a_multipart_form_is_told_to_send_an_address(doors: Doors) -> None:
    answer = post(router(doors.services), FORM, Content_Type="multipart/form-data; boundary=x")
    assert (answer.status, answer.json[0]["code"]) == (415, 415)


@pytest.mark.parametrize("body", [b"a=%FF", b"\xff=1", b"&".join(b"a=1" for _ in range(101)), b"x=" + b"y" * 70_000])
def test_a_form_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRecord, match=r"bad_form|too_large"):
        read_form(body)


def test_signs_that_xml_can_not_hold_are_replaced() -> None:
    body = render("errors", [{"code": 400, "description": "a\x00b\x0b<&>\ud800"}], "xml")
    assert ElementTree.fromstring(body).findtext("error/description") == "a\ufffdb\ufffd<&>\ufffd"


def fact(
    kind: str, hour: int, event_id: str = "", *, report_id: str = "r1", deleted: bool = False, **data: Any
) -> Fact:
    at_us = int((NOW.timestamp() + hour * 3600) * 1_000_000)
    return Fact(
        type=f"report.{kind}",
        report_id=report_id,
        event_id=event_id or f"{kind}{hour}",
        at_us=at_us,
        is_tombstone=deleted,
        data=data,
    )


LIFE = (
    fact(
        "submitted", 0, submitted_at="2026-11-22T08:00:00+07:00", service_code="forest", due_at="2026-11-22T14:00:00Z"
    ),
    fact("status_changed", 1, status="accepted", agency_code="H36.31"),
    fact("status_changed", 3, status="rejected", reason="Trùng", due_at="2026-11-29T14:00:00Z"),
    fact("status_changed", 2, status="assigned"),
)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1), (1, 1, 2, 0, 3, 2)])
def test_the_view_is_the_same_in_whatever_order_facts_come(order: tuple[int, ...]) -> None:
    index = ReportIndex(covers_since=NOW)
    for number in order:
        index.add(LIFE[number])
    (report,) = index.find(Query())
    assert (report.state, report.status, report.reason, report.agency) == ("closed", "rejected", "Trùng", "H36.31")
    assert report.due_at == "2026-11-22T14:00:00Z"


def test_a_repeat_under_the_same_id_tells_nothing() -> None:
    index = ReportIndex(covers_since=NOW)
    for hour in (0, 1):
        index.add(fact("submitted", hour, "same", service_code=f"code{hour}"))
    assert [report.service_code for report in index.find(Query())] == ["code0"]


def test_a_report_that_was_taken_back_is_not_shown_until_a_later_fact() -> None:
    index = ReportIndex(covers_since=NOW)
    for one in (LIFE[0], fact("submitted", 2, deleted=True)):
        index.add(one)
    assert index.find(Query()) == []
    index.add(LIFE[2])
    assert len(index.find(Query())) == 1


def test_the_view_is_bounded_and_says_so() -> None:
    index = ReportIndex(covers_since=NOW - timedelta(days=90), max_reports=3)
    for hour in range(5):
        index.add(fact("submitted", hour, report_id=f"r{hour}"))
    assert [report.report_id for report in index.find(Query())] == ["r4", "r3", "r2"]
    assert index.covers_since == NOW + timedelta(hours=1)


def test_without_its_file_the_door_takes_reports_of_one_kind(tmp_path: Path) -> None:
    from ioc.catalog import load_catalog

    folder = copy_of_catalog(tmp_path / "c", lambda path: path.stem == "reports_received")
    (folder / "report_services.yaml").write_text("a: {name_vi: x}", encoding="utf-8")
    copied = load_catalog(folder)
    with pytest.raises(ConfigurationError, match="name_en"):
        load_report_services(copied)
    (folder / "report_services.yaml").unlink()
    assert [service.code for service in load_report_services(copied)] == ["other"]
    assert len(load_report_services(catalog())) == 9
