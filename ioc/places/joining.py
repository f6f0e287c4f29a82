"""Which sights of several cameras are of one fire. Pure.

Two bearings nearly always cross somewhere, so crossing alone proves nothing: two fires and two cameras make four
crossings, two of them ghosts. So whole explanations are compared: every way to divide the sights into fires has a cost,
−2 ln of how likely it is that fires at random places give just these bearings (the usual data association of trackers,
with the position of each fire integrated out):

    one bearing             ρ ∫ P(r) r dr                                fires that it may have met
    two bearings            ρ ∫ P(r) P(r') N(α' − α'(r)) r dr            along the one, the other's error
    more, or a distance     ρ 2π √det C  Π 1/(√2π σ)  e^(−χ²/2)  Π P(r)  how narrow the place is, how well they agree

ρ is how many fires begin a square metre while sights can be joined; P(r) how likely a camera sees a fire r metres away;
C the covariance of the crossing. So two that run side by side to one far fire are joined though they give no place, and
three through one point are worth what that coincidence is. Fires begin once, so starts far apart cost more. Sights are
joined only where every explanation joins them that is nearly as likely as the best: a fire told twice is better than
two told as one.
"""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from geographiclib.geodesic import Geodesic

from ioc.places.bearings import turn_deg
from ioc.places.crossing import Fix, NoFix, Sight, locate

__all__ = ["MAX_SEEN", "Division", "Seen", "connected", "divide", "place_of"]

_FIRES_PER_M2 = 2e-12
"""One smoke a day and 10,000 km² of watched land, in the half hour in which sights are joined. Ten times as many change
no answer of the tests; a thousand times (a burning province) leaves doubtful pairs apart."""
_NEAR = 0.15
"""P(r) is n / (n + r) with n this share of the range: twice as far, a plume is half as wide in the picture. Flatter (as
likely up to half the range) a far ghost beats two near fires, only because there is more land far away: 6.7 % of two
fires before two cameras were joined into ghosts, now 1.3 %."""
_MEAN_SIGHT = _NEAR * (1 - _NEAR * math.log((1 + _NEAR) / _NEAR))  # ∫ P(r) r dr over the range, in units of its square
JOIN_GAP = timedelta(minutes=15)  # sights that are farther apart in time are not of one fire, as far as we can tell
_START_SCALE_S = 300.0  # two cameras see one fire begin some minutes apart: a ridge hides the first smoke from one
_STEPS = 256  # along a bearing
_FARTHEST_SDS = 4.0
_MARGIN = 3.0  # an explanation within it is nearly as likely as the best: at least 1 to 4.5
_STAY = 2.0  # what was joined stays joined where little speaks against it
MAX_SEEN = 12
"""More sights at once are not divided anew: the ways grow too many, and so do the ghosts."""
_MAX_GROUPS = 600
_MAX_WAYS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One thing that one pose sees, from the first sight to the last."""

    seen_id: str
    camera_id: str
    pose_id: str
    sight: Sight
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """Sets of `seen_id`, each one fire, and the pairs that a nearly as likely explanation joins too."""

    groups: tuple[frozenset[str], ...]
    doubtful: frozenset[frozenset[str]] = frozenset()


def divide(seen: Sequence[Seen], together: Collection[frozenset[str]]) -> Division:
    """Returns which of `seen` are of one fire; `together` are the groups so far. Their order changes nothing."""
    ordered = sorted(seen, key=lambda one: one.seen_id)
    names = {one.seen_id for one in ordered}
    so_far = [group & names for group in together if len(group & names) > 1]
    if len(ordered) > MAX_SEEN:
        return _as_it_was(ordered, so_far)
    costs = _costs(ordered)
    ways = None if len(costs) > _MAX_GROUPS else _likely_ways(ordered, costs, so_far)
    if not ways:
        return _as_it_was(ordered, so_far)
    return _agreed(ordered, ways, costs)


def connected(one: Seen, others: Collection[Seen], together: Collection[frozenset[str]]) -> list[Seen]:
    """Returns `one` and all that can be of its fire, or of the fire of one that can: the rest need not be looked at."""
    left = {other.seen_id: other for other in others if other.seen_id != one.seen_id}
    found, waiting = [one], [one]
    while waiting:
        current = waiting.pop()
        friends = {name for group in together if current.seen_id in group for name in group}
        reached = [other for name, other in left.items() if name in friends or _cost((current, other)) is not None]
        for other in reached:
            del left[other.seen_id]
        found += reached
        waiting += reached
    return found


def place_of(seen: Sequence[Seen]) -> Fix | NoFix:
    """The place of one fire: what its sights say together."""
    return locate([sight for sight, _ in _by_camera(seen)])


# ---- costs -----------------------------------------------------------------------------------------------------------


def _costs(seen: Sequence[Seen]) -> dict[frozenset[str], float]:
    """The cost of every group that can be one fire, singles included."""
    costs: dict[frozenset[str], float] = {}
    known: set[frozenset[str]] = set()
    layer: list[tuple[Seen, ...]] = [(one,) for one in seen]
    while layer and len(costs) <= _MAX_GROUPS:
        larger: list[tuple[Seen, ...]] = []
        for group in layer:
            name = _name(group)
            cost = _cost(group)
            if cost is None and len(group) > 1:
                continue
            costs[name] = cost if cost is not None else math.inf
            for one in seen:
                bigger = name | {one.seen_id}
                if one.seen_id not in name and bigger not in known:
                    known.add(bigger)
                    larger.append((*group, one))
        layer = larger
    return costs


def _cost(group: Sequence[Seen]) -> float | None:
    """−2 ln of how likely one fire gives just these sights; None where it can't."""
    poses = {(one.camera_id, one.pose_id) for one in group}
    if len(poses) < len(group) or not _is_in_time(group):
        return None
    sights = _by_camera(group)
    cost = sum(extra for _, extra in sights) + _start_cost(group)
    if math.isinf(cost):
        return None
    is_measured = any(sight.distance_m is not None for sight, _ in sights)
    if len(sights) == 1 and not is_measured:
        return cost - 2 * math.log(_FIRES_PER_M2 * _MEAN_SIGHT * sights[0][0].range_m ** 2)
    if len(sights) == 2 and not is_measured:
        met = _met(sights[0][0], sights[1][0])
        return cost - 2 * math.log(_FIRES_PER_M2 * met) if met > 0 else None
    found = locate([sight for sight, _ in sights], is_robust=False)
    if isinstance(found, NoFix):
        return None
    north, cross, east = found.covariance
    errors = [math.radians(sight.sd_deg) for sight, _ in sights]
    errors += [sight.distance_sd_m for sight, _ in sights if sight.distance_sd_m is not None]
    likely = math.log(_FIRES_PER_M2 * 2 * math.pi) + math.log(north * east - cross * cross) / 2
    likely -= sum(math.log(math.sqrt(2 * math.pi) * error) for error in errors)
    for (sight, _), distance_m in zip(sights, found.distances_m, strict=True):
        likely += math.log(max(1e-6, float(_is_seen(np.array(distance_m), sight.range_m))))
    return cost + found.chi2 - 2 * likely


