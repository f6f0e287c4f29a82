"""A worker of its own with the smallest shard there is: it counts made-up records, for ever.

`python -m tests.integration.tallying BROKER STATE_TOPIC FOLDER` prints `restored NEXT ROWS_READ`, then the offset after
every durable write.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry

from streams.batches import Batch
from streams.metrics import PipelineMetrics
from streams.row_stores import RocksRows, RowStore
from streams.shard_keeper import ShardKeeper
from streams.shard_log import Outgoing, Restored

GROUP = "tally"
INPUT = "numbers"
ENTITIES = 500
BATCH_RECORDS = 100


def entity_of(offset: int) -> str:
    return f"tally\x1f{offset * 7919 % ENTITIES}"


def expected(next_offset: int) -> dict[str, bytes]:
    """The rows after every record before `next_offset`."""
    return {key: b"%d" % count for key, count in Counter(map(entity_of, range(next_offset))).items()}


class CountingRows(RocksRows):
    """Counts the rows that were set: after a restore, those that came from Kafka."""

    set_rows = 0

    def __setitem__(self, key: str, data: bytes, /) -> None:
        self.set_rows += 1
        super().__setitem__(key, data)


@dataclass
class TallyWrite:
    rows: dict[bytes, bytes | None]
    marker: bytes
    others: list[Outgoing] = field(default_factory=list)


class TallyShard:
    def __init__(self, partition: int) -> None:
        self.next, self.durable = 0, 0
        self._new: Counter[str] = Counter()

    def restore(self, restored: Restored, now_us: int) -> None:
        self.rows = restored.rows
        self.next = self.durable = int(restored.marker or 0)

    def take(self, batch: Batch, now_us: int) -> None:
        self._new.update(map(entity_of, batch.records))
        self.next = batch.records[-1] + 1

    def next_offset(self, topic: str) -> int:
        return self.next

    def prepare(self, now_us: int) -> TallyWrite | None:
        if not self._new:
            return None
        write = TallyWrite({}, b"%d" % self.next)
        for key, count in self._new.items():
            data = b"%d" % (int(self.rows.get(key) or 0) + count)
            write.rows[key.encode()] = self.rows[key] = data
        self._new.clear()
        return write

    def committed(self, write: TallyWrite) -> None:
        self.durable = int(write.marker)


class HandFedApp:
    """What a keeper of shards needs of its app, without Faust."""

    def __init__(self) -> None:
        self.on_partitions_assigned = self
        self.conf = SimpleNamespace(id=GROUP)
        self.crashes: list[BaseException] = []

    def connect(self, handler: Callable[..., Any]) -> None:
        self._handler = handler

    async def assign(self, *partitions: int) -> None:
        await self._handler(self, [TopicPartition(INPUT, partition) for partition in partitions])

    async def crash(self, reason: BaseException) -> None:
        self.crashes.append(reason)


class Worker:
    """A keeper of tally shards, fed by hand; writes only when told to."""

    def __init__(self, broker: str, state_topic: str, make_store: Callable[[int], RowStore]) -> None:
        self.app = HandFedApp()
        self.keeper = ShardKeeper(
            self.app,  # type: ignore[arg-type]
            broker=broker,
            state_topic=state_topic,
            make_shard=TallyShard,
            clock=lambda: datetime.now(UTC),
            flush_s=3600.0,
            metrics=PipelineMetrics(CollectorRegistry()),
            stage="tally",
            make_store=make_store,
        )

    async def restored(self) -> TallyShard:
        """Returns the shard of partition 0 once it is open."""
        assert await self.keeper.next_offset(INPUT, 0) is not None
        return self.keeper.shards()[0]

    async def tally(self, offsets: Iterable[int]) -> None:
        """Counts these records and writes the rows."""
        batch = Batch(INPUT, 0, list(offsets))
        await self.keeper.take(SimpleNamespace(value=batch, ack=lambda: None))
        await self.keeper.flush_now(0)


async def run_for_ever(broker: str, state_topic: str, folder: Path) -> None:
    stores: list[CountingRows] = []

    def make_store(partition: int) -> RowStore:
        stores.append(CountingRows(folder))
        return stores[-1]

    worker = Worker(broker, state_topic, make_store)
    await worker.app.assign(0)
    shard = await worker.restored()
    print("restored", shard.next, stores[0].set_rows, flush=True)
    while True:
        await worker.tally(range(shard.next, shard.next + BATCH_RECORDS))
        print(shard.durable, flush=True)


if __name__ == "__main__":
    asyncio.run(run_for_ever(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
