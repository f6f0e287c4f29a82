"""The on-call database: every method is one transaction. Errors of the database come out as SQLAlchemy's."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from ioc.incidents import Incident
from ioc.oncall.alerts import Alert, dedup_key
from ioc.oncall.database import open_engine, sqlite_url, writing
from ioc.oncall.intake import Decision
from ioc.oncall.lifecycle import SYSTEM, Actor, Assign, Command, Expire, Refusal, Tick
from ioc.oncall.models import PENDING, InboxIncident, OutboxEntry, ServiceMark, ShiftNote, TickEntry, TimerEntry
from ioc.oncall.outcomes import OutboxRow, Outcome
from ioc.oncall.store_changes import Changes, life_of, new_row
from ioc.oncall.store_intake import newest_by_key, see, take_alert, update
from ioc.oncall.store_outbox import outbox_row, read_waiting, write_outcomes
from ioc.oncall.store_reading import (
    InboxFilter,
    InboxPage,
    InboxRow,
    IncidentView,
    Tally,
    inbox_row,
    read_failures,
    read_inbox,
    read_incident,
    read_newest,
    read_tally,
)
from ioc.oncall_plan import Plan

__all__ = ["Acted", "DueTimer", "InboxRow", "ShiftLine", "Store", "Tally", "open_store", "sqlite_url"]

TIMER_LEASE = timedelta(seconds=30)  # a process that died is stood in for after this long


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """How the incident stands after a command. `is_news`: it changed something; `is_calling`: notices were queued."""

    row: InboxRow
    is_news: bool
    is_calling: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DueTimer:
    """A timer that this process alone may fire until its lease ends."""

    timer_id: int
    incident_id: str
    kind: str
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftLine:
    """A line of the handover log."""

    at: datetime
    actor_id: str
    actor_name: str
    roster: str
    text: str
    note_id: int = 0
    kind: str = "note"


async def open_store(url: str) -> "Store":
    """Returns the store at a SQLAlchemy URL (sqlite+aiosqlite or postgresql+asyncpg), its tables made or upgraded.

    Raises:
        ConfigurationError: the database can't be opened or written, or a newer program wrote it.
    """
    return Store(await open_engine(url))


class Store:
    """Inbox, timers, audit and outbox. `plan` is an argument wherever it decides: it may change while we run."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._writing = writing(engine)

    @property
    def engine(self) -> AsyncEngine:
        """For tables that this class knows nothing of (accounts, sessions); `database.writing` for transactions that
        write."""
        return self._engine

    async def close(self) -> None:
        await self._engine.dispose()

    async def probe_write(self, at: datetime) -> None:
        """Writes a mark; raises what the database raises when it can't."""
        await self.set_mark("probe", at.isoformat())

    async def mark(self, name: str) -> str | None:
        """A small fact that must outlive a restart, as `set_mark` wrote it."""
        async with AsyncSession(self._engine) as session:
            found = await session.get(ServiceMark, name)
            return found.value if found is not None else None

    async def set_mark(self, name: str, value: str) -> None:
        async with AsyncSession(self._writing) as session, session.begin():
            await session.merge(ServiceMark(name=name, value=value))

    # ---- what comes in -----------------------------------------------------------------------------------------------

    async def take(
        self, incidents: Sequence[Incident], plan: Plan, now: datetime, *, source: str = "camera"
    ) -> list[Decision]:
        """Brings the inbox up to date and queues what must be told; returns what was decided for each.

        A revision that is known or older changes nothing. "store_and_alert": people are told, of a first opening or of
        one again after it was resolved. "store": kept, and perhaps held back (maintenance, quiet hours, …).
        """
        async with AsyncSession(self._writing, autoflush=False) as session, session.begin():
            rows = await _locked(session, {incident.incident_id for incident in incidents})
            changes = Changes(session, plan, now)
            decisions: list[Decision] = []
            for incident in incidents:
                row = rows.get(incident.incident_id)
                if row is not None and incident.revision <= row.revision:
                    decisions.append("ignore")
                    continue
                before = changes.notices
                if row is None:
                    row = new_row(incident, source=source, dedup_key=incident.incident_id, now=now)
                    rows[row.incident_id] = row
                    session.add(row)
                    await see(changes, row, incident, plan)
                else:
                    await update(changes, row, incident, plan, now)
                decisions.append("store_and_alert" if changes.notices > before else "store")
            await changes.write()
            return decisions

    async def take_alerts(self, alerts: Sequence[Alert], plan: Plan, now: datetime) -> list[Decision]:
        """Takes a post of Alertmanager; the same post again changes nothing. Returns what was decided for each alert.

        A firing alert opens the incident of its fingerprint, or opens it again; a new one where the old was closed a
        day ago. "resolved" resolves it, whoever has it; an alert that repeats what is resolved already is late.
        """
        async with AsyncSession(self._writing, autoflush=False) as session, session.begin():
            rows = await newest_by_key(session, {dedup_key(alert) for alert in alerts})
            changes = Changes(session, plan, now)
            decisions: list[Decision] = []
            for alert in alerts:
                before = changes.notices
                is_news = await take_alert(session, changes, rows, alert, plan, now)
                decisions.append("store_and_alert" if changes.notices > before else "store" if is_news else "ignore")
            await changes.write()
            return decisions

    async def act(self, incident_id: str, command: Command, actor: Actor, plan: Plan, now: datetime) -> Acted | Refusal:
        """One person's (or `SYSTEM`'s) command: life, audit, timers, notices and published actions together.

        Refusals: those of `lifecycle.apply`, and `unknown_incident`, `outside_scope`, `unknown_person`.
        """
        async with AsyncSession(self._writing, autoflush=False) as session, session.begin():
            row = (await _locked(session, {incident_id})).get(incident_id)
            if row is None:
                return Refusal(reason="unknown_incident", vi="Không có sự cố này.", en="there is no such incident")
            if row.unit and "*" not in actor.units and row.unit not in actor.units:
                return Refusal(
                    reason="outside_scope",
                    vi="Sự cố ở ngoài địa bàn được giao.",
                    en="the incident lies outside your units",
                )
            if isinstance(command, Assign) and command.person_id not in plan.people:
                return Refusal(
                    reason="unknown_person", vi="Không có người này trong oncall.yaml.", en="nobody of oncall.yaml"
                )
            if isinstance(command, Tick) and await self._is_ticked(session, incident_id, command):
                return Acted(row=inbox_row(row), is_news=False, is_calling=False)
            changes = Changes(session, plan, now)
            outcome = await changes.change(row, command, actor)
            if isinstance(outcome, Refusal):
                return outcome
            await changes.write()
            return Acted(row=inbox_row(row), is_news=outcome.is_news, is_calling=changes.notices > 0)

    # ---- timers ------------------------------------------------------------------------------------------------------

    async def claim_timers(self, now: datetime, limit: int, lease: timedelta = TIMER_LEASE) -> list[DueTimer]:
        """The timers due now, longest due first, for this process alone until the lease ends."""
        query = (
            select(TimerEntry)
            .where(TimerEntry.due_at <= now, (TimerEntry.leased_until.is_(None)) | (TimerEntry.leased_until <= now))
            .order_by(TimerEntry.due_at, TimerEntry.timer_id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        async with AsyncSession(self._writing) as session, session.begin():
            found = list(await session.scalars(query))
            for timer in found:
                timer.leased_until = now + lease
            return [
                DueTimer(timer_id=t.timer_id, incident_id=t.incident_id, kind=t.kind, due_at=t.due_at) for t in found
            ]

    async def next_timer_at(self) -> datetime | None:
        """When the next timer is due, leased ones when their lease ends."""
        free = select(func.min(TimerEntry.due_at)).where(TimerEntry.leased_until.is_(None))
        leased = select(func.min(TimerEntry.leased_until)).where(TimerEntry.leased_until.is_not(None))
        async with AsyncSession(self._engine) as session:
            found = [await session.scalar(query) for query in (free, leased)]
        return min((moment for moment in found if moment is not None), default=None)

    async def fire(self, timers: Sequence[DueTimer], plan: Plan, now: datetime) -> bool:
        """Does what claimed timers ask for, once, all or none; whether people are told. One that was changed meanwhile
        (an acknowledgement came first) is left alone."""
        async with AsyncSession(self._writing, autoflush=False) as session, session.begin():
            rows = await _locked(session, {timer.incident_id for timer in timers})
            ids = [timer.timer_id for timer in timers]
            found = await session.scalars(select(TimerEntry).where(TimerEntry.timer_id.in_(ids)).with_for_update())
            entries = {(entry.timer_id, entry.kind, entry.due_at): entry for entry in found}
            changes = Changes(session, plan, now)
            for timer in timers:
                entry = entries.get((timer.timer_id, timer.kind, timer.due_at))
                if entry is not None:
                    await session.delete(entry)
                    await self._fire(changes, rows[timer.incident_id], timer)
            await changes.write()
            return changes.notices > 0

    # ---- the outbox --------------------------------------------------------------------------------------------------

    async def due(self, channel: str, now: datetime, limit: int) -> list[OutboxRow]:
        """The entries of a channel to try now, longest waiting first."""
        query = (
            select(OutboxEntry)
            .where(OutboxEntry.channel == channel, OutboxEntry.status == PENDING, OutboxEntry.next_attempt_at <= now)
            .order_by(OutboxEntry.next_attempt_at, OutboxEntry.entry_id)
            .limit(limit)
        )
        async with AsyncSession(self._engine) as session:
            return [outbox_row(entry) for entry in await session.scalars(query)]

    async def waiting(self, channel: str, per_recipient: int) -> list[OutboxRow]:
        """The oldest pending entries of each recipient and address of a channel, due or not, in their order."""
        async with AsyncSession(self._engine) as session:
            return await read_waiting(session, channel, per_recipient)

    async def next_due_at(self, channel: str) -> datetime | None:
        query = select(func.min(OutboxEntry.next_attempt_at)).where(
            OutboxEntry.channel == channel, OutboxEntry.status == PENDING
        )
        async with AsyncSession(self._engine) as session:
            return await session.scalar(query)

    async def settle(self, outcomes: Sequence[Outcome], now: datetime) -> set[str]:
        """Writes down how tries ended and queues what follows from them (actions, the recipient's next address).

        Returns the idempotency keys of those that were the first notice of their incident that any channel took.
        An entry that another try has closed meanwhile is left alone.
        """
        async with AsyncSession(self._writing) as session, session.begin():
            return await write_outcomes(session, outcomes, now)

    # ---- reading -----------------------------------------------------------------------------------------------------

    async def inbox(self, wanted: InboxFilter, *, limit: int, offset: int = 0) -> InboxPage:
        """A page of the inbox with its counts."""
        async with AsyncSession(self._engine) as session:
            return await read_inbox(session, wanted, limit, offset)

    async def incident(self, incident_id: str) -> IncidentView | None:
        """An incident with its timeline; None where there is none."""
        async with AsyncSession(self._engine) as session:
            return await read_incident(session, incident_id)

    async def newest(self, *, limit: int, offset: int = 0) -> list[InboxRow]:
        """Incidents, the most recently begun first."""
        async with AsyncSession(self._engine) as session:
            return await read_newest(session, limit, offset)

    async def failures(self, *, limit: int) -> list[tuple[str, str, str]]:
        """(incident_id, channel, last error) of notices that will not be tried again, newest first."""
        async with AsyncSession(self._engine) as session:
            return await read_failures(session, limit)

    async def tally(self) -> Tally:
        async with AsyncSession(self._engine) as session:
            return await read_tally(session)

    # ---- the handover log --------------------------------------------------------------------------------------------

    async def hand_over(self, actor: Actor, text: str, now: datetime, *, roster: str = "", kind: str = "note") -> None:
        """Adds a line to the handover log."""
        who = {"actor_id": actor.actor_id, "actor_name": actor.name}
        async with AsyncSession(self._writing) as session, session.begin():
            session.add(ShiftNote(at=now, **who, roster=roster, kind=kind, text=text[:4000]))

    async def handovers(self, *, limit: int) -> list[ShiftLine]:
        """The newest lines first."""
        async with AsyncSession(self._engine) as session:
            query = select(ShiftNote).order_by(ShiftNote.note_id.desc()).limit(limit)
            return [
                ShiftLine(
                    at=note.at,
                    actor_id=note.actor_id,
                    actor_name=note.actor_name,
                    roster=note.roster,
                    text=note.text,
                    note_id=note.note_id,
                    kind=note.kind,
                )
                for note in await session.scalars(query)
            ]

    # ---- inside a transaction ----------------------------------------------------------------------------------------

    @staticmethod
    async def _fire(changes: Changes, row: InboxIncident, timer: DueTimer) -> None:
        life = life_of(row)
        match timer.kind:
            case "escalate" if life.is_calling:
                changes.escalate(row, timer.due_at)
            case "hold" if life.is_calling:
                await changes.call_people(row)
            case "snooze":
                await changes.change(row, Expire(), SYSTEM)

    @staticmethod
    async def _is_ticked(session: AsyncSession, incident_id: str, command: Tick) -> bool:
        found = await session.get(TickEntry, (incident_id, command.step))
        return (found.is_done if found is not None else False) == command.is_done


async def _locked(session: AsyncSession, ids: Collection[str]) -> dict[str, InboxIncident]:
    """The rows, locked in one order: two transactions never wait for each other."""
    query = (
        select(InboxIncident)
        .where(InboxIncident.incident_id.in_(ids))
        .order_by(InboxIncident.incident_id)
        .with_for_update()
    )
    return {row.incident_id: row for row in await session.scalars(query)}
