"""Alertmanager's webhook as incidents. Pure.

Grouping, inhibition and silences are Alertmanager's; one alert (its fingerprint) is one incident here.
https://prometheus.io/docs/alerting/latest/configuration/#webhook_config describes the body (version 4).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from ioc.detections import Box
from ioc.errors import InvalidRecord
from ioc.incidents import Incident, Severity

__all__ = ["Alert", "alerts_of", "dedup_key", "incident_of", "own_incident"]

MAX_ALERTS = 1000
MAX_LABELS = 64
MAX_TEXT_CHARS = 1000
_FINGERPRINT = re.compile(r"[0-9a-f]{1,64}", re.ASCII)
_WEB_ADDRESS = re.compile(r"https?://[!-~]{1,1900}")  # never `javascript:`: people click on it
_WHOLE = Box(0.5, 0.5, 1.0, 1.0)
_SEVERITIES: Mapping[str, Severity] = {"info": "info", "warning": "warning", "critical": "critical", "page": "critical"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert of a post. `ends_at` is known once it is resolved."""

    fingerprint: str
    status: Literal["firing", "resolved"]
    starts_at: datetime
    ends_at: datetime | None
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    generator_url: str = ""


def alerts_of(data: object) -> tuple[Alert, ...]:
    """Returns the alerts of a post's parsed JSON.

    Raises:
        InvalidRecord: it is not a post of Alertmanager, or an alert in it is not one.
    """
    alerts = data.get("alerts") if isinstance(data, dict) else None
    if not isinstance(alerts, list):
        raise _invalid("bad_json", "alerts", "the body has no list `alerts`")
    if len(alerts) > MAX_ALERTS:
        raise _invalid("bad_size", "alerts", f"{len(alerts)} alerts in one post; {MAX_ALERTS} are taken at most")
    return tuple(_alert(alert) for alert in alerts)


def dedup_key(alert: Alert) -> str:
    return f"alert-{alert.fingerprint}"


def incident_of(alert: Alert, *, incident_id: str, revision: int, seen_at: datetime) -> Incident:
    """The alert in an incident's shape. Kind: `alert_` and the alert's name in small letters."""
    labels, notes = alert.labels, alert.annotations
    name = labels.get("alertname", "")
    title_vi = notes.get("summary_vi") or notes.get("summary") or name
    return own_incident(
        incident_id=incident_id,
        kind=f"alert_{_slug(name)}"[:64],
        severity=_SEVERITIES.get(labels.get("severity", ""), "warning"),
        title_vi=title_vi,
        title_en=notes.get("summary_en") or notes.get("summary") or title_vi,
        unit=labels.get("admin_unit", "").removeprefix("*"),  # the whole province is everybody's
        began_at=alert.starts_at,
        seen_at=max(seen_at, alert.starts_at),
        revision=revision,
        runbook=notes.get("runbook_url", ""),
        extra={
            "alertname": name,
            "fingerprint": alert.fingerprint,
            "starts_at": alert.starts_at.isoformat(),
            "description_vi": notes.get("description_vi") or notes.get("description", ""),
            "description_en": notes.get("description_en") or notes.get("description", ""),
            "generator_url": alert.generator_url,
            "kpi_id": labels.get("kpi", ""),
            "agency": labels.get("agency", ""),
            "labels": " ".join(f"{key}={value}" for key, value in sorted(labels.items()))[:MAX_TEXT_CHARS],
        },
    )


def own_incident(
    *,
    incident_id: str,
    kind: str,
    severity: Severity,
    title_vi: str,
    title_en: str,
    began_at: datetime,
    seen_at: datetime,
    revision: int = 1,
    unit: str = "",
    runbook: str = "",
    extra: Mapping[str, str] | None = None,
) -> Incident:
    """An open incident that no camera saw: the place's name says what it is about, there is no picture."""
    return Incident(
        incident_id=incident_id,
        kind=kind,
        state="open",
        severity=severity,
        revision=revision,
        camera_id="",
        pose_id="",
        admin_unit=unit,
        place_vi=title_vi,
        place_en=title_en,
        lon=None,
        lat=None,
        azimuth_deg=None,
        box=_WHOLE,
        first_frame_at=began_at,
        opened_at=began_at,
        last_seen_at=seen_at,
        peak_score=1.0,
        detections=1,
        evidence="",
        evidence_sha256="",
        runbook=runbook,
        extra=dict(extra or {}),
    )


def _slug(name: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_") or "unnamed"


def _alert(alert: object) -> Alert:
    if not isinstance(alert, dict):
        raise _invalid("bad_json", "alerts", "an alert is not a JSON object")
    fingerprint, status = alert.get("fingerprint"), alert.get("status")
    if not isinstance(fingerprint, str) or not _FINGERPRINT.fullmatch(fingerprint):
        raise _invalid("bad_field", "fingerprint", "an alert's fingerprint must be hexadecimal")
    if status not in ("firing", "resolved"):
        raise _invalid("bad_field", "status", "an alert's status must be firing or resolved")
    starts_at = _time(alert, "startsAt")
    if starts_at is None:
        raise _invalid("bad_time", "startsAt", "startsAt must be an RFC 3339 time")
    url = alert.get("generatorURL", "")
    return Alert(
        fingerprint=fingerprint,
        status="firing" if status == "firing" else "resolved",
        starts_at=starts_at,
        ends_at=_time(alert, "endsAt"),
        labels=_texts(alert, "labels"),
        annotations=_texts(alert, "annotations"),
        generator_url=url if isinstance(url, str) and _WEB_ADDRESS.fullmatch(url) else "",
    )


def _time(alert: Mapping[str, Any], name: str) -> datetime | None:
    """None for a missing time and for Go's zero time, which says the same."""
    text = alert.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", str(text)))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _invalid("bad_time", name, f"{name} must be an RFC 3339 time")
    return moment.astimezone(UTC) if 2000 < moment.year < 2200 else None


def _texts(alert: Mapping[str, Any], name: str) -> dict[str, str]:
    values = alert.get(name, {})
    if not isinstance(values, dict) or len(values) > MAX_LABELS:
        raise _invalid("bad_field", name, f"{name} must be an object of at most {MAX_LABELS} texts")
    return {str(key)[:200]: str(value).replace("\x00", "")[:MAX_TEXT_CHARS] for key, value in values.items()}


def _invalid(reason: str, field: str, en: str) -> InvalidRecord:
    return InvalidRecord(reason, field=field, vi=f"Cảnh báo của Alertmanager không hợp lệ ở {field} ({reason}).", en=en)
