"""The one way into on-call for every door: pages, links, channels, the Alertmanager hook, drills.

It takes the time and the plan in force from one place, and wakes who must go on: delivery, timers, live pages.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

from ioc.clock import Clock
from ioc.incidents import Incident
from ioc.oncall.alerts import Alert
from ioc.oncall.intake import Decision
from ioc.oncall.lifecycle import Actor, Command, Refusal
from ioc.oncall.plans import PlanKeeper
from ioc.oncall.store import Acted, Store

__all__ = ["Desk"]


class Desk:
    """Acts on the store for the doors. `wake` is called when something was queued or a timer may have been set."""

    def __init__(self, store: Store, keeper: PlanKeeper, *, clock: Clock, wake: Callable[[], None]) -> None:
        self.store = store
        self.keeper = keeper
        self.clock = clock
        self._wake = wake
        self._version = 0
        self._changed = asyncio.Event()

    @property
    def version(self) -> int:
        """Grows with every change that this process makes; another process's shows in the database only."""
        return self._version

    def now(self) -> datetime:
        return self.clock()

    async def act(self, incident_id: str, command: Command, actor: Actor) -> Acted | Refusal:
        """`Store.act` now, under the plan in force."""
        outcome = await self.store.act(incident_id, command, actor, self.keeper(), self.clock())
        if isinstance(outcome, Acted) and outcome.is_news:
            self.changed()
        return outcome

    async def take(self, incidents: Sequence[Incident], *, source: str = "own") -> list[Decision]:
        """`Store.take` now: incidents that a part of ours raises (`alerts.own_incident` makes one)."""
        decisions = await self.store.take(incidents, self.keeper(), self.clock(), source=source)
        if any(decision != "ignore" for decision in decisions):
            self.changed()
        return decisions

    async def take_alerts(self, alerts: Sequence[Alert]) -> list[Decision]:
        """`Store.take_alerts` now (`alerts.alerts_of` reads a post)."""
        decisions = await self.store.take_alerts(alerts, self.keeper(), self.clock())
        if any(decision != "ignore" for decision in decisions):
            self.changed()
        return decisions

    def changed(self) -> None:
        """Says that the inbox changed: wakes delivery, timers and whoever waits in `wait_change`."""
        self._version += 1
        self._wake()
        waiting, self._changed = self._changed, asyncio.Event()
        waiting.set()

    async def wait_change(self, seen: int, timeout_s: float) -> int:
        """Returns the version once it differs from `seen`, or after `timeout_s` as it is."""
        if self._version == seen:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), timeout_s)
        return self._version
