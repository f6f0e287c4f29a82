"""Camera frames become detections: the agent of the role `frames`.

Few and large, so a stock Faust agent serves. A frame's pixels are decoded and looked at in a thread (OpenCV releases
the GIL), one frame of a pose at a time, poses side by side; the frame is acknowledged when its detections are in Kafka,
or when it gave way to a newer one (`streams.frame_lanes`). A frame that breaks the contract becomes a dead letter; an
error in a detector does too, and never stops the worker.
"""

import asyncio
import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from detectors.base import BgrImage, Candidate, Detector, Observation
from detectors.canary import CanaryDetector
from detectors.preprocess import decode_jpeg
from detectors.registry import DETECTORS, DetectorFactory, build_detectors, detectors_with
from detectors.smoke.network import WORKING_WIDTH_PX  # no detector looks at more
from ioc.adapters.evidence import EvidenceStore, open_evidence
from ioc.adapters.kafka_access import kafka_arguments
from ioc.adapters.recent_stills import RecentStills
from ioc.camera_coverage import CoverageLedger
from ioc.canary import is_canary
from ioc.catalog import Catalog
from ioc.clock import Clock
from ioc.cloudevents import encode_json
from ioc.dead_letters import DEAD_LETTERS_TOPIC, DeadLetter, encode_dead_letter
from ioc.detections import DETECTION_TYPE, DETECTIONS_TOPIC, Detection
from ioc.errors import InvalidRecord, TransientError
from ioc.events import FUTURE_TOLERANCE_US
from ioc.evidence.privacy import Privacy
from ioc.evidence.recording import AT_HAND
from ioc.frames import FRAMES_TOPIC, Frame, decode_frame, sha256_hex
from ioc.places.bearings import bearing_of
from ioc.rejections import foreign_source, internal_error, unknown_camera
from ioc.windows import MICROSECONDS, microseconds_of
from streams.apps import build_frames_app
from streams.batch_role import app_ended, assigned
from streams.camera_tending import CameraTender
from streams.case_keeping import CaseKeeper
from streams.case_metrics import CaseMetrics
from streams.case_news import CaseNews
from streams.frame_lanes import FrameLanes, FrameLimits, WaitingFrame
from streams.metrics import PipelineMetrics

__all__ = ["APP_ID", "FramesRole", "PoseWatch"]

logger = logging.getLogger(__name__)

APP_ID = "ioc-frames"
_RETRY_PAUSES_S = (0.5, 1.0, 2.0, 4.0)  # then the frame is a dead letter: the next ones matter more
_MAX_POSES = 2_000  # background models are a few MB each
_MOST_SIDE_BY_SIDE = 16
_SETTLE_S = 3.0


