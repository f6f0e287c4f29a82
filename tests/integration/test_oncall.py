"""On-call against a real Kafka: an incident on the topic becomes one signed webhook, and one action."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from ioc.adapters.evidence import open_evidence
from ioc.oncall.channels import WebhookTarget
from ioc.oncall.receiver import WebhookReceiver
from ioc.oncall.service import OncallConfig, run_oncall
from ioc.oncall.signatures import SigningKey, sign
from ioc.oncall.store import sqlite_url
from tests.conftest import KafkaForTests
from tests.unit.oncall.making import SECRET, incident, record

KEY = SigningKey.from_text(SECRET, where="test")
WAIT_S = 15.0


@dataclass(frozen=True, slots=True)
class Site:
    """Topics of this test on the shared broker, a receiver, and the service's configuration."""

    config: OncallConfig
    producer: AIOKafkaProducer
    receiver: WebhookReceiver

    async def publish(self, **changes: Any) -> None:
        of = incident(**changes)
        value, headers = record(of)
        await self.producer.send_and_wait(
            self.config.incidents_topic, value, key=of.incident_id.encode(), headers=headers
        )


@pytest.fixture
async def site(kafka: KafkaForTests, fresh_name: Callable[[str], str], tmp_path: Path) -> AsyncIterator[Site]:
    incidents, actions = fresh_name("incidents"), fresh_name("actions")
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.address)
    await admin.start()
    await admin.create_topics([NewTopic(incidents, 2, 1), NewTopic(actions, 2, 1)])
    await admin.close()
    receiver = WebhookReceiver(key=KEY)
    await receiver.start()
    producer = AIOKafkaProducer(bootstrap_servers=kafka.address)
    await producer.start()
    config = OncallConfig(
        broker=kafka.address,
        database_url=sqlite_url(tmp_path / "oncall.db"),
        evidence=tmp_path / "evidence",
        province="lam-dong",
        port=0,
        webhook=WebhookTarget(url=receiver.url, key=KEY),
        incidents_topic=incidents,
        actions_topic=actions,
        group=fresh_name("oncall"),
    )
    yield Site(config, producer, receiver)
    await producer.stop()
    await receiver.stop()


@asynccontextmanager
async def running(config: OncallConfig) -> AsyncIterator[str]:
    """The service's address; stops it and checks that it stopped within 3 s."""
    stop = asyncio.Event()
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    service = asyncio.create_task(run_oncall(config, stop=stop, announce=ready.set_result))
    try:
        yield await asyncio.wait_for(ready, WAIT_S)
    finally:
        stop.set()
        began = time.monotonic()
        await asyncio.wait_for(service, 10)
        assert time.monotonic() - began < 3.0


async def actions_of(config: OncallConfig, count: int) -> list[tuple[bytes, dict[str, bytes], dict[str, Any]]]:
    """The first `count` records of the actions topic: key, headers, data."""
    consumer = AIOKafkaConsumer(
        config.actions_topic, bootstrap_servers=config.broker, auto_offset_reset="earliest", group_id=None
    )
    await consumer.start()
    try:
        found = [await asyncio.wait_for(consumer.getone(), WAIT_S) for _ in range(count)]
    finally:
        await consumer.stop()
    return [(r.key, dict(r.headers), orjson.loads(r.value)) for r in found]


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def test_incident_reaches_the_webhook_once_and_a_replay_changes_nothing(site: Site) -> None:
    began = datetime.now(UTC) - timedelta(seconds=20)
    async with running(site.config) as address:
        await site.publish(state="candidate", revision=1, first_frame_at=began)
        await site.publish(state="open", revision=2, first_frame_at=began)
        await site.receiver.wait_for(unique=1)
        await site.publish(state="open", revision=2, first_frame_at=began)
        await site.publish(state="open", revision=3, first_frame_at=began)
        await site.publish(incident_id="another", first_frame_at=began)
        await site.receiver.wait_for(unique=2)
        actions = await actions_of(site.config, 2)

        assert (site.receiver.unique, site.receiver.duplicate, site.receiver.forged) == (2, 0, 0)
        body = next(iter(site.receiver.bodies.values()))
        assert body["type"] == "incident.opened"
        key, headers, data = next(action for action in actions if action[0] == b"smoke-0001")
        assert headers["ce_type"] == b"vn.ioc.incident.action.v1"
        assert headers["ce_source"] == b"/lam-dong/incident"
        assert {k: data[k] for k in ("incident_id", "action", "channel", "level")} == {
            "incident_id": key.decode(),
            "action": "notified",
            "channel": "webhook",
            "level": 1,
        }
        status, text = await get(f"{address}/api/incidents")
        assert (status, orjson.loads(text)["alerts_delivered"]) == (200, 2)
        _, metrics = await get(f"{address}/metrics")
        assert 'ioc_oncall_notices_total{channel="webhook",outcome="sent"} 2.0' in metrics
        assert 'ioc_stage_seconds_count{stage="first_frame_to_alert"} 2.0' in metrics


async def test_bad_record_is_passed_over_and_the_next_one_arrives(site: Site) -> None:
    async with running(site.config) as address:
        topic = site.config.incidents_topic
        await site.producer.send_and_wait(
            topic, b"{", headers=[("ce_type", b"vn.ioc.incident.changed.v1")], partition=0
        )
        await site.producer.send_and_wait(topic, None, key=b"tombstone", partition=0)
        value, headers = record(incident())
        await site.producer.send_and_wait(topic, value, headers=headers, partition=0)
        await site.receiver.wait_for(unique=1)
        _, metrics = await get(f"{address}/metrics")
        assert 'ioc_oncall_records_total{outcome="rejected"} 2.0' in metrics


