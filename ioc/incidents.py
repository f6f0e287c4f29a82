"""Incidents: detections of one thing over time. Pure: detections in, changed incidents out.

    candidate ──(an alarm)──▶ open ──(on-call)──▶ acknowledged ──▶ resolved or dismissed
                               └──(a detector's `clear`; a permit, a decision)──▶ resolved

Detections of one kind at one place of one pose are the same incident while they are less than the kind's quiet time
apart. The state here ends at `open`; what people do with an incident is on-call's. What several cameras see of one fire
becomes one incident in `ioc.incident_book`: only that tells `resolved`, of an incident that was joined to another or
that is over by itself (a camera's fault). Building work that turns out to be permitted is `resolved` too, and open
again when the permit is withdrawn.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from ioc.building_case import BuildingCase
from ioc.detections import Box, box_fields, require_offsets
from ioc.places.ellipse import Ellipse

__all__ = [
    "CAMERA_FAULTS",
    "INCIDENTS_TOPIC",
    "INCIDENT_TYPE",
    "KINDS",
    "OFFLINE",
    "REPUBLISH",
    "Incident",
    "Kind",
    "LocatedBy",
    "Place",
    "Severity",
    "Sighting",
    "State",
    "kind_of",
    "runbook_of",
]

INCIDENTS_TOPIC = "ioc.incidents"
INCIDENT_TYPE = "vn.ioc.incident.changed.v1"

State = Literal["candidate", "open", "acknowledged", "resolved", "dismissed"]
Severity = Literal["info", "warning", "critical"]
LocatedBy = Literal["camera", "terrain", "crossing", "ground"]
"""What the coordinates are of: the camera itself, a distance along one bearing, where bearings cross, or a place in the
picture that the pose's ground map knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What one pose has seen of an incident. The azimuth is the best one, with its standard deviation; `box` and
    evidence are of the frame that raised the alarm there."""

    camera_id: str
    pose_id: str
    azimuth_deg: float | None
    azimuth_sd_deg: float | None
    box: Box
    first_frame_at: datetime
    last_seen_at: datetime
    peak_score: float
    evidence: str
    evidence_sha256: str

    def as_json(self) -> dict[str, Any]:
        data: dict[str, Any] = asdict(self)
        del data["box"]
        data["bbox"] = self.box.as_list()
        for name in ("first_frame_at", "last_seen_at"):
            data[name] = data[name].isoformat()
        return data


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One thing that happened, as `ioc.incidents` carries it (`incident.changed` in the catalogue).

    `candidate`: only the early tier has seen it, nobody is called. `open`: an alert is due.
    `revision` counts the published changes of this incident from 1; camera, pose, `box` and evidence are of the frame
    that opened it (of the first watch frame while it is a candidate).

    `lon`, `lat` are the camera's until `located_by` says otherwise; then `ellipse` holds the place with 95 %, and
    `uncertainty_m` is its long half axis. Without a place `place_reason` is a code of why (`ioc.places.crossing`).
    `sightings` are all poses that see it. `maybe_same` are incidents that may be the same fire, in doubt kept apart;
    `joined_into` is the incident that this one turned out to be, told once with `resolved`. `case` is that of building
    work: how it was judged, what was built when, how it was decided.
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
    located_by: LocatedBy = "camera"
    uncertainty_m: float | None = None
    ellipse: Ellipse | None = None
    place_reason: str = ""
    sightings: tuple[Sighting, ...] = ()
    maybe_same: tuple[str, ...] = ()
    joined_into: str = ""
    case: BuildingCase | None = None
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def told_of_at(self) -> datetime:
        """The time of what it tells: last seen, or judged or decided since."""
        changed_at = self.case.changed_at if self.case is not None else None
        return self.last_seen_at if changed_at is None else max(self.last_seen_at, changed_at)

    def as_json(self) -> dict[str, Any]:
        """The `data` of the CloudEvent; times in RFC 3339, `bbox` as [cx, cy, w, h], `geo` as GeoJSON Point or null."""
        data: dict[str, Any] = asdict(self)
        data["sightings"] = [sighting.as_json() for sighting in self.sightings]
        del data["box"]
        data["case"] = msgspec.to_builtins(self.case)
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
        values = {**data, "box": box_fields(data.get("bbox")), "lon": lon, "lat": lat}
        if data.get("sightings"):
            values["sightings"] = [_with_box(sighting) for sighting in data["sightings"]]
        found = msgspec.convert(values, cls)
        moments = [moment for s in found.sightings for moment in (s.first_frame_at, s.last_seen_at)]
        if found.case is not None:
            moments += found.case.moments
        require_offsets(found.first_frame_at, found.opened_at, found.last_seen_at, *moments)
        return found


def _with_box(sighting: object) -> dict[str, Any]:
    if not isinstance(sighting, dict):
        raise ValueError("a sighting must be an object")
    return {**sighting, "box": box_fields(sighting.get("bbox"))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How incidents of one kind behave. `quiet`: unseen for this long, the next sight is another incident.

    `is_by_zone`: one zone is one thing, wherever in it the box lies (a plot, whose house grows storey by storey).
    `remembered`: unseen for up to this long, what its detector says to have stood there all the while is the same.
    `is_joined`: what several cameras see of one is one incident. `runbook`: its page, "" where it is named as the kind.
    """

    severity: Severity
    quiet: timedelta
    is_by_zone: bool = False
    remembered: timedelta = timedelta()
    is_joined: bool = False
    runbook: str = ""
    reach: float = 0.03  # a registered box shivers by a few pixels


CAMERA_FAULTS = ("frozen", "covered", "blurred", "moved", "over_exposed", "under_exposed", "dirty_lens", "clock_skew")
OFFLINE = "offline"
"""No pictures come from a camera."""
# Its detector says when a fault is over; one that nobody cleared (the worker was restarted meanwhile) stands for long.
_FAULT = Kind(severity="warning", quiet=timedelta(days=7), runbook="camera-fault")

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        # A plume leans, and its upper part drifts off: puffs beside it are the same fire, and nobody is called twice.
        "smoke": Kind(severity="critical", quiet=timedelta(minutes=30), is_joined=True, reach=0.12),
        # A site stands still over night and over a weekend of fog; it is the same site on Monday.
        "construction": Kind(
            severity="warning", quiet=timedelta(days=7), is_by_zone=True, remembered=timedelta(days=60)
        ),
        # Over night a stall is gone; in the morning it is the same one.
        "encroachment": Kind(severity="warning", quiet=timedelta(days=1), runbook="construction"),
        **dict.fromkeys(CAMERA_FAULTS, _FAULT),
        OFFLINE: replace(_FAULT, runbook="camera-blind"),
    }
)
_OTHER_KIND = Kind(severity="warning", quiet=timedelta(minutes=30))
REPUBLISH = timedelta(minutes=5)  # an open incident says again how it stands this often, not with every frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a camera pose looks, or a part of its picture is, in words and on the map."""

    admin_unit: str
    place_vi: str
    place_en: str
    lon: float | None = None
    lat: float | None = None
    azimuth_deg: float | None = None
    located_by: LocatedBy = "camera"
    uncertainty_m: float | None = None


def kind_of(label: str) -> Kind:
    """How incidents of this kind behave; one that nobody described is a warning."""
    return KINDS.get(label, _OTHER_KIND)


def runbook_of(kind: str) -> str:
    """The name of the page that says what to do about an incident of this kind."""
    return kind_of(kind).runbook or kind
