"""Administrative units of one province, the days on which they are in force, and who took over from whom.

Vietnam redraws its communes now and then: they merge, are split, are renamed. A figure about a day counts the units of
that day, so a unit carries its first and last local day. Days begin at midnight in Asia/Ho_Chi_Minh; event times are
microseconds since 1970, UTC. One code is one unit for all its life: a commune that absorbs its neighbours and keeps its
code stays the same unit, and the neighbours name it as their successor. No districts since 2025-07-01.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from ioc.errors import ConfigurationError
from ioc.windows import LOCAL_ZONE, MICROSECONDS, microseconds_of

__all__ = ["ALWAYS_US", "Geography", "Unit"]

ALWAYS_US = (-(2**63), 2**63 - 1)
"""First and last microsecond of a unit without dates: signed 64 bits, beyond every time that an event can tell."""

_DAY = timedelta(days=1)
_DAY_US = 86_400 * MICROSECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A commune, ward or special zone by its statistical code.

    `valid_from` and `valid_to` are its first and last local day in force; `None` is an open end. `successors` are the
    codes in force from the day after `valid_to`: one for a merger, several for a split, none where the unit goes on or
    nothing of the province took over.
    """

    code: str
    name_vi: str
    name_en: str
    valid_from: date | None = None
    valid_to: date | None = None
    successors: tuple[str, ...] = ()

    def is_in_force(self, on: date) -> bool:
        return (self.valid_from is None or self.valid_from <= on) and not self.has_ended(on)

    def has_ended(self, on: date) -> bool:
        return self.valid_to is not None and self.valid_to < on


class Geography:
    """The units of one province by code: those of today, those before, and those that are decreed already.

    Raises:
        ConfigurationError: a code twice, a unit that ends before it begins, a successor that is unknown or not in force
            on the day after, or successors of a unit without end. "CODE: KEY: what is wrong; what to do".
    """

    def __init__(self, units: Iterable[Unit]) -> None:
        known: dict[str, Unit] = {}
        for unit in units:
            if unit.code in known:
                raise ConfigurationError(
                    f"{unit.code}: two units have this code ({known[unit.code].name_vi}, {unit.name_vi}); "
                    "keep one entry a code"
                )
            known[unit.code] = unit
        for unit in known.values():
            _check(unit, known)
        self._units: Mapping[str, Unit] = known

    def __contains__(self, code: object) -> bool:
        """Whether the code was, is or will be a unit of the province."""
        return code in self._units

    def __len__(self) -> int:
        return len(self._units)

    def unit(self, code: str) -> Unit | None:
        return self._units.get(code)

    def units(self) -> tuple[Unit, ...]:
        """Every unit ever known, in the order given."""
        return tuple(self._units.values())

    def in_force(self, on: date) -> tuple[Unit, ...]:
        """The units that exist on the local day `on`."""
        return tuple(unit for unit in self._units.values() if unit.is_in_force(on))

    def is_in_force(self, code: str, on: date) -> bool:
        """Whether `code` is a unit on the local day `on`; an unknown code never is."""
        unit = self._units.get(code)
        return unit is not None and unit.is_in_force(on)

    def resolve(self, code: str, on: date) -> str | None:
        """Returns the unit in force on the local day `on` that what was told of `code` counts for.

        That is the unit itself, or after its end the one successor, and the successor's. `None`: an unknown unit, one
        that does not exist yet on that day, and one that was split or ended without a successor.
        """
        unit = self._units.get(code)
        while unit is not None and unit.has_ended(on):
            # Each step leads to a unit that ends later (see _check), so the walk ends.
            unit = self._units[unit.successors[0]] if len(unit.successors) == 1 else None
        return unit.code if unit is not None and unit.is_in_force(on) else None

    def bounds_us(self) -> dict[str, tuple[int, int]]:
        """Returns code → (first, last) microsecond in force, both inclusive; an open end is that of `ALWAYS_US`.

        For the decoder: one look-up and one comparison an event. A new dict at each call.
        """
        return {
            unit.code: (
                ALWAYS_US[0] if unit.valid_from is None else _midnight_us(unit.valid_from),
                ALWAYS_US[1] if unit.valid_to is None else _midnight_us(unit.valid_to) + _DAY_US - 1,
            )
            for unit in self._units.values()
        }

    def changes(self) -> tuple[date, ...]:
        """Returns the days whose list of units in force differs from that of the day before, in order.

        Between two of them `in_force` and `resolve` give the same answers, so these can be kept.
        """
        begins = {unit.valid_from for unit in self._units.values() if unit.valid_from is not None}
        ends = {unit.valid_to + _DAY for unit in self._units.values() if unit.valid_to is not None}
        return tuple(sorted(begins | ends))


def _check(unit: Unit, known: Mapping[str, Unit]) -> None:
    """The rules of one unit. That a successor is in force on the day after the end rules out gaps and circles."""
    if unit.valid_to is None:
        if unit.successors:
            raise ConfigurationError(
                f"{unit.code}: successors: it has no last day; give `to`, or take the successors away"
            )
        return
    if unit.valid_to == date.max:
        raise ConfigurationError(f"{unit.code}: to: {unit.valid_to} is no end; leave `to` out for a unit that goes on")
    if unit.valid_from is not None and unit.valid_from > unit.valid_to:
        raise ConfigurationError(
            f"{unit.code}: from: {unit.valid_from} is after to: {unit.valid_to}; `to` is the last day in force"
        )
    if len(set(unit.successors)) != len(unit.successors):
        raise ConfigurationError(f"{unit.code}: successors: one of {', '.join(unit.successors)} is named twice")
    day_after = unit.valid_to + _DAY
    for code in unit.successors:
        if code not in known:
            raise ConfigurationError(
                f"{unit.code}: successors: {code!r} is not a unit; add it, or name one of today's or of this file"
            )
        if not known[code].is_in_force(day_after):
            raise ConfigurationError(
                f"{unit.code}: successors: {code} ({_life(known[code])}) is not in force on {day_after}, the day after "
                f"{unit.code} ends; mend the dates, or name the unit that took over on that day"
            )


def _life(unit: Unit) -> str:
    return f"{unit.valid_from or '…'} to {unit.valid_to or '…'}"


def _midnight_us(day: date) -> int:
    """The first microsecond of the local day."""
    return microseconds_of(datetime(day.year, day.month, day.day, tzinfo=LOCAL_ZONE))
