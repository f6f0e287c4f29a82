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

if TYPE_CHECKING:
    from tests.recount.wire import Event

__all__ = ["SORTS", "can_have", "spoil"]

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "vn.ioc.dossier.submitted.v1": ("channel", "dossier_id", "service_level", "submitted_at"),
    "vn.ioc.dossier.status_changed.v1": ("at", "dossier_id", "status"),
    "vn.ioc.dossier.digitised.v1": ("components_digitised", "components_total", "dossier_id"),
    "vn.ioc.dossier.paid.v1": ("dossier_id", "method", "status"),
    "vn.ioc.dossier.rated.v1": ("dossier_id",),
    "vn.ioc.report.submitted.v1": ("report_id", "submitted_at"),
    "vn.ioc.report.status_changed.v1": ("at", "report_id", "status"),
    "vn.ioc.report.rated.v1": ("report_id",),
    "vn.ioc.network.channel_state.v1": ("channel_id", "up"),
    "vn.ioc.lgsp.service_call.v1": ("calls", "consumer", "errors", "service_id", "window_start"),
    "vn.ioc.camera.heartbeat.v1": ("camera_id", "last_frame_age_s", "online"),
}
IDENTIFIER = {
    "dossier": "dossier_id",
    "report": "report_id",
    "network_channel_state": "channel_id",
    "lgsp_service_call": "service_id",
    "camera_heartbeat": "camera_id",
}
WRONG_VALUES: Mapping[str, tuple[object, ...]] = {
    "channel": (5, ["online"]),
    "submitted_at": (1_780_000_000, ""),
    "at": (1_780_000_000, {"t": 1}),
    "status": (7, True),
    "method": (1,),
    "components_total": ("4", [4]),
    "up": ("true", 1),
    "online": ("yes", 0),
    "calls": ("12", [1]),
    "window_start": (0,),
    "last_frame_age_s": ("3", True, {}),
    "dossier_id": (17, ["x"]),
    "report_id": ({}, 17),
    "due_at": ("tomorrow", 5),
}
ENUMERATIONS: Mapping[str, Mapping[str, str]] = {
    "vn.ioc.dossier.submitted.v1": {"channel": "Online", "service_level": "complete"},
    "vn.ioc.dossier.status_changed.v1": {"status": "done", "result_channel": "fax"},
    "vn.ioc.dossier.paid.v1": {"method": "barter", "status": "ok"},
    "vn.ioc.report.status_changed.v1": {"status": "closed"},
    "vn.ioc.report.rated.v1": {"rating": "5"},
    "vn.ioc.network.channel_state.v1": {"level": "district"},
}
NUMBERS: Mapping[str, str] = {
    "vn.ioc.dossier.submitted.v1": "fee_due_vnd",
    "vn.ioc.network.channel_state.v1": "latency_ms",
    "vn.ioc.lgsp.service_call.v1": "calls",
    "vn.ioc.camera.heartbeat.v1": "last_frame_age_s",
}
OWN_TIME: Mapping[str, str] = {
    "vn.ioc.dossier.submitted.v1": "submitted_at",
    "vn.ioc.report.submitted.v1": "submitted_at",
    "vn.ioc.lgsp.service_call.v1": "window_start",
}  # the others have `at`

Spoiler = Callable[[random.Random, "Event", datetime], "Event"]


def _with(event: Event, **fields: object) -> Event:
    return replace(event, data={**event.data, **fields})


def _own_time(event: Event) -> str:
    return OWN_TIME.get(event.type, "at")


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
    gone = rng.choice(REQUIRED[event.type])
    return replace(event, data={name: value for name, value in event.data.items() if name != gone})


def _missing_attribute(rng: random.Random, event: Event, clock: datetime) -> Event:
    return replace(event, left_out=(rng.choice(["id", "source", "type"]),))


def _wrong_type(rng: random.Random, event: Event, clock: datetime) -> Event:
    names = [name for name in WRONG_VALUES if event.data.get(name) is not None]
    if event.type == "vn.ioc.report.submitted.v1" and "channel" in names:
        names.remove("channel")
    name = rng.choice(names)
    return _with(event, **{name: rng.choice(WRONG_VALUES[name])})


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
    return lambda rng, event, clock: replace(event, time=text)


def _own(text: str) -> Spoiler:
    return lambda rng, event, clock: _with(event, **{_own_time(event): text})


def _just_too_far_ahead(rng: random.Random, event: Event, clock: datetime) -> Event:
    text = (clock + timedelta(minutes=15, milliseconds=rng.choice([1, 1000]))).isoformat(timespec="milliseconds")
    return replace(event, time=text) if rng.random() < 0.5 else _with(event, **{_own_time(event): text})


def _no_offset(rng: random.Random, event: Event, clock: datetime) -> Event:
    text = rng.choice(["2026-03-01T08:00:00", "2026-03-01 08:00:00", "2026-03-01", "08:00:00Z"])
    return replace(event, time=text) if rng.random() < 0.5 else _with(event, **{_own_time(event): text})


def _enumeration(rng: random.Random, event: Event, clock: datetime) -> Event:
    name, value = rng.choice(sorted(ENUMERATIONS[event.type].items()))
    return _with(event, **{name: value})


def _not_a_number(rng: random.Random, event: Event, clock: datetime) -> Event:
    value = rng.choice([float("nan"), float("inf"), float("-inf")])
    return replace(event, text=json.dumps({**event.data, NUMBERS[event.type]: value}))


def _unknown_camera(rng: random.Random, event: Event, clock: datetime) -> Event:
    return _with(event, camera_id=rng.choice(["cam-38", "cam-1", "CAM-01", "cam-01 ", "camera"]))


def _oversized(rng: random.Random, event: Event, clock: datetime) -> Event:
    return _with(event, note="x" * (257 * 1024))


def _wrong_topic(rng: random.Random, event: Event, clock: datetime) -> Event:
    topics = ["ioc.onestop.dossiers", "ioc.citizen.reports", "ioc.lgsp.calls", "ioc.network.channels"]
    topics += ["ioc.camera.health", "ioc.onestop.payments"]
    return replace(event, topic=rng.choice([topic for topic in topics if topic != event.topic]))


def _control_in_id(rng: random.Random, event: Event, clock: datetime) -> Event:
    return replace(event, id=event.id + rng.choice(["\x00", "\x1f", "\n", "\x7f"]))


def _control_in_key(rng: random.Random, event: Event, clock: datetime) -> Event:
    name = IDENTIFIER[event.entity[0]]
    return _with(event, **{name: f"{event.data[name]}\x1f"})


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
    "unknown camera": _unknown_camera,
    "oversized": _oversized,
    "wrong topic": _wrong_topic,
    "control character in id": _control_in_id,
    "control character in key": _control_in_key,
}
SORTS = tuple(_SPOILERS)


def can_have(event: Event, sort: str) -> bool:
    """Says whether an event of this type can have that flaw: not every type has numbers or enumerations."""
    if sort == "enumeration":
        return event.type in ENUMERATIONS
    if sort == "not a number":
        return event.type in NUMBERS
    if sort == "missing field":  # whether a tombstone may leave out more than others is left open
        return event.data.get("deleted") is not True
    return sort != "unknown camera" or event.entity[0] == "camera_heartbeat"


def spoil(rng: random.Random, event: Event, sort: str, clock: datetime) -> Event:
    """Returns the event with a flaw of that sort; half keep the good event's id."""
    if rng.random() < 0.5:
        event = replace(event, id=f"bad-{rng.getrandbits(40):010x}")
    return replace(_SPOILERS[sort](rng, event, clock), flaw=sort)
