"""Feeds the inbox from `ioc.incidents`. The offset is committed after the database has the incident, never before."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from sqlalchemy.exc import SQLAlchemyError

from ioc.adapters.kafka_access import kafka_arguments
from ioc.clock import Clock
from ioc.errors import InvalidRecord
from ioc.incidents import INCIDENTS_TOPIC, Incident
from ioc.oncall.intake import parse_incident
from ioc.oncall.metrics import OncallMetrics
from ioc.oncall.store import Store
from ioc.oncall_plan import Plan

__all__ = ["GROUP", "InboxConsumer"]

logger = logging.getLogger(__name__)

GROUP = "ioc-oncall"
BATCH_RECORDS = 200
POLL_MS = 500
RETRY_S = 1.0
BROKER_ANSWER_S = 2.0


class InboxConsumer:
    """Reads incidents until cancelled, through restarts of Kafka and pauses of the database."""

    def __init__(
        self,
        *,
        broker: str,
        topic: str = INCIDENTS_TOPIC,
        group: str = GROUP,
        store: Store,
        plan: Callable[[], Plan],
        metrics: OncallMetrics,
        clock: Clock,
        on_change: Callable[[], None],
    ) -> None:
        self._broker = broker
        self._topic = topic
        self._group = group
        self._store = store
        self._plan = plan
        self._metrics = metrics
        self._clock = clock
        self._on_change = on_change
        self._consumer: AIOKafkaConsumer | None = None
        self._trouble = "not connected to Kafka yet"

    async def run(self) -> None:
        while True:
            try:
                await self._consume()
            except (KafkaError, OSError) as error:
                self._say(f"Kafka at {self._broker} can't be reached: {type(error).__name__}")
            except SQLAlchemyError as error:
                self._say(f"the database does not take incidents: {getattr(error, 'orig', error)}")
            except Exception as error:  # the boundary: whatever it was, on-call goes on from the last committed offset
                logger.exception("reading %s failed in an unforeseen way", self._topic)
                self._trouble = f"reading {self._topic} failed: {type(error).__name__}"
            await asyncio.sleep(RETRY_S)

    async def trouble(self) -> str:
        """Why incidents can't arrive now, "" when they can: partitions are assigned and the broker answers."""
        consumer = self._consumer
        if consumer is None:
            return self._trouble
        assigned = consumer.assignment()
        if not assigned:
            return f"no partition of {self._topic} is assigned; does the topic exist?"
        try:
            await asyncio.wait_for(consumer.end_offsets(assigned), BROKER_ANSWER_S)
        except (KafkaError, TimeoutError, OSError) as error:
            return f"Kafka at {self._broker} does not answer: {type(error).__name__}"
        return ""

    async def take(self, records: Iterable[ConsumerRecord[bytes, bytes]]) -> None:
        """Brings a batch into the inbox in one transaction. A bad record is counted, told and passed over."""
        incidents = [incident for record in records if (incident := self._parsed(record)) is not None]
        if not incidents:
            return
        decisions = await self._store.take(incidents, self._plan(), self._clock())
        for decision in decisions:
            self._metrics.records.labels("repeated" if decision == "ignore" else "accepted").inc()
        if any(decision != "ignore" for decision in decisions):
            self._on_change()

    def _parsed(self, record: "ConsumerRecord[bytes, bytes]") -> Incident | None:
        try:
            return parse_incident(record.value, record.headers)
        except InvalidRecord as error:
            self._metrics.records.labels("rejected").inc()
            logger.warning(
                "passed over a bad record at %s[%d]@%d: %s", record.topic, record.partition, record.offset, error
            )
            return None

    async def _consume(self) -> None:
        consumer = AIOKafkaConsumer(
            self._topic,
            **kafka_arguments(self._broker),
            group_id=self._group,
            client_id="ioc-oncall",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",  # incidents are written in transactions; an aborted one never was
        )
        try:
            await consumer.start()
            self._consumer = consumer
            while True:
                batches = await consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH_RECORDS)
                for partition, records in batches.items():
                    await self.take(records)
                    await self._commit(consumer, partition, records[-1].offset + 1)
        finally:
            self._consumer = None
            with suppress(KafkaError, OSError):
                await consumer.stop()

    async def _commit(self, consumer: AIOKafkaConsumer, partition: TopicPartition, offset: int) -> None:
        try:
            await consumer.commit({partition: offset})
        except KafkaError as error:
            # Somebody else has the partition now, or the coordinator moved: the records come again and change nothing.
            logger.info("offset %d of %s not committed: %s", offset, partition, type(error).__name__)

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            logger.warning("%s; trying again every %.0f s", trouble, RETRY_S)
        self._trouble = trouble
