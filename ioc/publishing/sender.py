"""Judged events onto Kafka: acknowledged by every replica, each once, in order, in bounded memory."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaError,
    KafkaTimeoutError,
    TopicAuthorizationFailedError,
)

from ioc.adapters.kafka_access import kafka_arguments
from ioc.adapters.topics import find_cluster
from ioc.errors import IocError, PermanentError, TransientError
from ioc.publishing.judge import Outgoing

__all__ = ["STALL_TIMEOUT_S", "Producer", "Sender", "open_producer", "open_sender", "partitions_of", "told"]

_FIND_TIMEOUT_S = 5.0
_START_TIMEOUT_S = 15.0  # an address that swallows packets would hang for 40
_STOP_TIMEOUT_S = 5.0  # with the broker gone an idempotent producer would flush for ever
_TOPIC_TIMEOUT_S = 3.0
STALL_TIMEOUT_S = 30.0  # several session timeouts (Kafka's own is 9 s): a new leader would be there by then
_LINGER_MS = 5
_BATCH_BYTES = 64 * 1024
_MAX_WAITING_RECORDS = 2_000
_MAX_WAITING_BYTES = 8 * 1024 * 1024


class Producer(Protocol):
    """What a sender needs of a Kafka producer; aiokafka's has it, and so has a test's."""

    async def send(
        self, topic: str, value: bytes, key: bytes, *, headers: list[tuple[str, bytes]]
    ) -> Awaitable[object]: ...

    async def partitions_for(self, topic: str) -> set[int]: ...


class Sender:
    """Sends through `producer` and counts acknowledgements; waits when 2,000 records or 8 MiB are on the way."""

    def __init__(self, producer: Producer, *, broker: str, stall_timeout_s: float = STALL_TIMEOUT_S) -> None:
        self._taken = 0
        self._producer, self._broker, self._stall_timeout_s = producer, broker, stall_timeout_s
        self._known: set[str] = set()
        self._waiting: deque[tuple[asyncio.Future[object], int]] = deque()
        self._waiting_bytes = 0

    @property
    def acknowledged(self) -> int:
        """How many events are safely in Kafka by now."""
        return self._taken + sum(_is_there(receipt) for receipt, _ in self._waiting)

    async def send(self, outgoing: Outgoing) -> None:
        """Hands the event to Kafka; its acknowledgement comes later.

        Raises:
            PermanentError: the topic does not exist, or may not be written to.
            TransientError: nothing was acknowledged for `stall_timeout_s` seconds.
        """
        topic, key, value, headers = outgoing[:4]
        if topic not in self._known:
            await partitions_of(self._producer, self._broker, topic)
            self._known.add(topic)
        try:
            receipt = await self._producer.send(topic, value, key, headers=list(headers))
        except KafkaError as error:
            raise told(error, self._broker, topic, self._stall_timeout_s) from error
        self._waiting.append((asyncio.ensure_future(receipt), len(value)))
        self._waiting_bytes += len(value)
        while len(self._waiting) > _MAX_WAITING_RECORDS or self._waiting_bytes > _MAX_WAITING_BYTES:
            await self._take_oldest()

    async def flush(self) -> None:
        """Returns once every event sent so far is acknowledged. Raises as `send` does."""
        while self._waiting:
            await self._take_oldest()

    def abandon(self) -> None:
        """Waits for nothing any more."""
        self._taken = self.acknowledged
        for receipt, _ in self._waiting:
            receipt.add_done_callback(_look_at)
        self._waiting.clear()
        self._waiting_bytes = 0

    async def _take_oldest(self) -> None:
        receipt, size_bytes = self._waiting[0]
        try:
            if receipt.done():
                receipt.result()
            else:
                await asyncio.wait_for(asyncio.shield(receipt), self._stall_timeout_s)
        except (KafkaError, TimeoutError) as error:
            raise told(error, self._broker, "", self._stall_timeout_s) from error
        self._waiting.popleft()
        self._waiting_bytes -= size_bytes
        self._taken += 1


def told(error: Exception, broker: str, topic: str, stall_timeout_s: float = STALL_TIMEOUT_S) -> IocError:
    """Returns what a Kafka error means for whoever sends to `topic` ("" where that is not known)."""
    if isinstance(error, TopicAuthorizationFailedError | ClusterAuthorizationFailedError):
        return PermanentError(
            f"Kafka at {broker} does not let this user write to {topic or 'the topic'}; "
            f"ask the administrator for the right."
        )
    if isinstance(error, KafkaError) and not (error.retriable or isinstance(error, KafkaTimeoutError)):
        return PermanentError(f"Kafka at {broker} refused an event: {type(error).__name__}: {error}.")
    return TransientError(f"Kafka at {broker} has acknowledged nothing for {stall_timeout_s:g} s; is it still running?")


async def partitions_of(producer: Producer, broker: str, topic: str) -> int:
    """Returns how many partitions `topic` has; the producer would ask for one that is not there until it times out.

    Raises:
        PermanentError: it is not there, or may not be written to.
    """
    try:
        return len(await asyncio.wait_for(producer.partitions_for(topic), _TOPIC_TIMEOUT_S))
    except TimeoutError as error:
        raise PermanentError(
            f"Kafka at {broker} shows no topic {topic}; create the topics with: ioc topics apply."
        ) from error
    except KafkaError as error:
        raise told(error, broker, topic) from error


def _is_there(receipt: "asyncio.Future[object]") -> bool:
    return receipt.done() and not receipt.cancelled() and receipt.exception() is None


def _look_at(receipt: "asyncio.Future[object]") -> None:
    """Fetches a result that nobody waits for, or asyncio would complain about it in words of its own."""
    if not receipt.cancelled():
        receipt.exception()


@asynccontextmanager
async def open_sender(broker: str, *, client_id: str = "ioc-publish") -> AsyncIterator[Sender]:
    """Yields a sender over an idempotent producer with acks=all, which partitions by murmur2 over the key.

    Raises:
        ConfigurationError: `broker` is no address.
        TransientError: no Kafka there.
    """
    async with open_producer(broker, client_id=client_id) as producer:
        sender = Sender(producer, broker=broker)
        try:
            yield sender
        finally:
            sender.abandon()


@asynccontextmanager
async def open_producer(
    broker: str, *, client_id: str, batch_bytes: int = _BATCH_BYTES
) -> AsyncIterator[AIOKafkaProducer]:
    """Yields an idempotent producer with acks=all. Raises as `open_sender`."""
    await find_cluster(broker, timeout_s=_FIND_TIMEOUT_S)
    producer = AIOKafkaProducer(
        **kafka_arguments(broker),
        client_id=client_id,
        acks="all",
        enable_idempotence=True,
        request_timeout_ms=int(STALL_TIMEOUT_S * 1000),
        linger_ms=_LINGER_MS,
        max_batch_size=batch_bytes,
        max_request_size=max(4 * batch_bytes, 1 << 20),
    )
    try:
        try:
            await asyncio.wait_for(producer.start(), _START_TIMEOUT_S)
        except (KafkaError, OSError, TimeoutError) as error:
            raise TransientError(
                f"no Kafka answers at {broker}; start one with: ioc broker, or set IOC_BROKER"
            ) from error
        yield producer
    finally:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(producer.stop(), _STOP_TIMEOUT_S)
        await producer.client.close()
