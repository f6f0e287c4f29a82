"""A simulated year of building: which works without a permit become a case, and which cases nobody deserved.

Every detection goes the product's way: into a case, judged as `ioc.building_case` judges; a case counts from the first
frame on which it is told.
"""

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray

from detectors.base import Candidate, Detector
from detectors.construction import ConstructionDetector
from ioc.building_case import BuildingCase, judgement_of
from ioc.cli.bench_construction_kerb import KerbScore, road_zone
from ioc.cli.bench_construction_looks import LooksScore
from ioc.cli.bench_construction_papers import KINDS, NEW_YEAR, OFFICE_HOURS, PLANE, Paper, permits_of
from ioc.cli.bench_progress import progress
from ioc.cli.bench_table import Bound, Measure, judged
from ioc.frames import Frame
from ioc.ground import ControlPoint, GroundMap
from ioc.incidents import kind_of
from ioc.permits import Permit, PermitRegistry, Rule, Zone
from ioc.simulate.site_year import FRAMES_PER_DAY, SitePose, SiteYear
from ioc.simulate.works import Plot
from ioc.windows import LOCAL_ZONE
from streams.frame_detections import detection_of

__all__ = ["Case", "Year", "judged_year", "measure_sampled_year", "measure_year", "pose_ground", "year_lines"]

_SEED = 1_000_020
_POSES, _WORKS = 20, 90
_QUICK_POSES = 3
_SAMPLED_MINUTES, _SAMPLED_POSES = (370, 555, 795, 1035), 5
"""When a worker with `construction_every_s` 14400 looks (`detectors.registry`): first light, then each four hours."""
_RECALL = Bound(floor=0.80, goal=0.95, is_upper=False)
_FALSE = Bound(floor=2.0, goal=0.3, unit=" / camera-month")
_DAYS_IN_MONTH = 365 / 12
_QUIET = kind_of("construction").quiet


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The first frame on which a rule was told of a plot. `is_right`: the work there breaks it, since `days` (None
    where it does not)."""

    zone_id: str
    rule: Rule
    pose: int
    frame: int
    days: int | None

    @property
    def is_right(self) -> bool:
        return self.days is not None


@dataclass(slots=True, kw_only=True)
class Year:
    """What was found on the poses that have run."""

    cases: list[Case] = field(default_factory=list)
    broken: dict[str, Rule] = field(default_factory=dict)
    alarmed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    kerb: KerbScore = field(default_factory=KerbScore)
    looks: LooksScore = field(default_factory=LooksScore)
    camera_days: float = 0.0


def measure_year(*, is_quick: bool, seed: int = _SEED) -> list[Measure]:
    """Runs the year of `seed`; a quick one looks at three poses and judges nothing."""
    found = _run(SiteYear(seed, poses=_POSES, works=_WORKS), poses := _QUICK_POSES if is_quick else _POSES)
    return year_lines(found, is_full=not is_quick, poses=poses)


def measure_sampled_year(*, is_quick: bool, seed: int = _SEED) -> list[Measure]:
    """The first poses of the same year at the hours that production samples; too few works to be judged."""
    year = SiteYear(seed, poses=_POSES, works=_WORKS, minutes=_SAMPLED_MINUTES)
    poses = 1 if is_quick else _SAMPLED_POSES
    lines = year_lines(_run(year, poses), is_full=False, poses=poses)
    return [replace(line, name=f"at production's hours, {line.name}") for line in lines]


def _run(year: SiteYear, poses: int) -> Year:
    papers, found = permits_of(year), Year()
    with progress("construction: the year", poses * year.frames) as advance:
        for number in range(poses):
            for _ in judged_year(year, number, papers, found):
                advance(1)
    return found


def year_lines(found: Year, *, is_full: bool, poses: int) -> list[Measure]:
    """Returns the table's lines; poses: how many have run."""
    right = {case.zone_id: case for case in found.cases if case.is_right}
    false: Counter[str] = Counter(case.rule for case in found.cases if not case.is_right)
    recall = len(right) / max(1, len(found.broken))
    months = found.camera_days / _DAYS_IN_MONTH
    rate = false.total() / max(months, 1e-9)
    of, hit = Counter(found.broken.values()), Counter(found.broken[zone] for zone in right)
    kinds = ", ".join(f"{kind} {hit[kind]}/{of[kind]}" for kind in KINDS)
    what = "simulated year" if is_full else f"simulated year, {poses} poses of {_POSES} only"
    return [
        judged(
            f"{what}: violations that became a case of their rule",
            f"{recall:.2f} ({len(right)} of {len(found.broken)}: {kinds})", recall, _RECALL, is_full=is_full,
        ),
        judged(
            "the same: false cases", f"{rate:.2f} / camera-month ({false.total()} in {months:.0f}: {_counted(false)})",
            rate, _FALSE, is_full=is_full,
        ),
        Measure(
            name="the same: days from the violation to its case, median by rule", figure=_delays(list(right.values()))
        ),
        Measure(
            name="the same: violations alarmed, whatever the rule", figure=f"{found.alarmed} of {len(found.broken)}"
        ),
        found.kerb.line(months),
        *found.looks.lines(),
        Measure(name="the same: frames that were refused", figure=_counted(found.refused)),
    ]  # fmt: skip


