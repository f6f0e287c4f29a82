"""What is accepted: a second, independent reading of the checks that come before counting."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from tests.recount.event_types import EVENT_TYPES, FAMILIES, EventType, Field

__all__ = ["HANOI", "Entity", "Fact", "Opened", "Record", "Rejected", "instant", "moment", "open_record", "read_event"]

HANOI = timezone(timedelta(hours=7))  # Asia/Ho_Chi_Minh: no summer time, +07:00 in all the years that can be accepted
ACCEPT_SINCE = datetime(2000, 1, 1, tzinfo=HANOI)
AHEAD = timedelta(minutes=15)
LARGEST_EVENT_BYTES = 256 * 1024
LARGEST_WHOLE = 2**53


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka record as it is sent."""

    topic: str
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    value: bytes


class Rejected(Exception):
    """This event counts as rejected; the text says why, for the reader of a failed test."""


@dataclass(frozen=True, slots=True)
class Opened:
    """One event of a record: CloudEvents attributes, data, size in bytes; `refusal` where its bytes are no event."""

    attributes: Mapping[str, object]
    data: object
    size_bytes: int
    refusal: str = ""

    @property
    def source(self) -> str:
        """The source, where it can be read and is one of the catalogue's; else ""."""
        source = self.attributes.get("source")
        if not isinstance(source, str) or _holds_control(source):
            return ""
        words = source.split("/")
        return source if words[:2] == ["", "lam-dong"] and len(words) > 2 and words[2] in FAMILIES else ""


@dataclass(frozen=True, slots=True)
class Fact:
    """One accepted event. Facts of an entity are ordered by time, then id, then source."""

    time: datetime
    id: str
    source: str
    type: str  # without "vn.ioc." and ".v1"
    data: Mapping[str, object]
    told: frozenset[tuple[str, object]]  # the known fields that are not null, times as instants

    @property
    def order(self) -> tuple[datetime, str, str]:
        return self.time, self.id, self.source

    @property
    def is_tombstone(self) -> bool:
        return self.data.get("deleted") is True


Entity = tuple[str, tuple[object, ...]]

_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@lru_cache(maxsize=200_000)
def _instant(text: str) -> datetime:
    if not _TIME.fullmatch(text):
        raise Rejected(f"not a time with an offset: {text!r}")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)  # RFC 3339 allows t and z
    except ValueError as error:
        raise Rejected(f"no such time: {text!r}") from error


def instant(text: object) -> datetime:
    """Returns the instant in UTC; a time without an offset, or no text at all, is refused."""
    if not isinstance(text, str):
        raise Rejected(f"not a time: {text!r}")
    return _instant(text)


def moment(text: object) -> datetime:
    """Returns the instant of a time, or the first of a local day."""
    if isinstance(text, str) and _DAY.fullmatch(text):
        try:
            return datetime.fromisoformat(text).replace(tzinfo=HANOI).astimezone(UTC)
        except ValueError as error:
            raise Rejected(f"no such day: {text!r}") from error
    return instant(text)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _parse(value: bytes) -> object:
    try:
        return json.loads(value.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, UnicodeDecodeError) as error:
        raise Rejected(f"bad JSON: {error}") from error


def _structured(value: object, size_bytes: int) -> Opened:
    if not isinstance(value, dict):
        return Opened({}, None, size_bytes, "an event is an object")
    return Opened({name: item for name, item in value.items() if name != "data"}, value.get("data"), size_bytes)


def open_record(record: Record) -> list[Opened]:
    """Returns the events of a record, in their order; a record that can't be opened is one rejected event."""
    headers = {name: value.decode("utf-8") for name, value in record.headers}
    content_type = headers.get("content-type", "")
    attributes: dict[str, object] = {}
    try:
        if content_type.startswith("application/cloudevents-batch+json"):
            items = _parse(record.value)
            if not isinstance(items, list):
                raise Rejected("a batch is a list")
            return [_structured(item, len(json.dumps(item))) for item in items]
        if content_type.startswith("application/cloudevents+json"):
            return [_structured(_parse(record.value), len(record.value))]
        attributes = {name.removeprefix("ce_"): value for name, value in headers.items() if name.startswith("ce_")}
        return [Opened(attributes, _parse(record.value), len(record.value))]
    except Rejected as refusal:
        return [Opened(attributes, None, len(record.value), str(refusal))]


def _holds_control(text: str) -> bool:
    return any(ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0 for letter in text)


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise Rejected(f"{name} is not a text: {value!r}")
    if _holds_control(value):
        raise Rejected(f"{name} holds a control character")
    return value


def _check_source(source: str, topic: str) -> None:
    words = source.split("/")
    if words[:3] != ["", "lam-dong", topic.split(".")[1]]:
        raise Rejected(f"{source} may not publish on {topic}")


