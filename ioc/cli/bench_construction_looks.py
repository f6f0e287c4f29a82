"""What is told of the looks of a simulated year's works: their stages, and tarpaulins and sheet metal around them."""

from collections import Counter
from dataclasses import dataclass, field

from detectors.base import Candidate
from ioc.cli.bench_table import Measure
from ioc.simulate.site_year import SitePose

__all__ = ["LooksScore"]

_STAGES = ("cleared", "foundation", "frame", "roof", "finished")


@dataclass(slots=True, kw_only=True)
class LooksScore:
    """Frames by (stage that is, stage that is told) of works that are alarmed; plots with covers, and with the cue."""

    stages: Counter[tuple[str, str]] = field(default_factory=Counter)
    covered: set[str] = field(default_factory=set)
    bare: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)

    def take(self, pose: SitePose, index: int, candidates: tuple[Candidate, ...]) -> None:
        """Takes what a frame's detector says of the works."""
        works = {work.plot_id: work for work in pose.truth(index)}
        for candidate in candidates:
            work = works.get(candidate.zone_id)
            if work is None or candidate.work is None or candidate.tier != "alarm":
                continue
            self.stages[work.stage, candidate.work.stage] += 1
            if "cover" in candidate.cues:
                self.told.add(work.plot_id)
        for work in works.values():
            (self.bare if work.cover is None else self.covered).add(work.plot_id)

    def lines(self) -> list[Measure]:
        """What is measured; the issue asks no figure of it."""
        right = ", ".join(
            f"{stage} {self.stages[stage, stage] / max(1, of):.2f}"
            for stage in _STAGES
            if (of := sum(count for (is_, _), count in self.stages.items() if is_ == stage))
        )
        bare = self.bare - self.covered
        return [
            Measure(name="the same: share of frames whose stage is told right, by stage", figure=right or "none"),
            Measure(
                name="the same: works under a tarpaulin or behind sheet metal that were told so",
                figure=f"{len(self.told & self.covered)} of {len(self.covered)}; of the others"
                f" {len(self.told & bare)} of {len(bare)}",
            ),
        ]
