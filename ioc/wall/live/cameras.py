"""The camera mosaic: the newest picture of each camera, made small once, and what was detected on it. Bounded."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ioc.catalog.cameras import Camera
from ioc.coverage_facts import Span
from ioc.detections import Box, Detection, Tier
from ioc.errors import InvalidRecord
from ioc.frames import Frame, inspect_jpeg, sha256_hex

__all__ = ["CameraBoard", "CameraView", "Coverage", "SeenBox", "thumbnail"]

MAX_CAMERAS = 64  # on the wall: what does not fit on a television nobody looks at
MAX_BOXES = 8
MAX_OFFERED = 4
WIDTH_PX = 640
_QUALITY = 72
MAX_WATCHES = 64  # of one camera: its poses, each with its detectors
_SPANS_LAST = 3  # a span is told when it is over, and the next may be late
_BOXES_LAST = timedelta(seconds=60)  # on a newer picture than the one that was judged


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenBox:
    """A detection; `is_of_picture`: it was made on the very picture that is shown."""

    box: Box
    label: str
    tier: Tier
    score: float
    is_of_picture: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What of the newest span of minutes was looked at (`share`, 0–1), in all poses by all detectors; `reason`: why
    most of the rest was not, one of `ioc.coverage_facts.REASONS`, "" where all was."""

    share: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraView:
    """One camera now. `picture`: the id of its thumbnail, "" before the first one. `is_blind`: no picture for longer
    than promised. `coverage`: None where nothing was told lately."""

    camera: Camera
    picture: str
    captured_at: datetime | None
    is_blind: bool
    boxes: tuple[SeenBox, ...]
    coverage: Coverage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    sha256: str
    picture: str
    captured_at: datetime
    jpeg: bytes


class CameraBoard:
    """What is known of the cameras. Held of each: two thumbnails of about 40 KB, and the newest few frames until one of
    them is chosen: the one that was judged last, so that boxes stand on their own picture, else the newest."""

    def __init__(self, cameras: Mapping[str, Camera], promise: timedelta) -> None:
        active = [camera for camera in cameras.values() if camera.is_active]
        self._cameras = {camera.camera_id: camera for camera in active[:MAX_CAMERAS]}
        self._promise = promise
        self._offered: dict[str, deque[Frame]] = {}
        self._kept: dict[str, _Kept] = {}
        self._former: dict[str, _Kept] = {}  # a page may still ask for it
        self._seen: dict[str, tuple[Detection, ...]] = {}
        self._spans: dict[str, dict[tuple[str, str], Span]] = {}
        self.left_out = len(active) - len(self._cameras)

    def offer(self, frame: Frame) -> None:
        """Takes a frame that may be shown; older ones than what is shown are passed over."""
        kept = self._kept.get(frame.camera_id)
        if frame.camera_id not in self._cameras or (kept is not None and frame.captured_at <= kept.captured_at):
            return
        self._offered.setdefault(frame.camera_id, deque(maxlen=MAX_OFFERED)).append(frame)

    def chosen(self) -> list[Frame]:
        """The frames whose thumbnails are due, one of each camera that offered any; the others are let go."""
        chosen = []
        for camera_id, frames in self._offered.items():
            judged = {each.frame_sha256 for each in self._seen.get(camera_id, ())}
            ordered = sorted(frames, key=lambda frame: (frame.sha256 in judged, frame.captured_at))
            if ordered:
                chosen.append(ordered[-1])
        self._offered.clear()
        return chosen

    def take_picture(self, frame: Frame, jpeg: bytes) -> None:
        """Keeps the thumbnail of a chosen frame."""
        if (former := self._kept.get(frame.camera_id)) is not None:
            self._former[frame.camera_id] = former
        self._kept[frame.camera_id] = _Kept(
            sha256=frame.sha256, picture=sha256_hex(jpeg)[:16], captured_at=frame.captured_at, jpeg=jpeg
        )

    def take_detection(self, detection: Detection) -> None:
        camera = detection.camera_id
        if camera not in self._cameras:
            return
        known = self._seen.get(camera, ())
        if known and known[0].frame_at > detection.frame_at:
            return
        same = known if known and known[0].frame_sha256 == detection.frame_sha256 else ()
        others = tuple(each for each in same if each.detection_id != detection.detection_id)
        self._seen[camera] = (*others, detection)[-MAX_BOXES:]

    def take_coverage(self, span: Span) -> None:
        """Keeps the newest span of each pose and detector."""
        if span.camera_id not in self._cameras:
            return
        spans = self._spans.setdefault(span.camera_id, {})
        key = span.pose_id, span.detector
        if len(spans) < MAX_WATCHES or key in spans:
            known = spans.get(key)
            spans[key] = span if known is None or span.begins_at >= known.begins_at else known

    def jpeg(self, camera_id: str, picture: str) -> bytes | None:
        """The thumbnail with that id, while it is the newest or the one before."""
        known = (self._kept.get(camera_id), self._former.get(camera_id))
        return next((kept.jpeg for kept in known if kept is not None and kept.picture == picture), None)

    def views(self, now: datetime) -> tuple[CameraView, ...]:
        """Cameras with a detection first, then those that see, then the blind; each in the catalogue's order."""
        found = [self._view(camera, now) for camera in self._cameras.values()]
        return tuple(sorted(found, key=lambda view: (not view.boxes, view.is_blind)))

    def _view(self, camera: Camera, now: datetime) -> CameraView:
        kept = self._kept.get(camera.camera_id)
        coverage = _coverage(self._spans.get(camera.camera_id, {}).values(), now)
        if kept is None:
            return CameraView(camera=camera, picture="", captured_at=None, is_blind=True, boxes=(), coverage=coverage)
        is_blind = now - kept.captured_at > self._promise
        boxes = () if is_blind else tuple(self._boxes(self._seen.get(camera.camera_id, ()), kept))
        return CameraView(
            camera=camera,
            picture=kept.picture,
            captured_at=kept.captured_at,
            is_blind=is_blind,
            boxes=boxes,
            coverage=coverage,
        )

    @staticmethod
    def _boxes(detections: Iterable[Detection], kept: _Kept) -> Iterable[SeenBox]:
        for each in detections:
            is_of_picture = each.frame_sha256 == kept.sha256
            if is_of_picture or timedelta(0) <= kept.captured_at - each.frame_at <= _BOXES_LAST:
                yield SeenBox(
                    box=each.box, label=each.label, tier=each.tier, score=each.score, is_of_picture=is_of_picture
                )


