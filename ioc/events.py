"""Events: from the bytes of a Kafka record to validated facts, or to a reason why not.

CloudEvents 1.0 in binary mode (`ce_` headers), structured mode and batched mode. Every check of semantics.md,
"Accepting", that needs no stored state is here; duplicates are the entity rows' business.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from operator import attrgetter
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from ioc.errors import ConfigurationError, InvalidRecord
from ioc.windows import EPOCH, MICROSECONDS, moment_of

__all__ = [
    "FUTURE_TOLERANCE_US",
    "KEY_SEPARATOR",
    "MAX_EVENT_BYTES",
    "Event",
    "EventDecoder",
    "EventType",
    "FieldSpec",
    "Headers",
    "Rejected",
    "StoredValue",
]

MAX_EVENT_BYTES = 256 * 1024
MAX_ID_CHARS = 512
MAX_STORED_CHARS = 1_024  # what a row keeps of a free text; ids and keys are never cut
MAX_STORED_ITEMS = 64
KEY_SEPARATOR = "\x1f"
FUTURE_TOLERANCE_US = 15 * 60 * MICROSECONDS
_LARGEST_INTEGER = 2**53  # what a double holds exactly, and what fits every store on the way
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_STRUCTURED = "application/cloudevents+json"
_BATCHED = "application/cloudevents-batch+json"

Headers = Sequence[tuple[str, bytes]]
StoredValue = int | float | str | bool | None | list[str]
FieldType = Literal[
    "string", "integer", "number", "boolean", "time", "date", "date_or_time", "admin_unit", "camera", "list", "any"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSpec:
    """One field of an event type. `enum`, where not empty, takes the place of `type`."""

    name: str
    type: FieldType = "string"
    enum: tuple[str | int, ...] = ()
    is_required: bool = False
    minimum: int | None = None
    maximum: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """A type of event as the catalogue declares it. `number` is its stable place in the catalogue's file."""

    number: int
    name: str
    ce_type: str
    topic: str
    partition_key: str
    kind: str
    entity: str
    entity_key: tuple[str, ...]
    time_field: str
    fields: tuple[FieldSpec, ...]
    fact_times: tuple[str, ...] = ()
    stored: tuple[str, ...] = field(init=False)
    is_state: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_state", self.kind == "state")
        object.__setattr__(self, "stored", tuple(spec.name for spec in self.fields if spec.type != "any"))

    @property
    def family(self) -> str:
        """The second word of the topic: the first word of every source that may publish here, after the province."""
        return self.topic.split(".")[1]

    def position(self, name: str) -> int:
        """Where `name` stands in an event's values. Raises KeyError where it is not stored."""
        try:
            return self.stored.index(name)
        except ValueError:
            raise KeyError(name) from None


class Event(NamedTuple):
    """A valid event. `values` are the stored fields in the type's order; times in microseconds since 1970."""

    type: EventType
    source: str
    id: str
    order_us: int
    entity_id: str
    partition_key: str
    values: tuple[StoredValue, ...]
    is_tombstone: bool
    size_bytes: int


_new_event = tuple.__new__  # a named tuple's own constructor takes twice as long


class Rejected(NamedTuple):
    """An event that breaks the contract. `source` is "" where it could not be read."""

    error: InvalidRecord
    source: str


class _Envelope(msgspec.Struct, gc=False):
    """A structured-mode CloudEvent. Extension attributes are ignored."""

    specversion: Any = None
    type: Any = None
    source: Any = None
    id: Any = None
    time: Any = None
    data: msgspec.Raw = msgspec.Raw(b"")
    data_base64: Any = None


