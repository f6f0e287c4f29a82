"""What a detector's answers to one labelled sequence are worth. Pure: answers in, counts out.

Definitions. *Detected*: an alarm's box overlaps a labelled box of that frame. *False alarm*: an incident of alarms
(see `false_incidents`) that overlaps no labelled box of the whole sequence. *Watch* figures are the same of everything
that was shown, watch item or alarm: an alarm is on the wall too. A positive sequence that has no boxes at all (pairs of
construction pictures) counts any alarm as detected and none as false.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from detectors.base import Candidate, Observation
from detectors.evaluation.incidents import Sighting, false_incidents, told_again
from ioc.detections import Box

__all__ = ["Evaluation", "Look", "Run", "SequenceResult", "TierResult", "scored", "totals_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One frame and the answer to it. `number` is the manifest's column `frame`; `labels` what it should have found."""

    number: float
    at: datetime
    interval_s: float
    labels: tuple[Box, ...]
    seen: Observation


@dataclass(slots=True, kw_only=True)
class Run:
    """One sequence shown to one detector. `frames` counts the manifest's rows, `looks` what was really analysed."""

    sequence: str
    site: str
    is_positive: bool
    frames: int
    model: str = ""
    looks: list[Look] = field(default_factory=list)
    seconds: float = 0.0
    unreadable: list[tuple[str, str]] = field(default_factory=list)

    @property
    def hours(self) -> float:
        return sum(look.interval_s for look in self.looks) / 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class TierResult:
    """One tier. `first` is a frame number; `frames_to` counts frames from the first labelled one to the first that is
    right, which is 1 where it is the same frame, None where there is none."""

    detected: bool
    first: float | None
    frames_to: int | None
    is_first_right: bool
    false: int
    told_again: int
    boxes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceResult:
    sequence: str
    site: str
    model: str
    is_positive: bool
    frames: int
    watch: TierResult
    alarm: TierResult
    analysed: int
    hours: float
    seconds: float
    states: Mapping[str, int]
    rejected: Mapping[str, int]
    unreadable: tuple[tuple[str, str], ...]

    def as_json(self) -> dict[str, object]:
        return {
            "sequence": self.sequence,
            "site": self.site,
            **({"model": self.model} if self.model else {}),
            "positive": self.is_positive,
            "frames": self.frames,
            "detected": self.alarm.detected,
            "first_watch_frame": _tidy(self.watch.first),
            "first_alarm_frame": _tidy(self.alarm.first),
            "first_alarm_correct": self.alarm.is_first_right,
            "false_alarms": self.alarm.false,
            "alarms": self.alarm.boxes,
            "false_alarms_told_again": self.alarm.told_again,
            "frames_to_alarm": self.alarm.frames_to,
            "watch_detected": self.watch.detected,
            "false_watch_items": self.watch.false,
            "frames_to_watch": self.watch.frames_to,
            "states": dict(self.states),
            "rejected": dict(self.rejected),
            "unreadable": [{"path": path, "reason": reason} for path, reason in self.unreadable],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The answer of `ioc evaluate`."""

    detector: str
    version: str
    runs: tuple[Run, ...]
    notes: tuple[str, ...] = ()

    @property
    def sequences(self) -> tuple[SequenceResult, ...]:
        return tuple(scored(run) for run in self.runs)

    def totals(self) -> dict[str, int | float]:
        return totals_of(self.sequences)

    def as_json(self) -> dict[str, object]:
        sequences = self.sequences
        return {
            "detector": self.detector,
            "version": self.version,
            "sequences": [result.as_json() for result in sequences],
            "totals": totals_of(sequences),
            "notes": list(self.notes),
        }


def scored(run: Run, *, alarm_score: float | None = None) -> SequenceResult:
    """Returns the figures of one run; with `alarm_score` as if every candidate of that score or more were an alarm."""

    def is_alarm(candidate: Candidate) -> bool:
        return candidate.tier == "alarm" if alarm_score is None else candidate.score >= alarm_score

    rejected: Counter[str] = Counter()
    for look in run.looks:
        rejected.update(look.seen.rejected)
    return SequenceResult(
        sequence=run.sequence,
        site=run.site,
        model=run.model,
        is_positive=run.is_positive,
        frames=run.frames,
        watch=_tier(run, lambda _: True),
        alarm=_tier(run, is_alarm),
        analysed=len(run.looks),
        hours=run.hours,
        seconds=run.seconds,
        states=dict(Counter(look.seen.note or look.seen.state for look in run.looks)),
        rejected=dict(rejected),
        unreadable=tuple(run.unreadable),
    )


def totals_of(results: Sequence[SequenceResult]) -> dict[str, int | float]:
    """Returns the sums over sequences; rates are per camera-hour of frames that were analysed."""
    positive = [result for result in results if result.is_positive]
    negative = [result for result in results if not result.is_positive]
    hours = sum(result.hours for result in results)
    analysed = sum(result.analysed for result in results)
    false = {
        "false_alarms": sum(result.alarm.false for result in results),
        "false_alarms_told_again": sum(result.alarm.told_again for result in results),
        "false_watch_items": sum(result.watch.false for result in results),
    }
    return {
        "positive": len(positive),
        "detected": sum(result.alarm.detected for result in positive),
        "watch_detected": sum(result.watch.detected for result in positive),
        "first_alarm_correct": sum(result.alarm.is_first_right for result in positive),
        "negative": len(negative),
        "negative_alarmed": sum(result.alarm.boxes > 0 for result in negative),
        "negative_watched": sum(result.watch.boxes > 0 for result in negative),
        **false,
        **{f"{name}_per_camera_hour": round(count / hours, 4) if hours else 0.0 for name, count in false.items()},
        "camera_hours": round(hours, 3),
        "ms_per_frame": round(1000 * sum(r.seconds for r in results) / analysed, 3) if analysed else 0.0,
        "unreadable": sum(len(result.unreadable) for result in results),
    }


def _tier(run: Run, counts: Callable[[Candidate], bool]) -> TierResult:
    boxes_of = [tuple(c.box for c in look.seen.candidates if counts(c)) for look in run.looks]
    labels: list[Sighting] = [(look.at, box) for look in run.looks for box in look.labels]
    sightings = [(look.at, box) for look, boxes in zip(run.looks, boxes_of, strict=True) for box in boxes]
    is_boxless = run.is_positive and not labels
    right = [
        [box for box in boxes if is_boxless or any(box.overlaps(label) for label in look.labels)]
        for look, boxes in zip(run.looks, boxes_of, strict=True)
    ]
    first = next((index for index, boxes in enumerate(boxes_of) if boxes), None)
    first_right = next((index for index, boxes in enumerate(right) if boxes), None)
    begins = next((index for index, look in enumerate(run.looks) if look.labels), 0)
    return TierResult(
        detected=first_right is not None,
        first=None if first is None else run.looks[first].number,
        frames_to=None if first_right is None else first_right - begins + 1,
        is_first_right=first is not None and bool(right[first]) and right[first][0] is boxes_of[first][0],
        false=0 if is_boxless else len(false_incidents(sightings, [box for _, box in labels])),
        told_again=0 if is_boxless else told_again(sightings, labels),
        boxes=len(sightings),
    )


def _tidy(number: float | None) -> float | int | None:
    return int(number) if number is not None and math.isclose(number, round(number)) else number
