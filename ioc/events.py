"""Events: from the bytes of a Kafka record to validated facts, or to a reason why not.

CloudEvents 1.0 in binary mode (`ce_` headers), structured mode and batched mode. Every check of semantics.md,
"Accepting", that needs no stored state is here; duplicates are the entity rows' business.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from ioc.errors import InvalidRecord
from ioc.event_types import EventType, FieldSpec, StoredValue, struct_of
from ioc.rejections import (
    bad_header,
    bad_id,
    bad_instant,
    bad_json,
    bad_time,
    bad_version,
    foreign_source,
    invalid_field,
    missing_attribute,
    too_large,
    unknown_camera,
    unknown_type,
    unknown_unit,
    wrong_topic,
)
from ioc.windows import EPOCH, MICROSECONDS

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
MAX_REMEMBERED = 10_000  # texts of types and sources; a flood of invented ones must not fill the memory
FUTURE_TOLERANCE_US = 15 * 60 * MICROSECONDS
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_NEVER = (1, 0)
_VERSION = b"1.0"
_STRUCTURED = "application/cloudevents+json"
_BATCHED = "application/cloudevents-batch+json"

Headers = Sequence[tuple[str, bytes]]


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
            struct_of(event_type, event_type.name, tombstone=False)
        ).decode
        self.as_tombstone = msgspec.json.Decoder(struct_of(event_type, event_type.name, tombstone=True)).decode
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
        units: first and last µs in force of each administrative unit, by its code.
        cameras: ids of the registered cameras.
    """

    def __init__(
        self,
        types: Iterable[EventType],
        *,
        province: str,
        accept_since_us: int,
        units: Mapping[str, tuple[int, int]],
        cameras: Collection[str],
    ) -> None:
        self._compiled = {event_type.ce_type: _Compiled(event_type) for event_type in types if event_type.entity}
        self._accept_since_us = accept_since_us
        self._units, self._cameras = units, frozenset(cameras)
        self._province = province
        self._families: dict[str, str] = {}
        self._known_families = frozenset(compiled.family for compiled in self._compiled.values())
        self._texts: dict[bytes, str] = {}
        self._routes: dict[tuple[str, bytes, bytes | None], tuple[_Compiled, str]] = {}
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
        route = self._routes.get((topic, ce_type, source))
        if (
            route is not None
            and event_id is not None
            and ce_time is not None
            and len(body) <= MAX_EVENT_BYTES
            and found.get("ce_specversion", _VERSION) == _VERSION
        ):  # seen and found right before: nearly every event
            try:
                return [self._read(*route, event_id.decode(), ce_time.decode(), body, now_us)]
            except InvalidRecord as error:
                return [Rejected(error, route[1])]
            except UnicodeDecodeError:
                return [Rejected(bad_header("id or ce_time"), route[1])]
        readable = ""
        try:
            if len(body) > MAX_EVENT_BYTES:
                raise too_large(len(body), MAX_EVENT_BYTES)
            readable = self._texts.get(source) or self._remembered(source, "source")  # type: ignore[arg-type]  # None misses
            kind = self._texts.get(ce_type) or self._remembered(ce_type, "type")
            if event_id is None:
                raise missing_attribute("id")
            if found.get("ce_specversion", _VERSION) != _VERSION:
                raise bad_version(_text(found["ce_specversion"], "specversion"))
            compiled = self._route(topic, kind, readable)
            if len(self._routes) < MAX_REMEMBERED and len(source or b"") <= MAX_ID_CHARS:
                self._routes[topic, ce_type, source] = (compiled, readable)
            time = ce_time.decode() if ce_time else ""
            return [self._read(compiled, readable, event_id.decode(), time, body, now_us)]
        except InvalidRecord as error:
            return [Rejected(error, readable)]
        except UnicodeDecodeError:
            return [Rejected(bad_header("id or ce_time"), readable)]

    def _remembered(self, raw: bytes | None, name: str) -> str:
        """Types and sources are few and come with every event: their text is kept."""
        text = _text(raw, name)
        if raw is not None and len(self._texts) < MAX_REMEMBERED and len(raw) <= MAX_ID_CHARS:
            self._texts[raw] = text
        return text

    def own_source(self, source: str) -> str:
        """Returns the source where the catalogue knows its family, "" for any other."""
        return source if (self._families.get(source) or self._family(source)) in self._known_families else ""

    def part_of_batch(self, value: bytes | None, index: int) -> bytes:
        """Returns one event of a batched record, as structured mode."""
        return bytes(self._decode_batch(value or b"[]")[index])

    # ---- structured and batched mode -------------------------------------------------------------------------------

    def _decode_enveloped(self, topic: str, content_type: bytes, body: bytes, now_us: int) -> list[Event | Rejected]:
        kind = content_type.split(b";")[0].strip().lower().decode("latin-1")
        if kind == _BATCHED or (kind != _STRUCTURED and body[:64].lstrip()[:1] == b"["):
            try:
                parts = self._decode_batch(body)
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
                return [Rejected(bad_json(str(error)), "")]
            if not parts:
                return [Rejected(bad_json("the batch is empty"), "")]
            return [self._structured(topic, bytes(part), now_us) for part in parts]
        return [self._structured(topic, body, now_us)]

    def _structured(self, topic: str, body: bytes, now_us: int) -> Event | Rejected:
        source = ""
        try:
            if len(body) > MAX_EVENT_BYTES:
                raise too_large(len(body), MAX_EVENT_BYTES)
            try:
                envelope = self._decode_envelope(body)
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
                raise bad_json(str(error)) from None
            source = _attribute(envelope.source, "source")
            event_id, ce_type = _attribute(envelope.id, "id"), _attribute(envelope.type, "type")
            if envelope.specversion not in (None, "1.0"):
                raise bad_version(str(envelope.specversion))
            ce_time = "" if envelope.time is None else _attribute(envelope.time, "time")
            if envelope.data_base64 is not None:
                raise InvalidRecord(
                    "bad_json",
                    field="data_base64",
                    vi="Dữ liệu phải là JSON trong trường data, không phải data_base64.",
                    en="the data must be JSON in `data`, not data_base64",
                )
            compiled = self._route(topic, ce_type, source)
            return self._read(compiled, source, event_id, ce_time, bytes(envelope.data), now_us)
        except InvalidRecord as error:
            return Rejected(error, source)

    # ---- one event -------------------------------------------------------------------------------------------------

    def _route(self, topic: str, ce_type: str, source: str) -> "_Compiled":
        """Returns the type's own reader, where type, topic and source go together."""
        compiled = self._compiled.get(ce_type)
        if compiled is None:
            raise unknown_type(ce_type)
        event_type = compiled.type
        if compiled.topic != topic:
            raise wrong_topic(event_type.name, event_type.topic, topic)
        if (self._families.get(source) or self._family(source)) != compiled.family:
            raise foreign_source(source, event_type.name, f"/{self._province}/{event_type.family}")
        return compiled

    def _read(self, compiled: "_Compiled", source: str, event_id: str, ce_time: str, body: bytes, now_us: int) -> Event:
        if not 0 < len(event_id) <= MAX_ID_CHARS or (not event_id.isprintable() and _has_control(event_id)):
            raise bad_id("id", event_id, MAX_ID_CHARS)
        try:
            struct = compiled.decode(body)
            is_tombstone = struct.f_deleted is True
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            struct, is_tombstone = _tombstone(compiled, body, error), True
        values = list(compiled.read(struct))
        for place in compiled.cameras_at:
            if values[place] is not None and values[place] not in self._cameras:
                raise unknown_camera(values[place])
        for place in compiled.times_at:
            moment = values[place]
            if moment is not None:
                delta = moment - EPOCH  # microseconds_of, without the call: two of these in every event
                values[place] = (delta.days * 86_400 + delta.seconds) * MICROSECONDS + delta.microseconds
        if compiled.has_odd_fields or len(body) > MAX_STORED_CHARS:
            _to_stored(compiled, values)
        earliest, latest = self._accept_since_us, now_us + FUTURE_TOLERANCE_US
        order_us = _parse_time(ce_time, "time") if ce_time else None
        if order_us is not None and not earliest <= order_us <= latest:
            raise bad_instant("time", order_us, latest)
        place = compiled.time_at
        if place >= 0 and values[place] is not None:  # the fact's own time goes before the CloudEvents time
            order_us = values[place]
            if not earliest <= order_us <= latest:
                raise bad_instant(compiled.names[place], values[place], latest)
        if order_us is None:
            raise _no_time(compiled)
        for place in compiled.own_times:
            if values[place] is not None and not earliest <= values[place] <= latest:
                raise bad_instant(compiled.names[place], values[place], latest)
        for place in compiled.units_at:
            if values[place] is not None:
                first_us, last_us = self._units.get(values[place], _NEVER)
                if not first_us <= order_us <= last_us:
                    raise unknown_unit(compiled.names[place], values[place])
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
            (
                compiled.type,
                source,
                event_id,
                order_us,
                entity_id,
                partition_key,
                tuple(values),
                is_tombstone,
                len(body),
            ),
        )

    def _family(self, source: str) -> str:
        """The source is /PROVINCE/FAMILY[/SYSTEM…]; returns FAMILY, "" for a source that is none of ours."""
        parts = source.split("/")
        family = ""
        if len(source) <= MAX_ID_CHARS and not _CONTROL.search(source) and len(parts) >= 3:
            family = parts[2] if parts[0] == "" and parts[1] == self._province else ""
        if (
            len(self._families) < MAX_REMEMBERED and len(source) <= MAX_ID_CHARS
        ):  # sources are few; a flood of invented ones must not fill the memory
            self._families[source] = family
        return family


