"""A detector over labelled sequences: what it found, how early, and what it raised for nothing.

Definitions. *Detected*: an alarm's box overlaps a labelled box of that frame. *Incident*: alarms at one place, merged
while they are less than 30 minutes apart. *False alarm*: an incident that overlaps no labelled box of the whole
sequence. A positive sequence that has no boxes at all (pairs of construction pictures) counts any alarm as detected.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from detectors.base import BgrImage, Detector, Observation
from detectors.construction import ConstructionDetector, ConstructionThresholds
from detectors.manifest import LabelledFrame, LabelledSequence
from detectors.preprocess import decode_jpeg
from detectors.smoke import SmokeDetector
from ioc.detections import Box
from ioc.errors import InvalidRecord
from ioc.permits import Zone

__all__ = ["EvaluatedName", "Evaluation", "SequenceResult", "evaluate"]

EvaluatedName = Literal["smoke", "construction"]

_MERGE = timedelta(minutes=30)
_START = datetime(2026, 1, 1, tzinfo=UTC)  # sequences carry no times; only differences matter
_WHOLE = Zone(
    zone_id="whole",
    kind="evaluation",
    polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)),
    name_en="whole picture",
)
_SHOWN_TIMES = ConstructionThresholds().pool_frames
_NOTES = {
    "smoke": (),
    "construction": (
        "the first frame of a sequence is the reference and the whole picture is the zone",
        f"in a sequence of two frames the second is shown {_SHOWN_TIMES} times, so that it can persist; alarms count "
        "each showing, and ms_per_frame too",
        "a positive sequence without boxes counts any alarm as detected",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceResult:
    """`first_watch_frame` and `first_alarm_frame` are numbers of the manifest's column `frame`."""

    sequence: str
    site: str
    is_positive: bool
    frames: int
    detected: bool
    first_watch_frame: float | None
    first_alarm_frame: float | None
    first_alarm_correct: bool
    false_alarms: int
    alarms: int
    analysed: int
    hours: float
    seconds: float
    states: dict[str, int]
    unreadable: tuple[tuple[str, str], ...]

    def as_json(self) -> dict[str, object]:
        return {
            "sequence": self.sequence,
            "site": self.site,
            "positive": self.is_positive,
            "frames": self.frames,
            "detected": self.detected,
            "first_watch_frame": _tidy(self.first_watch_frame),
            "first_alarm_frame": _tidy(self.first_alarm_frame),
            "first_alarm_correct": self.first_alarm_correct,
            "false_alarms": self.false_alarms,
            "alarms": self.alarms,
            "states": self.states,
            "unreadable": [{"path": path, "reason": reason} for path, reason in self.unreadable],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The answer of `ioc evaluate`."""

    detector: str
    version: str
    sequences: tuple[SequenceResult, ...]
    notes: tuple[str, ...]

    def totals(self) -> dict[str, int | float]:
        positive = [result for result in self.sequences if result.is_positive]
        negative = [result for result in self.sequences if not result.is_positive]
        hours = sum(result.hours for result in self.sequences)
        analysed = sum(result.analysed for result in self.sequences)
        false_alarms = sum(result.false_alarms for result in self.sequences)
        return {
            "positive": len(positive),
            "detected": sum(result.detected for result in positive),
            "first_alarm_correct": sum(result.first_alarm_correct for result in positive),
            "negative": len(negative),
            "negative_alarmed": sum(result.alarms > 0 for result in negative),
            "false_alarms": false_alarms,
            "false_alarms_per_camera_hour": round(false_alarms / hours, 4) if hours else 0.0,
            "camera_hours": round(hours, 3),
            "ms_per_frame": round(1000 * sum(r.seconds for r in self.sequences) / analysed, 3) if analysed else 0.0,
            "unreadable": sum(len(result.unreadable) for result in self.sequences),
        }

    def as_json(self) -> dict[str, object]:
        return {
            "detector": self.detector,
            "version": self.version,
            "sequences": [result.as_json() for result in self.sequences],
            "totals": self.totals(),
            "notes": list(self.notes),
        }


@dataclass(slots=True)
class _Incident:
    alarms: list[tuple[datetime, Box]] = field(default_factory=list)

    def takes(self, at: datetime, box: Box) -> bool:
        return any(at - then < _MERGE and box.overlaps(earlier) for then, earlier in self.alarms)

    def overlaps_any(self, boxes: Sequence[Box]) -> bool:
        return any(box.overlaps(label) for _, box in self.alarms for label in boxes)


def evaluate(
    name: EvaluatedName,
    sequences: Sequence[LabelledSequence],
    *,
    on_frame: Callable[[str], None] = lambda sequence: None,
    timer_s: Callable[[], float] = time.perf_counter,
) -> Evaluation:
    """Returns what detector `name` makes of `sequences`, each with a new instance.

    `on_frame` is told the sequence's name after each of its manifest rows (for a progress bar). An unreadable picture
    is counted and named, and the next one is taken.
    """
    results = tuple(_evaluated(name, sequence, on_frame, timer_s) for sequence in sequences)
    detector = _detector(name, None)
    return Evaluation(detector=name, version=detector.version, sequences=results, notes=_NOTES[name])


def _detector(name: EvaluatedName, reference: BgrImage | None) -> Detector:
    if name == "construction":
        return ConstructionDetector((_WHOLE,), reference=reference)
    return SmokeDetector()


def _evaluated(
    name: EvaluatedName,
    sequence: LabelledSequence,
    on_frame: Callable[[str], None],
    timer_s: Callable[[], float],
) -> SequenceResult:
    tally = _Tally(sequence, name)
    detector: Detector | None = None if name == "construction" else _detector(name, None)
    at = _START
    for frame in sequence.frames:
        started = timer_s()
        image = tally.readable(frame)
        if image is not None and detector is None:
            detector = _detector(name, image)
        elif image is not None and detector is not None:
            for _ in range(_SHOWN_TIMES if name == "construction" and len(sequence.frames) == 2 else 1):
                tally.add(frame, at, detector.observe(image, at))
                at += timedelta(seconds=frame.interval_s)
        tally.seconds += timer_s() - started
        on_frame(sequence.name)
    return tally.result()


class _Tally:
    """Counts one sequence's answers."""

    def __init__(self, sequence: LabelledSequence, label: str) -> None:
        self.sequence = sequence
        self.is_positive = sequence.is_positive(label)
        self.boxes = [box for frame in sequence.frames for box in frame.boxes] if self.is_positive else []
        self.is_boxless = self.is_positive and not self.boxes
        self.seconds = 0.0
        self.analysed = 0
        self.analysed_s = 0.0
        self.alarms = 0
        self.detected = False
        self.first_watch: float | None = None
        self.first_alarm: float | None = None
        self.first_alarm_correct = False
        self.incidents: list[_Incident] = []
        self.states: Counter[str] = Counter()
        self.unreadable: list[tuple[str, str]] = []

    def readable(self, frame: LabelledFrame) -> BgrImage | None:
        try:
            return decode_jpeg(frame.path.read_bytes())
        except InvalidRecord as error:
            self.unreadable.append((str(frame.path), error.reason))
        except OSError as error:
            self.unreadable.append((str(frame.path), error.strerror or "unreadable"))
        return None

    def add(self, frame: LabelledFrame, at: datetime, seen: Observation) -> None:
        self.analysed += 1
        self.analysed_s += frame.interval_s
        self.states[seen.note or seen.state] += 1
        if seen.candidates and self.first_watch is None:
            self.first_watch = frame.number
        alarms = [candidate.box for candidate in seen.candidates if candidate.tier == "alarm"]
        right = [box for box in alarms if self.is_boxless or any(box.overlaps(label) for label in self._labels(frame))]
        if alarms and self.first_alarm is None:
            self.first_alarm = frame.number
            self.first_alarm_correct = bool(right) and right[0] is alarms[0]
        self.detected = self.detected or bool(right)
        self.alarms += len(alarms)
        for box in alarms:
            self._merge(at, box)

    def _labels(self, frame: LabelledFrame) -> Iterator[Box]:
        return iter(frame.boxes if self.is_positive else ())

    def _merge(self, at: datetime, box: Box) -> None:
        incident = next((one for one in self.incidents if one.takes(at, box)), None)
        if incident is None:
            incident = _Incident()
            self.incidents.append(incident)
        incident.alarms.append((at, box))

    def result(self) -> SequenceResult:
        false = 0 if self.is_boxless else sum(not one.overlaps_any(self.boxes) for one in self.incidents)
        return SequenceResult(
            sequence=self.sequence.name,
            site=self.sequence.site,
            is_positive=self.is_positive,
            frames=len(self.sequence.frames),
            detected=self.detected,
            first_watch_frame=self.first_watch,
            first_alarm_frame=self.first_alarm,
            first_alarm_correct=self.first_alarm_correct,
            false_alarms=false,
            alarms=self.alarms,
            analysed=self.analysed,
            hours=self.analysed_s / 3600,
            seconds=self.seconds,
            states=dict(self.states),
            unreadable=tuple(self.unreadable),
        )


def _tidy(number: float | None) -> float | int | None:
    return int(number) if number is not None and math.isclose(number, round(number)) else number
