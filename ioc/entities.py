"""Entities: the rows that figures are views of. A row is a set of facts; folding an event in is set union, so order,
repetition and redelivery can't change what it holds (architecture, decision 3).

A row of kind `state` keeps only the facts that still say something: for each field the newest that carries it, and the
newest of all. Rows of every other kind keep all their facts, up to a bound.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec

from ioc.errors import InvalidRecord
from ioc.events import Event, StoredValue

__all__ = [
    "CONTRADICTS",
    "DUPLICATE",
    "NEW",
    "Fact",
    "Row",
    "decode_row",
    "encode_row",
    "first_row",
    "fold",
]

MAX_FACTS = 1_000
MAX_ROW_BYTES = 400_000  # of event data folded in; keeps an encoded row below the broker's message limit
_LARGEST_PLACE = 10_000  # of a field in its type; every accepted time is far above it
REMEMBERED_IDS = 2_048  # of a state row, whose facts are dropped as they are overtaken

DUPLICATE, NEW, CONTRADICTS = range(3)

Fact = tuple[int, str, str, int, bool, tuple[StoredValue, ...]]
"""(order in µs, id, source, the type's number, is a tombstone, values in the type's order)."""


class Row(msgspec.Struct, array_like=True, gc=False):
    """The facts of one entity in their order, oldest first.

    `seen`: marks of the ids of a state row, in order of arrival; `size_bytes`: event data folded in.
    """

    facts: list[Fact]
    seen: dict[int, None]
    size_bytes: int


def first_row(event: Event) -> Row:
    """Returns the row of an entity that nothing was known of: what `fold` into an empty row gives, in one step."""
    fact: Fact = (event.order_us, event.id, event.source, event.type.number, event.is_tombstone, event.values)
    if event.type.is_state:
        return Row([fact], {_mark(event.source, event.id): None}, 0)
    return Row([fact], {}, event.size_bytes)


def fold(row: Row, event: Event) -> int:
    """Adds the event's fact.

    Returns:
        NEW; DUPLICATE (same source and id, whatever its body: nothing was added); or CONTRADICTS: new, but its source
        has told something else of the same entity and time before.

    Raises:
        InvalidRecord: the entity holds as much as a row may.
    """
    event_id, source = event.id, event.source
    facts = row.facts
    is_state = event.type.is_state
    if is_state:
        mark = _mark(source, event_id)
        if mark in row.seen:
            return DUPLICATE
        row.seen[mark] = None
        if len(row.seen) > REMEMBERED_IDS:
            del row.seen[next(iter(row.seen))]
    else:
        for known in facts:
            if known[1] == event_id and known[2] == source:
                return DUPLICATE
        if len(facts) >= MAX_FACTS or row.size_bytes + event.size_bytes > MAX_ROW_BYTES:
            raise _entity_full(event)
        row.size_bytes += event.size_bytes
    fact: Fact = (event.order_us, event_id, source, event.type.number, event.is_tombstone, event.values)
    outcome = NEW
    if facts and facts[-1][0] >= fact[0]:  # not simply the next one
        if not is_state and _contradicts(facts, fact):  # a state row has forgotten what was overtaken
            outcome = CONTRADICTS
        facts.append(fact)
        facts.sort(key=_order)
    else:
        facts.append(fact)
    if is_state and len(facts) > 1:
        row.facts = _still_telling(facts)
    return outcome


def _contradicts(facts: list[Fact], fact: Fact) -> bool:
    told = [_said(known) for known in facts if known[0] == fact[0] and known[3] == fact[3] and known[2] == fact[2]]
    return bool(told) and _said(fact) not in told


def _said(fact: Fact) -> tuple[StoredValue, ...] | None:
    """A tombstone's own fields say nothing."""
    return None if fact[4] else fact[5]


_Same = dict[str, None]  # always empty: two facts of one type often tell the same, such as a unit or a channel


