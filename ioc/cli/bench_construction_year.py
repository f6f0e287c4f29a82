"""A simulated year of building: which works without a permit become a case, and which cases nobody deserved."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray
from shapely import Polygon

from detectors.base import Candidate
from detectors.construction import ConstructionDetector
from ioc.cli.bench_progress import progress
from ioc.cli.bench_table import Bound, Measure, judged
from ioc.ground import ControlPoint, GroundMap, LocalPlane
from ioc.permits import Judgement, Permit, PermitRegistry, Rule, Work, Zone, judge
from ioc.simulate.site_year import FRAMES_PER_DAY, SitePose, SiteYear
from ioc.simulate.works import Plot
from ioc.simulate.works import Work as Built
from ioc.windows import LOCAL_ZONE

__all__ = ["Case", "judged_year", "measure_year", "permits_of"]

_SEED = 1_000_020
_POSES, _WORKS, _VIOLATIONS = 20, 90, 30
_QUICK_POSES = 3
_RECALL = Bound(floor=0.80, goal=0.95, is_upper=False)
_FALSE = Bound(floor=2.0, goal=0.3, unit=" / camera-month")
_PLANE = LocalPlane(108.44, 11.94)
_NEW_YEAR = date(2026, 1, 1)
_DAYS_IN_MONTH = 365 / 12
_CASE_FRAMES = 12  # a case is opened once a rule has held on so many frames, three days: an odd outline is no case
_OFFICE_HOURS = (time(7, 5), time(17, 15))
KINDS: tuple[Rule, ...] = (
    "no_permit", "outside_parcel", "outside_dates", "too_many_storeys", "forbidden_hours", "permit_revoked",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """What a work's file says: what it breaks (None: nothing), its permit, and its zone's hours."""

    breaks: Rule | None
    permit: Permit | None
    hours: tuple[time, time]


@dataclass(slots=True, kw_only=True)
class Case:
    """The first frame of a rule at a plot. `is_right`: the work there breaks this rule, and had begun."""

    zone_id: str
    rule: Rule
    pose: int
    frame: int
    is_right: bool


@dataclass(slots=True, kw_only=True)
class _Year:
    cases: list[Case] = field(default_factory=list)
    broken: dict[str, Rule] = field(default_factory=dict)
    told: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    camera_days: float = 0.0


def measure_year(*, is_quick: bool, seed: int = _SEED) -> list[Measure]:
    """Runs the year of `seed`; a quick one looks at three poses and judges nothing."""
    year = SiteYear(seed, poses=_POSES, works=_WORKS)
    papers = permits_of(year)
    poses = range(_QUICK_POSES if is_quick else _POSES)
    found = _Year()
    with progress("construction: the year", len(poses) * year.frames) as advance:
        for number in poses:
            for _ in judged_year(year, number, papers, found):
                advance(1)
    return _lines(found, is_full=not is_quick, poses=len(poses))


def _lines(found: _Year, *, is_full: bool, poses: int) -> list[Measure]:
    right = {case.zone_id for case in found.cases if case.is_right}
    false = [case for case in found.cases if not case.is_right]
    recall = len(right) / max(1, len(found.broken))
    months = found.camera_days / _DAYS_IN_MONTH
    rate = len(false) / max(months, 1e-9)
    of, hit = Counter(found.broken.values()), Counter(found.broken[zone] for zone in right)
    kinds = ", ".join(f"{kind} {hit[kind]}/{of[kind]}" for kind in KINDS)
    by_rule = ", ".join(f"{rule} {count}" for rule, count in sorted(Counter(case.rule for case in false).items()))
    what = "simulated year" if is_full else f"simulated year, {poses} poses of {_POSES} only"
    return [
        judged(
            f"{what}: violations that became a case of their rule",
            f"{recall:.2f} ({len(right)} of {len(found.broken)}: {kinds})", recall, _RECALL, is_full=is_full,
        ),
        judged(
            "the same: false cases", f"{rate:.2f} / camera-month ({len(false)} in {months:.0f}: {by_rule or 'none'})",
            rate, _FALSE, is_full=is_full,
        ),
        Measure(name="the same: violations alarmed, whatever the rule", figure=f"{found.told} of {len(found.broken)}"),
        Measure(name="the same: frames that were refused", figure=_counted(found.refused)),
    ]  # fmt: skip


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"


def permits_of(year: SiteYear) -> dict[str, Paper]:
    """Returns the papers of every work by its plot: 30 of 90 break a rule, five each, drawn by the year's seed.

    Work at dusk that is lawful has a zone without hours; a house across the plot's edge that is lawful has a permit for
    both plots.
    """
    rng = np.random.default_rng(year.seed)
    works = list(year.works)
    works = [works[index] for index in rng.permutation(len(works))]
    breaks: dict[str, Rule] = {}
    each = round(_VIOLATIONS / len(KINDS) * len(works) / _WORKS)
    wanted: dict[Rule, Callable[[Built], bool]] = {
        "forbidden_hours": lambda work: work.hours[1] > 1050 and not _crosses(work),
        "outside_parcel": _crosses,
        "too_many_storeys": lambda work: work.storeys > 1 and not _crosses(work),
    }
    for kind in sorted(KINDS, key=lambda kind: kind not in wanted):
        fits = [
            work for work in works if work.plot.plot_id not in breaks and (kind not in wanted or wanted[kind](work))
        ]
        breaks.update({work.plot.plot_id: kind for work in fits[:each]})
    return {work.plot.plot_id: _paper(work, breaks.get(work.plot.plot_id)) for work in works}


def _crosses(work: Built) -> bool:
    return abs(work.dx_m) > 0.3 * work.plot.width_m


def _paper(work: Built, breaks: Rule | None) -> Paper:
    begins, ends = (_NEW_YEAR + timedelta(days=day) for day in (work.first_day - 20, work.last_day + 400))
    if breaks == "outside_dates":
        begins, ends = begins - timedelta(days=500), begins
    parcel = work.plot if breaks == "outside_parcel" or not _crosses(work) else _doubled(work.plot)
    permit = Permit(
        permit_id=f"GPXD-{work.plot.plot_id}",
        parcel_id=work.plot.plot_id,
        valid_from=begins,
        valid_to=ends,
        status="revoked" if breaks == "permit_revoked" else "valid",
        floors=work.storeys - (breaks == "too_many_storeys"),
        outline=_outline(parcel),
    )
    is_free = work.hours[1] > 1050 and breaks != "forbidden_hours"
    hours = (time(0), time(0)) if is_free else _OFFICE_HOURS
    return Paper(breaks=breaks, permit=None if breaks == "no_permit" else permit, hours=hours)


def _doubled(plot: Plot) -> Plot:
    return replace(plot, width_m=2.2 * plot.width_m)


def _outline(plot: Plot) -> Polygon:
    return Polygon(_PLANE.to_degrees(np.array(plot.corners_m)))


def judged_year(year: SiteYear, number: int, papers: Mapping[str, Paper], found: _Year) -> Iterator[int]:
    """Runs pose `number` through the year, adds its cases to `found`, and yields each frame's number."""
    pose = year.pose(number)
    registry = PermitRegistry(paper.permit for plot, paper in papers.items() if paper.permit is not None)
    ground = _ground(pose)
    zones = {plot.plot_id: _zone(pose, plot, papers.get(plot.plot_id)) for plot in pose.plots}
    detector = ConstructionDetector(tuple(zones.values()), ground=ground)
    begins = {work.plot.plot_id: work.first_day for work in pose.works}
    broken = {plot: paper.breaks for plot in begins if (paper := papers[plot]).breaks is not None}
    found.broken.update(broken)
    held: Counter[tuple[str, Rule]] = Counter()
    alarmed: set[str] = set()
    for index in range(pose.frames):
        day, minute = pose.moment(index)
        at = datetime.combine(_NEW_YEAR, time(), LOCAL_ZONE) + timedelta(days=day, minutes=minute)
        seen = detector.observe(pose.render(index), at.astimezone(UTC))
        found.refused.update(seen.rejected)
        for candidate in seen.candidates:
            if candidate.tier != "alarm":
                continue
            zone = zones[candidate.zone_id]
            has_begun = day >= begins.get(zone.zone_id, year.days + 1)
            alarmed |= {zone.zone_id} if has_begun else set()
            judgement = _judgement(candidate, zone, registry, ground, at)
            if not judgement.is_violation:
                continue
            held[zone.zone_id, judgement.rule] += 1
            if held[zone.zone_id, judgement.rule] == _CASE_FRAMES:
                is_right = has_begun and broken.get(zone.zone_id) == judgement.rule
                case = Case(zone_id=zone.zone_id, rule=judgement.rule, pose=number, frame=index, is_right=is_right)
                found.cases.append(case)
        yield index
    found.told += len(alarmed & set(broken))
    found.camera_days += pose.frames / FRAMES_PER_DAY


