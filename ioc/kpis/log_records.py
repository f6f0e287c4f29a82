"""Records of the KPI log (`ioc.kpi.values`): JSON, CloudEvents binary mode. Pure."""

import hashlib
from datetime import datetime

import msgspec
import orjson

from ioc.cloudevents import Headers, encode_json
from ioc.kpis.log import LoggedValue, Place
from ioc.windows import microseconds_of, moment_of

__all__ = ["VALUE_TYPE", "Key", "decode_value", "decode_written", "encode_value", "key_of", "place_of"]

VALUE_TYPE = "vn.ioc.kpi.value.v1"
Key = tuple[str, str, str, str, str, str]
"""(KPI, admin_unit, agency, dim, window, period)"""


class _Value(msgspec.Struct, kw_only=True):
    """The fields of a record that its key does not tell."""

    closed: bool
    value: float | None = None
    numerator: float | None = None
    denominator: float | None = None
    as_of: datetime | None = None
    stale: bool = False
    provenance: str = "auto"
    rule_version: str = ""
    written_at: datetime | None = None


_decode_key = msgspec.json.Decoder(Key).decode
_decode_value = msgspec.json.Decoder(_Value).decode


def key_of(logged: LoggedValue) -> Key:
    return logged.kpi, logged.admin_unit, logged.agency, logged.dim, logged.window, logged.period


def encode_value(logged: LoggedValue, *, province: str, written_at: datetime) -> tuple[bytes, bytes, Headers]:
    """Returns (key, value, headers) of a figure's record. The key is the JSON list [kpi, admin_unit, agency, dim,
    window, period]."""
    key = orjson.dumps(key_of(logged))
    data = {
        "kpi": logged.kpi,
        "admin_unit": logged.admin_unit,
        "agency": logged.agency,
        "dim": logged.dim,
        "window": logged.window,
        "period": logged.period,
        "closed": logged.is_closed,
        "value": logged.value,
        "numerator": logged.numerator,
        "denominator": logged.denominator,
        "as_of": None if logged.as_of_us is None else _text(moment_of(logged.as_of_us)),
        "stale": logged.is_stale,
        "provenance": "manual" if logged.is_manual else "auto",
        "rule_version": logged.rule_version,
        "written_at": _text(written_at),
    }
    # Each writing is an event of its own: a value that comes back after a correction must not look like a repetition.
    event_id = hashlib.blake2b(key + orjson.dumps(data), digest_size=16).hexdigest()
    value, headers = encode_json(
        data, event_id=event_id, event_type=VALUE_TYPE, source=f"/{province}/kpi", at=written_at, subject=logged.kpi
    )
    return key, value, headers


def place_of(key: bytes | None) -> Place:
    """Returns where a record belongs; cheaper than reading all of it.

    Raises:
        msgspec.DecodeError: the record is not one of ours.
    """
    kpi, _, _, _, window, period = _decode_key(key or b"")
    return kpi, window, period


def decode_written(key: bytes | None, value: bytes | None) -> tuple[LoggedValue, datetime | None]:
    """Returns what a record holds, and when it was written, where it says so.

    Raises:
        msgspec.DecodeError: the record is not one of ours.
    """
    kpi, admin_unit, agency, dim, window, period = _decode_key(key or b"")
    found = _decode_value(value or b"")
    logged = LoggedValue(
        kpi=kpi,
        admin_unit=admin_unit,
        agency=agency,
        dim=dim,
        window=window,
        period=period,
        is_closed=found.closed,
        value=found.value,
        numerator=found.numerator,
        denominator=found.denominator,
        as_of_us=None if found.as_of is None else microseconds_of(found.as_of),
        is_stale=found.stale,
        is_manual=found.provenance == "manual",
        rule_version=found.rule_version,
    )
    return logged, found.written_at


def decode_value(key: bytes | None, value: bytes | None) -> LoggedValue:
    """The same without its time."""
    return decode_written(key, value)[0]


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