class PoseWatch:
    """The detectors of every pose seen so far, and what they say of a frame. No Kafka."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        evidence: EvidenceStore,
        clock: Clock,
        metrics: PipelineMetrics,
        max_age_s: float | None = None,
        detectors: Mapping[str, DetectorFactory] = DETECTORS,
        cases: CaseKeeper | None = None,
        coverage: CoverageLedger | None = None,
    ) -> None:
        self._catalog, self._evidence, self._clock, self._metrics = catalog, evidence, clock, metrics
        self._max_age_s = max_age_s
        self._privacy = Privacy(catalog.cameras)
        self._cases, self._coverage = cases, coverage
        self._factories = detectors
        self._detectors: dict[str, tuple[Detector, ...]] = {}

    def look(self, frame: Frame) -> list[Detection]:
        """Returns the detections of a frame; blocks for the time that decoding and detecting take.

        Safe to call from several threads, as long as each looks at another pose.

        Raises:
            InvalidRecord: unknown camera, wrong time, or pixels that can't be used.
        """
        if is_canary(frame, self._catalog.province):
            return _canary_detections(frame)
        self._check(frame)
        with self._metrics.stage("frame_decode"):
            jpeg = self._evidence.get(frame.dataref) if frame.dataref else frame.jpeg
            sha256 = sha256_hex(jpeg)
            if frame.sha256 and frame.sha256.lower() != sha256:
                raise InvalidRecord(
                    "hash_mismatch",
                    field="sha256",
                    vi="Ảnh không khớp mã băm sha256 của nó.",
                    en="the picture does not match its sha256",
                )
            # Detectors see what is kept: the box and the picture of an alarm are of one still.
            shown = self._privacy.masked(frame.camera_id, frame.pose_id, jpeg)
            if shown is not jpeg:
                jpeg, sha256 = shown, sha256_hex(shown)
            image = decode_jpeg(jpeg, least_width_px=WORKING_WIDTH_PX)
        frame = replace(frame, sha256=sha256, jpeg=jpeg)
        if self._cases is not None:
            self._cases.still(frame.key, frame.captured_at, jpeg)
        detections: list[Detection] = []
        is_repeated = False
        for detector in self._of(frame):
            observation = self._observe(detector, image, frame)
            is_repeated = is_repeated or bool(observation.rejected.get("repeated_frame"))
            detections += self._detections(detector, observation, frame)
        self._metrics.frames.labels(frame.camera_id, "repeated" if is_repeated else "analysed").inc()
        return detections

    def _check(self, frame: Frame) -> None:
        if frame.camera_id not in self._catalog.cameras:
            raise unknown_camera(frame.camera_id)
        own = f"/{self._catalog.province}/camera"
        if frame.source and frame.source != own and not frame.source.startswith(own + "/"):
            raise foreign_source(frame.source, "camera.frame", own)
        ahead_us = microseconds_of(frame.captured_at) - microseconds_of(self._clock())
        if ahead_us > FUTURE_TOLERANCE_US:
            raise InvalidRecord(
                "time_in_future",
                field="captured_at",
                vi=f"captured_at đi trước đồng hồ {ahead_us // MICROSECONDS} giây; kiểm tra giờ của camera.",
                en=f"captured_at is {ahead_us // MICROSECONDS} s ahead of the clock: check the camera's clock",
            )
        if frame.captured_at.date() < self._catalog.accept_since:
            raise InvalidRecord(
                "time_too_old",
                field="captured_at",
                vi="captured_at trước mốc nhận dữ liệu (accept_since).",
                en="captured_at is before the catalogue's accept_since",
            )
        if self._max_age_s is not None and not frame.is_replay and -ahead_us > self._max_age_s * MICROSECONDS:
            raise InvalidRecord(
                "frame_too_old",
                field="captured_at",
                vi=f"Khung hình chụp {-ahead_us // MICROSECONDS} giây trước, không còn là hiện tại; kiểm tra đồng hồ "
                "của camera, hoặc phát lại với ce_replay=true.",
                en=f"the frame is {-ahead_us // MICROSECONDS} s old, no longer the present: check the camera's clock, "
                "or mark a replay with ce_replay=true",
            )

    def _of(self, frame: Frame) -> tuple[Detector, ...]:
        known = self._detectors.get(frame.key)
        if known is None:
            if len(self._detectors) >= _MAX_POSES:
                raise InvalidRecord(
                    "too_many_poses",
                    field="pose_id",
                    vi="Quá nhiều góc quay khác nhau; kiểm tra pose_id của camera.",
                    en=f"more than {_MAX_POSES} poses: is pose_id a running number?",
                )
            known = self._detectors[frame.key] = build_detectors(
                self._catalog.cameras[frame.camera_id], frame.pose_id, detectors=self._factories
            )
        return known

    def _observe(self, detector: Detector, image: BgrImage, frame: Frame) -> Observation:
        with self._metrics.stage(f"detect_{detector.name}"):
            observation = detector.observe(image, frame.captured_at)
        self._metrics.watching(
            detector.name,
            frame.camera_id,
            frame.pose_id,
            observation.state,
            observation.note,
            version=detector.version,
        )
        if self._coverage is not None and not observation.rejected.get("repeated_frame"):
            self._coverage.looked(frame.key, detector.name, observation.state, observation.note, at=self._clock())
        for reason, count in observation.rejected.items():
            self._metrics.rejected.labels(detector.name, reason).inc(count)
        if observation.note:
            logger.debug("%s %s: %s", frame.key, detector.name, observation.note)
        return observation

    def _detections(self, detector: Detector, observation: Observation, frame: Frame) -> list[Detection]:
        if not observation.candidates:
            return []
        reference = self._evidence.put(frame.jpeg)
        view = self._catalog.cameras[frame.camera_id].view(frame.pose_id)
        found = []
        for index, candidate in enumerate(observation.candidates):
            self._metrics.detections.labels(detector.name, candidate.tier, frame.camera_id).inc()
            azimuth_deg = None if view is None else round(bearing_of(view, candidate.box).azimuth_deg, 1)
            found.append(_detection(detector, candidate, index, frame, reference, azimuth_deg))
        return found


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
        self._watch = PoseWatch(
            catalog=catalog,
            evidence=store,
            cases=self._cases,
            clock=clock,
            metrics=metrics,
            max_age_s=limits.max_age_s,
            detectors=detectors_with(smoke_model),
            coverage=self._tender.coverage,
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


def _canary_detections(frame: Frame) -> list[Detection]:
    """The mark of a canary frame, seen by the same decoder; nothing is counted, and no picture is kept."""
    detector = CanaryDetector()
    candidates = detector.observe(decode_jpeg(frame.jpeg), frame.captured_at).candidates
    return [_detection(detector, candidate, 0, frame, "", None) for candidate in candidates]


async def _look_patiently(watch: PoseWatch, frame: Frame) -> list[Detection]:
    """Tries again while the evidence store is away (its disk is full, its share is not mounted)."""
    for pause_s in _RETRY_PAUSES_S:
        try:
            return await asyncio.to_thread(watch.look, frame)
        except TransientError as error:
            logger.warning("%s: %s; trying again in %g s", frame.key, error, pause_s)
            await asyncio.sleep(pause_s)
    return await asyncio.to_thread(watch.look, frame)


def _detection(
    detector: Detector, candidate: Candidate, index: int, frame: Frame, reference: str, azimuth_deg: float | None
) -> Detection:
    seed = f"{detector.name}\n{frame.key}\n{frame.captured_at.isoformat()}\n{frame.sha256}\n{index}"
    return Detection(
        detection_id=hashlib.sha256(seed.encode()).hexdigest()[:32],
        camera_id=frame.camera_id,
        pose_id=frame.pose_id,
        label=candidate.label,
        tier=candidate.tier,
        score=candidate.score,
        box=candidate.box,
        frame_at=frame.captured_at,
        frame_sha256=frame.sha256,
        frame_ref=reference,
        detector=detector.name,
        detector_version=detector.version,
        first_seen_at=candidate.first_seen_at,
        persisted_s=(frame.captured_at - candidate.first_seen_at).total_seconds(),
        cues=candidate.cues,
        zone_id=candidate.zone_id,
        azimuth_deg=azimuth_deg,
    )
