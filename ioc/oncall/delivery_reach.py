"""Who can't be reached, and where: kept in memory, for the metrics and for an incident that tells the administrator."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ioc.oncall.outcomes import ACTIONS_CHANNEL, OutboxRow

__all__ = ["DOWN_AFTER", "Reach", "Unreached"]

DOWN_AFTER = timedelta(minutes=5)  # a receiver that restarts, and a mast that is switched over, are back by then


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreached:
    """One person's address that takes nothing. `is_final`: the channel says that another try is of no use."""

    channel: str
    person_id: str
    name: str
    since: datetime
    error: str
    is_final: bool


class Reach:
    """Outlets tell how tries end; `unreached` says who has had no message through for five minutes."""

    def __init__(self) -> None:
        self._failing: dict[tuple[str, str, str], Unreached] = {}

    def reached(self, channel: str, row: OutboxRow) -> None:
        self._failing.pop((channel, row.recipient, row.address), None)

    def failed(self, channel: str, row: OutboxRow, error: str, now: datetime, *, is_final: bool) -> None:
        if channel == ACTIONS_CHANNEL:
            return
        key = (channel, row.recipient, row.address)
        known = self._failing.get(key)
        self._failing[key] = Unreached(
            channel=channel,
            person_id=row.recipient,
            name=str(row.facts.get("name") or row.recipient),
            since=known.since if known else min(row.created_at, now),
            error=error[:200],
            is_final=is_final or (known is not None and known.is_final),
        )

    def unreached(self, now: datetime) -> list[Unreached]:
        """Who can't be reached now, the longest first."""
        found = [one for one in self._failing.values() if one.is_final or now - one.since >= DOWN_AFTER]
        return sorted(found, key=lambda one: (one.since, one.channel, one.person_id))
