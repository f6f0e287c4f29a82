import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka.errors import MessageSizeTooLargeError

from ioc.errors import PermanentError, TransientError
from ioc.frames import decode_frame
from ioc.simulate.envelopes import SimulatedEvent
from ioc.simulate.province import ProvinceSimulator
from ioc.simulate.publishing import open_producer, publish_events, publish_scenes
from ioc.simulate.scenes import demo_scenes
from tests.unit.simulate.test_province import TYPES

START = datetime(2026, 11, 22, 5, 6, 7, tzinfo=UTC)


class _Sent:
    """Takes records into a list; the receipt of the one at `fails_at` is an error."""

    def __init__(self, fails_at: int | None = None, stop: asyncio.Event | None = None, stop_after: int = 0) -> None:
        self.records: list[tuple[str, bytes, bytes, list[tuple[str, bytes]]]] = []
        self._fails_at, self._stop, self._stop_after = fails_at, stop, stop_after

    async def send(self, topic: str, value: bytes, key: bytes, headers: list[tuple[str, bytes]]) -> Awaitable[object]:
        self.records.append((topic, value, key, headers))
        receipt: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        if len(self.records) - 1 == self._fails_at:
            receipt.set_exception(MessageSizeTooLargeError())
        else:
            receipt.set_result(None)
        if self._stop is not None and len(self.records) == self._stop_after:
            self._stop.set()
        return receipt


def _events(count: int) -> list[SimulatedEvent]:
    simulator = ProvinceSimulator(
        3, start=START, units=("24781", "24787"), cameras={"cam-01": "24781"}, event_types=TYPES
    )
    return list(simulator.live(rate_per_s=1000, count=count))


async def test_events_go_to_their_topics_in_order_with_their_keys() -> None:
    events, sink = _events(50), _Sent()
    kinds = await publish_events(events, sink, stop=asyncio.Event())
    assert kinds == {"fresh": 50}
    assert [(topic, key.decode()) for topic, _, key, _ in sink.records] == [(e.topic, e.key) for e in events]


async def test_paced_events_wait_for_their_moment_and_stop_ends_the_wait() -> None:
    stop = asyncio.Event()
    sink = _Sent(stop=stop, stop_after=3)
    simulator = ProvinceSimulator(3, start=START, units=("24781",), cameras={"cam-01": "24781"}, event_types=TYPES)
    began_s = asyncio.get_running_loop().time()
    kinds = await publish_events(simulator.live(rate_per_s=20), sink, stop=stop, paced_from=START)
    assert kinds.total() == len(sink.records) == 3
    assert 0.09 < asyncio.get_running_loop().time() - began_s < 2


async def test_refused_event_stops_the_stream_in_a_sentence() -> None:
    with pytest.raises(PermanentError, match="Kafka refused a simulated record: MessageSizeTooLargeError"):
        await publish_events(_events(5), _Sent(fails_at=2), stop=asyncio.Event())


async def test_frames_of_all_cameras_go_out_in_step() -> None:
    sink = _Sent()
    moments = iter(START + timedelta(seconds=n) for n in range(100))
    specs = demo_scenes(7, width=64, height=48)
    chosen = {camera_id: specs[camera_id] for camera_id in ("cam-01", "cam-04")}
    sent = await publish_scenes(
        chosen, sink, province="lam-dong", clock=lambda: next(moments), fps=50, stop=asyncio.Event(), frames=3
    )
    frames = [decode_frame(key, value, headers) for _, value, key, headers in sink.records]
    assert sent == 6
    assert [(frame.key, frame.sequence) for frame in frames] == [
        (f"{camera_id}:p0", index) for index in range(3) for camera_id in ("cam-01", "cam-04")
    ]
    assert [frame.captured_at for frame in frames] == [START + timedelta(seconds=n) for n in range(6)]
    assert {frame.source for frame in frames} == {"/lam-dong/camera"}


async def test_endless_scenes_end_when_stopped() -> None:
    stop = asyncio.Event()
    sink = _Sent(stop=stop, stop_after=4)
    spec = {"cam-03": demo_scenes(7, width=64, height=48)["cam-03"]}
    assert await publish_scenes(spec, sink, province="lam-dong", clock=lambda: START, fps=50, stop=stop) == 4


async def test_broker_that_is_not_there_is_named_with_what_to_do() -> None:
    with pytest.raises(TransientError, match=r"no Kafka answers at 127\.0\.0\.1:1; start one with: ioc broker"):
        async with open_producer("127.0.0.1:1", ("ioc.lgsp.calls",)):
            pass
