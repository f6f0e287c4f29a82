from contextlib import aclosing

import pytest

from ioc.capture.pacing import Pacer, Slot
from ioc.errors import ConfigurationError
from tests.unit.capture.timekeeping import FakeTime


async def take(
    time: FakeTime, pacer: Pacer, number: int, *, lanes: int = 1, busy_s: dict[int, float] | None = None
) -> list[tuple[float, Slot]]:
    """(time, slot) of the first `number` slots; after the nth, the sink is busy for busy_s[n]."""
    seen: list[tuple[float, Slot]] = []
    async with aclosing(pacer.slots(lanes)) as slots:
        async for slot in slots:
            seen.append((round(time.now_s, 6), slot))
            if len(seen) == number:
                break
            time.now_s += (busy_s or {}).get(len(seen) - 1, 0.0)
    return seen


async def test_each_slot_is_due_at_its_multiple_of_the_period() -> None:
    time = FakeTime()
    assert [at for at, _ in await take(time, time.pacer(fps=4), 5)] == [0, 0.25, 0.5, 0.75, 1.0]


async def test_oversleeping_does_not_add_up() -> None:
    time = FakeTime(oversleep_s=0.01)
    seen = await take(time, time.pacer(fps=10), 1001)
    assert seen[-1][0] == pytest.approx(100.01)
    assert not any(slot.is_missed for _, slot in seen)


async def test_all_lanes_advance_together() -> None:
    time = FakeTime()
    seen = await take(time, time.pacer(fps=2), 9, lanes=3)
    assert [slot.lane for _, slot in seen] == [0, 1, 2] * 3
    assert [slot.step for _, slot in seen] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [at for at, slot in seen if slot.lane == 0] == [0, 0.5, 1.0]


async def test_a_busy_sink_misses_what_its_lane_has_newer_and_is_then_on_time_again() -> None:
    time = FakeTime()
    seen = await take(time, time.pacer(fps=1), 7, busy_s={0: 3.5})
    assert [slot.step for _, slot in seen if slot.is_missed] == [1, 2]
    assert seen[3] == (3.5, Slot(lane=0, step=3, is_missed=False))
    assert seen[4] == (4.0, Slot(lane=0, step=4, is_missed=False))


async def test_missing_is_fair_among_lanes() -> None:
    time = FakeTime()
    seen = await take(time, time.pacer(fps=1), 40, lanes=4, busy_s=dict.fromkeys(range(40), 0.0) | {3: 5.0})
    missed = [sum(slot.is_missed for _, slot in seen if slot.lane == lane) for lane in range(4)]
    assert max(missed) - min(missed) <= 1
    assert sum(missed) > 0


async def test_a_replay_misses_nothing_however_late() -> None:
    time = FakeTime()
    seen = await take(time, time.pacer(fps=1, is_every_frame=True), 50, busy_s={0: 100.0})
    assert not any(slot.is_missed for _, slot in seen)
    assert [slot.step for _, slot in seen] == list(range(50))


async def test_a_constant_slow_sink_gets_as_many_as_it_can_take() -> None:
    time = FakeTime()
    delivered = 0
    async with aclosing(time.pacer(fps=10).slots()) as slots:
        async for slot in slots:
            if time.now_s >= 60:
                break
            if not slot.is_missed:
                delivered += 1
                time.now_s += 0.5
    assert delivered == pytest.approx(120, abs=2)


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf"), 1001.0])
def test_a_rate_out_of_range_is_a_sentence(fps: float) -> None:
    with pytest.raises(ConfigurationError, match="--fps"):
        Pacer(fps=fps)
