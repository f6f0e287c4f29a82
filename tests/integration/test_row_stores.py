"""Row stores on a real Kafka: what survives on disk is read on from its place, and only where that is right."""

import asyncio
import random
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from ioc.errors import ConfigurationError
from streams.row_stores import MemoryRows, RowStore, make_store_factory
from streams.shard_log import Restored, ShardLog
from tests.conftest import KafkaForTests
from tests.integration.tallying import BATCH_RECORDS, ENTITIES, GROUP, CountingRows, Worker, expected

ROOT = Path(__file__).parents[2]
COMPACT = {"cleanup.policy": "compact"}

MakeTopic = Callable[[], Awaitable[str]]


@pytest.fixture
def state_topic(kafka: KafkaForTests, fresh_name: Callable[[str], str]) -> MakeTopic:
    async def make() -> str:
        async with AIOKafkaConsumer(bootstrap_servers=kafka.address, group_id=GROUP) as consumer:
            await consumer.committed(TopicPartition("__consumer_offsets", 0))  # the broker can tell groups from here on
        return await kafka.create_topic(fresh_name("rows"), partitions=1, config=COMPACT)

    return make


@pytest.fixture
def rocks(tmp_path: Path) -> Iterator[Callable[[], CountingRows]]:
    """Opens the store of this test, closing the one before."""
    opened: list[CountingRows] = []

    def close() -> None:
        while opened:
            opened.pop().close()

    def reopen() -> CountingRows:
        close()
        opened.append(CountingRows(tmp_path / "rocks"))
        return opened[0]

    yield reopen
    close()


async def restore(kafka: KafkaForTests, topic: str, store: RowStore, *, group: str = GROUP) -> Restored:
    log = ShardLog(kafka.address, topic, 0, group=group)
    try:
        return await log.open(store)
    finally:
        await log.close()


async def write(kafka: KafkaForTests, topic: str, *writes: tuple[dict[bytes, bytes | None], bytes]) -> None:
    log = ShardLog(kafka.address, topic, 0, group=GROUP)
    try:
        await log.open(MemoryRows())
        for rows, marker in writes:
            await log.write(rows, marker)
    finally:
        await log.close()


@pytest.mark.parametrize("kind", ["memory", "rocksdb"])
async def test_a_store_holds_the_newest_of_every_row_and_no_removed_one(
    kind: str, kafka: KafkaForTests, state_topic: MakeTopic, tmp_path: Path
) -> None:
    topic = await state_topic()
    await write(
        kafka,
        topic,
        ({b"a": b"1", b"b": b"1", "đ".encode(): b"1"}, b"m1"),
        ({b"a": b"2", b"b": None}, b"m2"),
    )
    store = make_store_factory(kind, tmp_path)(0)
    restored = await restore(kafka, topic, store)
    assert (dict(restored.rows.items()), restored.marker) == ({"a": b"2", "đ": b"1"}, b"m2")
    store.close()


async def test_what_kafka_has_and_the_disk_has_not_is_read_and_nothing_else(
    kafka: KafkaForTests, state_topic: MakeTopic, rocks: Callable[[], CountingRows]
) -> None:
    topic = await state_topic()
    await write(kafka, topic, ({b"row%d" % number: b"1" for number in range(1_000)}, b"m1"))
    store = rocks()
    await restore(kafka, topic, store)
    assert store.set_rows == 1_000
    store = rocks()
    assert (await restore(kafka, topic, store)).marker == b"m1"
    assert store.set_rows == 0, "nothing was written meanwhile"
    await write(kafka, topic, ({b"row7": b"2", b"row8": None}, b"m2"))  # as by another worker, or before a crash
    store = rocks()
    assert (await restore(kafka, topic, store)).marker == b"m2"
    assert store.set_rows == 1
    whole = MemoryRows()
    await restore(kafka, topic, whole)
    assert dict(store.items()) == whole
    assert (store.get("row7"), "row8" in store, len(store)) == (b"2", False, 999)


async def test_rows_of_another_log_are_thrown_away(
    kafka: KafkaForTests, state_topic: MakeTopic, rocks: Callable[[], CountingRows]
) -> None:
    """As after the topic was deleted and made again: the same offset holds something else."""
    earlier, later = await state_topic(), await state_topic()
    await write(kafka, earlier, ({b"old": b"1"}, b"m1"))
    await restore(kafka, earlier, rocks())
    await write(kafka, later, ({b"new": b"1"}, b"other m1"), ({b"newer": b"1"}, b"other m2"))
    store = rocks()
    restored = await restore(kafka, later, store)
    assert (dict(store.items()), restored.marker) == ({"new": b"1", "newer": b"1"}, b"other m2")


