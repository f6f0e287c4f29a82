"""Dead letters and the marks of those sent again, as they come: into the index that the departments' pages show."""

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from ioc.adapters.kafka_access import kafka_arguments
from ioc.clock import Clock
from ioc.dead_letters import DEAD_LETTERS_TOPIC, RETRIED_TOPIC, RetryMark, StoredLetter
from ioc.gateway.rejects import KEPT_DAYS, Rejects
from ioc.windows import microseconds_of

__all__ = ["RejectTail"]

logger = logging.getLogger(__name__)

RETRY_S = 1.0
POLL_MS = 500
BATCH_RECORDS = 200  # a few milliseconds of work; then requests have their turn


class RejectTail:
    """Reads both topics, from a week ago, until cancelled. After a break it goes on where it was."""

    def __init__(self, rejects: Rejects, *, broker: str, clock: Clock) -> None:
        self._rejects, self._broker, self._clock = rejects, broker, clock
        self._places: dict[TopicPartition, int] = {}

    async def run(self) -> None:
        while True:
            try:
                await self._read()
            except (KafkaError, OSError) as error:
                logger.info("reading dead letters broke off (%s); again in %.0f s", type(error).__name__, RETRY_S)
            except Exception:  # the boundary: a view must never end the gateway
                logger.exception("reading dead letters failed in an unforeseen way")
            await asyncio.sleep(RETRY_S)

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(
            DEAD_LETTERS_TOPIC,
            RETRIED_TOPIC,
            **kafka_arguments(self._broker),
            client_id="ioc-gateway",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        since = self._clock() - timedelta(days=KEPT_DAYS)
        try:
            await consumer.start()
            ends = await self._begin(consumer, microseconds_of(since) // 1_000)
            while True:
                for place, records in (await consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH_RECORDS)).items():
                    for record in records:
                        self._take(place.topic, record.value)
                        self._places[place] = record.offset + 1
                if self._rejects.since is None and all([await consumer.position(p) >= end for p, end in ends.items()]):
                    self._rejects.since = since
                await asyncio.sleep(0)
        finally:
            with suppress(KafkaError, OSError):
                await consumer.stop()

    async def _begin(self, consumer: AIOKafkaConsumer, since_ms: int) -> dict[TopicPartition, int]:
        """Goes to where it was, or to the first records of the time; returns where each partition ends now."""
        partitions = list(consumer.assignment())
        ends = await consumer.end_offsets(partitions)
        firsts = await consumer.offsets_for_times(dict.fromkeys(partitions, max(0, since_ms)))
        for place in partitions:
            first = firsts.get(place)
            start = ends[place] if first is None else first.offset
            consumer.seek(place, max(self._places.get(place, 0), start))
        return dict(ends)

    def _take(self, topic: str, value: bytes | None) -> None:
        if topic == RETRIED_TOPIC:
            mark = RetryMark.decode(value)
            if mark is not None:
                self._rejects.mark(mark)
            return
        letter = StoredLetter.decode(value)
        if letter is not None:
            self._rejects.take(letter)
