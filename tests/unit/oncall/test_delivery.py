import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy.exc import OperationalError

from ioc.errors import PermanentError, TransientError
from ioc.oncall.actions import action_record
from ioc.oncall.channels import Receipt, RetryLater
from ioc.oncall.metrics import OncallMetrics
from ioc.oncall.notices import Notice
from ioc.oncall.store import Store
from ioc.oncall_plan import duty_plan
from tests.unit.oncall.making import NOW, MovingClock, ScriptedChannel, incident, opened, outlet_of

PLAN = duty_plan(("scripted",), "duty")


async def test_channel_that_fails_three_times_gets_the_notice_once_under_one_key(tmp_path: Path) -> None:
    clock, channel = MovingClock(), ScriptedChannel(errors=[TransientError("HTTP 503")] * 3)
    async with opened(tmp_path) as store:
        await store.take([incident()], PLAN, clock())
        outlet = outlet_of(channel, store, clock)
        tries = []
        for _ in range(6):
            tries.append(await outlet.deliver_due())
            clock.advance(seconds=2)
        assert tries == [1, 1, 1, 1, 0, 0]
        assert len(channel.taken) == 1
        assert len(channel.keys) == 4
        assert len(set(channel.keys)) == 1
        assert (await store.tally()).notices == {("scripted", "sent"): 1}


async def test_notice_waits_for_its_pause(tmp_path: Path) -> None:
    clock, channel = MovingClock(), ScriptedChannel(errors=[TransientError("down")] * 2)
    async with opened(tmp_path) as store:
        await store.take([incident()], PLAN, clock())
        outlet = outlet_of(channel, store, clock)
        await outlet.deliver_due()
        assert await store.next_due_at("scripted") == NOW + timedelta(seconds=0.5)
        clock.advance(seconds=0.4)
        assert await outlet.deliver_due() == 0
        clock.advance(seconds=0.1)
        assert await outlet.deliver_due() == 1


async def test_crash_between_sent_and_marked_sends_again_under_the_same_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, channel = MovingClock(), ScriptedChannel()
    async with opened(tmp_path) as store:
        await store.take([incident()], PLAN, clock())

        async def crash(*_: object) -> set[str]:
            raise OperationalError("UPDATE", {}, Exception("disk I/O error"))

        with monkeypatch.context() as patch:
            patch.setattr(Store, "settle", crash)
            with pytest.raises(OperationalError):
                await outlet_of(channel, store, clock).deliver_due()
    async with opened(tmp_path) as store:
        assert (await store.tally()).alerts_delivered == 0
        await outlet_of(channel, store, clock).deliver_due()
        assert len(channel.taken) == 2
        assert len(set(channel.keys)) == 1
        assert channel.taken[0] == channel.taken[1]
        assert (await store.tally()).alerts_delivered == 1


async def test_permanent_failure_is_visible_and_not_tried_again(tmp_path: Path) -> None:
    clock, channel = MovingClock(), ScriptedChannel(errors=[PermanentError("HTTP 410")])
    registry = CollectorRegistry()
    async with opened(tmp_path) as store:
        await store.take([incident()], PLAN, clock())
        outlet = outlet_of(channel, store, clock, OncallMetrics(registry))
        await outlet.deliver_due()
        clock.advance(hours=1)
        assert await outlet.deliver_due() == 0
        assert await store.failures(limit=5) == [("smoke-0001", "scripted", "HTTP 410")]
        labels = {"channel": "scripted", "outcome": "failed"}
        assert registry.get_sample_value("ioc_oncall_notices_total", labels) == 1


async def test_trying_goes_on_for_a_day_and_then_ends_visibly(tmp_path: Path) -> None:
    clock, channel = MovingClock(), ScriptedChannel(errors=[TransientError("down")] * 3)
    async with opened(tmp_path) as store:
        await store.take([incident()], PLAN, clock())
        outlet = outlet_of(channel, store, clock)
        await outlet.deliver_due()
        clock.advance(hours=23, minutes=59)
        await outlet.deliver_due()
        assert (await store.tally()).notices == {("scripted", "pending"): 1}
        clock.advance(minutes=5)
        await outlet.deliver_due()
        assert (await store.tally()).notices == {("scripted", "failed"): 1}


