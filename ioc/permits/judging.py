"""Whether work that a camera sees is covered by a permit. Pure: the same work and permits, the same rule."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time
from typing import Final, Literal

from ioc.ground import Footprint
from ioc.permits.registry import Permit
from ioc.permits.zones import Zone

__all__ = ["RULES", "Judgement", "Rule", "Work", "judge"]

Rule = Literal[
    "permit_valid",
    "no_permit",
    "permit_revoked",
    "permit_suspended",
    "outside_dates",
    "outside_parcel",
    "too_many_storeys",
    "forbidden_hours",
    "encroachment",
    "private_ground",
]
RULES: Final[tuple[Rule, ...]] = (
    "no_permit",
    "permit_revoked",
    "permit_suspended",
    "outside_dates",
    "outside_parcel",
    "too_many_storeys",
    "forbidden_hours",
    "encroachment",
    "private_ground",
    "permit_valid",
)
"""Every answer, the gravest first; the two of them before the last are of what stands about, not of building."""

_NOT_IN_FORCE: Final[frozenset[Rule]] = frozenset({"permit_revoked", "permit_suspended", "outside_dates"})
_LEAST_OUTSIDE_M2 = 12.0  # a parked lorry or a heap of sand beside the fence
_LEAST_OUTSIDE_SHARE = 0.15  # of the footprint; the picture's outline is no survey


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What was seen: in `zone`, on the local day `on`.

    `footprint` is where it stands on the ground with its error, None where the pose has no ground map; `storeys` the
    least number that is certain; `active_at` the local time of day at which people or machines were seen at work.
    """

    zone: Zone
    on: date
    footprint: Footprint | None = None
    storeys: int | None = None
    active_at: time | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """`rule` is one of `RULES`; `permit_id` the permit that it was judged by, "" where there is none."""

    is_violation: bool
    rule: Rule
    permit_id: str = ""


def judge(work: Work, permits: Iterable[Permit]) -> Judgement:
    """Returns what `permits` (any; those of the zone's parcel count) say of `work`.

    Of the permits in force that day the one that covers most counts: whoever has a permit for the work may do it,
    whatever else was issued. Where none is in force, the one that ends last is named.
    """
    own = [permit for permit in permits if work.zone.parcel_id and permit.parcel_id == work.zone.parcel_id]
    answers = [(_rule(work, permit), permit) for permit in own]
    if not answers:
        return Judgement(is_violation=True, rule="no_permit")
    rule, permit = max(answers, key=_weight)
    return Judgement(is_violation=rule != "permit_valid", rule=rule, permit_id=permit.permit_id)


def _weight(answer: tuple[Rule, Permit]) -> tuple[int, date, str]:
    rule, permit = answer
    return 0 if rule in _NOT_IN_FORCE else RULES.index(rule), permit.valid_to, permit.permit_id


def _rule(work: Work, permit: Permit) -> Rule:
    if permit.status == "revoked":
        return "permit_revoked"
    if permit.status == "suspended":
        return "permit_suspended"
    if not permit.is_valid_on(work.on):
        return "outside_dates"
    if _is_outside(work, permit):
        return "outside_parcel"
    if permit.floors is not None and work.storeys is not None and work.storeys > permit.floors:
        return "too_many_storeys"
    if work.active_at is not None and not work.zone.allows_work_at(work.active_at):
        return "forbidden_hours"
    return "permit_valid"


def _is_outside(work: Work, permit: Permit) -> bool:
    """Whether more of the work stands outside the parcel than the error of the ground map explains."""
    if work.footprint is None or permit.outline is None:
        return False
    outside_m2 = work.footprint.area_outside_m2(permit.outline)
    return outside_m2 > max(_LEAST_OUTSIDE_M2, _LEAST_OUTSIDE_SHARE * work.footprint.area_m2)
