"""A topic from its beginning to where it ended at the call: a plain reader that joins no group."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError, UnknownTopicOrPartitionError

from ioc.adapters.kafka_access import kafka_arguments, no_broker
from ioc.errors import PermanentError

__all__ = ["START_TIMEOUT_S", "Advance", "no_right", "plain_consumer", "read_to_end"]

START_TIMEOUT_S = 15.0
STALL_TIMEOUT_S = 30.0  # a broker that answers but sends nothing
_READ_AT_ONCE = 10_000
_FETCH_BYTES = 4 * 1024 * 1024

Advance = Callable[[float, float], object]
"""Told (records read, records in all)."""


def plain_consumer(broker: str, *topics: str, client_id: str) -> AIOKafkaConsumer:
    """A consumer of no group, which sees what was committed only; not started."""
    return AIOKafkaConsumer(
        *topics,
        **kafka_arguments(broker),
        client_id=client_id,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_partition_fetch_bytes=_FETCH_BYTES,
    )


def no_right(topic: str) -> PermanentError:
    return PermanentError(f"this user may not read {topic}; ask the administrator")


async def read_to_end(
    broker: str, topic: str, *, client_id: str, missing: str, advance: Advance = lambda done, total: None
) -> AsyncIterator[tuple[int, Sequence[ConsumerRecord]]]:
    """Yields (partition, records) batch by batch, and at first each partition once with no records.

    Args:
        missing: what to say, and what to do, where there is no such topic.

    Raises:
        TransientError: no broker, or it stopped answering. PermanentError: no such topic, or no right to read it.
    """
    consumer = plain_consumer(broker, topic, client_id=client_id)
    try:
        await asyncio.wait_for(consumer.start(), START_TIMEOUT_S)
        async for partition, records in _batches(consumer, advance):
            yield partition, records
    except UnknownTopicOrPartitionError as error:
        raise PermanentError(f"Kafka at {broker} has no topic {topic}{missing}") from error
    except TopicAuthorizationFailedError as error:
        raise no_right(topic) from error
    except (KafkaError, TimeoutError, OSError, ValueError) as error:
        raise no_broker(broker) from error
    finally:
        await consumer.stop()


async def _batches(consumer: AIOKafkaConsumer, advance: Advance) -> AsyncIterator[tuple[int, Sequence[ConsumerRecord]]]:
    places = list(consumer.assignment())
    starts, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    for place in places:
        consumer.seek(place, starts[place])  # said outright: never where a reset policy would put us
        yield place.partition, ()
    start, total = sum(starts.values()), sum(ends.values()) - sum(starts.values())
    left = {place for place in places if starts[place] < ends[place]}
    loop = asyncio.get_running_loop()
    progress_at = loop.time()
    while left:
        batches = await consumer.getmany(*left, timeout_ms=200, max_records=_READ_AT_ONCE)
        for place, records in batches.items():
            yield place.partition, [record for record in records if record.offset < ends[place]]
        if batches:
            progress_at = loop.time()
        elif loop.time() - progress_at > STALL_TIMEOUT_S:
            raise TimeoutError
        # The position also passes offsets that hold no record (compacted, markers of transactions).
        positions = {place: await consumer.position(place) for place in places}
        advance(sum(positions.values()) - start, total)
        left = {place for place in left if positions[place] < ends[place]}
