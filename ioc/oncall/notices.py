"""What people read: a notice of one incident, in Vietnamese and English, as text and as data. Pure."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from types import MappingProxyType

from ioc.incidents import Incident

__all__ = [
    "KIND_WORDS",
    "Notice",
    "UnitNames",
    "compose",
    "console_block",
    "evidence_sha256",
    "kind_words",
    "local_time",
    "map_link",
    "runbook_url",
    "webhook_body",
]

VIETNAM = timezone(timedelta(hours=7))  # one offset, no summer time

UnitNames = Callable[[str], tuple[str, str]]
"""Returns the Vietnamese and English name of an administrative unit by its code, two "" where unknown."""

# (Vietnamese, English), as the headline of a notice.
KIND_WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "smoke": ("Nghi có khói, cháy", "Suspected smoke or fire"),
        "construction": ("Nghi xây dựng không phép, sai phép", "Suspected building without or against a permit"),
    }
)
_RULE_WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "no_permit": ("thửa đất không có giấy phép", "the parcel has no permit"),
        "permit_revoked": ("giấy phép đã bị thu hồi", "the permit was revoked"),
        "permit_suspended": ("giấy phép đang bị đình chỉ", "the permit is suspended"),
        "outside_dates": ("ngoài thời hạn giấy phép", "outside the permit's dates"),
    }
)
_SEVERITY_WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "info": ("thông tin", "info"),
        "warning": ("cảnh báo", "warning"),
        "critical": ("khẩn cấp", "critical"),
    }
)
_EVIDENCE = re.compile(r"evidence://sha256/([0-9a-f]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One alert, ready for any channel. `queued_at` is when it was put into the outbox: the same on every try."""

    incident: Incident
    queued_at: datetime
    unit_name_vi: str
    unit_name_en: str
    map_link: str
    evidence_url: str
    runbook_url: str
    message_vi: str
    message_en: str


def compose(incident: Incident, *, queued_at: datetime, public_url: str, unit_names: UnitNames) -> Notice:
    """Returns the notice of `incident`; `public_url` is where people reach the on-call service."""
    sha256 = evidence_sha256(incident)
    unit_vi, unit_en = (_plain(name) for name in (unit_names(incident.admin_unit) if incident.admin_unit else ("", "")))
    links = {
        "map_link": map_link(incident),
        "evidence_url": f"{public_url.rstrip('/')}/evidence/{sha256}" if sha256 else "",
        "runbook_url": runbook_url(incident, public_url),
    }
    return Notice(
        incident=incident,
        queued_at=queued_at,
        unit_name_vi=unit_vi,
        unit_name_en=unit_en,
        message_vi="\n".join(_lines_vi(incident, unit_vi, **links)),
        message_en="\n".join(_lines_en(incident, unit_en, **links)),
        **links,
    )


def evidence_sha256(incident: Incident) -> str:
    """The hex digest of the stored picture, "" where the incident has none."""
    found = _EVIDENCE.fullmatch(incident.evidence)
    return found.group(1) if found else ""


def map_link(incident: Incident) -> str:
    """A `geo:` address (RFC 5870) that a phone opens in its own map, "" without a position."""
    if incident.lat is None or incident.lon is None:
        return ""
    return f"geo:{incident.lat:.5f},{incident.lon:.5f}"


def runbook_url(incident: Incident, public_url: str) -> str:
    """The incident's own runbook where it is a web address or a path, else ours of its kind (never `javascript:`)."""
    base = public_url.rstrip("/")
    own = incident.runbook
    if re.fullmatch(r"https?://[!-~]+", own):
        return own
    if re.fullmatch(r"/[A-Za-z0-9_./-]*", own) and not own.startswith("//"):
        return base + own
    return f"{base}/runbooks/{incident.kind}"


def kind_words(kind: str) -> tuple[str, str]:
    return KIND_WORDS.get(kind, (kind.replace("_", " "), kind.replace("_", " ")))


def local_time(moment: datetime) -> str:
    """Vietnamese wall time, `15:04:05 22/11/2026`."""
    return moment.astimezone(VIETNAM).strftime("%H:%M:%S %d/%m/%Y")


