"""What a detector saw on a frame, as a detection that is published. Pure."""

import hashlib

import msgspec

from detectors.base import Candidate, Detector, SeenWork
from detectors.canary import CanaryDetector
from detectors.preprocess import decode_jpeg
from ioc.detections import Detection
from ioc.frames import Frame

__all__ = ["canary_detections", "detection_of", "work_extra"]


def canary_detections(frame: Frame) -> list[Detection]:
    """Returns the mark of a canary frame, seen by the same decoder; nothing is counted, and no picture is kept.

    Raises:
        InvalidRecord: pixels that can't be used.
    """
    detector = CanaryDetector()
    candidates = detector.observe(decode_jpeg(frame.jpeg), frame.captured_at).candidates
    return [detection_of(detector, candidate, 0, frame, reference="", azimuth_deg=None) for candidate in candidates]


def detection_of(
    detector: Detector, candidate: Candidate, index: int, frame: Frame, *, reference: str, azimuth_deg: float | None
) -> Detection:
    """Returns the detection of the `index`-th candidate of a frame; `reference` names the kept picture."""
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
        extra={} if candidate.work is None else work_extra(candidate.work),
    )


def work_extra(work: SeenWork) -> dict[str, str]:
    """What the permit join reads (`ioc.building_case`); what is not known is left out."""
    extra = {"active": "true" if work.is_active else "false"}
    if work.stage:
        extra["stage"] = work.stage
    if work.storeys is not None:
        extra["storeys"] = str(work.storeys)
    if work.footprint:
        corners = [(_share(x), _share(y)) for x, y in work.footprint]  # a house at the edge goes on outside
        extra["footprint"] = msgspec.json.encode(corners).decode()
    if work.worked_at is not None:
        extra["worked_at"] = work.worked_at.isoformat()
    return extra


def _share(value: float) -> float:
    return min(1.0, max(0.0, value))