def _is_seen(distance_m: "np.ndarray[Any, Any]", range_m: float) -> "np.ndarray[Any, Any]":
    """How likely a fire so far away is seen."""
    return np.where(distance_m <= range_m, _NEAR * range_m / (_NEAR * range_m + distance_m), 0.0)


def _met(one: Sight, other: Sight) -> float:
    """∫ P(r) P(r') N(α' − α'(r)) r dr along the bearing of `one`, m² a radian; 0 where the two can't be of one fire.

    On a flat map round `one`: over 20 km its bearings are off by 0.04°. Between two steps the normal density is
    averaged by its integral, so that steps may be longer than a crossing is wide.
    """
    line = Geodesic.WGS84.Inverse(one.lat, one.lon, other.lat, other.lon)
    away_m, towards = float(line["s12"]), math.radians(float(line["azi1"]))
    ahead = math.radians(one.azimuth_deg)
    r = np.linspace(0.0, one.range_m, _STEPS + 1)
    north, east = r * math.cos(ahead) - away_m * math.cos(towards), r * math.sin(ahead) - away_m * math.sin(towards)
    r_other = np.maximum(np.hypot(north, east), 1.0)
    azimuth = np.arctan2(east, north)
    gap = (azimuth - math.radians(other.azimuth_deg) + math.pi) % (2 * math.pi) - math.pi
    own, its = math.radians(one.sd_deg), math.radians(other.sd_deg)
    z = gap / np.hypot(its, own * r / r_other * np.cos(azimuth - ahead))
    if float(np.min(np.abs(z))) > _FARTHEST_SDS and not bool(np.any(np.diff(np.sign(z)) != 0)):
        return 0.0
    below = 0.5 * (1 + np.array([math.erf(value / math.sqrt(2)) for value in z]))
    width = np.abs(np.diff(gap))
    is_turned = width > math.pi / 2  # the step past the other camera: nothing is seen there
    density = np.where(is_turned, 0.0, np.abs(np.diff(below)) / np.maximum(width, 1e-9))
    weight = _is_seen(r, one.range_m) * _is_seen(r_other, other.range_m) * r
    return float(np.sum(density * (weight[1:] + weight[:-1]) / 2) * one.range_m / _STEPS)


def _by_camera(group: Sequence[Seen]) -> list[tuple[Sight, float]]:
    """One sight a camera with the cost of putting its poses' together: bearings from one place never cross."""
    merged: dict[str, tuple[Sight, float]] = {}
    for one in sorted(group, key=lambda one: one.seen_id):
        before = merged.get(one.camera_id)
        merged[one.camera_id] = (one.sight, 0.0) if before is None else _put_together(before, one.sight)
    return list(merged.values())