class _Compiled:
    """What the hot path needs of one event type."""

    __slots__ = (
        "as_tombstone",
        "cameras_at",
        "dates_at",
        "decode",
        "either_at",
        "family",
        "has_odd_fields",
        "is_key_partition",
        "is_odd_key",
        "key_at",
        "key_place",
        "names",
        "own_times",
        "partition_at",
        "read",
        "texts_at",
        "time_at",
        "times_at",
        "topic",
        "type",
        "units_at",
    )

    def __init__(self, event_type: EventType) -> None:
        self.type = event_type
        self.decode: Callable[[bytes], Any] = msgspec.json.Decoder(
            _struct_of(event_type, event_type.name, tombstone=False)
        ).decode
        self.as_tombstone = msgspec.json.Decoder(_struct_of(event_type, event_type.name, tombstone=True)).decode
        self.names = event_type.stored
        getter: Callable[[Any], Any] = attrgetter(*(f"f_{name}" for name in self.names)) if self.names else lambda _: ()
        self.read: Callable[[Any], Sequence[Any]] = getter if len(self.names) != 1 else lambda struct: (getter(struct),)
        specs = {spec.name: spec for spec in event_type.fields}
        self.times_at = [place for place, name in enumerate(self.names) if specs[name].type == "time"]
        self.dates_at = [place for place, name in enumerate(self.names) if specs[name].type == "date"]
        self.either_at = [place for place, name in enumerate(self.names) if specs[name].type == "date_or_time"]
        self.texts_at = [
            place
            for place, name in enumerate(self.names)
            if specs[name].type in ("string", "list") and not specs[name].enum and name not in event_type.entity_key
        ]
        self.has_odd_fields = bool(self.dates_at or self.either_at)
        self.topic, self.family = event_type.topic, event_type.family
        self.units_at = [event_type.position(s.name) for s in event_type.fields if s.type == "admin_unit"]
        self.cameras_at = [event_type.position(s.name) for s in event_type.fields if s.type == "camera"]
        self.key_at = [event_type.position(name) for name in event_type.entity_key]
        self.time_at = -1 if event_type.time_field == "ce_time" else event_type.position(event_type.time_field)
        self.own_times = [event_type.position(name) for name in event_type.fact_times]
        self.partition_at = [
            event_type.position(name) for name in event_type.partition_key.split(":") if name in self.names
        ]
        self.is_key_partition = self.partition_at == self.key_at
        self.key_place, self.is_odd_key = self.key_at[0], len(self.key_at) != 1


