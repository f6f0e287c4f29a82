"""Version 2: incidents have a life of their own with us, with timers, an audit and people who sign in."""

import sqlalchemy as sa
from alembic import op

from ioc.oncall.models import UtcDateTime

revision = "0002"
down_revision = "0001"

_INCIDENT = "inbox_incident.incident_id"


def _text(name: str, length: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=False, server_default="")


def _number(name: str, value: int) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False, server_default=str(value))


def _time(name: str, *, is_needed: bool = False) -> sa.Column[object]:
    return sa.Column(name, UtcDateTime, nullable=not is_needed)


def upgrade() -> None:
    _inbox()
    _outbox()
    _history()
    _people()


def _inbox() -> None:
    for column in (
        sa.Column("source", sa.String(20), nullable=False, server_default="camera"),
        _text("dedup_key", 200),
        _number("severity_rank", 1),
        _text("unit", 10),
        _text("camera_id", 200),
        _text("place_key", 400),
        sa.Column("is_exercise", sa.Boolean, nullable=False, server_default=sa.false()),
        _number("episode", 0),
        _text("owner", 80),
        _text("owner_name", 120),
        _text("assignee", 80),
        _time("eta_at"),
        _time("snoozed_until"),
        sa.Column("verdict", sa.String(20)),
        _time("opened_at"),
        sa.Column("opened_times", sa.JSON, nullable=False, server_default="[]"),
        _time("acknowledged_at"),
        _time("closed_at"),
        _text("closed_by", 80),
        _time("held_until"),
        _text("held_reason", 200),
        _text("policy", 80),
        _number("chain", 0),
        _number("chain_step", 0),
        _time("last_notified_at"),
    ):
        op.add_column("inbox_incident", column)
    _fill()
    op.drop_index("inbox_by_state", "inbox_incident")
    page = ["state", "severity_rank", "first_frame_at", "incident_id", "kind", "unit", "severity"]
    op.create_index("inbox_by_state", "inbox_incident", page)
    op.create_index("inbox_by_count", "inbox_incident", ["state", "kind", "unit", "severity"])
    op.create_index("inbox_by_dedup", "inbox_incident", ["dedup_key"])
    op.create_index("inbox_by_place", "inbox_incident", ["place_key", "kind", "last_notified_at"])


def _fill() -> None:
    """What the old rows say of themselves. Those alerted are open and stand at the first step, called by nobody: an
    upgrade must not call anybody again."""
    inbox = sa.table(
        "inbox_incident",
        *(sa.column(name) for name in ("incident_id", "dedup_key", "severity", "severity_rank", "unit", "camera_id")),
        *(sa.column(name) for name in ("place_key", "state", "episode", "chain", "chain_step", "opened_times")),
        sa.column("payload", sa.JSON),
        *(sa.column(name, UtcDateTime) for name in ("alerted_at", "opened_at", "first_notified_at")),
        sa.column("last_notified_at", UtcDateTime),
    )
    connection = op.get_bind()
    ranks = {"critical": 0, "warning": 1, "info": 2}
    for row in connection.execute(sa.select(inbox)).mappings().all():
        payload = row["payload"]
        is_open = row["state"] == "open"
        place = f"{payload.get('camera_id', '')}/{payload.get('pose_id', '')}/{payload.get('zone_id', '')}"
        connection.execute(
            inbox.update()
            .where(inbox.c.incident_id == row["incident_id"])
            .values(
                dedup_key=row["incident_id"],
                severity_rank=ranks.get(row["severity"], 1),
                unit=str(payload.get("admin_unit", ""))[:10],
                camera_id=str(payload.get("camera_id", ""))[:200],
                place_key=place[:400],
                episode=int(is_open),
                chain=int(is_open),
                chain_step=int(is_open),
                opened_at=row["alerted_at"],
                last_notified_at=row["first_notified_at"],
            )
        )