def _put_together(before: tuple[Sight, float], other: Sight) -> tuple[Sight, float]:
    sight, cost = before
    variance = sight.sd_deg**2 + other.sd_deg**2
    apart = turn_deg(sight.azimuth_deg, other.azimuth_deg)
    if apart**2 > 9 * variance:
        return sight, math.inf
    share = sight.sd_deg**2 / variance
    known = min((s for s in (sight, other) if s.distance_m is not None), key=_distance_error, default=sight)
    merged = replace(
        sight,
        azimuth_deg=(sight.azimuth_deg + share * apart) % 360,
        sd_deg=sight.sd_deg * other.sd_deg / math.sqrt(variance),
        distance_m=known.distance_m,
        distance_sd_m=known.distance_sd_m,
    )
    return merged, cost + apart**2 / variance + math.log(2 * math.pi * math.radians(1) ** 2 * variance)


def _distance_error(sight: Sight) -> float:
    return math.inf if sight.distance_sd_m is None else sight.distance_sd_m


def _is_in_time(group: Sequence[Seen]) -> bool:
    """Whether each is seen while another of the group is, give or take `JOIN_GAP`."""
    ordered = sorted(group, key=lambda one: one.first_at)
    until = ordered[0].last_at
    for one in ordered[1:]:
        if one.first_at > until + JOIN_GAP:
            return False
        until = max(until, one.last_at)
    return True


def _start_cost(group: Sequence[Seen]) -> float:
    """Heavy tails (Cauchy): some minutes apart cost little, half an hour costs 7 and not 36."""
    first = min(one.first_at for one in group)
    return sum(2 * math.log1p(((one.first_at - first).total_seconds() / _START_SCALE_S) ** 2) for one in group)


# ---- explanations ----------------------------------------------------------------------------------------------------

_Way = tuple[frozenset[str], ...]


def _likely_ways(
    seen: Sequence[Seen], costs: dict[frozenset[str], float], so_far: Sequence[frozenset[str]]
) -> list[_Way] | None:
    """The divisions within the margin of the best, None where there are too many to look at all."""
    share = {
        one.seen_id: min(cost / len(group) for group, cost in costs.items() if one.seen_id in group) for one in seen
    }
    of = {one.seen_id: sorted((g for g in costs if one.seen_id in g), key=lambda g: costs[g]) for one in seen}
    found: list[tuple[float, _Way]] = []
    best = math.inf
    looked = 0

    def search(left: tuple[str, ...], way: _Way, cost: float) -> Iterator[tuple[float, _Way]]:
        nonlocal looked, best
        looked += 1
        bound = cost + sum(share[name] for name in left) - _STAY * len(so_far)
        if bound > best + _MARGIN or looked > _MAX_WAYS:
            return
        if not left:
            total = cost - _STAY * sum(any(group <= part for part in way) for group in so_far)
            best = min(best, total)
            yield total, way
            return
        for group in of[left[0]]:
            if group <= set(left):
                rest = tuple(name for name in left if name not in group)
                yield from search(rest, (*way, group), cost + costs[group])

    found = list(search(tuple(one.seen_id for one in seen), (), 0.0))
    if looked > _MAX_WAYS:
        return None
    return [way for cost, way in found if cost <= best + _MARGIN]


def _agreed(seen: Sequence[Seen], ways: Sequence[_Way], costs: dict[frozenset[str], float]) -> Division:
    """What all ways join; what only some join is doubtful."""
    blocks: dict[tuple[frozenset[str], ...], set[str]] = {}
    for one in seen:
        key = tuple(next(part for part in way if one.seen_id in part) for way in ways)
        blocks.setdefault(key, set()).add(one.seen_id)
    groups: list[frozenset[str]] = []
    for block in map(frozenset, blocks.values()):
        # Two that only a third made one fire (their own bearings are parallel) are no fire by themselves.
        groups += [block] if block in costs else [frozenset({name}) for name in sorted(block)]
    joined = {pair for way in ways for part in way for pair in _pairs(part)}
    return Division(
        groups=tuple(sorted(groups, key=min)),
        doubtful=frozenset(pair for pair in joined if not any(pair <= group for group in groups)),
    )


def _as_it_was(seen: Sequence[Seen], so_far: Sequence[frozenset[str]]) -> Division:
    alone = {one.seen_id for one in seen}.difference(*so_far)
    return Division(groups=tuple(sorted([*so_far, *(frozenset({name}) for name in alone)], key=min)))


def _pairs(group: frozenset[str]) -> Iterator[frozenset[str]]:
    names = sorted(group)
    return (frozenset({a, b}) for index, a in enumerate(names) for b in names[index + 1 :])


def _name(group: Sequence[Seen]) -> frozenset[str]:
    return frozenset(one.seen_id for one in group)
