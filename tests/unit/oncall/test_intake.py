from typing import Any

import orjson
import pytest

from ioc.errors import InvalidRecord
from ioc.incidents import INCIDENT_TYPE
from ioc.oncall.intake import notice_key, parse_incident
from tests.unit.oncall.making import SMOKE, record


def test_incident_survives_the_wire() -> None:
    assert parse_incident(*record(SMOKE)) == SMOKE


def test_field_of_a_newer_publisher_is_left_out() -> None:
    value = orjson.dumps({**SMOKE.as_json(), "wind_kmh": 12})
    assert parse_incident(value, [("ce_type", INCIDENT_TYPE.encode())]) == SMOKE


BAD_FIELDS = [
    ("incident_id", ""),
    ("incident_id", "a\nb"),
    ("incident_id", "x" * 201),
    ("incident_id", 7),
    ("kind", "../../etc"),
    ("kind", "Smoke"),
    ("state", "burning"),
    ("state", ["open"]),
    ("severity", "huge"),
    ("revision", 0),
    ("revision", "2"),
    ("revision", True),
    ("revision", 10**30),
    ("place_vi", "x" * 2001),
    ("place_vi", "\x00"),
    ("place_en", None),
    ("first_frame_at", "yesterday"),
    ("first_frame_at", None),
    ("first_frame_at", "2026-11-22T08:00:00"),
    ("first_frame_at", "0001-01-01T00:00:00+00:00"),
    ("last_seen_at", 5),
    ("peak_score", 1.5),
    ("peak_score", "high"),
    ("detections", -1),
    ("bbox", [1, 2]),
    ("bbox", None),
    ("geo", {"coordinates": [500, 0]}),
    ("geo", {"coordinates": []}),
    ("geo", "here"),
    ("azimuth_deg", 1e9),
    ("cues", [3]),
    ("cues", 3),
    ("extra", []),
]


@pytest.mark.parametrize(("field", "value"), BAD_FIELDS, ids=lambda v: str(v)[:24])
def test_wrong_field_is_an_invalid_record(field: str, value: object) -> None:
    with pytest.raises(InvalidRecord):
        parse_incident(
            orjson.dumps({**SMOKE.as_json(), field: value}, option=0)
            if value != 10**30
            else (orjson.dumps({**SMOKE.as_json(), field: 1}).replace(b'"revision":1', b'"revision":' + b"9" * 30)),
            [("ce_type", INCIDENT_TYPE.encode())],
        )


@pytest.mark.parametrize("field", ["incident_id", "state", "bbox", "first_frame_at", "evidence"])
def test_missing_field_is_an_invalid_record(field: str) -> None:
    data = SMOKE.as_json()
    del data[field]
    with pytest.raises(InvalidRecord):
        parse_incident(orjson.dumps(data), [("ce_type", INCIDENT_TYPE.encode())])


@pytest.mark.parametrize(
    "value",
    [None, b"", b"{", b"[]", b'"text"', b"null", b"\xff\xfe", b"{}", b"[" * 5000, b" " * 300_000],
    ids=["tombstone", "empty", "cut", "list", "text", "null", "bytes", "object", "deep", "huge"],
)
def test_value_that_is_no_incident_is_an_invalid_record(value: bytes | None) -> None:
    with pytest.raises(InvalidRecord):
        parse_incident(value, [("ce_type", INCIDENT_TYPE.encode())])


@pytest.mark.parametrize(
    "headers", [[], [("ce_type", b"vn.ioc.other.v1")], [("ce_type", b"\xff")], [("ce_type", None)]]
)
def test_other_event_types_are_invalid_records(headers: Any) -> None:
    with pytest.raises(InvalidRecord, match="unknown_type"):
        parse_incident(record(SMOKE)[0], headers)


def test_key_is_stable_and_differs_by_every_part() -> None:
    parts = {"incident_id": "i", "purpose": "opened", "channel": "webhook", "recipient": "duty"}
    key = notice_key(**parts)
    assert key == notice_key(**parts)
    assert "." not in key
    assert len({key, *(notice_key(**{**parts, name: "other"}) for name in parts)}) == 5
