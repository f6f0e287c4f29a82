"""From a record of `ioc.incidents` to what the inbox does with it. Pure."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, Literal, get_args

import orjson

from ioc.errors import InvalidRecord
from ioc.incidents import INCIDENT_TYPE, Incident, Severity, State

__all__ = ["OPENED", "Decision", "notice_key", "parse_incident", "parse_payload"]

MAX_RECORD_BYTES = 256 * 1024  # an incident is about 1 KB
MAX_TEXT_CHARS = 2000
MAX_ID_CHARS = 200

OPENED = "opened"
"""The purpose of the notice that tells people of a new open incident."""

_NAMES = frozenset(f.name for f in fields(Incident)) - {"box", "lon", "lat"} | {"bbox", "geo"}
_TEXTS = tuple(f.name for f in fields(Incident) if f.type in (str, "str"))
_TIMES = ("first_frame_at", "opened_at", "last_seen_at")
_KIND = re.compile(r"[a-z][a-z0-9_]{0,63}")

Decision = Literal["ignore", "store", "store_and_alert"]
"""What the inbox did with an incident: nothing (known already), kept it, or kept it and queued notices."""


def notice_key(*, incident_id: str, purpose: str, channel: str, recipient: str) -> str:
    """The idempotency key: the same for every try of the same notice, and never with a dot (Standard Webhooks signs
    `id.timestamp.body`)."""
    text = "\x1f".join((incident_id, purpose, channel, recipient))
    return "msg_" + hashlib.sha256(text.encode()).hexdigest()[:40]


def parse_incident(value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> Incident:
    """Returns the incident of a record in CloudEvents binary mode. Fields that a newer publisher added are left out.

    Raises:
        InvalidRecord: not an incident event, not JSON, or a field is missing or wrong.
    """
    ce_type = next((text for name, text in headers if name.lower() == "ce_type"), b"") or b""
    if ce_type.decode("utf-8", errors="replace") != INCIDENT_TYPE:
        raise _invalid("unknown_type", "ce_type", f"type {ce_type[:80]!r} is not {INCIDENT_TYPE}")
    if not value or len(value) > MAX_RECORD_BYTES:
        raise _invalid("bad_size", "value", f"a record of {len(value or b'')} bytes; 1 to {MAX_RECORD_BYTES} are taken")
    try:
        data = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise _invalid("bad_json", "value", f"not JSON: {error}") from None
    return parse_payload(data)


def parse_payload(data: object) -> Incident:
    """Returns the incident of `Incident.as_json` data, with every field's type checked.

    Raises:
        InvalidRecord: a field is missing or wrong.
    """
    if not isinstance(data, dict):
        raise _invalid("bad_json", "value", "the value is not a JSON object")
    values: dict[str, Any] = {name: data[name] for name in _NAMES & data.keys()}
    try:
        incident = Incident.from_json(values)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _invalid("bad_field", "data", f"{type(error).__name__}: {str(error)[:200]}") from None
    _check(incident)
    return incident


def _check(incident: Incident) -> None:
    for name in _TEXTS:
        text = getattr(incident, name)
        if not isinstance(text, str) or len(text) > MAX_TEXT_CHARS or "\x00" in text:
            raise _invalid("bad_field", name, f"{name} must be a text of at most {MAX_TEXT_CHARS} characters")
    identity = incident.incident_id
    if not identity or len(identity) > MAX_ID_CHARS or not identity.isprintable():
        raise _invalid("bad_id", "incident_id", f"incident_id must have 1 to {MAX_ID_CHARS} printable characters")
    if not _KIND.fullmatch(incident.kind):
        raise _invalid("bad_field", "kind", "kind must be lower-case letters, digits and _")
    for name, allowed in (("state", get_args(State)), ("severity", get_args(Severity))):
        if getattr(incident, name) not in allowed:
            raise _invalid("bad_field", name, f"{name} must be one of {', '.join(allowed)}")
    if type(incident.revision) is not int or not 0 < incident.revision < 2**31:
        raise _invalid("bad_field", "revision", "revision must be a whole number from 1")
    _check_times(incident)
    _check_numbers(incident)


def _check_times(incident: Incident) -> None:
    for name in _TIMES:
        moment = getattr(incident, name)
        if moment is None and name == "opened_at":
            continue
        if not isinstance(moment, datetime) or moment.tzinfo is None or not 2000 < moment.year < 2200:
            raise _invalid("bad_time", name, f"{name} must be a time with an offset")


def _check_numbers(incident: Incident) -> None:
    limits: Mapping[str, tuple[float, float]] = {
        "lon": (-180, 180),
        "lat": (-90, 90),
        "azimuth_deg": (-360, 360),
        "peak_score": (0, 1),
        "detections": (0, 2**31),
    }
    for name, (low, high) in limits.items():
        number = getattr(incident, name)
        if number is None and name in ("lon", "lat", "azimuth_deg"):
            continue
        if isinstance(number, bool) or not isinstance(number, int | float) or not low <= number <= high:
            raise _invalid("bad_field", name, f"{name} must be a number from {low} to {high}")
    if not all(isinstance(cue, str) and len(cue) <= MAX_TEXT_CHARS for cue in incident.cues):
        raise _invalid("bad_field", "cues", "cues must be texts")
    if not isinstance(incident.extra, dict):
        raise _invalid("bad_field", "extra", "extra must be an object")


def _invalid(reason: str, field: str, en: str) -> InvalidRecord:
    return InvalidRecord(reason, field=field, vi=f"Bản ghi sự cố không hợp lệ ở {field} ({reason}).", en=en)
