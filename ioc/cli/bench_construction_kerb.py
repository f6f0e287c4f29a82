"""Stalls, parked vehicles and heaps along the road of a simulated year: which are told, and what is told besides."""

from dataclasses import dataclass, field

from detectors.base import Candidate
from ioc.cli.bench_table import Measure
from ioc.permits import Zone
from ioc.simulate.site_year import FRAMES_PER_DAY, SitePose
from ioc.simulate.works import Obstacle

__all__ = ["KerbScore", "road_zone"]

_LONG_FRAMES = 7 * FRAMES_PER_DAY  # what stands for a week is to be told
_AFTER_FRAMES = 5 * FRAMES_PER_DAY  # medians and counts forget no sooner
_NEAR = 0.01


def road_zone(pose: SitePose) -> Zone:
    """The road with its kerbs, as far as the picture shows it."""
    polygon = tuple((min(1.0, max(0.0, x)), min(1.0, max(0.0, y))) for x, y in pose.road_polygon)
    return Zone(zone_id=f"{pose.pose_id}-road", kind="road_corridor", polygon=polygon)


@dataclass(slots=True, kw_only=True)
class KerbScore:
    """Over poses: things that stood for a week in the picture, those told, runs of alarms on nothing, and months."""

    long: int = 0
    told: int = 0
    false: int = 0
    passing: int = 0
    passing_told: int = 0
    _seen: set[str] = field(default_factory=set)
    _was_false: bool = False

    def take(self, pose: SitePose, index: int, candidates: tuple[Candidate, ...]) -> None:
        """Takes what a frame's detector says of the road."""
        is_false = False
        for candidate in candidates:
            if candidate.label != "encroachment" or candidate.tier != "alarm":
                continue
            near = [thing for thing in pose.obstacles if _stands(thing, index) and _overlap(pose, thing, candidate)]
            self._seen.update(thing.obstacle_id for thing in near)
            is_false |= not near
        self.false += is_false and not self._was_false
        self._was_false = is_false

    def finish(self, pose: SitePose) -> None:
        """Counts a pose whose year is over."""
        for thing in pose.obstacles:
            box, stays = thing.box(pose.projection), thing.end_frame - thing.first_frame
            if min(box.w, box.h) <= 0:
                continue
            is_told = thing.obstacle_id in self._seen
            if stays >= _LONG_FRAMES:
                self.long += 1
                self.told += is_told
            elif stays <= FRAMES_PER_DAY:
                self.passing += 1
                self.passing_told += is_told
        self._seen.clear()
        self._was_false = False

    def line(self, months: float) -> Measure:
        """What is measured; the issue asks no figure of it."""
        return Measure(
            name="the same: things on the road for a week or longer that were told as encroachment",
            figure=f"{self.told} of {self.long}; of those gone within a day {self.passing_told} of {self.passing}; on"
            f" nothing {self.false} ({self.false / max(months, 1e-9):.2f} / camera-month)",
        )


def _stands(thing: Obstacle, index: int) -> bool:
    return thing.first_frame <= index < thing.end_frame + _AFTER_FRAMES


def _overlap(pose: SitePose, thing: Obstacle, candidate: Candidate) -> bool:
    return thing.box(pose.projection).grown(_NEAR).overlaps(candidate.box)
