"""Fills topics for a benchmark: records go as ready-made batches, several times as fast as single sends."""

import asyncio
import logging
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from aiokafka import AIOKafkaProducer

from ioc.adapters.topics import ensure_topics
from ioc.catalog import TopicSpec, load_catalog
from ioc.cli.bench_progress import Advance, progress
from ioc.settings import load_settings

__all__ = ["Record", "make_topics", "publish"]

Record = tuple[str, bytes, bytes, list[tuple[str, bytes]]]
"""Topic, key, value, headers."""

_CHUNK = 10_000
_BATCH_BYTES = 512 * 1024


def make_topics(broker: str, extra: Iterable[TopicSpec] = ()) -> None:
    """Makes the catalogue's topics and `extra` ones."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it tells of every retry on a topic a moment old
    asyncio.run(ensure_topics(broker, [*load_catalog(load_settings().catalog).topics(), *extra]))


def publish(broker: str, records: Iterable[Record], *, text: str, total: int) -> int:
    """Writes the records, each key in its own partition, in their order. Returns how many there were."""
    with progress(text, total) as advance:
        return asyncio.run(_publish(broker, records, advance))


async def _publish(broker: str, records: Iterable[Record], advance: Advance) -> int:
    from ioc.partitioning import partitioner

    partitions_of = partitioner(load_catalog(load_settings().catalog).partitions)
    producer = AIOKafkaProducer(
        bootstrap_servers=broker, max_batch_size=_BATCH_BYTES, max_request_size=4 * _BATCH_BYTES, acks=1
    )
    await producer.start()
    batches = _Batches(producer)
    count = 0
    try:
        for chunk in _chunks(records):
            partitions = partitions_of([record[1] for record in chunk])
            for (topic, key, value, headers), partition in zip(chunk, partitions, strict=True):
                if not batches.append(topic, partition, key, value, headers):
                    await batches.send(topic, partition)
                    batches.append(topic, partition, key, value, headers)
            count += len(chunk)
            advance(len(chunk))
        await batches.send_all()
    finally:
        await producer.stop()
    return count


def _chunks(records: Iterable[Record]) -> Iterator[list[Record]]:
    rest = iter(records)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk


class _Batches:
    """One open batch for each partition."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._open: dict[tuple[str, int], Any] = {}
        self._sent: list[asyncio.Future[Any]] = []

    def append(self, topic: str, partition: int, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> bool:
        """Returns False where the batch is full: send it first."""
        batch = self._open.get((topic, partition))
        if batch is None:
            batch = self._open[topic, partition] = self._producer.create_batch()
        return batch.append(timestamp=None, key=key, value=value, headers=headers) is not None

    async def send(self, topic: str, partition: int) -> None:
        batch = self._open.pop((topic, partition))
        batch.close()
        self._sent.append(await self._producer.send_batch(batch, topic, partition=partition))

    async def send_all(self) -> None:
        for topic, partition in list(self._open):
            await self.send(topic, partition)
        await asyncio.gather(*self._sent)
