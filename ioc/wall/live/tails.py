"""Kafka's side of the wall: the newest frames and detections of the cameras, and the KPI log."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from ioc.adapters.kafka_access import kafka_arguments
from ioc.catalog.model import VALUES_TOPIC
from ioc.clock import Clock
from ioc.cloudevents import decode_json
from ioc.detections import DETECTION_TYPE, DETECTIONS_TOPIC, Detection
from ioc.errors import InvalidRecord
from ioc.frames import FRAMES_TOPIC, decode_frame
from ioc.wall.live.hub import Hub

__all__ = ["tail_cameras", "tail_log"]

logger = logging.getLogger(__name__)

LOOK_BACK = timedelta(seconds=30)  # so that a wall that was started again shows pictures at once
LOG_BACK = timedelta(days=40)
_ASK_EVERY_S = 4.0  # a client of Kafka says nothing while its broker is away: it is asked for the end of a topic
_ANSWER_S = 5.0
_RETRY_S = 3.0
_READ_AT_ONCE = 500


async def tail_cameras(hub: Hub, *, broker: str, clock: Clock) -> None:
    """Offers the board every frame and detection, until cancelled."""

    def take(record: ConsumerRecord) -> None:
        try:
            if record.topic == FRAMES_TOPIC:
                hub.board.offer(decode_frame(record.key, record.value, record.headers))
            else:
                data = decode_json(DETECTION_TYPE, record.value, record.headers)
                hub.board.take_detection(Detection.from_json(data))
        except (InvalidRecord, ValueError) as error:  # the worker makes it a dead letter
            logger.debug("passed over on %s: %s", record.topic, error)

    await _tail(hub, "cameras", (FRAMES_TOPIC, DETECTIONS_TOPIC), LOOK_BACK, take, broker=broker, clock=clock)


async def tail_log(hub: Hub, *, broker: str, clock: Clock) -> None:
    """Reads closed periods out of the KPI log, until cancelled."""

    def take(record: ConsumerRecord) -> None:
        hub.past.take(record.key, record.value)

    await _tail(hub, "log", (VALUES_TOPIC,), LOG_BACK, take, broker=broker, clock=clock)


async def _tail(
    hub: Hub,
    part: str,
    topics: tuple[str, ...],
    back: timedelta,
    take: Callable[[ConsumerRecord], None],
    *,
    broker: str,
    clock: Clock,
) -> None:
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
            places = await _begin(consumer, int((clock() - back).timestamp() * 1000))
            async with asyncio.TaskGroup() as group:
                group.create_task(_ask(hub, part, consumer, places))
                group.create_task(_read(consumer, take))
        except* (KafkaError, TimeoutError, OSError) as errors:
            hub.missed(part, type(errors.exceptions[0]).__name__)
        finally:
            await consumer.stop()
        await asyncio.sleep(_RETRY_S)


async def _begin(consumer: AIOKafkaConsumer, since_ms: int) -> list[TopicPartition]:
    """Goes to the first records of the time; returns what is read."""
    places = sorted(consumer.assignment())
    if not places:
        raise TimeoutError("no topic")
    begin = await _within(consumer.offsets_for_times(dict.fromkeys(places, since_ms)))
    ends = await _within(consumer.end_offsets(places))
    for place in places:
        found = begin.get(place)
        consumer.seek(place, found.offset if found is not None else ends[place])
    return places


async def _read(consumer: AIOKafkaConsumer, take: Callable[[ConsumerRecord], None]) -> None:
    while True:
        found = await consumer.getmany(timeout_ms=500, max_records=_READ_AT_ONCE)
        for records in found.values():
            for record in records:
                take(record)
        await asyncio.sleep(0)  # a backlog must not keep viewers waiting


async def _ask(hub: Hub, part: str, consumer: AIOKafkaConsumer, places: list[TopicPartition]) -> None:
    while True:
        try:
            await _within(consumer.end_offsets(places))
            hub.heard(part)
        except (KafkaError, TimeoutError, OSError) as error:  # the client itself comes back when the broker does
            hub.missed(part, type(error).__name__)
        await asyncio.sleep(_ASK_EVERY_S)


async def _within(answer: Any) -> Any:
    return await asyncio.wait_for(answer, _ANSWER_S)
