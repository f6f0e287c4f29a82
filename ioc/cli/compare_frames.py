"""Frames to compare two detectors on: a manifest, a folder, or what is kept of incidents."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from detectors.manifest import LabelledSequence
from ioc.adapters.case_stills import CaseStill, CaseStills
from ioc.adapters.evidence import EvidenceStore, evidence_reference
from ioc.adapters.recent_stills import pose_folder, still_time
from ioc.errors import ConfigurationError, InvalidRecord
from ioc.incidents import Incident

__all__ = ["Still", "case_stills", "folder_stills", "manifest_stills", "of_cases", "of_folder"]

_START = datetime(2026, 1, 1, tzinfo=UTC)  # where pictures carry no times, only differences matter


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """`pose` as `camera_id:pose_id` where that is known; `jpeg` None where the picture is gone."""

    pose: str
    at: datetime
    name: str
    jpeg: bytes | None


def manifest_stills(sequences: Sequence[LabelledSequence]) -> Iterator[Still]:
    """Yields the pictures of labelled sequences; each is a pose of its own."""
    for sequence in sequences:
        at = _START
        for frame in sequence.frames:
            yield Still(pose=sequence.name, at=at, name=str(frame.path), jpeg=_read(frame.path))
            at += timedelta(seconds=frame.interval_s)


def of_folder(folder: Path, poses: Iterable[str]) -> list[tuple[str, list[Path]]]:
    """Returns the JPEGs of each pose below `folder`, in order of their names: a folder is a pose.

    A folder that is named as one of `poses` in a worker's recent stills is that pose.

    Raises:
        ConfigurationError: there is no picture.
    """
    known = {pose_folder(pose): pose for pose in poses}
    folders = [folder, *sorted(path for path in folder.rglob("*") if path.is_dir())]
    found = []
    for one in folders:
        pictures = sorted((path for path in one.iterdir() if path.suffix.lower() in (".jpg", ".jpeg")), key=_natural)
        if pictures:
            name = one.relative_to(folder).as_posix()
            found.append((known.get(one.name, one.name if name == "." else name), pictures))
    if not found:
        raise ConfigurationError(f"{folder}: there is no JPEG in it; give one folder for each pose, frames in order")
    return found


def folder_stills(found: Sequence[tuple[str, Sequence[Path]]], *, every_s: float) -> Iterator[Still]:
    """Yields what `of_folder` found; a name that is no time is `every_s` seconds after the one before."""
    for pose, pictures in found:
        for index, path in enumerate(pictures):
            at = still_time(path.name) or _START + timedelta(seconds=index * every_s)
            yield Still(pose=pose, at=at, name=str(path), jpeg=_read(path))


def of_cases(incidents: Iterable[Incident], cases: CaseStills) -> list[tuple[str, list[CaseStill]]]:
    """Returns the stills of each pose that belong to any of the incidents, oldest first, each once.

    An incident that several poses have seen is left out: nothing says which of its stills is of which.
    """
    kept = set(cases.incidents())
    found: dict[str, set[CaseStill]] = {}
    for incident in (one for one in incidents if one.incident_id in kept):
        poses = {f"{one.camera_id}:{one.pose_id}" for one in incident.sightings}
        poses.add(f"{incident.camera_id}:{incident.pose_id}")
        if len(poses) == 1:
            found.setdefault(poses.pop(), set()).update(cases.of(incident.incident_id))
    return [(pose, sorted(stills, key=lambda still: still.at)) for pose, stills in sorted(found.items())]


def case_stills(found: Sequence[tuple[str, Sequence[CaseStill]]], evidence: EvidenceStore) -> Iterator[Still]:
    """Yields what `of_cases` found."""
    for pose, stills in found:
        for still in stills:
            reference = evidence_reference(still.sha256)
            try:
                jpeg: bytes | None = evidence.get(reference)
            except InvalidRecord:
                jpeg = None
            yield Still(pose=pose, at=still.at, name=reference, jpeg=jpeg)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _natural(path: Path) -> list[tuple[int, str]]:
    """frame-10 comes after frame-9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]
