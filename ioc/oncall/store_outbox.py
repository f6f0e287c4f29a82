"""How tries to deliver ended, written down inside one transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from ioc.oncall.models import FAILED, PENDING, SENT, DeliveryAttempt, InboxIncident, OutboxEntry
from ioc.oncall.outcomes import ACTIONS_CHANNEL, FollowUp, GivenUp, OutboxRow, Outcome, Postponed, Sent

__all__ = ["outbox_row", "read_waiting", "write_outcomes"]

_CHANGED = ("attempts", "status", "receipt", "last_error", "sent_at", "next_attempt_at")


def outbox_row(entry: OutboxEntry | Row[Any]) -> OutboxRow:
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
        select(*OutboxEntry.__table__.c)  # plain rows: whole objects cost twice as much
        .join(ranked, ranked.c.entry_id == OutboxEntry.entry_id)
        .where(ranked.c.place <= per_recipient)
        .order_by(OutboxEntry.entry_id)
    )
    return [outbox_row(entry) for entry in await session.execute(query)]


async def write_outcomes(session: AsyncSession, outcomes: Sequence[Outcome], now: datetime) -> set[str]:
    """`Store.settle` says what it returns. Rows are written in bulk: on a small machine this is most of a notice."""
    ids = [outcome.row.entry_id for outcome in outcomes]
    locked = select(OutboxEntry.entry_id).where(OutboxEntry.entry_id.in_(ids), OutboxEntry.status == PENDING)
    pending = set(await session.scalars(locked.order_by(OutboxEntry.entry_id).with_for_update()))
    live = [outcome for outcome in outcomes if outcome.row.entry_id in pending]
    if not live:
        return set()
    await session.execute(_UPDATE, [_changes(outcome, now) for outcome in live])
    await session.execute(insert(DeliveryAttempt), [_attempt(outcome, now) for outcome in live])
    sent = [outcome for outcome in live if isinstance(outcome, Sent) and outcome.follow_up is not None]
    if sent:
        await session.execute(
            insert(OutboxEntry),
            [_follow_up(outcome.row.incident_id, outcome.follow_up, now) for outcome in sent if outcome.follow_up],
        )
    failed = [
        outcome.row.entry_id
        for outcome in live
        if isinstance(outcome, GivenUp) or (isinstance(outcome, Postponed) and outcome.falls_back)
    ]
    if failed:
        for entry in await session.scalars(select(OutboxEntry).where(OutboxEntry.entry_id.in_(failed))):
            _fall_back(session, entry, now)
    return await _mark_notified(session, [outcome.row for outcome in sent], now)


_TABLE = OutboxEntry.__table__
_UPDATE = (
    update(_TABLE)  # type: ignore[arg-type]  # a mapped class's table is a Table
    .where(_TABLE.c.entry_id == bindparam("the_id"))
    .values({name: bindparam(name) for name in _CHANGED})
)


def _changes(outcome: Outcome, now: datetime) -> dict[str, Any]:
    row = outcome.row
    changes: dict[str, Any] = {
        "the_id": row.entry_id,
        "attempts": row.attempts + 1,
        "status": PENDING,
        "receipt": "",
        "last_error": "",
        "sent_at": None,
        "next_attempt_at": row.next_attempt_at or now,
    }
    match outcome:
        case Sent():
            changes |= {"status": SENT, "receipt": outcome.receipt, "sent_at": now}
        case Postponed():
            changes |= {"last_error": outcome.error, "next_attempt_at": outcome.next_attempt_at}
        case GivenUp():
            changes |= {"status": FAILED, "last_error": outcome.error}
    return changes


def _attempt(outcome: Outcome, now: datetime) -> dict[str, Any]:
    match outcome:
        case Sent():
            word, detail = "sent", outcome.receipt
        case Postponed():
            word, detail = "postponed", outcome.error
        case GivenUp():
            word, detail = "given_up", outcome.error
    return {"entry_id": outcome.row.entry_id, "at": now, "outcome": word, "detail": detail[:1000]}


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


def _follow_up(incident_id: str, follow_up: FollowUp, now: datetime) -> dict[str, Any]:
    return {
        "idempotency_key": follow_up.idempotency_key,
        "incident_id": incident_id,
        "purpose": follow_up.purpose,
        "channel": follow_up.channel,
        "recipient": follow_up.recipient,
        "payload": dict(follow_up.payload),
        "next_attempt_at": now,
        "created_at": now,
    }


async def _mark_notified(session: AsyncSession, notices: Sequence[OutboxRow], now: datetime) -> set[str]:
    ids = sorted({notice.incident_id for notice in notices})
    if not ids:
        return set()
    row = InboxIncident
    query = select(row.incident_id).where(row.incident_id.in_(ids), row.first_notified_at.is_(None))
    new = set(await session.scalars(query.order_by(row.incident_id).with_for_update()))
    by_id = update(row).execution_options(synchronize_session=False)
    await session.execute(by_id.where(row.incident_id.in_(ids)).values(last_notified_at=now))
    if new:
        await session.execute(by_id.where(row.incident_id.in_(new)).values(first_notified_at=now))
    return {next(n.idempotency_key for n in notices if n.incident_id == incident_id) for incident_id in new}
