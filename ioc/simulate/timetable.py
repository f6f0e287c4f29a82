"""Who reports when in the live part: turns that come due one after another."""

from collections.abc import Callable, Sequence
from datetime import datetime

from ioc.simulate.envelopes import SimulatedEvent
from ioc.simulate.lives import LOCAL

__all__ = ["Turn", "night_factor", "stretch_of"]

_NIGHT = 6.0


class Turn:
    """One kind of report on the timetable; `step_s` lies between two of them, times `slowness` of the moment.

    `make` is called with how many were made before, and the time.
    """

    def __init__(
        self,
        *,
        make: Callable[[int, datetime], SimulatedEvent],
        step_s: float,
        due_s: float,
        slowness: Callable[[datetime], float] | None = None,
        may_be_late: bool = False,
    ) -> None:
        self._make, self._slowness = make, slowness
        self._number = 0
        self.may_be_late = may_be_late
        self.step_s, self.due_s = step_s, due_s

    def report(self, at: datetime) -> SimulatedEvent:
        event = self._make(self._number, at)
        self._number += 1
        self.due_s += self.step_s * (self._slowness(at) if self._slowness is not None else 1.0)
        return event


def night_factor(at: datetime) -> float:
    """1 from seven to six in the evening, local time; offices are slow outside these hours."""
    return 1.0 if 7 <= at.astimezone(LOCAL).hour < 18 else _NIGHT


def stretch_of(turns: Sequence[Turn], allowed_per_s: float) -> float:
    """By what factor every period must grow so that the turns together make at most `allowed_per_s` reports."""
    return max(1.0, sum(1 / turn.step_s for turn in turns) / allowed_per_s)
