"""Sends the canary through the whole chain, and listens for what comes back."""

import asyncio
import logging
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError
from prometheus_client import CollectorRegistry, Gauge, Histogram

from ioc.adapters.kafka_access import kafka_arguments
from ioc.canary import (
    ANSWERS_TOPIC,
    BEATS_TOPIC,
    CAMERA,
    CELLS_PER_SIDE,
    MAX_MARK,
    answer_of,
    beat_record,
    canary_source,
    cells_of,
)
from ioc.clock import Clock
from ioc.frames import FRAMES_TOPIC, Frame, encode_frame, sha256_hex
from ioc.oncall.rounds import Rounds

__all__ = ["Canary", "CanaryConfig", "CanaryMetrics", "draw", "poses_of"]

logger = logging.getLogger(__name__)

CELL_PX = 16
SEND_S = 15.0  # what a round may take to get to Kafka
RETRY_S = 1.0
POLL_MS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryConfig:
    """`partitions`: of the frames' topic and of the beats' (the catalogue's). Patience: half an interval, so that a
    death is told within two and a half."""

    interval: timedelta = timedelta(minutes=1)
    partitions: int
    frames_topic: str = FRAMES_TOPIC
    beats_topic: str = BEATS_TOPIC
    answers_topic: str = ANSWERS_TOPIC

    @property
    def patience(self) -> timedelta:
        return self.interval / 2


