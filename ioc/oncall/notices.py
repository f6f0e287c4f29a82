"""What people read: a notice of one incident, or a digest of many, as text and as data. Pure."""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

from ioc.incidents import Incident
from ioc.oncall.notices_lines import (
    KIND_WORDS,
    NEWS,
    Circumstances,
    Language,
    Links,
    headline,
    kind_words,
    lines,
    local_time,
    plain,
)

__all__ = [
    "KIND_WORDS",
    "Addressee",
    "Circumstances",
    "Digest",
    "Message",
    "Notice",
    "UnitNames",
    "compose",
    "console_block",
    "digest_key",
    "evidence_sha256",
    "kind_words",
    "local_time",
    "map_link",
    "runbook_url",
    "webhook_body",
]

UnitNames = Callable[[str], tuple[str, str]]
"""Returns the Vietnamese and English name of an administrative unit or an agency by its code, two "" where unknown."""

MAX_LISTED = 20  # incidents that a digest names; the inbox has the rest
_EVIDENCE = re.compile(r"evidence://sha256/([0-9a-f]{64})")
_RANKS = {"critical": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """Who reads it, and where: `address` as the plan has it (`secret:NAME` for a secret; "": the channel knows)."""

    person_id: str = ""
    name: str = ""
    language: Language = "vi"
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One alert, ready for any channel. `queued_at` is when it was put into the outbox: the same on every try.

    `message_vi`, `message_en` hold no acknowledge link: they are for journals too.
    """

    incident: Incident
    queued_at: datetime
    unit_name_vi: str
    unit_name_en: str
    map_link: str
    evidence_url: str
    runbook_url: str
    message_vi: str
    message_en: str
    to: Addressee = field(default_factory=Addressee)
    about: Circumstances = field(default_factory=Circumstances)
    acknowledge_url: str = ""
    open_url: str = ""

    @property
    def subject(self) -> str:
        """One line in the reader's language: what, and where a camera saw it."""
        incident, language = self.incident, self.to.language
        first = headline(incident, self.about, language)
        place = plain((incident.place_en if language == "en" else incident.place_vi) or incident.place_vi)
        return f"{first} — {place}" if incident.camera_id and place else first

    @property
    def is_calling(self) -> bool:
        """Whether somebody is asked to take it."""
        return self.about.purpose not in NEWS

    @property
    def text(self) -> str:
        """The whole message in the reader's language; the link that acknowledges comes second: a cut SMS keeps it."""
        rows = (self.message_en if self.to.language == "en" else self.message_vi).split("\n")
        if self.acknowledge_url and self.is_calling:
            words = "On it (press and confirm)" if self.to.language == "en" else "Nhận việc (bấm và xác nhận)"
            rows.insert(1, f"{words}: {self.acknowledge_url}")
        return "\n".join(rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """Many notices for one reader in one message: a burst must not bury what is grave."""

    notices: tuple[Notice, ...]
    open_url: str

    @property
    def to(self) -> Addressee:
        return self.notices[0].to

    @property
    def queued_at(self) -> datetime:
        return self.notices[0].queued_at

    @property
    def ranked(self) -> tuple[Notice, ...]:
        """The gravest first, those that call before news; what is as grave in the order of time."""
        return tuple(sorted(self.notices, key=lambda n: (not n.is_calling, _RANKS[n.incident.severity])))

    @property
    def subject(self) -> str:
        first, count = self.ranked[0], len(self.notices)
        if self.to.language == "en":
            return f"{count} notices at once. First: {first.subject}"
        return f"{count} tin cùng lúc. Trước hết: {first.subject}"

    @property
    def text(self) -> str:
        is_english = self.to.language == "en"
        rows = [self.subject]
        for number, notice in enumerate(self.ranked[:MAX_LISTED], 1):
            when = local_time(notice.incident.first_frame_at)
            rows.append(f"{number}. {notice.subject} ({when})")
            if notice.acknowledge_url and notice.is_calling:
                rows.append(f"   {'On it' if is_english else 'Nhận việc'}: {notice.acknowledge_url}")
        rest = len(self.notices) - MAX_LISTED
        if rest > 0:
            rows.append(f"… and {rest} more in the inbox." if is_english else f"… và {rest} tin nữa trong hộp sự cố.")
        rows.append(f"{'Inbox' if is_english else 'Hộp sự cố'}: {self.open_url}")
        return "\n".join(rows)


Message = Notice | Digest


def digest_key(keys: Sequence[str]) -> str:
    """The idempotency key of a digest of the notices with these keys; the same for the same ones."""
    return "msg_" + hashlib.sha256("\x1f".join(sorted(keys)).encode()).hexdigest()[:40]


def compose(
    incident: Incident,
    *,
    queued_at: datetime,
    public_url: str,
    unit_names: UnitNames,
    to: Addressee | None = None,
    about: Circumstances | None = None,
    acknowledge_url: str = "",
) -> Notice:
    """Returns the notice of `incident`; `public_url` is where people reach the on-call service."""
    about, base = about or Circumstances(), public_url.rstrip("/")
    sha256 = evidence_sha256(incident)
    unit_vi, unit_en = (plain(name) for name in (unit_names(incident.admin_unit) if incident.admin_unit else ("", "")))
    has_runbook = bool(incident.runbook) or not incident.kind.startswith(("alert_", "test"))
    links = Links(
        map_link=map_link(incident),
        evidence_url=f"{base}/evidence/{sha256}" if sha256 else "",
        runbook_url=runbook_url(incident, public_url) if has_runbook else "",
    )
    return Notice(
        incident=incident,
        queued_at=queued_at,
        unit_name_vi=unit_vi,
        unit_name_en=unit_en,
        map_link=links.map_link,
        evidence_url=links.evidence_url,
        runbook_url=links.runbook_url,
        message_vi="\n".join(lines(incident, about, links, unit_vi, "vi")),
        message_en="\n".join(lines(incident, about, links, unit_en, "en")),
        to=to or Addressee(),
        about=about,
        acknowledge_url=acknowledge_url,
        open_url=f"{base}/incidents/{quote(incident.incident_id, safe='')}",
    )


def evidence_sha256(incident: Incident) -> str:
    """The hex digest of the stored picture, "" where the incident has none."""
    found = _EVIDENCE.fullmatch(incident.evidence)
    return found.group(1) if found else ""


def map_link(incident: Incident) -> str:
    """A `geo:` address (RFC 5870) that a phone opens in its own map, "" without a position. It is the camera's where
    the incident is not located."""
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


def webhook_body(notice: Notice) -> dict[str, object]:
    """The JSON of the webhook (Standard Webhooks: type, timestamp, data). The same for every try."""
    incident, about = notice.incident, notice.about
    told = incident.as_json()
    data: dict[str, object] = {
        "incident": told,
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
            **{name: told[name] for name in ("located_by", "uncertainty_m", "ellipse", "place_reason", "sightings")},
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
    }
    if notice.to.person_id:
        data["notice"] = {
            "person": notice.to.person_id,
            "language": notice.to.language,
            "level": about.level,
            "told": list(about.told),
            "nobody_on_roster": about.is_nobody_on_roster,
            "exercise": about.is_exercise,
            "by": about.by,
            "acknowledge_url": notice.acknowledge_url if notice.is_calling else "",
            "open_url": notice.open_url,
        }
    return {"type": f"incident.{about.purpose}", "timestamp": notice.queued_at.isoformat(), "data": data}


def console_block(notice: Notice) -> str:
    """One block of text for a terminal or a journal. No control character of the incident gets through."""
    rule = "═" * 72
    return f"{rule}\n{notice.message_vi}\n{'─' * 72}\n{notice.message_en}\n{rule}\n"
