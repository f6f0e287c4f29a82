"""The KPI log on the wire (`ioc.kpi.values`, compacted): figures of closed periods and running totals.

Whoever exports figures writes the log too. There is no owner to elect: the record's key is the figure's series and
period, two writers write equal values, and each reads what the other has written. What the log holds is read before
anything is written, so a restart writes nothing twice.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from ioc.adapters.kafka_access import kafka_arguments
from ioc.catalog import Catalog
from ioc.catalog.model import VALUES_TOPIC
from ioc.clock import Clock
from ioc.kpis import KpiEngine
from ioc.kpis.log import KpiLog, LoggedValue
from ioc.kpis.log_records import decode_value, encode_value, place_of
from ioc.windows import microseconds_of, minute_number
from streams.fresh_figures import FreshFigures

__all__ = ["KpiLogWriter"]

logger = logging.getLogger(__name__)

_TICK_S = 1.0
_QUIET_S = 2.0  # late facts come in crowds: their periods are compared once none came for so long,
_LATEST_S = 120.0  # or after so long in any case
_REST = 4.0  # after each period the log rests this many times as long as the period took: a fifth of one core at most
_PASS_S = 10.0  # then the clock is looked at again: the end of a day must not be missed
_READ_AT_ONCE = 2_000  # records, about 10 ms of the event loop
_RETRY_S = 10.0
_PLACE = TopicPartition(VALUES_TOPIC, 0)


# ---- the writer ----------------------------------------------------------------------------------------------------


class KpiLogWriter:
    """Compares the figures with the log and writes what differs. Trouble with Kafka only delays it.

    Args:
        engine: what `figures` was made with.
        is_ready: set once the figures are complete; nothing is written before.
    """

    def __init__(
        self,
        *,
        broker: str,
        catalog: Catalog,
        engine: KpiEngine,
        clock: Clock,
        figures: FreshFigures,
        is_ready: asyncio.Event,
    ) -> None:
        self._broker, self._province, self._clock = broker, catalog.province, clock
        self._figures, self._is_ready = figures, is_ready
        keep_days = {entity.name: entity.keep_days for entity in catalog.entities if entity.keep_days is not None}
        self._log = KpiLog(engine, keep_days)
        self._touched_at = self._due_since = 0.0
        self._told_minute: int | None = None  # a clock that stands still never tells running totals

    async def run(self) -> None:
        """Never returns; ends by being cancelled."""
        await self._is_ready.wait()
        while True:
            try:
                async with self._kafka() as (consumer, producer):
                    await self._follow(consumer, producer)
            except KafkaError as error:
                logger.warning("the KPI log waits for Kafka: %r", error)
                await asyncio.sleep(_RETRY_S)

    @asynccontextmanager
    async def _kafka(self) -> AsyncIterator[tuple[AIOKafkaConsumer, AIOKafkaProducer]]:
        consumer = AIOKafkaConsumer(
            **kafka_arguments(self._broker), group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        producer = AIOKafkaProducer(**kafka_arguments(self._broker), acks="all", enable_idempotence=True, linger_ms=5)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(consumer.stop)
            await consumer.start()
            stack.push_async_callback(producer.stop)
            await producer.start()
            yield consumer, producer

    async def _follow(self, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer) -> None:
        consumer.assign([_PLACE])
        consumer.seek(_PLACE, (await consumer.beginning_offsets([_PLACE]))[_PLACE])
        end = (await consumer.end_offsets([_PLACE]))[_PLACE]
        while await consumer.position(_PLACE) < end:
            await self._read(consumer, timeout_ms=200)
        logger.info("the KPI log holds %d values that may still change", self._log.held)
        while True:
            await self._read(consumer, timeout_ms=0)  # what another writer wrote, and what we did
            await self._write_what_is_due(producer)
            await asyncio.sleep(_TICK_S)

    async def _read(self, consumer: AIOKafkaConsumer, *, timeout_ms: int) -> None:
        clock_us = microseconds_of(self._clock())
        while records := (await consumer.getmany(timeout_ms=timeout_ms, max_records=_READ_AT_ONCE)).get(_PLACE, ()):
            for record in records:
                try:
                    place = place_of(record.key)
                    if self._log.wants(place, clock_us) is not None:  # most of it stands for good
                        self._log.remember(decode_value(record.key, record.value))
                except msgspec.DecodeError:
                    logger.warning("%s/%d is no figure; passed over", VALUES_TOPIC, record.offset)
            await asyncio.sleep(0)

    async def _write_what_is_due(self, producer: AIOKafkaProducer) -> None:
        clock_us = microseconds_of(self._clock())
        now_s = asyncio.get_running_loop().time()
        had = self._log.due
        for due in self._log.tick(clock_us):
            figures = self._figures.of(due.definition, due.period.window, clock_us)
            await self._write(producer, self._log.changes(due, figures))
        touched = self._figures.take_touched_days()
        if touched:
            self._log.touch(touched, clock_us)
            self._touched_at = now_s
        if not had:
            self._due_since = now_s
        if now_s - self._touched_at >= _QUIET_S or now_s - self._due_since >= _LATEST_S:
            await self._write_closed(producer)
        await self._write_running(producer, clock_us)

    async def _write_closed(self, producer: AIOKafkaProducer) -> None:
        """One period at a time, with a rest after each; what is left when the time is up comes next time."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + _PASS_S
        while loop.time() < end_s and (due := self._log.next_due()) is not None:
            begun_s = loop.time()
            figures = self._figures.of_the_past(due.definition, due.period.window, due.period.last_us)
            changed = self._log.changes(due, figures)
            spent_s = loop.time() - begun_s
            try:
                await self._write(producer, changed)
            except BaseException:
                self._log.put_back(due)
                raise
            await asyncio.sleep(_REST * spent_s)

    async def _write_running(self, producer: AIOKafkaProducer, clock_us: int) -> None:
        minute = minute_number(clock_us)
        if self._told_minute is None:
            self._told_minute = minute
        if minute <= self._told_minute:
            return
        self._told_minute = minute
        for definition in self._figures.definitions:
            for window in definition.windows:
                total = self._figures.of(definition, window, clock_us)[0]
                logged = self._log.running(definition, window, total, clock_us)
                if logged is not None:
                    await self._write(producer, [logged])
                await asyncio.sleep(0)

    async def _write(self, producer: AIOKafkaProducer, changed: Sequence[LoggedValue]) -> None:
        """Returns once the broker has them all."""
        written_at = self._clock()
        receipts = []
        for logged in changed:
            key, value, headers = encode_value(logged, province=self._province, written_at=written_at)
            receipts.append(await producer.send(VALUES_TOPIC, key=key, value=value, headers=list(headers), partition=0))
        for receipt in receipts:
            await receipt
        for logged in changed:
            self._log.remember(logged)
