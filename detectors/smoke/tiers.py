"""What the rule and the network saw at one place becomes one candidate of one tier. Pure, no pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from detectors.smoke.pooling import Confirmed, Seen
from detectors.smoke.thresholds import SmokeThresholds
from ioc.detections import Box, Tier

__all__ = ["Judged", "judged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One place on this frame. `hits` is the rule's count of frames, `peak` the network's pooled probability, each 0
    where it saw nothing; `strength` is the rule's, 0–1."""

    box: Box
    tier: Tier
    first_seen_at: datetime
    hits: int = 0
    strength: float = 0.0
    peak: float = 0.0


def judged(
    seen: Sequence[Seen],
    alarms: Sequence[Confirmed],
    watches: Sequence[Confirmed],
    earlier: Sequence[Judged],
    at: datetime,
    t: SmokeThresholds,
    has_network: bool,
) -> list[Judged]:
    """Returns the candidates of one frame, alarms first. `seen` is the rule's, `alarms` and `watches` the network's.

    With a network an alarm is its own; without one the rule's k of n alarms.
    """
    found: list[Judged] = []
    left = list(seen)
    for confirmed, tier in [*((c, "alarm") for c in alarms), *((c, "watch") for c in watches)]:
        box = confirmed.region.box
        if any(box.overlaps(one.box) for one in found):
            continue
        same = [s for s in left if s.region.box.overlaps(box)]
        left = [s for s in left if s not in same]
        first = min([*(s.first_seen_at for s in same), *_firsts(box, earlier)], default=at)
        found.append(
            Judged(
                box=box,
                tier="alarm" if tier == "alarm" else "watch",
                first_seen_at=first,
                hits=max((s.hits for s in same), default=0),
                strength=max((_strength(s, t) for s in same), default=0.0),
                peak=confirmed.peak,
            )
        )
    for s in left:
        if s.hits < t.watch_frames or any(s.region.box.overlaps(one.box) for one in found):
            continue
        tier_: Tier = "alarm" if s.is_alarm and not has_network else "watch"
        found.append(
            Judged(box=s.region.box, tier=tier_, first_seen_at=s.first_seen_at, hits=s.hits, strength=_strength(s, t))
        )
    return found


def _firsts(box: Box, earlier: Sequence[Judged]) -> list[datetime]:
    return [one.first_seen_at for one in earlier if one.box.overlaps(box)]


def _strength(seen: Seen, t: SmokeThresholds) -> float:
    return min(1.0, seen.region.strength / (4 * t.rise))
