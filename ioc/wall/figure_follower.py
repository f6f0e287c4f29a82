"""Keeps the store of figures up with the KPI log in Kafka."""

import asyncio
import logging
from datetime import datetime

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from ioc.adapters.kafka_access import kafka_arguments
from ioc.catalog.model import VALUES_TOPIC
from ioc.clock import Clock
from ioc.wall.figure_store import FigureStore
from ioc.wall.report.records import Entry, decode_record

__all__ = ["FigureFollower"]

logger = logging.getLogger(__name__)

_PLACE = TopicPartition(VALUES_TOPIC, 0)
_READ_AT_ONCE = 2_000
_WAIT_MS = 500
_RETRY_S = 5.0


class FigureFollower:
    """Reads on from where the store stands; never ends by itself.

    `caught_up`: set while everything that the log held when the reading began is in the store, and Kafka answers.
    `read_at`: when it last did.
    """

    def __init__(self, broker: str, store: FigureStore, clock: Clock) -> None:
        self._broker, self._store, self._clock = broker, store, clock
        self.caught_up = asyncio.Event()
        self.read_at: datetime | None = None

    async def run(self) -> None:
        while True:
            try:
                await self._follow()
            except (KafkaError, OSError, TimeoutError) as error:
                self.caught_up.clear()
                logger.warning("open figures wait for Kafka: %r", error)
                await asyncio.sleep(_RETRY_S)

    async def _follow(self) -> None:
        consumer = AIOKafkaConsumer(
            **kafka_arguments(self._broker),
            client_id="ioc-open-figures",
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="none",
        )
        try:
            await consumer.start()
            consumer.assign([_PLACE])
            start = (await consumer.beginning_offsets([_PLACE]))[_PLACE]
            end = (await consumer.end_offsets([_PLACE]))[_PLACE]
            next_offset = await asyncio.to_thread(lambda: self._store.next_offset)
            if next_offset > end:
                logger.warning("the KPI log is shorter than what was read of it: it is another log; beginning anew")
                await asyncio.to_thread(self._store.clear)
                next_offset = 0
            consumer.seek(_PLACE, max(start, next_offset))
            while True:
                await self._read(consumer, end)
        finally:
            await consumer.stop()

    async def _read(self, consumer: AIOKafkaConsumer, end: int) -> None:
        found = await consumer.getmany(_PLACE, timeout_ms=_WAIT_MS, max_records=_READ_AT_ONCE)
        entries: list[Entry] = []
        for record in found.get(_PLACE, ()):
            try:
                entries.append(decode_record(record.key, record.value))
            except msgspec.DecodeError:
                logger.warning("%s/%d is no figure; passed over", VALUES_TOPIC, record.offset)
        position = await consumer.position(_PLACE)
        if found:
            await asyncio.to_thread(self._store.put, entries, position)
        else:
            # getmany is silent when nobody answers: this is asked of the broker.
            end = (await asyncio.wait_for(consumer.end_offsets([_PLACE]), 10))[_PLACE]
        if position >= end:
            self.caught_up.set()
        self.read_at = self._clock()