class CanaryMetrics:
    """How long canaries are on their way, and when one came back last, by half (frames, events)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.seconds = Histogram(
            "ioc_oncall_canary_seconds",
            "Seconds that a canary took through the whole chain and back, by half: frames, events",
            ["half"],
            buckets=(0.1, 0.3, 1, 2, 3, 5, 10, 20, 30, 60, 300),
            registry=registry,
        )
        self.back = Gauge(
            "ioc_oncall_canary_back_timestamp_seconds",
            "When a canary came back last, by half: frames, events",
            ["half"],
            registry=registry,
        )


def draw(mark: int) -> bytes:
    """The JPEG of a mark: black and white cells of 16 × 16 px."""
    import numpy as np

    from ioc.opencv import cv2  # heavy: an on-call without a canary never loads it

    cells = np.array(cells_of(mark), dtype=np.uint8).reshape(CELLS_PER_SIDE, CELLS_PER_SIDE) * 255
    done, jpeg = cv2.imencode(".jpg", np.kron(cells, np.ones((CELL_PX, CELL_PX), np.uint8)))
    if not done:
        raise RuntimeError("OpenCV can't write a JPEG")
    return bytes(jpeg.tobytes())


@cache
def poses_of(partitions: int) -> tuple[str, ...]:
    """For each partition, a pose whose key `canary:POSE` lies there: then detections and incidents do too."""
    from ioc.partitioning import partitioner

    partitions_of, found = partitioner(partitions), dict[int, str]()
    number = 0
    while len(found) < partitions:
        found.setdefault(partitions_of([f"{CAMERA}:{number}".encode()])[0], str(number))
        number += 1
    return tuple(found[partition] for partition in range(partitions))


class Canary:
    """Two loops that live through restarts of Kafka. `trouble`: why the newest round did not get out, "" if it did."""

    def __init__(
        self,
        config: CanaryConfig,
        *,
        broker: str,
        province: str,
        rounds: Rounds,
        metrics: CanaryMetrics,
        clock: Clock,
    ) -> None:
        self.trouble = ""
        self._config = config
        self._broker = broker
        self._province = province
        self._rounds = rounds
        self._metrics = metrics
        self._clock = clock
        self._producer: AIOKafkaProducer | None = None

    async def send_forever(self) -> None:
        try:
            while True:
                await self.send_round()
                await asyncio.sleep(self._config.interval.total_seconds())
        finally:
            await self._drop_producer()

    async def send_round(self) -> None:
        """Sends one round. A round that can't be sent is a round that does not come back."""
        mark, at = secrets.randbelow(MAX_MARK + 1), self._clock()
        poses = poses_of(self._config.partitions)
        self._rounds.sent("frames", poses, mark, at)
        self._rounds.sent("events", map(str, range(self._config.partitions)), mark, at)
        try:
            jpeg = await asyncio.to_thread(draw, mark)
            async with asyncio.timeout(SEND_S):
                await self._publish(mark, at, jpeg, poses)
            trouble = ""
        except UnknownTopicOrPartitionError:
            trouble = f"a topic of the canary is missing ({self._config.beats_topic}): run ioc topics apply"
        except (KafkaError, OSError, TimeoutError) as error:
            trouble = f"Kafka at {self._broker} takes nothing: {type(error).__name__}"
        except Exception as error:  # the boundary: this loop is what tells that others have ended
            logger.exception("a canary could not be sent")
            trouble = f"a canary could not be sent: {type(error).__name__}"
        if trouble:
            await self._drop_producer()
        if trouble and trouble != self.trouble:
            logger.warning("canary: %s", trouble)
        self.trouble = trouble

    async def _publish(self, mark: int, at: datetime, jpeg: bytes, poses: tuple[str, ...]) -> None:
        producer = self._producer = self._producer or await _start_producer(self._broker)
        sends = []
        for pose in poses:
            frame = Frame(
                camera_id=CAMERA,
                pose_id=pose,
                sequence=0,
                captured_at=at,
                sha256=sha256_hex(jpeg),
                jpeg=jpeg,
                source=canary_source(self._province),
            )
            key, value, headers = encode_frame(frame, province=self._province)
            sends.append(await producer.send(self._config.frames_topic, key=key, value=value, headers=headers))
        for partition in range(self._config.partitions):
            value, beat_headers = beat_record(mark, str(partition), province=self._province, at=at)
            sends.append(
                await producer.send(
                    self._config.beats_topic, value=value, headers=list(beat_headers), partition=partition
                )
            )
        await asyncio.gather(*sends)

    async def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaError, OSError, TimeoutError):
                await asyncio.wait_for(producer.stop(), RETRY_S)

    async def read_forever(self) -> None:
        while True:
            try:
                await self._read()
            except (KafkaError, OSError) as error:
                logger.info("canary: the answers can't be read: %s", type(error).__name__)
            except Exception:  # the boundary, as above
                logger.exception("canary: the answers can't be read")
            await asyncio.sleep(RETRY_S)

    async def _read(self) -> None:
        """From the beginning, a quarter of an hour at most: an answer that came while nobody read is not lost."""
        consumer = AIOKafkaConsumer(
            self._config.answers_topic,
            **kafka_arguments(self._broker),
            group_id=None,
            client_id="ioc-oncall-canary",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        try:
            await consumer.start()
            while True:
                for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                    for record in records:
                        self.take(record.value, record.headers)
        finally:
            with suppress(KafkaError, OSError):
                await consumer.stop()

    def take(self, value: bytes | None, headers: tuple[tuple[str, bytes], ...]) -> None:
        """Takes one record of the answers' topic; what is not ours is nothing."""
        answer, now = answer_of(value, headers), self._clock()
        if answer is None:
            return
        on_its_way = self._rounds.answered(answer.half, answer.part, answer.mark, now)
        if on_its_way is not None:
            self._metrics.seconds.labels(answer.half).observe(max(0.0, on_its_way.total_seconds()))
            self._metrics.back.labels(answer.half).set(now.timestamp())


async def _start_producer(broker: str) -> AIOKafkaProducer:
    producer = AIOKafkaProducer(
        **kafka_arguments(broker), client_id="ioc-oncall-canary", acks="all", request_timeout_ms=int(SEND_S * 1000)
    )
    try:
        await producer.start()
    except BaseException:
        with suppress(KafkaError, OSError):
            await producer.stop()
        raise
    return producer
