"""What every worker of the role `incidents` knows of the whole province: permits, and what people did about cases.

All are read from the beginning of their topics at each start, by no group; a detection is judged only once that is
done. Whether an event is one of the contract is answered by the events' agent, as for every topic.
"""

import asyncio
import logging
from dataclasses import replace
from typing import Any

from ioc.building_case import BUILDING_KINDS, Decision, Finding
from ioc.catalog import Catalog
from ioc.clock import Clock
from ioc.permits import Permit
from ioc.permits.told import ACTION_TYPE, DECISION_TYPE, PERMIT_TYPE, DecisionTable, PermitTable
from ioc.windows import microseconds_of
from streams.metrics import PipelineMetrics

__all__ = ["CaseTables"]

logger = logging.getLogger(__name__)


class CaseTables:
    """Permits by parcel, decisions by incident. Without `start` it holds what the catalogue declares."""

    def __init__(self, catalog: Catalog, *, clock: Clock, metrics: PipelineMetrics) -> None:
        types = {
            name: catalog.event_types[name]
            for name in (PERMIT_TYPE, DECISION_TYPE, ACTION_TYPE)
            if name in catalog.event_types
        }
        decoder = replace(catalog, event_types=types).decoder()
        self._permits = PermitTable(catalog.permits, decoder)
        self._decisions = DecisionTable(BUILDING_KINDS, decoder)
        self._clock, self._metrics = clock, metrics
        self._permit_topic = types[PERMIT_TYPE].topic if PERMIT_TYPE in types else ""
        self._topics = list(dict.fromkeys(event_type.topic for event_type in types.values()))
        self._caught_up = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None

    @property
    def version(self) -> int:
        """Changes whenever something may be judged otherwise."""
        return self._permits.version + self._decisions.version

    @property
    def is_caught_up(self) -> bool:
        return self._caught_up.is_set()

    def permits_of(self, parcel_id: str) -> tuple[Permit, ...]:
        return self._permits.registry.of_parcel(parcel_id)

    def decision_on(self, incident_id: str) -> Decision | None:
        return self._decisions.of(incident_id)

    def finding_on(self, incident_id: str, known: Finding | None) -> Finding | None:
        """When people found it to be a violation; `known`: what the case holds of it."""
        return self._decisions.finding(incident_id, known)

    def take(self, record: Any) -> None:
        """Takes a record of Kafka."""
        now_us = microseconds_of(self._clock())
        try:
            if record.topic == self._permit_topic:
                for outcome in self._permits.take(record.topic, record.headers, record.value, now_us):
                    self._metrics.permits.labels(outcome).inc()
            else:
                self._decisions.take(record.topic, record.headers, record.value, now_us)
        except Exception:  # a defect of ours must cost one record, not the role
            logger.exception("%s/%d/%d", record.topic, record.partition, record.offset)

    def caught_up(self) -> None:
        """All that was told before the start is known."""
        self._caught_up.set()

    async def wait(self) -> None:
        """Returns once all that was told before the start is known."""
        await self._caught_up.wait()

    def start(self, broker: str) -> None:
        from ioc.adapters.topic_table import read_table

        if not self._topics:
            self.caught_up()
            return
        reading = read_table(
            broker, self._topics, self.take, client_id="ioc-incidents-tables", caught_up=self.caught_up
        )
        self._reader = asyncio.create_task(reading, name="read permits and decisions")

    async def stop(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
            self._reader = None
