"""The loop that fires timers: a fault of one incident, and a wake while it waits."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from ioc.oncall.alerts import own_incident
from ioc.oncall.desk import Desk
from ioc.oncall.lifecycle import Acknowledge
from ioc.oncall.plans import PlanKeeper
from ioc.oncall.store import DueTimer, Store
from ioc.oncall.timers import TimerLoop
from ioc.oncall_plan import Plan
from tests.unit.oncall.making import NOW, MovingClock, incident, opened
from tests.unit.oncall.plans import OPERATOR, PLAN


class Faulty:
    """A store of which one incident can't be fired."""

    def __init__(self, store: Store, broken: str) -> None:
        self._store = store
        self._broken = broken

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def fire(self, timers: Sequence[DueTimer], plan: Plan, now: datetime) -> bool:
        if any(timer.incident_id == self._broken for timer in timers):
            raise ZeroDivisionError("a bug")
        return await self._store.fire(timers, plan, now)


async def test_fault_of_one_incident_stops_no_other_and_is_tried_again_after_its_lease(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = MovingClock()
    async with opened(tmp_path) as store:
        await store.take([incident(incident_id=name) for name in ("a", "b", "c")], PLAN, clock())
        clock.advance(minutes=2)
        faulty: object = Faulty(store, "b")
        assert await TimerLoop(faulty, plan=lambda: PLAN, clock=clock, on_told=lambda: None).fire_due() == 2  # type: ignore[arg-type]
        assert "the timer escalate of b failed" in caplog.text
        loop = TimerLoop(store, plan=lambda: PLAN, clock=clock, on_told=lambda: None)
        assert await loop.fire_due() == 0
        clock.advance(seconds=31)
        assert await loop.fire_due() == 1


async def test_desk_wakes_delivery_and_those_who_wait_for_news(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    woken: list[int] = []
    async with opened(tmp_path) as store:
        desk = Desk(store, PlanKeeper(PLAN, clock=MovingClock()), clock=MovingClock(), wake=lambda: woken.append(1))
        waiting = asyncio.create_task(desk.wait_change(0, 5.0))
        raised = own_incident(
            incident_id="canary",
            kind="canary_silent",
            severity="critical",
            title_vi="Chuỗi cảnh báo im lặng",
            title_en="The alert chain is silent",
            began_at=NOW - timedelta(minutes=3),
            seen_at=NOW,
        )
        assert await desk.take([raised]) == ["store_and_alert"]
        assert await waiting == 1
        assert await desk.take([raised]) == ["ignore"]
        await desk.act("canary", Acknowledge(), OPERATOR)
        await desk.act("canary", Acknowledge(), OPERATOR)
        assert (desk.version, len(woken)) == (2, 2)
        assert await desk.wait_change(2, 0.001) == 2
