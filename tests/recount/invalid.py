"""Every sort of event that must be refused, made from one that would be accepted.

The id often stays that of the good event: a refused event does not use it up.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tests.recount.event_types import EVENT_TYPES

if TYPE_CHECKING:
    from tests.recount.wire import Event

__all__ = ["SORTS", "can_have", "spoil"]

TOPICS = sorted({event_type.topic for event_type in EVENT_TYPES.values()})


WRONG_VALUES: Mapping[str, tuple[object, ...]] = {
    "text": (17, ["x"], {}),
    "flag": ("true", "yes", 1, 0),
    "number": ("3", True, {}),
    "amount": ("3", True, [4]),
    "whole": ("3", True),
    "count": ("12", [1], True),
    "1-5": ("3", 0, 6),
    "2-3": ("3",),
    "time": (1_780_000_000, "tomorrow", ""),
    "day": (20_260_301, "01/03/2026", "2026-02-30"),
    "moment": (20_260_301, "01/03/2026", ""),
    "unit": (24_778, ["24778"]),
    "camera": (1, ["cam-01"]),
    "list": ("5G", {"5G": 1}),
}
NUMBERS = ("number", "amount", "count")

Spoiler = Callable[[random.Random, "Event", datetime], "Event"]


def _with(event: Event, /, **fields: object) -> Event:
    return replace(event, data={**event.data, **fields})


def _at(event: Event, text: str) -> Event:
    """Returns the event with that CloudEvents time."""
    return replace(event, time=text, left_out=())


def _fields(event: Event, *kinds: str) -> list[str]:
    """Returns the fields of these kinds that the event tells, in the order of the catalogue. `|`: those of a choice."""
    fields = EVENT_TYPES[event.type].fields
    told = [name for name in fields if event.data.get(name) is not None]
    return [name for name in told if fields[name].kind in kinds or ("|" in kinds and "|" in fields[name].kind)]


def _own_times(event: Event, *kinds: str) -> list[str]:
    """Returns the fields that say when the fact was; those that may be a mere day too unless `kinds` are given."""
    fields = EVENT_TYPES[event.type].fields
    return [name for name, field in fields.items() if field.is_own_time and field.kind in (kinds or ("time", "moment"))]


def _plain_keys(event: Event) -> list[str]:
    fields = EVENT_TYPES[event.type].fields
    return [name for name in EVENT_TYPES[event.type].key if fields[name].kind == "text"]


def _bad_json(rng: random.Random, event: Event, clock: datetime) -> Event:
    good = json.dumps(event.data)
    return replace(event, text=rng.choice([good[:-1], good[: len(good) // 2], "", "{'a': 1}", good + " }", "\ufffd{"]))


def _not_an_object(rng: random.Random, event: Event, clock: datetime) -> Event:
    return replace(event, text=rng.choice(["[1, 2]", '"text"', "17", "null"]))


def _unknown_type(rng: random.Random, event: Event, clock: datetime) -> Event:
    wrong = [
        "vn.ioc.dossier.eaten.v1",
        event.type + "x",
        event.type.replace("v1", "v2"),
        event.type.upper(),
        "submitted",
    ]
    return replace(event, type=rng.choice(wrong))


def _missing_field(rng: random.Random, event: Event, clock: datetime) -> Event:
    gone = rng.choice(EVENT_TYPES[event.type].required)
    return replace(event, data={name: value for name, value in event.data.items() if name != gone})


def _missing_attribute(rng: random.Random, event: Event, clock: datetime) -> Event:
    return replace(event, left_out=(rng.choice(["id", "source", "type"]),))


def _wrong_type(rng: random.Random, event: Event, clock: datetime) -> Event:
    name = rng.choice(_fields(event, "|", *WRONG_VALUES))
    kind = EVENT_TYPES[event.type].fields[name].kind
    return _with(event, **{name: rng.choice(WRONG_VALUES.get(kind, (7, True)))})


def _foreign_source(rng: random.Random, event: Event, clock: datetime) -> Event:
    family = event.topic.split(".")[1]
    other = "citizen" if family == "onestop" else "onestop"
    wrong = [
        f"/lam-dong/{other}/system",
        f"/lam-dong/{family}x",
        f"/lam-dong/{family}x/system",
        f"/lao-cai/{family}/system",
        f"/lam-dongx/{family}",
        f"lam-dong/{family}",
        f"/lam-dong/{family.upper()}",
        "/lam-dong",
        f"https://lam-dong/{family}",
    ]
    return replace(event, source=rng.choice(wrong))


def _time(text: str) -> Spoiler:
    return lambda rng, event, clock: _at(event, text)


def _own(text: str) -> Spoiler:
    return lambda rng, event, clock: _with(event, **{rng.choice(_own_times(event)): text})


def _just_too_far_ahead(rng: random.Random, event: Event, clock: datetime) -> Event:
    text = (clock + timedelta(minutes=15, milliseconds=rng.choice([1, 1000]))).isoformat(timespec="milliseconds")
    return _at(event, text) if rng.random() < 0.5 else _with(event, **{rng.choice(_own_times(event)): text})


def _no_offset(rng: random.Random, event: Event, clock: datetime) -> Event:
    text = rng.choice(["2026-03-01T08:00:00", "2026-03-01 08:00:00", "2026-03-01", "08:00:00Z"])
    return _at(event, text) if rng.random() < 0.5 else _with(event, **{rng.choice(_own_times(event, "time")): text})


def _enumeration(rng: random.Random, event: Event, clock: datetime) -> Event:
    name = rng.choice(_fields(event, "|"))
    return _with(
        event, **{name: rng.choice([f"{event.data[name]}x", str(event.data[name]).upper() + " ", "none of them"])}
    )


def _not_a_number(rng: random.Random, event: Event, clock: datetime) -> Event:
    value = rng.choice([float("nan"), float("inf"), float("-inf")])
    return replace(event, text=json.dumps({**event.data, rng.choice(_fields(event, *NUMBERS)): value}))


def _below_zero(rng: random.Random, event: Event, clock: datetime) -> Event:
    return _with(event, **{rng.choice(_fields(event, "count", "amount")): -1})


def _unknown_commune(rng: random.Random, event: Event, clock: datetime) -> Event:
    return _with(event, **{rng.choice(_fields(event, "unit")): rng.choice(["99999", "24778 ", "672", "Đà Lạt", "*"])})


def _unknown_camera(rng: random.Random, event: Event, clock: datetime) -> Event:
    return _with(event, camera_id=rng.choice(["cam-38", "cam-1", "CAM-01", "cam-01 ", "camera"]))


def _oversized(rng: random.Random, event: Event, clock: datetime) -> Event:
    return _with(event, note="x" * (257 * 1024))


def _wrong_topic(rng: random.Random, event: Event, clock: datetime) -> Event:
    return replace(event, topic=rng.choice([topic for topic in TOPICS if topic != event.topic]))


def _control_in_id(rng: random.Random, event: Event, clock: datetime) -> Event:
    return replace(event, id=event.id + rng.choice(["\x00", "\x1f", "\n", "\x7f"]))


def _control_in_key(rng: random.Random, event: Event, clock: datetime) -> Event:
    name = rng.choice(_plain_keys(event))
    return _with(event, **{name: f"{event.data[name]}\x1f"})


def _half_deleted(rng: random.Random, event: Event, clock: datetime) -> Event:
    return _with(event, deleted=rng.choice(["true", "false", "", 1, 0, [True]]))


_SPOILERS: Mapping[str, Spoiler] = {
    "bad JSON": _bad_json,
    "not an object": _not_an_object,
    "unknown type": _unknown_type,
    "missing field": _missing_field,
    "missing attribute": _missing_attribute,
    "wrong type": _wrong_type,
    "foreign source": _foreign_source,
    "time in 1970": _time("1970-01-01T00:00:00Z"),
    "time in 2099": _time("2099-01-01T00:00:00+07:00"),
    "own time in 1970": _own("1970-01-01T00:00:00Z"),
    "own time in 2099": _own("2099-12-31T23:59:59Z"),
    "just too far ahead": _just_too_far_ahead,
    "no offset": _no_offset,
    "enumeration": _enumeration,
    "not a number": _not_a_number,
    "below zero": _below_zero,
    "unknown commune": _unknown_commune,
    "unknown camera": _unknown_camera,
    "oversized": _oversized,
    "wrong topic": _wrong_topic,
    "deleted is no flag": _half_deleted,
    "control character in id": _control_in_id,
    "control character in key": _control_in_key,
}
SORTS = tuple(_SPOILERS)
FOR_TOMBSTONES = (
    "bad JSON",
    "not an object",
    "unknown type",
    "missing attribute",
    "foreign source",
    "time in 1970",
    "time in 2099",
    "wrong topic",
    "deleted is no flag",
    "control character in id",
)


def can_have(event: Event, sort: str) -> bool:
    """Says whether an event of this type can have that flaw: not every type has numbers or enumerations."""
    if event.data.get("deleted") is True and sort not in FOR_TOMBSTONES:
        return False  # what the body of a tombstone may hold besides its key is left open
    needed = {
        "wrong type": _fields(event, "|", *WRONG_VALUES),
        "enumeration": _fields(event, "|"),
        "not a number": _fields(event, *NUMBERS),
        "below zero": _fields(event, "count", "amount"),
        "unknown commune": _fields(event, "unit"),
        "unknown camera": _fields(event, "camera"),
        "control character in key": _plain_keys(event),
        "own time in 1970": _own_times(event),
        "own time in 2099": _own_times(event),
        "just too far ahead": _own_times(event),
        "no offset": _own_times(event, "time"),
    }
    return bool(needed.get(sort, True))


def spoil(rng: random.Random, event: Event, sort: str, clock: datetime) -> Event:
    """Returns the event with a flaw of that sort; half keep the good event's id."""
    if rng.random() < 0.5:
        event = replace(event, id=f"bad-{rng.getrandbits(40):010x}")
    return replace(_SPOILERS[sort](rng, event, clock), flaw=sort)
