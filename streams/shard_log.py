"""The durable side of a shard: one partition of a changelog, written in transactions by one fenced producer.

A shard is one partition number of everything an agent consumes. Its state is (rows, marker): the marker says up to
which offset of each source topic the rows stand, and carries the counters that go with them. Every write - rows,
marker, and whatever else follows from the same records (dead letters, partials, incidents) - is one Kafka transaction.
So a restart finds state, counters and outputs exactly as they were at one point of the input, and goes on from there;
and a worker that was thought dead and wakes up is fenced: its write fails, nothing of it is ever seen.

Where rows lie between events is a `RowStore`: one that survived the last process is read on from its place.

This is plain Kafka, not Faust's `exactly_once` (measured wrong after kill -9): Faust still delivers at least once, and
what it delivers again lies before the marker and is passed over.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, ProducerFenced
from aiokafka.structs import OffsetAndMetadata

from ioc.adapters.kafka_access import kafka_arguments
from ioc.errors import ConfigurationError, PermanentError, TransientError
from streams.row_stores import MemoryRows, RowStore

__all__ = ["MARKER_KEY", "Outgoing", "Restored", "ShardLog"]

logger = logging.getLogger(__name__)

MARKER_KEY = b"\x00marker"
_BATCH_BYTES = 512 * 1024
_MAX_REQUEST_BYTES = 2 * 1024 * 1024
_RESTORE_FETCH_BYTES = 2 * 1024 * 1024  # 340 k rows/s of 400 bytes; 8 MiB: 300 k, 1 MiB: 310 k
_RESTORE_RECORDS = 10_000  # about 30 ms of the event loop
_RESTORE_POLL_MS = 20  # a log ends with a transaction's marker, which no poll returns: waiting for more is wasted
_TRANSACTION_TIMEOUT_MS = 20_000  # a dead worker's open transaction holds readers back at most this long


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A record to be written in the same transaction. `partition` None: where the key's murmur2 says."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int | None = None


@dataclass(slots=True)
class Restored:
    """What the log holds: the store, complete now, and the last marker (None for a shard that never wrote)."""

    rows: RowStore = field(default_factory=MemoryRows)
    marker: bytes | None = None


_Ready = tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]
"""Key, value, headers (aiokafka takes no tuple of them)."""
_NO_HEADERS: list[tuple[str, bytes]] = []


class ShardLog:
    """One partition of `topic`. `open` fences every earlier owner and restores; then `write`; then `close`."""

    def __init__(self, broker: str, topic: str, partition: int, *, group: str) -> None:
        self._broker, self._topic, self._partition, self._group = broker, topic, partition, group
        self._producer: AIOKafkaProducer | None = None
        self._is_writing = False

    async def open(self, store: RowStore) -> Restored:
        """Completes the store, and returns it with the marker. Earlier owners can't write any more from here on.

        Raises:
            TransientError: the broker is away.
            ConfigurationError: the log is empty though events were processed: every figure would be too small.
        """
        producer = AIOKafkaProducer(
            **kafka_arguments(self._broker),
            transactional_id=f"{self._topic}-{self._partition}",
            transaction_timeout_ms=_TRANSACTION_TIMEOUT_MS,
            max_batch_size=_BATCH_BYTES,
            max_request_size=_MAX_REQUEST_BYTES,
        )
        try:
            await producer.start()
            await producer.begin_transaction()  # waits for the producer id: the earlier owner's transaction is aborted
            await producer.commit_transaction()
            self._producer = producer
            await self._restore(store)
            return Restored(rows=store, marker=store.marker)
        except KafkaError as error:
            raise TransientError(f"shard {self._partition} of {self._topic}: can't open: {error!r}") from error

    async def write(self, rows: Mapping[bytes, bytes | None], marker: bytes, others: Iterable[Outgoing] = ()) -> int:
        """Writes all of it or nothing. Once the broker has it, returns the place: the offset after the marker.

        Raises:
            PermanentError: another worker owns the shard now, or an earlier write did not end well.
            TransientError: the broker did not take it in time; the shard must be opened anew.
        """
        if (
            self._producer is None or self._is_writing
        ):  # rows of a write that failed or was cancelled are in no later one
            raise PermanentError(f"shard {self._partition} of {self._topic} is not open")
        producer = self._producer
        self._is_writing = True
        try:
            await producer.begin_transaction()
            sent = await self._send_others(producer, others)
            records = ((key, value, _NO_HEADERS) for key, value in rows.items())
            sent += await self._send_batches(producer, self._topic, self._partition, records)
            sent.append(await producer.send(self._topic, key=MARKER_KEY, value=marker, partition=self._partition))
            receipts = await asyncio.gather(*sent)
            await producer.commit_transaction()
        except ProducerFenced as error:
            raise PermanentError(f"shard {self._partition} of {self._topic} has another owner now") from error
        except KafkaError as error:
            raise TransientError(f"shard {self._partition} of {self._topic}: write failed: {error!r}") from error
        self._is_writing = False
        return int(receipts[-1].offset) + 1

    async def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def _send_others(self, producer: AIOKafkaProducer, others: Iterable[Outgoing]) -> "list[asyncio.Future[Any]]":
        by_place: dict[tuple[str, int], list[_Ready]] = {}
        sent: list[asyncio.Future[Any]] = []
        for other in others:
            if other.partition is None:
                headers = list(other.headers) or None
                sent.append(await producer.send(other.topic, key=other.key, value=other.value, headers=headers))
            else:
                ready = (other.key, other.value, list(other.headers))
                by_place.setdefault((other.topic, other.partition), []).append(ready)
        for (topic, partition), records in by_place.items():
            sent += await self._send_batches(producer, topic, partition, records)
        return sent

    async def _send_batches(
        self, producer: AIOKafkaProducer, topic: str, partition: int, records: Iterable["_Ready"]
    ) -> "list[asyncio.Future[Any]]":
        """Records go as ready-made batches: 2-5 µs each, against 40 and more for single sends."""
        sent = []
        batch = producer.create_batch()
        for key, value, headers in records:
            if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
                batch.close()
                sent.append(await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
                    raise PermanentError(f"a record of {len(value or b'')} bytes on {topic} is larger than a batch")
        if batch.record_count():
            batch.close()
            sent.append(await producer.send_batch(batch, topic, partition=partition))
        return sent

    async def _restore(self, store: RowStore) -> None:
        """Reads what the store lacks: the tail of the log, or all of it where the store can't be read on from."""
        partition = TopicPartition(self._topic, self._partition)
        async with self._reader() as reader:
            reader.assign([partition])
            start = (await reader.beginning_offsets([partition]))[partition]
            end = (await reader.end_offsets([partition]))[partition]
            if not await _continues(reader, partition, store, end):
                if start == end:  # before the rows of an earlier log are thrown away
                    await self._refuse_lost_state()
                store.clear()
                reader.seek(partition, start)
            begin = await reader.position(partition)
            await _read_on(reader, partition, store, end)
        if store.marker is None and start < end:
            await self._refuse_lost_state()
        logger.info("%s: read offsets %d to %d of the rows", partition, begin, end)

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[AIOKafkaConsumer]:
        reader = AIOKafkaConsumer(
            **kafka_arguments(self._broker),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # `latest` once restored nothing at all
            isolation_level="read_committed",
            max_partition_fetch_bytes=_RESTORE_FETCH_BYTES,
        )
        await reader.start()
        try:
            yield reader
        finally:
            await reader.stop()

    async def _refuse_lost_state(self) -> None:
        """A group that has committed offsets has written a marker before: where none is left, the topic was lost."""
        admin = AIOKafkaAdminClient(**kafka_arguments(self._broker))
        await admin.start()
        try:
            offsets = await admin.list_consumer_group_offsets(self._group)
        finally:
            await admin.close()
        if _ended_at(offsets, self._partition) > 0:
            raise ConfigurationError(
                f"topic {self._topic} holds nothing of partition {self._partition}, though group {self._group} has "
                f"processed events: the figures would be wrong. Bring the topic back from its replicas; or stop every "
                f"worker, delete the consumer group {self._group} and the topic, and start again: all events are then "
                f"read anew"
            )


