"""What another threshold would have done. Pure.

The answers of one run are judged again, with every candidate of at least a score taken for an alarm. A run with that
threshold in the detector itself can differ a little: hysteresis and what is held out of the background follow it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from detectors.evaluation.scoring import Run, scored, totals_of

__all__ = ["SCORES", "Operating", "sweep"]

SCORES = tuple(round(0.05 * step, 2) for step in range(1, 20))


@dataclass(frozen=True, slots=True, kw_only=True)
class Operating:
    """What alarms at `score` and more would have given."""

    score: float
    detected: int
    negative_alarmed: int
    false_alarms: int
    false_alarms_per_camera_hour: float
    told_again_per_camera_hour: float
    median_frames_to_alarm: float | None

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def sweep(runs: Sequence[Run], scores: Sequence[float] = SCORES) -> list[Operating]:
    """Returns one row a score, in their order."""
    return [_at(runs, score) for score in scores]


def _at(runs: Sequence[Run], score: float) -> Operating:
    results = [scored(run, alarm_score=score) for run in runs]
    totals = totals_of(results)
    waits = sorted(r.alarm.frames_to for r in results if r.is_positive and r.alarm.frames_to is not None)
    return Operating(
        score=score,
        detected=int(totals["detected"]),
        negative_alarmed=int(totals["negative_alarmed"]),
        false_alarms=int(totals["false_alarms"]),
        false_alarms_per_camera_hour=float(totals["false_alarms_per_camera_hour"]),
        told_again_per_camera_hour=float(totals["false_alarms_told_again_per_camera_hour"]),
        median_frames_to_alarm=float(waits[len(waits) // 2]) if waits else None,
    )
