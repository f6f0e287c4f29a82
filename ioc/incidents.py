"""Incidents: detections of one thing over time. Pure: detections in, changed incidents out.

    candidate ──(an alarm)──▶ open ──(on-call)──▶ acknowledged ──▶ resolved or dismissed

Detections of one kind at one place of one pose are the same incident while they are less than the kind's quiet time
apart. The state here ends at `open`; what people do with an incident is on-call's.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from ioc.detections import Box, Detection, box_fields, require_offsets

__all__ = ["INCIDENTS_TOPIC", "INCIDENT_TYPE", "KINDS", "Incident", "Kind", "Place", "Severity", "State", "observe"]

INCIDENTS_TOPIC = "ioc.incidents"
INCIDENT_TYPE = "vn.ioc.incident.changed.v1"

State = Literal["candidate", "open", "acknowledged", "resolved", "dismissed"]
Severity = Literal["info", "warning", "critical"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One thing that happened, as `ioc.incidents` carries it (`incident.changed` in the catalogue).

    `candidate`: only the early tier has seen it, nobody is called. `open`: an alert is due.
    `revision` counts the published changes of this incident from 1; `box` is of the frame that opened it
    (of the first watch frame while it is a candidate).
    """

    incident_id: str
    kind: str
    state: State
    severity: Severity
    revision: int
    camera_id: str
    pose_id: str
    admin_unit: str
    place_vi: str
    place_en: str
    lon: float | None
    lat: float | None
    azimuth_deg: float | None
    box: Box
    first_frame_at: datetime
    opened_at: datetime | None
    last_seen_at: datetime
    peak_score: float
    detections: int
    evidence: str
    evidence_sha256: str
    runbook: str
    zone_id: str = ""
    permit_rule: str = ""
    permit_id: str = ""
    cues: tuple[str, ...] = ()
    extra: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The `data` of the CloudEvent; times in RFC 3339, `bbox` as [cx, cy, w, h], `geo` as GeoJSON Point or null."""
        data: dict[str, Any] = asdict(self)
        del data["box"]
        lon, lat = data.pop("lon"), data.pop("lat")
        data["bbox"] = self.box.as_list()
        data["geo"] = {"type": "Point", "coordinates": [lon, lat]} if lon is not None and lat is not None else None
        for name in ("first_frame_at", "opened_at", "last_seen_at"):
            data[name] = data[name].isoformat() if data[name] is not None else None
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Incident":
        """The inverse of `as_json`; fields it does not know are left out.

        Raises:
            ValueError: a field is missing or of the wrong type, a time has no offset, a box is none.
        """
        geo = data.get("geo")
        try:
            lon, lat = geo["coordinates"] if geo else (None, None)
        except (TypeError, KeyError):
            raise ValueError("geo must be a GeoJSON Point or null") from None
        found = msgspec.convert({**data, "box": box_fields(data.get("bbox")), "lon": lon, "lat": lat}, cls)
        require_offsets(found.first_frame_at, found.opened_at, found.last_seen_at)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How incidents of one kind behave. `quiet`: unseen for this long, the next sight is another incident.

    `is_by_zone`: one zone is one thing, wherever in it the box lies (a plot, whose house grows storey by storey).
    """

    severity: Severity
    quiet: timedelta
    is_by_zone: bool = False


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "smoke": Kind(severity="critical", quiet=timedelta(minutes=30)),
        # A site stands still over night and over a weekend of fog; it is the same site on Monday.
        "construction": Kind(severity="warning", quiet=timedelta(days=7), is_by_zone=True),
    }
)
_OTHER_KIND = Kind(severity="warning", quiet=timedelta(minutes=30))
MERGE_MARGIN = 0.03  # of the picture: a plume leans with the wind, a registered box shivers by a few pixels
REPUBLISH = timedelta(minutes=5)  # an open incident says again how it stands this often, not with every frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a camera pose looks, in words and on the map."""

    admin_unit: str
    place_vi: str
    place_en: str
    lon: float | None = None
    lat: float | None = None
    azimuth_deg: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """An incident of one pose, when it was last told, and where it was last seen: a plume and a house grow."""

    incident: Incident
    told_at: datetime
    last_box: Box


