"""Incidents: detections of one thing over time. Pure: detections and the time in, changed incidents out."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from ioc.detections import Box

__all__ = ["INCIDENTS_TOPIC", "INCIDENT_TYPE", "Incident", "Severity", "State"]

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
        """The inverse of `as_json`. Raises KeyError, TypeError or ValueError on anything else."""
        values = dict(data)
        values["box"] = Box.from_list(values.pop("bbox"))
        geo = values.pop("geo", None)
        values["lon"], values["lat"] = geo["coordinates"] if geo else (None, None)
        for name in ("first_frame_at", "opened_at", "last_seen_at"):
            values[name] = datetime.fromisoformat(values[name]) if values.get(name) else None
        values["cues"] = tuple(values.get("cues", ()))
        return cls(**values)
