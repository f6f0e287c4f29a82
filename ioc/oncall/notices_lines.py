"""The sentences of a notice, in Vietnamese and English. Pure; every text from outside is made plain here."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from typing import Literal

from ioc.incidents import Incident
from ioc.place_words import place_words

__all__ = [
    "KIND_WORDS",
    "NEWS",
    "Circumstances",
    "Language",
    "Links",
    "headline",
    "is_of_camera",
    "kind_words",
    "lines",
    "local_time",
    "plain",
]

Language = Literal["vi", "en"]
VIETNAM = timezone(timedelta(hours=7))  # one offset, no summer time
MAX_NAMES = 12
MAX_DESCRIPTION_CHARS = 600

# (Vietnamese, English), as the headline of a notice.
KIND_WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "smoke": ("Nghi có khói, cháy", "Suspected smoke or fire"),
        "construction": ("Nghi xây dựng không phép, sai phép", "Suspected building without or against a permit"),
        "encroachment": ("Nghi lấn chiếm lòng đường, vỉa hè, đất công", "Suspected encroachment on public ground"),
        "offline": ("Camera mất kết nối: không có hình", "Camera offline: no pictures"),
        "frozen": ("Camera đứng hình", "Camera frozen"),
        "covered": ("Camera bị che hoặc bị phun sơn", "Camera covered or sprayed"),
        "blurred": ("Camera bị mờ, mất nét", "Camera blurred, out of focus"),
        "moved": ("Camera lệch khỏi góc quay", "Camera moved off its pose"),
        "over_exposed": ("Camera chói, thừa sáng", "Camera over-exposed"),
        "under_exposed": ("Camera tối, thiếu sáng", "Camera under-exposed"),
        "dirty_lens": ("Ống kính camera bị bẩn", "Camera lens dirty"),
        "clock_skew": ("Đồng hồ camera sai giờ", "Camera clock wrong"),
    }
)
RULE_WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "no_permit": ("thửa đất không có giấy phép", "the parcel has no permit"),
        "permit_revoked": ("giấy phép đã bị thu hồi", "the permit was revoked"),
        "permit_suspended": ("giấy phép đang bị đình chỉ", "the permit is suspended"),
        "outside_dates": ("ngoài thời hạn giấy phép", "outside the permit's dates"),
        "outside_parcel": ("xây ra ngoài ranh giới thửa đất", "built beyond the parcel"),
        "too_many_storeys": ("vượt số tầng được phép", "more storeys than permitted"),
        "forbidden_hours": ("thi công ngoài giờ cho phép", "work outside the permitted hours"),
        "encroachment": ("lấn chiếm đất công", "encroachment on public ground"),
        "private_ground": ("để trên đất riêng của chủ đất", "left on the owner's own ground"),
        "permit_valid": ("có giấy phép còn hiệu lực", "a valid permit covers it"),
    }
)
# By the cue of an incident, why a camera sends nothing: whom to call first.
_WHY_WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "camera_silent": (
            "Tiến trình thu hình vẫn chạy, camera không trả hình: xem nguồn điện, đường truyền, mật khẩu của camera.",
            "Capture runs, the camera gives no picture: look at the camera's power, line and password.",
        ),
        "capture_silent": (
            "Tiến trình thu hình cũng im lặng, camera có thể vẫn tốt: xem máy thu hình trước.",
            "Capture itself is silent, the camera may be well: look at the capture machine first.",
        ),
        "pictures_unused": (
            "Camera có hình nhưng không hình nào dùng được: xem góc quay trong capture.yaml, khung hình bị từ chối.",
            "There are pictures, and none can be used: look at the pose in capture.yaml and at the refused frames.",
        ),
    }
)
_SEVERITY_WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "info": ("thông tin", "info"),
        "warning": ("cảnh báo", "warning"),
        "critical": ("khẩn cấp", "critical"),
    }
)
NEWS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "acknowledged": ("Đã có người nhận", "Somebody has it"),
        "resolved": ("Đã xong", "Resolved"),
        "dismissed": ("Đã bỏ qua", "Dismissed"),
        "test": ("Thử kênh", "Channel test"),
    }
)
"""Purposes that call nobody: they tell those who were called how it went on, or try a channel out."""
_PURPOSE_WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "reopened": ("Mở lại", "Open again"),
        "again": ("Vẫn đang mở", "Still open"),
        "escalated": ("Chưa ai nhận", "Nobody has it yet"),
        "assigned": ("Giao cho bạn", "Assigned to you"),
        "reminder": ("Nhắc việc", "Reminder"),
    }
)
_VERDICT_WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "true_positive": ("báo đúng", "a true alarm"),
        "false_positive": ("báo nhầm", "a false alarm"),
        "other_smoke": ("khói khác, không phải cháy", "other smoke, no fire"),
        "unsure": ("chưa rõ", "unsure"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """Why and how somebody is told. `told`: the names of all who are told together; `by`: who acknowledged or closed
    it; `level`: of the escalation, from 1."""

    purpose: str = "opened"
    level: int = 1
    told: tuple[str, ...] = ()
    is_nobody_on_roster: bool = False
    is_fallback: bool = False
    is_exercise: bool = False
    by: str = ""
    eta_at: datetime | None = None
    verdict: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Addresses in a notice, "" for none."""

    map_link: str = ""
    evidence_url: str = ""
    runbook_url: str = ""


