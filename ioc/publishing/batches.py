"""Pieces of judged events onto Kafka as whole batches of a partition: several times as fast as record by record."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.errors import KafkaError

from ioc.partitioning import partitioner
from ioc.publishing.judge import Outgoing
from ioc.publishing.pieces import Piece
from ioc.publishing.publication import OnSafe
from ioc.publishing.sender import STALL_TIMEOUT_S, open_producer, partitions_of, told

__all__ = ["BatchSender", "open_batches"]

_BATCH_BYTES = 512 * 1024
_PIECES_ON_THE_WAY = 4  # a broker that is busy for a moment does not make us wait


class BatchSender:
    """Sends pieces through `producer`, in order; says that one is safe once every batch of it is acknowledged."""

    def __init__(self, producer: Any, *, broker: str, stall_timeout_s: float = STALL_TIMEOUT_S) -> None:
        self._producer, self._broker, self._stall_timeout_s = producer, broker, stall_timeout_s
        self._partitions: dict[str, Any] = {}
        self._waiting: deque[tuple[Piece, OnSafe, list[asyncio.Future[Any]]]] = deque()

    async def send(self, piece: Piece, on_safe: OnSafe) -> None:
        """Hands the piece to Kafka; returns while it may still be on the way.

        Raises:
            PermanentError: a topic does not exist, or may not be written to.
            TransientError: nothing was acknowledged for `stall_timeout_s` seconds.
        """
        receipts: list[asyncio.Future[Any]] = []
        self._waiting.append((piece, on_safe, receipts))
        by_topic: dict[str, list[Outgoing]] = {}
        for outgoing in piece.events:
            by_topic.setdefault(outgoing[0], []).append(outgoing)
        for topic, events in by_topic.items():
            if topic not in self._partitions:
                self._partitions[topic] = partitioner(await partitions_of(self._producer, self._broker, topic))
            await self._send(topic, events, receipts)
        while len(self._waiting) >= _PIECES_ON_THE_WAY:
            await self._take_oldest()

    async def flush(self) -> None:
        """Returns once everything is acknowledged. Raises as `send` does."""
        while self._waiting:
            await self._take_oldest()

    def abandon(self) -> None:
        """Waits for nothing any more."""
        for _, _, receipts in self._waiting:
            for receipt in receipts:
                receipt.add_done_callback(_look_at)
        self._waiting.clear()

    async def _send(self, topic: str, events: Sequence[Outgoing], receipts: list[asyncio.Future[Any]]) -> None:
        open_batches: dict[int, Any] = {}
        lists = {
            headers: list(headers) for headers in {outgoing.headers for outgoing in events}
        }  # as aiokafka wants them
        create = self._producer.create_batch
        try:
            for outgoing, partition in zip(
                events, self._partitions[topic]([outgoing[1] for outgoing in events]), strict=True
            ):
                batch = open_batches.get(partition)
                _, key, value, headers = outgoing[:4]
                if batch is None or batch.append(timestamp=None, key=key, value=value, headers=lists[headers]) is None:
                    if batch is not None:
                        receipts.append(await self._submit(batch, topic, partition))
                    batch = open_batches[partition] = create()
                    batch.append(timestamp=None, key=key, value=value, headers=lists[headers])
            for partition, batch in open_batches.items():
                receipts.append(await self._submit(batch, topic, partition))
        except KafkaError as error:
            raise told(error, self._broker, topic, self._stall_timeout_s) from error

    async def _submit(self, batch: Any, topic: str, partition: int) -> "asyncio.Future[Any]":
        batch.close()
        receipt: asyncio.Future[Any] = await self._producer.send_batch(batch, topic, partition=partition)
        return receipt

    async def _take_oldest(self) -> None:
        piece, on_safe, receipts = self._waiting[0]
        try:
            if receipts:
                await asyncio.wait_for(asyncio.shield(asyncio.gather(*receipts)), self._stall_timeout_s)
        except (KafkaError, TimeoutError) as error:
            raise told(error, self._broker, "", self._stall_timeout_s) from error
        self._waiting.popleft()
        on_safe(piece, ())


def _look_at(receipt: "asyncio.Future[Any]") -> None:
    """Fetches a result that nobody waits for, or asyncio would complain about it in words of its own."""
    if not receipt.cancelled():
        receipt.exception()


@asynccontextmanager
async def open_batches(broker: str, *, client_id: str = "ioc-publish") -> AsyncIterator[BatchSender]:
    """Yields a sender over an idempotent producer with acks=all.

    Raises:
        ConfigurationError: `broker` is no address.
        TransientError: no Kafka there.
    """
    async with open_producer(broker, client_id=client_id, batch_bytes=_BATCH_BYTES) as producer:
        sender = BatchSender(producer, broker=broker)
        try:
            yield sender
        finally:
            sender.abandon()
