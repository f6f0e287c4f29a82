"""How tries to deliver ended, written down inside one transaction."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ioc.oncall.models import FAILED, PENDING, SENT, DeliveryAttempt, InboxIncident, OutboxEntry
from ioc.oncall.outcomes import ACTIONS_CHANNEL, FollowUp, GivenUp, OutboxRow, Outcome, Postponed, Sent

__all__ = ["outbox_row", "read_waiting", "write_outcomes"]


def outbox_row(entry: OutboxEntry) -> OutboxRow:
    return OutboxRow(
        entry_id=entry.entry_id,
        idempotency_key=entry.idempotency_key,
        incident_id=entry.incident_id,
        channel=entry.channel,
        recipient=entry.recipient,
        payload=entry.payload,
        attempts=entry.attempts,
        created_at=entry.created_at,
        purpose=entry.purpose,
        address=entry.address,
        language=entry.language,
        level=entry.level,
        fallback_of=entry.fallback_of,
        spare=tuple(entry.spare or ()),
        next_attempt_at=entry.next_attempt_at,
        facts=entry.facts or {},
    )


async def read_waiting(session: AsyncSession, channel: str, per_recipient: int) -> list[OutboxRow]:
    """`Store.waiting` says what it returns."""
    whose = (OutboxEntry.recipient, OutboxEntry.address)
    place = func.row_number().over(partition_by=whose, order_by=OutboxEntry.entry_id).label("place")
    ranked = (
        select(OutboxEntry.entry_id, place)
        .where(OutboxEntry.channel == channel, OutboxEntry.status == PENDING)
        .subquery()
    )
    query = (
        select(OutboxEntry)
        .join(ranked, ranked.c.entry_id == OutboxEntry.entry_id)
        .where(ranked.c.place <= per_recipient)
        .order_by(OutboxEntry.entry_id)
    )
    return [outbox_row(entry) for entry in await session.scalars(query)]


async def write_outcomes(session: AsyncSession, outcomes: Sequence[Outcome], now: datetime) -> set[str]:
    """`Store.settle` says what it returns."""
    ids = [outcome.row.entry_id for outcome in outcomes]
    found = await session.scalars(select(OutboxEntry).where(OutboxEntry.entry_id.in_(ids)).with_for_update())
    entries = {entry.entry_id: entry for entry in found if entry.status == PENDING}
    followed: list[OutboxRow] = []
    for outcome in outcomes:
        entry = entries.get(outcome.row.entry_id)
        if entry is None:
            continue
        _write_outcome(entry, outcome, now)
        session.add(_attempt(entry, outcome, now))
        if isinstance(outcome, Sent) and outcome.follow_up is not None:
            session.add(_follow_up_entry(outcome.row.incident_id, outcome.follow_up, now))
            followed.append(outcome.row)
        if isinstance(outcome, GivenUp) or (isinstance(outcome, Postponed) and outcome.falls_back):
            _fall_back(session, entry, now)
    return await _mark_notified(session, followed, now)


def _write_outcome(entry: OutboxEntry, outcome: Outcome, now: datetime) -> None:
    entry.attempts = outcome.row.attempts + 1
    match outcome:
        case Sent():
            entry.status, entry.receipt, entry.last_error, entry.sent_at = SENT, outcome.receipt, "", now
        case Postponed():
            entry.last_error, entry.next_attempt_at = outcome.error, outcome.next_attempt_at
        case GivenUp():
            entry.status, entry.last_error = FAILED, outcome.error


def _attempt(entry: OutboxEntry, outcome: Outcome, now: datetime) -> DeliveryAttempt:
    match outcome:
        case Sent():
            word, detail = "sent", outcome.receipt
        case Postponed():
            word, detail = "postponed", outcome.error
        case GivenUp():
            word, detail = "given_up", outcome.error
    return DeliveryAttempt(entry_id=entry.entry_id, at=now, outcome=word, detail=detail[:1000])


def _fall_back(session: AsyncSession, entry: OutboxEntry, now: datetime) -> None:
    """Queues the notice for the person's next address, once: the entry has none to spare afterwards."""
    if entry.channel == ACTIONS_CHANNEL or not entry.spare:
        return
    first, *rest = entry.spare
    entry.spare = []
    session.add(
        OutboxEntry(
            idempotency_key=f"{entry.idempotency_key}_f",
            incident_id=entry.incident_id,
            purpose=entry.purpose,
            channel=first["channel"],
            recipient=entry.recipient,
            payload=entry.payload,
            next_attempt_at=now,
            created_at=now,
            address=first["address"],
            language=entry.language,
            level=entry.level,
            fallback_of=entry.entry_id,
            spare=rest,
            facts=entry.facts,
        )
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


async def _mark_notified(session: AsyncSession, notices: Sequence[OutboxRow], now: datetime) -> set[str]:
    ids = {notice.incident_id for notice in notices}
    people_told = {notice.incident_id for notice in notices if not notice.facts.get("always")}
    firsts: set[str] = set()
    query = (
        select(InboxIncident)
        .where(InboxIncident.incident_id.in_(ids))
        .order_by(InboxIncident.incident_id)
        .with_for_update()
    )
    for incident in await session.scalars(query) if ids else ():
        if incident.first_notified_at is None:
            incident.first_notified_at = now
            firsts.add(next(n.idempotency_key for n in notices if n.incident_id == incident.incident_id))
        if incident.incident_id in people_told:
            incident.last_notified_at = now
    return firsts
