"""What a view of the gateway learns from a topic: the data of valid events, however they were written."""

import orjson
import pytest

from ioc.events import Event
from ioc.gateway.cap import AlertRoots
from ioc.gateway.cap_alert import CapAlert, read_alert
from ioc.gateway.cap_events import events_of, extended_id
from ioc.gateway.topic_tail import data_of
from tests.unit.domain.making import NOW_US, STRUCTURED
from tests.unit.gateway.cap_samples import storm
from tests.unit.gateway.small_catalog import small_catalog

DATA = {"report_id": "R1", "description": "x"}
BINARY = (("ce_type", b"vn.ioc.report.submitted.v1"), ("content-type", b"application/json"))


@pytest.mark.parametrize(
    ("headers", "value", "index", "told"),
    [
        (BINARY, orjson.dumps(DATA), None, DATA),
        (STRUCTURED, orjson.dumps({"id": "1", "data": DATA}), None, DATA),
        ((), orjson.dumps([{"data": {}}, {"data": DATA}]), 1, DATA),
        ((), orjson.dumps([{"data": DATA}]), None, DATA),
        (BINARY, b'{"a": 1e999}', None, None),
        (BINARY, b"[]", None, None),
        (BINARY, None, None, None),
        (STRUCTURED, b'"x"', None, None),
    ],
    ids=["binary", "structured", "batched", "a batch of one", "not JSON to all", "a list", "a tombstone", "a text"],
)  # fmt: skip
def test_the_data_of_a_record(headers: tuple[tuple[str, bytes], ...], value: bytes, index: int, told: object) -> None:
    assert data_of(small_catalog().decoder(), headers, value, index) == told


def test_after_a_restart_the_gateway_knows_which_alert_an_update_told_of() -> None:
    update = read_alert(storm(msgType="Update", identifier="u1", references="a@b,first,2026-11-22T07:00:00+07:00"))
    assert isinstance(update, CapAlert)
    catalog = small_catalog()
    told = events_of(
        update,
        source="/lam-dong/disaster",
        ce_type="vn.ioc.disaster.alert.v1",
        geography=catalog.geography,
        roots={},
    )
    (event,) = catalog.decoder().decode("ioc.disaster.alerts", STRUCTURED, told.bodies[0], NOW_US)
    assert isinstance(event, Event)
    roots = AlertRoots()
    roots.learn(event, orjson.loads(told.bodies[0])["data"])
    assert roots.of == {extended_id(update.sender, update.identifier, update.sent): "first"}
