"""Incidents of the last weeks that are over: what the figures about alerts need, and nobody in a demo would do.

They are told once, resolved or dismissed, so that on-call calls nobody; their ids begin with `sim-`.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from random import Random

from ioc.detections import Box
from ioc.incidents import KINDS, Incident
from ioc.simulate.lives import Step

__all__ = ["past_incidents"]

_SMOKE, _SMOKE_DAYS = 26, 6.0
_CONSTRUCTION, _CONSTRUCTION_DAYS = 9, 28.0
_NEWEST_AGE = timedelta(hours=3)  # over by now, whatever was done about it
_VERDICTS: Mapping[str, Mapping[str, float]] = {
    "smoke": {"true_positive": 62, "false_positive": 16, "other_smoke": 16, "unsure": 6},
    "construction": {"true_positive": 70, "false_positive": 20, "unsure": 10},
}
_PERMIT_RULES = {"no_permit": 6, "outside_dates": 2, "permit_valid": 2}


def past_incidents(rng: Random, run: str, start: datetime, cameras: Mapping[str, str]) -> Iterator[Step]:
    """Yields each incident's actions and, last, its final state. `cameras`: id to commune; without any, nothing.

    No `incident.changed` of these is ever in state `open`, and none lies within the last hour.
    """
    kinds = [("smoke", _SMOKE_DAYS)] * _SMOKE + [("construction", _CONSTRUCTION_DAYS)] * _CONSTRUCTION
    for number, (kind, days) in enumerate(kinds if cameras else ()):
        opened_at = start - _NEWEST_AGE - timedelta(days=days) * rng.random() ** 1.5
        verdict = rng.choices(tuple(_VERDICTS[kind]), weights=tuple(_VERDICTS[kind].values()))[0]
        incident_id = f"sim-{run}-{number:03d}"
        camera_id = rng.choice(tuple(cameras))
        is_true = verdict == "true_positive"
        yield from _actions(rng, incident_id, opened_at, verdict)
        over_at = opened_at + timedelta(minutes=rng.uniform(50, 110))
        incident = _incident(rng, incident_id, kind, camera_id, cameras[camera_id], opened_at, is_true)
        yield Step(event="incident.changed", at=over_at, time_field="", data=incident.as_json(), system="")


def _actions(rng: Random, incident_id: str, opened_at: datetime, verdict: str) -> Iterator[Step]:
    noticed_at = opened_at + timedelta(seconds=rng.uniform(1, 6))
    taken_at = noticed_at + timedelta(seconds=rng.lognormvariate(4.9, 0.5))
    judged_at = taken_at + timedelta(minutes=rng.uniform(4, 35))
    ending = "resolved" if verdict == "true_positive" else "dismissed"
    done: tuple[tuple[str, datetime, dict[str, object]], ...] = (
        ("notified", noticed_at, {"actor_role": "system", "channel": "webhook", "level": 1}),
        ("acknowledged", taken_at, {"actor_role": "operator", "level": 1}),
        ("verdict", judged_at, {"actor_role": "operator", "verdict": verdict}),
        (ending, judged_at + timedelta(minutes=2), {"actor_role": "operator"}),
    )
    for action, at, more in done:
        data = {"incident_id": incident_id, "action": action, **more}
        yield Step(event="incident.action", at=at, time_field="at", data=data, system="")


def _incident(
    rng: Random, incident_id: str, kind: str, camera_id: str, unit: str, opened_at: datetime, is_true: bool
) -> Incident:
    return Incident(
        incident_id=incident_id,
        kind=kind,
        state="resolved" if is_true else "dismissed",
        severity=KINDS[kind].severity,
        revision=3,
        camera_id=camera_id,
        pose_id="p0",
        admin_unit=unit,
        place_vi="Sự cố mô phỏng",
        place_en="Simulated incident",
        lon=None,
        lat=None,
        azimuth_deg=None,
        box=Box(cx=0.5, cy=0.5, w=0.1, h=0.1),
        first_frame_at=opened_at - timedelta(seconds=rng.uniform(12, 75)),
        opened_at=opened_at,
        last_seen_at=opened_at + timedelta(minutes=rng.uniform(5, 45)),
        peak_score=round(rng.uniform(0.55, 0.97), 3),
        detections=rng.randint(4, 60),
        evidence="",
        evidence_sha256="",
        runbook=f"/runbooks/{kind}",
        permit_rule=rng.choices(tuple(_PERMIT_RULES), weights=tuple(_PERMIT_RULES.values()))[0]
        if kind == "construction"
        else "",
    )
