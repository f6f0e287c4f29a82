"""The newest records of topics, as they come: a reader of no group that comes back when its broker does."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from ioc.adapters.kafka_access import kafka_arguments

__all__ = ["tail"]

_ASK_EVERY_S = 4.0  # a client of Kafka says nothing while its broker is away: it is asked for the end of a topic
_ANSWER_S = 5.0
_RETRY_S = 3.0
_READ_AT_ONCE = 500


async def tail(
    broker: str,
    topics: Sequence[str],
    take: Callable[[Sequence[ConsumerRecord]], Awaitable[None]],
    *,
    since: Callable[[], datetime],
    heard: Callable[[], object],
    missed: Callable[[str], object],
) -> None:
    """Hands `take` what was committed since `since()` and all that comes, until cancelled; never raises of Kafka.

    `heard` is called every few seconds while Kafka answers, `missed` with the name of the trouble while it does not.
    After a trouble at its start it begins again at `since()`: records may come twice.
    """
    while True:
        consumer = AIOKafkaConsumer(
            *topics,
            **kafka_arguments(broker),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="latest",
            isolation_level="read_committed",
        )
        try:
            await consumer.start()
            places = await _begin(consumer, int(since().timestamp() * 1000))
            async with asyncio.TaskGroup() as group:
                group.create_task(_ask(consumer, places, heard, missed))
                group.create_task(_read(consumer, take))
        except* (KafkaError, TimeoutError, OSError) as errors:
            missed(type(errors.exceptions[0]).__name__)
        finally:
            await consumer.stop()
        await asyncio.sleep(_RETRY_S)


async def _begin(consumer: AIOKafkaConsumer, since_ms: int) -> list[TopicPartition]:
    """Goes to the first records of the time; returns what is read."""
    places = sorted(consumer.assignment())
    if not places:
        raise TimeoutError("no topic")
    ends = await _within(consumer.end_offsets(places))  # first: what comes between the two questions is read
    begin = await _within(consumer.offsets_for_times(dict.fromkeys(places, since_ms)))
    for place in places:
        found = begin.get(place)
        consumer.seek(place, found.offset if found is not None else ends[place])
    return places


async def _read(consumer: AIOKafkaConsumer, take: Callable[[Sequence[ConsumerRecord]], Awaitable[None]]) -> None:
    while True:
        for records in (await consumer.getmany(timeout_ms=500, max_records=_READ_AT_ONCE)).values():
            await take(records)
        await asyncio.sleep(0)  # a backlog must not keep everybody else waiting


async def _ask(
    consumer: AIOKafkaConsumer,
    places: list[TopicPartition],
    heard: Callable[[], object],
    missed: Callable[[str], object],
) -> None:
    while True:
        try:
            await _within(consumer.end_offsets(places))
            heard()
        except (KafkaError, TimeoutError, OSError) as error:  # the client itself comes back when the broker does
            missed(type(error).__name__)
        await asyncio.sleep(_ASK_EVERY_S)


async def _within(answer: Any) -> Any:
    return await asyncio.wait_for(answer, _ANSWER_S)
