"""One department's dossiers: its events one by one, and a steady flow of them that is counted while it is sent."""

import asyncio
import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner

from tests.integration.running import Figure, Record, Running, eventually

__all__ = ["DOSSIERS", "NOW", "PARTITIONS", "Flow", "binary", "dossier", "here", "home", "in_thread"]

NOW = "2026-11-22T08:00:00+07:00"
DOSSIERS = "ioc.onestop.dossiers"
PARTITIONS = 4
_partitioner = DefaultPartitioner()


def home(key: str) -> int:
    every = list(range(PARTITIONS))
    return int(_partitioner(key.encode(), every, every))


def dossier(dossier_id: str, *, channel: str = "online", **changes: Any) -> dict[str, Any]:
    """A CloudEvent as a dict: attributes, and `data`. `data` changes by `data={…}`, attributes by name."""
    data = {
        "dossier_id": dossier_id,
        "service_level": "full",
        "channel": channel,
        "submitted_at": "2026-11-20T08:00:00+07:00",
        "agency_code": "H36.01",
    }
    event = {
        "specversion": "1.0",
        "id": f"{dossier_id}-submitted",
        "source": "/lam-dong/onestop/dvcqg",
        "type": "vn.ioc.dossier.submitted.v1",
        "time": "2026-11-20T08:00:00+07:00",
        "datacontenttype": "application/json",
    }
    return event | changes | {"data": data | changes.get("data", {})}


def binary(event: dict[str, Any], topic: str = DOSSIERS, **place: Any) -> Record:
    names = {"datacontenttype": "content-type"}
    headers = [(names.get(name, f"ce_{name}"), str(text).encode()) for name, text in event.items() if name != "data"]
    key = event["data"]["dossier_id"].encode() if "dossier_id" in event["data"] else b"?"
    return Record(topic=topic, key=key, value=json.dumps(event["data"]).encode(), headers=headers, **place)


def here(stem: str, partition: int, amount: int) -> list[str]:
    """`amount` dossier ids that belong to `partition`."""
    names = (f"{stem}-{number}" for number in count())
    found = []
    while len(found) < amount:
        name = next(names)
        if home(name) == partition:
            found.append(name)
    return found


@dataclass(slots=True)
class Flow:
    """Publishes dossiers one after the other, every seventh twice and every eleventh broken, until it is stopped."""

    broker: str
    pause_s: float = 0.002
    sent: int = 0
    expected: Counter[str] = field(default_factory=Counter)
    online: int = 0
    _task: "asyncio.Task[None] | None" = None

    async def __aenter__(self) -> "Flow":
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        async with AIOKafkaProducer(
            bootstrap_servers=self.broker, enable_idempotence=True, linger_ms=5, request_timeout_ms=60_000
        ) as producer:
            receipts: list[Any] = []
            try:
                while True:
                    receipts += [
                        await producer.send(one.topic, one.value, key=one.key, headers=list(one.headers))
                        for one in self._next()
                    ]
                    await asyncio.sleep(self.pause_s)  # the pace of the departments; nothing waits for it
            finally:
                for receipt in receipts:
                    await receipt

    def _next(self) -> list[Record]:
        number = self.sent
        self.sent += 1
        name = f"flow-{number}"
        if number % 11 == 5:
            self.expected.update(("in", "rejected"))
            return [binary(dossier(name, data={"channel": "fax"}))]
        is_online = number % 3 > 0
        self.online += is_online
        record = binary(dossier(name, channel="online" if is_online else "counter"))
        self.expected.update(("in", "accepted"))
        if number % 7 == 3:
            self.expected.update(("in", "duplicate"))
            return [record, record]
        return [record]

    async def reaches(self, more: int) -> None:
        """Returns when that many more dossiers were published."""
        goal = self.sent + more
        while self.sent < goal:
            assert self._task is not None
            assert not self._task.done(), self._task
            await asyncio.sleep(0.01)

    def check(self, *workers: Running, within_s: float = 40) -> None:
        """Waits until the workers together counted exactly what was sent; the first one exports the figures."""

        def exact() -> None:
            found: Counter[str] = Counter()
            for worker in workers:
                found.update(worker.metrics().outcomes(DOSSIERS))
            assert +found == self.expected
            shown = workers[0].metrics().figure("dossiers_online", "mtd")
            assert shown == Figure(numerator=self.online, denominator=self.expected["accepted"])

        eventually(exact, within_s=within_s, alive=workers)


async def in_thread(wait: Any, *arguments: Any, **named: Any) -> Any:
    """Waits without keeping the flow from flowing."""
    return await asyncio.to_thread(wait, *arguments, **named)
