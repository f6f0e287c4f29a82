"""Two detectors on the same frames: which alerts a switch from the live one to its shadow would gain and lose. Pure.

An alert is what the product makes one incident of: alarms of smoke near one place, with no longer quiet between them
than its kind allows, whoever raised them. It is *kept* where both raise it within ten minutes of each other, *lost*
where only the live one does, *gained* where only the shadow does. What comes later does not count: ten minutes are what
an early warning is worth.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from detectors.base import BgrImage, Detector
from detectors.evaluation.incidents import COOL_DOWN
from ioc.detections import Box
from ioc.incidents import kind_of

__all__ = ["OUTCOMES", "Alert", "AlertLedger", "Comparison", "Mark", "Outcome", "marks_of"]

_SMOKE = kind_of("smoke")

Outcome = Literal["kept", "lost", "gained"]
OUTCOMES: tuple[Outcome, ...] = ("kept", "lost", "gained")

Mark = tuple[Box, float]
"""One alarm on one frame: its box and its score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """`began_at` and `frame` (its name) are of the first alarm, `box` and `score` too; `live_at` and `shadow_at` when
    each raised it, None where it did not in time."""

    pose: str
    outcome: Outcome
    began_at: datetime
    live_at: datetime | None
    shadow_at: datetime | None
    box: Box
    score: float
    frame: str


@dataclass(slots=True, kw_only=True)
class _Place:
    """An alert that goes on."""

    began_at: datetime
    first: Mark
    frame: str
    live_at: datetime | None = None
    shadow_at: datetime | None = None
    is_told: bool = False
    sightings: list[tuple[datetime, Box]] = field(default_factory=list)

    def takes(self, box: Box) -> bool:
        near = box.grown(_SMOKE.reach)
        return any(near.overlaps(earlier) for _, earlier in self.sightings)


class AlertLedger:
    """The alerts of one pose. Frames come in order of time."""

    def __init__(self, pose: str) -> None:
        self._pose = pose
        self._places: list[_Place] = []

    def look(self, at: datetime, live: Iterable[Mark], shadow: Iterable[Mark], frame: Callable[[], str]) -> list[Alert]:
        """Takes the alarms of both on one frame; returns the alerts of which it is known now what became of them.

        `frame` names the frame; it is asked only where an alert begins with it.
        """
        told = self._overdue(at)
        for mark in live:
            place = self._place(at, mark, frame)
            place.live_at = place.live_at or at
        for mark in shadow:
            place = self._place(at, mark, frame)
            place.shadow_at = place.shadow_at or at
        return told + [self._told(one) for one in self._places if not one.is_told and one.live_at and one.shadow_at]

    def end(self) -> list[Alert]:
        """No frame comes any more: returns the alerts that were not told yet."""
        return [self._told(one) for one in self._places if not one.is_told]

    def _overdue(self, at: datetime) -> list[Alert]:
        for place in self._places:
            place.sightings = [one for one in place.sightings if at - one[0] <= _SMOKE.quiet]
        told = [self._told(one) for one in self._places if not one.is_told and at - one.began_at > COOL_DOWN]
        self._places = [one for one in self._places if one.sightings]
        return told

    def _place(self, at: datetime, mark: Mark, frame: Callable[[], str]) -> _Place:
        box, _ = mark
        place = next((one for one in self._places if one.takes(box)), None)
        if place is None:
            place = _Place(began_at=at, first=mark, frame=frame())
            self._places.append(place)
        place.sightings.append((at, box))
        return place

    def _told(self, place: _Place) -> Alert:
        place.is_told = True
        outcome: Outcome = "lost" if place.shadow_at is None else "gained" if place.live_at is None else "kept"
        return Alert(
            pose=self._pose,
            outcome=outcome,
            began_at=place.began_at,
            live_at=place.live_at,
            shadow_at=place.shadow_at,
            box=place.first[0],
            score=place.first[1],
            frame=place.frame,
        )


def marks_of(detector: Detector, image: BgrImage, at: datetime) -> list[Mark]:
    """Returns the alarms that a detector raises on a frame."""
    return [(one.box, one.score) for one in detector.observe(image, at).candidates if one.tier == "alarm"]


@dataclass(slots=True)
class _Pair:
    live: Detector
    shadow: Detector
    ledger: AlertLedger
    last_at: datetime


class Comparison:
    """Shows frames to a live detector and its shadow, of as many poses as come.

    `make` returns both, new, for a pose; after a gap longer than `fresh_after` they begin anew (None: never).
    """

    def __init__(
        self,
        make: Callable[[str], tuple[Detector, Detector]],
        *,
        fresh_after: timedelta | None = None,
        timer_s: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._make, self._fresh_after, self._timer_s = make, fresh_after, timer_s
        self._pairs: dict[str, _Pair] = {}
        self._alerts: list[Alert] = []
        self.frames = 0
        self.live_s = self.shadow_s = 0.0

    @property
    def poses(self) -> int:
        return len(self._pairs)

    def show(self, pose: str, image: BgrImage, at: datetime, frame: Callable[[], str]) -> None:
        """Takes a frame of `pose`, not older than the one before; `frame` as in `AlertLedger.look`."""
        pair = self._pair(pose, at)
        began_s = self._timer_s()
        live = marks_of(pair.live, image, at)
        between_s = self._timer_s()
        shadow = marks_of(pair.shadow, image, at)
        self.live_s += between_s - began_s
        self.shadow_s += self._timer_s() - between_s
        self.frames += 1
        self._alerts += pair.ledger.look(at, live, shadow, frame)

    def _pair(self, pose: str, at: datetime) -> _Pair:
        known = self._pairs.get(pose)
        if known is not None and self._fresh_after is not None and at - known.last_at > self._fresh_after:
            self._alerts += known.ledger.end()
            known = None
        if known is None:
            known = self._pairs[pose] = _Pair(*self._make(pose), AlertLedger(pose), at)
        known.last_at = at
        return known

    def end(self) -> Sequence[Alert]:
        """Returns all alerts, in order of their beginning."""
        for pair in self._pairs.values():
            self._alerts += pair.ledger.end()
        return sorted(self._alerts, key=lambda alert: (alert.began_at, alert.pose))
