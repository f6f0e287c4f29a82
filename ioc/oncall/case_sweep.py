"""Stills of incidents that are over are let go when their time has come: once a day, in a thread of its own.

On-call does it because it alone knows what people found an incident to be and when it was closed. An incident that is
open or acknowledged keeps everything, and so does one that on-call does not know. A candidate that never became an
incident is over when it was last seen, and its stills go like those that belong to nothing.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar, cast

from prometheus_client import CollectorRegistry, Counter, Gauge
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from ioc.adapters.case_stills import CaseStills, Swept
from ioc.clock import Clock
from ioc.errors import TransientError
from ioc.evidence.retention import Retention, Verdict
from ioc.oncall.delivery_turns import Turn
from ioc.oncall.models import InboxIncident
from ioc.oncall.store import Store

__all__ = ["CaseSweeper", "Standing", "SweepMetrics", "over_at", "standings", "sweep_once"]

logger = logging.getLogger(__name__)

EVERY = timedelta(days=1)
LOOK_EVERY_S = 600.0  # a clock that jumped, a turn that came to us, a store that was away
_MARK = "evidence_sweep"
_CHUNK = 500
_CLOSED = ("resolved", "dismissed")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an incident stands: its state, what people found it to be ("" where nobody said), and its last change."""

    incident_id: str
    state: str
    verdict: Verdict
    last_at: datetime

    def keep_until(self, retention: Retention) -> datetime | None:
        """Until when its stills are kept; None while it is open or acknowledged."""
        if self.state in _CLOSED:
            return retention.keep_until(self.verdict, self.last_at)
        return self.last_at + timedelta(days=retention.loose_days) if self.state == "candidate" else None


class SweepMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.cases = Counter("ioc_evidence_swept_cases", "Incidents whose stills were let go", registry=registry)
        self.stills = Counter("ioc_evidence_swept_stills", "Stills that were let go", registry=registry)
        self.bytes = Counter("ioc_evidence_swept_bytes", "Bytes of stills that were let go", registry=registry)
        self.failed = Counter("ioc_evidence_sweeps_failed", "Sweeps that could not be ended", registry=registry)
        self.last = Gauge("ioc_evidence_last_sweep_seconds", "Time of the last sweep that was ended", registry=registry)

    def show(self, swept: Swept, at: datetime) -> None:
        self.cases.inc(swept.cases)
        self.stills.inc(swept.stills)
        self.bytes.inc(swept.size_bytes)
        self.last.set(at.timestamp())


async def standings(engine: AsyncEngine, incident_ids: Iterable[str]) -> dict[str, Standing]:
    """Returns how those incidents stand that on-call knows."""
    row = InboxIncident
    columns = (row.incident_id, row.state, row.verdict, row.closed_at, row.changed_at, row.last_seen_at)
    ids, found = sorted(incident_ids), {}
    async with AsyncSession(engine) as session:
        for first in range(0, len(ids), _CHUNK):
            query = select(*columns).where(row.incident_id.in_(ids[first : first + _CHUNK]))
            for incident_id, state, verdict, closed_at, changed_at, seen_at in await session.execute(query):
                last_at = seen_at if state == "candidate" else closed_at or changed_at
                found[incident_id] = Standing(
                    incident_id=incident_id, state=state, verdict=cast(Verdict, verdict or ""), last_at=last_at
                )
    return found


def over_at(known: Iterable[Standing], retention: Retention, now: datetime) -> tuple[str, ...]:
    """Returns the incidents whose stills need not be kept at `now`."""
    ends = ((one.incident_id, one.keep_until(retention)) for one in known)
    return tuple(incident_id for incident_id, until in ends if until is not None and until < now)


async def sweep_once(
    store: Store, cases: CaseStills, retention: Retention, now: datetime, *, is_dry: bool = False
) -> Swept:
    """Lets go what is over at `now`; returns what that was.

    Raises:
        TransientError: the evidence store is away. SQLAlchemyError, OSError: the database is.
    """
    known = await standings(store.engine, await _in_own_thread(cases.incidents))
    gone = over_at(known.values(), retention, now)
    named = await _named(store.engine, set(gone))
    loose, passing = timedelta(days=retention.loose_days), timedelta(days=retention.passing_days)
    return await _in_own_thread(
        lambda: cases.sweep(gone, now=now, loose=loose, passing=passing, named=named, is_dry=is_dry)
    )


class CaseSweeper:
    """Sweeps once a day; `turn` says whether it is this service's to do."""

    def __init__(
        self,
        store: Store,
        cases: CaseStills,
        retention: Retention,
        *,
        turn: Turn,
        registry: CollectorRegistry,
        clock: Clock,
    ) -> None:
        self._store, self._cases, self._retention = store, cases, retention
        self._turn, self._metrics, self._clock = turn, SweepMetrics(registry), clock

    async def run(self) -> None:
        """Until cancelled. A trouble is told, and tried again."""
        while True:
            try:
                await self.sweep_if_due()
            except (SQLAlchemyError, OSError, TransientError) as error:
                self._metrics.failed.inc()
                logger.error("stills could not be swept: %s", getattr(error, "orig", error))
            await asyncio.sleep(LOOK_EVERY_S)

    async def sweep_if_due(self) -> Swept | None:
        """Sweeps where the last time was a day ago, or in the future; None where there is nothing to do yet."""
        now, last = self._clock(), await self._store.mark(_MARK)
        if last is not None and timedelta(0) <= now - datetime.fromisoformat(last) < EVERY:
            self._metrics.last.set(datetime.fromisoformat(last).timestamp())
            return None
        if not await self._turn():
            return None
        swept = await sweep_once(self._store, self._cases, self._retention, now)
        await self._store.set_mark(_MARK, now.isoformat())
        self._metrics.show(swept, now)
        if swept.cases or swept.stills:
            logger.info("swept: %d incidents, %d stills, %.1f MB", swept.cases, swept.stills, swept.size_bytes / 1e6)
        return swept


async def _named(engine: AsyncEngine, gone: set[str]) -> set[str]:
    """The stills that incidents themselves name: those stay also where the case was never written."""
    row, found = InboxIncident, set()
    columns = (row.incident_id, row.payload["evidence_sha256"], row.payload["sightings"])
    async with AsyncSession(engine) as session:
        last = ""
        while True:
            query = select(*columns).where(row.incident_id > last).order_by(row.incident_id).limit(_CHUNK)
            rows = (await session.execute(query)).all()
            for incident_id, sha256, sightings in rows:
                if incident_id not in gone:
                    found |= {sha256, *(one.get("evidence_sha256") for one in sightings or ())}
            if len(rows) < _CHUNK:
                return {sha256 for sha256 in found if sha256}
            last = rows[-1][0]


async def _in_own_thread(work: Callable[[], T]) -> T:
    """Runs what may take an hour so that nothing waits for it: neither a page nor the end of the service."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(cast(T, result))

    def run() -> None:
        result, trouble = None, None
        try:
            result = work()
        except Exception as error:
            trouble = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, trouble)

    threading.Thread(target=run, name="evidence sweep", daemon=True).start()
    return await future
