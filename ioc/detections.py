"""Detections: one box on one frame from one detector, and what a box is."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Literal

import msgspec

__all__ = ["DETECTIONS_TOPIC", "DETECTION_TYPE", "Box", "Detection", "Tier", "box_fields", "require_offsets"]

DETECTIONS_TOPIC = "ioc.camera.detections"
DETECTION_TYPE = "vn.ioc.camera.detection.v1"

Tier = Literal["watch", "alarm", "clear"]
"""`watch` is early and unconfirmed (shown, nobody is called); `alarm` is what becomes an alert; `clear` says that what
the same detector alarmed for at this pose under this label is over."""


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned rectangle: centre, width and height as shares of the picture's width and height (0–1)."""

    cx: float
    cy: float
    w: float
    h: float

    @classmethod
    def from_edges(cls, x0: float, y0: float, x1: float, y1: float) -> "Box":
        return cls((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0)

    @classmethod
    def from_list(cls, values: Sequence[float]) -> "Box":
        """From [centre-x, centre-y, width, height], as in a manifest and in a detection's JSON."""
        cx, cy, w, h = (float(value) for value in values)
        return cls(cx, cy, w, h)

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """(left, top, right, bottom)."""
        return self.cx - self.w / 2, self.cy - self.h / 2, self.cx + self.w / 2, self.cy + self.h / 2

    def as_list(self) -> list[float]:
        return [round(value, 5) for value in (self.cx, self.cy, self.w, self.h)]

    def intersection(self, other: "Box") -> float:
        """Shared area, in shares of the picture."""
        ax0, ay0, ax1, ay1 = self.edges
        bx0, by0, bx1, by1 = other.edges
        return max(0.0, min(ax1, bx1) - max(ax0, bx0)) * max(0.0, min(ay1, by1) - max(ay0, by0))

    def overlaps(self, other: "Box") -> bool:
        return self.intersection(other) > 0.0

    def iou(self, other: "Box") -> float:
        """Intersection over union, 0–1."""
        shared = self.intersection(other)
        union = self.w * self.h + other.w * other.h - shared
        return shared / union if union > 0 else 0.0

    def grown(self, margin: float) -> "Box":
        """The same centre, `margin` (a share of the picture) wider on every side."""
        return Box(self.cx, self.cy, self.w + 2 * margin, self.h + 2 * margin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """What one detector saw on one frame. `persisted_s` is how long it has stood there; `cues` say why it fired."""

    detection_id: str
    camera_id: str
    pose_id: str
    label: str
    tier: Tier
    score: float
    box: Box
    frame_at: datetime
    frame_sha256: str
    frame_ref: str
    detector: str
    detector_version: str
    first_seen_at: datetime
    persisted_s: float
    cues: tuple[str, ...] = ()
    zone_id: str = ""
    azimuth_deg: float | None = None
    extra: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """The `data` of the CloudEvent: names of `camera.detection` in the catalogue, times in RFC 3339."""
        data = asdict(self)
        data["bbox"] = self.box.as_list()
        del data["box"]
        for name in ("frame_at", "first_seen_at"):
            data[name] = data[name].isoformat()
        data["score"] = round(self.score, 4)
        data["persisted_s"] = round(self.persisted_s, 3)
        return data

    @classmethod
    def from_json(cls, data: dict[str, object]) -> "Detection":
        """The inverse of `as_json`; fields it does not know are left out.

        Raises:
            ValueError: a field is missing or of the wrong type, a time has no offset, a box is none.
        """
        found = msgspec.convert({**data, "box": box_fields(data.get("bbox"))}, cls)
        require_offsets(found.frame_at, found.first_seen_at)
        return found


def box_fields(values: object) -> dict[str, object]:
    """[cx, cy, w, h] as the fields of a Box. Raises ValueError on anything else."""
    if not isinstance(values, list) or len(values) != 4:
        raise ValueError(f"bbox must be [centre-x, centre-y, width, height], not {str(values)[:60]}")
    return dict(zip(("cx", "cy", "w", "h"), values, strict=True))


def require_offsets(*moments: datetime | None) -> None:
    """Raises ValueError where a time has no offset."""
    if any(moment is not None and moment.tzinfo is None for moment in moments):
        raise ValueError("a time has no offset")
