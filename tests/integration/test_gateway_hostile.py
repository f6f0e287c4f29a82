"""The running gateway and what a stranger may send: answered as its description says, in bounded time and memory, and
nothing of it in Kafka that was not accepted."""

import asyncio
import gzip
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import psutil
import pytest

from ioc.adapters.topics import ensure_topics
from ioc.gateway.service import token_file
from tests.integration.running import Running, committed, eventually, own_broker, start_ioc
from tests.unit.domain.making import catalog
from tests.unit.gateway.cap_samples import storm

SINGLE, BATCH, LINES = (f"application/{name}" for name in ("cloudevents+json", "cloudevents-batch+json", "x-ndjson"))
REPORTS = "ioc.citizen.reports"
NOW = "2026-11-22T08:00:00+07:00"
ROOM_BYTES = 64 * 1024 * 1024
"""What the gateway may grow by under any one attack: it holds 16 MiB of a request, twice while it joins the pieces."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway of these tests, and the token of the citizens' application."""

    running: Running
    broker: str
    tokens: dict[str, str]

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.running.address)
        return str(parts.hostname), int(parts.port or 0)

    def send(
        self, path: str, body: bytes, media: str = SINGLE, *, who: str = "cong-dan-so", **headers: str
    ) -> tuple[int, Any]:
        """(status, JSON) of one request."""
        connection = HTTPConnection(*self.address, timeout=30)
        told = {
            "Content-Type": media,
            "Authorization": f"Bearer {self.tokens[who]}",
            "Accept-Language": "en",
            **headers,
        }
        try:
            connection.request("POST", path, body, told)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def events(self, body: bytes, media: str = SINGLE, **headers: str) -> tuple[int, Any]:
        return self.send("/v1/events", body, media, **headers)

    def head(self, *lines: str) -> bytes:
        """The head of a request to /v1/events, written by hand."""
        token = self.tokens["cong-dan-so"]
        all_lines = ["POST /v1/events HTTP/1.1", "Host: x", f"Authorization: Bearer {token}", *lines, "", ""]
        return "\r\n".join(all_lines).encode()

    def open(self, raw: bytes) -> socket.socket:
        """A connection on which `raw` was sent."""
        connection = socket.create_connection(self.address, timeout=30)
        connection.sendall(raw)
        return connection

    def memory_bytes(self) -> int:
        return int(psutil.Process(self.running.pid).memory_info().rss)

    def outcomes(self) -> dict[str, int]:
        counts = self.running.metrics().by("ioc_gateway_events_total", "outcome")
        return {name: counts[name] for name in ("in", "accepted", "duplicate", "rejected")}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("hostile")
    state = folder / "state"
    names = ("cong-dan-so", "phong-chong-thien-tai", "van-phong-ubnd")
    tokens = {name: token_file(state).issue(name, now=datetime.now(UTC))[1] for name in names}
    with own_broker(folder) as broker:
        asyncio.run(ensure_topics(broker.address, catalog().topics()))
        settings = {"IOC_NOW": NOW, "IOC_GATEWAY_RATE": "100000"}
        with start_ioc("gateway", name="gateway", broker=broker.address, folder=folder, **settings) as running:
            running.await_ready()
            yield Gateway(running, broker.address, tokens)
            assert running.end() == 0
            assert "Traceback" not in running.log()


def report(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "type": "vn.ioc.report.submitted.v1",
        "source": "/lam-dong/citizen",
        "id": f"e{number}",
        "time": "2026-11-22T07:59:00+07:00",
        "data": {"report_id": f"r{number}", "submitted_at": "2026-11-22T07:59:00+07:00"},
        **changes,
    }


def answer_of(connection: socket.socket) -> tuple[int, bytes]:
    """(status, body) of what comes on a connection that was written by hand."""
    response = HTTPResponse(connection)
    response.begin()
    return response.status, response.read()


# ---- one request, and what it says -----------------------------------------------------------------------------------