def headline(incident: Incident, about: Circumstances, language: Language) -> str:
    """The first line of a notice and the subject of a mail: how grave, what, and why now."""
    n = _index(language)
    title = _title(incident, language)
    if about.purpose in NEWS:
        return f"{_exercise(about, n)}[{NEWS[about.purpose][n].upper()}] {title}"
    why = _PURPOSE_WORDS.get(about.purpose)
    text = f"{why[n]}: {title}" if why else title
    shown = text.upper() if language == "vi" else text
    return f"{_exercise(about, n)}[{_SEVERITY_WORDS[incident.severity][n].upper()}] {shown}"


def lines(incident: Incident, about: Circumstances, links: Links, unit: str, language: Language) -> list[str]:
    """A notice's text, its headline first."""
    told = _lines_vi if language == "vi" else _lines_en
    return [
        headline(incident, about, language),
        *_circumstances(about, language),
        *told(incident, unit, links),
        *_told(about, language),
    ]


def kind_words(kind: str) -> tuple[str, str]:
    return KIND_WORDS.get(kind, (kind.replace("_", " "), kind.replace("_", " ")))


def is_of_camera(incident: Incident) -> bool:
    """Whether the incident's coordinates are only those of the camera that sees it."""
    return bool(incident.camera_id) and incident.located_by == "camera"


def local_time(moment: datetime) -> str:
    """Vietnamese wall time, `15:04:05 22/11/2026`."""
    return moment.astimezone(VIETNAM).strftime("%H:%M:%S %d/%m/%Y")


