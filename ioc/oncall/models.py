"""Tables of the on-call service. What an incident's change causes is written in the transaction of that change.

The tables are made and changed by the migrations; a test holds both to the same shape.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Boolean, DateTime, Dialect, ForeignKey, Index, Integer, String, Text, TypeDecorator
from sqlalchemy import UniqueConstraint as Unique
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = [
    "FAILED",
    "PENDING",
    "SENT",
    "Account",
    "AuditEntry",
    "Base",
    "CommentEntry",
    "DeliveryAttempt",
    "InboxIncident",
    "OutboxEntry",
    "ServiceMark",
    "ShiftNote",
    "SignedIn",
    "TickEntry",
    "TimerEntry",
    "UtcDateTime",
]

PENDING, SENT, FAILED = "pending", "sent", "failed"
SEVERITY_RANKS = {"critical": 0, "warning": 1, "info": 2}


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant. SQLite keeps no offset, so it is stored in UTC and read back as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without an offset can't be stored: {value}")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    pass


class ServiceMark(Base):
    """Small facts about the database itself: the probe that shows it can be written."""

    __tablename__ = "service_mark"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(String(80))


class InboxIncident(Base):
    """One incident: what its source last told (`payload`, `revision`), and how it stands with us (`state` and below).

    `dedup_key` is the incident's id for cameras; an alert that comes again long after is another incident with the same
    key. `place_key` tells where: cooldowns go by kind and place. `alerted_at` is when an alert was queued first,
    `first_notified_at` when the first channel took one, `last_notified_at` the newest. `chain_step` is the escalation
    step that people were told of last, 0 before the first; `opened_times` when it opened lately (ISO texts).
    """

    __tablename__ = "inbox_incident"
    __table_args__ = (
        Index("inbox_by_age", "first_frame_at"),
        Index("inbox_by_state", "state", "severity_rank", "first_frame_at", "incident_id", "kind", "unit", "severity"),
        Index("inbox_by_count", "state", "kind", "unit", "severity"),
        Index("inbox_by_dedup", "dedup_key"),
        Index("inbox_by_place", "place_key", "kind", "last_notified_at"),
    )

    incident_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    kind: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    severity: Mapped[str] = mapped_column(String(16))
    revision: Mapped[int] = mapped_column(Integer)
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    first_frame_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    alerted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    first_notified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # from version 2 on
    source: Mapped[str] = mapped_column(String(20), default="camera")
    dedup_key: Mapped[str] = mapped_column(String(200), default="")
    severity_rank: Mapped[int] = mapped_column(Integer, default=1)
    unit: Mapped[str] = mapped_column(String(10), default="")
    camera_id: Mapped[str] = mapped_column(String(200), default="")
    place_key: Mapped[str] = mapped_column(String(400), default="")
    is_exercise: Mapped[bool] = mapped_column(Boolean, default=False)
    episode: Mapped[int] = mapped_column(Integer, default=0)
    owner: Mapped[str] = mapped_column(String(80), default="")
    owner_name: Mapped[str] = mapped_column(String(120), default="")
    assignee: Mapped[str] = mapped_column(String(80), default="")
    eta_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    snoozed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    verdict: Mapped[str | None] = mapped_column(String(20))
    opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    opened_times: Mapped[list[str]] = mapped_column(JSON, default=list)
    acknowledged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_by: Mapped[str] = mapped_column(String(80), default="")
    held_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    held_reason: Mapped[str] = mapped_column(String(200), default="")
    policy: Mapped[str] = mapped_column(String(80), default="")
    chain: Mapped[int] = mapped_column(Integer, default=0)
    chain_step: Mapped[int] = mapped_column(Integer, default=0)
    last_notified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class AuditEntry(Base):
    """Who did what, when, through which door. Rows are only ever added."""

    __tablename__ = "audit"
    __table_args__ = (Index("audit_by_incident", "incident_id", "audit_id"), Index("audit_by_time", "at"))

    audit_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    incident_id: Mapped[str] = mapped_column(ForeignKey("inbox_incident.incident_id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor_id: Mapped[str] = mapped_column(String(80))
    actor_name: Mapped[str] = mapped_column(String(120))
    role: Mapped[str] = mapped_column(String(20))
    door: Mapped[str] = mapped_column(String(20))
    action: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(16))
    episode: Mapped[int] = mapped_column(Integer)
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)


class CommentEntry(Base):
    __tablename__ = "comment"
    __table_args__ = (Index("comment_by_incident", "incident_id", "comment_id"),)

    comment_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    incident_id: Mapped[str] = mapped_column(ForeignKey("inbox_incident.incident_id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor_id: Mapped[str] = mapped_column(String(80))
    actor_name: Mapped[str] = mapped_column(String(120))
    text: Mapped[str] = mapped_column(Text)


class TickEntry(Base):
    """How a step of the checklist stands, and who ticked it last (what came before is in the audit)."""

    __tablename__ = "checklist_tick"

    incident_id: Mapped[str] = mapped_column(ForeignKey("inbox_incident.incident_id"), primary_key=True)
    step: Mapped[str] = mapped_column(String(120), primary_key=True)
    is_done: Mapped[bool] = mapped_column(Boolean)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor_id: Mapped[str] = mapped_column(String(80))
    actor_name: Mapped[str] = mapped_column(String(120))


class TimerEntry(Base):
    """Something to look at again at `due_at`; at most one of a kind for an incident. Who looks at it takes a lease:
    until it ends nobody else does."""

    __tablename__ = "timer"
    __table_args__ = (Unique("incident_id", "kind", name="timer_once"), Index("timer_due", "due_at"))

    timer_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    incident_id: Mapped[str] = mapped_column(ForeignKey("inbox_incident.incident_id"))
    kind: Mapped[str] = mapped_column(String(20))
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


class OutboxEntry(Base):
    """One thing to hand to one recipient of one channel, at least once, always under the same idempotency key.

    `payload` is what the recipient gets (for a notice: the incident as it was when the alert was queued), so that every
    try carries the same words. `address` names where (`Address.key`, no secret), `spare` where else; `facts` are the
    circumstances of the notice (nobody on the roster, who else is told).
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index("outbox_due", "channel", "status", "next_attempt_at"),
        Index("outbox_by_status", "status", "purpose"),
        Index("outbox_by_incident", "incident_id"),
    )

    entry_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    idempotency_key: Mapped[str] = mapped_column(String(120), unique=True)
    incident_id: Mapped[str] = mapped_column(ForeignKey("inbox_incident.incident_id"))
    purpose: Mapped[str] = mapped_column(String(40))
    channel: Mapped[str] = mapped_column(String(40))
    recipient: Mapped[str] = mapped_column(String(120))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    status: Mapped[str] = mapped_column(String(16), default=PENDING)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_error: Mapped[str] = mapped_column(Text, default="")
    receipt: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # from version 2 on
    address: Mapped[str] = mapped_column(String(300), default="")
    language: Mapped[str] = mapped_column(String(2), default="vi")
    level: Mapped[int] = mapped_column(Integer, default=1)
    fallback_of: Mapped[int | None] = mapped_column(Integer)
    spare: Mapped[list[dict[str, str]]] = mapped_column(JSON, default=list)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class DeliveryAttempt(Base):
    """One try of one entry, and how it ended."""

    __tablename__ = "delivery_attempt"
    __table_args__ = (Index("attempt_by_entry", "entry_id", "attempt_id"),)

    attempt_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    entry_id: Mapped[int] = mapped_column(ForeignKey("outbox.entry_id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    outcome: Mapped[str] = mapped_column(String(16))
    detail: Mapped[str] = mapped_column(Text)


class Account(Base):
    """Who may sign in. `person_id` is the catalogue's person where it is one; `password_hash` is argon2's."""

    __tablename__ = "account"

    login: Mapped[str] = mapped_column(String(80), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    person_id: Mapped[str] = mapped_column(String(40), default="")
    role: Mapped[str] = mapped_column(String(20))
    units: Mapped[list[str]] = mapped_column(JSON)
    language: Mapped[str] = mapped_column(String(2), default="vi")
    password_hash: Mapped[str] = mapped_column(String(200))
    is_disabled: Mapped[bool] = mapped_column(Boolean, default=False)
    failed_logins: Mapped[int] = mapped_column(Integer, default=0)
    locked_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SignedIn(Base):
    """A session: the SHA-256 of its cookie, never the cookie."""

    __tablename__ = "session"
    __table_args__ = (Index("session_by_login", "login"), Index("session_by_end", "expires_at"))

    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    login: Mapped[str] = mapped_column(ForeignKey("account.login", ondelete="CASCADE"))
    csrf_token: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ShiftNote(Base):
    """A line of the handover log; `kind`: note, take_over, hand_over, mute or unmute. Rows are only ever added."""

    __tablename__ = "shift_note"
    __table_args__ = (Index("shift_note_by_time", "at"),)

    note_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor_id: Mapped[str] = mapped_column(String(80))
    actor_name: Mapped[str] = mapped_column(String(120))
    roster: Mapped[str] = mapped_column(String(80), default="")
    kind: Mapped[str] = mapped_column(String(20), default="note")
    text: Mapped[str] = mapped_column(Text)
