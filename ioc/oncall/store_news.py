"""Those who were called about an incident are told how it goes on: who has it, that it is over."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from ioc.oncall.intake import notice_key
from ioc.oncall.lifecycle import Actor
from ioc.oncall.models import PENDING, SENT, InboxIncident, OutboxEntry
from ioc.oncall.notices_lines import NEWS

__all__ = ["news_entries"]


async def news_entries(
    session: AsyncSession, row: InboxIncident, purpose: str, actor: Actor, now: datetime
) -> list[OutboxEntry]:
    """Returns a notice for each address that was called since the incident opened, but not for who acts.

    Addresses only: the console and the settings' webhook are told of what calls people, and of nothing else.
    """
    query = (
        select(OutboxEntry)
        .where(
            OutboxEntry.incident_id == row.incident_id,
            OutboxEntry.address != "",
            OutboxEntry.recipient != actor.actor_id,
            OutboxEntry.status.in_((SENT, PENDING)),
            OutboxEntry.purpose.not_in(tuple(NEWS)),
        )
        .order_by(OutboxEntry.entry_id)
    )
    called: dict[tuple[str, str, str], OutboxEntry] = {}
    for entry in await session.scalars(query):
        if row.opened_at is None or entry.created_at >= row.opened_at:
            called.setdefault((entry.channel, entry.recipient, entry.address), entry)
    return [_entry(row, entry, purpose, actor, now) for entry in called.values()]


def _entry(row: InboxIncident, called: OutboxEntry, purpose: str, actor: Actor, now: datetime) -> OutboxEntry:
    moment = now.astimezone(UTC).isoformat()
    facts: dict[str, Any] = {
        "by": actor.name,
        "eta_at": row.eta_at.isoformat() if row.eta_at and purpose == "acknowledged" else None,
        "verdict": row.verdict if purpose != "acknowledged" else None,
        "exercise": row.is_exercise,
        "name": called.facts.get("name"),
    }
    return OutboxEntry(
        idempotency_key=notice_key(
            incident_id=row.incident_id,
            purpose=f"{purpose}/{moment}",
            channel=called.channel,
            recipient=f"{called.recipient}|{called.address}",
        ),
        incident_id=row.incident_id,
        purpose=purpose,
        channel=called.channel,
        recipient=called.recipient,
        payload=row.payload,
        next_attempt_at=now,
        created_at=now,
        address=called.address,
        language=called.language,
        level=called.level,
        facts={name: value for name, value in facts.items() if value},
    )
