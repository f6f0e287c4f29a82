"""Events as the SDK writes them."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from ioc.errors import ConfigurationError, InvalidRecord
from ioc.sdk.envelopes import Prepared, prepare, whole_source

NOW = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
SOURCE = "/lam-dong/onestop/motcua"


def prepared(data: dict[str, Any] | None = None, type_name: str = "dossier.submitted", **changes: Any) -> Prepared:
    return prepare(type_name, data or {"dossier_id": "H36-1"}, **{"source": SOURCE, "now": NOW, **changes})


def test_an_event_is_a_cloudevent_in_structured_mode() -> None:
    event = prepared({"tên": "Đà Lạt", "due": date(2026, 11, 23)}, event_id="e-1")
    assert json.loads(event.body) == {
        "specversion": "1.0",
        "type": "vn.ioc.dossier.submitted.v1",
        "source": SOURCE,
        "id": "e-1",
        "time": "2026-11-22T01:00:00+00:00",
        "datacontenttype": "application/json",
        "data": {"tên": "Đà Lạt", "due": "2026-11-23"},
    }
    assert (event.source, event.id) == (SOURCE, "e-1")


def test_a_type_may_be_given_in_full() -> None:
    assert json.loads(prepared(type_name="vn.ioc.dossier.status.v2").body)["type"] == "vn.ioc.dossier.status.v2"


def test_without_an_id_the_same_event_has_the_same_and_another_has_another() -> None:
    time = "2026-11-22T08:00:00+07:00"
    one = prepared(time=time)
    others = [
        prepared({"dossier_id": "H36-2"}, time=time),
        prepared(time="2026-11-22T08:00:01+07:00"),
        prepared(type_name="dossier.status", time=time),
        prepared(time=time, source=SOURCE + "/2"),
    ]
    assert prepared(time=time, now=NOW.replace(hour=5)).id == one.id
    assert len({one.id, *(other.id for other in others)}) == 5
    assert len(one.id) == 32


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"x": float("nan")}, "bad_json"),
        ({"x": float("inf")}, "bad_json"),
        ({"x": object()}, "bad_json"),
        ({"x": b"bytes"}, "bad_json"),
        ({"x": "half a pair \ud800"}, "bad_json"),
        ({"x": datetime(2026, 1, 1)}, "bad_time"),  # noqa: DTZ001  # the very thing that is refused
    ],
    ids=["nan", "infinity", "object", "bytes", "surrogate", "naive-time"],
)
def test_data_that_is_no_json_is_refused_on_the_spot(data: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidRecord) as refused:
        prepared(data)
    assert refused.value.reason == reason
    assert refused.value.vi
    assert refused.value.en


def test_data_that_holds_itself_or_nests_for_ever_is_refused() -> None:
    round_about: dict[str, Any] = {}
    round_about["x"] = round_about
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"x": deep}
    for data in (round_about, deep):
        with pytest.raises(InvalidRecord, match="bad_json"):
            prepared(data)


def test_a_time_without_offset_is_refused() -> None:
    with pytest.raises(InvalidRecord, match="bad_time"):
        prepared(time=datetime(2026, 11, 22))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("source", "province", "whole"),
    [
        ("/lam-dong/onestop/motcua", None, "/lam-dong/onestop/motcua"),
        ("onestop/motcua", "lam-dong", "/lam-dong/onestop/motcua"),
        ("/lam-dong/onestop", "da-nang", "/lam-dong/onestop"),
    ],
)
def test_a_source_may_leave_out_the_province_that_is_known(source: str, province: str | None, whole: str) -> None:
    assert whole_source(source, province) == whole


@pytest.mark.parametrize(("source", "province"), [("onestop", None), ("", "lam-dong")])
def test_a_source_that_nobody_can_complete_is_a_sentence(source: str, province: str | None) -> None:
    with pytest.raises(ConfigurationError, match="write it in full"):
        whole_source(source, province)
