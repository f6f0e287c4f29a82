"""An exercise: an invented incident that goes the way of a real one, and what it shows of those who were called.

Marked where nobody can overlook it: in its place's name (which every message and page shows), and as `exercise` in its
record and in every action about it, which the figures leave out. No detection, no picture.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from ioc.cloudevents import encode_json
from ioc.detections import Box
from ioc.incidents import INCIDENT_TYPE, KINDS, Incident
from ioc.oncall.lifecycle import Actor
from ioc.oncall.models import InboxIncident
from ioc.oncall.store import Store
from ioc.oncall.store_reading import IncidentView

__all__ = ["DRILL", "Score", "exercise_incident", "exercise_record", "past_exercises", "score_of"]

DRILL = Actor(actor_id="drill", name="ioc oncall drill", role="system", door="cli")


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How an exercise went; seconds count from when the incident was published. None: it did not happen."""

    incident_id: str
    kind: str
    admin_unit: str
    began_at: datetime
    state: str
    first_notice_s: float | None
    acknowledged_s: float | None
    acknowledged_by: str
    closed_s: float | None
    escalations: int
    called: tuple[str, ...]
    notices_sent: int
    notices_failed: int
    steps_ticked: int
    is_nobody_on_roster: bool

    @property
    def is_passed(self) -> bool:
        """Somebody was told, and somebody has taken it before anybody else had to be called."""
        return self.first_notice_s is not None and self.acknowledged_s is not None and not self.escalations

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "began_at": self.began_at.isoformat(), "passed": self.is_passed}


def exercise_incident(kind: str, *, unit: str, unit_names: tuple[str, str], mark: str, now: datetime) -> Incident:
    """The invented incident, opened `now`. `mark` makes its id unlike any other's of this second."""
    vi, en = unit_names
    return Incident(
        incident_id=f"exercise-{kind}-{now:%Y%m%dT%H%M%S}-{mark}",
        kind=kind,
        state="open",
        severity=KINDS[kind].severity,
        revision=1,
        camera_id="",
        pose_id="",
        admin_unit=unit,
        place_vi=f"DIỄN TẬP{': ' + vi if vi else ''}",
        place_en=f"EXERCISE{': ' + en if en else ''}",
        lon=None,
        lat=None,
        azimuth_deg=None,
        box=Box(0.5, 0.5, 1.0, 1.0),
        first_frame_at=now,
        opened_at=now,
        last_seen_at=now,
        peak_score=1.0,
        detections=1,
        evidence="",
        evidence_sha256="",
        runbook=f"/runbooks/{kind}",
        extra={
            "exercise": "true",
            "description_vi": "Đây là DIỄN TẬP: làm như thật, nhưng không gọi 114 hay đơn vị ngoài.",
            "description_en": "This is an EXERCISE: act as if it were real, but do not call 114 or anybody outside.",
        },
    )


def exercise_record(incident: Incident, *, province: str) -> tuple[bytes, bytes, tuple[tuple[str, bytes], ...]]:
    """Returns (key, value, headers) for `ioc.incidents`."""
    value, headers = encode_json(
        {**incident.as_json(), "exercise": True},
        event_id=f"{incident.incident_id}/{incident.revision}",
        event_type=INCIDENT_TYPE,
        source=f"/{province}/incidents",
        at=incident.last_seen_at,
    )
    return incident.incident_id.encode(), value, headers


def score_of(view: IncidentView) -> Score:
    """The score so far."""
    began_at = datetime.fromisoformat(str(view.row.payload["opened_at"]))
    sent = [notice.sent_at for notice in view.notices if notice.sent_at is not None]
    taken = next((entry for entry in view.audit if entry.action == "acknowledge"), None)
    life = view.row.life

    def since(moment: datetime | None) -> float | None:
        return None if moment is None else round(max(0.0, (moment - began_at).total_seconds()), 3)

    return Score(
        incident_id=view.row.incident_id,
        kind=view.row.kind,
        admin_unit=view.row.unit,
        began_at=began_at,
        state=life.state,
        first_notice_s=since(min(sent, default=None)),
        acknowledged_s=since(taken.at if taken else None),
        acknowledged_by=taken.actor_name if taken else "",
        closed_s=since(life.closed_at),
        escalations=sum(entry.action == "escalated" for entry in view.audit),
        called=tuple(dict.fromkeys(notice.name for notice in view.notices)),
        notices_sent=len(sent),
        notices_failed=sum(notice.status == "failed" for notice in view.notices),
        steps_ticked=sum(tick.is_done for tick in view.ticks),
        is_nobody_on_roster=any(entry.action == "nobody_on_roster" for entry in view.audit),
    )


async def past_exercises(store: Store, *, limit: int) -> Sequence[Score]:
    """The newest first."""
    query = (
        select(InboxIncident.incident_id)
        .where(InboxIncident.is_exercise.is_(True))
        .order_by(InboxIncident.received_at.desc())
        .limit(limit)
    )
    async with AsyncSession(store.engine) as session:
        found = list(await session.scalars(query))
    views = [await store.incident(incident_id) for incident_id in found]
    return [score_of(view) for view in views if view is not None]
