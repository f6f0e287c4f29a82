"""A seeded stream of department events that holds as many hard cases as a province's events can.

The same seed gives the same records. Nothing here knows what the right figures are: the recount reads the records.
What the binding texts leave open is kept out, so that a difference between two counts is somebody's mistake.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tests.recount.accepting import Record
from tests.recount.invalid import SORTS, can_have, spoil
from tests.recount.lives import dossier, report
from tests.recount.scribe import CAMERAS, Scribe, random_clock
from tests.recount.states import camera, channel, lgsp_minute
from tests.recount.wire import Entity, Event, encode

__all__ = ["Stream", "generate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What is published: records in the order they are sent, and how many events they hold."""

    seed: int
    clock: datetime
    records: list[Record]
    events: list[Event]


def _valid_events(scribe: Scribe, count: int) -> list[Event]:
    """Returns `count` events: states first, then lives of dossiers, reports and minutes until there are enough."""
    for camera_id in scribe.rng.sample(CAMERAS, k=33):
        camera(scribe, camera_id)
    while len(scribe.events) < count * 0.12:
        channel(scribe)
    families: tuple[Callable[[Scribe], None], ...] = (dossier, report, lgsp_minute)
    while len(scribe.events) < count:
        scribe.rng.choices(families, weights=(10, 6, 5))[0](scribe)
    return scribe.events[:count]


def _repeat(scribe: Scribe, original: Event, pool: Mapping[Entity, Sequence[Event]], *, change_body: bool) -> Event:
    """The same source and id of the same entity once more; with `change_body` it says something else."""
    if not change_body:
        return original
    siblings = [event for event in pool[original.entity] if event.topic == original.topic]
    other = scribe.rng.choice(siblings)
    data = dict(other.data)
    for name, values in {
        "channel": ("online", "counter") if other.entity[0] == "dossier" else ("app", "1022"),
        "status": ("resolved", "rejected") if other.type.endswith("status_changed.v1") else (),
        "up": (True, False),
        "online": (True, False),
        "calls": (7, 700),
    }.items():
        if name in data and values:
            data[name] = scribe.rng.choice(values)
    if "calls" in data:
        data["errors"] = 3
    return replace(other, id=original.id, source=original.source, data=data)


def generate(
    seed: int,
    *,
    events: int = 20_000,
    duplicates: float = 0.05,
    invalid: float = 0.01,
    change_bodies: bool = True,
    order_seed: int | None = None,
) -> Stream:
    """Returns a stream of exactly `events` events in random order.

    With `change_bodies` some duplicates say something else than the event they repeat, and the figures depend on which
    comes first; without, they don't depend on the order, which `order_seed` then changes alone.
    """
    rng = random.Random(seed)
    scribe = Scribe(rng, random_clock(rng))
    duplicated, spoilt = round(events * duplicates), round(events * invalid)
    valid = _valid_events(scribe, events - duplicated - spoilt)
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
        extra.append(spoil(rng, rng.choice([event for event in valid if can_have(event, sort)]), sort, scribe.clock))
    everything = valid + extra
    shuffler = random.Random(seed if order_seed is None else order_seed)
    groups = _group(shuffler, everything, ordered_only)
    shuffler.shuffle(groups)
    records = [_record(shuffler, group, ordered_only) for group in groups]
    return Stream(seed=seed, clock=scribe.clock, records=records, events=[event for group in groups for event in group])


def _group(rng: random.Random, events: Sequence[Event], ordered_only: set[Entity]) -> list[list[Event]]:
    """Puts a few events together into batches; the others stay alone.

    An event under another's key finds its partition only after a detour, so its entity's order in the log is not
    known: entities whose figures depend on it stay out.
    """
    groups: list[list[Event]] = []
    waiting: dict[str, list[Event]] = {}
    for event in events:
        fit = event.text is None and event.entity not in ordered_only and event.flaw not in ("oversized",)
        if not fit or rng.random() > 0.04:
            groups.append([event])
            continue
        batch = waiting.setdefault(event.topic, [])
        batch.append(event)
        if len(batch) >= rng.choice([2, 3, 9]):
            groups.append(waiting.pop(event.topic))
    return groups + list(waiting.values())


def _record(rng: random.Random, group: Sequence[Event], ordered_only: set[Entity]) -> Record:
    key: bytes | None = group[0].key.encode()
    if group[0].entity not in ordered_only and rng.random() < 0.003:
        key = rng.choice([None, b"some other key"])  # a publisher that does not know the partition key
    if len(group) > 1:
        return encode(group, key, "batch")
    return encode(group, key, "binary" if rng.random() < 0.5 else "structured", ascii_only=rng.random() < 0.5)
