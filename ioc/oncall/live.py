"""What open pages are told: that something changed, and how the service itself stands.

One loop looks for all of them: at once when this process changes something, every two seconds for what another process
did. A hundred pages cost one look.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from ioc.errors import IocError
from ioc.oncall.desk import Desk
from ioc.oncall.kinds import CONFIG_BROKEN, OWN_KINDS
from ioc.oncall.notices_lines import local_time, plain
from ioc.oncall.pages_words import WORDS
from ioc.oncall.shift import Duty, ShiftNow, duties, shift_now
from ioc.oncall.web_reading import Pulse, WebReading

__all__ = ["Live", "Status"]

logger = logging.getLogger(__name__)

LOOK_S = 2.0
MIN_GAP_S = 1.0  # in a burst pages are told once a second
STATUS_EVERY_S = 5.0
MAX_SCOPES = 200
Both = tuple[str, str]
Troubles = Callable[[], Awaitable[Mapping[str, str]]]
_SILENT_KINDS = tuple(kind for kind in OWN_KINDS if kind.endswith("_silent"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """`troubles`: sentences in both languages, the gravest first."""

    troubles: tuple[Both, ...]
    duties: tuple[Duty, ...]
    shift: ShiftNow


class Live:
    """`version` grows with everything that pages show. `run` must run; without it pages say that they are old."""

    def __init__(self, desk: Desk, reading: WebReading, readiness: Troubles) -> None:
        self._desk = desk
        self._reading = reading
        self._readiness = readiness
        self._pulse: tuple[int, Pulse] | None = None
        self._status: Status | None = None
        self._looked_at = -STATUS_EVERY_S
        self._changed = asyncio.Event()
        self._openings: dict[tuple[str, ...], tuple[int, asyncio.Future[datetime | None]]] = {}
        self.version = 0
        self.alive_at = desk.now()

    async def run(self) -> None:
        while True:
            seen = self._desk.version
            try:
                await self._look(seen)
                self.alive_at = self._desk.now()
            except (SQLAlchemyError, OSError, IocError) as error:
                logger.error("open pages are not told of changes: %s", getattr(error, "orig", error))
            await asyncio.sleep(MIN_GAP_S)
            await self._desk.wait_change(seen, LOOK_S - MIN_GAP_S)

    async def wait(self, seen: int, timeout_s: float) -> int:
        """Returns the version once it differs from `seen`, or after `timeout_s` as it is."""
        if self.version == seen:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), timeout_s)
        return self.version

    async def status(self) -> Status:
        """How the service stands; a few seconds old at most."""
        loop = asyncio.get_running_loop()
        if self._status is None or loop.time() - self._looked_at >= STATUS_EVERY_S:
            self._looked_at = loop.time()
            self._status = await self._read_status()
        return self._status

    async def newest_opening(self, scope: tuple[str, ...]) -> datetime | None:
        """`WebReading.newest_opening`, asked once for a version."""
        known = self._openings.get(scope)
        is_lost = known is None or (known[1].done() and (known[1].cancelled() or known[1].exception() is not None))
        if known is None or is_lost or known[0] != self.version:
            if len(self._openings) > MAX_SCOPES:
                self._openings.clear()
            known = (self.version, asyncio.ensure_future(self._reading.newest_opening(scope)))
            self._openings[scope] = known
        return await asyncio.shield(known[1])  # all open pages ask at once

    async def taken_over(self) -> None:
        """Somebody took over: it is another shift at once."""
        self._looked_at = -STATUS_EVERY_S
        self._tell()

    async def _look(self, desk_version: int) -> None:
        before, pulse, status = self._status, (desk_version, await self._reading.pulse()), await self.status()
        is_news = self._pulse is not None and pulse != self._pulse
        self._pulse = pulse
        if is_news or (before is not None and before != status):
            self._tell()

    def _tell(self) -> None:
        self.version += 1
        waiting, self._changed = self._changed, asyncio.Event()
        waiting.set()

    async def _read_status(self) -> Status:
        now, plan = self._desk.now(), self._desk.keeper()
        try:
            standing = duties(plan, now)
        except IocError as error:
            logger.error("the rosters can't be read: %s", error)
            standing = ()
        taken_over = await self._reading.last_take_over()
        return Status(
            troubles=(*await self._part_troubles(), *await self._own_troubles(), *_empty_rosters(standing)),
            duties=standing,
            shift=shift_now(standing, taken_over, now),
        )

    async def _part_troubles(self) -> list[Both]:
        found = await self._readiness()
        known = {name: why for name, why in found.items() if why and name in WORDS["vi"]}
        return [_both(name, why=why) for name, why in known.items()]

    async def _own_troubles(self) -> list[Both]:
        """What the service has raised about itself, as long as it lasts."""
        found: list[Both] = []
        trouble = self._desk.keeper.trouble
        if trouble:
            found.append(_both("config_broken", why=trouble[:300]))
        for row in await self._reading.live_of_kinds(tuple(kind for kind in _SILENT_KINDS if kind != CONFIG_BROKEN)):
            since = local_time(datetime.fromisoformat(row.payload["first_frame_at"]))
            vi, en = (plain(str(row.payload.get(name) or "")) for name in ("place_vi", "place_en"))
            found.append((f"{vi} (từ {since})", f"{en or vi} (since {since})"))
        return found


def _empty_rosters(standing: tuple[Duty, ...]) -> list[Both]:
    empty = ", ".join(duty.roster for duty in standing if not duty.people)
    return [_both("roster_empty", names=empty)] if empty else []


def _both(name: str, **values: str) -> Both:
    return WORDS["vi"][name].format(**values), WORDS["en"][name].format(**values)
