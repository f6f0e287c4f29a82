"""Incidents as on-call's JSON tells them, in the form that the wall shows. Pure, and patient with fields that miss."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ioc.oncall.kinds import ALERTS_SILENT, ALERTS_TRUNCATED, CANARY_SILENT, CONFIG_BROKEN, TERM_OVERDUE, TEST
from ioc.oncall.notices_lines import RULE_WORDS
from ioc.oncall.pages_case import STAGE_WORDS
from ioc.places.ellipse import Ellipse
from ioc.wall.panels import Language

__all__ = ["CANDIDATE", "LIVE", "MAX_ALERTS", "MAX_CANDIDATES", "Alert", "alerts_of", "kind_name"]

MAX_ALERTS = 100
LIVE = ("open", "acknowledged")
CANDIDATE = "candidate"
MAX_CANDIDATES = 20
_MAX_BEARINGS = 12  # of one incident on the map
_SEVERITIES = {"critical": 0, "warning": 1, "info": 2}
_KINDS: Mapping[str, tuple[str, str]] = {
    "smoke": ("Nghi khói, cháy", "Smoke or fire"),  # shorter than a notice's: read from three metres
    "construction": ("Nghi xây dựng trái phép", "Unpermitted building"),
    CANARY_SILENT: ("Dây chuyền báo động đứt", "The alarm chain is broken"),
    ALERTS_SILENT: ("Prometheus, Alertmanager im lặng", "Prometheus or Alertmanager is silent"),
    ALERTS_TRUNCATED: ("Alertmanager gửi thiếu cảnh báo", "Alertmanager sends less than it has"),
    CONFIG_BROKEN: ("Cấu hình trực không đọc được", "The on-call plan can't be read"),
    TERM_OVERDUE: ("Hồ sơ công trình quá hạn", "A building case is overdue"),
    TEST: ("Thử kênh báo", "A test of the channels"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One incident that is not over, or an early sight that nobody is called for. `owner`: who has it, "" while nobody
    has taken it. `bearings`: (camera, azimuth) of every sighting. `ellipse`: where it is with 95 %, around `lon` and
    `lat`; None while these are only the camera's. `note`: what the law says of building work, and how far it is."""

    incident_id: str
    kind: str
    title_vi: str
    title_en: str
    state: str
    severity: str
    camera_id: str
    place_vi: str
    place_en: str
    opened_at: datetime | None
    owner: str
    is_exercise: bool
    lon: float | None
    lat: float | None
    bearings: tuple[tuple[str, float], ...]
    ellipse: Ellipse | None
    note_vi: str = ""
    note_en: str = ""

    def note(self, language: Language) -> str:
        return self.note_vi if language == "vi" else self.note_en

    def place(self, language: Language) -> str:
        return self.place_vi if language == "vi" else self.place_en or self.place_vi

    def title(self, language: Language) -> str:
        return self.title_vi if language == "vi" else self.title_en

    @property
    def is_candidate(self) -> bool:
        """Only the early tier has seen it: shown as unconfirmed, and it makes no sound."""
        return self.state == CANDIDATE

    @property
    def is_taken(self) -> bool:
        return self.state == "acknowledged" or bool(self.owner)


def kind_name(kind: str, language: Language) -> str:
    """A kind that a province has added is called by its id."""
    return _KINDS.get(kind, (kind.replace("_", " "),) * 2)[0 if language == "vi" else 1]


def alerts_of(*bodies: Any) -> tuple[Alert, ...]:
    """Returns the incidents that are open or taken, the gravest first, of these the newest, at most a hundred; then
    early sights in the same order, at most twenty.

    Raises:
        ValueError: a body is no answer of on-call.
    """
    found: dict[str, Alert] = {}
    for body in bodies:
        rows = body.get("incidents") if isinstance(body, dict) else None
        if not isinstance(rows, list):
            raise ValueError("the answer holds no list of incidents")
        found |= {a.incident_id: a for row in rows if isinstance(row, dict) and (a := _alert(row)) is not None}
    ordered = sorted(found.values(), key=lambda a: a.opened_at.timestamp() if a.opened_at else 0.0, reverse=True)
    ordered.sort(key=lambda alert: _SEVERITIES.get(alert.severity, 1))
    real = [alert for alert in ordered if not alert.is_candidate]
    early = [alert for alert in ordered if alert.is_candidate]
    return (*real[:MAX_ALERTS], *early[:MAX_CANDIDATES])


def _alert(row: Mapping[str, Any]) -> Alert | None:
    life = row.get("life")
    told = {**row, **life} if isinstance(life, dict) else row
    state = _text(told, "oncall_state") or _text(told, "state")
    if state not in (*LIVE, CANDIDATE):
        return None
    kind = _text(row, "kind")
    lon, lat = _point(row.get("geo"))
    return Alert(
        incident_id=_text(row, "incident_id"),
        kind=kind,
        title_vi=_text(row, "title_vi") or kind_name(kind, "vi"),
        title_en=_text(row, "title_en") or kind_name(kind, "en"),
        state=state,
        severity=_text(row, "severity") or "warning",
        camera_id=_text(row, "camera_id"),
        place_vi=_text(row, "place_vi"),
        place_en=_text(row, "place_en"),
        opened_at=_moment(told.get("opened_at")) or _moment(row.get("first_frame_at")),
        owner=_text(told, "owner_name") or _text(told, "owner") or _text(told, "assignee"),
        is_exercise=bool(told.get("is_exercise") or told.get("exercise")),
        lon=lon,
        lat=lat,
        bearings=_bearings(row),
        ellipse=_ellipse(row.get("ellipse")) if row.get("located_by") in ("crossing", "terrain") else None,
        note_vi=_note(row, 0),
        note_en=_note(row, 1),
    )


def _note(row: Mapping[str, Any], language: int) -> str:
    """Of building work: the rule that it is judged by, and the stage that was seen last."""
    rule, case = _text(row, "permit_rule"), row.get("case")
    if not rule or not isinstance(case, dict):
        return ""
    stages = case.get("stages")
    last = stages[-1] if isinstance(stages, list) and stages and isinstance(stages[-1], dict) else {}
    stage = _text(last, "stage")
    parts = (RULE_WORDS.get(rule, (rule,) * 2)[language], STAGE_WORDS.get(stage, (stage,) * 2)[language])
    return " · ".join(part for part in parts if part)


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return value[:200] if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _bearings(row: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
    """Of the sightings; the incident's own, which is of its first frame, where it tells none."""
    sightings = row.get("sightings")
    told = [each for each in sightings if isinstance(each, dict)] if isinstance(sightings, list) else None
    found = [(_text(each, "camera_id"), _number(each.get("azimuth_deg"))) for each in told or (row,)]
    known = dict.fromkeys((camera, azimuth_deg) for camera, azimuth_deg in found if azimuth_deg is not None)
    return tuple(known)[:_MAX_BEARINGS]


def _ellipse(told: Any) -> Ellipse | None:
    if not isinstance(told, dict):
        return None
    long_m, short_m, azimuth_deg = (_number(told.get(name)) for name in ("semi_major_m", "semi_minor_m", "azimuth_deg"))
    if long_m is None or short_m is None or azimuth_deg is None:
        return None
    return Ellipse(semi_major_m=long_m, semi_minor_m=short_m, azimuth_deg=azimuth_deg)


def _point(geo: Any) -> tuple[float | None, float | None]:
    try:
        lon, lat = geo["coordinates"]
        return float(lon), float(lat)
    except (TypeError, KeyError, ValueError):
        return None, None


def _moment(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo is not None else None
