"""The valid events of one topic from some time on, and every new one: for views that the gateway keeps in memory."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from ioc.adapters.kafka_access import kafka_arguments
from ioc.clock import Clock
from ioc.event_reading import Event
from ioc.events import EventDecoder
from ioc.windows import microseconds_of

__all__ = ["OnEvent", "TopicTail", "data_of"]

logger = logging.getLogger(__name__)

RETRY_S = 1.0
POLL_MS = 500
BATCH_RECORDS = 200  # a few milliseconds of work; then requests have their turn

OnEvent = Callable[[Event, Mapping[str, Any]], None]
"""Told of each valid event, with its data as it came."""


class TopicTail:
    """Reads `topic` until cancelled. After a break of Kafka it begins again: views must be idempotent.

    Args:
        keep: how far back it begins.
    """

    def __init__(
        self, topic: str, *, broker: str, decoder: EventDecoder, clock: Clock, keep: timedelta, on_event: OnEvent
    ) -> None:
        self._topic, self._broker, self._decoder, self._clock = topic, broker, decoder, clock
        self._keep, self._on_event = keep, on_event
        self.is_current = False
        """Whether all that was there at the start has been read."""

    async def run(self) -> None:
        while True:
            try:
                await self._read()
            except (KafkaError, OSError) as error:
                logger.info("reading %s broke off (%s); again in %.0f s", self._topic, type(error).__name__, RETRY_S)
            except Exception:  # the boundary: a view must never end the gateway
                logger.exception("reading %s failed in an unforeseen way", self._topic)
            await asyncio.sleep(RETRY_S)

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(
            self._topic,
            **kafka_arguments(self._broker),
            client_id="ioc-gateway",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        try:
            await consumer.start()
            ends = await self._begin(consumer, self._clock() - self._keep)
            while True:
                batches = await consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH_RECORDS)
                for records in batches.values():
                    for record in records:
                        self._take(record)
                if not self.is_current:
                    self.is_current = all([await consumer.position(place) >= end for place, end in ends.items()])
                await asyncio.sleep(0)
        finally:
            with suppress(KafkaError, OSError):
                await consumer.stop()

    async def _begin(self, consumer: AIOKafkaConsumer, since: datetime) -> dict[TopicPartition, int]:
        """Goes to the first records after `since`; returns where each partition ends now."""
        partitions = list(consumer.assignment())
        ends = await consumer.end_offsets(partitions)
        milliseconds = max(0, microseconds_of(since) // 1_000)
        firsts = await consumer.offsets_for_times(dict.fromkeys(partitions, milliseconds))
        for place in partitions:
            first = firsts.get(place)
            consumer.seek(place, ends[place] if first is None else first.offset)
        return dict(ends)

    def _take(self, record: ConsumerRecord) -> None:
        now_us = microseconds_of(self._clock())
        found = self._decoder.decode(record.topic, record.headers, record.value, now_us)
        for index, event in enumerate(found):
            if isinstance(event, Event):
                data = data_of(self._decoder, record.headers, record.value, index if len(found) > 1 else None)
                if data is not None:
                    self._on_event(event, data)


def data_of(
    decoder: EventDecoder, headers: tuple[tuple[str, bytes], ...], value: bytes | None, index: int | None
) -> Mapping[str, Any] | None:
    """Returns the data of a valid event, as JSON; None where it can't be told. `index`: its place in a batch."""
    content_type = dict(headers).get("content-type", b"")
    try:
        told = orjson.loads(value or b"" if index is None else decoder.part_of_batch(value, index))
    except ValueError:
        return None
    if isinstance(told, list) and told:  # a batch of one
        told = told[0]
    if content_type.startswith(b"application/cloudevents") or "ce_type" not in dict(headers):
        told = told.get("data") if isinstance(told, dict) else None
    return told if isinstance(told, dict) else None