def _judgement(
    candidate: Candidate, zone: Zone, registry: PermitRegistry, ground: GroundMap, at: datetime
) -> Judgement:
    seen = candidate.work
    assert seen is not None
    work = Work(
        zone=zone,
        on=at.date(),
        footprint=ground.footprint(seen.footprint) if seen.footprint else None,
        storeys=seen.storeys,
        active_at=at.time() if seen.is_active else None,
    )
    return judge(work, registry.of_parcel(zone.parcel_id))


def _ground(pose: SitePose) -> GroundMap:
    return GroundMap(list(_control_points(pose)))


def _control_points(pose: SitePose) -> Iterator[ControlPoint]:
    for (x, y), metres in pose.control_points():
        if 0 <= x <= 1 and 0 <= y <= 1:
            lon, lat = _degrees(metres)
            yield ControlPoint(x=x, y=y, lon=lon, lat=lat)


def _degrees(metres: Sequence[float]) -> tuple[float, float]:
    degrees: NDArray[np.float64] = _PLANE.to_degrees(np.array([metres]))
    return float(degrees[0, 0]), float(degrees[0, 1])


def _zone(pose: SitePose, plot: Plot, paper: Paper | None) -> Zone:
    hours = _OFFICE_HOURS if paper is None else paper.hours
    return Zone(
        zone_id=plot.plot_id, kind="residential", parcel_id=plot.plot_id, polygon=pose.plot_polygon(plot),
        work_from=hours[0], work_until=hours[1],
    )  # fmt: skip
