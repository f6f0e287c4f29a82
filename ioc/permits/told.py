"""What departments tell of permits and of decisions, read from the beginning of their topics. Pure.

A worker holds both tables whole, whatever partition it has: a parcel's permit and a camera's detection have no key in
common. They are rebuilt at every start; the same record again changes nothing.
"""

import logging
from bisect import insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import orjson
from shapely.geometry import mapping

from ioc.building_case import Decision, Finding
from ioc.errors import InvalidRecord
from ioc.events import Event, EventDecoder, Headers, Rejected
from ioc.permits.reading import permit_of_event
from ioc.permits.registry import Permit, PermitRegistry
from ioc.windows import moment_of

__all__ = ["ACTION_TYPE", "DECISION_TYPE", "PERMIT_TYPE", "DecisionTable", "Outcome", "PermitTable"]

logger = logging.getLogger(__name__)

PERMIT_TYPE: Final = "permit.construction"
DECISION_TYPE: Final = "violation.recorded"
ACTION_TYPE: Final = "incident.action"

Outcome = Literal["accepted", "duplicate", "rejected", "without_outline", "ignored"]
"""`rejected`: no event of the contract, which the events' agent answers with a dead letter; `without_outline`: taken,
but its polygon is none; `ignored`: its dates, floors or status can't be, and the permit stays as it was."""

_KEPT_EVENTS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """One event of a permit, in the order of the semantics; `data` is all that was told until then, None: withdrawn."""

    order: tuple[int, str, str]
    own: Mapping[str, Any] | None
    data: Mapping[str, Any] | None = None


class PermitTable:
    """The register of permits as the catalogue and the topic tell it; `version` counts the changes that matter."""

    def __init__(self, declared: Iterable[Permit], decoder: EventDecoder) -> None:
        declared = tuple(declared)
        self.registry = PermitRegistry(declared)
        self.version = 0
        self._decoder = decoder
        self._declared = {permit.permit_id: _data_of(permit) for permit in declared}
        self._told: dict[str, list[_Told]] = {}

    def take(self, topic: str, headers: Headers, value: bytes | None, now_us: int) -> list[Outcome]:
        """Takes a record; returns what became of each of its events."""
        return [
            self._take(item, own) if isinstance(item, Event) else "rejected"
            for item, own in _events(self._decoder, topic, headers, value, now_us)
        ]

    def _take(self, event: Event, own: Mapping[str, Any]) -> Outcome:
        told = self._told.setdefault(event.entity_id, [])
        fact = _Told(
            order=(event.order_us, event.id, event.source),
            own=None if event.is_tombstone else {name: value for name, value in own.items() if value is not None},
        )
        if any(known.order[1:] == fact.order[1:] for known in told):
            return "duplicate"
        insort(told, fact, key=lambda known: known.order)
        first = told.index(fact)
        outcomes = [self._fold(event.entity_id, told, place) for place in range(first, len(told))]
        del told[:-_KEPT_EVENTS]
        return outcomes[0]

    def _fold(self, permit_id: str, told: list[_Told], place: int) -> Outcome:
        """A permit is the newest value of each of its fields; one that was withdrawn begins anew."""
        fact = told[place]
        before = told[place - 1].data if place else self._declared.get(permit_id)
        data, permit, outcome = _merged(permit_id, before, fact.own)
        told[place] = _Told(order=fact.order, own=fact.own, data=data)
        if outcome != "ignored" and self.registry.put(permit_id, permit, moment_of(fact.order[0])):
            self.version += 1
        return outcome


class DecisionTable:
    """What was done about cases that a camera found, by the incident's id: departments' `violation.recorded`, whose
    `case_id` it is, and the verdicts of people on call."""

    def __init__(self, kinds: Iterable[str], decoder: EventDecoder) -> None:
        self.version = 0
        self._prefixes = tuple(f"{kind}-" for kind in kinds)
        self._decoder = decoder
        self._decisions: dict[str, tuple[int, Decision]] = {}
        self._findings: dict[str, Finding] = {}
        self._verdicts: dict[str, tuple[int, str]] = {}

    def take(self, topic: str, headers: Headers, value: bytes | None, now_us: int) -> None:
        for item, own in _events(self._decoder, topic, headers, value, now_us):
            if not isinstance(item, Event) or item.is_tombstone or not item.entity_id.startswith(self._prefixes):
                continue
            if item.type.name == ACTION_TYPE:
                self._take_action(item, own)
            else:
                self._take_violation(item, own)

    def of(self, incident_id: str) -> Decision | None:
        found = self._decisions.get(incident_id)
        return found[1] if found is not None else None

    def finding(self, incident_id: str, known: Finding | None = None) -> Finding | None:
        """When it was found to be a violation, the earliest that is told; `known`: what was before. Verdicts are kept
        for a month only: without one what is known stands, with another one it does not."""
        told, (at_us, verdict) = self._findings.get(incident_id), self._verdicts.get(incident_id, (0, None))
        if verdict is None:
            return known if told is None else _earliest(told, known)
        return _earliest(told, Finding(found_at=moment_of(at_us))) if verdict == "true_positive" else told

    def _take_violation(self, event: Event, own: Mapping[str, Any]) -> None:
        known = self._decisions.get(event.entity_id)
        if own.get("decision_at") and (known is None or known[0] < event.order_us):
            self._decisions[event.entity_id] = event.order_us, _decision(own)
            self.version += 1
        before = self._findings.get(event.entity_id)
        after = _earliest(_finding(event, own), before)
        if after != before:
            self._findings[event.entity_id] = after
            self.version += 1

    def _take_action(self, event: Event, own: Mapping[str, Any]) -> None:
        """A verdict, or that a person opened the incident again, which takes it back (news of the work open it too, and
        take nothing back); exercises are none."""
        action, known = own.get("action"), self._verdicts.get(event.entity_id)
        is_taken_back = action == "reopened" and own.get("actor_role") != "system"
        if not (action == "verdict" or is_taken_back) or own.get("exercise"):
            return
        if known is None or known[0] < event.order_us:
            verdict = str(own.get("verdict") or "") if action == "verdict" else ""
            self._verdicts[event.entity_id] = event.order_us, verdict
            self.version += 1


