"""What a department tells, as the bytes of one CloudEvent in structured mode. Pure."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from ioc.errors import ConfigurationError, InvalidRecord

__all__ = ["Prepared", "prepare", "type_parts", "whole_source"]

_TYPE_PREFIX, _TYPE_SUFFIX = "vn.ioc.", ".v1"
_ID_CHARS = 32  # 128 bits of SHA-256


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """One event ready to go. `body`: its JSON."""

    source: str
    id: str
    body: bytes


def prepare(
    type_name: str,
    data: Mapping[str, object],
    *,
    source: str,
    now: datetime,
    event_id: str | None = None,
    time: datetime | str | None = None,
) -> Prepared:
    """Returns the event `type_name` (`dossier.submitted`, or in full `vn.ioc.dossier.submitted.v1`) with its `data`.

    `time` None is `now`; a datetime needs its offset. `event_id` None is a digest of type, source, time and data: the
    same call with the same `time` gives the same id, so a repeat counts once.

    Raises:
        InvalidRecord: the data is no JSON (NaN, a value of an odd type), or the time has no offset.
    """
    _, ce_type = type_parts(type_name)
    moment = _moment(now if time is None else time)
    payload = _json(data)
    if event_id is None:
        event_id = hashlib.sha256("\0".join((ce_type, source, moment, payload)).encode()).hexdigest()[:_ID_CHARS]
    head = {
        "specversion": "1.0",
        "type": ce_type,
        "source": source,
        "id": event_id,
        "time": moment,
        "datacontenttype": "application/json",
    }
    text = f'{_json(head)[:-1]},"data":{payload}}}'
    return Prepared(source=source, id=event_id, body=text.encode())


def type_parts(type_name: str) -> tuple[str, str]:
    """Returns the catalogue's name and the CloudEvents type: `dossier.submitted`, `vn.ioc.dossier.submitted.v1`."""
    if not type_name.startswith(_TYPE_PREFIX):
        return type_name, f"{_TYPE_PREFIX}{type_name}{_TYPE_SUFFIX}"
    return re.sub(r"\.v\d+$", "", type_name.removeprefix(_TYPE_PREFIX)), type_name


def whole_source(source: str, province: str | None) -> str:
    """Returns `source` as CloudEvents has it: `/lam-dong/onestop/motcua`, also for `onestop/motcua` in lam-dong.

    Raises:
        ConfigurationError: the short form, and nobody said which province.
    """
    if source.startswith("/"):
        return source
    if not source or not province:
        raise ConfigurationError(
            f"source={source!r}: write it in full, /PROVINCE/FAMILY/SYSTEM like /lam-dong/onestop/motcua, "
            f"or give province="
        )
    return f"/{province}/{source}"


def _moment(time: datetime | str) -> str:
    if isinstance(time, str):
        return time
    if time.tzinfo is None:
        raise InvalidRecord(
            "bad_time",
            field="time",
            vi=f"Thời gian {time.isoformat()} không có múi giờ; ví dụ đúng: 2026-11-22T08:00:00+07:00.",
            en=f"time {time.isoformat()} has no offset; write it like 2026-11-22T08:00:00+07:00",
        )
    return time.isoformat()


def _json(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)
        text.encode()  # half a surrogate pair is no text
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRecord(
            "bad_json",
            field="data",
            vi=f"Dữ liệu không ghi được thành JSON: {error}.",
            en=f"the data can't be written as JSON: {error}",
        ) from None
    return text


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"a value of type {type(value).__name__}")
