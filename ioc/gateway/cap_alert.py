"""A CAP 1.2 alert: what the standard asks of it, and every fault with its element, its line and the fix. Pure.

Source: OASIS Common Alerting Protocol 1.2, section 3.2. Asked besides, since the centre can do nothing without: a
warning (Alert, Update) has an `info`, and one of its `info` an `area`. Taken though the standard says otherwise: a time
that ends in Z (it has one meaning only), elements in another order, and unknown elements.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ioc.errors import InvalidRecord
from ioc.gateway.cap_xml import Element, parse_xml

__all__ = ["NAMESPACE", "CapAlert", "CapArea", "CapInfo", "CapReference", "read_alert"]

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
MAX_PROBLEMS = 20
MAX_NAME_CHARS = 150  # identifier and sender: three of them and a time must fit an event id of 512 characters
MAX_TEXT_CHARS = 8_000
MAX_REFERENCES = 100
MAX_POINTS = 5_000

STATUSES = ("Actual", "Exercise", "System", "Test", "Draft")
MESSAGE_TYPES = ("Alert", "Update", "Cancel", "Ack", "Error")
SCOPES = ("Public", "Restricted", "Private")
CATEGORIES = (
    "Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport", "Infra", "CBRNE", "Other",
)  # fmt: skip
URGENCIES = ("Immediate", "Expected", "Future", "Past", "Unknown")
SEVERITIES = ("Extreme", "Severe", "Moderate", "Minor", "Unknown")
CERTAINTIES = ("Observed", "Likely", "Possible", "Unlikely", "Unknown")
"""Each from what is worst to what is not known."""

_NAME = re.compile(r"[^\s,<&\x00-\x1f\x7f-\x9f]+")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?([+-]\d\d:\d\d|Z)")
_NUMBER = re.compile(r"[+-]?\d{1,5}(\.\d{1,20})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class CapReference:
    """Another message, as CAP names one: sender, identifier, sent."""

    sender: str
    identifier: str
    sent: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CapArea:
    """A place. Polygons are closed rings of (longitude, latitude) in degrees; circles (longitude, latitude, radius in
    km); geocodes (name, value)."""

    description: str
    polygons: tuple[tuple[tuple[float, float], ...], ...]
    circles: tuple[tuple[float, float, float], ...]
    geocodes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CapInfo:
    """What is told in one language."""

    language: str
    categories: tuple[str, ...]
    event: str
    urgency: str
    severity: str
    certainty: str
    expires: datetime | None
    headline: str
    description: str
    instruction: str
    areas: tuple[CapArea, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CapAlert:
    """A message that keeps the standard."""

    identifier: str
    sender: str
    sent: datetime
    status: str
    message_type: str
    scope: str
    references: tuple[CapReference, ...]
    infos: tuple[CapInfo, ...]


def read_alert(body: bytes) -> CapAlert | tuple[InvalidRecord, ...]:
    """Returns the alert of the XML document `body`, or what is wrong with it: at most 20 faults."""
    try:
        root = parse_xml(body)
    except InvalidRecord as error:
        return (error,)
    if root.name != "alert" or root.namespace != NAMESPACE:
        return (_not_cap(root),)
    return _Reader().alert(root)


class _Reader:
    """Reads on after a fault, so that one answer names them all."""

    def __init__(self) -> None:
        self._problems: list[InvalidRecord] = []

    def alert(self, root: Element) -> CapAlert | tuple[InvalidRecord, ...]:
        message_type = self._choice(root, "alert/msgType", MESSAGE_TYPES)
        scope = self._choice(root, "alert/scope", SCOPES)
        identifier, sender = self._name(root, "alert/identifier"), self._name(root, "alert/sender")
        sent = self._time(root, "alert/sent", is_required=True)
        if sent is not None and not _is_datable(sent):
            self._bad_time(root, "alert/sent", sent.isoformat())
        status = self._choice(root, "alert/status", STATUSES)
        if scope == "Restricted":
            self._text(root, "alert/restriction", is_required=True)
        if scope == "Private":
            self._text(root, "alert/addresses", is_required=True)
        references = self._references(root, is_required=message_type in ("Update", "Cancel", "Ack", "Error"))
        infos = tuple(self._info(info, f"alert/info[{n}]") for n, info in enumerate(root.all("info"), 1))
        if message_type in ("Alert", "Update"):
            self._check_warning(root, infos)
        if self._problems or sent is None:
            return tuple(self._problems[:MAX_PROBLEMS])
        return CapAlert(
            identifier=identifier,
            sender=sender,
            sent=sent,
            status=status,
            message_type=message_type,
            scope=scope,
            references=references,
            infos=infos,
        )

    def _check_warning(self, root: Element, infos: Sequence[CapInfo]) -> None:
        if not infos:
            self._missing(root, "alert/info")
        elif not any(info.areas for info in infos):
            self._missing(root, "alert/info[1]/area")

    def _info(self, info: Element, path: str) -> CapInfo:
        return CapInfo(
            language=self._text(info, f"{path}/language") or "en-US",
            categories=self._categories(info, path),
            event=self._text(info, f"{path}/event", is_required=True),
            urgency=self._choice(info, f"{path}/urgency", URGENCIES),
            severity=self._choice(info, f"{path}/severity", SEVERITIES),
            certainty=self._choice(info, f"{path}/certainty", CERTAINTIES),
            expires=self._time(info, f"{path}/expires"),
            headline=self._text(info, f"{path}/headline"),
            description=self._text(info, f"{path}/description"),
            instruction=self._text(info, f"{path}/instruction"),
            areas=tuple(self._area(area, f"{path}/area[{n}]") for n, area in enumerate(info.all("area"), 1)),
        )

    def _categories(self, info: Element, path: str) -> tuple[str, ...]:
        found = info.all("category")
        if not found:
            self._missing(info, f"{path}/category", CATEGORIES)
        return tuple(self._one_of(category, f"{path}/category", CATEGORIES) for category in found)

    def _area(self, area: Element, path: str) -> CapArea:
        return CapArea(
            description=self._text(area, f"{path}/areaDesc", is_required=True),
            polygons=tuple(
                self._polygon(polygon, f"{path}/polygon[{n}]") for n, polygon in enumerate(area.all("polygon"), 1)
            ),
            circles=tuple(
                self._circle(circle, f"{path}/circle[{n}]") for n, circle in enumerate(area.all("circle"), 1)
            ),
            geocodes=tuple(
                (
                    self._text(code, f"{at}/valueName", is_required=True),
                    self._text(code, f"{at}/value", is_required=True),
                )
                for at, code in ((f"{path}/geocode[{n}]", code) for n, code in enumerate(area.all("geocode"), 1))
            ),
        )

    # ---- one value -------------------------------------------------------------------------------------------------

    def _text(self, parent: Element, path: str, *, is_required: bool = False) -> str:
        found = parent.all(_last(path))
        if len(found) > 1:
            self._fault(
                "not_allowed",
                path,
                found[1],
                vi=f"{path} chỉ được có một lần; bỏ lần thứ hai",
                en=f"{path} may stand there once only; take the second one away",
            )
        text = found[0].text if found else ""
        if not text and is_required:
            self._missing(found[0] if found else parent, path)
        if len(text) > MAX_TEXT_CHARS:
            self._fault(
                "too_large",
                path,
                found[0],
                vi=f"{path} dài quá {MAX_TEXT_CHARS} ký tự; hãy rút gọn",
                en=f"{path} is longer than {MAX_TEXT_CHARS} characters; shorten it",
            )
        return text

    def _choice(self, parent: Element, path: str, allowed: tuple[str, ...]) -> str:
        found = parent.first(_last(path))
        if found is None or not found.text:
            self._missing(found or parent, path, allowed)
            return allowed[0]
        self._text(parent, path)  # twice is a fault here too
        return self._one_of(found, path, allowed)

    def _one_of(self, element: Element, path: str, allowed: tuple[str, ...]) -> str:
        if element.text not in allowed:
            shown = element.text[:60]
            self._fault(
                "not_allowed",
                path,
                element,
                vi=f"{path} là {shown!r}; phải là một trong {', '.join(allowed)}",
                en=f"{path} is {shown!r}; write one of {', '.join(allowed)}",
            )
        return element.text

    def _name(self, root: Element, path: str) -> str:
        text = self._text(root, path, is_required=True)
        if text and (len(text) > MAX_NAME_CHARS or not _NAME.fullmatch(text)):
            self._fault(
                "bad_id",
                path,
                root.first(_last(path)) or root,
                vi=f"{path} không được có khoảng trắng, dấu phẩy, < hoặc &, và dài nhất {MAX_NAME_CHARS} ký tự",
                en=f"{path} holds a blank, a comma, < or &, or more than {MAX_NAME_CHARS} characters; leave those out",
            )
        return text

    def _time(self, parent: Element, path: str, *, is_required: bool = False) -> datetime | None:
        text = self._text(parent, path, is_required=is_required)
        moment = _moment(text)
        if text and moment is None:
            self._bad_time(parent, path, text)
        return moment

    def _bad_time(self, parent: Element, path: str, text: str) -> None:
        self._fault(
            "bad_time",
            path,
            parent.first(_last(path)) or parent,
            vi=f"{path} là {text[:60]!r}; phải là thời gian có múi giờ như 2026-11-22T08:00:00+07:00",
            en=f"{path} is {text[:60]!r}; write a time with its offset, like 2026-11-22T08:00:00+07:00",
        )

    def _references(self, root: Element, *, is_required: bool) -> tuple[CapReference, ...]:
        path = "alert/references"
        element = root.first("references")
        texts = element.text.split() if element is not None else []
        if not texts and is_required:
            self._missing(element or root, path)
        references = [_reference(text) for text in texts[: MAX_REFERENCES + 1]]
        if None in references or len(texts) > MAX_REFERENCES:
            self._fault(
                "bad_id",
                path,
                element or root,
                vi=f"{path} phải gồm các bộ sender,identifier,sent cách nhau bằng khoảng trắng, nhiều nhất "
                f"{MAX_REFERENCES} bộ",
                en=f"{path} must be sender,identifier,sent of each message, with blanks between them, at most "
                f"{MAX_REFERENCES}",
            )
        return tuple(reference for reference in references if reference is not None)

    def _polygon(self, element: Element, path: str) -> tuple[tuple[float, float], ...]:
        points = [_point(text) for text in element.text.split()[: MAX_POINTS + 1]]
        ring = tuple(point for point in points if point is not None)
        if None in points or not 4 <= len(ring) <= MAX_POINTS or ring[0] != ring[-1]:
            self._fault(
                "wrong_type",
                path,
                element,
                vi=f"{path} phải là 4 đến {MAX_POINTS} điểm 'vĩ độ,kinh độ' cách nhau bằng khoảng trắng, "
                "điểm cuối trùng điểm đầu",
                en=f"{path} must be 4 to {MAX_POINTS} points 'latitude,longitude' with blanks between, "
                "the last one equal to the first",
            )
        return ring

    def _circle(self, element: Element, path: str) -> tuple[float, float, float]:
        place, _, radius = element.text.partition(" ")
        point = _point(place)
        if point is None or not _NUMBER.fullmatch(radius.strip()) or float(radius) < 0:
            self._fault(
                "wrong_type",
                path,
                element,
                vi=f"{path} phải là 'vĩ độ,kinh độ bán_kính_km', ví dụ 11.94,108.44 5",
                en=f"{path} must be 'latitude,longitude radius_km', like 11.94,108.44 5",
            )
            return (0.0, 0.0, 0.0)
        return (*point, float(radius))

    # ---- faults ----------------------------------------------------------------------------------------------------

    def _missing(self, near: Element, path: str, allowed: Sequence[str] = ()) -> None:
        vi, en = (f": một trong {', '.join(allowed)}", f": one of {', '.join(allowed)}") if allowed else ("", "")
        self._fault(
            "missing_field",
            path,
            near,
            vi=f"thiếu {path}; CAP 1.2 yêu cầu phần tử này, hãy thêm vào{vi}",
            en=f"{path} is missing; CAP 1.2 asks for it, add it{en}",
        )

    def _fault(self, reason: str, path: str, near: Element, *, vi: str, en: str) -> None:
        self._problems.append(
            InvalidRecord(reason, field=path, vi=f"Dòng {near.line}: {vi}.", en=f"line {near.line}: {en}")
        )


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _moment(text: str) -> datetime | None:
    if not _TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _is_datable(moment: datetime) -> bool:
    """Whether calendars agree on it in every zone; the year 9999 is for `expires` only."""
    return 1900 < moment.year < 9000


def _reference(text: str) -> CapReference | None:
    parts = text.split(",")
    sent = _moment(parts[-1])
    if len(parts) != 3 or sent is None or not _is_datable(sent) or not all(_is_name(part) for part in parts[:2]):
        return None
    return CapReference(sender=parts[0], identifier=parts[1], sent=sent)


def _is_name(text: str) -> bool:
    return len(text) <= MAX_NAME_CHARS and _NAME.fullmatch(text) is not None


def _point(text: str) -> tuple[float, float] | None:
    """From CAP's "latitude,longitude" to GeoJSON's (longitude, latitude)."""
    parts = text.split(",")
    if len(parts) != 2 or not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    latitude, longitude = float(parts[0]), float(parts[1])
    if math.fabs(latitude) > 90 or math.fabs(longitude) > 180:
        return None
    return longitude, latitude


def _not_cap(root: Element) -> InvalidRecord:
    return InvalidRecord(
        "not_cap",
        field="alert",
        vi=f'Phần tử gốc là <{root.name[:60]}> thuộc {root.namespace[:80]!r}; phải là <alert xmlns="{NAMESPACE}">.',
        en=f'the root is <{root.name[:60]}> of {root.namespace[:80]!r}; it must be <alert xmlns="{NAMESPACE}">',
    )
