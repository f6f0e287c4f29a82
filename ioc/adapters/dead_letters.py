"""Dead letters on Kafka: read from beginning to end, the records they speak of, and what was sent again."""

import asyncio
import logging
from collections.abc import AsyncIterator

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import (
    KafkaError,
    TopicAuthorizationFailedError,
)

from ioc.adapters.kafka_access import no_broker
from ioc.adapters.topic_reading import START_TIMEOUT_S, no_right, plain_consumer, read_to_end
from ioc.dead_letters import DEAD_LETTERS_TOPIC, RETRIED_TOPIC, Record, RetryMark, StoredLetter
from ioc.errors import PermanentError

__all__ = ["original_of", "read_dead_letters", "read_retry_marks"]

logger = logging.getLogger(__name__)

_CLIENT_ID = "ioc-dlq"
FETCH_TIMEOUT_S = 5.0  # one record by its offset; a reader waits this long for one that is gone


async def read_dead_letters(broker: str) -> AsyncIterator[StoredLetter]:
    """Yields each dead letter once, from the topic's beginning to where it ended at the call. Joins no group.

    Raises:
        TransientError: no broker, or it stopped answering. PermanentError: no such topic, or no right to read it.
    """
    seen: set[str] = set()
    async for record in _read(broker, DEAD_LETTERS_TOPIC):
        letter = StoredLetter.decode(record.value)
        if letter is None:
            logger.warning("%s is no dead letter and is left out", _record_name(record))
            continue
        identity = _identity(record, letter)
        if identity not in seen:
            seen.add(identity)
            yield letter


async def read_retry_marks(broker: str) -> dict[str, RetryMark]:
    """Returns the newest mark of each letter that was sent again, by the letter's id.

    Raises:
        TransientError: no broker, or it stopped answering. PermanentError: no such topic, or no right to read it.
    """
    marks: dict[str, RetryMark] = {}
    async for record in _read(broker, RETRIED_TOPIC):
        mark = RetryMark.decode(record.value)
        if mark is not None:
            marks[mark.letter] = mark
    return marks


async def original_of(broker: str, letter: StoredLetter) -> Record:
    """Returns the record that `letter` speaks of: the letter's copy where it is whole, else from its topic.

    Raises:
        PermanentError: the record is gone and was not kept whole.
    """
    copy = letter.whole_copy()
    if copy is not None:
        return copy
    record = None
    if not letter.is_of_gateway:
        record = await _fetch(broker, TopicPartition(letter.topic, letter.partition), letter.offset)
    # A topic that was deleted and made again has another record there.
    if record is None or (letter.original is not None and bytes(record.value or b"") != letter.original):
        raise PermanentError(
            f"{letter.event_ref}: its topic no longer has it and the dead letter keeps only a part; "
            "ask the department to send it again"
        )
    return record.key, record.value, list(record.headers)


async def _read(broker: str, topic: str) -> AsyncIterator[ConsumerRecord]:
    missing = "; create the topics with: ioc topics apply"
    async for _, records in read_to_end(broker, topic, client_id=_CLIENT_ID, missing=missing):
        for record in records:
            yield record


async def _fetch(broker: str, partition: TopicPartition, offset: int) -> ConsumerRecord | None:
    """The record at `offset`, or None where the topic, the partition or the record is gone."""
    consumer = plain_consumer(broker, client_id=_CLIENT_ID)
    try:
        await _start(consumer, broker, partition.topic)
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


async def _start(consumer: AIOKafkaConsumer, broker: str, topic: str) -> None:
    try:
        await asyncio.wait_for(consumer.start(), START_TIMEOUT_S)
    except TopicAuthorizationFailedError as error:
        raise no_right(topic) from error
    except (KafkaError, TimeoutError, OSError, ValueError) as error:
        raise no_broker(broker) from error


def _identity(record: ConsumerRecord, letter: StoredLetter) -> str:
    for name, value in record.headers:
        if name == "ce_id" and value:
            return bytes(value).decode("utf-8", errors="replace")
    return f"{letter.event_ref}#{letter.index}:{letter.reason}"


def _record_name(record: ConsumerRecord) -> str:
    return f"{record.topic}/{record.partition}/{record.offset}"
