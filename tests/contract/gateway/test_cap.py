"""POST /v1/cap: one answer an alert, and what reaches Kafka."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from fastapi import APIRouter

from ioc.errors import TransientError
from ioc.gateway.cap import router
from tests.contract.gateway.asking import Answer, ask
from tests.contract.gateway.doors import CIVIL_DEFENCE, HEALTH, Doors
from tests.unit.gateway.cap_samples import document, info, storm


@pytest.fixture
def doors(tmp_path: Path) -> Doors:
    return Doors(tmp_path)


def post(
    door: APIRouter,
    body: bytes,
    *,
    token: str = CIVIL_DEFENCE,
    media: str = "application/cap+xml",
    language: str = "",
    path: str = "/v1/cap",
) -> Answer:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": media, "Accept-Language": language}
    return ask(door, "POST", path, body=body, headers=headers)


def data(doors: Doors) -> list[dict[str, Any]]:
    return [orjson.loads(record.value)["data"] for record in doors.carrier.records]


def test_an_alert_is_answered_once_it_is_in_kafka_and_a_repeat_is_a_duplicate(doors: Doors) -> None:
    door = router(doors.services)
    first, second = post(door, storm()), post(door, storm(), media="application/xml; charset=utf-8")
    assert (first.status, second.status) == (202, 200)
    assert (first.json["outcome"], second.json["outcome"]) == ("accepted", "duplicate")
    assert first.json["admin_units"] == ["24781"]
    assert first.json["results"][0]["source"] == "/lam-dong/disaster"
    assert [record.topic for record in doors.carrier.records] == ["ioc.disaster.alerts"]


@pytest.mark.parametrize("status", ["Exercise", "Test", "System", "Draft"])
def test_what_is_not_real_is_checked_and_never_published(doors: Doors, status: str) -> None:
    answer = post(router(doors.services), storm(status=status))
    assert (answer.status, answer.json["is_published"], doors.carrier.records) == (200, False, [])
    assert answer.json["note_vi"]
    assert answer.json["note_en"]


def test_the_sandbox_judges_and_publishes_nothing(doors: Doors) -> None:
    door = router(doors.services)
    answers = [post(door, body, path="/v1/sandbox/cap") for body in (storm(), storm(), storm(sent=None))]
    assert [answer.status for answer in answers] == [200, 200, 422]
    assert answers[1].json["results"][0]["topic"] == "ioc.disaster.alerts"
    assert (answers[0].json["is_published"], doors.carrier.records, doors.refused) == (False, [], [])


def test_an_update_and_a_cancel_find_the_alert_behind_them(doors: Doors) -> None:
    door = router(doors.services)
    reference = "pctt@lamdong.gov.vn,{},{}"
    assert post(door, storm()).status == 202
    update = {"msgType": "Update", "identifier": "u1", "sent": "2026-11-22T07:55:00+07:00"}
    update["references"] = reference.format("pctt-2026-0001", "2026-11-22T08:00:00+07:00")
    assert post(door, document(update, info(severity="Extreme"))).json["alerts"] == ["pctt-2026-0001"]
    cancel = {"msgType": "Cancel", "identifier": "c1", "sent": "2026-11-22T07:59:00+07:00"}
    cancel["references"] = reference.format("u1", "2026-11-22T07:55:00+07:00")
    assert post(door, document(cancel, "")).json["alerts"] == ["pctt-2026-0001"]
    alert, update_told, tombstone = data(doors)
    assert (alert["sent"], "sent" in update_told, update_told["severity"]) == (
        "2026-11-22T08:00:00+07:00",
        False,
        "Extreme",
    )
    assert (tombstone["identifier"], tombstone["deleted"]) == ("pctt-2026-0001", True)


def test_every_fault_of_a_document_is_told_in_the_readers_language(doors: Doors) -> None:
    body = document({"status": "real", "sent": None})
    answer = post(router(doors.services), body, language="en")
    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
    assert [fault["field"] for fault in answer.json["faults"]] == ["alert/sent", "alert/status"]
    assert answer.json["detail"] == answer.json["message_en"]
    assert [(name, error.field) for name, error in doors.refused] == [("phong-chong-thien-tai", "alert/sent")]


def test_what_the_catalogue_refuses_is_told_by_the_element(doors: Doors) -> None:
    answer = post(router(doors.services), storm(sent="2026-11-22T09:00:00+07:00"))
    assert (answer.status, answer.json["reason"], answer.json["field"]) == (422, "time_in_future", "alert/sent")


def test_a_department_that_has_no_alerts_to_tell_is_refused(doors: Doors) -> None:
    answer = post(router(doors.services), storm(), token=HEALTH)
    assert (answer.status, answer.json["reason"], doors.carrier.records) == (403, "not_your_source", [])


def test_an_alert_that_is_too_much_for_an_event_says_what_to_shorten(doors: Doors) -> None:
    words = "".join(info(f"l{number}", description="x" * 7_999, instruction="y" * 7_999) for number in range(20))
    ring = "11.1,108.1 " * 4_999 + "11.1,108.1"
    area = f"<area><areaDesc>x</areaDesc>{f'<polygon>{ring}</polygon>' * 6}</area>"
    answer = post(router(doors.services), document({}, words + info(area=area)))
    assert (answer.status, answer.json["reason"], answer.json["field"]) == (422, "too_large", "alert/info")
    assert doors.carrier.records == []


@pytest.mark.parametrize("kind", ["Ack", "Error"])
def test_a_message_that_warns_of_nothing_is_refused_with_the_way_to_go(doors: Doors, kind: str) -> None:
    references = "a@b,c,2026-11-22T07:00:00+07:00"
    answer = post(router(doors.services), document({"msgType": kind, "references": references}, ""))
    assert (answer.status, answer.json["field"]) == (422, "alert/msgType")
    assert "disaster.alert_acknowledged" in answer.json["message_vi"]


def test_who_has_no_token_sends_no_alert(doors: Doors) -> None:
    assert post(router(doors.services), storm(), token="x").status == 401


def test_json_is_told_that_xml_is_wanted(doors: Doors) -> None:
    assert post(router(doors.services), b"{}", media="application/json").status == 415


def test_while_kafka_is_away_nothing_is_acknowledged(doors: Doors) -> None:
    doors.carrier.error = TransientError("no broker")
    answer = post(router(doors.services), storm())
    assert (answer.status, answer.headers["retry-after"]) == (503, "2")
    doors.carrier.error = None
    assert post(router(doors.services), storm()).json["outcome"] == "accepted"
