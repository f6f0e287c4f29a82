"""Whether an alert was of something real: by what people labelled, or by their verdicts on incidents. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from detectors.evaluation.comparing import Alert
from detectors.manifest import LabelledSequence
from ioc.detections import Box
from ioc.incidents import Incident, kind_of

__all__ = ["TRUTHS", "Truth", "TruthOf", "by_labels", "by_verdicts", "nobody_knows"]

Truth = Literal["real", "false", "other", "unknown"]
"""`other`: smoke, but none to call for."""
TRUTHS: tuple[Truth, ...] = ("real", "false", "other", "unknown")
TruthOf = Callable[[Alert], Truth]

_OF_VERDICT: Mapping[str, Truth] = {"true_positive": "real", "false_positive": "false", "other_smoke": "other"}


def nobody_knows(alert: Alert) -> Truth:
    return "unknown"


def by_labels(sequences: Iterable[LabelledSequence], label: str) -> TruthOf:
    """Real where it lies on a labelled box of its sequence; a sequence that is positive without boxes is real."""
    boxes = {
        sequence.name: [box for frame in sequence.frames for box in frame.boxes]
        for sequence in sequences
        if sequence.is_positive(label)
    }

    def truth(alert: Alert) -> Truth:
        labelled = boxes.get(alert.pose)
        if labelled is None:
            return "false"
        return "real" if not labelled or any(alert.box.overlaps(box) for box in labelled) else "false"

    return truth


def by_verdicts(incidents: Iterable[Incident], verdicts: Mapping[str, str], kind: str) -> TruthOf:
    """The verdict on the incident that was at that place of that pose then."""
    quiet, reach = kind_of(kind).quiet, kind_of(kind).reach
    judged = [incident for incident in incidents if incident.kind == kind and verdicts.get(incident.incident_id)]

    def truth(alert: Alert) -> Truth:
        for incident in judged:
            is_then = incident.first_frame_at - quiet <= alert.began_at <= incident.last_seen_at + quiet
            if is_then and any(alert.box.overlaps(box.grown(reach)) for box in _boxes(incident, alert.pose)):
                return _OF_VERDICT.get(verdicts[incident.incident_id], "unknown")
        return "unknown"

    return truth


def _boxes(incident: Incident, pose: str) -> list[Box]:
    """Where a pose (`camera_id:pose_id`) saw it."""
    found = [one.box for one in incident.sightings if f"{one.camera_id}:{one.pose_id}" == pose]
    if f"{incident.camera_id}:{incident.pose_id}" == pose:
        found.append(incident.box)
    return found
