"""A keeper of shards and their row stores: committed after Kafka has the write, closed with the shard. No Kafka."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from ioc.errors import TransientError
from streams import shard_keeper
from streams.row_stores import MemoryRows, RowStore, StoreBusy
from streams.shard_log import Restored
from tests.integration.tallying import Worker, expected


class FakeLog:
    """Kafka's side of one shard. What it does is set on the class: the keeper makes its own."""

    place = 0
    trouble: Exception | None = None
    gate: asyncio.Event | None = None
    closed = 0

    def __init__(self, *_: Any, **__: Any) -> None: ...

    async def open(self, store: RowStore) -> Restored:
        if self.gate is not None:
            await self.gate.wait()
        self._raise()
        return Restored(rows=store, marker=store.marker)

    async def write(self, rows: Mapping[bytes, bytes | None], marker: bytes, others: Any = ()) -> int:
        self._raise()
        FakeLog.place += len(rows) + 2
        return FakeLog.place

    async def close(self) -> None:
        FakeLog.closed += 1

    def _raise(self) -> None:
        if self.trouble is not None:
            raise self.trouble


class WatchedRows(MemoryRows):
    closed = 0

    def close(self) -> None:
        self.closed += 1


@pytest.fixture(autouse=True)
def log(monkeypatch: pytest.MonkeyPatch) -> type[FakeLog]:
    monkeypatch.setattr(shard_keeper, "ShardLog", FakeLog)
    for name, value in {"place": 0, "trouble": None, "gate": None, "closed": 0}.items():
        monkeypatch.setattr(FakeLog, name, value)
    return FakeLog


@pytest.fixture
def store() -> WatchedRows:
    return WatchedRows()


@pytest.fixture
def worker(store: WatchedRows) -> Worker:
    return Worker("127.0.0.1:1", "rows", lambda partition: store)


async def test_a_store_is_committed_at_the_place_that_kafka_gave(worker: Worker, store: WatchedRows) -> None:
    await worker.app.assign(0)
    await worker.restored()
    await worker.tally(range(10))
    assert (store, store.place, store.marker) == (expected(10), 12, b"10")
    await worker.keeper.stop()
    assert store.closed == 1


async def test_a_store_is_not_committed_where_kafka_did_not_take_the_write(
    worker: Worker, store: WatchedRows, log: type[FakeLog]
) -> None:
    await worker.app.assign(0)
    await worker.restored()
    log.trouble = TransientError("the broker is away")
    with pytest.raises(TransientError):
        await worker.tally(range(10))
    assert (store.place, store.marker) == (0, None)
    await worker.keeper.stop()
    assert (store.place, store.closed) == (0, 1)


async def test_a_store_is_closed_with_the_shard_that_goes_to_another_worker(worker: Worker, store: WatchedRows) -> None:
    await worker.app.assign(0)
    await worker.restored()
    await worker.app.assign()
    assert (store.closed, worker.keeper.is_ready) == (1, False)
    await worker.keeper.stop()


async def test_a_store_is_closed_when_its_log_cannot_be_opened(
    worker: Worker, store: WatchedRows, log: type[FakeLog]
) -> None:
    log.trouble = TransientError("the broker is away")
    await worker.app.assign(0)
    with pytest.raises(TransientError):
        await worker.restored()
    assert (store.closed, log.closed, worker.app.crashes) == (1, 1, [log.trouble])
    await worker.keeper.stop()


async def test_a_store_is_closed_when_the_partition_goes_while_it_is_restored(
    worker: Worker, store: WatchedRows, log: type[FakeLog]
) -> None:
    log.gate = asyncio.Event()
    await worker.app.assign(0)
    await asyncio.sleep(0)  # the opening has begun
    await worker.app.assign()
    assert (store.closed, log.closed, worker.app.crashes) == (1, 1, [])
    await worker.keeper.stop()


async def test_a_store_that_stays_busy_stops_the_worker_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_keeper, "_STORE_WAIT_S", -1.0)
    busy = StoreBusy("another worker uses these rows")

    def make_store(partition: int) -> RowStore:
        raise busy

    worker = Worker("127.0.0.1:1", "rows", make_store)
    await worker.app.assign(0)
    with pytest.raises(StoreBusy):
        await worker.restored()
    assert worker.app.crashes == [busy]
    await worker.keeper.stop()
