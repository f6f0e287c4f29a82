"""How a department's events come about: a table row a type (`Publisher`), and what its maker draws from (`Draw`).

A maker tells one fact or state as it is known at `Draw.now`. Told again later, the same entity draws the same traits,
so a letter that was on its way is the same letter when it has arrived: that is how corrections come about.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import TypeVar

from ioc.simulate.lives import LOCAL, Step

__all__ = ["AGENCIES", "Draw", "Publisher", "World", "beginning", "tell"]

_T = TypeVar("_T")
AGENCIES = tuple(f"H36.{n:02d}" for n in (*range(1, 15), *range(31, 43)))
"""The departments and commune offices that also handle dossiers."""

_MEAN_POPULATION = 31_000  # 3.87 million people in 124 communes


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What all departments of a run share. `units`: the communes, the city's first. `run`: part of every fact's id."""

    seed: int
    run: str
    start: datetime
    units: Sequence[str]

    def population(self, unit: str) -> int:
        return round(_MEAN_POPULATION * Random(f"{self.seed}:population:{unit}").triangular(0.3, 2.4, 0.7))  # noqa: S311

    def households(self, unit: str) -> int:
        return round(self.population(unit) / 3.7)


@dataclass(slots=True, kw_only=True)
class Draw:
    """One telling. `began`: when the fact began; `now`: what happened later is not known yet.

    `traits` is the same in every telling of an entity, `rng` is not.
    """

    world: World
    number: int
    began: datetime
    now: datetime
    traits: Random
    rng: Random
    ahead: list[datetime] = field(default_factory=list)
    _latest: datetime | None = None

    def known(self, at: datetime) -> datetime | None:
        """`at`, or None where it has not come yet: then the fact is told again once it has."""
        if at > self.now:
            self.ahead.append(at)
        return self.already(at)

    def already(self, at: datetime) -> datetime | None:
        """`at`, or None where it has not come yet; nobody comes back to tell it."""
        if at > self.now:
            return None
        self._latest = at if self._latest is None else max(self._latest, at)
        return at

    @property
    def told_at(self) -> datetime:
        """When the newest of what is known happened."""
        return self._latest or self.began

    def fact_id(self, prefix: str) -> str:
        return f"{prefix}-{self.world.run}-{self.number:05d}"

    @property
    def unit(self) -> str:
        return self.world.units[self.number % len(self.world.units)]

    def any_unit(self) -> str:
        return self.traits.choice(self.world.units)

    def day(self, back: int = 0) -> str:
        """The local day of `now`, or one of the days before."""
        return (self.now.astimezone(LOCAL).date() - timedelta(days=back)).isoformat()

    @property
    def day_share(self) -> float:
        """How much of the local day has gone by, in 0–1."""
        local = self.now.astimezone(LOCAL)
        return (local.hour * 60 + local.minute) / 1440

    def after(self, low_h: float, high_h: float, since: datetime | None = None) -> datetime:
        """A time between `low_h` and `high_h` hours after the beginning (or `since`): a trait."""
        return (since or self.began) + timedelta(hours=self.traits.uniform(low_h, high_h))

    def long_ago(self, low_days: float, high_days: float) -> datetime:
        """A time so many days before the run's start: a trait, which does not move with `now`."""
        return self.world.start - timedelta(days=self.traits.uniform(low_days, high_days))

    def is_so(self, share: float) -> bool:
        """A trait that so many of the entities have."""
        return self.traits.random() < share

    def one_of(self, weights: Mapping[_T, float]) -> _T:
        """A trait, by weight."""
        return self.traits.choices(tuple(weights), weights=tuple(weights.values()))[0]

    def point(self) -> dict[str, object]:
        """Somewhere in the province, as a GeoJSON point."""
        lon, lat = self.traits.uniform(107.3, 108.7), self.traits.uniform(11.0, 12.3)
        return {"type": "Point", "coordinates": [round(lon, 5), round(lat, 5)]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """Who tells one type of event, how much of it there is, and how often.

    Args:
        event: the type's name in the catalogue.
        system: last word of the source; the data's `_system`, where the maker sets one, comes before it.
        make: the data of one telling; its times as datetimes.
        stock: entities that exist at the start, or facts of the past.
        days: the stock was told within these last days, most of it lately.
        every_s: between two live reports.
        is_state: live reports repeat the stock's entities in turn; else each is a new fact.
        in_office_hours: few live reports at night.
    """

    event: str
    system: str
    make: Callable[[Draw], dict[str, object]]
    stock: int
    days: float
    every_s: float
    is_state: bool = False
    in_office_hours: bool = False

    def stock_began(self, number: int, world: World) -> datetime:
        """The first of the stock began just now, the last `days` ago; half of them in the last eighth."""
        return world.start - timedelta(days=self.days) * ((number + 0.5) / self.stock) ** 3


def tell(
    publisher: Publisher, world: World, number: int, began: datetime, now: datetime
) -> tuple[Step, list[datetime]]:
    """Returns one event as it is known at `now`, and the times at which there will be more to tell."""
    draw = Draw(
        world=world,
        number=number,
        began=began,
        now=now,
        traits=Random(f"{world.seed}:{publisher.event}:{number}"),  # noqa: S311  (a simulation, not a secret)
        rng=Random(f"{world.seed}:{publisher.event}:{number}:{now.timestamp()}"),  # noqa: S311
    )
    data = publisher.make(draw)
    system = str(data.pop("_system", publisher.system))
    return Step(event=publisher.event, at=draw.told_at, time_field="", data=data, system=system), draw.ahead


def beginning(publisher: Publisher, world: World, number: int, at: datetime, rng: Random) -> datetime:
    """Returns when a fact must have begun for something to happen at `at`: its beginning, or any later part of it."""
    _, ahead = tell(publisher, world, number, at, at)
    return at - (rng.choice((at, *ahead)) - at)
