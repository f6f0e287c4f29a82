"""Dossiers and citizens' reports as they come in: lives that have begun, and their next steps."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from ioc.simulate.lives import LOCAL, Life, Step, plan_dossier, plan_report

__all__ = ["Inflow"]

_DOSSIER_SHARE = 0.72  # of new lives; the rest are citizen reports
_OPEN_ENOUGH = 300  # open dossiers and reports: below it most events begin a new one


class Inflow:
    """The lives of one run; `run` is part of their ids."""

    def __init__(self, rng: Random, *, run: str, start: datetime, units: Sequence[str]) -> None:
        self._rng, self._run, self._start, self._units = rng, run, start, units
        self._open: list[Life] = []
        self._count = 0

    def _moment(self, begin: datetime) -> datetime:
        """When a citizen submits: mostly in office hours, sometimes in the evening, now and then at midnight sharp."""
        rng = self._rng
        day = (
            (begin + (self._start - begin) * rng.random())
            .astimezone(LOCAL)
            .replace(hour=0, minute=0, second=0, microsecond=0)
        )
        draw = rng.random()
        if draw < 0.005:
            seconds = 0.0
        elif draw < 0.01:
            seconds = 86_399.999
        else:
            seconds = rng.triangular(0, 86_399, 34_000) if draw < 0.2 else rng.uniform(27_000, 61_200)
        moment = (day + timedelta(seconds=seconds)).astimezone(UTC)
        return moment if begin <= moment <= self._start else begin + (self._start - begin) * rng.random()

    def past_steps(self, days: int, count: int) -> list[Step]:
        """`count` steps of enough lives before the start; what lies after the start stays open."""
        steps: list[Step] = []
        begin = self._start - timedelta(days=max(days, 1))
        while len(steps) < count:
            life = self._new_life(self._moment(begin))
            past = [step for step in life.steps if step.at <= self._start][: count - len(steps)]
            life.steps = life.steps[len(past) :]
            steps += past
            if life.steps:
                self._open.append(life)
        return steps

    def _new_life(self, at: datetime) -> Life:
        self._count += 1
        tail = f"{self._run}-{self._count:06d}"
        if self._rng.random() < _DOSSIER_SHARE:
            return plan_dossier(self._rng, tail, at, self._units)
        return plan_report(self._rng, f"pa-{tail}", at, self._units)

    def advance(self, at: datetime) -> Step:
        """Something new is submitted, or something open takes its next step (the day's pace is compressed)."""
        wanted = 0.6 if len(self._open) < _OPEN_ENOUGH else 0.15
        if not self._open or self._rng.random() < wanted:
            life = self._new_life(at)
        else:
            place = self._rng.randrange(len(self._open))
            self._open[place], self._open[-1] = self._open[-1], self._open[place]
            life = self._open.pop()
        step = life.steps.pop(0)
        if life.steps:
            self._open.append(life)
        return replace(step, at=at)
