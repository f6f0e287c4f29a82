"""The detectors of every pose, and what they say of a frame. No Kafka.

A pose's detectors are made with its first frame. What of their knowledge outlives a restart is theirs to keep.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from detectors.base import BgrImage, Detector, Observation
from detectors.preprocess import decode_jpeg
from detectors.registry import DETECTORS, DetectorFactory, build_detectors
from detectors.smoke.network import WORKING_WIDTH_PX  # no detector looks at more
from ioc.adapters.evidence import EvidenceStore
from ioc.camera_coverage import CoverageLedger
from ioc.canary import is_canary
from ioc.catalog import Catalog
from ioc.clock import Clock
from ioc.detections import Detection
from ioc.errors import InvalidRecord
from ioc.evidence.privacy import Privacy
from ioc.frames import Frame, sha256_hex
from ioc.places.bearings import bearing_of
from streams.case_keeping import CaseKeeper
from streams.frame_admission import admit
from streams.frame_detections import canary_detections, detection_of
from streams.metrics import PipelineMetrics

__all__ = ["Onlooker", "PoseWatch", "unseen"]

logger = logging.getLogger(__name__)

_MAX_POSES = 2_000  # background models are a few MB each

Onlooker = Callable[[Frame, BgrImage, Sequence[Detection]], None]
"""Is shown a frame, its picture and its detections once it was looked at; must return at once."""


def unseen(frame: Frame, image: BgrImage, detections: Sequence[Detection]) -> None:
    """The onlooker that is not there."""


class PoseWatch:
    """Args:
    max_age_s: frames older than this are refused; None: none is.
    detectors: what may watch a pose.
    cases: is told every still.
    coverage: is told what was looked at.
    onlooker: is shown what was looked at.
    """

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
        onlooker: Onlooker = unseen,
        max_poses: int = _MAX_POSES,
    ) -> None:
        self._catalog, self._evidence, self._clock, self._metrics = catalog, evidence, clock, metrics
        self._max_age_s, self._max_poses = max_age_s, max_poses
        self._privacy = Privacy(catalog.cameras)
        self._cases, self._coverage, self._onlooker = cases, coverage, onlooker
        self._factories = detectors
        self._detectors: dict[str, tuple[Detector, ...]] = {}

    def look(self, frame: Frame) -> list[Detection]:
        """Returns the detections of a frame; blocks for the time that decoding and detecting take.

        Safe to call from several threads, as long as each looks at another pose.

        Raises:
            InvalidRecord: unknown camera, wrong time, or pixels that can't be used.
            TransientError: the evidence store is away.
        """
        if is_canary(frame, self._catalog.province):
            return canary_detections(frame)
        admit(frame, self._catalog, now=self._clock(), max_age_s=self._max_age_s)
        with self._metrics.stage("frame_decode"):
            frame = self._with_pixels(frame)
            image = decode_jpeg(frame.jpeg, least_width_px=WORKING_WIDTH_PX)
        if self._cases is not None:
            self._cases.still(frame.key, frame.captured_at, frame.jpeg)
        detections: list[Detection] = []
        is_repeated = False
        for detector in self._of(frame):
            observation = self._observe(detector, image, frame)
            is_repeated = is_repeated or bool(observation.rejected.get("repeated_frame"))
            detections += self._detections(detector, observation, frame)
        self._metrics.frames.labels(frame.camera_id, "repeated" if is_repeated else "analysed").inc()
        self._onlooker(frame, image, detections)
        return detections

    def _with_pixels(self, frame: Frame) -> Frame:
        """The frame with the bytes that are kept and looked at, and their hash."""
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
        return replace(frame, jpeg=shown, sha256=sha256 if shown is jpeg else sha256_hex(shown))

    def _of(self, frame: Frame) -> tuple[Detector, ...]:
        known = self._detectors.get(frame.key)
        if known is None:
            if len(self._detectors) >= self._max_poses:
                raise InvalidRecord(
                    "too_many_poses",
                    field="pose_id",
                    vi="Quá nhiều góc quay khác nhau; kiểm tra pose_id của camera.",
                    en=f"more than {self._max_poses} poses: is pose_id a running number?",
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
            found.append(detection_of(detector, candidate, index, frame, reference=reference, azimuth_deg=azimuth_deg))
        return found