def plain(text: str) -> str:
    """Without control, format and line-break characters: a place name must not move a terminal's cursor, turn the
    reading direction or forge a line."""
    kept = (" " if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs") else c for c in text)
    return " ".join("".join(kept).split())


# ---- parts -----------------------------------------------------------------------------------------------------------


def _index(language: Language) -> int:
    return 0 if language == "vi" else 1


def _is_seen(incident: Incident) -> bool:
    """Whether a camera saw it; else its place's name says what it is about."""
    return bool(incident.camera_id)


def _title(incident: Incident, language: Language) -> str:
    known = kind_words(incident.kind)[_index(language)]
    if _is_seen(incident) or incident.kind in KIND_WORDS:
        return known
    return plain(_in(language, incident.place_vi, incident.place_en)) or known


def _in(language: Language, vi: str, en: str) -> str:
    return (en or vi) if language == "en" else (vi or en)


def _exercise(about: Circumstances, n: int) -> str:
    return ("[DIỄN TẬP] ", "[EXERCISE] ")[n] if about.is_exercise else ""


def _circumstances(about: Circumstances, language: Language) -> list[str]:
    """What the reader has to know before the facts."""
    n, found = _index(language), []
    if about.is_exercise:
        found.append(("Đây là DIỄN TẬP, không phải sự cố thật.", "This is an EXERCISE, not a real incident.")[n])
    if about.is_nobody_on_roster:
        found.append(
            (
                "KHÔNG CÓ AI TRONG LỊCH TRỰC: tin này gọi người dự phòng. Hãy sửa lịch trực.",
                "NOBODY IS ON THE ROSTER: this calls the fall-back. Mend the roster.",
            )[n]
        )
    elif about.is_fallback:
        found.append(
            (
                "Đã gọi hết các cấp mà chưa ai nhận: bạn là người cuối cùng được gọi.",
                "Every level was called and nobody has it: you are the last resort.",
            )[n]
        )
    if about.level > 1 and about.purpose not in NEWS:
        found.append((f"Cấp báo: {about.level}", f"Level of escalation: {about.level}")[n])
    if about.by:
        found.append(_who(about, n))
    return found


def _who(about: Circumstances, n: int) -> str:
    by = plain(about.by)
    if about.purpose == "acknowledged":
        eta = f", {('dự kiến đến lúc', 'there by')[n]} {local_time(about.eta_at)}" if about.eta_at else ""
        return (f"Người nhận: {by}{eta}", f"Who has it: {by}{eta}")[n]
    verdict = _VERDICT_WORDS.get(about.verdict)
    return (f"Người đóng: {by}", f"Closed by: {by}")[n] + (f" ({verdict[n]})" if verdict else "")


def _told(about: Circumstances, language: Language) -> list[str]:
    names = [plain(name) for name in about.told[:MAX_NAMES]]
    if len(names) < 2 or about.purpose in NEWS:
        return []
    more = f" … (+{len(about.told) - MAX_NAMES})" if len(about.told) > MAX_NAMES else ""
    return [f"{('Những người được báo', 'All who are told')[_index(language)]}: {', '.join(names)}{more}"]


def _lines_vi(incident: Incident, unit: str, links: Links) -> list[str]:
    found = []
    if _is_seen(incident):
        found.append(f"Ở đâu: {_place(incident.place_vi, incident, unit)}")
    elif unit:
        found.append(f"Ở đâu: {unit}")
    found += _where(incident, links, "vi")
    found.append(f"Từ lúc: {local_time(incident.first_frame_at)} (giờ Việt Nam)")
    if _is_seen(incident):
        score = f"{incident.peak_score:.2f}".replace(".", ",")
        found.append(f"Độ tin: {score} qua {incident.detections} lần phát hiện{_cues(incident)}")
    found += _described(incident, "vi")
    if incident.permit_rule:
        found.append(f"Giấy phép: {_rule(incident, 0)}")
    if _is_seen(incident):
        found.append(f"Ảnh: {links.evidence_url or 'không có'}")
    if links.runbook_url:
        found.append(f"Việc cần làm: {links.runbook_url}")
    found.append(f"Mã sự cố: {plain(incident.incident_id)}")
    return found


def _lines_en(incident: Incident, unit: str, links: Links) -> list[str]:
    found = []
    if _is_seen(incident):
        found.append(f"Where: {_place(incident.place_en or incident.place_vi, incident, unit)}")
    elif unit:
        found.append(f"Where: {unit}")
    found += _where(incident, links, "en")
    found.append(f"Since: {local_time(incident.first_frame_at)} (Vietnam time)")
    if _is_seen(incident):
        score = f"{incident.peak_score:.2f}"
        found.append(f"How sure: score {score} over {incident.detections} detections{_cues(incident)}")
    found += _described(incident, "en")
    if incident.permit_rule:
        found.append(f"Permit: {_rule(incident, 1)}")
    if _is_seen(incident):
        found.append(f"Picture: {links.evidence_url or 'none'}")
    if links.runbook_url:
        is_ours = "/runbooks/" in links.runbook_url
        found.append(f"What to do: {links.runbook_url}{'?lang=en' if is_ours else ''}")
    found.append(f"Incident: {plain(incident.incident_id)}")
    return found


def _described(incident: Incident, language: Language) -> list[str]:
    extra = incident.extra
    text = plain(_in(language, str(extra.get("description_vi", "")), str(extra.get("description_en", ""))))
    found = [f"{('Mô tả', 'What is wrong')[_index(language)]}: {text[:MAX_DESCRIPTION_CHARS]}"] if text else []
    return [*found, *(_WHY_WORDS[cue][_index(language)] for cue in incident.cues if cue in _WHY_WORDS)]


def _place(name: str, incident: Incident, unit: str) -> str:
    parts = [plain(name) or plain(incident.camera_id)]
    if unit and unit not in parts[0]:
        parts.append(unit)
    parts.append(f"camera {plain(incident.camera_id)}, {plain(incident.pose_id)}")
    return " — ".join(parts)


def _where(incident: Incident, links: Links, language: Language) -> list[str]:
    """The link to the map, which says what it shows, and how the place was found."""
    n, found = _index(language), []
    if links.map_link and is_of_camera(incident):
        found.append(f"{('Vị trí camera', 'Camera at')[n]}: {links.map_link}{_bearing(incident, n)}")
    elif links.map_link:
        found.append(f"{('Bản đồ', 'Map')[n]}: {links.map_link}")
    words = plain(place_words(incident)[n])
    return [*found, words] if words else found


def _bearing(incident: Incident, n: int) -> str:
    return "" if incident.azimuth_deg is None else f", {('hướng nhìn', 'looking')[n]} {incident.azimuth_deg % 360:.0f}°"


def _cues(incident: Incident) -> str:
    return f" ({', '.join(plain(cue) for cue in incident.cues)})" if incident.cues else ""


def _rule(incident: Incident, language: int) -> str:
    words = RULE_WORDS.get(incident.permit_rule)
    said = words[language] if words else plain(incident.permit_rule)
    return f"{said} ({plain(incident.permit_id)})" if incident.permit_id else said