class EventDecoder:
    """Decodes and validates the records of the departments' topics.

    Args:
        types: the catalogue's event types.
        province: first word of every source.
        accept_since_us: earliest time accepted, microseconds since 1970.
        units: codes of the administrative units.
        cameras: ids of the registered cameras.
    """

    def __init__(
        self,
        types: Iterable[EventType],
        *,
        province: str,
        accept_since_us: int,
        units: Collection[str],
        cameras: Collection[str],
    ) -> None:
        self._compiled = {event_type.ce_type: _Compiled(event_type) for event_type in types if event_type.entity}
        self._accept_since_us = accept_since_us
        self._units, self._cameras = frozenset(units), frozenset(cameras)
        self._province = province
        self._families: dict[str, str] = {}
        self._texts: dict[bytes, str] = {}
        self._decode_envelope = msgspec.json.Decoder(_Envelope).decode
        self._decode_batch = msgspec.json.Decoder(list[msgspec.Raw]).decode

    def decode(self, topic: str, headers: Headers, value: bytes | None, now_us: int) -> list[Event | Rejected]:
        """Returns one entry for each event of the record: one, or as many as a batched record holds (an unreadable
        record is one rejected event)."""
        found = dict(headers)
        ce_type = found.get("ce_type")
        content_type = found.get("content-type") or found.get("Content-Type") or b""
        body = value or b""
        if ce_type is None or content_type.startswith(b"application/cloudevents"):
            return self._decode_enveloped(topic, content_type, body, now_us)
        source, event_id, ce_time = found.get("ce_source"), found.get("ce_id"), found.get("ce_time")
        readable = ""
        try:
            if len(body) > MAX_EVENT_BYTES:
                raise _too_large(len(body))
            readable = self._texts.get(source) or self._remembered(source, "source")  # type: ignore[arg-type]  # None misses
            kind = self._texts.get(ce_type) or self._remembered(ce_type, "type")
            if event_id is None:
                raise _missing_attribute("id")
            return [
                self._event(topic, kind, readable, event_id.decode(), ce_time.decode() if ce_time else "", body, now_us)
            ]
        except InvalidRecord as error:
            return [Rejected(error, readable)]
        except UnicodeDecodeError:
            return [Rejected(_bad_header("id or ce_time"), readable)]

    def _remembered(self, raw: bytes | None, name: str) -> str:
        """Types and sources are few and come with every event: their text is kept."""
        text = _text(raw, name)
        if raw is not None and len(self._texts) < 10_000 and len(raw) <= MAX_ID_CHARS:
            self._texts[raw] = text
        return text

    def part_of_batch(self, value: bytes | None, index: int) -> bytes:
        """Returns one event of a batched record, as structured mode."""
        return bytes(self._decode_batch(value or b"[]")[index])

    # ---- structured and batched mode -------------------------------------------------------------------------------

    def _decode_enveloped(self, topic: str, content_type: bytes, body: bytes, now_us: int) -> list[Event | Rejected]:
        kind = content_type.split(b";")[0].strip().lower().decode("latin-1")
        if kind == _BATCHED or (kind != _STRUCTURED and body[:64].lstrip()[:1] == b"["):
            try:
                parts = self._decode_batch(body)
            except (msgspec.DecodeError, RecursionError) as error:
                return [Rejected(_bad_json(str(error)), "")]
            if not parts:
                return [Rejected(_bad_json("the batch is empty"), "")]
            return [self._structured(topic, bytes(part), now_us) for part in parts]
        return [self._structured(topic, body, now_us)]

    def _structured(self, topic: str, body: bytes, now_us: int) -> Event | Rejected:
        source = ""
        try:
            if len(body) > MAX_EVENT_BYTES:
                raise _too_large(len(body))
            try:
                envelope = self._decode_envelope(body)
            except (msgspec.DecodeError, RecursionError) as error:
                raise _bad_json(str(error)) from None
            source = _attribute(envelope.source, "source")
            event_id, ce_type = _attribute(envelope.id, "id"), _attribute(envelope.type, "type")
            ce_time = "" if envelope.time is None else _attribute(envelope.time, "time")
            if envelope.data_base64 is not None:
                raise InvalidRecord(
                    "bad_json",
                    field="data_base64",
                    vi="Dữ liệu phải là JSON trong trường data, không phải data_base64.",
                    en="the data must be JSON in `data`, not data_base64",
                )
            return self._event(topic, ce_type, source, event_id, ce_time, bytes(envelope.data), now_us)
        except InvalidRecord as error:
            return Rejected(error, source)

    # ---- one event -------------------------------------------------------------------------------------------------

    def _event(
        self, topic: str, ce_type: str, source: str, event_id: str, ce_time: str, body: bytes, now_us: int
    ) -> Event:
        compiled = self._compiled.get(ce_type)
        if compiled is None:
            raise InvalidRecord(
                "unknown_type",
                field="type",
                vi=f"Loại sự kiện {ce_type[:100]!r} không có trong danh mục.",
                en=f"event type {ce_type[:100]!r} is not in the catalogue",
            )
        event_type = compiled.type
        if compiled.topic != topic:
            raise InvalidRecord(
                "wrong_topic",
                field="type",
                vi=f"Sự kiện {event_type.name} phải gửi vào topic {event_type.topic}, không phải {topic}.",
                en=f"{event_type.name} belongs on topic {event_type.topic}, not on {topic}",
            )
        if (self._families.get(source) or self._family(source)) != compiled.family:
            raise self._foreign(source, event_type)
        if not 0 < len(event_id) <= MAX_ID_CHARS or (not event_id.isprintable() and _has_control(event_id)):
            raise _bad_id("id", event_id)
        try:
            struct = compiled.decode(body)
            is_tombstone = struct.f_deleted is True
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            struct, is_tombstone = _tombstone(compiled, body, error), True
        values = list(compiled.read(struct))
        for place in compiled.units_at:
            if values[place] is not None and values[place] not in self._units:
                raise _unknown_unit(compiled.names[place], values[place])
        for place in compiled.cameras_at:
            if values[place] is not None and values[place] not in self._cameras:
                raise _unknown_camera(values[place])
        for place in compiled.times_at:
            moment = values[place]
            if moment is not None:
                delta = moment - EPOCH  # microseconds_of, without the call: two of these in every event
                values[place] = (delta.days * 86_400 + delta.seconds) * MICROSECONDS + delta.microseconds
        if compiled.has_odd_fields or len(body) > MAX_STORED_CHARS:
            _to_stored(compiled, values)
        order_us = self._check_times(compiled, ce_time, values, now_us)
        entity_id = values[compiled.key_place]
        if (
            compiled.is_odd_key
            or entity_id.__class__ is not str
            or not entity_id.isprintable()
            or not 0 < len(entity_id) <= MAX_ID_CHARS
        ):
            entity_id = _key_text(compiled, values)
        partition_key = entity_id if compiled.is_key_partition else _partition_key(compiled, values)
        return _new_event(
            Event,
            (event_type, source, event_id, order_us, entity_id, partition_key, tuple(values), is_tombstone, len(body)),
        )

    def _family(self, source: str) -> str:
        """The source is /PROVINCE/FAMILY[/SYSTEM…]; returns FAMILY, "" for a source that is none of ours."""
        parts = source.split("/")
        family = ""
        if len(source) <= MAX_ID_CHARS and not _CONTROL.search(source) and len(parts) >= 3:
            family = parts[2] if parts[0] == "" and parts[1] == self._province else ""
        if len(self._families) < 10_000:  # sources are few; a flood of invented ones must not fill the memory
            self._families[source] = family
        return family

    def _foreign(self, source: str, event_type: EventType) -> InvalidRecord:
        return InvalidRecord(
            "foreign_source",
            field="source",
            vi=f"Nguồn {source[:100]!r} không được gửi {event_type.name}; "
            f"nguồn phải bắt đầu bằng /{self._province}/{event_type.family}.",
            en=f"source {source[:100]!r} may not publish {event_type.name}; "
            f"it must be /{self._province}/{event_type.family} or below",
        )

    def _check_times(self, compiled: _Compiled, ce_time: str, values: list[Any], now_us: int) -> int:
        """Returns the time that orders the fact: its own time where the type has one, else the CloudEvents time."""
        earliest, latest = self._accept_since_us, now_us + FUTURE_TOLERANCE_US
        order_us = None
        if ce_time:
            order_us = _parse_time(ce_time, "time")
            if not earliest <= order_us <= latest:
                raise _bad_instant("time", order_us, latest)
        place = compiled.time_at
        if place >= 0 and values[place] is not None:
            order_us = values[place]
            if not earliest <= order_us <= latest:
                raise _bad_instant(compiled.names[place], values[place], latest)
        if order_us is None:
            name = "time" if place < 0 else compiled.names[place]
            raise InvalidRecord(
                "missing_field", field=name, vi=f"Sự kiện thiếu thời gian ({name}).", en=f"the event has no {name}"
            )
        for place in compiled.own_times:
            if values[place] is not None and not earliest <= values[place] <= latest:
                raise _bad_instant(compiled.names[place], values[place], latest)
        return order_us