def _outbox() -> None:
    with op.batch_alter_table("outbox") as outbox:
        outbox.drop_constraint("outbox_once", type_="unique")
        outbox.alter_column("idempotency_key", type_=sa.String(120), existing_nullable=False)
        outbox.add_column(_text("address", 300))
        outbox.add_column(sa.Column("language", sa.String(2), nullable=False, server_default="vi"))
        outbox.add_column(_number("level", 1))
        outbox.add_column(sa.Column("fallback_of", sa.Integer))
        outbox.add_column(sa.Column("spare", sa.JSON, nullable=False, server_default="[]"))
        outbox.add_column(sa.Column("facts", sa.JSON, nullable=False, server_default="{}"))
    op.create_index("outbox_by_incident", "outbox", ["incident_id"])
    op.create_table(
        "delivery_attempt",
        sa.Column("attempt_id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("entry_id", sa.Integer, sa.ForeignKey("outbox.entry_id"), nullable=False),
        _time("at", is_needed=True),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("attempt_by_entry", "delivery_attempt", ["entry_id", "attempt_id"])


def _history() -> None:
    op.create_table(
        "audit",
        sa.Column("audit_id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("incident_id", sa.String(200), sa.ForeignKey(_INCIDENT), nullable=False),
        _time("at", is_needed=True),
        sa.Column("actor_id", sa.String(80), nullable=False),
        sa.Column("actor_name", sa.String(120), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("door", sa.String(20), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("episode", sa.Integer, nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
    )
    op.create_index("audit_by_incident", "audit", ["incident_id", "audit_id"])
    op.create_index("audit_by_time", "audit", ["at"])
    op.create_table(
        "comment",
        sa.Column("comment_id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("incident_id", sa.String(200), sa.ForeignKey(_INCIDENT), nullable=False),
        _time("at", is_needed=True),
        sa.Column("actor_id", sa.String(80), nullable=False),
        sa.Column("actor_name", sa.String(120), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("comment_by_incident", "comment", ["incident_id", "comment_id"])
    op.create_table(
        "checklist_tick",
        sa.Column("incident_id", sa.String(200), sa.ForeignKey(_INCIDENT), primary_key=True),
        sa.Column("step", sa.String(120), primary_key=True),
        sa.Column("is_done", sa.Boolean, nullable=False),
        _time("at", is_needed=True),
        sa.Column("actor_id", sa.String(80), nullable=False),
        sa.Column("actor_name", sa.String(120), nullable=False),
    )
    op.create_table(
        "timer",
        sa.Column("timer_id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("incident_id", sa.String(200), sa.ForeignKey(_INCIDENT), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        _time("due_at", is_needed=True),
        _time("leased_until"),
        sa.UniqueConstraint("incident_id", "kind", name="timer_once"),
    )
    op.create_index("timer_due", "timer", ["due_at"])


def _people() -> None:
    op.create_table(
        "account",
        sa.Column("login", sa.String(80), primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("person_id", sa.String(40), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("units", sa.JSON, nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("password_hash", sa.String(200), nullable=False),
        sa.Column("is_disabled", sa.Boolean, nullable=False),
        sa.Column("failed_logins", sa.Integer, nullable=False),
        _time("locked_until"),
        _time("created_at", is_needed=True),
        _time("changed_at", is_needed=True),
    )
    op.create_table(
        "session",
        sa.Column("token_sha256", sa.String(64), primary_key=True),
        sa.Column("login", sa.String(80), sa.ForeignKey("account.login", ondelete="CASCADE"), nullable=False),
        sa.Column("csrf_token", sa.String(64), nullable=False),
        _time("created_at", is_needed=True),
        _time("seen_at", is_needed=True),
        _time("expires_at", is_needed=True),
    )
    op.create_index("session_by_login", "session", ["login"])
    op.create_index("session_by_end", "session", ["expires_at"])
    op.create_table(
        "shift_note",
        sa.Column("note_id", sa.Integer, primary_key=True, autoincrement=True),
        _time("at", is_needed=True),
        sa.Column("actor_id", sa.String(80), nullable=False),
        sa.Column("actor_name", sa.String(120), nullable=False),
        _text("roster", 80),
        _text("kind", 20),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("shift_note_by_time", "shift_note", ["at"])