def webhook_body(notice: Notice) -> dict[str, object]:
    """The JSON of the webhook (Standard Webhooks: type, timestamp, data). The same for every try."""
    incident = notice.incident
    return {
        "type": "incident.opened",
        "timestamp": notice.queued_at.isoformat(),
        "data": {
            "incident": incident.as_json(),
            "place": {
                "name_vi": incident.place_vi,
                "name_en": incident.place_en or incident.place_vi,
                "admin_unit": incident.admin_unit,
                "unit_name_vi": notice.unit_name_vi,
                "unit_name_en": notice.unit_name_en,
                "lon": incident.lon,
                "lat": incident.lat,
                "azimuth_deg": incident.azimuth_deg,
                "map": notice.map_link,
            },
            "evidence": {
                "ref": incident.evidence,
                "sha256": evidence_sha256(incident),
                "url": notice.evidence_url,
                "bbox": incident.box.as_list(),
            },
            "runbook_url": notice.runbook_url,
            "message_vi": notice.message_vi,
            "message_en": notice.message_en,
        },
    }


def console_block(notice: Notice) -> str:
    """One block of text for a terminal or a journal. No control character of the incident gets through."""
    rule = "═" * 72
    return f"{rule}\n{notice.message_vi}\n{'─' * 72}\n{notice.message_en}\n{rule}\n"


def _lines_vi(incident: Incident, unit: str, *, map_link: str, evidence_url: str, runbook_url: str) -> list[str]:
    title, severity = kind_words(incident.kind)[0], _SEVERITY_WORDS[incident.severity][0]
    lines = [f"[{severity.upper()}] {title.upper()}"]
    lines.append(f"Ở đâu: {_place(incident.place_vi, incident, unit)}")
    if map_link:
        lines.append(f"Bản đồ: {map_link}{_bearing(incident, 'hướng nhìn')}")
    lines.append(f"Từ lúc: {local_time(incident.first_frame_at)} (giờ Việt Nam)")
    lines.append(
        f"Độ tin: {_score(incident).replace('.', ',')} qua {incident.detections} lần phát hiện{_cues(incident)}"
    )
    if incident.permit_rule:
        lines.append(f"Giấy phép: {_rule(incident, 0)}")
    lines.append(f"Ảnh: {evidence_url or 'không có'}")
    lines.append(f"Việc cần làm: {runbook_url}")
    lines.append(f"Mã sự cố: {_plain(incident.incident_id)}")
    return lines


def _lines_en(incident: Incident, unit: str, *, map_link: str, evidence_url: str, runbook_url: str) -> list[str]:
    title, severity = kind_words(incident.kind)[1], _SEVERITY_WORDS[incident.severity][1]
    lines = [f"[{severity.upper()}] {title}"]
    lines.append(f"Where: {_place(incident.place_en or incident.place_vi, incident, unit)}")
    if map_link:
        lines.append(f"Map: {map_link}{_bearing(incident, 'looking')}")
    lines.append(f"Since: {local_time(incident.first_frame_at)} (Vietnam time)")
    lines.append(f"How sure: score {_score(incident)} over {incident.detections} detections{_cues(incident)}")
    if incident.permit_rule:
        lines.append(f"Permit: {_rule(incident, 1)}")
    lines.append(f"Picture: {evidence_url or 'none'}")
    lines.append(f"What to do: {runbook_url}?lang=en" if "/runbooks/" in runbook_url else f"What to do: {runbook_url}")
    lines.append(f"Incident: {_plain(incident.incident_id)}")
    return lines


def _place(name: str, incident: Incident, unit: str) -> str:
    parts = [_plain(name) or _plain(incident.camera_id)]
    if unit and unit not in parts[0]:
        parts.append(unit)
    parts.append(f"camera {_plain(incident.camera_id)}, {_plain(incident.pose_id)}")
    return " — ".join(parts)


def _bearing(incident: Incident, words: str) -> str:
    return "" if incident.azimuth_deg is None else f", {words} {incident.azimuth_deg % 360:.0f}°"


def _score(incident: Incident) -> str:
    return f"{incident.peak_score:.2f}"


def _cues(incident: Incident) -> str:
    return f" ({', '.join(_plain(cue) for cue in incident.cues)})" if incident.cues else ""


def _rule(incident: Incident, language: int) -> str:
    words = _RULE_WORDS.get(incident.permit_rule)
    said = words[language] if words else _plain(incident.permit_rule)
    return f"{said} ({_plain(incident.permit_id)})" if incident.permit_id else said


def _plain(text: str) -> str:
    """Without control, format and line-break characters: a place name must not move a terminal's cursor, turn the
    reading direction or forge a line."""
    kept = (" " if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs") else c for c in text)
    return " ".join("".join(kept).split())
