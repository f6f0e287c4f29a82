"""Camera frames become detections: the agent of the role `frames`.

Few and large, so a stock Faust agent serves. A frame's pixels are decoded and looked at in a thread (OpenCV releases
the GIL), one frame of a pose at a time, poses side by side; the frame is acknowledged when its detections are in Kafka,
or when it gave way to a newer one (`streams.frame_lanes`). A frame that breaks the contract becomes a dead letter; an
error in a detector does too, and never stops the worker.
"""

import asyncio
import logging
import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from detectors.registry import detectors_with, smoke_with
from detectors.smoke_variants import read_variant
from ioc.adapters.evidence import EvidenceStore, open_evidence
from ioc.adapters.kafka_access import kafka_arguments
from ioc.adapters.recent_stills import RecentStills
from ioc.canary import is_canary
from ioc.catalog import Catalog
from ioc.clock import Clock
from ioc.cloudevents import encode_json
from ioc.dead_letters import DEAD_LETTERS_TOPIC, DeadLetter, encode_dead_letter
from ioc.detections import DETECTION_TYPE, DETECTIONS_TOPIC, Detection
from ioc.errors import InvalidRecord, TransientError
from ioc.evidence.recording import AT_HAND
from ioc.frames import FRAMES_TOPIC, Frame, decode_frame
from ioc.rejections import internal_error
from streams.apps import build_frames_app
from streams.batch_role import app_ended, assigned
from streams.camera_tending import CameraTender
from streams.case_keeping import CaseKeeper
from streams.case_metrics import CaseMetrics
from streams.case_news import CaseNews
from streams.frame_lanes import FrameLanes, FrameLimits, WaitingFrame
from streams.metrics import PipelineMetrics
from streams.pose_watch import PoseWatch, unseen
from streams.shadow_alerts import SHADOW_ALERTS_FILE, ShadowAlerts
from streams.shadow_metrics import ShadowMetrics
from streams.shadow_watch import ShadowWatch

__all__ = ["APP_ID", "FramesRole"]

logger = logging.getLogger(__name__)

APP_ID = "ioc-frames"
_RETRY_PAUSES_S = (0.5, 1.0, 2.0, 4.0)  # then the frame is a dead letter: the next ones matter more
_MOST_SIDE_BY_SIDE = 16
_SETTLE_S = 3.0
_WAITING_BEFORE_SHADOW = 64  # frames in memory: more than a province's cameras send at one moment