async def test_restart_delivers_what_was_pending_and_repeats_nothing(site: Site) -> None:
    site.receiver.refusals[:] = [503] * 1000  # down for as long as the first run lasts
    async with running(site.config) as address:
        await site.publish(incident_id="waits")
        await site.receiver.wait_for(refused=1)
        _, text = await get(f"{address}/api/incidents")
        assert orjson.loads(text)["alerts_delivered"] == 0
    site.receiver.refusals.clear()
    async with running(site.config):
        await site.receiver.wait_for(unique=1)
        await site.publish(incident_id="later")
        await site.receiver.wait_for(unique=2)
        await actions_of(site.config, 2)
    assert site.receiver.duplicate == 0
    assert len(set(site.receiver.keys)) == 2


async def test_readiness_says_that_kafka_is_away_and_pending_notices_are_still_delivered(site: Site) -> None:
    async with running(site.config):
        site.receiver.refusals[:] = [503] * 1000
        await site.publish(incident_id="waits")
        await site.receiver.wait_for(refused=1)
    site.receiver.refusals.clear()
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    away = replace(site.config, broker="127.0.0.1:1", port=port)
    stop = asyncio.Event()
    service = asyncio.create_task(run_oncall(away, stop=stop, announce=lambda _: None))
    await site.receiver.wait_for(unique=1)
    status, text = await get(f"http://127.0.0.1:{port}/readyz")
    health, _ = await get(f"http://127.0.0.1:{port}/healthz")
    stop.set()
    await asyncio.wait_for(service, 3)
    assert status == 503
    assert "Kafka at 127.0.0.1:1 can't be reached" in text
    assert health == 200


SCRIPT = "<script>alert(1)</script>"


async def test_pages_escape_what_comes_from_outside_and_let_nothing_else_in(site: Site) -> None:
    async with running(site.config) as address, aiohttp.ClientSession() as session:
        await site.publish(place_vi=SCRIPT, place_en=SCRIPT)
        await site.receiver.wait_for(unique=1)
        for path in ("/", "/?lang=en&page=x", "/runbooks/smoke", "/style.css", "/no-such-page", "/runbooks/%2e%2e%2fx"):
            async with session.get(address + path) as response:
                text = await response.text()
                assert response.status == (404 if "no-such" in path or "%" in path else 200)
                assert "default-src 'none'" in response.headers["Content-Security-Policy"]
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                assert SCRIPT not in text
        assert "&lt;script&gt;" in (await get(address + "/"))[1]


async def test_forged_request_is_refused_by_the_receiver(site: Site) -> None:
    body = b'{"type":"incident.opened"}'
    forged = sign(SigningKey(b"not the secret, but 32 bytes too"), message_id="m", at=datetime.now(UTC), body=body)
    old = sign(KEY, message_id="m", at=datetime.now(UTC) - timedelta(minutes=6), body=body)
    async with aiohttp.ClientSession() as session:
        for headers in (forged, old, {}):
            async with session.post(site.receiver.url, data=body, headers=headers) as response:
                assert response.status == 401
    assert (site.receiver.unique, site.receiver.forged) == (0, 3)


IOC = [sys.executable, "-c", "from ioc.cli import main; main()", "oncall"]


async def _started(arguments: list[str], **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *IOC,
        *arguments,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )


async def test_receiver_command_says_ready_and_ends_cleanly_on_sigterm(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    process = await _started(["receiver", "--secret-file", str(tmp_path / "secret")])
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), WAIT_S)).decode()
    assert line.startswith("ready http://127.0.0.1:")
    assert orjson.loads((await get(line.split()[1]))[1]) == {"unique": 0, "duplicate": 0, "forged": 0}
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 5) == 0


async def test_oncall_command_runs_and_ends_cleanly_on_sigterm_while_kafka_is_away(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    process = await _started([], IOC_STATE=str(tmp_path), IOC_HTTP_PORT=str(port), IOC_BROKER="127.0.0.1:1")
    async with asyncio.timeout(WAIT_S):
        while await _status(f"http://127.0.0.1:{port}/healthz") != 200:  # noqa: ASYNC110  (it says nothing before ready)
            await asyncio.sleep(0.05)
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 3) == 0
    assert (tmp_path / "oncall.db").exists()


async def _status(url: str) -> int:
    try:
        return (await get(url))[0]
    except aiohttp.ClientError:
        return 0


async def test_picture_of_an_incident_is_served(site: Site) -> None:
    jpeg = b"\xff\xd8\xff" + b"0" * 100 + b"\xff\xd9"
    reference = open_evidence(site.config.evidence).put(jpeg)
    async with running(site.config) as address, aiohttp.ClientSession() as session:
        async with session.get(f"{address}/evidence/{reference.rsplit('/', 1)[1]}") as response:
            assert (response.status, response.content_type, await response.read()) == (200, "image/jpeg", jpeg)
        for wrong in ("../../oncall.db", "A" * 64, "0" * 64, "..%2f..%2foncall.db"):
            async with session.get(f"{address}/evidence/{wrong}") as response:
                assert response.status == 404