GOOD = json.dumps(report(0))
BODIES = {
    "not UTF-8": (GOOD.replace("r0", "r\udcff").encode("utf-8", "surrogateescape"), "not_utf8"),
    "Windows-1258": ('{"id": "Hồ"}'.encode("cp1258", "replace").replace(b"?", b"\xd2"), "not_utf8"),
    "half of a surrogate pair": (GOOD.replace('"r0"', '"\\ud800"').encode(), "bad_json"),
    "a raw surrogate": (GOOD.replace("r0", "\ud800").encode("utf-8", "surrogatepass"), "not_utf8"),
    "NaN": (GOOD.replace('"r0"', "NaN").encode(), "bad_json"),
    "a number of 400 digits": (GOOD.replace('"r0"', "9" * 400).encode(), "wrong_type"),
    "nesting": (GOOD.replace('"r0"', "[" * 100_000).encode(), "bad_json"),
    "nesting that is closed": (GOOD.replace('"r0"', "[" * 50_000 + "]" * 50_000).encode(), "bad_json"),
    "an empty body": (b"", "bad_json"),
    "two events": (GOOD.encode() * 2, "bad_json"),
    "too large": (GOOD.replace("r0", "r" * 262_200).encode(), "too_large"),
    "the future": (GOOD.replace("07:59", "08:16").encode(), "time_in_future"),
    "a year that no calendar has": (GOOD.replace("2026-11", "9999-12").replace("+07:00", "-23:59").encode(), ""),
    "a control character": (GOOD.replace('"r0"', '"a\\u0000b"').encode(), "bad_id"),
    "a type of the product": (GOOD.replace("vn.ioc.report.submitted.v1", "vn.ioc.incident.v1").encode(), ""),
}


@pytest.mark.parametrize(("body", "reason"), BODIES.values(), ids=BODIES)
def test_a_bad_event_is_refused_with_its_reason(gateway: Gateway, body: bytes, reason: str) -> None:
    status, answer = gateway.events(body)
    assert status == 422, answer
    (result,) = answer["results"]
    assert result["outcome"] == "rejected"
    assert reason in ("", result["reason"])
    assert result["message_vi"]
    assert result["message_en"]


def test_an_event_in_another_departments_name_is_forbidden(gateway: Gateway) -> None:
    event = report(1, type="vn.ioc.dossier.submitted.v1", source="/lam-dong/onestop")
    event["data"] = {
        "dossier_id": "d1",
        "service_level": "full",
        "channel": "online",
        "submitted_at": "2026-11-22T07:59:00+07:00",
    }
    status, answer = gateway.events(json.dumps(event).encode())
    assert (status, answer["results"][0]["reason"]) == (403, "not_your_source")


def test_a_batch_that_is_played_again_is_all_duplicates(gateway: Gateway) -> None:
    batch = json.dumps([report(number) for number in range(100, 400)]).encode()
    first, again, packed = (
        gateway.events(batch, BATCH)[1],
        gateway.events(batch, BATCH)[1],
        gateway.events(gzip.compress(batch), BATCH, **{"Content-Encoding": "gzip"})[1],
    )
    assert (first["accepted"], again["duplicate"], packed["duplicate"]) == (300, 300, 300)


def test_bad_lines_do_not_spoil_their_neighbours(gateway: Gateway) -> None:
    lines = [json.dumps(report(500)).encode(), b"{", b"\xff", b"x" * 300_000, b"", json.dumps(report(501)).encode()]
    status, answer = gateway.events(b"\n".join(lines), LINES)
    assert (status, answer["in"], answer["accepted"], answer["rejected"]) == (200, 5, 2, 3)


@pytest.mark.parametrize(
    "document",
    [
        b'<!DOCTYPE a [<!ENTITY l "ha">' + b"".join(b'<!ENTITY l%d "&l;&l;">' % n for n in range(9)) + b"]><a>&l;</a>",
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a/>',
    ],
    ids=["billion laughs", "external entity", "external document type"],
)
def test_xml_with_entities_is_refused(gateway: Gateway, document: bytes) -> None:
    body = storm().replace(b'encoding="UTF-8"?>', b'encoding="UTF-8"?>' + document, 1)
    status, answer = gateway.send("/v1/cap", body, "application/cap+xml", who="phong-chong-thien-tai")
    assert (status, answer["reason"]) == (422, "bad_xml")
    assert "DOCTYPE" in answer["message_vi"]


# ---- what others tell ------------------------------------------------------------------------------------------------


