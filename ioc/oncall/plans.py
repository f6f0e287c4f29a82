"""The plan in force while the service runs: a file that breaks or vanishes leaves the last good one, said loudly."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

from ioc.clock import Clock
from ioc.errors import ConfigurationError
from ioc.oncall.rosters import check_roster
from ioc.oncall_plan import Plan

__all__ = ["PlanKeeper", "checked"]

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