# ---- compiling a type ----------------------------------------------------------------------------------------------


def _struct_of(event_type: EventType, name: str, *, tombstone: bool) -> type[msgspec.Struct]:
    """The msgspec struct of a type; a tombstone needs no more than the entity's key."""
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    optional: list[tuple[str, Any, Any]] = []
    for spec in event_type.fields:
        wanted = _annotation(spec)
        required = spec.name in event_type.entity_key if tombstone else spec.is_required
        if required:
            fields.append((f"f_{spec.name}", wanted))
        else:
            optional.append((f"f_{spec.name}", wanted | None if wanted is not msgspec.Raw else msgspec.Raw, None))
    optional.append(("f_deleted", bool | None, None))
    try:
        return msgspec.defstruct(
            name.replace(".", "_"), [*fields, *optional], rename=lambda text: text[2:], gc=False, frozen=True
        )
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"event_types.yaml: {event_type.name}: {error}") from None


def _annotation(spec: FieldSpec) -> Any:
    if spec.enum:
        return Literal[spec.enum]
    lowest, highest = spec.minimum, spec.maximum
    match spec.type:
        case "integer":
            return Annotated[
                int,
                msgspec.Meta(
                    ge=-_LARGEST_INTEGER if lowest is None else lowest,
                    le=_LARGEST_INTEGER if highest is None else highest,
                ),
            ]
        case "number":
            return float if lowest is None else Annotated[float, msgspec.Meta(ge=lowest)]
        case "boolean":
            return bool
        case "time":
            return Annotated[datetime, msgspec.Meta(tz=True)]
        case "date":
            return date
        case "list":
            return list[str]
        case "any":
            return msgspec.Raw
        case _:
            return str


