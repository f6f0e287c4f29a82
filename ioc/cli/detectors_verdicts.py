"""The incidents of the log, and what people said of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ioc.incidents import INCIDENT_TYPE, INCIDENTS_TOPIC, Incident

if TYPE_CHECKING:
    from ioc.adapters.kafka_access import KafkaAddress

__all__ = ["JudgedIncidents", "read_judged"]

_MISSING = "; create the topics with: ioc topics apply"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedIncidents:
    """Incidents by id as they were told last, and the last verdict of each that has one."""

    incidents: Mapping[str, Incident]
    verdicts: Mapping[str, str]

    @property
    def with_verdict(self) -> Iterator[Incident]:
        return (incident for incident_id, incident in self.incidents.items() if incident_id in self.verdicts)


async def read_judged(broker: "KafkaAddress", since: datetime) -> JudgedIncidents:
    """Returns the incidents whose first frame is not older than `since`.

    Raises:
        TransientError: no broker. PermanentError: no such topic, or no right to read it.
    """
    from ioc.adapters.topic_reading import read_to_end
    from ioc.cloudevents import decode_json
    from ioc.errors import InvalidRecord
    from ioc.oncall.actions import ACTION_TYPE, ACTIONS_TOPIC

    verdicts: dict[str, str | None] = {}
    incidents: dict[str, Incident] = {}
    async for _, records in read_to_end(broker, ACTIONS_TOPIC, client_id="ioc-advise", missing=_MISSING):
        for record in records:
            try:
                _note(verdicts, decode_json(ACTION_TYPE, record.value, record.headers))
            except (InvalidRecord, KeyError):
                continue
    async for _, records in read_to_end(broker, INCIDENTS_TOPIC, client_id="ioc-advise", missing=_MISSING):
        for record in records:
            try:
                incident = Incident.from_json(decode_json(INCIDENT_TYPE, record.value, record.headers))
            except (InvalidRecord, KeyError, TypeError, ValueError, AttributeError):
                continue
            if incident.first_frame_at >= since:
                incidents[incident.incident_id] = incident
    return JudgedIncidents(incidents=incidents, verdicts={name: said for name, said in verdicts.items() if said})


def _note(verdicts: dict[str, str | None], action: dict[str, Any]) -> None:
    if action.get("exercise"):
        return
    if action.get("verdict"):
        verdicts[action["incident_id"]] = action["verdict"]
    elif action.get("action") == "reopened":
        verdicts[action["incident_id"]] = None
