"""Units side by side: who stands where, equal values at one rank, few cases marked. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ioc.wall.report.records import Entry

__all__ = ["FEW_CASES", "Member", "Rank", "Ranking", "rank_units"]

FEW_CASES = 30
"""Of fewer cases one more or less moves a share by more than three points: the rank says little."""
_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """`code` of a unit or agency. `has_few_cases`: its denominator is below `FEW_CASES`."""

    code: str
    numerator: float | None
    denominator: float | None
    has_few_cases: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rank:
    """Those with one value. `place`: 1 for the best; after two firsts comes the third."""

    place: int
    value: float
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """`period`: what is ranked, it may be an older one than the report's. `best` and `worst` do not overlap.

    `without_value`: codes that have no figure (nothing to divide by). `is_judged`: the KPI says which way is better;
    else `best` is the highest.
    """

    period: str
    units: int
    is_judged: bool
    best: tuple[Rank, ...]
    worst: tuple[Rank, ...]
    without_value: tuple[str, ...]


def rank_units(entries: Mapping[str, Entry], *, period: str, direction: str) -> Ranking | None:
    """Returns the ranking of at least two units with a value; None where there are fewer."""
    values = {code: entry.logged for code, entry in entries.items()}
    known = {code: logged for code, logged in values.items() if logged.value is not None and code != "other"}
    if len(known) < 2:
        return None
    by_value: dict[float, list[Member]] = {}
    for code, logged in sorted(known.items()):
        assert logged.value is not None
        few = logged.denominator is not None and logged.denominator < FEW_CASES
        member = Member(code=code, numerator=logged.numerator, denominator=logged.denominator, has_few_cases=few)
        by_value.setdefault(logged.value, []).append(member)
    ranks: list[Rank] = []
    place = 1
    for value in sorted(by_value, reverse=direction != "lower_is_better"):
        ranks.append(Rank(place=place, value=value, members=tuple(by_value[value])))
        place += len(by_value[value])
    best = _first(ranks)
    worst = _first(reversed(ranks[len(best) :]))
    return Ranking(
        period=period,
        units=len(known),
        is_judged=direction in ("higher_is_better", "lower_is_better"),
        best=best,
        worst=worst,
        without_value=tuple(sorted(code for code, logged in values.items() if logged.value is None)),
    )


def _first(ranks: Iterable[Rank]) -> tuple[Rank, ...]:
    """As many as hold three units."""
    taken: list[Rank] = []
    for rank in ranks:
        if sum(len(one.members) for one in taken) >= _SHOWN:
            break
        taken.append(rank)
    return tuple(taken)
