"""Whole topics as a table: a reader of no group that begins at the beginning, and goes on with what comes."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import KafkaError

from ioc.adapters.topic_reading import plain_consumer

__all__ = ["read_table"]

logger = logging.getLogger(__name__)

_RETRY_S = 3.0
_ANSWER_S = 15.0
_READ_AT_ONCE = 2_000


async def read_table(
    broker: str,
    topics: Sequence[str],
    take: Callable[[ConsumerRecord], object],
    *,
    client_id: str,
    caught_up: Callable[[], object],
) -> None:
    """Hands `take` every committed record of all partitions, from the first one on, until cancelled.

    `caught_up` is called once all that was there at the start has been taken. After a trouble with Kafka it begins
    again: `take` must bear the same record twice.
    """
    while True:
        consumer = plain_consumer(broker, *topics, client_id=client_id)
        try:
            await asyncio.wait_for(consumer.start(), _ANSWER_S)
            await _read(consumer, len(topics), take, caught_up)
        except (KafkaError, TimeoutError, OSError, ValueError) as error:
            logger.warning("%s: reading again in %g s: %r", ", ".join(topics), _RETRY_S, error)
        finally:
            await consumer.stop()
        await asyncio.sleep(_RETRY_S)


async def _read(
    consumer: AIOKafkaConsumer,
    topics: int,
    take: Callable[[ConsumerRecord], object],
    caught_up: Callable[[], object],
) -> None:
    places = list(consumer.assignment())
    if len({place.topic for place in places}) < topics:
        raise TimeoutError("a topic is not there yet")
    starts = await asyncio.wait_for(consumer.beginning_offsets(places), _ANSWER_S)
    left = await asyncio.wait_for(consumer.end_offsets(places), _ANSWER_S)
    for place in places:
        consumer.seek(place, starts[place])
    is_behind = True
    while True:
        if is_behind:
            # The position also passes offsets that hold no record (markers of transactions).
            left = {place: end for place, end in left.items() if await consumer.position(place) < end}
            if not left:
                caught_up()
                is_behind = False
        batches = await consumer.getmany(timeout_ms=200 if is_behind else 1000, max_records=_READ_AT_ONCE)
        for records in batches.values():
            for record in records:
                take(record)
        await asyncio.sleep(0)  # a backlog must not keep everybody else waiting
