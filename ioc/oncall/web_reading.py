"""What the operators' pages ask the database. Nothing here writes; pages go on by key, never by OFFSET."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

from sqlalchemy import ColumnElement, and_, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from ioc.oncall.models import (
    AuditEntry,
    DeliveryAttempt,
    InboxIncident,
    OutboxEntry,
    ShiftNote,
    TimerEntry,
)
from ioc.oncall.outcomes import ACTIONS_CHANNEL
from ioc.oncall.store_changes import SNOOZE
from ioc.oncall.store_reading import LIVE, InboxRow, inbox_row

__all__ = ["TABS", "After", "Pulse", "ReceiptRow", "Tab", "Wanted", "WebReading"]

Tab = Literal["open", "acknowledged", "snoozed", "closed", "watching"]
TABS: tuple[Tab, ...] = get_args(Tab)
_LIVE_TABS: frozenset[Tab] = frozenset(("open", "acknowledged", "snoozed"))
_TAB_OF: Mapping[str, Tab] = {"candidate": "watching", "open": "open", "acknowledged": "acknowledged"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class After:
    """Where a page goes on: the key of the row before it. Live tabs: the gravest first; then the newest, then by id."""

    rank: int
    at: datetime
    incident_id: str

    @classmethod
    def of(cls, row: InboxRow, severity_ranks: Mapping[str, int]) -> "After":
        return cls(severity_ranks[row.severity], datetime.fromisoformat(row.payload["first_frame_at"]), row.incident_id)

    @classmethod
    def parse(cls, text: str) -> "After | None":
        """The inverse of `text`; None for what it never made."""
        rank, _, rest = text.partition("~")
        micros, _, incident_id = rest.partition("~")
        is_number = all(part.isascii() and part.isdecimal() and len(part) < 18 for part in (rank, micros))
        if not is_number or not 0 < len(incident_id) <= 200:
            return None
        return cls(int(rank), _EPOCH + timedelta(microseconds=int(micros)), incident_id)

    @property
    def text(self) -> str:
        return f"{self.rank}~{(self.at - _EPOCH) // timedelta(microseconds=1)}~{self.incident_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the inbox shows. "" asks for nothing; `mine` is an actor's id. `scope`: units that the reader may see, `*`
    for all; an incident of no unit is everybody's."""

    tab: Tab = "open"
    kind: str = ""
    severity: str = ""
    unit: str = ""
    mine: str = ""
    scope: tuple[str, ...] = ("*",)


@dataclass(frozen=True, slots=True, kw_only=True)
class TabPage:
    """`rows` in order; `after`: where the next page begins, None at the end."""

    rows: tuple[InboxRow, ...]
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """`counts` by tab with the filters applied (closed ones are years: they are not counted); what filters may be."""

    counts: Mapping[Tab, int]
    kinds: tuple[str, ...]
    units: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pulse:
    """Differs whenever something that pages show has changed, whoever changed it."""

    audit_id: int
    attempt_id: int
    entry_id: int
    note_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptRow:
    """The newest entry for one recipient on one channel."""

    channel: str
    recipient: str
    incident_id: str
    status: str
    created_at: datetime
    sent_at: datetime | None
    last_error: str


