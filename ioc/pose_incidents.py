"""What one pose sees over time: detections at one place of its picture are one incident. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType

from ioc.detections import Box, Detection
from ioc.incidents import REPUBLISH, Incident, Kind, Place, kind_of, runbook_of
from ioc.places.crossing import Sight

__all__ = ["Tracked", "observe"]

_NOBODY: Mapping[str, datetime] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """An incident of one pose, when it was last told, and where it was last seen: a plume and a house grow.

    `sight` is its best bearing. What other cameras see of the same thing is told under one id: `head` is that of the
    incident it was joined to, "" where it is told under its own; `is_told` says whether its own was ever told, and
    `maybe` names those that may be the same thing.
    """

    incident: Incident
    told_at: datetime
    last_box: Box
    sight: Sight | None = None
    head: str = ""
    is_told: bool = False
    maybe: tuple[str, ...] = ()


def observe(
    tracked: Sequence[Tracked],
    detection: Detection,
    *,
    place: Place,
    sight: Sight | None = None,
    seen_elsewhere: Mapping[str, datetime] = _NOBODY,
    permit_rule: str = "",
    permit_id: str = "",
) -> tuple[tuple[Tracked, ...], Incident | None]:
    """Returns the pose's incidents after `detection`, and the incident to publish where there is something to tell.

    `seen_elsewhere` tells by id when other cameras saw what is joined: that is not over while one of them sees it. The
    same detection again changes nothing; one that comes late joins its incident without moving it back.
    """
    kind = kind_of(detection.label)
    last_seen = {
        t.incident.incident_id: max(
            t.incident.last_seen_at, seen_elsewhere.get(t.head or t.incident.incident_id, t.incident.last_seen_at)
        )
        for t in tracked
    }
    kept = tuple(
        t for t in tracked if detection.frame_at - last_seen[t.incident.incident_id] < kind_of(t.incident.kind).quiet
    )
    known = _match(kept, detection, kind, last_seen)
    if known is None:
        incident = _new(detection, kind, place, permit_rule, permit_id)
        new = Tracked(incident=incident, told_at=detection.frame_at, last_box=detection.box, sight=sight)
        return (*kept, new), incident
    after, is_told = _seen_again(known, detection)
    if after is not known and sight is not None and (known.sight is None or sight.sd_deg < known.sight.sd_deg):
        after = replace(after, sight=sight)
    rest = tuple(after if t is known else t for t in kept)
    return rest, after.incident if is_told else None


def _match(
    tracked: Sequence[Tracked], detection: Detection, kind: Kind, last_seen: Mapping[str, datetime]
) -> Tracked | None:
    """The incident that the detection belongs to: an open one before a candidate, then the nearest."""
    area = detection.box.grown(kind.reach)
    is_zone_enough = kind.is_by_zone and bool(detection.zone_id)
    fits = [
        t
        for t in tracked
        if t.incident.kind == detection.label
        and t.incident.first_frame_at - kind.quiet < detection.frame_at
        and detection.frame_at < last_seen[t.incident.incident_id] + kind.quiet
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
        runbook=f"/runbooks/{runbook_of(detection.label)}",
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
            severity=kind_of(incident.kind).severity,
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
        return replace(known, incident=after, last_box=detection.box), False
    after = replace(after, revision=incident.revision + 1)
    return replace(known, incident=after, told_at=detection.frame_at, last_box=detection.box), True


def _opens(incident: Incident, detection: Detection) -> bool:
    return incident.state == "candidate" and detection.tier == "alarm"
