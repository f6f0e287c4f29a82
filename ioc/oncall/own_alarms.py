"""Incidents that on-call raises by itself, without Kafka: something is wrong, or it is over."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ioc.incidents import Severity
from ioc.oncall.alerts import own_incident
from ioc.oncall.desk import Desk
from ioc.oncall.lifecycle import SYSTEM, Clear, Reopen
from ioc.oncall.store_reading import IncidentView

__all__ = ["OwnAlarm", "Trouble"]

_TOLD = "told"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What is wrong, since when, in both languages."""

    title_vi: str
    title_en: str
    text_vi: str
    text_en: str
    since: datetime


class OwnAlarm:
    """One kind of trouble, as one incident that opens again each time. Its id is its kind: two on-call processes that
    see the same trouble open one incident. What a person closes stays closed until the trouble has been over, also
    where on-call is restarted meanwhile: the database knows what was told."""

    def __init__(self, kind: str, *, severity: Severity, runbook: str, desk: Desk) -> None:
        self._kind = kind
        self._severity = severity
        self._runbook = runbook
        self._desk = desk
        self._mark = f"told-{kind}"
        self._marked: bool | None = None  # as this process last wrote it

    async def say(self, trouble: Trouble | None) -> None:
        """Opens the incident, tells what has changed in it, or resolves it. Raises what the database raises."""
        known = await self._desk.store.incident(self._kind)
        is_live = known is not None and known.row.life.is_live
        if trouble is None:
            if is_live:
                await self._desk.act(self._kind, Clear(), SYSTEM)
            await self._note(is_told=False)
            return
        is_same = known is not None and known.row.payload["extra"].get("description_en") == trouble.text_en
        is_closed = known is not None and not is_live and await self._desk.store.mark(self._mark) == _TOLD
        if not ((is_live and is_same) or is_closed):
            await self._open(trouble, known)
        await self._note(is_told=True)

    async def _note(self, *, is_told: bool) -> None:
        if self._marked is not is_told:
            await self._desk.store.set_mark(self._mark, _TOLD if is_told else "")
            self._marked = is_told

    async def _open(self, trouble: Trouble, known: IncidentView | None) -> None:
        now = self._desk.now()
        incident = own_incident(
            incident_id=self._kind,
            kind=self._kind,
            severity=self._severity,
            title_vi=trouble.title_vi,
            title_en=trouble.title_en,
            began_at=trouble.since,
            seen_at=max(now, trouble.since),
            revision=1 if known is None else int(known.row.payload["revision"]) + 1,
            runbook=self._runbook,
            extra={"description_vi": trouble.text_vi[:1000], "description_en": trouble.text_en[:1000]},
        )
        # Not smoke that lingers: what is broken again a minute after it was whole is news.
        plan = replace(self._desk.keeper(), reopen_after=timedelta())
        await self._desk.store.take([incident], plan, now, source="own")
        # A person's "nothing to do" was about the trouble before this one.
        if known is not None and known.row.life.state == "dismissed":
            await self._desk.act(self._kind, Reopen(), SYSTEM)
        self._desk.changed()
