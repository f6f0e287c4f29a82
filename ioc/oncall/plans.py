"""The plan in force while the service runs: a file that breaks or vanishes leaves the last good one, said loudly."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from ioc.clock import Clock
from ioc.errors import ConfigurationError
from ioc.oncall.alerts import own_incident
from ioc.oncall.kinds import CONFIG_BROKEN
from ioc.oncall.lifecycle import SYSTEM, Clear
from ioc.oncall.rosters import check_roster
from ioc.oncall.store import Store
from ioc.oncall_plan import Plan

__all__ = ["PlanKeeper", "checked", "say_trouble"]

logger = logging.getLogger(__name__)

LOOK_AHEAD = timedelta(days=30)


def checked(plan: Plan, clock: Clock) -> Plan:
    """Returns `plan`; raises ConfigurationError where a calendar of it can't be understood for the next 30 days."""
    now = clock()
    for roster in plan.rosters.values():
        check_roster(roster, plan.people, now, now + LOOK_AHEAD)
    return plan


class PlanKeeper:
    """Call it for the plan in force. `trouble` says why the newest file is not that plan, "" while it is."""

    def __init__(self, first: Plan, *, load: Callable[[], Plan] | None = None, clock: Clock, trouble: str = "") -> None:
        self.trouble = trouble
        self._plan = first
        self._load = load
        self._clock = clock

    def __call__(self) -> Plan:
        return self._plan

    async def refresh(self) -> bool:
        """Reads the files again, in a thread; whether anything is otherwise now: the plan, or the trouble with it."""
        if self._load is None:
            return False
        plan, trouble = self._plan, ""
        try:
            plan = checked(await asyncio.to_thread(self._load), self._clock)
        except ConfigurationError as error:
            trouble = str(error)
        except Exception as error:  # the boundary: whatever a broken file makes a parser raise
            trouble = f"{type(error).__name__}: {error}"
        if (plan, trouble) == (self._plan, self.trouble):
            return False
        if trouble:
            logger.error("the last good on-call plan goes on: %s", trouble)
        else:
            logger.info("a changed on-call plan is in force")
        self._plan, self.trouble = plan, trouble
        return True


async def say_trouble(store: Store, keeper: PlanKeeper, now: datetime) -> bool:
    """Opens the incident of a broken plan, or resolves it once the plan is whole; whether people are told."""
    plan, known = keeper(), await store.incident(CONFIG_BROKEN)
    is_live = known is not None and known.row.life.is_live
    if not keeper.trouble:
        if is_live:
            await store.act(CONFIG_BROKEN, Clear(), SYSTEM, plan, now)
        return False
    text = keeper.trouble[:1000]
    is_known = known is not None and known.row.payload["extra"].get("description_en") == text
    if is_live or (known is not None and is_known and known.row.life.closed_by != SYSTEM.actor_id):
        return False  # they know; whoever closed it has decided to live with it
    revision = 1 if known is None else int(known.row.payload["revision"]) + 1
    incident = own_incident(
        incident_id=CONFIG_BROKEN,
        kind=CONFIG_BROKEN,
        severity="warning",
        title_vi="Tệp trực ban hỏng; bản tốt gần nhất vẫn được dùng",
        title_en="The on-call file is broken; the last good one goes on",
        began_at=now,
        seen_at=now,
        revision=revision,
        extra={"description_vi": text, "description_en": text},
    )
    again = replace(plan, reopen_after=timedelta())
    return await store.take([incident], again, now, source="own") == ["store_and_alert"]
