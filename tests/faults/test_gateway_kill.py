"""kill -9 of the gateway in the middle of ten thousand requests; the client asks again for whatever had no answer."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest

from tests.integration.dossiers import DOSSIERS, NOW, dossier, in_thread
from tests.integration.running import Figure, Running, eventually, start_ioc, start_worker
from tests.integration.sdk_outage import Door, open_door
from tests.integration.topic_reading import records_of

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]
REQUESTS = 10_000
KILLED_AFTER = 4_000
CONNECTIONS = 32


class Client:
    """A department that sends one event a request, and notes which were acknowledged."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.acknowledged: dict[str, str] = {}
        self.enough = asyncio.Event()

    async def send(self, url: str, names: Sequence[str]) -> None:
        """Sends each of `names` once; what gets no answer is left for another try."""
        waiting = iter(names)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/cloudevents+json"}
        async with aiohttp.ClientSession(
            url, headers=headers, connector=aiohttp.TCPConnector(limit=CONNECTIONS)
        ) as http:

            async def send_some() -> None:
                for name in waiting:
                    try:
                        async with http.post("/v1/events", data=json.dumps(dossier(name))) as answer:
                            told = await answer.json()
                    except (aiohttp.ClientError, ConnectionError):
                        return
                    assert answer.status in (200, 202), told
                    self.acknowledged[name] = told["results"][0]["outcome"]
                    if len(self.acknowledged) >= KILLED_AFTER:
                        self.enough.set()

            await asyncio.gather(*(send_some() for _ in range(CONNECTIONS)))


async def test_what_was_acknowledged_before_the_kill_is_in_kafka_and_everything_counts_once(tmp_path: Path) -> None:
    opened = open_door(tmp_path)
    door = await in_thread(opened.__enter__)
    with ExitStack() as stack:
        stack.callback(opened.__exit__, None, None, None)
        client, names = Client(door.token), [f"kill-{number}" for number in range(REQUESTS)]
        sending = asyncio.create_task(client.send(door.url, names))
        await client.enough.wait()
        door.gateway.kill()
        await sending
        before = set(client.acknowledged)
        assert KILLED_AFTER <= len(before) < REQUESTS
        assert before <= await ids_in_kafka(door)

        again = stack.enter_context(restarted(door, tmp_path))
        await in_thread(again.await_ready)
        await client.send(again.address, [name for name in names if name not in before])
        assert len(client.acknowledged) == REQUESTS
        assert await ids_in_kafka(door) == set(names)
        records = len(await records_of(door.kafka.address, DOSSIERS))
        print(f"{len(before)} acknowledged before the kill; {records - REQUESTS} records are there twice")

        worker = stack.enter_context(
            start_worker("events,figures", broker=door.kafka.address, folder=tmp_path, IOC_NOW=NOW)
        )
        await in_thread(worker.await_ready)
        await in_thread(eventually, lambda: assert_counted_once(worker, records), within_s=60, alive=[worker])


def restarted(door: Door, folder: Path):  # type: ignore[no-untyped-def]  # a context manager, as start_ioc's
    return start_ioc("gateway", name="gateway-again", broker=door.kafka.address, folder=folder, IOC_NOW=NOW)


def assert_counted_once(worker: Running, records: int) -> None:
    metrics = worker.metrics()
    assert metrics.figure("dossiers_online", "mtd") == Figure(numerator=REQUESTS, denominator=REQUESTS)
    counted = metrics.outcomes(DOSSIERS)
    assert counted == {"in": records, "accepted": REQUESTS, "duplicate": records - REQUESTS, "rejected": 0}


async def ids_in_kafka(door: Door) -> set[str]:
    return {record.key.decode() for record in await records_of(door.kafka.address, DOSSIERS)}
