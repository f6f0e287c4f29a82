"""Private areas are gone from whatever a pose's stills become: frames on Kafka, stored stills, what detectors see."""

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from detectors.base import BgrImage, Candidate, Observation
from ioc.adapters.evidence import EvidenceStore, open_evidence
from ioc.catalog import Catalog
from ioc.catalog.cameras import Mask
from ioc.detections import Box
from ioc.errors import InvalidRecord
from ioc.evidence.privacy import Privacy
from ioc.frames import Frame, sha256_hex
from ioc.opencv import cv2
from streams.metrics import PipelineMetrics
from streams.pose_watch import PoseWatch
from tests.unit.domain.making import NOW, catalog

WINDOW = ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))


def with_window(whole: Catalog) -> Catalog:
    """The starting catalogue where a window in the middle of cam-01's p0 is nobody's business."""
    camera = whole.cameras["cam-01"]
    pose = replace(camera.pose("p0"), masks=(Mask(kind="private", polygon=WINDOW),))
    cameras = {**whole.cameras, "cam-01": replace(camera, poses={**camera.poses, "p0": pose})}
    return replace(whole, cameras=cameras)


def a_still() -> bytes:
    pixels = np.random.default_rng(1).integers(0, 255, (9, 16, 3), dtype=np.uint8)
    return bytes(cv2.imencode(".jpg", cv2.resize(pixels, (320, 180)))[1].tobytes())


def has_window(image: BgrImage) -> bool:
    return bool(image[50:130, 85:235].std() > 10)


def pixels_of(jpeg: bytes) -> BgrImage:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return np.asarray(image, dtype=np.uint8)


class Everything:
    """A detector that sees something on every frame."""

    name, version = "everything", "1"

    def __init__(self) -> None:
        self.images: list[BgrImage] = []

    def observe(self, image: BgrImage, at: datetime) -> Observation:
        self.images.append(image)
        return Observation(
            candidates=(Candidate(label="x", tier="alarm", score=1, box=Box(0.5, 0.5, 0.1, 0.1), first_seen_at=at),)
        )


def frame_of(jpeg: bytes, pose_id: str = "p0") -> Frame:
    return Frame(camera_id="cam-01", pose_id=pose_id, sequence=0, captured_at=NOW, sha256=sha256_hex(jpeg), jpeg=jpeg)


def watch_with(detector: Everything, evidence: EvidenceStore) -> PoseWatch:
    return PoseWatch(
        catalog=with_window(catalog()),
        evidence=evidence,
        clock=lambda: NOW,
        metrics=PipelineMetrics(CollectorRegistry()),
        detectors={"everything": lambda *_: detector},
    )


def test_what_detectors_see_and_what_is_kept_of_a_pose_has_no_private_area() -> None:
    detector, evidence = Everything(), open_evidence("memory:")
    watch = watch_with(detector, evidence)
    (found,) = watch.look(frame_of(a_still()))
    kept = evidence.get(found.frame_ref)
    assert not has_window(pixels_of(kept))
    assert found.frame_sha256 == sha256_hex(kept) != sha256_hex(a_still())
    (other,) = watch.look(frame_of(a_still(), pose_id="p9"))
    assert evidence.get(other.frame_ref) == a_still(), "a pose without masks is kept as it came"
    assert [has_window(image) for image in detector.images] == [False, True]


def test_a_masked_still_that_is_masked_again_stays_masked() -> None:
    privacy = Privacy(with_window(catalog()).cameras)
    assert privacy.covers("cam-01", "p0")
    assert not privacy.covers("cam-01", "p1")
    once = privacy.masked("cam-01", "p0", a_still())
    again = privacy.masked("cam-01", "p0", once)
    assert not has_window(pixels_of(again))
    assert np.abs(pixels_of(again)[:35].astype(int) - pixels_of(a_still())[:35]).mean() < 4


def test_a_still_that_can_not_be_masked_is_refused() -> None:
    with pytest.raises(InvalidRecord):
        watch_with(Everything(), open_evidence("memory:")).look(frame_of(a_still()[:200]))
