"""The log of incidents, told to whoever keeps their stills: a tail of `ioc.incidents` beside the frames role.

It joins no group, so that every worker hears every incident and keeps what it has of it. The role is ready without it;
that it is down is in the log and in `ioc_case_news_up`.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta

from aiokafka import ConsumerRecord

from ioc.adapters.topic_tail import tail
from ioc.clock import Clock
from ioc.cloudevents import decode_json
from ioc.errors import InvalidRecord
from ioc.incidents import INCIDENT_TYPE, INCIDENTS_TOPIC, Incident
from streams.case_keeping import CaseKeeper
from streams.case_metrics import CaseMetrics

__all__ = ["CaseNews"]

logger = logging.getLogger(__name__)

LOOK_BACK = timedelta(hours=1)  # incidents that go on are told again every five minutes; a restart takes some


class CaseNews:
    """Tells a keeper every incident's news."""

    def __init__(self, keeper: CaseKeeper, *, broker: str, clock: Clock, metrics: CaseMetrics) -> None:
        self._keeper, self._broker, self._clock, self._metrics = keeper, broker, clock, metrics
        self._trouble = ""

    async def run(self) -> None:
        """Until cancelled."""
        await tail(
            self._broker,
            (INCIDENTS_TOPIC,),
            self._take,
            since=lambda: self._clock() - LOOK_BACK,
            heard=self._heard,
            missed=self._missed,
        )

    async def _take(self, records: Sequence[ConsumerRecord]) -> None:
        for record in records:
            try:
                incident = Incident.from_json(decode_json(INCIDENT_TYPE, record.value, record.headers))
            except (
                InvalidRecord,
                KeyError,
                TypeError,
                ValueError,
                AttributeError,
            ) as error:  # on-call says what is wrong
                logger.debug("passed over on %s: %s", record.topic, error)
                continue
            try:
                await asyncio.to_thread(self._keeper.told, incident)
            except Exception:  # the agent's boundary: a defect of ours costs a case its stills, not the worker
                logger.exception("incident %s: its stills are not kept", incident.incident_id)

    def _heard(self) -> None:
        self._metrics.heard.set(1)
        self._trouble = ""

    def _missed(self, trouble: str) -> None:
        self._metrics.heard.set(0)
        if trouble != self._trouble:
            logger.warning("the log of incidents can't be read (%s): new incidents get no stills until it can", trouble)
        self._trouble = trouble
