"""The on-call database: every method is one transaction."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, event, func, select
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DatabaseError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from ioc.errors import ConfigurationError
from ioc.incidents import Incident
from ioc.oncall.intake import OPENED, Decision, Known, Route, decide, notice_key
from ioc.oncall.models import FAILED, PENDING, SCHEMA_VERSION, SENT, Base, InboxIncident, OutboxEntry, ServiceMark
from ioc.oncall.outcomes import FollowUp, GivenUp, OutboxRow, Outcome, Postponed, Sent

__all__ = ["InboxRow", "Store", "Tally", "open_store", "sqlite_url"]

LOCK_WAIT_MS = 5000  # another connection's write takes milliseconds; a backup may take seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxRow:
    """An incident as the inbox knows it; `payload` is `Incident.as_json` of its newest revision."""

    incident_id: str
    payload: Mapping[str, Any]
    alerted_at: datetime | None
    first_notified_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Counts of the whole database. `alerts_delivered`: incidents of which at least one channel took a notice.

    `incidents` is by (kind, state), `notices` by (channel, status); `outbox_pending` counts actions too.
    """

    incidents: Mapping[tuple[str, str], int]
    notices: Mapping[tuple[str, str], int]
    outbox_pending: int
    alerts_delivered: int


def sqlite_url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


async def open_store(url: str) -> "Store":
    """Returns the store at a SQLAlchemy URL, its tables made where missing.

    Raises:
        ConfigurationError: the database can't be opened or written, or is of another version.
    """
    try:
        parsed = make_url(url)
        engine = create_async_engine(parsed)
    except (ArgumentError, ImportError) as error:
        raise ConfigurationError(f"the on-call database address is not usable: {error}") from None
    where = parsed.render_as_string(hide_password=True)
    if parsed.get_backend_name() == "sqlite":
        _prepare_sqlite(engine, Path(parsed.database or ""))
    store = Store(engine)
    try:
        await store.prepare()
    except (DatabaseError, OSError) as error:
        await engine.dispose()
        raise ConfigurationError(
            f"{where}: the on-call database can't be opened for writing ({_cause(error)}); "
            "check the folder IOC_STATE, its rights and free space"
        ) from None
    except ConfigurationError as error:
        await engine.dispose()
        raise ConfigurationError(f"{where}: {error}") from None
    return store


def _cause(error: Exception) -> str:
    return str(getattr(error, "orig", error))


