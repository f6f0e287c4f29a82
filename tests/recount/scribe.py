"""Who writes the events of a stream: draws times, ids and offsets, and keeps what must be unique."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from tests.recount.accepting import HANOI
from tests.recount.wire import Entity, Event

__all__ = ["AGENCIES", "AHEAD", "CAMERAS", "MILLISECOND", "UNITS", "Scribe", "near", "random_clock"]

UNITS = ("24778", "24781", "24787", "24805", "24846", "23005")  # communes in force, as their statistical codes
AGENCIES = (*(f"H36.{number:02d}" for number in range(1, 10)), "h36.01", "Sở Xây dựng")
CAMERAS = tuple(f"cam-{number:02d}" for number in range(1, 38))
OFFSETS_MINUTES = (0, 420, 420, -300, 330, 840, -720)
AHEAD = timedelta(minutes=15)
MILLISECOND = timedelta(milliseconds=1)

SYSTEMS: Mapping[str, tuple[str, ...]] = {
    "onestop": ("/lam-dong/onestop/motcua", "/lam-dong/onestop/dvcqg", "/lam-dong/onestop"),
    "citizen": ("/lam-dong/citizen/dalat-app", "/lam-dong/citizen/1022", "/lam-dong/citizen/igov/connect"),
    "network": ("/lam-dong/network/vnpt", "/lam-dong/network/viettel"),
    "lgsp": ("/lam-dong/lgsp", "/lam-dong/lgsp/monitor"),
    "camera": ("/lam-dong/camera/edge-1", "/lam-dong/camera"),
    "telecom": ("/lam-dong/telecom/viettel", "/lam-dong/telecom/mobifone"),
    "media": ("/lam-dong/media", "/lam-dong/media/nguon"),
    "indicators": ("/lam-dong/indicators/so-khcn", "/lam-dong/indicators/phuong-xuan-huong", "/lam-dong/indicators"),
}
"""The systems of a family; a family that is not listed has one, by its own name. Fewer than 50 altogether."""

ARCHIVES = ("postal", "commerce", "indicators", "education")
"""Families in which old facts come from a system of their own, which has been silent since."""


def random_clock(rng: random.Random) -> datetime:
    """Returns an interesting clock: mostly mid-morning some days into a month, else near a midnight."""
    day = datetime(2026, 2, 1, tzinfo=HANOI) + timedelta(days=rng.randrange(600))
    if rng.random() < 0.2:
        day = day.replace(day=1)
    if rng.random() < 0.1:
        day = day.replace(month=1)
    kind = rng.random()
    if kind < 0.70:
        minute = rng.randrange(8 * 60, 11 * 60)
    elif kind < 0.85:
        minute = rng.randrange(0, 20)
    else:
        minute = rng.randrange(23 * 60 + 40, 24 * 60)
    return day + timedelta(minutes=minute, seconds=rng.choice([0, 1, 30, 59, rng.randrange(60)]))


@dataclass(slots=True)
class Scribe:
    """Writes the events of one stream; keeps what must be unique."""

    rng: random.Random
    clock: datetime
    events: list[Event] = field(default_factory=list)
    used: set[tuple[Entity, str, str]] = field(default_factory=set)
    last_id: str = "0"
    number: int = 0
    communes: Sequence[str] = UNITS

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def maybe(self, data: dict[str, object], name: str, value: object, *, absent: float = 0.1) -> None:
        """Sets a field that need not be known: sometimes it is null, sometimes it is not there."""
        if self.chance(absent):
            if self.chance(0.5):
                data[name] = None
            return
        data[name] = value

    def commune(self) -> str:
        """Returns one of a few communes, which are told of again and again, or any of the province."""
        return self.rng.choice(UNITS if self.chance(0.6) else self.communes)

    def capped(self, moment: datetime) -> datetime:
        """Returns the moment, or the last one that is still accepted."""
        return min(moment, self.clock + AHEAD)

    def moment(self, days: float) -> datetime:
        """Returns a time in the last `days`: often at a border of a window, sometimes a little ahead of the clock."""
        rng, local = self.rng, self.clock.astimezone(HANOI)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        kind = rng.random()
        if kind < 0.70:
            return self.clock - timedelta(milliseconds=rng.randrange(int(days * 86_400_000)))
        if kind < 0.92:
            borders = [
                midnight,
                midnight,
                midnight - timedelta(days=1),
                *(midnight - timedelta(days=days) for days in (6, 7, 29, 30, 89, 90)),
                midnight.replace(day=1),
                midnight.replace(day=1),
                midnight.replace(month=1, day=1),
                midnight.replace(hour=7),  # midnight in Greenwich
                midnight.replace(day=1, hour=7),
                midnight + timedelta(days=1),
            ]
            shift = rng.choice([timedelta(), timedelta(), MILLISECOND, -MILLISECOND, timedelta(seconds=-1)])
            return self.capped(rng.choice(borders) + shift)
        if kind < 0.96:
            return self.clock + rng.choice([timedelta(), AHEAD, AHEAD, timedelta(minutes=10), timedelta(seconds=1)])
        return self.clock - timedelta(seconds=rng.randrange(3600))

    def stamp(self, moment: datetime) -> str:
        """Returns the instant as text, in any offset."""
        zone = timezone(timedelta(minutes=self.rng.choice(OFFSETS_MINUTES)))
        text = moment.astimezone(zone).isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
        if moment.microsecond and self.chance(0.2):
            head, sign, offset = text[:23], text[23], text[24:]
            text = f"{head}000{sign}{offset}"
        text = text.replace("+00:00", "Z") if self.chance(0.7) else text
        return text.lower() if self.chance(0.02) else text

    def new_id(self, entity: Entity, source: str) -> str:
        """Returns an id that this entity has not had from this source; other entities and sources may have had it."""
        while True:
            self.number += 1
            kind = self.rng.random()
            if kind < 0.55:
                fresh = f"{self.rng.getrandbits(48):012x}"
            elif kind < 0.70:
                fresh = str(self.rng.randrange(1, 200))  # "9" is greater than "10"
            elif kind < 0.75:
                fresh = self.rng.choice(
                    ["é", "e\u0301", "Đ", "ｅ", "😀", "%2F", "A", "a", "a b", "a|b", "a:b", "/", "#"]
                )
                fresh += str(self.number % 7)
            elif kind < 0.80:
                fresh = self.last_id  # an id repeated for another entity is another event
            else:
                fresh = f"E-{self.number}"
            if (entity, source, fresh) not in self.used:
                self.used.add((entity, source, fresh))
                self.last_id = fresh
                return fresh

    def source(self, topic: str, at: datetime) -> str:
        """Returns a source that may publish on the topic."""
        family = topic.split(".")[1]
        if family in ARCHIVES and at < self.clock - timedelta(days=3):
            return f"/lam-dong/{family}/archive"
        return self.rng.choice(SYSTEMS.get(family, (f"/lam-dong/{family}",)))

    def write(
        self,
        entity: Entity,
        key: str,
        type_: str,
        topic: str,
        data: dict[str, object],
        ce_time: datetime,
        *,
        without_time: bool = False,
    ) -> Event:
        """Writes an event. `without_time`: it has no CloudEvents time, and must have its own."""
        rng = self.rng
        source = self.source(topic, ce_time)
        same_id = [event.id for event in self.events[-3:] if event.entity == entity and event.source != source]
        event_id = rng.choice(same_id) if same_id and self.chance(0.05) else ""
        if not event_id or (entity, source, event_id) in self.used:
            event_id = self.new_id(entity, source)
        self.used.add((entity, source, event_id))
        if self.chance(0.1):
            data["not_in_any_catalogue"] = rng.choice([1, "x", None, {"a": [1]}])
        if self.chance(0.02) and "deleted" not in data:
            data["deleted"] = rng.choice([False, None])
        event = Event(
            topic=topic,
            key=key,
            entity=entity,
            type=type_,
            source=source,
            id=event_id,
            time=self.stamp(self.capped(ce_time)),
            data=data,
            left_out=("time",) if without_time else (),
        )
        self.events.append(event)
        return event

    def entity_id(self, stem: str) -> str:
        """Returns an identifier; some differ only by letter case, by zeros or by Unicode composition."""
        self.number += 1
        if self.chance(0.02):
            number = str(self.number // 40)
            twin = self.rng.choice(["é", "e\u0301", "É", "E\u0301", "0", "00", " ", "/"])
            return f"{stem}{twin}{number}"
        return f"{stem}-{self.number}"


def near(scribe: Scribe, moment: datetime) -> datetime:
    """Returns a CloudEvents time for a fact of that moment: the two need not agree."""
    return scribe.capped(moment + timedelta(seconds=scribe.rng.randrange(-4000, 4000)))
