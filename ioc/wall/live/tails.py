"""Kafka's side of the wall: the newest frames and detections of the cameras, and the KPI log."""

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta

from aiokafka import ConsumerRecord

from ioc.adapters.topic_tail import tail
from ioc.catalog.model import VALUES_TOPIC
from ioc.clock import Clock
from ioc.cloudevents import decode_json
from ioc.coverage_facts import COVERAGE_TOPIC, read_coverage
from ioc.detections import DETECTION_TYPE, DETECTIONS_TOPIC, Detection
from ioc.errors import InvalidRecord
from ioc.frames import FRAMES_TOPIC, decode_frame
from ioc.wall.live.hub import Hub

__all__ = ["tail_cameras", "tail_log"]

logger = logging.getLogger(__name__)

LOOK_BACK = timedelta(seconds=30)  # so that a wall that was started again shows pictures at once
LOG_BACK = timedelta(days=40)


async def tail_cameras(hub: Hub, *, broker: str, clock: Clock) -> None:
    """Offers the board every frame, detection and span of coverage, until cancelled."""

    def take(record: ConsumerRecord) -> None:
        try:
            if record.topic == FRAMES_TOPIC:
                hub.board.offer(decode_frame(record.key, record.value, record.headers))
            elif record.topic == COVERAGE_TOPIC:
                hub.board.take_coverage(read_coverage(record.value, record.headers))
            else:
                data = decode_json(DETECTION_TYPE, record.value, record.headers)
                hub.board.take_detection(Detection.from_json(data))
        except (InvalidRecord, ValueError, KeyError, TypeError) as error:  # the worker makes it a dead letter
            logger.debug("passed over on %s: %s", record.topic, error)

    topics = (FRAMES_TOPIC, DETECTIONS_TOPIC, COVERAGE_TOPIC)
    await _tail(hub, "cameras", topics, LOOK_BACK, take, broker=broker, clock=clock)


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
    async def take_all(records: Sequence[ConsumerRecord]) -> None:
        for record in records:
            take(record)

    await tail(
        broker,
        topics,
        take_all,
        since=lambda: clock() - back,
        heard=lambda: hub.heard(part),
        missed=lambda trouble: hub.missed(part, trouble),
    )