# ---- compiling a type ----------------------------------------------------------------------------------------------


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


def _no_time(compiled: _Compiled) -> InvalidRecord:
    name = "time" if compiled.time_at < 0 else compiled.names[compiled.time_at]
    return InvalidRecord(
        "missing_field", field=name, vi=f"Sự kiện thiếu thời gian ({name}).", en=f"the event has no {name}"
    )


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
            raise bad_time(name, text) from None
    if moment.tzinfo is None:
        raise bad_time(name, text)
    delta = moment - EPOCH
    return (delta.days * 86_400 + delta.seconds) * MICROSECONDS + delta.microseconds


def _tombstone(compiled: _Compiled, body: bytes, error: Exception) -> Any:
    """What failed as an event may be a tombstone, which needs no more than the entity's key; else raises the reason."""
    if not isinstance(error, msgspec.ValidationError):
        raise bad_json(str(error)) from None
    try:
        struct: Any = compiled.as_tombstone(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        struct = None
    if struct is None or struct.f_deleted is not True:
        raise invalid_field(str(error)) from None
    return struct


def _key_text(compiled: _Compiled, values: Sequence[Any]) -> str:
    """The entity's id: the key fields in their order, joined by a sign that no id may hold."""
    parts = [values[place] for place in compiled.key_at]
    for part in parts:
        if part.__class__ is str and (not part or len(part) > MAX_ID_CHARS or _has_control(part)):
            raise bad_id(compiled.type.entity_key[0], part, MAX_ID_CHARS)
    if len(parts) == 1:
        return str(parts[0])
    return KEY_SEPARATOR.join([str(part) for part in parts])


def _has_control(text: str) -> bool:
    """`isprintable` answers for nearly every id; it refuses some harmless signs too, which the pattern lets through."""
    return not text.isprintable() and _CONTROL.search(text) is not None


def _partition_key(compiled: _Compiled, values: Sequence[Any]) -> str:
    return ":".join("" if values[place] is None else str(values[place]) for place in compiled.partition_at)


# ---- attributes ----------------------------------------------------------------------------------------


def _text(raw: bytes | None, name: str) -> str:
    if raw is None:
        raise missing_attribute(name)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise bad_header(name) from None


def _attribute(value: object, name: str) -> str:
    if value is None:
        raise missing_attribute(name)
    if not isinstance(value, str):
        raise InvalidRecord(
            "wrong_type", field=name, vi=f"Thuộc tính {name} phải là chuỗi.", en=f"attribute {name} must be a string"
        )
    return value
