"""`oncall.yaml`: who is told of what. One file to change; its iCalendar files lie beside it."""

import re
from collections.abc import Iterable, Mapping
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from ioc.errors import ConfigurationError
from ioc.geography import Geography
from ioc.incidents import Severity
from ioc.oncall_plan import (
    ALL,
    Address,
    Calendar,
    Flaps,
    Hours,
    Level,
    Maintenance,
    Override,
    Person,
    Plan,
    Policy,
    QuietHours,
    Roster,
    Rotation,
    Route,
    Target,
)

__all__ = ["OncallFile", "PersonEntry", "RosterEntry", "plan_of"]

MAX_CALENDAR_BYTES = 1024 * 1024
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TARGET = re.compile(r"(roster|person):(\S+)")


def _duration(value: object) -> timedelta:
    found = re.fullmatch(r"(\d{1,6})([smhd])", value.strip()) if isinstance(value, str) else None
    if found is None or int(found[1]) == 0:
        raise ValueError("write a length of time as a whole number with s, m, h or d, like 90s, 2m, 12h or 7d")
    return timedelta(seconds=int(found[1]) * _UNITS_S[found[2]])


def _wall_time(value: object) -> time:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1440:
        return time(value // 60, value % 60)  # unquoted, YAML reads 22:00 as the number 1320
    found = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError('write a time of day in quotation marks, like "06:30"')
    return time(int(found[1]), int(found[2]))


_Duration = Annotated[timedelta, BeforeValidator(_duration)]
_WallTime = Annotated[time, BeforeValidator(_wall_time)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AddressEntry(_Entry):
    channel: Literal["telegram", "email", "webhook", "apprise", "console"]
    address: str = Field("", max_length=300)
    secret: str = Field("", pattern=r"^[A-Z0-9_]{0,60}$")


class PersonEntry(_Entry):
    name: str = Field(min_length=1, max_length=120)
    title_vi: str = ""
    title_en: str = ""
    language: Literal["vi", "en"] = "vi"
    units: tuple[str, ...] = (ALL,)
    channels: tuple[AddressEntry, ...] = Field(min_length=1)
    all_channels: bool = False


class RotationEntry(_Entry):
    people: tuple[str, ...] = Field(min_length=1)
    begins_at: AwareDatetime = Field(alias="from")
    every: _Duration


class OverrideEntry(_Entry):
    begins_at: AwareDatetime = Field(alias="from")
    ends_at: AwareDatetime = Field(alias="to")
    person: str


class RosterEntry(_Entry):
    rotation: RotationEntry | None = None
    calendar: str = ""
    overrides: tuple[OverrideEntry, ...] = ()
    holidays: tuple[str, ...] = ()
    on_holidays: tuple[str, ...] = ()


class LevelEntry(_Entry):
    to: tuple[str, ...] = Field(min_length=1)
    acknowledge_within: _Duration


class PolicyEntry(_Entry):
    levels: tuple[LevelEntry, ...] = Field(min_length=1, max_length=10)
    repeat: int = Field(0, ge=0, le=10)
    fallback: tuple[str, ...] = Field(min_length=1)


class HoursEntry(_Entry):
    begins: _WallTime = Field(alias="from")
    ends: _WallTime = Field(alias="to")
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = _DAYS  # type: ignore[assignment]


class RouteEntry(_Entry):
    kinds: tuple[str, ...] = ()
    severities: tuple[Severity, ...] = ()
    units: tuple[str, ...] = ()
    hours: HoursEntry | None = None
    policy: str


class QuietEntry(HoursEntry):
    severities: tuple[Literal["info", "warning"], ...] = Field(min_length=1)


class MaintenanceEntry(_Entry):
    begins_at: AwareDatetime = Field(alias="from")
    ends_at: AwareDatetime = Field(alias="to")
    units: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    reason: str = Field(min_length=1)


class FlapsEntry(_Entry):
    count: int = Field(3, ge=2, le=100)
    within: _Duration = timedelta(minutes=30)


class OncallFile(_Entry):
    people: dict[str, PersonEntry] = Field(min_length=1)
    rosters: dict[str, RosterEntry] = {}
    policies: dict[str, PolicyEntry] = Field(min_length=1)
    routes: tuple[RouteEntry, ...] = Field(min_length=1)
    quiet_hours: tuple[QuietEntry, ...] = ()
    maintenance: tuple[MaintenanceEntry, ...] = ()
    cooldown: dict[Severity, _Duration] = {}
    flaps: FlapsEntry = Field(default_factory=lambda: FlapsEntry(count=3))
    reopen_after: _Duration = timedelta(minutes=10)


def plan_of(file: OncallFile, folder: Path, geography: Geography, cameras: Iterable[str]) -> Plan:
    """Returns the plan that the file in `folder` declares; its calendars are read, not yet understood.

    Raises:
        ConfigurationError: a name leads nowhere, times are turned round, a calendar can't be read; names the key.
    """
    names = _Names(file, geography, frozenset(cameras))
    names.check()
    return Plan(
        people={person_id: _person(person_id, entry) for person_id, entry in file.people.items()},
        rosters={name: _roster(name, entry, folder) for name, entry in file.rosters.items()},
        policies={name: _policy(name, entry) for name, entry in file.policies.items()},
        routes=tuple(
            Route(
                kinds=entry.kinds,
                severities=entry.severities,
                units=entry.units,
                hours=_hours(entry.hours) if entry.hours else None,
                policy=entry.policy,
            )
            for entry in file.routes
        ),
        quiet_hours=tuple(QuietHours(severities=entry.severities, hours=_hours(entry)) for entry in file.quiet_hours),
        maintenance=tuple(Maintenance(**entry.model_dump()) for entry in file.maintenance),
        cooldown=file.cooldown,
        flaps=Flaps(count=file.flaps.count, within=file.flaps.within),
        reopen_after=file.reopen_after,
    )


def _person(person_id: str, entry: PersonEntry) -> Person:
    return Person(
        person_id=person_id,
        name=entry.name,
        title_vi=entry.title_vi,
        title_en=entry.title_en or entry.title_vi,
        language=entry.language,
        units=entry.units,
        addresses=tuple(Address(**address.model_dump()) for address in entry.channels),
        is_told_everywhere=entry.all_channels,
    )


def _roster(name: str, entry: RosterEntry, folder: Path) -> Roster:
    where = f"rosters.{name}"
    rotation = entry.rotation
    return Roster(
        name=name,
        rotation=Rotation(people=rotation.people, begins_at=rotation.begins_at, every=rotation.every)
        if rotation
        else None,
        calendar=_calendar(folder, entry.calendar, f"{where}.calendar") if entry.calendar else None,
        overrides=tuple(
            Override(begins_at=one.begins_at, ends_at=one.ends_at, person=one.person) for one in entry.overrides
        ),
        holidays=tuple(_calendar(folder, file, f"{where}.holidays") for file in entry.holidays),
        on_holidays=entry.on_holidays,
    )


def _calendar(folder: Path, file: str, where: str) -> Calendar:
    path = (folder / file).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ConfigurationError(f"{where}: {file!r} lies outside the catalogue; put the calendar into it")
    try:
        with path.open("rb") as opened:
            content = opened.read(MAX_CALENDAR_BYTES + 1)
        if len(content) > MAX_CALENDAR_BYTES:
            raise ConfigurationError(f"{where}: {file}: is larger than 1 MiB; leave years gone by out of it")
        return Calendar(file=file, text=content.decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigurationError(
            f"{where}: the calendar {file} can't be read ({reason}); put it there, or name another"
        ) from None


def _policy(name: str, entry: PolicyEntry) -> Policy:
    return Policy(
        name=name,
        levels=tuple(
            Level(targets=_targets(level.to), acknowledge_within=level.acknowledge_within) for level in entry.levels
        ),
        repeat=entry.repeat,
        fallback=_targets(entry.fallback),
    )


def _targets(texts: Iterable[str]) -> tuple[Target, ...]:
    return tuple(_target(text) for text in texts)


def _target(text: str) -> Target:
    found = _TARGET.fullmatch(text)
    if found is None:
        raise ConfigurationError(f"{text!r} must be roster:NAME or person:NAME")
    return Target(kind="roster" if found[1] == "roster" else "person", name=found[2])


def _hours(entry: HoursEntry) -> Hours:
    return Hours(begins=entry.begins, ends=entry.ends, days=frozenset(_DAYS.index(day) for day in entry.days))


class _Names:
    """Checks that every name of the file leads somewhere."""

    def __init__(self, file: OncallFile, geography: Geography, cameras: frozenset[str]) -> None:
        self._file = file
        self._geography = geography
        self._cameras = cameras

    def check(self) -> None:
        for person_id, person in self._file.people.items():
            self._person_itself(person_id, person)
        for name, roster in self._file.rosters.items():
            self._roster(f"rosters.{name}", roster)
        for name, policy in self._file.policies.items():
            self._policy(f"policies.{name}", policy)
        self._routes()
        for number, window in enumerate(self._file.maintenance, 1):
            self._maintenance(f"maintenance.{number}", window)

    def _person_itself(self, person_id: str, person: PersonEntry) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,39}", person_id):
            raise ConfigurationError(f"people.{person_id}: write a person's short name in small letters without marks")
        self._units(f"people.{person_id}", person.units)
        for number, address in enumerate(person.channels, 1):
            where = f"people.{person_id}.channels.{number}"
            if address in person.channels[: number - 1]:
                raise ConfigurationError(f"{where}: is the same as one before it; remove one")
            if address.address and address.secret:
                raise ConfigurationError(f"{where}: give address or secret, not both")
            if not address.address and not address.secret and address.channel != "console":
                raise ConfigurationError(f"{where}: {address.channel} needs an address, or the name of a secret")

    def _roster(self, where: str, roster: RosterEntry) -> None:
        if (roster.rotation is None) == (roster.calendar == ""):
            raise ConfigurationError(f"{where}: needs either rotation or calendar")
        if bool(roster.holidays) != bool(roster.on_holidays):
            raise ConfigurationError(f"{where}: holidays and on_holidays go together: say who stands on those days")
        self._people(f"{where}.on_holidays", roster.on_holidays)
        if roster.rotation is not None:
            self._people(f"{where}.rotation.people", roster.rotation.people)
            if roster.rotation.every < timedelta(hours=1):
                raise ConfigurationError(f"{where}.rotation.every: a turn lasts an hour at least")
        self._overrides(f"{where}.overrides", roster.overrides)

    def _overrides(self, where: str, overrides: Iterable[OverrideEntry]) -> None:
        before: OverrideEntry | None = None
        for one in sorted(overrides, key=lambda one: one.begins_at):
            self._people(where, [one.person])
            if one.ends_at <= one.begins_at:
                raise ConfigurationError(f"{where}: from {one.begins_at.isoformat()} must be before its `to`")
            if before is not None and one.begins_at < before.ends_at:
                raise ConfigurationError(
                    f"{where}: those of {before.person} and {one.person} overlap at {one.begins_at.isoformat()}; "
                    "shorten one, so that it is clear who stands in"
                )
            before = one

    def _policy(self, where: str, policy: PolicyEntry) -> None:
        for number, level in enumerate(policy.levels, 1):
            self._targets(f"{where}.levels.{number}.to", level.to)
        self._targets(f"{where}.fallback", policy.fallback)
        if not any(text.startswith("person:") for text in policy.fallback):
            raise ConfigurationError(f"{where}.fallback: names no person; a roster may be empty when it is needed most")

    def _targets(self, where: str, texts: Iterable[str]) -> None:
        for text in texts:
            try:
                target = _target(text)
            except ConfigurationError as error:
                raise ConfigurationError(f"{where}: {error}") from None
            known: Mapping[str, object] = self._file.rosters if target.kind == "roster" else self._file.people
            self._among(where, target.name, known, f"{target.kind}s" if target.kind == "roster" else "people")

    def _routes(self) -> None:
        routes = self._file.routes
        for number, route in enumerate(routes, 1):
            where = f"routes.{number}"
            self._among(f"{where}.policy", route.policy, self._file.policies, "policies")
            self._units(where, route.units)
            is_all = not (set(route.kinds) - {ALL} or route.severities or set(route.units) - {ALL} or route.hours)
            if is_all and number < len(routes):
                raise ConfigurationError(
                    f"routes.{number + 1}: is never reached: route {number} matches everything; put that one last"
                )
            if not is_all and number == len(routes):
                raise ConfigurationError(
                    f"{where}: the last route must match everything, so that nothing is told to nobody; add one with "
                    "only a policy"
                )

    def _maintenance(self, where: str, window: MaintenanceEntry) -> None:
        if window.ends_at <= window.begins_at:
            raise ConfigurationError(f"{where}: from must be before to")
        if not (set(window.units) - {ALL} or set(window.kinds) - {ALL} or window.cameras):
            raise ConfigurationError(f"{where}: name units, kinds or cameras: a window over everything silences all")
        self._units(where, window.units)
        for camera in window.cameras:
            self._among(f"{where}.cameras", camera, dict.fromkeys(self._cameras), "cameras.yaml")

    def _units(self, where: str, units: Iterable[str]) -> None:
        for code in units:
            if code != ALL and code not in self._geography:
                raise ConfigurationError(f"{where}.units: {code!r} is not a unit of the province")

    def _people(self, where: str, people: Iterable[str]) -> None:
        for person in people:
            self._among(where, person, self._file.people, "people")

    @staticmethod
    def _among(where: str, name: str, known: Mapping[str, object], what: str) -> None:
        if name not in known:
            shown = ", ".join(sorted(known)[:8]) or "none"
            raise ConfigurationError(f"{where}: {name!r} is not in {what}; known: {shown}")
