"""Administrative units of one province, and which of them are in force. No districts since 2025-07-01."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

__all__ = ["Geography", "Unit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A commune, ward or special zone by its statistical code. `None` dates are open ends."""

    code: str
    name_vi: str
    name_en: str
    valid_from: date | None = None
    valid_to: date | None = None


class Geography:
    """The units of one province, by code."""

    def __init__(self, units: Iterable[Unit]) -> None:
        self._units: Mapping[str, Unit] = {unit.code: unit for unit in units}

    def __contains__(self, code: object) -> bool:
        return code in self._units

    def __len__(self) -> int:
        return len(self._units)

    def unit(self, code: str) -> Unit | None:
        return self._units.get(code)

    def units(self) -> tuple[Unit, ...]:
        return tuple(self._units.values())

    def in_force(self, on: date) -> tuple[Unit, ...]:
        """The units that exist on the local day `on`."""
        return tuple(
            unit
            for unit in self._units.values()
            if (unit.valid_from is None or unit.valid_from <= on) and (unit.valid_to is None or on <= unit.valid_to)
        )
