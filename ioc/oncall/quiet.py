"""When not to call people yet: maintenance, quiet hours, cooldown and flap damping. Pure.

Nothing here hides anything from the inbox, or for good: what is held is told at the hold's end if it is still open.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ioc.oncall.routing import Facts, is_among, span_end
from ioc.oncall_plan import Maintenance, Plan

__all__ = ["Hold", "HoldReason", "hold_of"]

HoldReason = Literal["maintenance", "quiet_hours", "cooldown", "flapping"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Nobody is called before `until`. `detail` is the reason that the catalogue gives for a maintenance."""

    until: datetime
    reason: HoldReason
    detail: str = ""


def hold_of(
    plan: Plan,
    facts: Facts,
    at: datetime,
    *,
    opened_at: Sequence[datetime] = (),
    told_at: datetime | None = None,
    place_told_at: datetime | None = None,
) -> Hold | None:
    """Returns why people are not called about the incident at `at`, the longest hold first; None: call them.

    `opened_at`: when it opened, this time too. `told_at`: when a notice of it was really sent last; `place_told_at`:
    one of the same kind at the same place. A notice that never left starts no cooldown and damps nothing.
    """
    holds = [
        *(
            Hold(until=window.ends_at, reason="maintenance", detail=window.reason)
            for window in plan.maintenance
            if _covers(window, facts, at)
        ),
        *_quiet(plan, facts, at),
        *_cooldown(plan, facts, at, place_told_at),
        *_flapping(plan, at, opened_at, told_at),
    ]
    return max(holds, key=lambda hold: hold.until, default=None)


def _covers(window: Maintenance, facts: Facts, at: datetime) -> bool:
    return (
        window.begins_at <= at < window.ends_at
        and is_among(facts.unit, window.units)
        and is_among(facts.kind, window.kinds)
        and (not window.cameras or facts.camera_id in window.cameras)
    )


def _quiet(plan: Plan, facts: Facts, at: datetime) -> list[Hold]:
    if facts.severity == "critical":
        return []
    ends = [span_end(quiet.hours, at) for quiet in plan.quiet_hours if facts.severity in quiet.severities]
    return [Hold(until=end, reason="quiet_hours") for end in ends if end is not None]


def _cooldown(plan: Plan, facts: Facts, at: datetime, place_told_at: datetime | None) -> list[Hold]:
    length = plan.cooldown.get(facts.severity)
    if length is None or place_told_at is None or at >= place_told_at + length:
        return []
    return [Hold(until=place_told_at + length, reason="cooldown")]


def _flapping(plan: Plan, at: datetime, opened_at: Sequence[datetime], told_at: datetime | None) -> list[Hold]:
    """Only what people have been told of already can be damped."""
    recent = sum(at - plan.flaps.within < moment <= at for moment in opened_at)
    if told_at is None or recent < plan.flaps.count or at >= told_at + plan.flaps.within:
        return []
    return [Hold(until=told_at + plan.flaps.within, reason="flapping")]
