"""A figure as the wall shows it: how it stands, where it goes, which marks it must carry. Pure.

Honesty: without a value there is a reason and never a zero; what is old, typed by hand or not heard of any more says so
in words and is never shown as met.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ioc.wall.live.kpis import WallKpi

__all__ = [
    "Group",
    "Past",
    "Reading",
    "Standing",
    "Tile",
    "Trend",
    "is_missed",
    "tile_of",
    "worst_first",
    "worst_groups",
]

Standing = Literal["missed", "stale", "unknown", "growing", "untargeted", "met"]
"""`unknown`: there is no value to judge. `growing`: below its target, but its period is not over. The order is the
wall's: what is worst comes first."""
Trend = Literal["better", "worse", "same", "up", "down", "none"]
"""`up`, `down`: of a figure that has no good direction. `none`: nothing to compare with."""
Reason = Literal["", "nothing_to_count", "no_data", "never_read"]

_RANKS: Mapping[Standing, int] = {
    "missed": 0, "stale": 1, "unknown": 2, "growing": 3, "untargeted": 4, "met": 5,
}  # fmt: skip
MAX_GROUPS = 3
_SAME = 1e-3  # of the former value: less is no change that anybody could see


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The province's figure of one KPI in its main window, as the figures role tells it. A ratio is 0–1."""

    value: float | None = None
    numerator: float | None = None
    denominator: float | None = None
    as_of: datetime | None = None
    is_stale: bool = False
    is_manual: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A closed period of the same figure in the KPI log. `period` is its name, like 2026-11-21 or 2026-10."""

    period: str
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The same figure of one commune or agency."""

    code: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """`before`: the value that `trend` compares with. `missed_since`: the first of the closed periods that have missed
    the target without a break until now; "" where the last one met it. `groups`: who is worst, worst first."""

    kpi: WallKpi
    standing: Standing
    value: float | None
    reason: Reason
    as_of: datetime | None
    is_stale: bool
    is_manual: bool
    trend: Trend
    before: float | None
    missed_since: str = ""
    groups: tuple[Group, ...] = ()

    @property
    def got_worse(self) -> bool:
        """It misses its target, or it has moved away from it since the last period."""
        return self.standing == "missed" or (self.trend == "worse" and self.standing not in ("stale", "unknown"))


def is_missed(kpi: WallKpi, value: float) -> bool:
    """Whether a value is on the wrong side of the target; a figure without a good direction misses nothing."""
    if kpi.target is None or kpi.direction == "within_band":
        return False
    return value < kpi.target if kpi.direction == "higher_is_better" else value > kpi.target


def tile_of(
    kpi: WallKpi,
    reading: Reading | None,
    past: Sequence[Past] = (),
    groups: Iterable[Group] = (),
    *,
    was_read: bool = True,
) -> Tile:
    """Returns the tile of a KPI.

    Args:
        reading: None: the figures role told nothing of it.
        past: closed periods, in their order.
        groups: figures of communes or agencies; those that miss the target are kept.
        was_read: whether the figures role was ever heard.
    """
    found = reading or Reading()
    trend, before = _trend(kpi, found, past)
    standing = _standing(kpi, found)
    return Tile(
        kpi=kpi,
        standing=standing,
        value=found.value,
        reason=_reason(found, reading is not None, was_read=was_read),
        as_of=found.as_of,
        is_stale=found.is_stale,
        is_manual=found.is_manual,
        trend=trend,
        before=before,
        missed_since=_missed_since(kpi, past) if standing == "missed" else "",
        groups=worst_groups(kpi, groups) if standing == "missed" else (),
    )


def worst_first(tiles: Iterable[Tile]) -> list[Tile]:
    """The missed first, and of these the one that is farthest from its target; then by standing and name."""
    return sorted(tiles, key=lambda tile: (_RANKS[tile.standing], -_distance(tile), tile.kpi.id))


def worst_groups(kpi: WallKpi, groups: Iterable[Group]) -> tuple[Group, ...]:
    """At most three that miss the target, the worst first."""
    missed = [group for group in groups if is_missed(kpi, group.value)]
    sign = 1 if kpi.direction == "higher_is_better" else -1
    return tuple(sorted(missed, key=lambda group: (sign * group.value, group.code))[:MAX_GROUPS])


def _standing(kpi: WallKpi, reading: Reading) -> Standing:
    if reading.value is None:
        return "stale" if reading.is_stale and reading.as_of is not None else "unknown"
    if reading.is_stale:
        return "stale"
    if kpi.target is None or kpi.direction == "within_band":
        return "untargeted"
    if not is_missed(kpi, reading.value):
        return "met"
    return "growing" if kpi.accumulates and kpi.direction == "higher_is_better" else "missed"


def _reason(reading: Reading, is_told: bool, *, was_read: bool) -> Reason:
    if reading.value is not None:
        return ""
    if not was_read:
        return "never_read"
    return "nothing_to_count" if is_told and reading.denominator == 0 else "no_data"


def _trend(kpi: WallKpi, reading: Reading, past: Sequence[Past]) -> tuple[Trend, float | None]:
    before = next((each.value for each in reversed(past) if each.value is not None), None)
    if before is None or reading.value is None or kpi.accumulates:  # half a month beside a whole one is no trend
        return "none", before
    change = reading.value - before
    if abs(change) <= max(abs(before) * _SAME, 1e-9):
        return "same", before
    if kpi.direction == "within_band":
        return ("up" if change > 0 else "down"), before
    return ("better" if (change > 0) == (kpi.direction == "higher_is_better") else "worse"), before


def _missed_since(kpi: WallKpi, past: Sequence[Past]) -> str:
    since = ""
    for each in reversed(past):
        if each.value is None or not is_missed(kpi, each.value):
            break
        since = each.period
    return since


def _distance(tile: Tile) -> float:
    """How far from the target, as a share of it."""
    target = tile.kpi.target
    if tile.standing != "missed" or target is None or tile.value is None:
        return 0.0
    return abs(tile.value - target) / max(abs(target), 1e-9) if target else abs(tile.value)
