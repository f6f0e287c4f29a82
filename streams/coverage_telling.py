"""Tells Kafka what the detectors have looked at, span by span, also of the time when no worker was there to count."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection
from datetime import datetime

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from ioc.adapters.kafka_access import kafka_arguments
from ioc.adapters.topic_reading import START_TIMEOUT_S, plain_consumer
from ioc.catalog import Catalog
from ioc.coverage_facts import COVERAGE_EVENT, COVERAGE_TOPIC, Span, coverage_record, gap_before, read_coverage
from ioc.errors import InvalidRecord
from ioc.partitioning import partitioner

__all__ = ["CoverageTeller"]

logger = logging.getLogger(__name__)

_LOOK_BACK = 5_000  # records of a partition: each of its poses has told within them
_MOST_WAITING = 50_000  # spans that wait for Kafka
_READ_MS = 500

_Key = tuple[str, str, str]


class CoverageTeller:
    """Args:
    parts: the partitions of frames that this worker has; it tells of their poses only.
    """

    def __init__(self, catalog: Catalog, *, broker: str, parts: Callable[[], Collection[int]]) -> None:
        self._catalog, self._broker, self._parts = catalog, broker, parts
        self._partitions_of = partitioner(catalog.partitions)
        self._known_parts: frozenset[int] = frozenset()
        self._must_look_back = True
        self._told_until: dict[_Key, datetime] = {}
        self._waiting: deque[Span] = deque(maxlen=_MOST_WAITING)
        self._producer: AIOKafkaProducer | None = None

    def look_round(self) -> None:
        """Asks which partitions this worker has now. What others have told of new ones is read before it tells."""
        now = frozenset(self._parts())
        self._must_look_back = self._must_look_back or bool(now - self._known_parts)
        self._known_parts = now

    def is_ours(self, pose: str) -> bool:
        """Whether frames of `pose` (`camera_id:pose_id`) come to this worker."""
        return self._partitions_of([pose.encode()])[0] in self._known_parts

    async def tell(self, ended: Collection[Span]) -> None:
        """Sends spans that are over, and those between them and what was told last.

        Raises:
            KafkaError, TimeoutError, OSError: they are sent with the next call.
        """
        if COVERAGE_EVENT not in self._catalog.event_types:
            return
        self._waiting.extend(ended)
        if not self._waiting:
            return
        if self._must_look_back:
            self._told_until |= await asyncio.wait_for(self._last_told(), START_TIMEOUT_S)
            self._must_look_back = False
        due = self._due()
        await self._send(due)
        self._waiting.clear()
        for span in due:
            self._told_until[span.key] = span.ends_at

    async def stop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    def _due(self) -> list[Span]:
        """What is to be sent, oldest first: of poses that have come to us later than others the gap alone is long."""
        due: list[Span] = []
        until = dict(self._told_until)
        for span in self._waiting:
            told = until.get(span.key)
            if told is not None and span.begins_at < told:
                continue
            if told is not None:
                due += gap_before(span, told)
            due.append(span)
            until[span.key] = span.ends_at
        return sorted(due, key=lambda span: span.begins_at)

    async def _send(self, spans: Collection[Span]) -> None:
        if self._producer is None:
            producer = AIOKafkaProducer(**kafka_arguments(self._broker), enable_idempotence=True, acks="all")
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        acks = []
        for span in spans:
            camera = self._catalog.cameras[span.camera_id]
            key, value, headers = coverage_record(span, province=self._catalog.province, unit=camera.admin_unit)
            acks.append(await self._producer.send(COVERAGE_TOPIC, key=key, value=value, headers=list(headers)))
        await asyncio.gather(*acks)

    async def _last_told(self) -> dict[_Key, datetime]:
        """Returns until when each detector on each pose has been told of, by whomever."""
        told: dict[_Key, datetime] = {}
        consumer = plain_consumer(self._broker, COVERAGE_TOPIC, client_id="ioc-coverage")
        try:
            await consumer.start()
            left = await _seek_back(consumer)
            while left:
                for records in (await consumer.getmany(*left, timeout_ms=_READ_MS)).values():
                    for record in records:
                        try:
                            span = read_coverage(record.value, record.headers)
                        except (InvalidRecord, ValueError, KeyError, TypeError) as error:
                            logger.debug("passed over on %s: %s", record.topic, error)
                            continue
                        told[span.key] = max(span.ends_at, told.get(span.key, span.ends_at))
                left = {place: end for place, end in left.items() if await consumer.position(place) < end}
        finally:
            await consumer.stop()
        return told


async def _seek_back(consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
    """Goes to the newest records of each partition; returns those with any, and where they end."""
    places = list(consumer.assignment())
    starts, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    for place in places:
        consumer.seek(place, max(starts[place], ends[place] - _LOOK_BACK))
    return {place: ends[place] for place in places if starts[place] < ends[place]}
