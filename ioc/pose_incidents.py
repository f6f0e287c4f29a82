"""What one pose sees over time: detections at one place of its picture are one incident. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType

from ioc.building_case import BuildingCase
from ioc.detections import Box, Detection
from ioc.incidents import REPUBLISH, Incident, Kind, Place, kind_of, runbook_of
from ioc.places.crossing import Sight

__all__ = ["Tracked", "matching", "observe", "standing"]

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
    case: BuildingCase | None = None,
) -> tuple[tuple[Tracked, ...], Incident | None]:
    """Returns the pose's incidents after `detection`, and the incident to publish where there is something to tell.

    `case` is there for building work, with what `detection` shows of it and how it is judged. `seen_elsewhere` tells by
    id when other cameras saw what is joined: that is not over while one of them sees it. The same detection again
    changes nothing; one that comes late joins its incident without moving it back.
    """
    kind = kind_of(detection.label)
    kept, last_seen = _unfinished(tracked, detection, seen_elsewhere)
    known = _match(kept, detection, kind, last_seen)
    if known is None:
        incident = _new(detection, kind, place, case)
        new = Tracked(incident=incident, told_at=detection.frame_at, last_box=detection.box, sight=sight)
        return (*kept, new), incident
    after, is_told = _seen_again(known, detection) if case is None else _work_seen_again(known, detection, case, place)
    if after is not known and sight is not None and (known.sight is None or sight.sd_deg < known.sight.sd_deg):
        after = replace(after, sight=sight)
    rest = tuple(after if t is known else t for t in kept)
    return rest, after.incident if is_told else None


def matching(tracked: Sequence[Tracked], detection: Detection) -> Incident | None:
    """The incident of a pose that `detection` is of; None where it is a new one's."""
    kept, last_seen = _unfinished(tracked, detection, _NOBODY)
    found = _match(kept, detection, kind_of(detection.label), last_seen)
    return found.incident if found is not None else None


def standing(incident: Incident, case: BuildingCase, at: datetime) -> Incident:
    """Building work with its case as it stands since `at`: over by a permit or a decision, or open again."""
    judged = case.judgements[-1]
    after = replace(incident, case=case, permit_rule=judged.rule, permit_id=judged.permit_id)
    if case.is_over:
        return replace(after, state="resolved")
    if not case.is_confirmed:
        return replace(after, state="candidate")
    severity = kind_of(incident.kind).severity
    return replace(after, state="open", severity=severity, opened_at=incident.opened_at or at)


def _unfinished(
    tracked: Sequence[Tracked], detection: Detection, seen_elsewhere: Mapping[str, datetime]
) -> tuple[tuple[Tracked, ...], Mapping[str, datetime]]:
    """The incidents that are not over, and by id when each was last seen, by whichever camera."""
    last_seen = {
        t.incident.incident_id: max(
            t.incident.last_seen_at, seen_elsewhere.get(t.head or t.incident.incident_id, t.incident.last_seen_at)
        )
        for t in tracked
    }
    kept = tuple(
        t
        for t in tracked
        if detection.frame_at - last_seen[t.incident.incident_id]
        < max(kind_of(t.incident.kind).quiet, kind_of(t.incident.kind).remembered)
    )
    return kept, last_seen


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
        and _is_unbroken(detection, kind, last_seen[t.incident.incident_id])
        and t.incident.zone_id == detection.zone_id
        and (is_zone_enough or area.overlaps(t.last_box) or area.overlaps(t.incident.box))
    ]
    if not fits:
        return None
    return min(fits, key=lambda t: (t.incident.state == "candidate", _distance(t.last_box, detection.box)))


def _is_unbroken(detection: Detection, kind: Kind, seen_at: datetime) -> bool:
    """Whether it is what was seen last at `seen_at`: soon after it, or it has stood there since before then."""
    away = detection.frame_at - seen_at
    return away < kind.quiet or (away < kind.remembered and detection.first_seen_at <= seen_at)


def _distance(a: Box, b: Box) -> float:
    return (a.cx - b.cx) ** 2 + (a.cy - b.cy) ** 2


def _new(detection: Detection, kind: Kind, place: Place, case: BuildingCase | None) -> Incident:
    is_alarm = detection.tier == "alarm" if case is None else case.is_confirmed
    mark = hashlib.sha256(detection.detection_id.encode()).hexdigest()[:8]
    stamp = detection.frame_at.astimezone(UTC).strftime("%Y%m%dT%H%M%S")
    judged = case.judgements[-1] if case is not None else None
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
        permit_rule=judged.rule if judged is not None else "",
        permit_id=judged.permit_id if judged is not None else "",
        located_by=place.located_by,
        uncertainty_m=place.uncertainty_m,
        case=case,
        cues=detection.cues,
        extra={"last_detection": detection.detection_id},
    )


def _seen_again(known: Tracked, detection: Detection) -> tuple[Tracked, bool]:
    incident = known.incident
    if detection.frame_at <= incident.last_seen_at and not _opens(incident, detection):
        return known, False
    after = _met_again(incident, detection)
    if _opens(incident, detection):
        after = replace(
            _pictured(after, detection),
            state="open",
            severity=kind_of(incident.kind).severity,
            opened_at=detection.frame_at,
        )
    is_told = _opens(incident, detection) or (
        incident.state == "open" and detection.frame_at - known.told_at >= REPUBLISH
    )
    return _followed(known, after, detection, is_told=is_told)


def _work_seen_again(known: Tracked, detection: Detection, case: BuildingCase, place: Place) -> tuple[Tracked, bool]:
    """As `_seen_again`, of building work: judgements and stages are news too, and what is permitted goes on unsaid."""
    before = known.incident
    if detection.frame_at <= before.last_seen_at and not (before.state == "candidate" and case.is_confirmed):
        return known, False
    after = standing(before, case, detection.frame_at)
    if after.state == "open" and before.state != "open":
        after = _pictured(after, detection)
    after = _met_again(after, detection)
    if place.located_by == "ground":
        after = replace(after, lon=place.lon, lat=place.lat, located_by="ground", uncertainty_m=place.uncertainty_m)
    old = before.case or BuildingCase()
    is_news = (after.state, case.judgements, case.stages) != (before.state, old.judgements, old.stages)
    is_due = after.state == "open" and detection.frame_at - known.told_at >= REPUBLISH
    return _followed(known, after, detection, is_told=is_news or is_due)


def _met_again(incident: Incident, detection: Detection) -> Incident:
    return replace(
        incident,
        last_seen_at=max(incident.last_seen_at, detection.frame_at),
        first_frame_at=min(incident.first_frame_at, detection.first_seen_at),
        peak_score=max(incident.peak_score, detection.score),
        detections=incident.detections + 1,
        extra={"last_detection": detection.detection_id},
    )


def _pictured(incident: Incident, detection: Detection) -> Incident:
    """The incident with this detection's picture, which is the one that people are shown."""
    return replace(
        incident,
        box=detection.box,
        evidence=detection.frame_ref,
        evidence_sha256=detection.frame_sha256,
        cues=detection.cues,
    )


def _followed(known: Tracked, after: Incident, detection: Detection, *, is_told: bool) -> tuple[Tracked, bool]:
    """What is tracked from now on, and whether it is told: then it is another revision."""
    if not is_told:
        return replace(known, incident=after, last_box=detection.box), False
    after = replace(after, revision=known.incident.revision + 1)
    return replace(known, incident=after, told_at=detection.frame_at, last_box=detection.box), True


def _opens(incident: Incident, detection: Detection) -> bool:
    return incident.state == "candidate" and detection.tier == "alarm"
