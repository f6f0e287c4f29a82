"""Sightings over time become incidents, and incidents that no label explains are false. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ioc.detections import Box

__all__ = ["COOL_DOWN", "MERGE", "Sighting", "false_incidents", "told_again"]

MERGE = timedelta(minutes=30)
COOL_DOWN = timedelta(minutes=10)
_POINTS = 16  # a box this many times a label's area points at nothing any more

Sighting = tuple[datetime, Box]


@dataclass(slots=True)
class _Incident:
    sightings: list[Sighting] = field(default_factory=list)

    def takes(self, at: datetime, box: Box) -> bool:
        return any(at - then < MERGE and box.overlaps(earlier) for then, earlier in self.sightings)

    def overlaps_any(self, boxes: Sequence[Box]) -> bool:
        return any(box.overlaps(label) for _, box in self.sightings for label in boxes)


def false_incidents(sightings: Iterable[Sighting], labels: Sequence[Box]) -> list[datetime]:
    """Returns when each incident began that overlaps none of `labels`, the boxes of the whole sequence.

    An incident is sightings at one place, merged while they are less than 30 minutes apart. The count saturates: who
    alarms everywhere all the time has one incident, and where something burns it is a true one. See `told_again`.
    """
    incidents: list[_Incident] = []
    for at, box in sightings:
        incident = next((one for one in incidents if one.takes(at, box)), None)
        if incident is None:
            incident = _Incident()
            incidents.append(incident)
        incident.sightings.append((at, box))
    return [one.sightings[0][0] for one in incidents if not one.overlaps_any(labels)]


def told_again(sightings: Iterable[Sighting], labels: Sequence[Sighting]) -> int:
    """Returns how often an operator would be told of nothing, if told again every 10 minutes while it lasts.

    Stricter than `false_incidents`, and it does not saturate: a sighting is right only where it overlaps a label of a
    frame at most 10 minutes away that is not 16 times smaller, a place is where its first box was (no chain of boxes
    wanders over the picture), and every 10 minutes a place counts anew.
    """
    told: list[Sighting] = []
    for at, box in sightings:
        if any(abs(at - then) <= COOL_DOWN and _points_at(box, label) for then, label in labels):
            continue
        if not any(at - then < COOL_DOWN and box.overlaps(earlier) for then, earlier in told):
            told.append((at, box))
    return len(told)


def _points_at(box: Box, label: Box) -> bool:
    return box.overlaps(label) and box.w * box.h <= _POINTS * label.w * label.h