async def test_what_an_agency_tells_of_a_report_is_seen_through_open311(gateway: Gateway) -> None:
    form = {"api_key": gateway.tokens["cong-dan-so"], "service_code": "environment", "attribute[admin_unit]": "24781"}
    body = urlencode({**form, "lat": "11.94", "long": "108.44"}).encode()
    status, answer = gateway.send("/open311/v2/requests.json", body, "application/x-www-form-urlencoded")
    assert status == 201
    report_id = answer[0]["service_request_id"]
    told = {"report_id": report_id, "status": "resolved", "at": "2026-11-22T08:00:00+07:00", "agency_code": "H36.31"}
    event = report(1, type="vn.ioc.report.status_changed.v1", id="s1", data=told)
    assert gateway.events(json.dumps(event).encode())[0] == 202

    def seen() -> None:
        (found,) = json.loads(gateway.running.get(f"/open311/v2/requests/{report_id}.json")[1])
        assert (found["status"], found["agency_responsible"]) == ("closed", "H36.31")

    eventually(seen, within_s=20, alive=[gateway.running])


# ---- connections -----------------------------------------------------------------------------------------------------


def test_a_body_of_100_mb_is_refused_before_it_comes(gateway: Gateway) -> None:
    before_bytes, began = gateway.memory_bytes(), time.monotonic()
    with gateway.open(gateway.head(f"Content-Type: {BATCH}", "Content-Length: 104857600")) as connection:
        status, _ = answer_of(connection)
    assert status == 413
    assert time.monotonic() - began < 9  # below the ten seconds of a slow client
    assert gateway.memory_bytes() - before_bytes < ROOM_BYTES


def test_a_body_of_no_length_is_refused_where_it_gets_too_long(gateway: Gateway) -> None:
    before_bytes = gateway.memory_bytes()
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    with gateway.open(gateway.head(f"Content-Type: {BATCH}", "Transfer-Encoding: chunked")) as connection:
        with suppress(ConnectionError):  # it may hang up before the last of them
            for _ in range(100):
                connection.sendall(chunk)
        with suppress(ConnectionError):
            assert answer_of(connection)[0] == 413
    assert gateway.memory_bytes() - before_bytes < ROOM_BYTES


@pytest.mark.parametrize("media", [BATCH, SINGLE, LINES])
def test_a_gzip_bomb_is_unpacked_no_further_than_the_limit(gateway: Gateway, media: str) -> None:
    bomb = gzip.compress(b" " * 120_000_000 if media != LINES else b"x" * 120_000_000, 9)
    before_bytes = gateway.memory_bytes()
    status, answer = gateway.events(bomb, media, **{"Content-Encoding": "gzip"})
    assert gateway.memory_bytes() - before_bytes < ROOM_BYTES
    if media == LINES:  # one line without end: only its length is kept
        assert (status, answer["in"], answer["results"][0]["reason"]) == (200, 1, "too_large")
    else:
        assert (status, answer["reason"]) == (413, "too_large")


@pytest.mark.parametrize(
    "raw",
    [
        b"ZZZ\r\nabc\r\n0\r\n\r\n",
        b"-5\r\nabc\r\n0\r\n\r\n",
        b"FFFFFFFFFFFFFFFFFF\r\nabc",
        b"5\r\nabcdefgh\r\n0\r\n\r\n",
        b"\x00\xff\xfe",
    ],
)
def test_chunks_that_are_none_are_a_bad_request(gateway: Gateway, raw: bytes) -> None:
    head = gateway.head(f"Content-Type: {SINGLE}", "Transfer-Encoding: chunked")
    with gateway.open(head + raw) as connection, suppress(ConnectionError):  # bytes of ours were left unread
        assert answer_of(connection)[0] in (400, 408, 422)
    assert gateway.running.get("/healthz")[0] == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"GET\r\n\r\n",
        b"POST /v1/events HTTP/9.9\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40_000,
    ],
    ids=["TLS", "no path", "a version to come", "a negative length", "two lengths", "a head without end"],
)
def test_what_is_no_http_gets_an_error_and_nothing_more(gateway: Gateway, raw: bytes) -> None:
    with gateway.open(raw) as connection, suppress(ConnectionError):
        assert 400 <= answer_of(connection)[0] < 500
    assert gateway.running.get("/healthz")[0] == 200


