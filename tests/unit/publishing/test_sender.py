"""Acknowledgements, back-pressure, and what is said when Kafka does not answer."""

import asyncio
from collections.abc import Awaitable

import pytest
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NotLeaderForPartitionError,
    TopicAuthorizationFailedError,
)

from ioc.errors import PermanentError, TransientError
from ioc.publishing import Outgoing
from ioc.publishing.sender import Sender

EVENT = Outgoing("ioc.onestop.dossiers", b"k", b"v" * 1000, (("content-type", b"x"),))


class FakeProducer:
    """Hands out receipts that the test resolves."""

    def __init__(self, *, on_topic: KafkaError | None = None, on_send: KafkaError | None = None) -> None:
        self.receipts: list[asyncio.Future[object]] = []
        self._on_topic, self._on_send = on_topic, on_send

    async def partitions_for(self, topic: str) -> set[int]:
        if self._on_topic is not None:
            raise self._on_topic
        return {0}

    async def send(
        self, topic: str, value: bytes, key: bytes, *, headers: list[tuple[str, bytes]]
    ) -> Awaitable[object]:
        if self._on_send is not None:
            raise self._on_send
        self.receipts.append(asyncio.get_running_loop().create_future())
        return self.receipts[-1]


def sender(producer: FakeProducer, stall_timeout_s: float = 5.0) -> Sender:
    return Sender(producer, broker="kafka:9092", stall_timeout_s=stall_timeout_s)


async def test_only_what_kafka_acknowledged_counts() -> None:
    producer = FakeProducer()
    sending = sender(producer)
    for _ in range(3):
        await sending.send(EVENT)
    assert sending.acknowledged == 0
    producer.receipts[1].set_result(None)
    assert sending.acknowledged == 1
    flushing = asyncio.ensure_future(sending.flush())
    for place in (0, 2):
        producer.receipts[place].set_result(None)
    await flushing
    assert sending.acknowledged == 3


async def test_a_slow_kafka_holds_the_reader_back() -> None:
    producer = FakeProducer()
    sending = sender(producer)
    large = EVENT._replace(value=b"v" * (1 << 20))

    async def send_twelve() -> None:
        for _ in range(12):
            await sending.send(large)

    task = asyncio.ensure_future(send_twelve())
    for _ in range(100):
        await asyncio.sleep(0)
    assert len(producer.receipts) == 9  # 8 MiB on the way, and the one that is too many
    while not task.done():
        for receipt in producer.receipts:
            if not receipt.done():
                receipt.set_result(None)
        await asyncio.sleep(0)
    assert len(producer.receipts) == 12


async def test_a_kafka_that_falls_silent_is_a_sentence_and_not_a_wait_for_ever() -> None:
    producer = FakeProducer()
    sending = sender(producer, stall_timeout_s=0.01)
    await sending.send(EVENT)
    with pytest.raises(TransientError, match="kafka:9092 has acknowledged nothing"):
        await sending.flush()
    sending.abandon()
    assert sending.acknowledged == 0


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (TopicAuthorizationFailedError(), PermanentError, "does not let this user write"),
        (MessageSizeTooLargeError("x"), PermanentError, "refused an event: MessageSizeTooLargeError"),
        (KafkaTimeoutError(), TransientError, "still running"),
        (NotLeaderForPartitionError(), TransientError, "still running"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
@pytest.mark.parametrize("place", ["topic", "send", "receipt"])
async def test_what_kafka_answers_becomes_a_sentence(
    place: str, error: KafkaError, kind: type[Exception], says: str
) -> None:
    producer = FakeProducer(on_topic=error if place == "topic" else None, on_send=error if place == "send" else None)
    sending = sender(producer)

    async def send_one() -> None:
        await sending.send(EVENT)
        producer.receipts[0].set_exception(error)
        await sending.flush()

    with pytest.raises(kind, match=says):
        await send_one()
    sending.abandon()
