"""`ioc gateway` on a real broker: what it answers is what Kafka holds, and who may come in changes while it runs."""

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest

from tests.integration.dossiers import DOSSIERS, dossier, home, in_thread
from tests.integration.running import Metrics, eventually, run_ioc
from tests.integration.sdk_outage import Door, open_door
from tests.integration.topic_reading import records_of

SINGLE, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
LINES = "application/x-ndjson"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with open_door(tmp_path_factory.mktemp("gateway")) as opened:
        yield opened


@pytest.fixture
async def http(door: Door) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(
        door.url, headers={"Authorization": f"Bearer {door.token}"}, timeout=aiohttp.ClientTimeout(30)
    ) as session:
        yield session


async def post(
    http: aiohttp.ClientSession, body: bytes, kind: str, *, path: str = "/v1/events", **headers: str
) -> tuple[int, Any]:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    async with http.post(path, data=io.BytesIO(body), headers={"Content-Type": kind, **named}) as answer:
        return answer.status, await answer.json(content_type=None)


def event(name: str, **changes: Any) -> bytes:
    return json.dumps(dossier(name, **changes)).encode()


async def in_kafka(door: Door, stem: str) -> list[tuple[str, int]]:
    """(key, partition) of each record whose key begins with `stem`."""
    records = await records_of(door.kafka.address, DOSSIERS)
    return [(r.key.decode(), r.partition) for r in records if r.key.decode().startswith(stem)]


async def test_events_in_every_form_are_in_kafka_once_and_on_their_partition(
    door: Door, http: aiohttp.ClientSession
) -> None:
    first = await post(http, event("form-1"), SINGLE)
    again = await post(http, event("form-1"), SINGLE)
    batch = await post(http, b"[" + b",".join(event(f"form-{n}") for n in (1, 2, 2, 3)) + b"]", BATCH)
    lines = await post(http, b"\n".join(event(f"form-{n}") for n in range(3, 1_500)), LINES)
    attributes = {f"ce-{name}": text for name, text in dossier("form-0").items() if isinstance(text, str)}
    data = json.dumps(dossier("form-0")["data"]).encode()
    binary = await post(http, data, "application/json", **attributes)
    tried = await post(http, event("form-x"), SINGLE, path="/v1/sandbox/events")

    assert (first[0], again[0], batch[0], lines[0], binary[0], tried[0]) == (202, 200, 200, 200, 202, 202)
    assert [r["outcome"] for r in batch[1]["results"]] == ["duplicate", "accepted", "duplicate", "accepted"]
    assert [r["index"] for r in lines[1]["results"]] == list(range(1_497))
    assert (lines[1]["accepted"], lines[1]["duplicate"]) == (1_496, 1)
    assert (tried[1]["results"][0]["topic"], tried[1]["results"][0]["key"]) == (DOSSIERS, "form-x")
    found = await in_kafka(door, "form-")
    assert sorted(found) == sorted((f"form-{n}", home(f"form-{n}")) for n in range(1_500))


async def test_refused_events_are_explained_and_counted_and_become_dead_letters(
    door: Door, http: aiohttp.ClientSession
) -> None:
    before = Metrics((await in_thread(door.gateway.get, "/metrics"))[1])
    foreign = await post(http, event("bad-1", source="/lam-dong/health", type="vn.ioc.health.x.v1"), SINGLE)
    batch = await post(
        http,
        b'[{"id":"bad-2"},' + event("good-1") + b',{"a":' + b"[" * 200 + b"]" * 200 + b"}]",
        BATCH,
        Accept_Language="en",
    )
    after = Metrics((await in_thread(door.gateway.get, "/metrics"))[1])

    assert foreign[0] == 422
    assert [r["outcome"] for r in batch[1]["results"]] == ["rejected", "accepted", "rejected"]
    assert batch[1]["results"][0]["message"] == batch[1]["results"][0]["message_en"]
    counts = {
        outcome: after.total("ioc_gateway_events_total", outcome=outcome)
        - before.total("ioc_gateway_events_total", outcome=outcome)
        for outcome in ("in", "accepted", "duplicate", "rejected")
    }
    assert counts == {"in": 4, "accepted": 1, "duplicate": 0, "rejected": 3}

    def written() -> None:
        told = run_ioc("dlq", "list", "--json", broker=door.kafka.address, state=door.gateway.folder, timeout_s=30)
        refs = [letter["event_ref"] for letter in json.loads(told.stdout)["dead_letters"]]
        assert len({ref for ref in refs if ref.startswith("gateway/van-phong-ubnd/")}) == 3

    await in_thread(eventually, written, within_s=20)


async def test_another_departments_source_is_forbidden(http: aiohttp.ClientSession) -> None:
    alert = dossier("x", source="/lam-dong/health", type="vn.ioc.health.capacity.v1")
    status, answer = await post(http, json.dumps(alert).encode(), SINGLE)
    assert status in (403, 422)
    assert answer["results"][0]["outcome"] == "rejected"


async def test_a_rotated_token_and_a_revoked_one_are_seen_by_the_running_gateway(door: Door) -> None:
    def token(*arguments: str) -> dict[str, Any]:
        done = run_ioc(
            "gateway", "token", *arguments, "--json", broker="", state=door.gateway.folder / "state", timeout_s=30
        )
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    async def status_of(text: str) -> int:
        async with aiohttp.ClientSession(door.url, headers={"Authorization": f"Bearer {text}"}) as http:
            return (await post(http, event("token-1"), SINGLE, path="/v1/sandbox/events"))[0]

    old = (await in_thread(token, "issue", "so-y-te"))["token"]
    new = await in_thread(token, "rotate", "so-y-te")
    changed_s = time.monotonic()
    while await status_of(new["token"]) == 401:
        assert time.monotonic() - changed_s < 5
    assert await status_of(old) != 401
    await in_thread(token, "revoke", new["id"])
    changed_s = time.monotonic()
    while await status_of(new["token"]) != 401:
        assert time.monotonic() - changed_s < 5
    assert await status_of(old) != 401


async def test_without_a_broker_it_says_so_at_once_and_the_end_answers_what_was_begun(
    door: Door, http: aiohttp.ClientSession
) -> None:
    """The last test of this file: it leaves the gateway ended."""
    assert (await post(http, event("end-0"), SINGLE))[0] == 202
    await in_thread(door.kafka.kill)
    started_s = time.monotonic()
    async with http.post("/v1/events", data=event("end-1"), headers={"Content-Type": SINGLE}) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
    assert time.monotonic() - started_s < 4
    assert (await in_thread(door.gateway.get, "/readyz"))[0] == 503
    await in_thread(door.kafka.restart)
    await in_thread(door.gateway.await_ready)
    assert (await post(http, event("end-1"), SINGLE))[0] == 202

    body = b"\n".join(event(f"end-{number}") for number in range(2, 20_000))
    asking = asyncio.create_task(post(http, body, LINES))
    while Metrics((await in_thread(door.gateway.get, "/metrics"))[1]).total("ioc_gateway_held_bytes") == 0:
        assert not asking.done()
    code = await in_thread(door.gateway.end)
    status, answered = await asking
    assert (code, status, answered["accepted"]) == (0, 200, 19_998)
    assert len({key for key, _ in await in_kafka(door, "end-")}) == 20_000
