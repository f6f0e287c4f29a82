"""How long after smoke begins it is seen, where the beginning is known. Pure.

Frames are counted from the onset, the first frame with smoke that a person would point at: the frame right after it is
1. What was raised before it, or away from the smoke after it, is false, wherever it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from detectors.evaluation.incidents import Sighting, false_incidents, told_again
from detectors.evaluation.scoring import Look

__all__ = ["OnsetResult", "onset_result", "share_within"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnsetResult:
    """`watch_after` and `alarm_after` count frames after the onset; None where it was never seen."""

    name: str
    site: str
    watch_after: int | None
    alarm_after: int | None
    false_alarms: int
    false_watch_items: int
    told_again: int
    hours: float


def onset_result(name: str, site: str, looks: Sequence[Look], onset: int | None) -> OnsetResult:
    """Returns what was seen of one fire whose smoke begins on `looks[onset]`; `onset` None: nothing burns."""
    before = looks if onset is None else looks[:onset]
    after = () if onset is None else looks[onset:]
    labels: list[Sighting] = [(look.at, box) for look in after for box in look.labels]
    places = [box for _, box in labels]
    early, late = _sightings(before, is_alarm=True), _sightings(after, is_alarm=True)
    early_watch, late_watch = _sightings(before, is_alarm=False), _sightings(after, is_alarm=False)
    return OnsetResult(
        name=name,
        site=site,
        watch_after=_first_right(after, is_alarm=False),
        alarm_after=_first_right(after, is_alarm=True),
        false_alarms=len(false_incidents(early, ())) + len(false_incidents(late, places)),
        false_watch_items=len(false_incidents(early_watch, ())) + len(false_incidents(late_watch, places)),
        told_again=told_again(early, ()) + told_again(late, labels),
        hours=sum(look.interval_s for look in looks) / 3600,
    )


def share_within(results: Sequence[OnsetResult], *, watch: int, alarm: int) -> float:
    """Returns the share of fires (0–1) with a watch item at most `watch` and an alarm at most `alarm` frames after."""
    seen = [
        result.watch_after is not None
        and result.watch_after <= watch
        and result.alarm_after is not None
        and result.alarm_after <= alarm
        for result in results
    ]
    return sum(seen) / len(seen) if seen else 0.0


def _sightings(looks: Sequence[Look], *, is_alarm: bool) -> list[Sighting]:
    return [(look.at, c.box) for look in looks for c in look.seen.candidates if c.tier == "alarm" or not is_alarm]


def _first_right(looks: Sequence[Look], *, is_alarm: bool) -> int | None:
    for index, look in enumerate(looks):
        for candidate in look.seen.candidates:
            is_counted = candidate.tier == "alarm" or not is_alarm
            if is_counted and any(candidate.box.overlaps(label) for label in look.labels):
                return index
    return None
