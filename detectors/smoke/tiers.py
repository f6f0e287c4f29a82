"""What the rule and the network saw at one place becomes one candidate of one tier. Pure, no pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from detectors.preprocess import Plane
from detectors.smoke.pooling import Confirmed, Seen, greatest_in
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
    support: Plane | None,
    *,
    is_rule_enough: bool,
) -> list[Judged]:
    """Returns the candidates of one frame, alarms first. `seen` is the rule's, `alarms` and `watches` the network's.

    An alarm is the network's own, or the rule's k of n where the network's `support` is enough or none is asked for.
    """
    found: list[Judged] = []
    left = list(seen)
    for confirmed, tier in [*((c, "alarm") for c in alarms), *((c, "watch") for c in watches)]:
        box = confirmed.region.box
        if any(box.overlaps(one.box) for one in found):
            continue
        same = [s for s in left if s.region.box.overlaps(box)]
        left = [s for s in left if s not in same]
        is_alarm = tier == "alarm" or any(_is_supported(s, box, support, t) for s in same)
        found.append(_joined(confirmed, same, earlier, at, t, tier="alarm" if is_alarm else "watch"))
    for s in left:
        if s.hits < t.watch_frames or any(s.region.box.overlaps(one.box) for one in found):
            continue
        box = s.region.box
        is_alarm = (is_rule_enough and s.is_alarm) or _is_supported(s, box, support, t)
        found.append(
            Judged(
                box=box,
                tier="alarm" if is_alarm else "watch",
                first_seen_at=s.first_seen_at,
                hits=s.hits,
                strength=_strength(s, t),
                peak=_peak(support, box) if is_alarm else 0.0,
            )
        )
    return sorted(found, key=lambda one: one.tier != "alarm")


def _joined(
    confirmed: Confirmed,
    same: Sequence[Seen],
    earlier: Sequence[Judged],
    at: datetime,
    t: SmokeThresholds,
    *,
    tier: Tier,
) -> Judged:
    box = confirmed.region.box
    firsts = [*(s.first_seen_at for s in same), *(one.first_seen_at for one in earlier if one.box.overlaps(box))]
    return Judged(
        box=box,
        tier=tier,
        first_seen_at=min(firsts, default=at),
        hits=max((s.hits for s in same), default=0),
        strength=max((_strength(s, t) for s in same), default=0.0),
        peak=confirmed.peak,
    )


def _is_supported(seen: Seen, box: Box, support: Plane | None, t: SmokeThresholds) -> bool:
    return seen.is_alarm and _peak(support, box) >= t.support_probability


def _peak(support: Plane | None, box: Box) -> float:
    return greatest_in(support, box) if support is not None else 0.0


def _strength(seen: Seen, t: SmokeThresholds) -> float:
    return min(1.0, seen.region.strength / (4 * t.rise))
