"""The papers of a simulated year: which works have a permit that covers them, and which break which rule."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from types import MappingProxyType

import numpy as np
from shapely import Polygon

from ioc.ground import LocalPlane
from ioc.permits import Permit, Rule
from ioc.simulate.site_year import SiteYear
from ioc.simulate.works import Plot, Work

__all__ = ["KINDS", "NEW_YEAR", "OFFICE_HOURS", "PLANE", "Paper", "permits_of"]

PLANE = LocalPlane(108.44, 11.94)
NEW_YEAR = date(2026, 1, 1)
OFFICE_HOURS = (time(7, 5), time(17, 15))
KINDS: tuple[Rule, ...] = (
    "no_permit", "outside_parcel", "outside_dates", "too_many_storeys", "forbidden_hours", "permit_revoked",
)  # fmt: skip
_WORKS, _VIOLATIONS = 90, 30
_LAST_SHIFT = 1050  # minutes: who works at half past five works outside the hours
_MOST_SPARE_DAYS = 20  # a permit ends with its work, or so soon after it


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """What a work's file says: what it breaks (None: nothing), from which day of the year on, and its permit."""

    breaks: Rule | None
    since_day: int
    permit: Permit | None


def permits_of(year: SiteYear) -> Mapping[str, Paper]:
    """Returns the papers of every work by its plot: 30 of 90 break a rule, five each, drawn by the year's seed.

    Who works early and late breaks the hours, nobody else does. A house across the plot's edge breaks the parcel, or
    has a permit for both plots. A permit ends with its work or up to 20 days after it; of those outside the dates half
    had ended before the work began, half end in the midst of it.
    """
    rng = np.random.default_rng(year.seed)
    works = [year.works[index] for index in rng.permutation(len(year.works))]
    breaks: dict[str, Rule] = {}
    each = round(_VIOLATIONS / len(KINDS) * len(works) / _WORKS)
    wanted: dict[Rule, Callable[[Work], bool]] = {
        "forbidden_hours": _is_late,
        "outside_parcel": _crosses,
        "too_many_storeys": lambda work: work.storeys > 1 and _is_ordinary(work),
    }
    for kind in sorted(KINDS, key=lambda kind: kind not in wanted):
        fits = wanted.get(kind, _is_ordinary)
        chosen = [work.plot.plot_id for work in works if work.plot.plot_id not in breaks and fits(work)]
        breaks.update(dict.fromkeys(chosen[:each], kind))
    return MappingProxyType({work.plot.plot_id: _paper(work, breaks.get(work.plot.plot_id), rng) for work in works})


def _is_late(work: Work) -> bool:
    return work.hours[1] > _LAST_SHIFT


def _crosses(work: Work) -> bool:
    return abs(work.dx_m) > 0.3 * work.plot.width_m


def _is_ordinary(work: Work) -> bool:
    return not _is_late(work) and not _crosses(work)


def _paper(work: Work, breaks: Rule | None, rng: np.random.Generator) -> Paper:
    first, last = work.first_day - 20, work.last_day + int(rng.integers(0, _MOST_SPARE_DAYS + 1))
    is_late, share = rng.random() < 0.5, float(rng.uniform(0.3, 0.7))
    since = work.first_day
    if breaks == "outside_dates" and is_late:
        last = work.first_day + int(share * sum(work.stage_days))
        since = last + 1
    elif breaks == "outside_dates":
        first, last = first - 500, first
    parcel = _doubled(work.plot) if _crosses(work) and breaks != "outside_parcel" else work.plot
    permit = Permit(
        permit_id=f"GPXD-{work.plot.plot_id}",
        parcel_id=work.plot.plot_id,
        valid_from=NEW_YEAR + timedelta(days=first),
        valid_to=NEW_YEAR + timedelta(days=last),
        status="revoked" if breaks == "permit_revoked" else "valid",
        floors=work.storeys - (breaks == "too_many_storeys"),
        outline=Polygon(PLANE.to_degrees(np.array(parcel.corners_m))),
    )
    return Paper(breaks=breaks, since_day=since, permit=None if breaks == "no_permit" else permit)


def _doubled(plot: Plot) -> Plot:
    return replace(plot, width_m=2.2 * plot.width_m)
