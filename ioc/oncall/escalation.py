"""Who comes next when nobody acknowledges. Pure.

A policy is a row of steps: its levels, once more for each repetition, then the fall-back. A step's deadline runs from
the moment its people were told; the fall-back has none.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ioc.oncall_plan import Policy, Target

__all__ = ["Advance", "Step", "advance", "begin", "steps_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Step `number` from 1; `level` is what notices and actions say: it goes on counting over repetitions."""

    number: int
    targets: tuple[Target, ...]
    acknowledge_within: timedelta | None
    is_fallback: bool = False

    @property
    def level(self) -> int:
        return self.number


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """The step that a chain stands at now, whom to tell (of the steps missed too, each target once), and when to look
    again; None: nobody comes after."""

    step: int
    targets: tuple[Target, ...]
    next_due_at: datetime | None
    is_fallback: bool = False


def steps_of(policy: Policy) -> tuple[Step, ...]:
    levels = [level for _ in range(policy.repeat + 1) for level in policy.levels]
    steps = [
        Step(number=number, targets=level.targets, acknowledge_within=level.acknowledge_within)
        for number, level in enumerate(levels, 1)
    ]
    if steps[-1].acknowledge_within is None:
        return tuple(steps)  # nobody comes after a level without a deadline
    return (
        *steps,
        Step(number=len(steps) + 1, targets=policy.fallback, acknowledge_within=None, is_fallback=True),
    )


def begin(policy: Policy, now: datetime) -> Advance:
    """The first step, told `now`."""
    return _standing_at(steps_of(policy), 1, now, ())


def advance(policy: Policy, step: int, due_at: datetime, now: datetime) -> Advance | None:
    """What is due at `now` of a chain at `step`, whose deadline was `due_at`; None: nothing yet, or no more.

    After downtime it goes to the step that is due now. Those of the steps between are told too, each once, and
    everybody has the whole time of the step they are told at: their deadline runs from `now`.
    """
    steps = steps_of(policy)
    if now < due_at or step >= len(steps):
        return None
    missed: list[Target] = []
    at = max(step, 0) + 1
    within = steps[at - 1].acknowledge_within
    while within is not None and due_at + within <= now and at < len(steps):
        missed += steps[at - 1].targets
        due_at += within
        at += 1
        within = steps[at - 1].acknowledge_within
    return _standing_at(steps, at, now, tuple(missed))


def _standing_at(steps: tuple[Step, ...], number: int, now: datetime, missed: tuple[Target, ...]) -> Advance:
    step = steps[number - 1]
    return Advance(
        step=number,
        targets=tuple(dict.fromkeys((*step.targets, *missed))),
        next_due_at=now + step.acknowledge_within if step.acknowledge_within is not None else None,
        is_fallback=step.is_fallback,
    )
