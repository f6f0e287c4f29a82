"""The typed reader of one event type: from the bytes of an event's data to its validated values, or a reason why not.

This is the hottest code of the product: each type gets a closure of its own with everything it needs at hand, and with
nothing that the type does not need.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from ioc.errors import InvalidRecord
from ioc.event_types import EventType, StoredValue, struct_of
from ioc.rejections import bad_id, bad_instant, bad_json, bad_time, invalid_field, unknown_camera, unknown_unit
from ioc.windows import EPOCH, MICROSECONDS

__all__ = [
    "FUTURE_TOLERANCE_US",
    "KEY_SEPARATOR",
    "MAX_ID_CHARS",
    "Event",
    "EventReader",
    "has_control",
]

MAX_ID_CHARS = 512
MAX_STORED_CHARS = 1_024  # what a row keeps of a free text; ids and keys are never cut
MAX_STORED_ITEMS = 64
KEY_SEPARATOR = "\x1f"
FUTURE_TOLERANCE_US = 15 * 60 * MICROSECONDS
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_NEVER = (1, 0)


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


Read = Callable[[str, str, str, bytes, int], Event]
"""From (source, id, CloudEvents time or "", data, clock in µs) to the event. Raises InvalidRecord."""


class EventReader:
    """What the hot path needs of one event type. `read` does the work.

    Args:
        accept_since_us: earliest time accepted.
        is_key_kept: whether a row keeps the fields of the entity's key, though the row's own key holds them.
        units: first and last µs in force of each administrative unit, by its code.
        cameras: ids of the registered cameras.
    """

    def __init__(
        self,
        event_type: EventType,
        *,
        accept_since_us: int,
        units: Mapping[str, tuple[int, int]],
        cameras: Collection[str],
        is_key_kept: bool = True,
    ) -> None:
        self.type = event_type
        self.decode: Callable[[bytes], Any] = msgspec.json.Decoder(
            struct_of(event_type, event_type.name, tombstone=False)
        ).decode
        self.as_tombstone = msgspec.json.Decoder(struct_of(event_type, event_type.name, tombstone=True)).decode
        self.names = event_type.stored
        getter: Callable[[Any], Any] = attrgetter(*(f"f_{name}" for name in self.names)) if self.names else lambda _: ()
        self.pick: Callable[[Any], Sequence[Any]] = getter if len(self.names) != 1 else lambda struct: (getter(struct),)
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
        self.drops_key = not is_key_kept and not self.is_odd_key
        self.read = _reader(self, accept_since_us, units, frozenset(cameras))


def _reader(of: EventReader, earliest: int, units: Mapping[str, tuple[int, int]], cameras: frozenset[str]) -> Read:
    event_type, decode, pick, names = of.type, of.decode, of.pick, of.names
    times_at, units_at, cameras_at, own_times = of.times_at, of.units_at, of.cameras_at, of.own_times
    time_at, key_place, has_odd_fields = of.time_at, of.key_place, of.has_odd_fields
    is_odd_key, is_key_partition, drops_key = of.is_odd_key, of.is_key_partition, of.drops_key
    fromisoformat, epoch = datetime.fromisoformat, EPOCH

    def read(source: str, event_id: str, ce_time: str, body: bytes, now_us: int) -> Event:
        if not 0 < len(event_id) <= MAX_ID_CHARS or (not event_id.isprintable() and has_control(event_id)):
            raise bad_id("id", event_id, MAX_ID_CHARS)
        is_tombstone = False
        try:
            struct = decode(body)
            if struct.f_deleted:
                is_tombstone = True
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            struct, is_tombstone = _tombstone(of, body, error), True
        values = list(pick(struct))
        if cameras_at:
            _check_cameras(of, values, cameras)
        for place in times_at:
            moment = values[place]
            if moment is not None:
                delta = moment - epoch  # microseconds_of, without the call: two of these in every event
                values[place] = (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
        latest = now_us + FUTURE_TOLERANCE_US
        if has_odd_fields or len(body) > MAX_STORED_CHARS:
            _to_stored(of, values)
        order_us = None
        if ce_time:
            try:
                delta = fromisoformat(ce_time) - epoch
                order_us = (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
            except (ValueError, TypeError):
                order_us = _parse_time(ce_time, "time")  # other ways to write it, or the reason why not
            if not earliest <= order_us <= latest:
                raise bad_instant("time", order_us, latest)
        if time_at >= 0 and values[time_at] is not None:  # the fact's own time goes before the CloudEvents time
            order_us = values[time_at]
            if not earliest <= order_us <= latest:
                raise bad_instant(names[time_at], order_us, latest)
        elif time_at >= 0:
            values[time_at] = order_us  # not known: the CloudEvents time stands for it
        if order_us is None:
            raise _no_time(of)
        for place in own_times:
            moment = values[place]
            if moment is not None and not earliest <= moment <= latest:
                raise bad_instant(names[place], moment, latest)
        for place in units_at:
            unit = values[place]
            if unit is not None:
                first_us, last_us = units.get(unit, _NEVER)
                if not first_us <= order_us <= last_us:
                    raise unknown_unit(names[place], unit)
        entity_id = values[key_place]
        if (
            is_odd_key
            or entity_id.__class__ is not str
            or not entity_id.isprintable()
            or not 0 < len(entity_id) <= MAX_ID_CHARS
        ):
            entity_id = _key_text(of, values)
        partition_key = entity_id if is_key_partition else _partition_key(of, values)
        if drops_key:
            values[key_place] = None
        return _new_event(
            Event,
            (
                event_type,
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

    return read


def _check_cameras(of: EventReader, values: Sequence[Any], cameras: frozenset[str]) -> None:
    for place in of.cameras_at:
        if values[place] is not None and values[place] not in cameras:
            raise unknown_camera(values[place])


def _to_stored(of: EventReader, values: list[Any]) -> None:
    """Turns what is not a time into what a row keeps: dates as text, dates or times as microseconds, long texts cut."""
    for place in of.dates_at:
        if values[place] is not None:
            values[place] = values[place].isoformat()
    for place in of.either_at:
        if values[place] is not None:
            values[place] = _date_or_time(values[place], of.names[place])
    for place in of.texts_at:
        value = values[place]
        if value.__class__ is str:
            values[place] = value[:MAX_STORED_CHARS]
        elif value.__class__ is list:
            values[place] = [text[:MAX_STORED_CHARS] for text in value[:MAX_STORED_ITEMS]]


def _no_time(of: EventReader) -> InvalidRecord:
    name = "time" if of.time_at < 0 else of.names[of.time_at]
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


def _tombstone(of: EventReader, body: bytes, error: Exception) -> Any:
    """What failed as an event may be a tombstone, which needs no more than the entity's key; else raises the reason."""
    if not isinstance(error, msgspec.ValidationError):
        raise bad_json(str(error)) from None
    try:
        struct: Any = of.as_tombstone(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        struct = None
    if struct is None or struct.f_deleted is not True:
        raise invalid_field(str(error)) from None
    return struct


def _key_text(of: EventReader, values: Sequence[Any]) -> str:
    """The entity's id: the key fields in their order, joined by a sign that no id may hold."""
    parts = [values[place] for place in of.key_at]
    for name, part in zip(of.type.entity_key, parts, strict=True):
        if part.__class__ is str and (not part or len(part) > MAX_ID_CHARS or has_control(part)):
            raise bad_id(name, part, MAX_ID_CHARS)
    if len(parts) == 1:
        return str(parts[0])
    return KEY_SEPARATOR.join([str(part) for part in parts])


def has_control(text: str) -> bool:
    """`isprintable` answers for nearly every id; it refuses some harmless signs too, which the pattern lets through."""
    return not text.isprintable() and _CONTROL.search(text) is not None


def _partition_key(of: EventReader, values: Sequence[Any]) -> str:
    """The key that the record should have, "" where the event does not tell it (a tombstone need not)."""
    parts = [values[place] for place in of.partition_at]
    return "" if None in parts else ":".join(map(str, parts))
