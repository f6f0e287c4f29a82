"""What the gateway refused lately, department by department, in bounded memory."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ioc.errors import InvalidRecord

__all__ = ["RejectedEvent", "Rejects"]

KEPT_OF_PUBLISHER = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedEvent:
    """An event that this gateway refused. `original` is what was sent, cut to 4 KiB; `event_ref` names its dead
    letter, "" where none was written."""

    at: datetime
    source: str
    type: str
    id: str
    error: InvalidRecord
    event_ref: str
    original: bytes


class Rejects:
    """The newest 200 refused events of each publisher."""

    def __init__(self) -> None:
        self._of: dict[str, deque[RejectedEvent]] = {}

    def add(self, publisher: str, event: RejectedEvent) -> None:
        self._of.setdefault(publisher, deque(maxlen=KEPT_OF_PUBLISHER)).append(event)

    def newest(self, publisher: str, limit: int = KEPT_OF_PUBLISHER) -> Sequence[RejectedEvent]:
        """Newest first."""
        return [*self._of.get(publisher, ())][::-1][:limit]