def _ended_at(offsets: Mapping[TopicPartition, OffsetAndMetadata], partition: int) -> int:
    return max((found.offset for place, found in offsets.items() if place.partition == partition), default=0)


async def _continues(reader: AIOKafkaConsumer, partition: TopicPartition, store: RowStore, end: int) -> bool:
    """Whether the store can be read on from its place; the reader stands there then.

    It can where the log still holds, just before the place, the marker that the store was committed with: then it is
    the same log, and no tombstone after the place is gone (compaction takes a tombstone only after a pass over its
    transaction's marker, and that pass takes the older marker). Otherwise nothing of the store is trusted.
    """
    marker_at = store.place - 1
    if not 0 <= marker_at < end:
        return False
    reader.seek(partition, marker_at)
    while await reader.position(partition) <= marker_at:
        for records in (await reader.getmany(partition, timeout_ms=_RESTORE_POLL_MS, max_records=1)).values():
            for record in records:
                return (record.offset, record.key, record.value) == (marker_at, MARKER_KEY, store.marker)
    return False


async def _read_on(reader: AIOKafkaConsumer, partition: TopicPartition, store: RowStore, end: int) -> None:
    """Brings the store from the reader's position to the end of the log."""
    place, marker = store.place, store.marker
    while await reader.position(partition) < end:
        fetched = await reader.getmany(partition, timeout_ms=_RESTORE_POLL_MS, max_records=_RESTORE_RECORDS)
        for records in fetched.values():
            for record in records:
                key, value = record.key, record.value
                if key == MARKER_KEY:
                    place, marker = record.offset + 1, value
                elif value is None:
                    store.pop(key.decode(), None)
                else:
                    store[key.decode()] = value
        store.spill()
    if marker is not None:
        store.commit(place, marker)