class FramesRole:
    """The app and its agent. Building it starts nothing."""

    def __init__(
        self,
        *,
        broker: str,
        catalog: Catalog,
        clock: Clock,
        metrics: PipelineMetrics,
        folder: Path,
        state: Path,
        limits: FrameLimits = FrameLimits(),  # noqa: B008  (frozen)
        smoke_model: str = "free",
        shadow_smoke_model: str = "",
        construction_every_s: float = 0,
        coverage_minutes: int = 5,
        evidence: EvidenceStore | None = None,
    ) -> None:
        self._broker, self._catalog, self._clock, self._metrics = broker, catalog, clock, metrics
        self._producer: AIOKafkaProducer | None = None
        self._is_started = False  # Faust makes a consumer for whoever asks first: the HTTP thread must not
        store, kept = evidence or open_evidence(state / "evidence"), CaseMetrics(metrics.registry)
        recent = RecentStills(state / "recent-stills", keep=AT_HAND)
        self._cases = CaseKeeper(evidence=store, recent=recent, metrics=kept)
        self._news = CaseNews(self._cases, broker=broker, clock=clock, metrics=kept)
        self._reading_news: asyncio.Task[None] | None = None
        is_live = limits.max_age_s is not None
        self._tender = CameraTender(
            catalog,
            broker=broker,
            clock=clock,
            metrics=metrics,
            send=self._send,
            parts=self._parts,
            is_live=is_live,
            coverage_minutes=coverage_minutes,
        )
        metrics.models.labels("smoke", read_variant(smoke_model).name).set(1)
        self._shadow = self._shadow_of(shadow_smoke_model, smoke_model, store, state) if shadow_smoke_model else None
        self._watch = PoseWatch(
            catalog=catalog,
            evidence=store,
            cases=self._cases,
            clock=clock,
            metrics=metrics,
            max_age_s=limits.max_age_s,
            detectors=detectors_with(
                smoke_model,
                memory=state / "camera-health",
                construction_memory=state / "construction",
                construction_every=timedelta(seconds=construction_every_s),
            ),
            coverage=self._tender.coverage,
            onlooker=self._shadow.offer if self._shadow is not None else unseen,
        )
        self._lanes = FrameLanes(
            work=self._work,
            skip=self._skip,
            late_s=limits.late_s,
            now_s=lambda: clock().timestamp(),
            width=_side_by_side(),
        )
        self.app = build_frames_app(APP_ID, broker, folder)
        topic = self.app.topic(
            FRAMES_TOPIC, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
        )

        async def frames_to_detections(stream: Any) -> None:
            async for event in stream.noack().events():
                await self._take(event)

        self.app.agent(topic, name=APP_ID)(frames_to_detections)

    def _shadow_of(self, model: str, live: str, evidence: EvidenceStore, state: Path) -> ShadowWatch:
        name = read_variant(model).name
        self._metrics.models.labels("smoke_shadow", name).set(1)
        return ShadowWatch(
            catalog=self._catalog,
            make=smoke_with(model),
            names=(read_variant(live).name, name),
            evidence=evidence,
            listed=ShadowAlerts(state / SHADOW_ALERTS_FILE),
            metrics=ShadowMetrics(self._metrics.registry),
            is_behind=lambda: self._lanes.waiting > _WAITING_BEFORE_SHADOW,
        )

    @property
    def is_ready(self) -> bool:
        return self._is_started and bool(assigned(self.app))

    def lag(self) -> dict[str, int]:
        """Frames that wait in Kafka, as far as the last fetch and the last commit knew."""
        if not self.is_ready:
            return {}
        consumer: Any = self.app.consumer
        waiting = 0
        for tp in assigned(self.app):
            committed, highwater = consumer._committed_offset[tp], consumer.highwater(tp)
            if committed is not None and highwater:
                waiting += max(0, highwater - committed)
        return {FRAMES_TOPIC: waiting}

    async def start(self) -> None:
        producer = AIOKafkaProducer(**kafka_arguments(self._broker), enable_idempotence=True, acks="all")
        await producer.start()
        self._producer = producer
        self.app.finalize()
        await self.app.start()
        self._is_started = True
        self._tender.start()
        self._reading_news = asyncio.create_task(self._news.run(), name="news of incidents")

    def _parts(self) -> set[int]:
        return {tp.partition for tp in assigned(self.app)}

    async def stop(self) -> None:
        await self._tender.stop()
        if self._reading_news is not None:
            self._reading_news.cancel()
            await asyncio.gather(self._reading_news, return_exceptions=True)
        await self.app.stop()  # waits until what was read is acknowledged
        await self._lanes.close()
        if self._shadow is not None:
            self._shadow.close()
        await self._settle_cases()
        if self._producer is not None:
            await self._producer.stop()

    async def _settle_cases(self) -> None:
        try:
            await asyncio.to_thread(self._cases.settle, _SETTLE_S)
        except TimeoutError:
            logger.warning("the evidence store is too slow: stills of incidents are lost at the end")
        self._cases.close()

    async def failed(self) -> None:
        ends = [asyncio.create_task(way) for way in (app_ended(self.app), self._lanes.broken())]
        try:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            done.pop().result()
        finally:
            for task in ends:
                task.cancel()

    async def _take(self, event: Any) -> None:
        """Puts a frame into its pose's lane, which acknowledges it; waits while too many are in memory."""
        message = event.message
        try:
            frame = decode_frame(message.key, message.value, tuple(message.headers or ()))
        except InvalidRecord as error:
            await self._reject(message, error)
            event.ack()
            return
        if not is_canary(frame, self._catalog.province):
            self._tender.saw(frame, published_s=message.timestamp, part=message.partition)
        await self._lanes.put(
            WaitingFrame(
                key=frame.key.encode(),
                captured_at=frame.captured_at,
                published_s=message.timestamp,
                is_replay=frame.is_replay or is_canary(frame, self._catalog.province),
                event=event,
                frame=frame,
            )
        )

    async def _work(self, waiting: WaitingFrame) -> None:
        await self._look(waiting.event.message, waiting.frame)
        waiting.event.ack()

    def _skip(self, waiting: WaitingFrame) -> None:
        camera_id = waiting.frame.camera_id
        self._metrics.frames.labels(camera_id if camera_id in self._catalog.cameras else "unknown", "skipped").inc()
        self._tender.coverage.skipped(waiting.frame.key, self._clock())
        waiting.event.ack()

    async def _look(self, message: Any, frame: Frame) -> None:
        try:
            detections = await _look_patiently(self._watch, frame)
        except InvalidRecord as error:
            await self._reject(message, error)
            return
        except Exception as error:  # the agent's boundary: a defect of ours must cost one frame, not the worker
            logger.exception("frame %s/%d/%d", message.topic, message.partition, message.offset)
            await self._reject(message, internal_error(error))
            return
        await self._send(detections)
        if not is_canary(frame, self._catalog.province):
            self._metrics.observe_stage("frame_to_detection", (self._clock() - frame.captured_at).total_seconds())

    async def _send(self, detections: Sequence[Detection]) -> None:
        assert self._producer is not None, "started before the agent"
        acks = []
        for detection in detections:
            value, headers = encode_json(
                detection.as_json(),
                event_id=detection.detection_id,
                event_type=DETECTION_TYPE,
                source=f"/{self._catalog.province}/camera/detectors",
                at=detection.frame_at,
            )
            key = f"{detection.camera_id}:{detection.pose_id}".encode()
            acks.append(await self._producer.send(DETECTIONS_TOPIC, key=key, value=value, headers=list(headers)))
        await asyncio.gather(*acks)

    async def _reject(self, message: Any, error: InvalidRecord) -> None:
        assert self._producer is not None, "started before the agent"
        camera = (message.key or b"").decode("utf-8", errors="replace").split(":", 1)[0]
        self._metrics.frames.labels(camera if camera in self._catalog.cameras else "unknown", "rejected").inc()
        letter = DeadLetter(
            error=error,
            source=f"/{self._catalog.province}/camera",
            topic=message.topic,
            partition=message.partition,
            offset=message.offset,
            index=0,
            at=self._clock(),
            key=message.key,
            headers=tuple(message.headers or ()),
            original=message.value,
        )
        key, value, letter_headers = encode_dead_letter(letter, province=self._catalog.province)
        await self._producer.send_and_wait(DEAD_LETTERS_TOPIC, key=key, value=value, headers=list(letter_headers))


def _side_by_side() -> int:
    """How many poses are looked at at once: one thread a core."""
    return max(1, min(_MOST_SIDE_BY_SIDE, os.cpu_count() or 1))


async def _look_patiently(watch: PoseWatch, frame: Frame) -> list[Detection]:
    """Tries again while the evidence store is away (its disk is full, its share is not mounted)."""
    for pause_s in _RETRY_PAUSES_S:
        try:
            return await asyncio.to_thread(watch.look, frame)
        except TransientError as error:
            logger.warning("%s: %s; trying again in %g s", frame.key, error, pause_s)
            await asyncio.sleep(pause_s)
    return await asyncio.to_thread(watch.look, frame)
