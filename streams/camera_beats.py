"""The heartbeats of capture, told to whoever watches for silence: a camera that gives nothing, or a capture that died.

A recorder's heartbeats come on the same topic and feed figures only: whether pictures reach us, capture alone knows.
Read by every worker beside its frames, in no group, from now on: an old one says nothing of now.
"""

import logging
from collections.abc import Sequence

from aiokafka import ConsumerRecord

from ioc.adapters.topic_tail import tail
from ioc.camera_presence import CameraPresence
from ioc.catalog import Catalog
from ioc.clock import Clock
from ioc.cloudevents import decode_json
from ioc.errors import InvalidRecord
from ioc.frames import HEARTBEAT_TYPE, capture_source

__all__ = ["CameraBeats"]

logger = logging.getLogger(__name__)


class CameraBeats:
    """Tells a presence every heartbeat."""

    def __init__(self, presence: CameraPresence, catalog: Catalog, *, broker: str, clock: Clock) -> None:
        self._presence, self._broker, self._clock = presence, broker, clock
        self._topics = tuple({kind.topic for kind in catalog.event_types.values() if kind.ce_type == HEARTBEAT_TYPE})
        self._source = capture_source(catalog.province).encode()
        self._trouble = ""

    async def run(self) -> None:
        """Until cancelled; at once where the catalogue knows no heartbeat."""
        if self._topics:
            await tail(
                self._broker, self._topics, self._take, since=self._clock, heard=self._heard, missed=self._missed
            )

    async def _take(self, records: Sequence[ConsumerRecord]) -> None:
        for record in records:
            if ("ce_source", self._source) not in record.headers:
                continue
            try:
                data = decode_json(HEARTBEAT_TYPE, record.value, record.headers)
                camera_id, is_online, age_s = str(data["camera_id"]), data["online"] is True, data["last_frame_age_s"]
                self._presence.heard(camera_id, is_online=is_online, age_s=float(age_s), at=self._clock())
            except (InvalidRecord, KeyError, TypeError, ValueError) as error:  # the events role says what is wrong
                logger.debug("passed over on %s: %s", record.topic, error)

    def _heard(self) -> None:
        self._trouble = ""

    def _missed(self, trouble: str) -> None:
        if trouble != self._trouble:
            logger.warning("capture's heartbeats can't be read (%s): silence is told without its reason", trouble)
        self._trouble = trouble
