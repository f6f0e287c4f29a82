"""A citizen's report as a form: what GeoReport v2 asks of it, and the event that tells it. Pure.

The reporter's name, e-mail address, telephone number and device stay with the application that sent them: they go into
no event. What is kept is a keyed hash of the one that tells people apart.
"""

import hashlib
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import parse_qsl

import orjson

from ioc.errors import InvalidRecord
from ioc.geography import Geography
from ioc.windows import LOCAL_ZONE

__all__ = ["MAX_FORM_BYTES", "UNIT_ATTRIBUTE", "ReportForm", "event_of", "read_form", "read_report"]

MAX_FORM_BYTES = 64 * 1024
MAX_FIELDS = 100
MAX_DESCRIPTION_CHARS = 4_000  # the standard's own limit
MAX_FIELD_CHARS = 1_000
UNIT_ATTRIBUTE = "attribute[admin_unit]"
_REPORTER = ("account_id", "email", "phone", "device_id")
_DEGREES = re.compile(r"[+-]?\d{1,3}(\.\d{1,20})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportForm:
    """A report that can be taken. `reporter` is what tells the citizen from others, "" where nothing does."""

    service_code: str
    admin_unit: str
    longitude: float | None
    latitude: float | None
    address: str
    description: str
    media_url: str
    reporter: str


def read_form(body: bytes) -> dict[str, str]:
    """Returns the fields of `body` (application/x-www-form-urlencoded, UTF-8); of a repeated field the first counts.

    Raises:
        InvalidRecord: `too_large`, `bad_form`.
    """
    if len(body) > MAX_FORM_BYTES:
        raise InvalidRecord(
            "too_large",
            vi=f"Biểu mẫu {len(body)} byte vượt giới hạn {MAX_FORM_BYTES} byte.",
            en=f"a form of {len(body)} bytes is over the limit of {MAX_FORM_BYTES}",
        )
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=MAX_FIELDS
        )
    except ValueError:  # of it UnicodeDecodeError is one
        raise InvalidRecord(
            "bad_form",
            vi=f"Biểu mẫu phải là application/x-www-form-urlencoded, UTF-8, nhiều nhất {MAX_FIELDS} trường.",
            en=f"the form must be application/x-www-form-urlencoded in UTF-8, with at most {MAX_FIELDS} fields",
        ) from None
    fields: dict[str, str] = {}
    for name, text in pairs:
        fields.setdefault(name, text.strip())
    return fields


def read_report(fields: Mapping[str, str], *, codes: Collection[str], geography: Geography, today: date) -> ReportForm:
    """Returns the report of a form.

    Raises:
        InvalidRecord: `missing_field`, `not_allowed`, `unknown_admin_unit`, `out_of_range`, `too_large`; and where.
    """
    code = _required(fields, "service_code")
    if code not in codes:
        raise _refused(
            "not_allowed", "service_code", f"không có loại {code[:60]!r}", f"there is no service {code[:60]!r}"
        )
    latitude, longitude = _degrees(fields, "lat", 90), _degrees(fields, "long", 180)
    address = _text(fields, "address_string") or _text(fields, "address_id")
    if (latitude is None or longitude is None) and not address:
        raise _refused(
            "missing_field",
            "lat",
            "cần lat và long, hoặc address_string: nơi xảy ra sự việc",
            "lat and long are needed, or address_string: where it is",
        )
    return ReportForm(
        service_code=code,
        admin_unit=_unit(fields, geography, today),
        longitude=None if latitude is None else longitude,
        latitude=None if longitude is None else latitude,
        address=address,
        description=_text(fields, "description", MAX_DESCRIPTION_CHARS),
        media_url=_text(fields, "media_url"),
        reporter=next((fields[name][:MAX_FIELD_CHARS] for name in _REPORTER if fields.get(name)), ""),
    )


def event_of(form: ReportForm, *, report_id: str, at: datetime, source: str, ce_type: str, salt: bytes) -> bytes:
    """Returns the event, in structured mode. `at`: when it came in; `salt`: secret of this gateway."""
    told: dict[str, Any] = {
        "report_id": report_id,
        "channel": "open311",
        "service_code": form.service_code,
        "submitted_at": at.astimezone(LOCAL_ZONE).isoformat(),
        "ward_code": form.admin_unit,
        "description": form.description,
        "address": form.address,
        "media_ref": form.media_url,
        "reporter_hash": _hashed(form.reporter, salt),
    }
    if form.longitude is not None:
        told["geo"] = {"type": "Point", "coordinates": [form.longitude, form.latitude]}
    return orjson.dumps(
        {
            "specversion": "1.0",
            "type": ce_type,
            "source": source,
            "id": f"{report_id}/submitted",
            "time": told["submitted_at"],
            "datacontenttype": "application/json",
            "data": {name: value for name, value in told.items() if value},
        }
    )


def _hashed(reporter: str, salt: bytes) -> str:
    return hashlib.blake2b(reporter.casefold().encode(), key=salt, digest_size=16).hexdigest() if reporter else ""


def _unit(fields: Mapping[str, str], geography: Geography, today: date) -> str:
    """The catalogue knows no borders, so a place on the map does not tell the commune: the form must."""
    code = _required(fields, UNIT_ATTRIBUTE)
    unit = geography.resolve(code, today)
    if unit is None:
        raise _refused(
            "unknown_admin_unit",
            UNIT_ATTRIBUTE,
            f"{code[:40]!r} không phải mã xã, phường đang có hiệu lực của tỉnh",
            f"{code[:40]!r} is not the code of a commune of the province that is in force",
        )
    return unit


def _degrees(fields: Mapping[str, str], name: str, limit: int) -> float | None:
    text = fields.get(name, "")
    if not text:
        return None
    value = float(text) if _DEGREES.fullmatch(text) else math.inf
    if math.fabs(value) > limit:
        raise _refused(
            "out_of_range",
            name,
            f"{text[:40]!r} không phải số độ từ -{limit} đến {limit}",
            f"{text[:40]!r} is not a number of degrees from -{limit} to {limit}",
        )
    return value


def _required(fields: Mapping[str, str], name: str) -> str:
    text = _text(fields, name)
    if not text:
        raise _refused("missing_field", name, "thiếu trường này", "the field is missing")
    return text


def _text(fields: Mapping[str, str], name: str, limit_chars: int = MAX_FIELD_CHARS) -> str:
    text = fields.get(name, "")
    if len(text) > limit_chars:
        raise _refused("too_large", name, f"dài quá {limit_chars} ký tự", f"longer than {limit_chars} characters")
    return text


def _refused(reason: str, name: str, vi: str, en: str) -> InvalidRecord:
    return InvalidRecord(reason, field=name, vi=f"{name}: {vi}.", en=f"{name}: {en}")