def _coverage(spans: Iterable[Span], now: datetime) -> Coverage | None:
    """Of what was told lately: older spans say nothing of now."""
    lately = [span for span in spans if now - span.ends_at <= _SPANS_LAST * (span.ends_at - span.begins_at)]
    expected = sum(span.expected for span in lately)
    if not expected:
        return None
    reasons: Counter[str] = Counter()
    for span in lately:
        reasons.update(span.reasons)
    ((reason, _),) = reasons.most_common(1) or (("", 0),)
    return Coverage(share=sum(span.analysed for span in lately) / expected, reason=reason)


def thumbnail(frame: Frame, jpeg: bytes) -> bytes:
    """Returns a JPEG of at most 640 pixels' width, decoded at the scale that is needed.

    Raises:
        InvalidRecord: the bytes are no picture that can be read.
    """
    import numpy as np

    from ioc.opencv import cv2

    width, _ = inspect_jpeg(jpeg)
    scale = next((scale for scale in (8, 4, 2) if width // scale >= WIDTH_PX), 1)
    mode = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4}.get(
        scale, cv2.IMREAD_REDUCED_COLOR_8
    )
    picture = cv2.imdecode(np.frombuffer(jpeg, dtype=np.uint8), mode)
    if picture is None:
        raise InvalidRecord(
            "truncated_jpeg",
            field="value",
            vi=f"Không giải mã được ảnh của camera {frame.camera_id}.",
            en=f"the picture of camera {frame.camera_id} can't be decoded",
        )
    height, width = picture.shape[:2]
    if width > WIDTH_PX:
        picture = cv2.resize(picture, (WIDTH_PX, round(height * WIDTH_PX / width)), interpolation=cv2.INTER_AREA)
    is_made, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    assert is_made, "a decoded picture can be encoded"
    return bytes(encoded.tobytes())