class _Written(msgspec.Struct, array_like=True, gc=False):
    """A row on the wire: a source that an earlier fact has named is the place of that fact, and an order that the
    fact's own time gives is the place of that value (no time is as small as a place). A type's number below zero is its
    complement, and says that texts which the type's fact before told too stand as `{}`."""

    facts: list[tuple[int, str, str | int, int, bool, tuple[StoredValue | _Same, ...]]]
    seen: dict[int, None]
    size_bytes: int


_encode: Callable[[Row | _Written], bytes] = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Written).decode


def encode_row(row: Row) -> bytes:
    """Returns the row as it is kept: msgpack, with each source named once, each time told once, and no text twice in a
    row."""
    facts = row.facts
    if len(facts) == 1:
        return _encode(row)
    first: dict[str, int] = {}
    before: dict[int, tuple[StoredValue, ...]] = {}
    written: list[Any] = []
    for place, fact in enumerate(facts):
        order, values, number = fact[0], fact[5], fact[3]
        named = first.setdefault(fact[2], place)
        told = before.get(number)
        before[number] = values
        is_shorter = False
        shorter: Any = values
        if told is not None:
            shorter = [
                _SAME if value.__class__ is str and value == other else value
                for value, other in zip(values, told, strict=True)
            ]
            is_shorter = _SAME in shorter
        written.append(
            (
                values.index(order) if order in values else order,
                fact[1],
                fact[2] if named == place else named,
                ~number if is_shorter else number,
                fact[4],
                shorter,
            )
        )
    return _encode(_Written(written, row.seen, row.size_bytes))


_SAME: _Same = {}


def decode_row(data: bytes) -> Row:
    """Returns what `encode_row` has written.

    Raises:
        msgspec.DecodeError: the bytes are no row.
    """
    found = _decode(data)
    facts: list[Any] = found.facts
    if len(facts) == 1:
        return Row(facts, found.seen, found.size_bytes)
    before: dict[int, tuple[StoredValue, ...]] = {}
    for place, fact in enumerate(facts):
        order, source, number, values = fact[0], fact[2], fact[3], fact[5]
        if number < 0:
            number = ~number
            told = before[number]
            values = tuple(
                [other if value.__class__ is dict else value for value, other in zip(values, told, strict=True)]
            )
        before[number] = values
        facts[place] = (
            values[order] if order < _LARGEST_PLACE else order,
            fact[1],
            facts[source][2] if source.__class__ is int else source,
            number,
            fact[4],
            values,
        )
    return Row(facts, found.seen, found.size_bytes)


def _order(fact: Fact) -> tuple[int, str, str]:
    return fact[0], fact[1], fact[2]


def _mark(source: str, event_id: str) -> int:
    """64 bits of (source, id); the id can't hold the separator."""
    return int.from_bytes(hashlib.blake2b(f"{source}\n{event_id}".encode(), digest_size=8).digest(), "big")


def _still_telling(facts: list[Fact]) -> list[Fact]:
    kept: list[Fact] = [facts[-1]]
    told: set[tuple[int, int]] = set()
    if not facts[-1][4]:
        told.update((facts[-1][3], place) for place, value in enumerate(facts[-1][5]) if value is not None)
    for fact in reversed(facts[:-1]):
        if fact[4]:
            continue  # an overtaken tombstone says nothing any more
        news = [(fact[3], place) for place, value in enumerate(fact[5]) if value is not None]
        if not told.issuperset(news):
            told.update(news)
            kept.append(fact)
    kept.reverse()
    return kept


def _entity_full(event: Event) -> InvalidRecord:
    return InvalidRecord(
        "entity_full",
        field=event.type.entity_key[0],
        vi=f"Đối tượng {event.entity_id[:80]!r} đã có quá nhiều sự kiện; kiểm tra hệ thống gửi có lặp vô hạn không.",
        en=f"{event.type.entity} {event.entity_id[:80]!r} holds too many events: is the publisher in a loop?",
    )