class WebReading:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def page(self, wanted: Wanted, *, limit: int, after: After | None = None) -> TabPage:
        row = InboxIncident
        chosen = and_(_of_tab(wanted.tab), in_scope(wanted.scope), *_filters(wanted))
        newest = (row.first_frame_at.desc(), row.incident_id)
        order = (row.severity_rank, *newest) if wanted.tab in _LIVE_TABS else newest
        if after is not None:
            chosen = and_(chosen, _follows(after, is_ranked=wanted.tab in _LIVE_TABS))
        # The page is found by narrow columns; only its own rows, with their payloads, are read.
        ids = select(row.incident_id).where(chosen).order_by(*order).limit(limit + 1)
        async with AsyncSession(self._engine) as session:
            found = list(await session.scalars(select(row).where(row.incident_id.in_(ids)).order_by(*order)))
        return TabPage(rows=tuple(inbox_row(one) for one in found[:limit]), has_more=len(found) > limit)

    async def choices(self, wanted: Wanted) -> Choices:
        row = InboxIncident
        group = (row.state, row.kind, row.unit, row.severity)
        conditions = [row.state.in_(("candidate", *LIVE)), in_scope(wanted.scope), *_mine(wanted)]
        query = select(*group, func.count()).where(*conditions).group_by(*group)
        snoozed = query.where(row.state.in_(LIVE), _snoozed())
        counts: dict[Tab, int] = dict.fromkeys((tab for tab in TABS if tab != "closed"), 0)
        kinds: set[str] = set()
        units: set[str] = set()
        async with AsyncSession(self._engine) as session:
            for state, kind, unit, severity, count in await session.execute(query):
                kinds.add(kind)
                units.add(unit)
                counts[_TAB_OF[state]] += count if _fits(wanted, kind, unit, severity) else 0
            for state, kind, unit, severity, count in await session.execute(snoozed):
                if _fits(wanted, kind, unit, severity):
                    counts[_TAB_OF[state]] -= count
                    counts["snoozed"] += count
        return Choices(counts=counts, kinds=tuple(sorted(kinds)), units=tuple(sorted(units)))

    async def newest_opening(self, scope: tuple[str, ...]) -> datetime | None:
        """When an incident that nobody has opened last: a later one is what pages ring for."""
        row = InboxIncident
        query = select(func.max(row.opened_at)).where(_of_tab("open"), in_scope(scope))
        async with AsyncSession(self._engine) as session:
            return await session.scalar(query)

    async def pulse(self) -> Pulse:
        query = select(
            *(
                select(func.max(column)).scalar_subquery()
                for column in (
                    AuditEntry.audit_id,
                    DeliveryAttempt.attempt_id,
                    OutboxEntry.entry_id,
                    ShiftNote.note_id,
                )
            )
        )
        async with AsyncSession(self._engine) as session:
            return Pulse(*(number or 0 for number in (await session.execute(query)).one()))

    async def last_take_over(self) -> int:
        """The number of the last taking over by hand, 0 before the first."""
        query = select(func.max(ShiftNote.note_id)).where(ShiftNote.kind == "take_over")
        async with AsyncSession(self._engine) as session:
            return await session.scalar(query) or 0

    async def live_of_kinds(self, kinds: tuple[str, ...]) -> list[InboxRow]:
        """The live incidents of these kinds, newest first, at most ten."""
        row = InboxIncident
        query = (
            select(row).where(row.state.in_(LIVE), row.kind.in_(kinds)).order_by(row.first_frame_at.desc()).limit(10)
        )
        async with AsyncSession(self._engine) as session:
            return [inbox_row(found) for found in await session.scalars(query)]

    async def receipts(self, *, newest: int = 2000) -> list[ReceiptRow]:
        """The last notice of every recipient and channel, of the `newest` entries."""
        entry = OutboxEntry
        ids = select(entry.entry_id).order_by(entry.entry_id.desc()).limit(newest).subquery()
        last = (
            select(func.max(entry.entry_id))
            .where(entry.entry_id.in_(select(ids.c.entry_id)), entry.channel != ACTIONS_CHANNEL)
            .group_by(entry.channel, entry.recipient, entry.address)
        )
        columns = (
            entry.channel,
            entry.recipient,
            entry.incident_id,
            entry.status,
            entry.created_at,
            entry.sent_at,
            entry.last_error,
        )
        query = select(*columns).where(entry.entry_id.in_(last)).order_by(entry.entry_id.desc())
        async with AsyncSession(self._engine) as session:
            return [ReceiptRow(**row) for row in (await session.execute(query)).mappings()]


def in_scope(scope: tuple[str, ...]) -> ColumnElement[bool]:
    if "*" in scope:
        return true()
    return or_(InboxIncident.unit.in_(scope), InboxIncident.unit == "")


def _snoozed() -> ColumnElement[bool]:
    """By the timers, which are few and narrow: `snoozed_until` would have ten thousand payloads read. The one is set
    and cleared with the other, in one transaction."""
    return InboxIncident.incident_id.in_(select(TimerEntry.incident_id).where(TimerEntry.kind == SNOOZE))


def _of_tab(tab: Tab) -> ColumnElement[bool]:
    row = InboxIncident
    match tab:
        case "open" | "acknowledged":
            return and_(row.state == tab, ~_snoozed())
        case "snoozed":
            return and_(row.state.in_(LIVE), _snoozed())
        case "closed":
            return row.state.in_(("resolved", "dismissed"))
        case "watching":
            return row.state == "candidate"


def _fits(wanted: Wanted, kind: str, unit: str, severity: str) -> bool:
    return wanted.kind in ("", kind) and wanted.unit in ("", unit or "-") and wanted.severity in ("", severity)


def _filters(wanted: Wanted) -> list[ColumnElement[bool]]:
    row = InboxIncident
    found = _mine(wanted)
    if wanted.kind:
        found.append(row.kind == wanted.kind)
    if wanted.severity:
        found.append(row.severity == wanted.severity)
    if wanted.unit:
        found.append(row.unit == ("" if wanted.unit == "-" else wanted.unit))
    return found


def _mine(wanted: Wanted) -> list[ColumnElement[bool]]:
    row = InboxIncident
    return [or_(row.owner == wanted.mine, row.assignee == wanted.mine)] if wanted.mine else []


def _follows(after: After, *, is_ranked: bool) -> ColumnElement[bool]:
    row = InboxIncident
    older = or_(
        row.first_frame_at < after.at, and_(row.first_frame_at == after.at, row.incident_id > after.incident_id)
    )
    return or_(row.severity_rank > after.rank, and_(row.severity_rank == after.rank, older)) if is_ranked else older
