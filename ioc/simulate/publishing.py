"""Simulated events and frames onto Kafka, at their own pace."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from ioc.adapters.kafka_access import kafka_arguments
from ioc.clock import Clock
from ioc.errors import PermanentError, TransientError
from ioc.frames import FRAMES_TOPIC, INLINE_LIMIT_BYTES, Frame, encode_frame, sha256_hex
from ioc.simulate.envelopes import SimulatedEvent, WireRecord, encode_binary
from ioc.simulate.export import render_within_limit
from ioc.simulate.scenes import DEMO_POSE, Scene, SceneSpec

__all__ = ["RecordSink", "open_producer", "publish_events", "publish_scenes"]

logger = logging.getLogger(__name__)

_START_TIMEOUT_S = 15.0  # an address that swallows packets would hang for 40
_MAX_UNACKNOWLEDGED = 1000
_LINGER_MS = 5


class RecordSink(Protocol):
    """What the publishers need of a producer; aiokafka's has it, and so has a test's list."""

    async def send(
        self, topic: str, value: bytes, key: bytes, headers: list[tuple[str, bytes]]
    ) -> Awaitable[object]: ...


@asynccontextmanager
async def open_producer(broker: str, topics: Collection[str]) -> AsyncIterator[RecordSink]:
    """Yields a started idempotent producer (murmur2 over the key, aiokafka's own partitioner) and stops it at the end.

    Raises:
        TransientError: nothing answers at `broker`.
        PermanentError: one of `topics` does not exist.
    """
    producer = AIOKafkaProducer(
        **kafka_arguments(broker),
        client_id="ioc-simulate",
        acks="all",
        enable_idempotence=True,
        linger_ms=_LINGER_MS,
        max_request_size=4 * INLINE_LIMIT_BYTES,
    )
    try:
        await asyncio.wait_for(producer.start(), _START_TIMEOUT_S)
        metadata = await producer.client.fetch_all_metadata()
    except (KafkaError, OSError, TimeoutError, ValueError) as error:
        await producer.stop()
        raise TransientError(
            f"no Kafka answers at {broker}; start one with: ioc broker, or set IOC_BROKER to a running one"
        ) from error
    try:
        missing = sorted(topic for topic in topics if not metadata.partitions_for_topic(topic))
        if missing:
            raise PermanentError(
                f"Kafka at {broker} has no topic {missing[0]}; create the topics with: ioc topics apply"
            )
        yield producer
    finally:
        await producer.stop()


async def publish_events(
    events: Iterable[SimulatedEvent],
    sink: RecordSink,
    *,
    stop: asyncio.Event,
    paced_from: datetime | None = None,
    encode: Callable[[SimulatedEvent], WireRecord] = encode_binary,
    on_sent: Callable[[], None] = lambda: None,
) -> Counter[str]:
    """Sends `events` in order until they end or `stop` is set; returns how many of each kind were acknowledged.

    With `paced_from` an event waits until as much time has passed since the call as lies between it and the event's
    `at`; without it they go as fast as Kafka takes them. A stream that falls behind is not thinned out.

    Raises:
        PermanentError: Kafka refused an event.
    """
    began_s = time.monotonic()
    kinds: Counter[str] = Counter()
    waiting: list[Awaitable[object]] = []
    for event in events:
        if paced_from is not None:
            delay_s = (event.at - paced_from).total_seconds() - (time.monotonic() - began_s)
            if delay_s > 0.005:
                await _wait(stop, delay_s)
        if stop.is_set():
            break
        key, value, headers = encode(event)
        waiting.append(await sink.send(event.topic, value=value, key=key, headers=headers))
        kinds[event.kind] += 1
        on_sent()
        if len(waiting) >= _MAX_UNACKNOWLEDGED:
            await _acknowledged(waiting)
            await asyncio.sleep(0)  # let the others of this process in, also where the sink never waits
    await _acknowledged(waiting)
    return kinds


async def publish_scenes(
    specs: Mapping[str, SceneSpec],
    sink: RecordSink,
    *,
    province: str,
    clock: Clock,
    fps: float,
    stop: asyncio.Event,
    frames: int | None = None,
    on_sent: Callable[[], None] = lambda: None,
) -> int:
    """Renders and sends `frames` pictures of each camera at `fps` each, all cameras in step; returns how many in all.

    Endless without `frames`, until `stop` is set. `captured_at` is the clock's time when a picture was rendered. When
    rendering can't keep up, pictures come later, and none is left out.

    Raises:
        PermanentError: a frame is over 256 KiB, or Kafka refused it.
    """
    scenes = {camera_id: await asyncio.to_thread(Scene, spec) for camera_id, spec in specs.items()}
    began_s = time.monotonic()
    sent, index = 0, 0
    while not stop.is_set() and (frames is None or index < frames):
        waiting: list[Awaitable[object]] = []
        for camera_id, scene in scenes.items():
            jpeg = await asyncio.to_thread(render_within_limit, scene, index, camera_id)
            frame = Frame(
                camera_id=camera_id,
                pose_id=DEMO_POSE,
                sequence=index,
                captured_at=clock(),
                sha256=sha256_hex(jpeg),
                jpeg=jpeg,
            )
            key, value, headers = encode_frame(frame, province=province)
            waiting.append(await sink.send(FRAMES_TOPIC, value=value, key=key, headers=headers))
            on_sent()
        await _acknowledged(waiting)
        sent += len(scenes)
        index += 1
        delay_s = index / fps - (time.monotonic() - began_s)
        if delay_s > 0:
            await _wait(stop, delay_s)
    return sent


async def _acknowledged(waiting: list[Awaitable[object]]) -> None:
    try:
        for receipt in waiting:
            await receipt
    except KafkaError as error:
        raise PermanentError(f"Kafka refused a simulated record: {type(error).__name__}: {error}") from error
    finally:
        waiting.clear()


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
