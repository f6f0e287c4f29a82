"""A seeded stream of department events that holds as many hard cases as a province's events can.

The same seed gives the same records. Nothing here knows what the right figures are: the recount reads the records.
What the binding texts leave open is kept out, so that a difference between two counts is somebody's mistake.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tests.recount import happenings, registers, tallies
from tests.recount.accepting import Record
from tests.recount.event_types import EVENT_TYPES
from tests.recount.invalid import SORTS, can_have, spoil
from tests.recount.lives import dossier, report
from tests.recount.scribe import CAMERAS, UNITS, Scribe, random_clock
from tests.recount.states import camera, channel, lgsp_minute
from tests.recount.wire import Entity, Event, encode

__all__ = ["SMALL_CLOCK", "Stream", "events_of", "generate", "packed", "small_stream"]

Life = Callable[[Scribe], None]


def _camera(scribe: Scribe) -> None:
    camera(scribe, scribe.rng.choice(CAMERAS[:33]))  # four are never heard


LIVES: Mapping[Life, int] = {
    dossier: 10,
    report: 8,
    lgsp_minute: 5,
    channel: 1,
    _camera: 1,
    **dict.fromkeys((registers.mast, happenings.incident, happenings.document, tallies.indicator), 4),
    **dict.fromkeys((happenings.parcel, happenings.disaster_alert, happenings.bulletin, registers.certificate), 2),
    **dict.fromkeys((happenings.violation, happenings.meeting_site, tallies.e_identity, tallies.guests), 2),
    **{getattr(registers, name): 1 for name in registers.__all__ if name not in ("mast", "certificate")},
    **dict.fromkeys((happenings.order, happenings.session, happenings.disaster_incident), 2),
    **dict.fromkeys((happenings.security_incident, tallies.speed_test, tallies.press), 2),
    **dict.fromkeys((happenings.reading, happenings.spam, happenings.bad_info), 1),
    **dict.fromkeys((tallies.einvoice, tallies.coverage, tallies.turnover, tallies.visits, tallies.endpoints), 1),
}
"""Who writes the life of one entity of each kind, and how often it is drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What is published: records in the order they are sent, and how many events they hold."""

    seed: int
    clock: datetime
    records: list[Record]
    events: list[Event]


def _valid_events(scribe: Scribe, count: int, lives: Sequence[Life]) -> list[Event]:
    """Returns `count` events: every kind of life once where there is room, then as often as it is drawn."""
    for life in lives:
        if len(scribe.events) < count:
            life(scribe)
    weights = [LIVES[life] for life in lives]
    while len(scribe.events) < count:
        scribe.rng.choices(lives, weights)[0](scribe)
    return scribe.events[:count]


def _repeat(scribe: Scribe, original: Event, pool: Mapping[Entity, Sequence[Event]], *, change_body: bool) -> Event:
    """The same source and id of the same entity once more; with `change_body` it says something else."""
    if not change_body:
        return original
    siblings = [event for event in pool[original.entity] if event.topic == original.topic]
    other = scribe.rng.choice(siblings)
    event_type, data = EVENT_TYPES[other.type], dict(other.data)
    for name, field in event_type.fields.items():
        if name in event_type.key or data.get(name) is None:
            continue
        if field.kind == "flag":
            data[name] = scribe.chance(0.5)
        elif "|" in field.kind:
            data[name] = scribe.rng.choice(field.kind.split("|"))
        elif field.kind == "count" and other.entity[0] != "lgsp_service_call":
            data[name] = scribe.rng.randrange(9)
    return replace(other, id=original.id, source=original.source, data=data)


def generate(
    seed: int,
    *,
    events: int = 20_000,
    duplicates: float = 0.05,
    invalid: float = 0.01,
    change_bodies: bool = True,
    order_seed: int | None = None,
    clock: datetime | None = None,
    communes: Sequence[str] = UNITS,
    lives: Sequence[Life] = tuple(LIVES),
) -> Stream:
    """Returns a stream of exactly `events` events in random order, of all types where there is room.

    `clock`: by which everything is told; drawn, mostly near a border, when left out. `communes`: those that registers
    and indicators may name; other facts name a few of them.

    With `change_bodies` some duplicates say something else than the event they repeat, and the figures depend on which
    comes first; without, they don't depend on the order, which `order_seed` then changes alone.
    """
    rng = random.Random(seed)
    drawn = random_clock(rng)
    scribe = Scribe(rng, clock or drawn, communes=communes)
    duplicated, spoilt = round(events * duplicates), round(events * invalid)
    valid = _valid_events(scribe, events - duplicated - spoilt, lives)
    pool: dict[Entity, list[Event]] = {}
    for event in valid:
        pool.setdefault(event.entity, []).append(event)
    ordered_only: set[Entity] = set()  # entities whose figures depend on the log order
    extra = []
    for _ in range(duplicated):
        original = rng.choice(valid)
        changed = change_bodies and rng.random() < 0.4 and original.topic != "ioc.onestop.payments"
        if changed:
            ordered_only.add(original.entity)
        extra.append(_repeat(scribe, original, pool, change_body=changed))
    for position in range(spoilt):
        sort = SORTS[position % len(SORTS)]
        fit = _somebody(rng, valid, sort)
        if fit is not None:
            extra.append(spoil(rng, fit, sort, scribe.clock))
    extra += [rng.choice(valid) for _ in range(events - len(valid) - len(extra))]  # no event could have that flaw
    everything = valid + extra
    shuffler = random.Random(seed if order_seed is None else order_seed)
    groups = _group(shuffler, everything, ordered_only)
    shuffler.shuffle(groups)
    records = [_record(shuffler, group, ordered_only) for group in groups]
    return Stream(seed=seed, clock=scribe.clock, records=records, events=[event for group in groups for event in group])


def _somebody(rng: random.Random, events: Sequence[Event], sort: str) -> Event | None:
    """Returns an event that can have that flaw, drawn from those that can; None where none can."""
    start = rng.randrange(len(events))
    for step in range(len(events)):
        event = events[(start + step * 7919) % len(events)]
        if can_have(event, sort):
            return event
    return None


SMALL_CLOCK = datetime.fromisoformat("2026-11-18T09:30:20+07:00")


def events_of(seed: int, count: int, *, clock: datetime = SMALL_CLOCK, change_bodies: bool = False) -> list[Record]:
    """Returns the records of a small stream of `count` events about a few kinds of entities, told by `clock`.

    Without `change_bodies` every order of the records gives the same figures.
    """
    return small_stream(seed, count, clock=clock, change_bodies=change_bodies).records


def small_stream(seed: int, count: int, *, clock: datetime = SMALL_CLOCK, change_bodies: bool = False) -> Stream:
    """Returns the stream of `events_of`."""
    rng = random.Random(seed)
    few = tuple(rng.sample(tuple(LIVES), k=rng.choice([1, 2, 4, 8])))
    invalid = rng.choice([0, 0.05, 0.1])
    return generate(
        seed, events=count, duplicates=0.1, invalid=invalid, change_bodies=change_bodies, clock=clock, lives=few
    )


def packed(rng: random.Random, events: Sequence[Event], *, together: float = 0.04) -> list[Record]:
    """Returns records of these events, in about their order: in all three modes, some under a key that is not theirs.

    `together`: how many of them share a record with others of their topic.
    """
    return [_record(rng, group, set()) for group in _group(rng, events, set(), together=together)]


def _group(
    rng: random.Random, events: Sequence[Event], ordered_only: set[Entity], *, together: float = 0.04
) -> list[list[Event]]:
    """Puts a few events together into batches; the others stay alone.

    An event under another's key finds its partition only after a detour, so its entity's order in the log is not
    known: entities whose figures depend on it stay out.
    """
    groups: list[list[Event]] = []
    waiting: dict[str, list[Event]] = {}
    for event in events:
        fit = event.text is None and event.entity not in ordered_only and event.flaw != "oversized"
        fit = fit and _tells_where_it_belongs(event)
        if not fit or rng.random() > together:
            groups.append([event])
            continue
        batch = waiting.setdefault(event.topic, [])
        batch.append(event)
        if len(batch) >= rng.choice([2, 3, 9]):
            groups.append(waiting.pop(event.topic))
    return groups + list(waiting.values())


def _tells_where_it_belongs(event: Event) -> bool:
    """A deleted permit need not tell its parcel, by which permits are partitioned: it stays where it is put."""
    return event.type != "vn.ioc.permit.construction.v1" or event.data.get("parcel_id") is not None


def _record(rng: random.Random, group: Sequence[Event], ordered_only: set[Entity]) -> Record:
    key: bytes | None = group[0].key.encode()
    may_stray = group[0].entity not in ordered_only and _tells_where_it_belongs(group[0])
    if may_stray and rng.random() < 0.003:
        key = rng.choice([None, b"some other key"])  # a publisher that does not know the partition key
    if len(group) > 1:
        return encode(group, key, "batch")
    is_binary = rng.random() < 0.5
    if group[0].text is not None:  # whether the source can be read depends on it, which the order must not change
        is_binary = len(group[0].text) % 2 == 0
    return encode(group, key, "binary" if is_binary else "structured", ascii_only=rng.random() < 0.5)
