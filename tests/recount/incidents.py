"""Cameras, and the incidents that they and people tell of."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from tests.recount.accepting import Fact
from tests.recount.lifetimes import Lives, Province, Share, newest, newest_time, of_type, share_of_one, unit_of

__all__ = ["cameras_online", "disaster_alert", "disaster_incident", "incident"]

WITH_A_PERMIT = ("permit_valid", "valid", "valid_permit", "permitted")


def cameras_online(lives: Lives, province: Province) -> Iterator[Share]:
    """One share for each registered camera, also for one never heard or deleted."""
    heard = {key[0]: facts for key, facts in lives["camera_heartbeat"].items()}
    for camera, unit in province.cameras.items():
        yield share_of_one("camera_online", _is_online(heard.get(camera, []), province.clock), unit=unit)


def _is_online(facts: Sequence[Fact], clock: datetime) -> bool:
    age_s = newest(facts, "last_frame_age_s")
    if not facts or newest(facts, "online") is not True:
        return False
    assert isinstance(age_s, int | float)
    return age_s + (clock - facts[-1].time).total_seconds() <= 120


def _first_action(actions: Sequence[Fact], name: str) -> datetime | None:
    return min((fact.time for fact in actions if fact.data.get("action") == name), default=None)


def incident(key: tuple[object, ...], facts: Sequence[Fact], province: Province) -> Iterator[Share]:
    changes, actions = of_type(facts, "incident.changed"), of_type(facts, "incident.action")
    kind, unit = newest(changes, "kind"), unit_of(changes)
    opened_at = newest_time(changes, "opened_at")
    if kind == "smoke":
        yield from _smoke(changes, actions, unit, opened_at)
    if kind == "construction" and opened_at is not None and newest(changes, "permit_rule") not in WITH_A_PERMIT:
        yield Share(kpi="construction_candidates", at=opened_at, unit=unit, numerator=1)
    acknowledged_at = _first_action(actions, "acknowledged")
    if acknowledged_at is not None and opened_at is not None:
        waited_s = (acknowledged_at - opened_at).total_seconds()
        severity = str(newest(changes, "severity") or "")
        yield Share(kpi="alert_ack_time", at=opened_at, dim=severity, sample=waited_s)


def _smoke(changes: Sequence[Fact], actions: Sequence[Fact], unit: str, opened_at: datetime | None) -> Iterator[Share]:
    verdict = newest(actions, "verdict")
    if opened_at is not None and verdict in ("true_positive", "false_positive", "other_smoke"):
        yield share_of_one("smoke_alert_confirm", verdict == "true_positive", at=opened_at, unit=unit)
    notified_at, first_frame_at = _first_action(actions, "notified"), newest_time(changes, "first_frame_at")
    if notified_at is not None and first_frame_at is not None:
        took_s = (notified_at - first_frame_at).total_seconds()
        yield Share(kpi="smoke_detection_latency", at=notified_at, sample=took_s)


def disaster_alert(key: tuple[object, ...], facts: Sequence[Fact], province: Province) -> Iterator[Share]:
    sent = newest_time(of_type(facts, "disaster.alert"), "sent")
    if sent is None:
        return
    first_by_commune: dict[object, datetime] = {}
    for fact in of_type(facts, "disaster.alert_acknowledged"):
        commune = fact.data.get("admin_unit")
        if commune is not None:
            first_by_commune[commune] = min(first_by_commune.get(commune, fact.time), fact.time)
    for first in first_by_commune.values():
        yield Share(kpi="disaster_alert_relay", at=sent, sample=(first - sent).total_seconds())


def disaster_incident(key: tuple[object, ...], facts: Sequence[Fact], province: Province) -> Iterator[Share]:
    reported_at, dispatched_at = newest_time(facts, "reported_at"), newest_time(facts, "dispatched_at")
    if reported_at is not None and dispatched_at is not None:
        yield Share(kpi="rescue_dispatch", at=reported_at, sample=(dispatched_at - reported_at).total_seconds())
