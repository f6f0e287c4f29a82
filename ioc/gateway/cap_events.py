"""A CAP alert to the events that tell it. Pure.

An alert is one `disaster_alert`, whatever messages tell of it. An Alert begins it; an Update is a later fact of the
alert that it refers to; a Cancel is its tombstone. An Update leaves `sent` out: the relay to the communes is counted
from the first warning, and a fact that does not know a field erases nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from ioc.gateway.cap_alert import CERTAINTIES, SEVERITIES, URGENCIES, CapAlert, CapArea, CapInfo
from ioc.geography import Geography
from ioc.windows import LOCAL_ZONE, local_date, microseconds_of

__all__ = ["ALERT_TYPE", "CapEvents", "RootOf", "events_of", "extended_id", "is_real"]

ALERT_TYPE = "disaster.alert"
MAX_TEXTS = 8  # languages that go into an event

RootOf = Mapping[str, str]
"""From the event id of a message to the identifier of the alert that it told of, where that is known."""


class CapEvents(NamedTuple):
    """The events in structured mode, the alerts (`disaster_alert`) that they tell of, and which communes are meant;
    `unknown_codes` are geocodes that are no unit of the province."""

    bodies: tuple[bytes, ...]
    identifiers: tuple[str, ...]
    admin_units: tuple[str, ...]
    unknown_codes: tuple[str, ...]


def is_real(alert: CapAlert) -> bool:
    """Whether the message is about something that really happens: exercises, tests, drafts and the system's own
    messages are not, and never count."""
    return alert.status == "Actual"


def extended_id(sender: str, identifier: str, sent: datetime) -> str:
    """The event's id: CAP's own name of a message, with the time as one instant however its offset is written."""
    return f"{sender},{identifier},{sent.astimezone(LOCAL_ZONE).isoformat()}"


def events_of(alert: CapAlert, *, source: str, ce_type: str, geography: Geography, roots: RootOf) -> CapEvents:
    """Returns one event for each alert that the message tells of: its own for an Alert, those referred to otherwise.

    An Update or Cancel of several alerts has an event for each; from the second on `#2`, `#3` stands behind the id.
    """
    own_id = extended_id(alert.sender, alert.identifier, alert.sent)
    identifiers = _told_of(alert, roots)
    codes = [value for info in alert.infos for area in info.areas for _, value in area.geocodes]
    units, unknown = _units(codes, geography, alert.sent)
    data = _tombstone(alert) if alert.message_type == "Cancel" else _data(alert, units)
    bodies = tuple(
        orjson.dumps(
            {
                "specversion": "1.0",
                "type": ce_type,
                "source": source,
                "id": own_id if number == 1 else f"{own_id}#{number}",
                "time": alert.sent.isoformat(),
                "datacontenttype": "application/json",
                "data": {"identifier": identifier, **data},
            }
        )
        for number, identifier in enumerate(identifiers, 1)
    )
    return CapEvents(bodies, identifiers, units, unknown)


def _told_of(alert: CapAlert, roots: RootOf) -> tuple[str, ...]:
    if alert.message_type not in ("Update", "Cancel"):
        return (alert.identifier,)
    first = sorted(alert.references, key=lambda reference: reference.sent)
    known = (roots.get(extended_id(r.sender, r.identifier, r.sent), r.identifier) for r in first)
    return tuple(dict.fromkeys(known))


def _tombstone(alert: CapAlert) -> dict[str, Any]:
    return {"deleted": True, "sender": alert.sender, "msgType": alert.message_type, **_message(alert)}


def _data(alert: CapAlert, units: Sequence[str]) -> dict[str, Any]:
    """What the event tells, beside what it is called. Facts that differ from language to language take the worst."""
    infos = sorted(alert.infos, key=lambda info: _rank(info.language))
    event = infos[0].event if infos else ""
    expiries = [info.expires for info in infos if info.expires is not None]
    sent = {"sent": alert.sent.isoformat()} if alert.message_type == "Alert" else {}
    return {
        "sender": alert.sender,
        **sent,
        "msgType": alert.message_type,
        "event": event,
        "severity": _worst([info.severity for info in infos], SEVERITIES),
        "urgency": _worst([info.urgency for info in infos], URGENCIES),
        "certainty": _worst([info.certainty for info in infos], CERTAINTIES),
        "category": list(dict.fromkeys(name for info in infos for name in info.categories)),
        "area": _areas(infos),
        "admin_units": list(units),
        "expires": max(expiries).isoformat() if expiries else None,
        "texts": {info.language: _texts(info) for info in reversed(infos[:MAX_TEXTS])},
        **_message(alert),
    }


def _message(alert: CapAlert) -> dict[str, Any]:
    """The message itself, for who wants to look it up; `references` as CAP writes them."""
    references = [f"{r.sender},{r.identifier},{r.sent.isoformat()}" for r in alert.references]
    return {
        "cap_identifier": alert.identifier,
        "status": alert.status,
        "scope": alert.scope,
        "references": references or None,
    }


def _texts(info: CapInfo) -> dict[str, str]:
    told = {
        "event": info.event,
        "headline": info.headline,
        "description": info.description,
        "instruction": info.instruction,
    }
    return {name: text for name, text in told.items() if text}


def _rank(language: str) -> int:
    tag = language.lower().partition("-")[0]
    return {"vi": 0, "en": 1}.get(tag, 2)


def _worst(told: Sequence[str], ranked: Sequence[str]) -> str | None:
    return min(told, key=ranked.index, default=None)


def _areas(infos: Sequence[CapInfo]) -> list[dict[str, Any]]:
    """Each place once: the languages of an alert repeat them under names of their own."""
    places: dict[tuple[object, ...], CapArea] = {}
    for info in infos:
        for area in info.areas:
            shape = (area.polygons, area.circles, area.geocodes)
            places.setdefault(shape if any(shape) else (area.description,), area)
    return [
        {
            "areaDesc": area.description,
            "geometry": {"type": "MultiPolygon", "coordinates": [[ring] for ring in area.polygons]}
            if area.polygons
            else None,
            "circles": [{"longitude": x, "latitude": y, "radius_km": r} for x, y, r in area.circles],
            "geocodes": [{"name": name, "value": value} for name, value in area.geocodes],
        }
        for area in places.values()
    ]


def _units(codes: Sequence[str], geography: Geography, sent: datetime) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(units in force when it was sent, codes that are none); a commune that was merged stands for its successor."""
    day = local_date(microseconds_of(sent))
    units = {code: geography.resolve(code, day) for code in dict.fromkeys(codes)}
    return (
        tuple(dict.fromkeys(unit for unit in units.values() if unit is not None)),
        tuple(code for code, unit in units.items() if unit is None),
    )
