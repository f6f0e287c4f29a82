"""An entry of the outbox, and how a try to deliver it may end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

__all__ = ["FollowUp", "GivenUp", "OutboxRow", "Outcome", "Postponed", "Sent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """A pending entry, read for one try; `attempts` counts the tries that ended before it."""

    entry_id: int
    idempotency_key: str
    incident_id: str
    channel: str
    recipient: str
    payload: Mapping[str, Any]
    attempts: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """What to queue once an entry is sent: the published action."""

    idempotency_key: str
    purpose: str
    channel: str
    recipient: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The channel took it."""

    row: OutboxRow
    receipt: str
    follow_up: FollowUp | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Postponed:
    """Worth another try at `next_attempt_at`."""

    row: OutboxRow
    error: str
    next_attempt_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """Not tried again; stays visible as failed."""

    row: OutboxRow
    error: str


Outcome = Sent | Postponed | GivenUp