def _check_between(moment: datetime, clock: datetime) -> None:
    if not ACCEPT_SINCE <= moment <= clock + AHEAD:
        raise Rejected(f"{moment} is not between {ACCEPT_SINCE} and {clock + AHEAD}")


def _check_number(value: object, name: str, kind: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Rejected(f"{name} is not a number: {value!r}")
    if kind in ("number", "amount"):
        if kind == "amount" and value < 0:
            raise Rejected(f"{name} is below zero")
        return
    if not isinstance(value, int) or abs(value) > LARGEST_WHOLE:
        raise Rejected(f"{name} is not a whole number: {value!r}")
    bounds = {"count": (0, LARGEST_WHOLE), "1-5": (1, 5), "2-3": (2, 3), "whole": (-LARGEST_WHOLE, LARGEST_WHOLE)}
    low, high = bounds[kind]
    if not low <= value <= high:
        raise Rejected(f"{name} is not between {low} and {high}")


def _check_field(
    field: Field, name: str, value: object, clock: datetime, cameras: Collection[str], units: Collection[str]
) -> object:
    """Returns the value to compare by: a time as its instant, anything that can't be compared as None."""
    kind = field.kind
    if kind in ("time", "day", "moment"):
        if kind == "day" and not (isinstance(value, str) and _DAY.fullmatch(value)):
            raise Rejected(f"{name} is not a day: {value!r}")
        at = instant(value) if kind == "time" else moment(value)
        if field.is_own_time:
            _check_between(at, clock)
        return at
    if kind == "any":
        return None
    if kind == "list":
        if not isinstance(value, list):
            raise Rejected(f"{name} is not a list")
        return json.dumps(value)
    if kind == "flag":
        if not isinstance(value, bool):
            raise Rejected(f"{name} is not true or false")
        return value
    if kind in ("number", "amount", "whole", "count", "1-5", "2-3"):
        _check_number(value, name, kind)
        return value
    if not isinstance(value, str):
        raise Rejected(f"{name} is not a text")
    if kind == "unit" and value not in units:
        raise Rejected(f"{name}: no such commune {value!r}")
    if kind == "camera" and value not in cameras:
        raise Rejected(f"{name}: unknown camera {value!r}")
    if "|" in kind and value not in kind.split("|"):
        raise Rejected(f"{name} is none of {kind}")
    return value


def _check_fields(
    event_type: EventType, data: Mapping[str, object], clock: datetime, cameras: Collection[str], units: Collection[str]
) -> dict[str, object]:
    if not isinstance(data.get("deleted"), bool | None):
        raise Rejected("deleted is neither true nor false")
    is_tombstone = data.get("deleted") is True
    for name in event_type.required:
        if name in event_type.key or not is_tombstone:  # a tombstone needs the key and no more
            is_known = data.get(name) is not None if name in event_type.key else name in data
            if not is_known:  # elsewhere null means not known, and is not rejected
                raise Rejected(f"{name} is missing")
    told = {}
    for name, field in event_type.fields.items():
        if data.get(name) is not None:
            told[name] = _check_field(field, name, data[name], clock, cameras, units)
    for name in event_type.key:
        if isinstance(told[name], str):
            _text(told[name], name)
    return {name: value for name, value in told.items() if value is not None}


def read_event(
    event: Opened, topic: str, clock: datetime, cameras: Collection[str], units: Collection[str]
) -> tuple[Entity, Fact]:
    """Returns the entity and the fact that the event tells; raises Rejected."""
    if event.refusal:
        raise Rejected(event.refusal)
    if event.size_bytes > LARGEST_EVENT_BYTES:
        raise Rejected("too large")
    attributes, data = event.attributes, event.data
    if attributes.get("specversion", "1.0") != "1.0":
        raise Rejected("not CloudEvents 1.0")
    event_id, source = _text(attributes.get("id"), "id"), _text(attributes.get("source"), "source")
    type_name = _text(attributes.get("type"), "type")
    event_type = EVENT_TYPES.get(type_name)
    if event_type is None or event_type.topic != topic:
        raise Rejected(f"{type_name} does not belong on {topic}")
    _check_source(source, topic)
    if not isinstance(data, dict):
        raise Rejected("data is not an object")
    told = _check_fields(event_type, data, clock, cameras, units)
    time = told.get(event_type.time_field)
    if attributes.get("time") is not None or time is None:  # it may be missing where the fact has its own time
        ce_time = instant(attributes.get("time"))
        _check_between(ce_time, clock)
        time = ce_time if time is None else time
    assert isinstance(time, datetime)
    if event_type.time_field != "ce_time":
        told[event_type.time_field] = time  # where it is not known, the CloudEvents time stands for it
    name = type_name.removeprefix("vn.ioc.").removesuffix(".v1")
    fact = Fact(time, event_id, source, name, data, frozenset(told.items()))
    return (event_type.entity, tuple(told[name] for name in event_type.key)), fact
