"""An entry of the outbox, and how a try to deliver it may end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

__all__ = ["ACTIONS_CHANNEL", "FollowUp", "GivenUp", "OutboxRow", "Outcome", "Postponed", "Sent"]

ACTIONS_CHANNEL = "actions"
"""The channel of entries that are published to `ioc.incident.actions`; all others are notices for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """A pending entry, read for one try; `attempts` counts the tries that ended before it.

    `recipient` is the person's id, `address` the address (`secret:NAME` for a secret; "" where the channel knows it),
    `spare` the person's other addresses (`{"channel", "address"}`) for a fall-back. `purpose`: opened, reopened, again,
    escalated, assigned, reminder. `facts`: `told` (names of all who are told with this notice), `nobody_on_roster`,
    `exercise`, `name` (of the recipient), `is_fallback` (the policy's last resort).
    """

    entry_id: int
    idempotency_key: str
    incident_id: str
    channel: str
    recipient: str
    payload: Mapping[str, Any]
    attempts: int
    created_at: datetime
    purpose: str = "opened"
    address: str = ""
    language: str = "vi"
    level: int = 1
    fallback_of: int | None = None
    spare: Sequence[Mapping[str, str]] = ()
    next_attempt_at: datetime | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


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
    """Worth another try at `next_attempt_at`. `falls_back`: the person's next address is tried meanwhile, once."""

    row: OutboxRow
    error: str
    next_attempt_at: datetime
    falls_back: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """Not tried again; stays visible as failed. The person's next address, if there is one, is tried at once."""

    row: OutboxRow
    error: str


Outcome = Sent | Postponed | GivenUp
