"""Whatever comes, every reader of strangers' bytes gives a result or a reason; nothing else is ever raised."""

import json
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ioc.dead_letters import StoredLetter
from ioc.errors import InvalidRecord
from ioc.events import Event, EventDecoder, Rejected
from ioc.gateway.cap_alert import CapAlert, read_alert
from ioc.gateway.cap_events import events_of
from ioc.gateway.open311_form import event_of, read_form, read_report
from ioc.gateway.problems import Problem, language_of
from ioc.gateway.reading import events_of_batch, mode_of, structured_of
from ioc.publishing import EventJudge, LineSplitter, Outgoing
from tests.contract.hostile.texts import broken, broken_json, json_texts
from tests.unit.domain.making import NOW, NOW_US, attributes
from tests.unit.gateway.cap_samples import storm
from tests.unit.gateway.small_catalog import small_catalog

EVENTS: list[dict[str, Any]] = [
    {
        **attributes("report.submitted"),
        "data": {"report_id": "R1", "submitted_at": "2026-11-20T08:00:00Z", "ward_code": "24781", "geo": {"a": [1]}},
    },
    {
        **attributes("disaster.reading"),
        "data": {"station_id": "S1", "kind": "rain", "at": "2026-11-20T08:00:00+07:00", "value": 12.5},
    },
]
_TOPICS = ("ioc.citizen.reports", "ioc.disaster.readings", "ioc.nothing")
_MODES = (b"application/cloudevents+json", b"application/cloudevents-batch+json", b"application/json", b"", b"\xff")

anything = (
    st.binary(max_size=200)
    | json_texts()
    | st.sampled_from(EVENTS).flatmap(lambda event: broken(orjson.dumps(event)) | broken_json(event))
)


def taken(judge: EventJudge, body: bytes) -> Outgoing | None:
    """What the judge makes of `body`; None where it gives a reason, which says itself in both languages."""
    try:
        return judge.judge(body, NOW_US)
    except InvalidRecord as error:
        check(error)
        return None


def check(error: InvalidRecord) -> None:
    assert error.reason
    assert error.vi
    assert error.en


few = settings(max_examples=60)


@pytest.fixture(scope="module")
def decoder() -> EventDecoder:
    return small_catalog().decoder()


@pytest.fixture(scope="module")
def judge() -> EventJudge:
    return EventJudge(small_catalog())


@few
@given(body=anything, mode=st.sampled_from(_MODES), topic=st.sampled_from(_TOPICS))
def test_a_record_is_events_and_reasons(decoder: EventDecoder, body: bytes, mode: bytes, topic: str) -> None:
    found = decoder.decode(topic, (("content-type", mode),), body, NOW_US)
    assert len(found) >= 1
    assert all(isinstance(one, (Event, Rejected)) for one in found)


@few
@given(bodies=st.lists(anything, min_size=1, max_size=4))
def test_of_a_batch_each_event_is_taken_or_refused(decoder: EventDecoder, bodies: list[bytes]) -> None:
    batch = b"[" + b",".join(bodies) + b"]"
    found = decoder.decode("ioc.citizen.reports", (("content-type", _MODES[1]),), batch, NOW_US)
    try:
        events = events_of_batch(batch)
    except Problem:
        assert [type(one) for one in found] == [Rejected]
        return
    assert len(found) == max(1, len(events))


@few
@given(
    body=anything,
    headers=st.dictionaries(
        st.sampled_from(["ce_type", "ce_source", "ce_id", "ce_time", "ce_specversion"]),
        st.binary(max_size=40)
        | st.sampled_from([b"vn.ioc.report.submitted.v1", b"/lam-dong/citizen", b"1.0", b"2026-11-22T08:00:00+07:00"]),
    ),
)
def test_headers_may_hold_anything(decoder: EventDecoder, body: bytes, headers: dict[str, bytes]) -> None:
    found = decoder.decode("ioc.citizen.reports", tuple(headers.items()), body, NOW_US)
    assert len(found) >= 1
    assert all(isinstance(one, (Event, Rejected)) for one in found)


@few
@given(body=anything)
def test_the_judge_lets_pass_only_what_the_worker_takes(judge: EventJudge, decoder: EventDecoder, body: bytes) -> None:
    outgoing = taken(judge, body)
    if outgoing is None:
        return
    (found,) = decoder.decode(outgoing.topic, outgoing.headers, outgoing.value, NOW_US)
    assert isinstance(found, Event)
    assert (found.source, found.id, found.entity_id) == (outgoing.source, outgoing.id, outgoing.entity_id)


