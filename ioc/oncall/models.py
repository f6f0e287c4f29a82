"""Tables of the on-call service: the inbox of incidents and the outbox of what must still leave the house.

An inbox row and the outbox rows that it causes are written in one transaction: neither exists without the other.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, ForeignKey, Index, Integer, String, Text, TypeDecorator
from sqlalchemy import UniqueConstraint as Unique
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = ["FAILED", "PENDING", "SCHEMA_VERSION", "SENT", "Base", "InboxIncident", "OutboxEntry", "ServiceMark"]

SCHEMA_VERSION = "1"

PENDING, SENT, FAILED = "pending", "sent", "failed"


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
    """Small facts about the database itself: its schema version, and the probe that shows it can be written."""

    __tablename__ = "service_mark"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(String(80))


class InboxIncident(Base):
    """The newest known revision of one incident; `incident_id` is the dedup key.

    `alerted_at` is when an alert was queued, `first_notified_at` when the first channel took one; both are set once.
    """

    __tablename__ = "inbox_incident"
    __table_args__ = (Index("inbox_by_age", "first_frame_at"), Index("inbox_by_state", "state", "first_frame_at"))

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


class OutboxEntry(Base):
    """One thing to hand to one recipient of one channel, at least once, always under the same idempotency key.

    `payload` is what the recipient gets (for a notice: the incident as it was when the alert was queued), so that every
    try carries the same words.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Unique("incident_id", "purpose", "channel", "recipient", name="outbox_once"),
        Index("outbox_due", "channel", "status", "next_attempt_at"),
        Index("outbox_by_status", "status", "purpose"),
    )

    entry_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    idempotency_key: Mapped[str] = mapped_column(String(80), unique=True)
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