def _finding(event: Event, own: Mapping[str, Any]) -> Finding:
    """What a department's event tells of the finding. What a camera detected nobody has found yet: then it is the
    record. Without a time of its own the record is as old as the event."""
    recorded_at = _time(own, "record_at") or moment_of(event.order_us)
    detected_at = None if own.get("source") == "camera" else _time(own, "detected_at")
    return Finding(found_at=min(detected_at or recorded_at, recorded_at), recorded_at=recorded_at)


def _earliest(one: Finding | None, other: Finding | None) -> Finding:
    both = [finding for finding in (one, other) if finding is not None]
    recorded = [finding.recorded_at for finding in both if finding.recorded_at is not None]
    return Finding(found_at=min(finding.found_at for finding in both), recorded_at=min(recorded, default=None))


def _time(own: Mapping[str, Any], name: str) -> datetime | None:
    text = own.get(name)
    return datetime.fromisoformat(str(text).upper()) if text else None


def _decision(own: Mapping[str, Any]) -> Decision:
    fine = own.get("fine_vnd")
    return Decision(
        decided_at=datetime.fromisoformat(str(own["decision_at"]).upper()),
        field=str(own.get("field") or ""),
        fine_vnd=float(fine) if fine is not None else None,
    )


def _events(
    decoder: EventDecoder, topic: str, headers: Headers, value: bytes | None, now_us: int
) -> Iterator[tuple[Event | Rejected, Mapping[str, Any]]]:
    """The events of a record with all their data: an `Event` holds only the fields that figures ask for."""
    items: Sequence[Event | Rejected] = decoder.decode(topic, headers, value, now_us)
    if all(isinstance(item, Rejected) for item in items):
        yield from ((item, {}) for item in items)
        return
    body = orjson.loads(value or b"")
    parts = body if isinstance(body, list) else [body]
    found = dict(headers)
    is_enveloped = "ce_type" not in found or found.get("content-type", b"").startswith(b"application/cloudevents")
    for item, part in zip(items, parts, strict=True):
        yield item, (part.get("data") or {}) if is_enveloped else part


def _merged(
    permit_id: str, before: Mapping[str, Any] | None, own: Mapping[str, Any] | None
) -> tuple[Mapping[str, Any] | None, Permit | None, Outcome]:
    """What is known after an event, and the permit of it."""
    if own is None:
        return None, None, "accepted"
    after = {**(before or {}), **own, "permit_id": permit_id}
    try:
        return after, permit_of_event(after), "accepted"
    except InvalidRecord as error:
        if error.reason != "bad_geometry":
            return _ignored(permit_id, before, error)
        logger.warning("permit %s is kept without its outline: %s", permit_id, error.en)
    after.pop("polygon")
    try:
        return after, permit_of_event(after), "without_outline"
    except InvalidRecord as error:
        return _ignored(permit_id, before, error)


def _ignored(
    permit_id: str, before: Mapping[str, Any] | None, error: InvalidRecord
) -> tuple[Mapping[str, Any] | None, Permit | None, Outcome]:
    logger.warning("an event of permit %s is not taken: %s", permit_id, error.en)
    return before, None, "ignored"


def _data_of(permit: Permit) -> Mapping[str, Any]:
    """A permit of permits.yaml as an event would tell it: what comes later may tell a part of it only."""
    return {
        "permit_id": permit.permit_id,
        "parcel_id": permit.parcel_id,
        "valid_from": permit.valid_from.isoformat(),
        "valid_to": permit.valid_to.isoformat(),
        "status": permit.status,
        **({} if permit.floors is None else {"floors": permit.floors}),
        **({} if permit.outline is None else {"polygon": mapping(permit.outline)}),
    }