def _to_stored(compiled: _Compiled, values: list[Any]) -> None:
    """Turns what is not a time into what a row keeps: dates as text, dates or times as microseconds, long texts cut."""
    for place in compiled.dates_at:
        if values[place] is not None:
            values[place] = values[place].isoformat()
    for place in compiled.either_at:
        if values[place] is not None:
            values[place] = _date_or_time(values[place], compiled.names[place])
    for place in compiled.texts_at:
        value = values[place]
        if value.__class__ is str:
            values[place] = value[:MAX_STORED_CHARS]
        elif value.__class__ is list:
            values[place] = [text[:MAX_STORED_CHARS] for text in value[:MAX_STORED_ITEMS]]


def _date_or_time(text: str, name: str) -> int:
    """An instant; a bare date means its local midnight."""
    if len(text) == 10:
        text += "T00:00:00+07:00"
    return _parse_time(text, name)


def _parse_time(text: str, name: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text.upper())  # RFC 3339 allows a lower-case t and z
        except ValueError:
            raise _bad_time(name, text) from None
    if moment.tzinfo is None:
        raise _bad_time(name, text)
    delta = moment - EPOCH
    return (delta.days * 86_400 + delta.seconds) * MICROSECONDS + delta.microseconds


def _tombstone(compiled: _Compiled, body: bytes, error: Exception) -> Any:
    """What failed as an event may be a tombstone, which needs no more than the entity's key; else raises the reason."""
    if not isinstance(error, msgspec.ValidationError):
        raise _bad_json(str(error)) from None
    try:
        struct: Any = compiled.as_tombstone(body)
    except (msgspec.DecodeError, RecursionError):
        struct = None
    if struct is None or struct.f_deleted is not True:
        raise _invalid_field(str(error)) from None
    return struct


def _key_text(compiled: _Compiled, values: Sequence[Any]) -> str:
    """The entity's id: the key fields in their order, joined by a sign that no id may hold."""
    parts = [values[place] for place in compiled.key_at]
    for part in parts:
        if part.__class__ is str and (not part or len(part) > MAX_ID_CHARS or _has_control(part)):
            raise _bad_id(compiled.type.entity_key[0], part)
    if len(parts) == 1:
        return str(parts[0])
    return KEY_SEPARATOR.join([str(part) for part in parts])


def _has_control(text: str) -> bool:
    """`isprintable` answers for nearly every id; it refuses some harmless signs too, which the pattern lets through."""
    return not text.isprintable() and _CONTROL.search(text) is not None


def _partition_key(compiled: _Compiled, values: Sequence[Any]) -> str:
    return ":".join("" if values[place] is None else str(values[place]) for place in compiled.partition_at)


# ---- attributes and reasons ----------------------------------------------------------------------------------------


def _text(raw: bytes | None, name: str) -> str:
    if raw is None:
        raise _missing_attribute(name)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise _bad_header(name) from None


def _bad_header(name: str) -> InvalidRecord:
    return InvalidRecord(
        "bad_header", field=f"ce_{name}", vi=f"Header ce_{name} không phải UTF-8.", en=f"ce_{name} is not UTF-8"
    )


def _attribute(value: object, name: str) -> str:
    if value is None:
        raise _missing_attribute(name)
    if not isinstance(value, str):
        raise InvalidRecord(
            "wrong_type", field=name, vi=f"Thuộc tính {name} phải là chuỗi.", en=f"attribute {name} must be a string"
        )
    return value


def _missing_attribute(name: str) -> InvalidRecord:
    return InvalidRecord(
        "missing_field",
        field=name,
        vi=f"Thiếu thuộc tính CloudEvents {name} (header ce_{name}).",
        en=f"CloudEvents attribute {name} (header ce_{name}) is missing",
    )


def _bad_json(detail: str) -> InvalidRecord:
    return InvalidRecord(
        "bad_json",
        field="data",
        vi=f"Nội dung không phải JSON hợp lệ: {detail[:200]}",
        en=f"not valid JSON: {detail[:200]}",
    )


