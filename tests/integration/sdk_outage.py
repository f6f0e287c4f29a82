"""A department, the gateway and a Kafka of their own; and the broker that goes away in the middle of it."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ioc.adapters.topics import ensure_topics
from ioc.broker import EmbeddedKafka
from ioc.catalog import load_catalog
from ioc.sdk import AsyncPublisher, Result
from ioc.settings import Settings
from tests.integration.dossiers import DOSSIERS, NOW, in_thread
from tests.integration.running import Running, own_broker, run_ioc, start_ioc
from tests.integration.topic_reading import records_of

__all__ = ["SOURCE", "Door", "open_door", "publish_through_an_outage"]

SOURCE = "/lam-dong/onestop/dut-cap"
BEFORE, AFTER = 40, 40
EVERY_S = 0.02  # a busy one-stop system: fifty dossiers a second


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A gateway that runs, the token of a department, and the Kafka behind."""

    kafka: EmbeddedKafka
    gateway: Running
    token: str

    @property
    def url(self) -> str:
        return self.gateway.address


@contextmanager
def open_door(folder: Path) -> Iterator[Door]:
    catalog = load_catalog(Path(Settings.model_fields["catalog"].get_default()))
    with own_broker(folder) as kafka:
        asyncio.run(ensure_topics(kafka.address, catalog.topics()))
        issue = ("gateway", "token", "issue", "van-phong-ubnd", "--json")
        issued = run_ioc(*issue, broker=kafka.address, state=folder / "state", timeout_s=30, IOC_NOW=NOW)
        assert issued.returncode == 0, issued.stderr
        with start_ioc("gateway", name="gateway", broker=kafka.address, folder=folder, IOC_NOW=NOW) as gateway:
            gateway.await_ready()
            yield Door(kafka=kafka, gateway=gateway, token=json.loads(issued.stdout)["token"])


@dataclass(slots=True)
class Told:
    """What the department was told of each dossier, in the order of telling."""

    results: list[Result]

    def amount(self, *outcomes: str) -> int:
        return sum(result.outcome in outcomes for result in self.results)

    def safe(self) -> list[str]:
        return [result.id for result in self.results if result.is_safe]


async def publish_through_an_outage(door: Door, spool: Path, *, outage_s: float) -> Told:
    """Publishes dossiers one by one while the broker is killed and comes back; then checks all that arrived.

    Every event that was called safe is in Kafka, once by source and id for whoever counts, and within each partition
    in the order in which the department told them.
    """
    told = Told([])
    async with AsyncPublisher(door.url, door.token, source=SOURCE, spool=spool, wait_s=1.0, chance=lambda: 0.2) as p:

        async def publish(until: asyncio.Event | None, at_least: int) -> None:
            first = len(told.results)
            while len(told.results) - first < at_least or (until is not None and not until.is_set()):
                data = _dossier(len(told.results))
                told.results.append(await p.publish("dossier.submitted", data, id=_id(told), time=NOW))
                await asyncio.sleep(EVERY_S)

        await publish(None, BEFORE)
        assert told.amount("accepted") == BEFORE
        is_back = asyncio.Event()
        during = asyncio.create_task(publish(is_back, 1))
        await in_thread(door.kafka.kill)
        await asyncio.sleep(outage_s)  # how long the outage lasts; nothing waits for it
        status, _ = await in_thread(door.gateway.get, "/readyz")
        assert status == 503
        assert p.status.trouble is not None
        assert p.pending > 0
        await in_thread(door.kafka.start)
        is_back.set()
        await during
        await publish(None, AFTER)
        assert await p.flush(60) == 0, p.status
        assert await p.rejected() == []
        assert p.status.trouble is None
    assert told.amount("rejected") == 0
    assert told.amount("spooled") > 0
    await _check_arrived(door, told)
    return told


def _id(told: Told) -> str:
    return f"{len(told.results):06}-submitted"


def _dossier(number: int) -> dict[str, object]:
    return {
        "dossier_id": f"H36.31-{number:06}",
        "service_level": "full",
        "channel": "online",
        "submitted_at": "2026-11-20T08:00:00+07:00",
    }


async def _check_arrived(door: Door, told: Told) -> None:
    firsts: dict[int, dict[str, None]] = defaultdict(dict)
    for record in await records_of(door.kafka.address, DOSSIERS):
        event = json.loads(record.value)
        if event["source"] == SOURCE:
            firsts[record.partition].setdefault(event["id"])
    arrived = [event_id for partition in firsts.values() for event_id in partition]
    assert len(arrived) == len(set(arrived)), "one event lies in two partitions"
    assert sorted(arrived) == told.safe()
    for partition in firsts.values():
        assert list(partition) == sorted(partition), "the order of the department is not the order of Kafka"
