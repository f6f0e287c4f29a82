"""What comes into the inbox, inside the store's transaction: incidents of cameras, alerts of Alertmanager."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from ioc.incidents import Incident
from ioc.oncall.alerts import Alert, dedup_key, incident_of
from ioc.oncall.lifecycle import Actor, Clear, Refusal, See
from ioc.oncall.models import InboxIncident
from ioc.oncall.store_changes import Changes, copy_incident, life_of, new_row
from ioc.oncall_plan import Plan

__all__ = ["newest_by_key", "see", "take_alert", "update"]

ALERT_IS_NEW_AFTER = timedelta(hours=24)  # what comes back later is another incident, with a report of its own
_ALERTMANAGER = Actor(actor_id="alertmanager", name="Alertmanager", role="system", door="alertmanager")
_SOURCE_DOOR = Actor(actor_id="system", name="on-call", role="system", door="kafka")


async def see(changes: Changes, row: InboxIncident, incident: Incident, plan: Plan, *, is_known: bool = False) -> None:
    """Tells the life of the incident that its source sees it, or that it is over: gone, or part of another one.
    `is_known`: what stood there when it was closed is still there, and nothing else: no reason to open it again."""
    if incident.state == "open":
        seen_at = incident.first_frame_at if is_known else incident.told_of_at
        patience = plan.reopen_after if incident.case is None else timedelta()  # judged anew: no smoke that lingers
        await changes.change(row, See(seen_at=seen_at, reopen_after=patience), _SOURCE_DOOR)
    elif incident.state == "resolved":
        await changes.change(row, Clear(), _SOURCE_DOOR)


async def update(changes: Changes, row: InboxIncident, incident: Incident, plan: Plan, now: datetime) -> None:
    """Puts a newer revision into `row`."""
    rank_before, is_known = row.severity_rank, _is_known(row, incident)
    copy_incident(incident, row, now)
    await see(changes, row, incident, plan, is_known=is_known)
    if row.severity_rank < rank_before and row.held_until is not None and life_of(row).is_calling:
        await changes.call_people(row)  # held back as a warning; it is graver now


def _is_known(row: InboxIncident, incident: Incident) -> bool:
    """Whether it is building work that breaks the rule that it broke before, or that a person found to be none."""
    if incident.case is None:
        return False
    now, before = (incident.permit_rule, incident.permit_id), row.payload
    return row.verdict == "false_positive" or now == (before.get("permit_rule"), before.get("permit_id"))


async def take_alert(
    session: AsyncSession,
    changes: Changes,
    rows: dict[str, InboxIncident],
    alert: Alert,
    plan: Plan,
    now: datetime,
) -> bool:
    """Takes one alert; whether anything changed. `rows`: the newest of each key, kept up to date."""
    key = dedup_key(alert)
    row = rows.get(key)
    if alert.status == "resolved":
        return row is not None and await _clear(changes, row, alert)
    is_new = row is None or (row.closed_at is not None and now - row.closed_at > ALERT_IS_NEW_AFTER)
    if row is not None and not is_new and _is_late(row, alert):
        return False
    if row is None or is_new:
        incident_id = key if row is None else f"{key}-{alert.starts_at:%Y%m%dT%H%M%S}"
        incident = incident_of(alert, incident_id=incident_id, revision=1, seen_at=now)
        row = new_row(incident, source="alertmanager", dedup_key=key, now=now)
        rows[key] = row
        session.add(row)
        await see(changes, row, incident, plan)
        return True
    return await _fire_again(changes, row, alert, plan, now)


async def _fire_again(changes: Changes, row: InboxIncident, alert: Alert, plan: Plan, now: datetime) -> bool:
    incident = incident_of(alert, incident_id=row.incident_id, revision=row.revision + 1, seen_at=now)
    is_same = _told_of(row, "starts_at") == alert.starts_at.isoformat() and life_of(row).is_live
    if is_same and row.severity == incident.severity:
        return False  # Alertmanager repeats what fires on
    # Alertmanager has told us that it was over: what starts anew is news at once, without the patience for smoke.
    patience = timedelta() if row.closed_by == _ALERTMANAGER.actor_id else plan.reopen_after
    before = life_of(row)
    await update(changes, row, incident, _patient(plan, patience), now)
    return life_of(row) != before or is_same


async def _clear(changes: Changes, row: InboxIncident, alert: Alert) -> bool:
    if _told_of(row, "starts_at") > alert.starts_at.isoformat() or not life_of(row).is_live:
        return False
    outcome = await changes.change(row, Clear(), _ALERTMANAGER)
    return not isinstance(outcome, Refusal) and outcome.is_news


def _patient(plan: Plan, reopen_after: timedelta) -> Plan:
    return replace(plan, reopen_after=reopen_after)


def _told_of(row: InboxIncident, name: str) -> str:
    return str((row.payload.get("extra") or {}).get(name, ""))


def _is_late(row: InboxIncident, alert: Alert) -> bool:
    """A firing alert that Alertmanager has resolved since."""
    return row.closed_by == _ALERTMANAGER.actor_id and _told_of(row, "starts_at") >= alert.starts_at.isoformat()


async def newest_by_key(session: AsyncSession, keys: Collection[str]) -> dict[str, InboxIncident]:
    """The newest row of each key, locked in one order."""
    query = (
        select(InboxIncident)
        .where(InboxIncident.dedup_key.in_(keys))
        .order_by(InboxIncident.received_at, InboxIncident.incident_id)
        .with_for_update()
    )
    return {row.dedup_key: row for row in await session.scalars(query)}
