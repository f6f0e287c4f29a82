"""Events: from the bytes of a Kafka record to validated facts, or to a reason why not.

CloudEvents 1.0 in binary mode (`ce_` headers), structured mode and batched mode. Every check of semantics.md,
"Accepting", that needs no stored state is here; duplicates are the entity rows' business.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from ioc.errors import InvalidRecord
from ioc.event_reading import FUTURE_TOLERANCE_US, KEY_SEPARATOR, MAX_ID_CHARS, Event, EventReader, has_control
from ioc.event_types import EventType, FieldSpec, StoredValue
from ioc.rejections import (
    bad_header,
    bad_json,
    bad_version,
    foreign_source,
    missing_attribute,
    too_large,
    unknown_type,
    wrong_topic,
)

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
MAX_REMEMBERED = 10_000  # texts of types and sources; a flood of invented ones must not fill the memory
_VERSION = b"1.0"
_STRUCTURED = "application/cloudevents+json"
_BATCHED = "application/cloudevents-batch+json"

Headers = Sequence[tuple[str, bytes]]


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


class EventDecoder:
    """Decodes and validates the records of the departments' topics.

    Args:
        types: the catalogue's event types.
        province: first word of every source.
        accept_since_us: earliest time accepted, microseconds since 1970.
        units: first and last µs in force of each administrative unit, by its code.
        cameras: ids of the registered cameras.
        kept_keys: names of the types whose facts keep the fields of the entity's key in their values; all of them where
            it is not given. The row's own key holds them already.
    """

    def __init__(
        self,
        types: Iterable[EventType],
        *,
        province: str,
        accept_since_us: int,
        units: Mapping[str, tuple[int, int]],
        cameras: Collection[str],
        kept_keys: Collection[str] | None = None,
    ) -> None:
        self._compiled = {
            event_type.ce_type: EventReader(
                event_type,
                accept_since_us=accept_since_us,
                units=units,
                cameras=cameras,
                is_key_kept=kept_keys is None or event_type.name in kept_keys,
            )
            for event_type in types
            if event_type.entity
        }
        self._province = province
        self._families: dict[str, str] = {}
        self._known_families = frozenset(compiled.family for compiled in self._compiled.values())
        self._texts: dict[bytes, str] = {}
        self._routes: dict[tuple[str, bytes, bytes | None], tuple[EventReader, str]] = {}
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
            if ce_type is None and "ce_source" in found and not content_type.startswith(b"application/cloudevents"):
                return [Rejected(missing_attribute("type"), found["ce_source"].decode("utf-8", "replace"))]
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
                return [route[0].read(route[1], event_id.decode(), ce_time.decode(), body, now_us)]
            except InvalidRecord as error:
                return [Rejected(error, route[1])]
            except UnicodeDecodeError:
                return [Rejected(bad_header("id or ce_time"), route[1])]
        readable = ""
        try:
            readable = self._texts.get(source) or self._remembered(source, "source")  # type: ignore[arg-type]  # None misses
            if len(body) > MAX_EVENT_BYTES:
                raise too_large(len(body), MAX_EVENT_BYTES)
            kind = self._texts.get(ce_type) or self._remembered(ce_type, "type")
            if event_id is None:
                raise missing_attribute("id")
            if found.get("ce_specversion", _VERSION) != _VERSION:
                raise bad_version(_text(found["ce_specversion"], "specversion"))
            compiled = self._route(topic, kind, readable)
            if len(self._routes) < MAX_REMEMBERED and len(source or b"") <= MAX_ID_CHARS:
                self._routes[topic, ce_type, source] = (compiled, readable)
            time = ce_time.decode() if ce_time else ""
            return [compiled.read(readable, event_id.decode(), time, body, now_us)]
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
            try:
                envelope = self._decode_envelope(body)
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
                raise bad_json(str(error)) from None
            source = _attribute(envelope.source, "source")
            if len(body) > MAX_EVENT_BYTES:
                raise too_large(len(body), MAX_EVENT_BYTES)
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
            return compiled.read(source, event_id, ce_time, bytes(envelope.data), now_us)
        except InvalidRecord as error:
            return Rejected(error, source)

    # ---- one event -------------------------------------------------------------------------------------------------

    def _route(self, topic: str, ce_type: str, source: str) -> EventReader:
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

    def _family(self, source: str) -> str:
        """The source is /PROVINCE/FAMILY[/SYSTEM…]; returns FAMILY, "" for a source that is none of ours."""
        parts = source.split("/")
        family = ""
        if len(source) <= MAX_ID_CHARS and not has_control(source) and len(parts) >= 3:
            family = parts[2] if parts[0] == "" and parts[1] == self._province else ""
        if (
            len(self._families) < MAX_REMEMBERED and len(source) <= MAX_ID_CHARS
        ):  # sources are few; a flood of invented ones must not fill the memory
            self._families[source] = family
        return family


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