async def test_a_lost_log_is_refused_and_the_rows_on_disk_are_kept(
    kafka: KafkaForTests, state_topic: MakeTopic, rocks: Callable[[], CountingRows], fresh_name: Callable[[str], str]
) -> None:
    topic, lost, group = await state_topic(), await state_topic(), fresh_name("group")
    await write(kafka, topic, ({b"a": b"1"}, b"m1"))
    await restore(kafka, topic, rocks())
    async with AIOKafkaConsumer(bootstrap_servers=kafka.address, group_id=group) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        await consumer.commit({TopicPartition(topic, 0): 1})
    with pytest.raises(ConfigurationError, match="holds nothing of partition 0"):
        await restore(kafka, lost, rocks(), group=group)
    assert dict(rocks().items()) == {"a": b"1"}


async def test_a_shard_that_comes_back_reads_what_another_worker_wrote_meanwhile(
    kafka: KafkaForTests, state_topic: MakeTopic, tmp_path: Path
) -> None:
    topic = await state_topic()
    for turn, folder in enumerate(("here", "there", "here", "there")):
        store = CountingRows(tmp_path / folder)
        worker = Worker(kafka.address, topic, lambda partition, store=store: store)  # type: ignore[misc]
        await worker.app.assign(0)
        shard = await worker.restored()
        assert shard.next == turn * BATCH_RECORDS
        assert store.set_rows == (0, 100, 100, 100)[turn], "of other workers' writes since this one's last"
        await worker.tally(range(shard.next, shard.next + BATCH_RECORDS))
        assert dict(store.items()) == expected(shard.next)
        await worker.keeper.stop()
        assert worker.app.crashes == []


async def test_a_store_that_an_earlier_owner_still_holds_is_waited_for(
    kafka: KafkaForTests, state_topic: MakeTopic, tmp_path: Path
) -> None:
    """Two workers of one machine with one folder: both learn of the new assignment at about the same time."""
    topic, make_store = await state_topic(), make_store_factory("rocksdb", tmp_path)
    earlier, later = (Worker(kafka.address, topic, make_store) for _ in range(2))
    await earlier.app.assign(0)
    await earlier.restored()
    await earlier.tally(range(BATCH_RECORDS))
    await later.app.assign(0)
    assert not later.keeper.is_ready
    await earlier.app.assign()
    assert (await later.restored()).next == BATCH_RECORDS
    await later.keeper.stop()
    await earlier.keeper.stop()
    assert earlier.app.crashes == later.app.crashes == []


def run_until_killed(broker: str, topic: str, folder: Path, *, told: int, writes: int) -> int:
    """Runs a worker for so many writes and kills it with 9; returns the last offset that it told to be durable."""
    command = [sys.executable, "-m", "tests.integration.tallying", broker, topic, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        _, start, rows_read = child.stdout.readline().split()
        assert int(start) >= told, "what was durable is there"
        assert int(rows_read) <= BATCH_RECORDS, "at most the write that was on its way"
        for _ in range(writes):
            told = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
    return told


async def test_a_worker_killed_with_9_goes_on_from_its_rows_on_disk_and_reads_only_the_tail(
    kafka: KafkaForTests, state_topic: MakeTopic, tmp_path: Path
) -> None:
    topic, folder = await state_topic(), tmp_path / "rocks"
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    after = random.Random(seed)
    told = 0
    for _ in range(3):
        told = await asyncio.to_thread(
            run_until_killed, kafka.address, topic, folder, told=told, writes=after.randrange(5, 30)
        )
    store = CountingRows(folder)
    restored = await restore(kafka, topic, store)
    end = int(restored.marker or 0)
    assert end >= told >= 3 * 5 * BATCH_RECORDS > ENTITIES
    assert store.set_rows <= BATCH_RECORDS
    assert dict(store.items()) == expected(end)
    whole = MemoryRows()
    assert (await restore(kafka, topic, whole)).marker == restored.marker
    assert whole == expected(end)
    store.close()
