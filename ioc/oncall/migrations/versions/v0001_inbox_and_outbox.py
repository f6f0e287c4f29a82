"""Version "1": an inbox of incidents and an outbox, as the first programs made them by themselves."""

import sqlalchemy as sa
from alembic import op

from ioc.oncall.models import UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "service_mark",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("value", sa.String(80), nullable=False),
    )
    op.create_table(
        "inbox_incident",
        sa.Column("incident_id", sa.String(200), primary_key=True),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("first_frame_at", UtcDateTime, nullable=False),
        sa.Column("last_seen_at", UtcDateTime, nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("changed_at", UtcDateTime, nullable=False),
        sa.Column("alerted_at", UtcDateTime),
        sa.Column("first_notified_at", UtcDateTime),
    )
    op.create_index("inbox_by_age", "inbox_incident", ["first_frame_at"])
    op.create_index("inbox_by_state", "inbox_incident", ["state", "first_frame_at"])
    op.create_table(
        "outbox",
        sa.Column("entry_id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("idempotency_key", sa.String(80), nullable=False, unique=True),
        sa.Column("incident_id", sa.String(200), sa.ForeignKey("inbox_incident.incident_id"), nullable=False),
        sa.Column("purpose", sa.String(40), nullable=False),
        sa.Column("channel", sa.String(40), nullable=False),
        sa.Column("recipient", sa.String(120), nullable=False),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_attempt_at", UtcDateTime, nullable=False),
        sa.Column("last_error", sa.Text, nullable=False),
        sa.Column("receipt", sa.Text, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("sent_at", UtcDateTime),
        sa.UniqueConstraint("incident_id", "purpose", "channel", "recipient", name="outbox_once"),
    )
    op.create_index("outbox_due", "outbox", ["channel", "status", "next_attempt_at"])
    op.create_index("outbox_by_status", "outbox", ["status", "purpose"])
