"""What a publisher is told: of one event, of the link, and of what is kept for a person. Pure."""

from dataclasses import dataclass
from typing import Literal

from ioc.errors import InvalidRecord, TransientError

__all__ = ["LinkTrouble", "Outcome", "Problem", "Refused", "Result", "SpoolFull", "Status", "Trouble", "Verdict"]

Outcome = Literal["accepted", "duplicate", "rejected", "spooled"]
Problem = Literal["away", "busy", "locked_out", "too_large", "unclear"]
"""away: nobody answers; busy: asked to wait; locked_out: a person must mend token or address; too_large: fewer events
a request; unclear: an answer (or a hang) that may be one event's fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one event.

    accepted: it is in Kafka. duplicate: it was there already; nothing counts twice. rejected: it breaks the contract,
    will never be sent again, and `reason`, `field` and the sentences say why. spooled: it is safe on this machine's
    disk and is sent once the link is back; the sentences say what is wrong with the link.
    """

    outcome: Outcome
    source: str
    id: str
    reason: str = ""
    field: str = ""
    vi: str = ""
    en: str = ""

    @property
    def is_safe(self) -> bool:
        """Whether the publisher may forget the event."""
        return self.outcome != "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The far end's answer about one event."""

    outcome: Literal["accepted", "duplicate", "rejected"]
    reason: str = ""
    field: str = ""
    vi: str = ""
    en: str = ""

    @classmethod
    def refusing(cls, error: InvalidRecord) -> "Verdict":
        return cls(outcome="rejected", reason=error.reason, field=error.field, vi=error.vi, en=error.en)

    def of(self, source: str, event_id: str) -> Result:
        return Result(
            outcome=self.outcome,
            source=source,
            id=event_id,
            reason=self.reason,
            field=self.field,
            vi=self.vi,
            en=self.en,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An event set aside for a person: the bytes as they were sent, and why not. `rejected_at`: seconds since 1970."""

    number: int
    source: str
    id: str
    body: bytes
    reason: str
    field: str
    vi: str
    en: str
    rejected_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What is wrong with the link just now. `refusal`: what the far end says about a single event."""

    problem: Problem
    vi: str
    en: str
    retry_after_s: float | None = None
    refusal: Verdict | None = None


class LinkTrouble(TransientError):
    """The events could not be handed over; they stay where they are."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.en)
        self.trouble = trouble


class SpoolFull(TransientError):
    """The spool takes no more: the event was NOT kept. Mend the link, or give the spool more room; then try again."""

    def __init__(self, *, vi: str, en: str) -> None:
        super().__init__(en)
        self.vi = vi
        self.en = en


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How a publisher stands. `trouble`: None while the link is up. `checks`: how events are judged before they go.

    `clock_skew_s`: how far this machine's clock is ahead of the gateway's, in seconds; None where not known yet.
    """

    trouble: Trouble | None
    pending: int
    rejected: int
    clock_skew_s: float | None
    checks: Literal["catalogue", "gateway", "none"]
