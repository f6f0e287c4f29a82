"""Statutory terms of building cases that have passed unmet: each is heard once, as an incident of its own.

The worker counts the terms and tells them with the case; only whether one is over depends on the clock, and on-call
looks at that. Who is on duty for the case's commune is called as for any incident; it ends when what was due is done.
"""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from ioc.building_case import BUILDING_KINDS
from ioc.case_terms import CaseTerm
from ioc.errors import InvalidRecord
from ioc.incidents import Incident
from ioc.oncall.alerts import own_incident
from ioc.oncall.desk import Desk
from ioc.oncall.intake import parse_payload
from ioc.oncall.kinds import TERM_OVERDUE
from ioc.oncall.lifecycle import SYSTEM, Clear
from ioc.oncall.models import InboxIncident

__all__ = ["OverdueWatch", "overdue_incident"]

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 300.0
MOST_AT_ONCE = 20  # of a look: a catalogue that has terms for the first time must not call for hundreds


@dataclass(frozen=True, slots=True)
class _Found:
    case: Incident
    term: CaseTerm

    @property
    def incident_id(self) -> str:
        return f"term-{self.term.name}-{self.case.incident_id}"[:200]


class OverdueWatch:
    """Looks every five minutes until cancelled. Two services may: the same term is the same incident."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def run(self) -> None:
        while True:
            try:
                await self.look()
            except (SQLAlchemyError, OSError) as error:
                logger.error("terms can't be looked at: %s", getattr(error, "orig", error))
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> int:
        """Opens an incident for each term that is over and was not told yet, and ends those of terms that no longer
        are; returns how many it opened."""
        now = self._desk.now()
        async with AsyncSession(self._desk.store.engine) as session:
            row = InboxIncident
            told = set(await session.scalars(select(row.incident_id).where(row.kind == TERM_OVERDUE)))
            live = select(row.incident_id).where(row.kind == TERM_OVERDUE, row.state.in_(("open", "acknowledged")))
            calling = set(await session.scalars(live))
            cases = select(row.payload).where(row.kind.in_(BUILDING_KINDS), row.is_exercise.is_(False))
            found = list(_overdue(await session.scalars(cases), now))
        news = [one for one in found if one.incident_id not in told]
        news = sorted(news, key=lambda one: one.term.due_at)[:MOST_AT_ONCE]
        if news:
            await self._desk.take([overdue_incident(one.case, one.term, now) for one in news])
        for over in sorted(calling - {one.incident_id for one in found}):
            await self._desk.act(over, Clear(), SYSTEM)
        return len(news)


def overdue_incident(case: Incident, term: CaseTerm, now: datetime) -> Incident:
    """What people are told of: which term of which case, since when, and where the law says so."""
    last_day = f"{term.last_day:%d/%m/%Y}"
    agency = case.case.agency if case.case is not None else ""
    return own_incident(
        incident_id=_Found(case, term).incident_id,
        kind=TERM_OVERDUE,
        severity="warning",
        title_vi=f"Quá hạn «{term.name_vi}»: {case.place_vi}",
        title_en=f"Overdue “{term.name_en}”: {case.place_en}",
        unit=case.admin_unit,
        began_at=term.due_at.astimezone(UTC),
        seen_at=max(now, term.due_at),
        runbook="/runbooks/term_overdue",
        extra={
            "description_vi": f"Hồ sơ {case.incident_id}: hạn cuối là ngày {last_day} ({term.basis}).",
            "description_en": f"Case {case.incident_id}: the last day was {last_day} ({term.basis}).",
            "agency": agency,
        },
    )


def _overdue(payloads: Iterable[dict[str, object]], now: datetime) -> Iterable[_Found]:
    for payload in payloads:
        told = payload.get("case")
        if not isinstance(told, dict) or not told.get("terms"):
            continue
        try:
            case = parse_payload(payload)
        except InvalidRecord as error:
            logger.warning("a case in the inbox can't be read: %s", error.en)
            continue
        terms = case.case.terms if case.case is not None else ()
        yield from (_Found(case, term) for term in terms if term.state(now) == "overdue")