def observe(
    tracked: Sequence[Tracked],
    detection: Detection,
    *,
    place: Place,
    permit_rule: str = "",
    permit_id: str = "",
) -> tuple[tuple[Tracked, ...], Incident | None]:
    """Returns the pose's incidents after `detection`, and the incident to publish where there is something to tell.

    The same detection again changes nothing; one that comes late joins its incident without moving it back.
    """
    kind = KINDS.get(detection.label, _OTHER_KIND)
    kept = tuple(t for t in tracked if detection.frame_at - t.incident.last_seen_at < _quiet(t.incident))
    known = _match(kept, detection, kind)
    if known is None:
        incident = _new(detection, kind, place, permit_rule, permit_id)
        return (*kept, Tracked(incident=incident, told_at=detection.frame_at, last_box=detection.box)), incident
    after, is_told = _seen_again(known, detection)
    rest = tuple(after if t is known else t for t in kept)
    return rest, after.incident if is_told else None


def _quiet(incident: Incident) -> timedelta:
    return KINDS.get(incident.kind, _OTHER_KIND).quiet


def _match(tracked: Sequence[Tracked], detection: Detection, kind: Kind) -> Tracked | None:
    """The incident that the detection belongs to: an open one before a candidate, then the nearest."""
    area = detection.box.grown(MERGE_MARGIN)
    is_zone_enough = kind.is_by_zone and bool(detection.zone_id)
    fits = [
        t
        for t in tracked
        if t.incident.kind == detection.label
        and t.incident.first_frame_at - kind.quiet < detection.frame_at < t.incident.last_seen_at + kind.quiet
        and t.incident.zone_id == detection.zone_id
        and (is_zone_enough or area.overlaps(t.last_box) or area.overlaps(t.incident.box))
    ]
    if not fits:
        return None
    return min(fits, key=lambda t: (t.incident.state == "candidate", _distance(t.last_box, detection.box)))


def _distance(a: Box, b: Box) -> float:
    return (a.cx - b.cx) ** 2 + (a.cy - b.cy) ** 2


def _new(detection: Detection, kind: Kind, place: Place, permit_rule: str, permit_id: str) -> Incident:
    is_alarm = detection.tier == "alarm"
    mark = hashlib.sha256(detection.detection_id.encode()).hexdigest()[:8]
    stamp = detection.frame_at.astimezone(UTC).strftime("%Y%m%dT%H%M%S")
    return Incident(
        incident_id=f"{detection.label}-{detection.camera_id}-{detection.pose_id}-{stamp}-{mark}",
        kind=detection.label,
        state="open" if is_alarm else "candidate",
        severity=kind.severity if is_alarm else "info",
        revision=1,
        camera_id=detection.camera_id,
        pose_id=detection.pose_id,
        admin_unit=place.admin_unit,
        place_vi=place.place_vi,
        place_en=place.place_en,
        lon=place.lon,
        lat=place.lat,
        azimuth_deg=detection.azimuth_deg if detection.azimuth_deg is not None else place.azimuth_deg,
        box=detection.box,
        first_frame_at=detection.first_seen_at,
        opened_at=detection.frame_at if is_alarm else None,
        last_seen_at=detection.frame_at,
        peak_score=detection.score,
        detections=1,
        evidence=detection.frame_ref,
        evidence_sha256=detection.frame_sha256,
        runbook=f"/runbooks/{detection.label}",
        zone_id=detection.zone_id,
        permit_rule=permit_rule,
        permit_id=permit_id,
        cues=detection.cues,
        extra={"last_detection": detection.detection_id},
    )


def _seen_again(known: Tracked, detection: Detection) -> tuple[Tracked, bool]:
    incident = known.incident
    if detection.frame_at <= incident.last_seen_at and not _opens(incident, detection):
        return known, False
    after = replace(
        incident,
        last_seen_at=max(incident.last_seen_at, detection.frame_at),
        first_frame_at=min(incident.first_frame_at, detection.first_seen_at),
        peak_score=max(incident.peak_score, detection.score),
        detections=incident.detections + 1,
        extra={"last_detection": detection.detection_id},
    )
    if _opens(incident, detection):
        after = replace(
            after,
            state="open",
            severity=KINDS.get(incident.kind, _OTHER_KIND).severity,
            opened_at=detection.frame_at,
            box=detection.box,
            evidence=detection.frame_ref,
            evidence_sha256=detection.frame_sha256,
            cues=detection.cues,
        )
    is_told = _opens(incident, detection) or (
        incident.state == "open" and detection.frame_at - known.told_at >= REPUBLISH
    )
    if not is_told:
        return Tracked(incident=after, told_at=known.told_at, last_box=detection.box), False
    after = replace(after, revision=incident.revision + 1)
    return Tracked(incident=after, told_at=detection.frame_at, last_box=detection.box), True


def _opens(incident: Incident, detection: Detection) -> bool:
    return incident.state == "candidate" and detection.tier == "alarm"
