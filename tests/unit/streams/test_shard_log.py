"""What a shard's log does when a write does not end well. A producer that never connects; no Kafka."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError, ProducerFenced

from ioc.errors import PermanentError, TransientError
from streams.shard_log import ShardLog

FIRST_OFFSET = 41


class FakeProducer:
    """Takes every record; `trouble` is raised when the transaction is to be committed, `gate` holds its beginning."""

    def __init__(self, trouble: Exception | None = None, gate: asyncio.Event | None = None) -> None:
        self.trouble, self.gate = trouble, gate
        self.begun, self.has_begun = 0, asyncio.Event()
        self._next = FIRST_OFFSET

    async def begin_transaction(self) -> None:
        self.begun += 1
        self.has_begun.set()
        if self.gate is not None:
            await self.gate.wait()

    async def commit_transaction(self) -> None:
        if self.trouble is not None:
            raise self.trouble

    async def send(self, topic: str, **record: Any) -> "asyncio.Future[Any]":
        sent: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        sent.set_result(SimpleNamespace(offset=self._next))
        self._next += 1
        return sent

    def create_batch(self) -> Any:
        return SimpleNamespace(record_count=lambda: 0)


def open_log(producer: FakeProducer) -> ShardLog:
    log = ShardLog("127.0.0.1:1", "rows", 0, group="unit")
    log._producer = producer
    return log


async def test_a_write_tells_the_offset_after_its_marker() -> None:
    log = open_log(FakeProducer())
    assert await log.write({}, b"m1") == FIRST_OFFSET + 1
    assert await log.write({}, b"m2") == FIRST_OFFSET + 2


@pytest.mark.parametrize(
    ("trouble", "told"), [(KafkaTimeoutError(), TransientError), (ProducerFenced(), PermanentError)]
)
async def test_after_a_failed_write_there_is_no_other(trouble: Exception, told: type[Exception]) -> None:
    """Its rows are in no later write, whose marker would stand after them."""
    producer = FakeProducer(trouble)
    log = open_log(producer)
    with pytest.raises(told):
        await log.write({}, b"m1")
    producer.trouble = None
    with pytest.raises(PermanentError, match="not open"):
        await log.write({}, b"m2")
    assert producer.begun == 1


async def test_after_a_cancelled_write_there_is_no_other() -> None:
    producer = FakeProducer(gate=asyncio.Event())
    log = open_log(producer)
    writing = asyncio.create_task(log.write({}, b"m1"))
    await producer.has_begun.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    with pytest.raises(PermanentError, match="not open"):
        await log.write({}, b"m2")
