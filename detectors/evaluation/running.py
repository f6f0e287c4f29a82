"""Shows labelled sequences to a detector, each to a new instance, and keeps its answers."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from detectors.base import BgrImage, Detector, Observation
from detectors.construction import ConstructionDetector, ConstructionThresholds
from detectors.evaluation.scoring import Evaluation, Look, Run
from detectors.manifest import LabelledFrame, LabelledSequence
from detectors.preprocess import decode_jpeg
from detectors.smoke import SmokeDetector
from ioc.detections import Box
from ioc.errors import InvalidRecord
from ioc.permits import Zone

__all__ = ["EvaluatedName", "MakeSmoke", "Witness", "evaluate"]

EvaluatedName = Literal["smoke", "construction"]
MakeSmoke = Callable[[str], tuple[str, Detector]]
"""Of a site, the name of the model that judges it and a new detector."""
Witness = Callable[[Run, Look, BgrImage, Detector], object]
"""Is shown every frame with the answer to it, right after it was given."""

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


def evaluate(
    name: EvaluatedName,
    sequences: Sequence[LabelledSequence],
    *,
    make_smoke: MakeSmoke = lambda site: ("", SmokeDetector()),
    on_frame: Callable[[str], object] = lambda sequence: None,
    witness: Witness = lambda run, look, image, detector: None,
    timer_s: Callable[[], float] = time.perf_counter,
) -> Evaluation:
    """Returns what detector `name` makes of `sequences`.

    `on_frame` is told the sequence's name after each of its manifest rows (for a progress bar). An unreadable picture
    is counted and named, and the next one is taken.
    """
    runs = []
    for sequence in sequences:
        one = _Showing(name, sequence, make_smoke, witness, timer_s)
        for frame in sequence.frames:
            one.show(frame)
            on_frame(sequence.name)
        runs.append(one.run)
    version = (ConstructionDetector((_WHOLE,)) if name == "construction" else make_smoke("")[1]).version
    return Evaluation(detector=name, version=version, runs=tuple(runs), notes=_NOTES[name])


class _Showing:
    """One sequence in front of one detector."""

    def __init__(
        self,
        name: EvaluatedName,
        sequence: LabelledSequence,
        make_smoke: MakeSmoke,
        witness: Witness,
        timer_s: Callable[[], float],
    ) -> None:
        is_positive = sequence.is_positive(name)
        self.run = Run(sequence=sequence.name, site=sequence.site, is_positive=is_positive, frames=len(sequence.frames))
        self._witness, self._timer_s = witness, timer_s
        self._at = _START
        self._detector: Detector | None = None
        self._times = 1
        if name == "construction":
            self._times = _SHOWN_TIMES if len(sequence.frames) == 2 else 1
        else:
            self.run.model, self._detector = make_smoke(sequence.site)

    def show(self, frame: LabelledFrame) -> None:
        started = self._timer_s()
        image = self._readable(frame)
        if image is not None and self._detector is None:
            self._detector = ConstructionDetector((_WHOLE,), reference=image)
            image = None
        self.run.seconds += self._timer_s() - started
        for _ in range(self._times if image is not None else 0):
            assert image is not None
            assert self._detector is not None
            started = self._timer_s()
            seen = self._detector.observe(image, self._at)
            self.run.seconds += self._timer_s() - started
            look = self._look(frame, seen)
            self.run.looks.append(look)
            self._witness(self.run, look, image, self._detector)
            self._at += timedelta(seconds=frame.interval_s)

    def _look(self, frame: LabelledFrame, seen: Observation) -> Look:
        labels: tuple[Box, ...] = frame.boxes if self.run.is_positive else ()
        return Look(number=frame.number, at=self._at, interval_s=frame.interval_s, labels=labels, seen=seen)

    def _readable(self, frame: LabelledFrame) -> BgrImage | None:
        try:
            return decode_jpeg(frame.path.read_bytes())
        except InvalidRecord as error:
            self.run.unreadable.append((str(frame.path), error.reason))
        except OSError as error:
            self.run.unreadable.append((str(frame.path), error.strerror or "unreadable"))
        return None