def test_half_a_request_counts_for_nothing(gateway: Gateway) -> None:
    before = gateway.outcomes()
    body = json.dumps([report(number) for number in range(900, 950)]).encode()
    for part in (body[:1], body[: len(body) // 2], body[:-1]):
        head = gateway.head(f"Content-Type: {BATCH}", f"Content-Length: {len(body)}")
        gateway.open(head + part).close()
    assert gateway.events(json.dumps(report(950)).encode())[0] == 202
    assert gateway.outcomes() == {**before, "in": before["in"] + 1, "accepted": before["accepted"] + 1}


def test_slow_clients_are_given_up_and_keep_nobody_waiting(gateway: Gateway) -> None:
    slow_heads = [gateway.open(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nA") for _ in range(50)]
    head = gateway.head(f"Content-Type: {BATCH}", "Content-Length: 1000")
    slow_bodies = [gateway.open(head + b"[") for _ in range(50)]
    began = time.monotonic()
    for number in range(960, 970):
        assert gateway.events(json.dumps(report(number)).encode())[0] == 202
    assert time.monotonic() - began < 9  # below the ten seconds of a slow client
    for connection in slow_heads + slow_bodies:
        with connection:
            assert answer_of(connection)[0] == 408
    assert time.monotonic() - began < 40


@pytest.mark.parametrize("path", ["/v1/cap", "/open311/v2/requests.json"])
def test_strangers_at_the_other_doors_keep_no_event_out(gateway: Gateway, path: str) -> None:
    """600 without a token who never end their body: more than the gateway works on at one time."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: 1000\r\n\r\n<"
    strangers = [gateway.open(head.encode()) for _ in range(600)]
    event = json.dumps(report(980 + len(path))).encode()
    assert gateway.events(event)[0] == 202
    for stranger in strangers:
        stranger.close()


# ---- the description -------------------------------------------------------------------------------------------------

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "unsupported_method", "missing_required_header", "ignored_auth",
)  # fmt: skip
"""Left out: that whatever the schema allows is accepted, and whatever it forbids is refused as a whole. No schema knows
the province's communes, and of a batch each event has a verdict of its own."""


@pytest.mark.parametrize(
    "what",
    [
        ("--exclude-path-regex", "/events$", "--phases", "examples,coverage,fuzzing", "--max-examples", "10"),
        ("--include-path-regex", "/events$", "--phases", "examples,fuzzing", "--max-examples", "10"),
    ],
    ids=["the other doors", "events"],
)
def test_schemathesis_finds_nothing_that_the_description_does_not_say(
    gateway: Gateway, tmp_path: Path, what: tuple[str, ...]
) -> None:
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{gateway.running.address}/openapi.json",
        "--header", f"Authorization: Bearer {gateway.tokens['van-phong-ubnd']}",
        "--checks", ",".join(CHECKS), "--seed", "1", "--no-color", *what,
    ]  # fmt: skip
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
    assert run.returncode == 0, "\n".join(line[:400] for line in run.stdout.splitlines())[-6_000:]


# ---- after all that --------------------------------------------------------------------------------------------------


async def test_every_event_has_one_outcome_and_kafka_has_those_accepted(gateway: Gateway) -> None:
    counts = gateway.outcomes()
    assert counts["in"] == counts["accepted"] + counts["duplicate"] + counts["rejected"]
    publishers = [catalog().publishers[name] for name in gateway.tokens]
    types = catalog().event_types
    topics = {kind.topic for publisher in publishers for kind in publisher.own_types(types)}
    found = [record for topic in topics for record in await committed(gateway.broker, topic)]
    assert len(found) == counts["accepted"]
    names = {(record.topic, record.key, *_name(record.value)) for record in found}
    assert len(names) == len(found), "nothing twice"

    def rested() -> None:
        assert gateway.running.metrics().total("ioc_gateway_held_bytes") == 0

    eventually(rested, within_s=10, alive=[gateway.running])


def _name(value: bytes) -> tuple[str, str]:
    event = json.loads(value)
    return event["source"], event["id"]