async def test_receiver_may_name_a_longer_pause(tmp_path: Path) -> None:
    clock, channel = MovingClock(), ScriptedChannel(errors=[RetryLater("HTTP 429", after_s=30)])
    async with opened(tmp_path) as store:
        await store.take([incident()], PLAN, clock())
        await outlet_of(channel, store, clock).deliver_due()
        assert await store.next_due_at("scripted") == NOW + timedelta(seconds=30)


async def test_unforeseen_error_of_a_channel_is_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock, channel = MovingClock(), ScriptedChannel(errors=[ZeroDivisionError("a bug")])
    async with opened(tmp_path) as store:
        await store.take([incident()], PLAN, clock())
        outlet = outlet_of(channel, store, clock)
        await outlet.deliver_due()
        assert "unforeseen" in caplog.text
        clock.advance(seconds=1)
        await outlet.deliver_due()
        assert len(channel.taken) == 1


class HangingChannel(ScriptedChannel):
    """Hangs on the first incident until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()
        self.release = asyncio.Event()
        self.others = asyncio.Event()

    async def send(self, notice: Notice, *, idempotency_key: str) -> Receipt:
        if notice.incident.incident_id == "hangs":
            self.reached.set()
            await self.release.wait()
        receipt = await super().send(notice, idempotency_key=idempotency_key)
        if len(self.taken) == 30:
            self.others.set()
        return receipt


async def test_try_that_hangs_delays_no_other_and_a_new_one_starts_at_once(tmp_path: Path) -> None:
    clock, channel = MovingClock(), HangingChannel()
    async with opened(tmp_path) as store:
        await store.take([incident(incident_id="hangs")], PLAN, clock())
        outlet = outlet_of(channel, store, clock)
        delivering = asyncio.create_task(outlet.deliver_due())
        await store.take([incident(incident_id=f"i{n}") for n in range(30)], PLAN, clock())
        outlet.wake()
        await asyncio.wait_for(channel.others.wait(), 5)
        channel.release.set()
        assert await asyncio.wait_for(delivering, 5) == 31
        assert len(set(channel.keys)) == len(channel.keys) == 31


async def test_stop_leaves_what_was_in_flight_pending(tmp_path: Path) -> None:
    clock, channel = MovingClock(), HangingChannel()
    async with opened(tmp_path) as store:
        await store.take([incident(incident_id="hangs")], PLAN, clock())
        running = asyncio.create_task(outlet_of(channel, store, clock).run())
        await asyncio.wait_for(channel.reached.wait(), 5)
        running.cancel()
        await asyncio.wait({running})
        assert (await store.tally()).notices == {("scripted", "pending"): 1}


async def test_notice_taken_queues_its_action_and_counts_the_delay(tmp_path: Path) -> None:
    clock, channel, registry = MovingClock(), ScriptedChannel(), CollectorRegistry()
    async with opened(tmp_path) as store:
        await store.take([incident(), incident(incident_id="b")], PLAN, clock())
        await outlet_of(channel, store, clock, OncallMetrics(registry)).deliver_due()
        rows = await store.due("actions", clock(), 10)
        assert {row.incident_id for row in rows} == {"smoke-0001", "b"}
        key, _, headers = action_record(rows[0].payload, event_id=rows[0].idempotency_key, province="lam-dong")
        facts: dict[str, Any] = dict(headers)
        assert key == rows[0].incident_id.encode()
        assert facts["ce_id"] == f"{channel.keys[0]}_notified".encode()
        assert facts["ce_source"] == b"/lam-dong/incident"
        assert rows[0].payload == {
            "incident_id": "smoke-0001",
            "action": "notified",
            "at": NOW.isoformat(),
            "actor_role": "system",
            "channel": "scripted",
            "level": 1,
        }
        labels = {"stage": "first_frame_to_alert"}
        assert registry.get_sample_value("ioc_stage_seconds_sum", labels) == 180.0
        assert registry.get_sample_value("ioc_stage_seconds_count", labels) == 2
