"""What people and figures read of the on-call database. Nothing here writes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from ioc.oncall.lifecycle import Life
from ioc.oncall.models import (
    FAILED,
    PENDING,
    AuditEntry,
    CommentEntry,
    InboxIncident,
    OutboxEntry,
    TickEntry,
    TimerEntry,
)
from ioc.oncall.outcomes import ACTIONS_CHANNEL
from ioc.oncall.store_changes import life_of

__all__ = [
    "LIVE",
    "AuditRow",
    "CommentRow",
    "InboxFilter",
    "InboxPage",
    "InboxRow",
    "IncidentView",
    "NoticeRow",
    "Tally",
    "TickRow",
]

LIVE = ("open", "acknowledged")


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxRow:
    """An incident as the inbox knows it; `payload` is `Incident.as_json` of its newest revision (whose `state` is the
    source's: `life.state` is ours)."""

    incident_id: str
    payload: Mapping[str, Any]
    alerted_at: datetime | None
    first_notified_at: datetime | None
    source: str
    kind: str
    severity: str
    unit: str
    life: Life
    is_exercise: bool
    received_at: datetime
    changed_at: datetime
    held_until: datetime | None
    held_reason: str
    policy: str
    chain_step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxFilter:
    """Empty tuples ask for nothing. `scope`: the units that the reader may see, `*` for all; an incident of no unit is
    everybody's."""

    states: tuple[str, ...] = LIVE
    units: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    owner: str = ""
    scope: tuple[str, ...] = ("*",)


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxPage:
    """`rows`: the gravest first, then the newest. `total`: how many the filter finds. `counts`: by (state, kind, unit,
    severity), of everything in the reader's scope that is in one of the filter's states."""

    rows: tuple[InboxRow, ...]
    total: int
    counts: Mapping[tuple[str, str, str, str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    audit_id: int
    at: datetime
    actor_id: str
    actor_name: str
    role: str
    door: str
    action: str
    state: str
    episode: int
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentRow:
    comment_id: int
    at: datetime
    actor_id: str
    actor_name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TickRow:
    step: str
    is_done: bool
    at: datetime
    actor_id: str
    actor_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRow:
    """Who was told what, where, and whether it arrived. `name` is the recipient's."""

    entry_id: int
    purpose: str
    level: int
    channel: str
    recipient: str
    name: str
    status: str
    attempts: int
    created_at: datetime
    sent_at: datetime | None
    last_error: str
    fallback_of: int | None
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentView:
    """All that is known of an incident; every list in the order of time. `timers`: kind to when it is due."""

    row: InboxRow
    audit: tuple[AuditRow, ...]
    comments: tuple[CommentRow, ...]
    ticks: tuple[TickRow, ...]
    notices: tuple[NoticeRow, ...]
    timers: Mapping[str, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Counts of the whole database. `alerts_delivered`: incidents of which at least one channel took a notice.

    `incidents` is by (kind, state), `notices` by (channel, status); `outbox_pending` counts actions too.
    """

    incidents: Mapping[tuple[str, str], int]
    notices: Mapping[tuple[str, str], int]
    outbox_pending: int
    alerts_delivered: int


def inbox_row(row: InboxIncident) -> InboxRow:
    return InboxRow(
        incident_id=row.incident_id,
        payload=row.payload,
        alerted_at=row.alerted_at,
        first_notified_at=row.first_notified_at,
        source=row.source,
        kind=row.kind,
        severity=row.severity,
        unit=row.unit,
        life=life_of(row),
        is_exercise=row.is_exercise,
        received_at=row.received_at,
        changed_at=row.changed_at,
        held_until=row.held_until,
        held_reason=row.held_reason,
        policy=row.policy,
        chain_step=row.chain_step,
    )


async def read_inbox(session: AsyncSession, wanted: InboxFilter, limit: int, offset: int) -> InboxPage:
    of_states = InboxIncident.state.in_(wanted.states) if wanted.states else InboxIncident.state != ""
    scoped = and_(of_states, _in_scope(wanted.scope))
    chosen = and_(scoped, *_chosen(wanted))
    row = InboxIncident
    order = (row.severity_rank, row.first_frame_at.desc(), row.incident_id)
    # The page is found in the index alone; only its own rows, with their payloads, are read.
    page = select(row.incident_id).where(chosen).order_by(*order).limit(limit).offset(offset)
    query = select(row).where(row.incident_id.in_(page)).order_by(*order)
    group = (row.state, row.kind, row.unit, row.severity)
    counts = {
        (state, kind, unit, severity): count
        for state, kind, unit, severity, count in await session.execute(
            select(*group, func.count()).where(scoped).group_by(*group)
        )
    }
    rows = tuple(inbox_row(found) for found in await session.scalars(query))
    if wanted.owner:
        total = await session.scalar(select(func.count()).select_from(row).where(chosen)) or 0
    else:
        total = sum(count for key, count in counts.items() if _counts(wanted, key))
    return InboxPage(rows=rows, total=total, counts=counts)


def _in_scope(scope: tuple[str, ...]) -> ColumnElement[bool]:
    if "*" in scope:
        return true()
    return or_(InboxIncident.unit.in_(scope), InboxIncident.unit == "")


def _chosen(wanted: InboxFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.units:
        found.append(InboxIncident.unit.in_(wanted.units))
    if wanted.kinds:
        found.append(InboxIncident.kind.in_(wanted.kinds))
    if wanted.severities:
        found.append(InboxIncident.severity.in_(wanted.severities))
    if wanted.owner:
        found.append(InboxIncident.owner == wanted.owner)
    return found


def _counts(wanted: InboxFilter, key: tuple[str, str, str, str]) -> bool:
    _, kind, unit, severity = key
    return (
        (not wanted.kinds or kind in wanted.kinds)
        and (not wanted.units or unit in wanted.units)
        and (not wanted.severities or severity in wanted.severities)
    )


async def read_incident(session: AsyncSession, incident_id: str) -> IncidentView | None:
    row = await session.get(InboxIncident, incident_id)
    if row is None:
        return None
    audit = await session.scalars(
        select(AuditEntry).where(AuditEntry.incident_id == incident_id).order_by(AuditEntry.audit_id)
    )
    comments = await session.scalars(
        select(CommentEntry).where(CommentEntry.incident_id == incident_id).order_by(CommentEntry.comment_id)
    )
    ticks = await session.scalars(select(TickEntry).where(TickEntry.incident_id == incident_id).order_by(TickEntry.at))
    timers = await session.scalars(select(TimerEntry).where(TimerEntry.incident_id == incident_id))
    return IncidentView(
        row=inbox_row(row),
        audit=tuple(_audit_row(entry) for entry in audit),
        comments=tuple(_copied(CommentRow, entry) for entry in comments),
        ticks=tuple(_copied(TickRow, entry) for entry in ticks),
        notices=tuple(_notice_row(entry) for entry in await session.scalars(_notices_of(incident_id))),
        timers={timer.kind: timer.due_at for timer in timers},
    )


def _notices_of(incident_id: str) -> Select[OutboxEntry]:
    return (
        select(OutboxEntry)
        .where(OutboxEntry.incident_id == incident_id, OutboxEntry.channel != ACTIONS_CHANNEL)
        .order_by(OutboxEntry.entry_id)
        .options(defer(OutboxEntry.payload))
    )


def _copied(kind: type[Any], entry: object) -> Any:
    return kind(**{name: getattr(entry, name) for name in kind.__dataclass_fields__})


def _audit_row(entry: AuditEntry) -> AuditRow:
    found: AuditRow = _copied(AuditRow, entry)
    return found


def _notice_row(entry: OutboxEntry) -> NoticeRow:
    facts = entry.facts or {}
    return NoticeRow(
        entry_id=entry.entry_id,
        purpose=entry.purpose,
        level=entry.level,
        channel=entry.channel,
        recipient=entry.recipient,
        name=str(facts.get("name") or entry.recipient),
        status=entry.status,
        attempts=entry.attempts,
        created_at=entry.created_at,
        sent_at=entry.sent_at,
        last_error=entry.last_error,
        fallback_of=entry.fallback_of,
        facts=facts,
    )


async def read_newest(session: AsyncSession, limit: int, offset: int) -> list[InboxRow]:
    query = (
        select(InboxIncident)
        .order_by(InboxIncident.first_frame_at.desc(), InboxIncident.incident_id)
        .limit(limit)
        .offset(offset)
    )
    return [inbox_row(row) for row in await session.scalars(query)]


async def read_failures(session: AsyncSession, limit: int) -> list[tuple[str, str, str]]:
    query = (
        select(OutboxEntry.incident_id, OutboxEntry.channel, OutboxEntry.last_error)
        .where(OutboxEntry.status == FAILED)
        .order_by(OutboxEntry.entry_id.desc())
        .limit(limit)
    )
    return [(row[0], row[1], row[2]) for row in await session.execute(query)]


async def read_tally(session: AsyncSession) -> Tally:
    by_state = select(InboxIncident.kind, InboxIncident.state, func.count()).group_by(
        InboxIncident.kind, InboxIncident.state
    )
    by_channel = (
        select(OutboxEntry.channel, OutboxEntry.status, func.count())
        .where(OutboxEntry.channel != ACTIONS_CHANNEL)
        .group_by(OutboxEntry.channel, OutboxEntry.status)
    )
    pending = select(func.count()).select_from(OutboxEntry).where(OutboxEntry.status == PENDING)
    notified = select(func.count()).where(InboxIncident.first_notified_at.is_not(None))
    return Tally(
        incidents={(row[0], row[1]): row[2] for row in await session.execute(by_state)},
        notices={(row[0], row[1]): row[2] for row in await session.execute(by_channel)},
        outbox_pending=await session.scalar(pending) or 0,
        alerts_delivered=await session.scalar(notified) or 0,
    )