def _too_large(size_bytes: int) -> InvalidRecord:
    return InvalidRecord(
        "too_large",
        field="data",
        vi=f"Sự kiện {size_bytes} byte vượt giới hạn {MAX_EVENT_BYTES} byte.",
        en=f"an event of {size_bytes} bytes is over the limit of {MAX_EVENT_BYTES}",
    )


def _bad_id(name: str, text: str) -> InvalidRecord:
    return InvalidRecord(
        "bad_id",
        field=name,
        vi=f"{name} trống, dài quá {MAX_ID_CHARS} ký tự hoặc chứa ký tự điều khiển.",
        en=f"{name} is empty, longer than {MAX_ID_CHARS} characters, or holds a control character: {text[:60]!r}",
    )


def _bad_time(name: str, text: str) -> InvalidRecord:
    return InvalidRecord(
        "bad_time",
        field=name,
        vi=f"{name}={text[:60]!r} không phải thời gian RFC 3339 có múi giờ (ví dụ 2026-11-22T08:00:00+07:00).",
        en=f"{name}={text[:60]!r} is not an RFC 3339 time with its offset (like 2026-11-22T08:00:00+07:00)",
    )


def _bad_instant(name: str, instant_us: int, latest_us: int) -> InvalidRecord:
    shown = moment_of(instant_us).isoformat()
    if instant_us > latest_us:
        return InvalidRecord(
            "time_in_future",
            field=name,
            vi=f"{name}={shown} đi trước đồng hồ quá 15 phút; kiểm tra giờ của máy gửi.",
            en=f"{name}={shown} is more than 15 minutes ahead of the clock: check the sender's clock",
        )
    return InvalidRecord(
        "time_too_old",
        field=name,
        vi=f"{name}={shown} trước mốc nhận dữ liệu (accept_since).",
        en=f"{name}={shown} is before the catalogue's accept_since",
    )


def _unknown_unit(name: str, code: str) -> InvalidRecord:
    return InvalidRecord(
        "unknown_admin_unit",
        field=name,
        vi=f"Đơn vị hành chính {code[:40]!r} không có trong danh mục của tỉnh (dùng mã thống kê cấp xã, ví dụ 24781).",
        en=f"administrative unit {code[:40]!r} is not one of the province (use the commune's statistical code)",
    )


def _unknown_camera(camera_id: str) -> InvalidRecord:
    return InvalidRecord(
        "unknown_camera",
        field="camera_id",
        vi=f"Camera {camera_id[:60]!r} chưa đăng ký trong danh mục cameras.yaml.",
        en=f"camera {camera_id[:60]!r} is not registered in cameras.yaml",
    )


_MISSING = re.compile(r"missing required field `([^`]+)`")
_AT = re.compile(r"at `\$\.?([^`]*)`")
_GOT_NULL = re.compile(r"got `null`")


def _invalid_field(message: str) -> InvalidRecord:
    """Translates msgspec's sentence into our reason codes."""
    missing = _MISSING.search(message)
    place = _AT.search(message)
    name = missing.group(1) if missing else (place.group(1) if place else "data")
    if missing or (_GOT_NULL.search(message) and place):
        return InvalidRecord(
            "missing_field", field=name, vi=f"Thiếu trường bắt buộc {name}.", en=f"required field {name} is missing"
        )
    if "Invalid enum value" in message:
        return InvalidRecord(
            "not_allowed",
            field=name,
            vi=f"Giá trị của {name} không nằm trong danh sách cho phép.",
            en=f"the value of {name} is not one of those allowed: {message[:150]}",
        )
    if "RFC3339" in message or "datetime" in message or "timezone" in message or "ISO8601" in message:
        return InvalidRecord(
            "bad_time",
            field=name,
            vi=f"{name} không phải thời gian RFC 3339 có múi giờ (ví dụ 2026-11-22T08:00:00+07:00).",
            en=f"{name} is not an RFC 3339 time with its offset: {message[:150]}",
        )
    if ">=" in message or "<=" in message:
        return InvalidRecord(
            "out_of_range",
            field=name,
            vi=f"Giá trị của {name} ngoài khoảng cho phép.",
            en=f"the value of {name} is out of range: {message[:150]}",
        )
    return InvalidRecord("wrong_type", field=name, vi=f"Sai kiểu dữ liệu ở {name}.", en=f"wrong type: {message[:180]}")
