"""Who is told of what, when, and who comes next: the province's `oncall.yaml` as the rules read it. Pure.

`ioc.catalog.oncall` reads and checks the file; here every name it uses leads somewhere.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Literal

from ioc.incidents import Severity

__all__ = [
    "ALL",
    "Address",
    "Calendar",
    "Flaps",
    "Hours",
    "Level",
    "Maintenance",
    "Override",
    "Person",
    "Plan",
    "Policy",
    "QuietHours",
    "Roster",
    "Rotation",
    "Route",
    "Target",
    "duty_plan",
    "limited_to",
    "with_duty",
]

ALL = "*"
"""Every unit, kind or camera."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a channel reaches a person: an address, or the name of a secret that holds it. `key` shows no secret."""

    channel: str
    address: str = ""
    secret: str = ""

    @property
    def key(self) -> str:
        return f"secret:{self.secret}" if self.secret else self.address


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """`addresses`: the first is tried first, the others when it fails; all at once where `is_told_everywhere`.

    `units` are what the person's pages show; whom an incident calls is up to the routes alone.
    """

    person_id: str
    name: str
    title_vi: str = ""
    title_en: str = ""
    language: Literal["vi", "en"] = "vi"
    units: tuple[str, ...] = (ALL,)
    addresses: tuple[Address, ...]
    is_told_everywhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """An iCalendar file: its name in the catalogue, and its text."""

    file: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """`people` take turns of `every`, the first from `begins_at` on; before it nobody stands."""

    people: tuple[str, ...]
    begins_at: datetime
    every: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """`person` stands in from `begins_at` until `ends_at`."""

    begins_at: datetime
    ends_at: datetime
    person: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """Who stands when: an override before a holiday, a holiday before the calendar or the rotation.

    On days of a `holidays` calendar `on_holidays` take turns by the day.
    """

    name: str
    rotation: Rotation | None = None
    calendar: Calendar | None = None
    overrides: tuple[Override, ...] = ()
    holidays: tuple[Calendar, ...] = ()
    on_holidays: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`roster`: whoever stands on it; `person`: that one, always."""

    kind: Literal["roster", "person"]
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Who is told together, and how long they have to acknowledge; None: nobody comes after them."""

    targets: tuple[Target, ...]
    acknowledge_within: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A chain: its levels, passed `repeat` times more, then the fall-back, who are told once and for all."""

    name: str
    levels: tuple[Level, ...]
    repeat: int = 0
    fallback: tuple[Target, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """A span of local wall time on some weekdays (0 is Monday); it may pass midnight and belongs to its first day.
    Equal ends: the whole day."""

    begins: time
    ends: time
    days: frozenset[int] = frozenset(range(7))


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What matches all that is given here goes to `policy`; an empty tuple or None asks for nothing."""

    kinds: tuple[str, ...] = ()
    severities: tuple[Severity, ...] = ()
    units: tuple[str, ...] = ()
    hours: Hours | None = None
    policy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """No notices for these severities at these hours; never critical ones."""

    severities: tuple[Severity, ...]
    hours: Hours


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """Work announced: what it names (at least one of units, kinds, cameras) is in the inbox, and calls nobody."""

    begins_at: datetime
    ends_at: datetime
    units: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaps:
    """An incident that opened `count` times `within` this long is told again only when it has been told nothing of for
    that long."""

    count: int = 3
    within: timedelta = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole of `oncall.yaml`. The last route matches everything."""

    people: Mapping[str, Person]
    rosters: Mapping[str, Roster]
    policies: Mapping[str, Policy]
    routes: tuple[Route, ...]
    quiet_hours: tuple[QuietHours, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    cooldown: Mapping[Severity, timedelta]
    flaps: Flaps = Flaps()
    always: tuple[Target, ...] = ()
    """Told of every opening at once, whatever the route and hour: the receiver that the settings name, a machine."""
    reopen_after: timedelta = timedelta(minutes=10)
    """How long after a resolution the same thing may still be seen without being news: smoke lingers."""


def duty_plan(channels: tuple[str, ...], recipient: str) -> Plan:
    """The plan of a catalogue without `oncall.yaml`: one recipient, told on every channel at once, and nobody after."""
    target = Target(kind="person", name=recipient)
    policy = Policy(name=recipient, levels=(Level(targets=(target,), acknowledge_within=None),), fallback=(target,))
    return Plan(
        people={recipient: _duty(channels, recipient)},
        rosters={},
        policies={recipient: policy},
        routes=(Route(policy=recipient),),
        cooldown={},
    )


def with_duty(plan: Plan, channels: tuple[str, ...], recipient: str) -> Plan:
    """`plan`, whose every incident is told to `recipient` on `channels` too."""
    if not channels:
        return plan
    people = {**plan.people, recipient: _duty(channels, recipient)}
    return replace(plan, people=people, always=(Target(kind="person", name=recipient),))


def limited_to(plan: Plan, channels: Collection[str]) -> Plan:
    """`plan` without the addresses of channels that this service can't serve: nobody would fetch their notices."""
    people = {
        person_id: replace(person, addresses=tuple(a for a in person.addresses if a.channel in channels))
        for person_id, person in plan.people.items()
    }
    return replace(plan, people=people)


def _duty(channels: tuple[str, ...], recipient: str) -> Person:
    return Person(
        person_id=recipient,
        name=recipient,
        addresses=tuple(Address(channel=channel) for channel in channels),
        is_told_everywhere=True,
    )
