"""Stills to `ioc.camera.frames`: checked, stored where large, sent with all replicas' word."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from ioc.adapters.evidence import EvidenceStore
from ioc.adapters.kafka_access import kafka_arguments
from ioc.capture.folders import FolderSource
from ioc.capture.pacing import Pacer
from ioc.capture.stills import CapturedStill, CaptureReport, Source, Tally
from ioc.clock import Clock
from ioc.errors import InvalidRecord, PermanentError, TransientError
from ioc.evidence.privacy import Privacy
from ioc.frames import FRAMES_TOPIC, INLINE_LIMIT_BYTES, Frame, encode_frame, inspect_jpeg, sha256_hex

__all__ = ["FramePublisher", "publish_folder", "run_capture"]

logger = logging.getLogger(__name__)

MAX_IN_FLIGHT = 16  # frames on their way: at most 4 MiB, and enough to keep one second's batch of a province moving
MAX_REQUEST_BYTES = 1024 * 1024  # an inline frame is at most INLINE_LIMIT_BYTES with some headers
LINGER_MS = 5
START_TIMEOUT_S = 15.0  # an address that swallows packets would hang for 40
DRAIN_TIMEOUT_S = 3.0  # stills are disposable, and a stop must be quick also when the broker has gone


class FramePublisher:
    """Sends stills to Kafka, at most `MAX_IN_FLIGHT` at a time: when the broker is slow, `publish` waits.

    An async context manager: leaving it waits some seconds for what is on its way; what is not acknowledged by
    then counts as failed.
    """

    def __init__(
        self,
        *,
        broker: str,
        province: str,
        evidence: EvidenceStore,
        tally: Tally,
        is_checked: bool = True,
        on_frame: Callable[[Frame], None] | None = None,
        privacy: Privacy | None = None,
    ) -> None:
        self._broker, self._province, self._evidence, self._tally = broker, province, evidence, tally
        self._is_checked, self._on_frame = is_checked, on_frame
        self._privacy = privacy or Privacy()
        self._room = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._pending: set[asyncio.Task[None]] = set()
        self._producer: AIOKafkaProducer | None = None

    async def __aenter__(self) -> Self:
        producer = AIOKafkaProducer(
            **kafka_arguments(self._broker),
            client_id="ioc-capture",
            acks="all",
            enable_idempotence=True,
            linger_ms=LINGER_MS,
            max_request_size=MAX_REQUEST_BYTES,
            max_batch_size=MAX_REQUEST_BYTES // 2,
        )
        try:
            await asyncio.wait_for(_start(producer), START_TIMEOUT_S)
        except (KafkaError, OSError, TimeoutError, ValueError) as error:
            await producer.stop()
            raise self._start_error(error) from error
        self._producer = producer
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pending:
            await asyncio.wait(self._pending, timeout=DRAIN_TIMEOUT_S)
        lost = list(self._pending)
        for task in lost:
            task.cancel()
        await asyncio.gather(*lost, return_exceptions=True)
        producer, self._producer = self._producer, None
        if producer is None:
            return
        if lost:
            # stop() would go on trying to deliver for as long as the broker is away.
            producer._sender.sender_task.cancel()
        try:
            await asyncio.wait_for(producer.stop(), DRAIN_TIMEOUT_S)
        except (KafkaError, TimeoutError):
            logger.warning("Kafka at %s did not take a clean goodbye", self._broker)

    @property
    def is_started(self) -> bool:
        return self._producer is not None

    async def tell(self, topic: str, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        """Sends a small event beside the frames; nothing before the start and after the end.

        Raises:
            KafkaError: it was not delivered.
        """
        if self._producer is not None:
            await self._producer.send_and_wait(topic, value=value, key=key, headers=headers)

    async def publish(self, still: CapturedStill) -> None:
        """Sends `still`, or counts why not. Returns when it is on its way; waits while too many are.

        Raises:
            TransientError: the evidence store can't be written.
        """
        if self._is_checked:
            try:
                inspect_jpeg(still.jpeg)
            except InvalidRecord as error:
                self._tally.reject(still.camera_id, error.reason, error.en)
                return
        if self._privacy.covers(still.camera_id, still.pose_id):
            try:
                still = await self._masked(still)
            except InvalidRecord as error:
                self._tally.reject(still.camera_id, error.reason, error.en)
                return
        await self._room.acquire()
        try:
            frame = await self._frame(still)
        except BaseException:
            self._room.release()
            raise
        task = asyncio.create_task(self._deliver(frame))
        self._pending.add(task)
        task.add_done_callback(self._settled)

    async def _masked(self, still: CapturedStill) -> CapturedStill:
        """What is private leaves the machine that has the camera in no form: neither on Kafka nor in the store."""
        jpeg = await asyncio.to_thread(self._privacy.masked, still.camera_id, still.pose_id, still.jpeg)
        return replace(still, jpeg=jpeg)

    async def _frame(self, still: CapturedStill) -> Frame:
        is_large = len(still.jpeg) > INLINE_LIMIT_BYTES
        dataref = await asyncio.to_thread(self._evidence.put_passing, still.jpeg) if is_large else ""
        return Frame(
            camera_id=still.camera_id,
            pose_id=still.pose_id,
            sequence=still.sequence,
            captured_at=still.captured_at,
            sha256=sha256_hex(still.jpeg),
            jpeg=b"" if is_large else still.jpeg,
            dataref=dataref,
            is_replay=still.is_replay,
        )

    async def _deliver(self, frame: Frame) -> None:
        assert self._producer is not None, "publish() outside `async with`"
        key, value, headers = encode_frame(frame, province=self._province)
        tally = self._tally.of(frame.camera_id)
        try:
            await self._producer.send_and_wait(FRAMES_TOPIC, value=value, key=key, headers=headers)
        except (KafkaError, asyncio.CancelledError) as error:
            tally.failed += 1
            logger.warning("camera %s: a frame was not delivered: %s", frame.camera_id, type(error).__name__)
            if isinstance(error, asyncio.CancelledError):
                raise
            return
        tally.published += 1
        if self._on_frame is not None:
            self._on_frame(frame)

    def _settled(self, task: asyncio.Task[None]) -> None:
        self._pending.discard(task)
        self._room.release()

    def _start_error(self, error: BaseException) -> TransientError | PermanentError:
        if isinstance(error, _TopicMissing):
            return PermanentError(
                f"Kafka at {self._broker} has no topic {FRAMES_TOPIC}; create the topics with: ioc topics apply"
            )
        return TransientError(
            f"no Kafka answers at {self._broker}; start one with: ioc broker, or set IOC_BROKER to a running one"
        )


class _TopicMissing(KafkaError):  # type: ignore[misc]  # aiokafka has no types
    pass


async def _start(producer: AIOKafkaProducer) -> None:
    await producer.start()
    if not (await producer.client.fetch_all_metadata()).partitions_for_topic(FRAMES_TOPIC):
        raise _TopicMissing


async def run_capture(
    source: Source,
    publisher: FramePublisher,
    *,
    stop: asyncio.Event,
    count: int | None = None,
    for_s: float | None = None,
) -> CaptureReport:
    """Publishes the source's stills until it ends, `stop` is set, `count` stills were taken or `for_s` seconds passed.

    Stops promptly also while a camera or the broker keeps it waiting. Frames on their way are waited for.
    """
    started_s = time.monotonic()
    async with publisher:
        pump = asyncio.create_task(_pump(source, publisher, count))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({pump, stopping}, timeout=for_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            pump.cancel()
            await asyncio.gather(stopping, pump, return_exceptions=True)
        if not pump.cancelled():
            pump.result()
    return source.tally.report(elapsed_s=time.monotonic() - started_s, warnings=source.warnings)


async def _pump(source: Source, publisher: FramePublisher, count: int | None) -> None:
    taken = 0
    async with aclosing(source.stills()) as stills:
        async for still in stills:
            await publisher.publish(still)
            taken += 1
            if taken == count:
                return


async def publish_folder(
    root: Path,
    *,
    broker: str,
    province: str,
    fps: float,
    clock: Clock,
    evidence: EvidenceStore,
    stop: asyncio.Event,
    on_frame: Callable[[Frame], None],
    pose_id: str = "p0",
    is_looping: bool = False,
    is_every_frame: bool = False,
) -> CaptureReport:
    """Plays the image folder `root` as live cameras, `fps` stills a second each, until its end or `stop`.

    `on_frame` is called for each frame that Kafka acknowledged.

    Raises:
        ConfigurationError: the folder is not as needed. TransientError: no broker. PermanentError: no frames topic.
    """
    pacer = Pacer(fps=fps, is_every_frame=is_every_frame)
    source = FolderSource(root, clock=clock, pacer=pacer, pose_id=pose_id, is_looping=is_looping)
    publisher = FramePublisher(
        broker=broker, province=province, evidence=evidence, tally=source.tally, on_frame=on_frame
    )
    return await run_capture(source, publisher, stop=stop)