@few
@given(text=st.binary(max_size=300).map(lambda raw: raw.replace(b"a", b"\n")), cuts=st.lists(st.integers(0, 300)))
def test_lines_are_the_same_however_they_come(text: bytes, cuts: list[int]) -> None:
    def lines(pieces: list[bytes]) -> list[tuple[int, bytes | None]]:
        splitter = LineSplitter(64)
        found = [line for piece in pieces for line in splitter.feed(piece)] + splitter.finish()
        return [(line.number, line.body) for line in found]

    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    whole = lines([text])
    assert lines([text[a:b] for a, b in pairwise(places)]) == whole
    assert len(whole) <= text.count(b"\n") + 1


@few
@given(value=anything | st.none())
def test_a_dead_letter_is_one_or_is_none(value: bytes | None) -> None:
    letter = StoredLetter.decode(value)
    assert letter is None or isinstance(letter, StoredLetter)


_LETTER = {
    "source": "/lam-dong/citizen", "topic": "ioc.citizen.reports", "partition": 0, "offset": 7, "index": 0,
    "reason": "bad_json", "field": "data", "message_vi": "x", "message_en": "x", "at": "2026-11-22T08:00:00Z",
    "event_ref": "ioc.citizen.reports/0/7", "key": None, "headers": [["a", "YQ=="]], "original": "YQ==",
    "original_bytes": 1, "data": {},
}  # fmt: skip


@few
@given(value=broken(orjson.dumps(_LETTER)) | broken_json(_LETTER))
def test_a_dead_letter_that_was_tampered_with_is_one_or_is_none(value: bytes) -> None:
    letter = StoredLetter.decode(value)
    assert letter is None or isinstance(letter.event_ref, str)


@few
@given(body=st.binary(max_size=200) | broken(storm()) | broken(storm(msgType="Update", references="a,b,c")))
def test_a_cap_document_is_an_alert_or_its_faults(judge: EventJudge, body: bytes) -> None:
    alert = read_alert(body)
    if not isinstance(alert, CapAlert):
        assert alert
        for fault in alert:
            check(fault)
        return
    events = events_of(
        alert,
        source="/lam-dong/disaster",
        ce_type="vn.ioc.disaster.alert.v1",
        geography=small_catalog().geography,
        roots={},
    )
    for event in events.bodies:
        outgoing = taken(judge, event)
        assert outgoing is None or outgoing.type == "disaster.alert"


_FORM = b"service_code=other&attribute%5Badmin_unit%5D=24781&lat=11.9&long=108.4&description=x&email=a%40b"


@few
@given(body=st.binary(max_size=100) | broken(_FORM) | st.sampled_from([_FORM]))
def test_a_form_is_a_report_that_the_catalogue_takes_or_a_reason(judge: EventJudge, body: bytes) -> None:
    geography = small_catalog().geography
    try:
        report = read_report(read_form(body), codes={"other"}, geography=geography, today=NOW.date())
    except InvalidRecord as error:
        check(error)
        return
    ce_type = "vn.ioc.report.submitted.v1"
    event = event_of(report, report_id="311-1", at=NOW, source="/lam-dong/citizen", ce_type=ce_type, salt=b"s" * 32)
    assert judge.judge(event, NOW_US).entity_id == "311-1"


@few
@given(
    headers=st.dictionaries(
        st.sampled_from([b"ce-id", b"ce-type", b"ce-source", b"ce-time", b"ce-data", b"content-type", b"ce-\xff"]),
        st.binary(max_size=20),
    ),
    data=anything,
)
def test_a_binary_request_is_an_event_or_a_reason(judge: EventJudge, headers: dict[bytes, bytes], data: bytes) -> None:
    try:
        mode_of(headers)
        judge.judge(structured_of(headers, data), NOW_US)
    except (InvalidRecord, Problem):
        pass


@pytest.mark.parametrize(
    "text", ["", "vi", "en", "en;q=nan", "en;q=inf,vi;q=-1", ";;;", "en;q=0.5,vi;q=0.4", "x" * 9_000]
)
def test_a_language_is_one_of_two(text: str) -> None:
    assert language_of(text) in ("vi", "en")


@pytest.mark.parametrize(
    "number", ["9" * 400, "-" + "9" * 400, "1e400", "0." + "1" * 400, "NaN", "Infinity", "1" + "0" * 5_000]
)
def test_a_number_that_is_none_is_refused_or_finite(judge: EventJudge, number: str) -> None:
    body = json.dumps(EVENTS[1]).replace("12.5", number).encode()
    assert (taken(judge, body) is not None) == number.startswith("0.")
