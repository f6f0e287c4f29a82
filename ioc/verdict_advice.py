"""What people's verdicts say of the detectors: how often each pose was right, and where the same mistake comes back.

Pure. Counts are small, so every share comes with its 95 % interval (Wilson), and nothing is proposed from fewer cases
than `LEAST`. Advice is for a person to judge: nothing here changes a threshold or a mask.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ioc.detections import Box

__all__ = ["LEAST", "Advice", "Judged", "Tally", "advise", "tally_by"]

LEAST = 3
"""False alarms at one place that make a pattern."""
LEAST_SCORED = 5
"""Of both true and false ones, before a threshold is proposed."""
_NEAR = 0.08  # of the picture: boxes whose middles are closer than this are of one place
_MARGIN = 0.01
_Z = 1.96

Said = Literal["true_positive", "false_positive", "other_smoke", "unsure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An incident and its last verdict. `hour`: local, of its first frame; `score`: its peak."""

    incident_id: str
    kind: str
    camera_id: str
    pose_id: str
    hour: int
    score: float
    box: Box
    verdict: Said


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Verdicts of one group. Precision is true / (true + false): other smoke and doubt say nothing of it."""

    true: int
    false: int
    other: int
    unsure: int

    @property
    def precision(self) -> float | None:
        decided = self.true + self.false
        return self.true / decided if decided else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the precision; (0, 1) where nothing was decided."""
        n = self.true + self.false
        if not n:
            return 0.0, 1.0
        share = self.true / n
        middle = share + _Z**2 / (2 * n)
        half = _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
        scale = 1 + _Z**2 / n
        return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """A proposal for one kind at one pose: a mask around `box`, or `threshold` on the peak score.

    `false`: false alarms that it would have spared, of `all_false`. It would have lost no alarm that is known to be
    real: else it is not proposed. `hours`: when the false ones were.
    """

    what: Literal["mask", "threshold"]
    kind: str
    camera_id: str
    pose_id: str
    false: int
    all_false: int
    box: Box | None = None
    threshold: float | None = None
    hours: tuple[int, ...] = ()


def tally_by(judged: Iterable[Judged], *names: str) -> dict[tuple[str | int, ...], Tally]:
    """Returns the verdicts by the named fields of `Judged`, in the order of their values."""
    groups: dict[tuple[str | int, ...], list[Said]] = {}
    for one in judged:
        groups.setdefault(tuple(getattr(one, name) for name in names), []).append(one.verdict)
    return {
        group: Tally(
            true=said.count("true_positive"),
            false=said.count("false_positive"),
            other=said.count("other_smoke"),
            unsure=said.count("unsure"),
        )
        for group, said in sorted(groups.items())
    }


def advise(judged: Iterable[Judged]) -> list[Advice]:
    """Returns proposals, those that would have spared most first."""
    poses: dict[tuple[str, str, str], list[Judged]] = {}
    for one in judged:
        poses.setdefault((one.kind, one.camera_id, one.pose_id), []).append(one)
    found = [advice for of_pose in poses.values() for advice in (*_masks(of_pose), *_thresholds(of_pose))]
    return sorted(found, key=lambda advice: (-advice.false, advice.camera_id, advice.pose_id, advice.what))


def _masks(of_pose: Sequence[Judged]) -> list[Advice]:
    false = [one for one in of_pose if one.verdict == "false_positive"]
    real = [one for one in of_pose if one.verdict in ("true_positive", "other_smoke")]
    left, found = list(false), []
    while left:
        place = max(([other for other in left if _is_near(one, other)] for one in left), key=len)
        if len(place) < LEAST:
            break
        box = _around(place)
        if not any(_covers(box, one.box) for one in real):  # a mask that hides what was real once is no cure
            hours = tuple(sorted({one.hour for one in place}))
            found.append(_advice("mask", place, len(false), box=box, hours=hours))
        left = [one for one in left if one not in place]
    return found


def _thresholds(of_pose: Sequence[Judged]) -> list[Advice]:
    """The lowest real score, where false ones lie below it: it would have lost none of what is known to be real."""
    false = [one for one in of_pose if one.verdict == "false_positive"]
    real = [one.score for one in of_pose if one.verdict in ("true_positive", "other_smoke")]
    if len(false) < LEAST_SCORED or len(real) < LEAST_SCORED:
        return []
    spared = [one for one in false if one.score < min(real)]
    if len(spared) < LEAST:
        return []
    return [_advice("threshold", spared, len(false), threshold=math.floor(min(real) * 100) / 100)]


def _advice(
    what: Literal["mask", "threshold"],
    spared: Sequence[Judged],
    all_false: int,
    *,
    box: Box | None = None,
    threshold: float | None = None,
    hours: tuple[int, ...] = (),
) -> Advice:
    one = spared[0]
    return Advice(
        what=what,
        kind=one.kind,
        camera_id=one.camera_id,
        pose_id=one.pose_id,
        false=len(spared),
        all_false=all_false,
        box=box,
        threshold=threshold,
        hours=hours,
    )


def _is_near(one: Judged, other: Judged) -> bool:
    return abs(one.box.cx - other.box.cx) <= _NEAR and abs(one.box.cy - other.box.cy) <= _NEAR


def _around(place: Sequence[Judged]) -> Box:
    edges = [one.box.edges for one in place]
    left, top = (max(0.0, min(edge[side] for edge in edges) - _MARGIN) for side in (0, 1))
    right, bottom = (min(1.0, max(edge[side] for edge in edges) + _MARGIN) for side in (2, 3))
    return Box.from_edges(left, top, right, bottom)


def _covers(mask: Box, box: Box) -> bool:
    left, top, right, bottom = mask.edges
    return left <= box.cx <= right and top <= box.cy <= bottom
