"""Dead letters on Kafka: read from beginning to end, and the record that a letter speaks of sent again."""

import asyncio
import base64
import logging
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Self

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from ioc.dead_letters import DEAD_LETTERS_TOPIC, MAX_HEADER_BYTES, MAX_HEADERS, letter_id
from ioc.errors import PermanentError, TransientError

__all__ = ["StoredLetter", "read_dead_letters", "republish"]

logger = logging.getLogger(__name__)

START_TIMEOUT_S = 15.0
STALL_TIMEOUT_S = 30.0  # a broker that answers but sends nothing
FETCH_TIMEOUT_S = 5.0  # one record by its offset; a reader waits this long for one that is gone
MAX_REQUEST_BYTES = 16 * 1024 * 1024  # whatever got into Kafka once gets in again

Record = tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]
"""(key, value, headers)."""


class StoredLetter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One refused event: the JSON value of a record of `ioc.dead-letters`, with base64 already decoded.

    `topic`, `partition`, `offset` (together `event_ref`) say where the original record lies, `index` which event of a
    batched record it was. `original` is None where it was not kept.
    """

    source: str
    topic: str
    partition: int
    offset: int
    reason: str
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    event_ref: str
    index: int = 0
    field: str = ""
    message_vi: str = ""
    message_en: str = ""
    key: bytes | None = None
    headers: list[tuple[str, bytes | None]] = []
    original: bytes | None = None
    original_bytes: int = 0

    @classmethod
    def decode(cls, value: bytes | None) -> Self | None:
        """Returns the dead letter of a record's value; None where it is none."""
        try:
            return msgspec.json.decode(value or b"", type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None

    def as_json(self, *, is_whole: bool = False) -> dict[str, object]:
        """For `--json`: names of the record; the original and its headers only where `is_whole`, in base64."""
        data: dict[str, object] = {
            name: getattr(self, name)
            for name in (
                "event_ref", "index", "topic", "partition", "offset", "source", "reason", "field", "message_vi",
                "message_en", "original_bytes",
            )
        }  # fmt: skip
        data["at"] = self.at.isoformat()
        if is_whole:
            data["key"] = _base64(self.key)
            data["headers"] = [[name, _base64(header)] for name, header in self.headers]
            data["original"] = _base64(self.original)
        return data


async def read_dead_letters(broker: str) -> AsyncIterator[StoredLetter]:
    """Yields each dead letter once, from the topic's beginning to where it ended at the call. Joins no group.

    Raises:
        TransientError: no broker, or it stopped answering. PermanentError: no such topic, or no right to read it.
    """
    consumer = AIOKafkaConsumer(
        DEAD_LETTERS_TOPIC,
        bootstrap_servers=broker,
        client_id="ioc-dlq",
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    try:
        await _start(consumer, broker)
        seen: set[str] = set()
        async for record in _records_to_end(consumer, broker):
            letter = StoredLetter.decode(record.value)
            if letter is None:
                logger.warning("%s is no dead letter and is left out", _record_name(record))
                continue
            identity = _identity(record, letter)
            if identity not in seen:
                seen.add(identity)
                yield letter
    finally:
        await consumer.stop()


async def republish(broker: str, letter: StoredLetter) -> tuple[int, int]:
    """Sends the original record of `letter` to its topic, byte for byte; returns the (partition, offset) it got.

    The record itself is taken where its topic still has it; else the letter's copy, where that is whole. The partition
    is the key's: a record that its producer put elsewhere comes home.

    Raises:
        TransientError: no broker. PermanentError: the record is gone and was not kept whole, or Kafka refuses it.
    """
    key, value, headers = await _original(broker, letter)
    producer = AIOKafkaProducer(
        bootstrap_servers=broker,
        client_id="ioc-dlq",
        acks="all",
        enable_idempotence=True,
        max_request_size=MAX_REQUEST_BYTES,
    )
    try:
        await asyncio.wait_for(producer.start(), START_TIMEOUT_S)
        sending = producer.send_and_wait(letter.topic, value=value, key=key, headers=headers)
        sent = await asyncio.wait_for(sending, STALL_TIMEOUT_S)
    except (KafkaConnectionError, TimeoutError, OSError) as error:
        raise _no_broker(broker) from error
    except KafkaError as error:
        raise PermanentError(f"Kafka refuses {letter.event_ref}: {type(error).__name__}") from error
    finally:
        await producer.stop()
    return sent.partition, sent.offset


async def _original(broker: str, letter: StoredLetter) -> Record:
    record = await _fetch(broker, TopicPartition(letter.topic, letter.partition), letter.offset)
    # A topic that was deleted and made again has another record there.
    if record is not None and (letter.original is None or bytes(record.value or b"") == letter.original):
        return record.key, record.value, list(record.headers)
    if letter.original is None or _is_cut(letter.headers):
        raise PermanentError(
            f"{letter.event_ref}: its topic no longer has it and the dead letter keeps only a part; "
            "ask the department to send it again"
        )
    return letter.key, letter.original, letter.headers


def _is_cut(headers: list[tuple[str, bytes | None]]) -> bool:
    """Whether the dead letter may hold less than the record's headers: it keeps so many, so long."""
    return len(headers) >= MAX_HEADERS or any(
        max(len(name), len(value or b"")) >= MAX_HEADER_BYTES for name, value in headers
    )


async def _fetch(broker: str, partition: TopicPartition, offset: int) -> ConsumerRecord | None:
    """The record at `offset`, or None where the topic, the partition or the record is gone."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker,
        client_id="ioc-dlq",
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    try:
        await _start(consumer, broker)
        if partition.topic not in await consumer.topics():
            return None
        consumer.assign([partition])
        first = (await consumer.beginning_offsets([partition]))[partition]
        end = (await consumer.end_offsets([partition]))[partition]
        if not first <= offset < end:
            return None
        consumer.seek(partition, offset)
        record = await asyncio.wait_for(consumer.getone(partition), FETCH_TIMEOUT_S)
    except (KafkaError, TimeoutError):
        return None
    finally:
        await consumer.stop()
    return record if record.offset == offset else None


async def _start(consumer: AIOKafkaConsumer, broker: str) -> None:
    try:
        await asyncio.wait_for(consumer.start(), START_TIMEOUT_S)
    except UnknownTopicOrPartitionError as error:
        raise PermanentError(
            f"Kafka at {broker} has no topic {DEAD_LETTERS_TOPIC}; create the topics with: ioc topics apply"
        ) from error
    except TopicAuthorizationFailedError as error:
        raise PermanentError(f"this user may not read {DEAD_LETTERS_TOPIC}; ask the administrator") from error
    except (KafkaError, TimeoutError, OSError, ValueError) as error:
        raise _no_broker(broker) from error


async def _records_to_end(consumer: AIOKafkaConsumer, broker: str) -> AsyncIterator[ConsumerRecord]:
    partitions = list(consumer.assignment())
    starts, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    for partition in partitions:
        consumer.seek(partition, starts[partition])  # said outright: never where a reset policy would put us
    left = {partition for partition in partitions if starts[partition] < ends[partition]}
    loop = asyncio.get_running_loop()
    progress_at = loop.time()
    while left:
        batches = await consumer.getmany(*left, timeout_ms=500)
        for partition, records in batches.items():
            for record in records:
                if record.offset < ends[partition]:
                    yield record
        if batches:
            progress_at = loop.time()
        elif loop.time() - progress_at > STALL_TIMEOUT_S:
            raise _no_broker(broker)
        # The position also passes offsets that hold no record (compacted, markers of transactions).
        left = {partition for partition in left if await consumer.position(partition) < ends[partition]}


def _no_broker(broker: str) -> TransientError:
    return TransientError(
        f"no Kafka answers at {broker}; start one with: ioc broker, or set IOC_BROKER to a running one"
    )


def _identity(record: ConsumerRecord, letter: StoredLetter) -> str:
    for name, value in record.headers:
        if name == "ce_id" and value:
            return bytes(value).decode("utf-8", errors="replace")
    return f"{letter.event_ref}#{letter.index}:{letter.reason}"


def _record_name(record: ConsumerRecord) -> str:
    return f"{record.topic}/{record.partition}/{record.offset}"


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()