def _delays(cases: Sequence[Case]) -> str:
    found: dict[Rule, list[int]] = {}
    for case in cases:
        found.setdefault(case.rule, []).append(case.days or 0)
    return ", ".join(f"{kind} {statistics.median(found[kind]):.0f}" for kind in KINDS if kind in found) or "none"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"


def judged_year(year: SiteYear, number: int, papers: Mapping[str, Paper], found: Year) -> Iterator[int]:
    """Runs pose `number` through the year, adds what it tells to `found`, and yields each frame's number."""
    pose = year.pose(number)
    ground = pose_ground(pose)
    zones = {plot.plot_id: _zone(pose, plot) for plot in pose.plots}
    detector = ConstructionDetector((*zones.values(), road_zone(pose)), ground=ground)
    registry = PermitRegistry(paper.permit for paper in papers.values() if paper.permit is not None)
    office = _Office(
        number=number, pose_id=pose.pose_id, detector=detector, zones=zones, registry=registry, ground=ground,
        papers=papers,
    )  # fmt: skip
    for index in range(pose.frames):
        day, minute = pose.moment(index)
        at = datetime.combine(NEW_YEAR, time(), LOCAL_ZONE) + timedelta(days=day, minutes=minute)
        seen = detector.observe(pose.render(index), at.astimezone(UTC))
        found.refused.update(seen.rejected)
        found.kerb.take(pose, index, seen.candidates)
        found.looks.take(pose, index, seen.candidates)
        for candidate in seen.candidates:
            if candidate.zone_id in zones:
                office.take(candidate, index, at)
        yield index
    found.kerb.finish(pose)
    broken = {plot: paper.breaks for plot in zones if (paper := papers.get(plot)) is not None and paper.breaks}
    found.broken.update(broken)
    found.cases += office.cases
    found.alarmed += len(office.alarmed & set(broken))
    found.camera_days += pose.frames / FRAMES_PER_DAY


@dataclass(slots=True, kw_only=True)
class _Office:
    """The cases of one pose, kept as the incidents role keeps them: work that is legal leaves none."""

    number: int
    pose_id: str
    detector: Detector
    zones: Mapping[str, Zone]
    registry: PermitRegistry
    ground: GroundMap
    papers: Mapping[str, Paper]
    cases: list[Case] = field(default_factory=list)
    alarmed: set[str] = field(default_factory=set)
    _open: dict[str, tuple[BuildingCase, datetime]] = field(default_factory=dict)
    _told: set[tuple[str, Rule]] = field(default_factory=set)

    def take(self, candidate: Candidate, index: int, at: datetime) -> None:
        zone, paper = self.zones[candidate.zone_id], self.papers.get(candidate.zone_id)
        day = (at.date() - NEW_YEAR).days
        known, seen_at = self._open.get(zone.zone_id, (None, at))
        before = known if known is not None and at - seen_at < _QUIET else BuildingCase()
        found = detection_of(
            self.detector, candidate, 0, _frame(self.pose_id, index, at), reference="", azimuth_deg=None
        )
        case = before.after(found, zone)
        permits: tuple[Permit, ...] = self.registry.of_parcel(zone.parcel_id)
        judgement = judgement_of(case, candidate.label, zone=zone, ground=self.ground, on=at.date(), permits=permits)
        case = case.judged(judgement, at)
        if case.is_confirmed and paper is not None and day >= paper.since_day:
            self.alarmed.add(zone.zone_id)
        if known is None and case.is_legal:
            return
        self._open[zone.zone_id] = case, at
        if not case.is_confirmed or not judgement.is_violation or (zone.zone_id, judgement.rule) in self._told:
            return
        self._told.add((zone.zone_id, judgement.rule))
        is_right = paper is not None and paper.breaks == judgement.rule and day >= paper.since_day
        self.cases.append(
            Case(
                zone_id=zone.zone_id, rule=judgement.rule, pose=self.number, frame=index,
                days=day - paper.since_day if is_right and paper is not None else None,
            )
        )  # fmt: skip


def _frame(pose_id: str, index: int, at: datetime) -> Frame:
    """The frame that the role `frames` would have had; its picture is seen already."""
    return Frame(
        camera_id="site", pose_id=pose_id, sequence=index, captured_at=at.astimezone(UTC), sha256="", jpeg=b"",
        source="",
    )  # fmt: skip


def pose_ground(pose: SitePose) -> GroundMap:
    """The pose's ground map, from its plots' corners that are in the picture."""
    return GroundMap(list(_control_points(pose)))


def _control_points(pose: SitePose) -> Iterator[ControlPoint]:
    for (x, y), metres in pose.control_points():
        if 0 <= x <= 1 and 0 <= y <= 1:
            degrees: NDArray[np.float64] = PLANE.to_degrees(np.array([metres]))
            yield ControlPoint(x=x, y=y, lon=float(degrees[0, 0]), lat=float(degrees[0, 1]))


def _zone(pose: SitePose, plot: Plot) -> Zone:
    return Zone(
        zone_id=plot.plot_id, kind="residential", parcel_id=plot.plot_id, polygon=pose.plot_polygon(plot),
        work_from=OFFICE_HOURS[0], work_until=OFFICE_HOURS[1],
    )  # fmt: skip
