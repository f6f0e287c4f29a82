"""What the facts of one entity say, and what a share of a figure is."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from tests.recount.accepting import Fact, instant

__all__ = ["Lives", "Province", "Share", "count_of", "newest", "newest_time", "of_type", "share_of_one", "unit_of"]

Lives = Mapping[str, Mapping[tuple[object, ...], Sequence[Fact]]]
"""By kind of entity: by its key, the facts of each that is not deleted, in their order and without tombstones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Province:
    """What figures depend on besides the facts.

    `cameras`: the registered active ones and their communes; `units`: the communes in force. `promises`: how old the
    newest fact may be, by source or by family (`/lam-dong/FAMILY`); `registered`: sources known before they speak.
    """

    clock: datetime
    cameras: Mapping[str, str]
    units: Collection[str]
    promises: Mapping[str, timedelta]
    registered: Collection[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What an entity adds to a figure. `at`: the time that puts it in a window; None: it is so now.

    It counts in the total and, where told, for the commune, for the agency and in the series of its `dim`.
    `as_of`: of a statistical snapshot, when it was told; `is_manual`: it was typed by hand.
    """

    kpi: str
    at: datetime | None = None
    unit: str = ""
    agency: str = ""
    dim: str = ""
    numerator: int | Fraction = 0
    denominator: int | Fraction = 0
    sample: float | None = None
    as_of: datetime | None = None
    is_manual: bool = False


Family = Callable[[tuple[object, ...], Sequence[Fact], Province], Iterator[Share]]
"""Tells the shares of one living entity from its key and its facts."""


def newest(facts: Sequence[Fact], name: str) -> object:
    """Returns the field's newest value that is known: null erases nothing. `facts` are in their order."""
    for fact in reversed(facts):
        if fact.data.get(name) is not None:
            return fact.data[name]
    return None


def newest_time(facts: Sequence[Fact], name: str) -> datetime | None:
    """Returns the newest known value of a field that holds a time."""
    value = newest(facts, name)
    return None if value is None else instant(value)


def count_of(facts: Sequence[Fact], name: str) -> int | Fraction:
    """Returns the newest known number exactly; 0 where none is known."""
    value = newest(facts, name)
    if value is None:
        return 0
    assert isinstance(value, int | float)
    return value if isinstance(value, int) else Fraction(value)


def of_type(facts: Sequence[Fact], type_: str) -> list[Fact]:
    return [fact for fact in facts if fact.type == type_]


def unit_of(facts: Sequence[Fact], name: str = "admin_unit") -> str:
    """Returns the newest commune, or ""."""
    return str(newest(facts, name) or "")


def share_of_one(kpi: str, counts: bool, *, at: datetime | None = None, unit: str = "", agency: str = "") -> Share:
    """Returns the share of one of many: 1 in the denominator, and 1 in the numerator where it counts."""
    return Share(kpi=kpi, at=at, unit=unit, agency=agency, numerator=int(counts), denominator=1)