def _prepare_sqlite(engine: AsyncEngine, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{path.parent}: can't be made ({error.strerror}); set IOC_STATE") from None

    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves: the driver's own begins too late
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={LOCK_WAIT_MS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        # FULL: the Kafka offset is committed after this transaction, so it must survive a power cut.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: Connection) -> None:
        # A write takes its lock at once: one that reads first and then finds another writer can't wait, it fails.
        is_write = connection.get_execution_options().get("ioc_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")


class Store:
    """The inbox and the outbox. Errors of the database come out as SQLAlchemy's."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._writing = engine.execution_options(ioc_write=True)

    async def prepare(self) -> None:
        async with self._writing.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        async with AsyncSession(self._writing) as session, session.begin():
            mark = await session.get(ServiceMark, "schema")
            if mark is None:
                session.add(ServiceMark(name="schema", value=SCHEMA_VERSION))
            elif mark.value != SCHEMA_VERSION:
                raise ConfigurationError(
                    f"the on-call database is of version {mark.value}, this program needs {SCHEMA_VERSION}; "
                    "install the program that wrote it, or keep the file aside and start a new one"
                )

    async def close(self) -> None:
        await self._engine.dispose()

    async def probe_write(self, at: datetime) -> None:
        """Writes a mark; raises what the database raises when it can't."""
        async with AsyncSession(self._writing) as session, session.begin():
            await session.merge(ServiceMark(name="probe", value=at.isoformat()))

    async def take(self, incidents: Sequence[Incident], routes: Sequence[Route], now: datetime) -> list[Decision]:
        """Brings the inbox up to date and queues what must be told, in one transaction; returns what was decided."""
        async with AsyncSession(self._writing) as session, session.begin():
            rows = await _known_rows(session, incidents)
            decisions = [_take_one(rows, incident, now) for incident in incidents]
            session.add_all(rows.values())
            await session.flush()  # the outbox refers to the inbox
            for incident, decision in zip(incidents, decisions, strict=True):
                if decision == "store_and_alert":
                    session.add_all(_notice_entry(incident, route, now) for route in routes)
            return decisions

    async def due(self, channel: str, now: datetime, limit: int) -> list[OutboxRow]:
        """The entries of a channel to try now, longest waiting first."""
        query = (
            select(OutboxEntry)
            .where(OutboxEntry.channel == channel, OutboxEntry.status == PENDING, OutboxEntry.next_attempt_at <= now)
            .order_by(OutboxEntry.next_attempt_at, OutboxEntry.entry_id)
            .limit(limit)
        )
        async with AsyncSession(self._engine) as session:
            return [_outbox_row(entry) for entry in await session.scalars(query)]

    async def next_due_at(self, channel: str) -> datetime | None:
        query = select(func.min(OutboxEntry.next_attempt_at)).where(
            OutboxEntry.channel == channel, OutboxEntry.status == PENDING
        )
        async with AsyncSession(self._engine) as session:
            return await session.scalar(query)

    async def settle(self, outcomes: Sequence[Outcome], now: datetime) -> set[str]:
        """Writes down how tries ended and queues what follows from them, in one transaction.

        Returns the idempotency keys of those that were the first notice of their incident that any channel took.
        An entry that another try has closed meanwhile is left alone.
        """
        async with AsyncSession(self._writing) as session, session.begin():
            ids = [outcome.row.entry_id for outcome in outcomes]
            found = await session.scalars(select(OutboxEntry).where(OutboxEntry.entry_id.in_(ids)))
            entries = {entry.entry_id: entry for entry in found if entry.status == PENDING}
            sent = [o for o in outcomes if isinstance(o, Sent) and o.row.entry_id in entries]
            for outcome in outcomes:
                if entry := entries.get(outcome.row.entry_id):
                    _write_outcome(entry, outcome, now)
            followed = [(o.row, o.follow_up) for o in sent if o.follow_up is not None]
            session.add_all(_follow_up_entry(row.incident_id, follow_up, now) for row, follow_up in followed)
            return await _mark_notified(session, [row for row, _ in followed], now)

    async def newest(self, *, limit: int, offset: int = 0) -> list[InboxRow]:
        """Incidents, the most recently begun first."""
        query = (
            select(InboxIncident)
            .order_by(InboxIncident.first_frame_at.desc(), InboxIncident.incident_id)
            .limit(limit)
            .offset(offset)
        )
        async with AsyncSession(self._engine) as session:
            return [
                InboxRow(
                    incident_id=row.incident_id,
                    payload=row.payload,
                    alerted_at=row.alerted_at,
                    first_notified_at=row.first_notified_at,
                )
                for row in await session.scalars(query)
            ]

    async def failures(self, *, limit: int) -> list[tuple[str, str, str]]:
        """(incident_id, channel, last error) of notices that will not be tried again, newest first."""
        query = (
            select(OutboxEntry.incident_id, OutboxEntry.channel, OutboxEntry.last_error)
            .where(OutboxEntry.status == FAILED)
            .order_by(OutboxEntry.entry_id.desc())
            .limit(limit)
        )
        async with AsyncSession(self._engine) as session:
            return [(row[0], row[1], row[2]) for row in await session.execute(query)]

    async def tally(self) -> Tally:
        by_state = select(InboxIncident.kind, InboxIncident.state, func.count()).group_by(
            InboxIncident.kind, InboxIncident.state
        )
        by_channel = (
            select(OutboxEntry.channel, OutboxEntry.status, func.count())
            .where(OutboxEntry.purpose == OPENED)
            .group_by(OutboxEntry.channel, OutboxEntry.status)
        )
        pending = select(func.count()).select_from(OutboxEntry).where(OutboxEntry.status == PENDING)
        notified = select(func.count()).where(InboxIncident.first_notified_at.is_not(None))
        async with AsyncSession(self._engine) as session:
            return Tally(
                incidents={(row[0], row[1]): row[2] for row in await session.execute(by_state)},
                notices={(row[0], row[1]): row[2] for row in await session.execute(by_channel)},
                outbox_pending=await session.scalar(pending) or 0,
                alerts_delivered=await session.scalar(notified) or 0,
            )


async def _known_rows(session: AsyncSession, incidents: Sequence[Incident]) -> dict[str, InboxIncident]:
    ids = {incident.incident_id for incident in incidents}
    return {row.incident_id: row for row in await session.scalars(select(InboxIncident).where(_among(ids)))}


def _take_one(rows: dict[str, InboxIncident], incident: Incident, now: datetime) -> Decision:
    row = rows.get(incident.incident_id)
    known = None if row is None else Known(revision=row.revision, is_alerted=row.alerted_at is not None)
    decision = decide(known, incident)
    if decision == "ignore":
        return decision
    if row is None:
        row = InboxIncident(incident_id=incident.incident_id, received_at=now, alerted_at=None, first_notified_at=None)
        rows[incident.incident_id] = row
    _copy(incident, row, now)
    if decision == "store_and_alert":
        row.alerted_at = now
    return decision


async def _mark_notified(session: AsyncSession, notices: Sequence[OutboxRow], now: datetime) -> set[str]:
    ids = {notice.incident_id for notice in notices}
    waiting = await session.scalars(select(InboxIncident).where(_among(ids), InboxIncident.first_notified_at.is_(None)))
    firsts: set[str] = set()
    for incident in waiting:
        incident.first_notified_at = now
        firsts.add(next(n.idempotency_key for n in notices if n.incident_id == incident.incident_id))
    return firsts


def _among(ids: Collection[str]) -> ColumnElement[bool]:
    return InboxIncident.incident_id.in_(ids)


def _write_outcome(entry: OutboxEntry, outcome: Outcome, now: datetime) -> None:
    entry.attempts = outcome.row.attempts + 1
    match outcome:
        case Sent():
            entry.status, entry.receipt, entry.last_error, entry.sent_at = SENT, outcome.receipt, "", now
        case Postponed():
            entry.last_error, entry.next_attempt_at = outcome.error, outcome.next_attempt_at
        case GivenUp():
            entry.status, entry.last_error = FAILED, outcome.error


def _copy(incident: Incident, row: InboxIncident, now: datetime) -> None:
    row.kind, row.state, row.severity = incident.kind, incident.state, incident.severity
    row.revision, row.payload = incident.revision, incident.as_json()
    row.first_frame_at, row.last_seen_at, row.changed_at = incident.first_frame_at, incident.last_seen_at, now


def _notice_entry(incident: Incident, route: Route, now: datetime) -> OutboxEntry:
    key = notice_key(incident_id=incident.incident_id, purpose=OPENED, channel=route.channel, recipient=route.recipient)
    return OutboxEntry(
        idempotency_key=key,
        incident_id=incident.incident_id,
        purpose=OPENED,
        channel=route.channel,
        recipient=route.recipient,
        payload=incident.as_json(),
        next_attempt_at=now,
        created_at=now,
    )


def _follow_up_entry(incident_id: str, follow_up: FollowUp, now: datetime) -> OutboxEntry:
    return OutboxEntry(
        idempotency_key=follow_up.idempotency_key,
        incident_id=incident_id,
        purpose=follow_up.purpose,
        channel=follow_up.channel,
        recipient=follow_up.recipient,
        payload=dict(follow_up.payload),
        next_attempt_at=now,
        created_at=now,
    )


def _outbox_row(entry: OutboxEntry) -> OutboxRow:
    return OutboxRow(
        entry_id=entry.entry_id,
        idempotency_key=entry.idempotency_key,
        incident_id=entry.incident_id,
        channel=entry.channel,
        recipient=entry.recipient,
        payload=entry.payload,
        attempts=entry.attempts,
        created_at=entry.created_at,
    )
