"""POST /v1/events: what is taken, what is refused and in which words, and what is never taken in at all."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ioc.errors import TransientError
from tests.contract.gateway.requests import BATCH, LINES, SINGLE, Requests
from tests.unit.publishing.making import dossier_line


@pytest.fixture
def gateway(tmp_path: Path) -> Requests:
    return Requests(tmp_path)


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Requests:
    """One gateway for many requests that leave nothing behind."""
    return Requests(tmp_path_factory.mktemp("busy"))


def outcomes(answer: Any) -> list[str]:
    return [result["outcome"] for result in answer.json["results"]]


# ---- taken -----------------------------------------------------------------------------------------------------------


def test_an_event_is_accepted_and_its_repeat_is_a_duplicate(gateway: Requests) -> None:
    first, again = gateway.ask(dossier_line(1)), gateway.ask(dossier_line(1))
    assert (first.status, outcomes(first)) == (202, ["accepted"])
    assert (again.status, outcomes(again)) == (200, ["duplicate"])
    assert [record.value for record in gateway.carrier.records] == [dossier_line(1)]
    assert gateway.counted() == {"in": 2, "accepted": 1, "duplicate": 1}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        pytest.param(BATCH, b"[" + b",".join([dossier_line(1), dossier_line(1), b"{}"]) + b"]", id="a batch"),
        pytest.param("application/json", b" [" + dossier_line(1) + b"," + dossier_line(1) + b",{}]", id="plain JSON"),
        pytest.param(LINES, b"\n".join([dossier_line(1), b"", dossier_line(1), b"{}"]), id="lines"),
        pytest.param(
            LINES, [dossier_line(1)[:50], dossier_line(1)[50:] + b"\r\n", dossier_line(1) + b"\n{}"], id="torn"
        ),
    ],
)
def test_several_events_have_their_results_in_order(gateway: Requests, kind: str, body: Any) -> None:
    answer = gateway.ask(body, kind)
    assert answer.status == 200
    assert outcomes(answer) == ["accepted", "duplicate", "rejected"]
    assert [result["index"] for result in answer.json["results"]] == [0, 1, 2]
    assert {name: answer.json[name] for name in ("in", "accepted", "duplicate", "rejected")} == {
        "in": 3,
        "accepted": 1,
        "duplicate": 1,
        "rejected": 1,
    }


def test_lines_are_answered_as_lines_where_asked(gateway: Requests) -> None:
    body = b"\n".join(dossier_line(number) for number in range(1, 1_203))
    answer = gateway.ask(body, LINES, headers={"Accept": LINES})
    told = [json.loads(line) for line in answer.body.splitlines()]
    assert [line["index"] for line in told] == list(range(1_202))
    assert len(gateway.carrier.records) == 1_202


def binary(gateway: Requests, data: bytes, **changes: str) -> Any:
    event = json.loads(dossier_line(1))
    names = {f"ce-{name}": text for name, text in event.items() if name not in ("data", "datacontenttype")}
    return gateway.ask(data, "application/json", headers=names | {f"ce-{name}": text for name, text in changes.items()})


def test_binary_mode_becomes_the_same_event(gateway: Requests) -> None:
    event = json.loads(dossier_line(1))
    assert outcomes(binary(gateway, json.dumps(event["data"]).encode())) == ["accepted"]
    assert outcomes(gateway.ask(dossier_line(1))) == ["duplicate"]


def test_data_can_not_write_attributes_of_its_own(gateway: Requests) -> None:
    data = json.dumps(json.loads(dossier_line(1))["data"]).encode()
    forged = binary(gateway, data + b',"source":"/lam-dong/health"')
    assert (forged.status, forged.json["results"][0]["reason"]) == (422, "bad_json")
    assert not gateway.carrier.records


def test_gzip_is_unpacked(gateway: Requests) -> None:
    packed = gzip.compress(dossier_line(1)[:40]) + gzip.compress(dossier_line(1)[40:])
    assert gateway.ask(packed, headers={"Content-Encoding": "gzip"}).status == 202


def test_the_sandbox_says_what_would_happen_and_does_nothing(gateway: Requests) -> None:
    answer = gateway.ask(dossier_line(1), path="/v1/sandbox/events")
    result = answer.json["results"][0]
    assert (result["outcome"], result["topic"]) == ("accepted", "ioc.onestop.dossiers")
    assert result["key"] == json.loads(dossier_line(1))["data"]["dossier_id"]
    assert not gateway.carrier.records
    assert gateway.counted() == {}
    assert gateway.ask(dossier_line(1)).status == 202


# ---- refused events --------------------------------------------------------------------------------------------------

DEEP = b'{"id":"1","time":"2026-11-22T08:00:00+07:00","type":"vn.ioc.dossier.submitted.v1","data":'
TWICE = dossier_line(1)[:-1] + b',"source":"/lam-dong/health"}'


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        pytest.param(b"{}", 422, "missing_field", id="nothing in it"),
        pytest.param(b"", 422, "bad_json", id="no body"),
        pytest.param(b"\xff\xfe{}", 422, "not_utf8", id="not UTF-8"),
        pytest.param(b'{"id":NaN}', 422, "bad_json", id="NaN"),
        pytest.param(b'{"id":' + b"9" * 5_000 + b"}", 422, "bad_json", id="a huge number"),
        pytest.param(DEEP + b"[" * 90_000 + b"]" * 90_000 + b"}", 422, "bad_json", id="deep nesting"),
        pytest.param(b"[]", 422, "bad_json", id="a list"),
        pytest.param(dossier_line(1, source="/lam-dong/health"), 422, "foreign_source", id="a type of another family"),
        pytest.param(TWICE, 422, "foreign_source", id="the source twice: the last counts, as for the worker"),
        pytest.param(b" " * 262_200 + dossier_line(1), 422, "too_large", id="a little too large"),
    ],
)
def test_an_event_is_refused_with_its_reason(busy: Requests, body: bytes, status: int, reason: str) -> None:
    before = busy.counted()
    answer = busy.ask(body)
    assert answer.status == status
    result = answer.json["results"][0]
    assert (result["outcome"], result["reason"]) == ("rejected", reason)
    assert result["message"] == result["message_vi"] != result["message_en"]
    assert not busy.carrier.records
    assert busy.counted() == {name: before.get(name, 0) + 1 for name in ("in", "rejected")}
    kept = busy.parts.services.rejects.newest("van-phong-ubnd", 200)
    assert sum(event.error.reason == reason for event in kept) >= 1
    assert all(event.event_ref.startswith("gateway/van-phong-ubnd/") for event in kept)


def test_another_departments_event_is_forbidden(gateway: Requests) -> None:
    event = {
        "id": "1",
        "time": "2026-11-22T08:00:00+07:00",
        "type": "vn.ioc.health.capacity.v1",
        "source": "/lam-dong/health",
        "data": {},
    }
    types = {kind.ce_type for kind in gateway.parts.services.catalog.event_types.values() if kind.family == "health"}
    found = {gateway.ask(json.dumps(event | {"type": name}).encode()).status for name in types}
    assert found <= {403, 422}


def test_the_readers_language_is_answered(gateway: Requests) -> None:
    answer = gateway.ask(b"{}", headers={"Accept-Language": "en-GB, vi;q=0.5"})
    result = answer.json["results"][0]
    assert result["message"] == result["message_en"]


# ---- refused requests ------------------------------------------------------------------------------------------------


def zeros(amount: int) -> Iterator[bytes]:
    """A body in pieces; running on to its end fails the test."""
    for _ in range(amount):
        yield bytes(64 * 1024)


BOMB = gzip.compress(bytes(64 * 1024 * 1024), compresslevel=1)


@pytest.mark.parametrize(
    ("body", "kind", "headers", "status", "reason"),
    [
        pytest.param(b"x", "text/csv", {}, 415, "bad_content_type", id="a wrong content type"),
        pytest.param(b"x", SINGLE, {"Content-Encoding": "br"}, 415, "bad_encoding", id="a wrong encoding"),
        pytest.param(b"x", SINGLE, {"Content-Encoding": "gzip"}, 400, "bad_encoding", id="no gzip"),
        pytest.param(
            gzip.compress(b"{}")[:-4], SINGLE, {"Content-Encoding": "gzip"}, 400, "bad_encoding", id="cut gzip"
        ),
        pytest.param(BOMB, SINGLE, {"Content-Encoding": "gzip"}, 413, "too_large", id="a bomb"),
        pytest.param(b"", SINGLE, {"Content-Length": "100000000"}, 413, "too_large", id="100 MB declared"),
        pytest.param(zeros(1_600), SINGLE, {}, 413, "too_large", id="100 MB in pieces"),
        pytest.param(zeros(1_600), BATCH, {}, 413, "too_large", id="a batch of 100 MB in pieces"),
        pytest.param(b"[{}", BATCH, {}, 400, "bad_json", id="a torn batch"),
        pytest.param(b"[" + b"[" * 100_000 + b"]" * 100_001, BATCH, {}, 400, "bad_json", id="a deep batch"),
        pytest.param(b"[" + b"1," * 10_000 + b"1]", BATCH, {}, 413, "too_large", id="too many in a batch"),
        pytest.param(b"{}", SINGLE, {"Authorization": ""}, 401, "missing_token", id="no token"),
        pytest.param(b"{}", SINGLE, {"Authorization": "Bearer ioc_1_é"}, 401, "bad_token", id="a wrong token"),
    ],
)
def test_a_request_is_refused_as_a_problem(
    busy: Requests, body: Any, kind: str, headers: dict[str, str], status: int, reason: str
) -> None:
    before = busy.counted()
    answer = busy.ask(body, kind, headers=headers)
    assert (answer.status, answer.json["reason"]) == (status, reason)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["detail"] == answer.json["message_vi"]
    assert busy.counted() == before


def test_a_line_that_never_ends_is_one_refused_event(gateway: Requests) -> None:
    answer = gateway.ask([*zeros(20), b"\n", dossier_line(1)], LINES)
    assert outcomes(answer) == ["rejected", "accepted"]
    assert answer.json["results"][0]["reason"] == "too_large"


def test_without_kafka_the_whole_request_is_to_be_sent_again(gateway: Requests) -> None:
    gateway.carrier.error = TransientError("away from 10.1.2.3")
    answer = gateway.ask(dossier_line(1))
    assert (answer.status, answer.headers["retry-after"], answer.json["reason"]) == (503, "2", "unavailable")
    assert b"10.1.2.3" not in answer.body
    assert gateway.counted() == {}
    gateway.carrier.error = None
    assert outcomes(gateway.ask(dossier_line(1))) == ["accepted"]


def test_a_department_over_its_rate_waits(tmp_path: Path) -> None:
    gateway = Requests(tmp_path, gateway_rate=1)
    assert [gateway.ask(dossier_line(number)).status for number in range(10)] == [202] * 10
    late = gateway.ask(dossier_line(11))
    assert (late.status, late.headers["retry-after"]) == (429, "1")
    gateway.now_s = 1.0
    assert gateway.ask(dossier_line(11)).status == 202


def test_only_post_is_taken(gateway: Requests) -> None:
    answer = gateway.ask(method="GET")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


# ---- the other paths -------------------------------------------------------------------------------------------------


def test_types_have_their_schemas_and_an_etag(gateway: Requests) -> None:
    listed = gateway.ask(path="/v1/types", method="GET").json["types"]
    one = gateway.ask(path=listed[0]["schema"], method="GET")
    assert one.json["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    again = gateway.ask(path=listed[0]["schema"], method="GET", headers={"If-None-Match": one.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert gateway.ask(path="/v1/types/no.such", method="GET").status == 404


def test_readiness_says_what_is_missing(gateway: Requests) -> None:
    assert gateway.ask(path="/readyz", method="GET").status == 200
    gateway.trouble = {"kafka": "away"}
    answer = gateway.ask(path="/readyz", method="GET")
    assert (answer.status, answer.json["missing"]) == (503, {"kafka": "away"})
    assert gateway.ask(path="/healthz", method="GET").status == 200


def test_the_openapi_document_names_every_path(gateway: Requests) -> None:
    document = gateway.ask(path="/openapi.json", method="GET").json
    assert {"/v1/events", "/v1/sandbox/events", "/v1/types", "/healthz", "/readyz", "/metrics"} <= set(
        document["paths"]
    )
    statuses = set(document["paths"]["/v1/events"]["post"]["responses"])
    assert statuses == {"200", "202", "400", "401", "403", "408", "413", "415", "422", "429", "503"}
