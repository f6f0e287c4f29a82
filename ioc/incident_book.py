"""The incidents of a province: what poses see, joined where several cameras see one fire. Pure.

Every pose has its own incidents (`ioc.pose_incidents`). Those that raised an alarm are divided into fires
(`ioc.places.joining`) whenever another pose raises one. A fire is told under the id of the incident that opened first,
its head; an incident that turns out to be part of it is told once more, `resolved` and `joined_into` the head. Where
the division proves wrong (a third camera shows that it was two), what leaves is told as an incident of its own: nobody
has been told of that fire yet.

A candidate is never joined: early sights are many, and most are nothing.
"""

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from ioc.building_case import BuildingCase
from ioc.detections import Detection
from ioc.incidents import REPUBLISH, Incident, Place, Sighting, kind_of
from ioc.places.bearings import View
from ioc.places.crossing import Fix, sight_of
from ioc.places.joining import Division, Seen, connected, divide, place_of
from ioc.pose_incidents import Tracked, matching, observe, standing

__all__ = ["IncidentBook"]

logger = logging.getLogger(__name__)

_NUMBERED = re.compile(r"(.*?)(?:(?<=-[0-9a-f]{8})\.(\d+))?", re.DOTALL)
"""An incident's id, and which opening of it this is: the first has no number."""


class IncidentBook:
    """The incidents by pose (`camera_id:pose_id`). `changed` collects the poses whose incidents are not written yet."""

    def __init__(self) -> None:
        self.changed: set[str] = set()
        self._poses: dict[str, tuple[Tracked, ...]] = {}
        self._pose_of: dict[str, str] = {}
        self._joined: dict[str, set[str]] = {}

    def load(self, pose: str, tracked: tuple[Tracked, ...]) -> None:
        """Puts back what was written of a pose."""
        self._set(pose, tracked)
        self.changed.discard(pose)

    def pose(self, pose: str) -> tuple[Tracked, ...]:
        return self._poses.get(pose, ())

    def matching(self, detection: Detection) -> Incident | None:
        """The incident that `detection` is of, as it stands; None where it would be a new one."""
        return matching(self.pose(f"{detection.camera_id}:{detection.pose_id}"), detection)

    def with_cases(self) -> list[Incident]:
        """The building work that is followed."""
        return [t.incident for of_pose in self._poses.values() for t in of_pose if t.incident.case is not None]

    def amend(self, incident_id: str, case: BuildingCase, at: datetime) -> Incident:
        """Building work judged anew or decided, at `at`; returns what to tell."""
        t = self._of(incident_id)
        self._change(replace(t, incident=standing(t.incident, case, at)))
        return self._tell(self._revised(self._of(incident_id), t.told_at))

    def observe(
        self, detection: Detection, *, place: Place, view: View | None, case: BuildingCase | None = None
    ) -> list[Incident]:
        """Returns the incidents to tell after `detection`; `view` is None where the pose's geometry is not declared.
        `case` is that of building work, `detection` in it."""
        pose = f"{detection.camera_id}:{detection.pose_id}"
        if detection.tier == "clear":
            return self._cleared(pose, detection)
        before = self.pose(pose)
        after, told = observe(
            before,
            detection,
            place=place,
            sight=sight_of(view, detection.box) if view is not None else None,
            seen_elsewhere=dict(self._last_seen(before)),
            case=case,
        )
        self._set(pose, after)
        if told is None:
            return []
        was_open = any(t.incident.incident_id == told.incident_id and t.incident.state == "open" for t in before)
        if was_open:
            return self._say_again(told.incident_id, detection.frame_at)
        if told.state == "open" and kind_of(told.kind).is_joined:
            return self._opened(told.incident_id)
        return [self._tell(self._of(told.incident_id))]

    def _cleared(self, pose: str, detection: Detection) -> list[Incident]:
        """What this pose alone sees is over where its detector says so; nobody is told twice, nor of what never was."""
        if kind_of(detection.label).is_joined:
            return []
        over = [
            t
            for t in self.pose(pose)
            if t.incident.kind == detection.label and t.incident.last_seen_at <= detection.frame_at
        ]
        told = [
            self._composed(t, [t])
            for known in over
            for t in [replace(known, incident=_over(known.incident, detection.frame_at))]
        ]
        self._set(pose, tuple(t for t in self.pose(pose) if t not in over))
        return told

    # ---- what is told ------------------------------------------------------------------------------------------------

    def _say_again(self, incident_id: str, at: datetime) -> list[Incident]:
        """An open incident stands as before: told every few minutes, whoever of its cameras sees it."""
        seen = self._of(incident_id)
        if not seen.head:
            return [self._tell(seen)]
        head = self._find(seen.head)
        if head is None:  # it was over for its own camera, whose clock is ahead: this one still sees it
            return [self._found(seen)]
        if at - head.told_at < REPUBLISH:
            return []
        return [self._tell(self._revised(head, at))]

    def _opened(self, incident_id: str) -> list[Incident]:
        opened = self._of(incident_id)
        seen = {t.incident.incident_id: _seen(t) for t in self._joinable(opened.incident.kind)}
        if incident_id not in seen:  # no geometry: it stays alone
            return [self._tell(opened)]
        together = [frozenset(group) for group in self._groups(seen) if len(group) > 1]
        try:
            division = divide(connected(seen[incident_id], list(seen.values()), together), together)
        except (ArithmeticError, ValueError):  # a defect in the geometry must not cost an alert
            logger.exception("%s is told alone: its sights could not be divided", incident_id)
            return [self._tell(opened)]
        return self._divided(division, opened)

    def _divided(self, division: Division, opened: Tracked) -> list[Incident]:
        """Carries out a division: heads first, then those that were joined to another."""
        self._note_doubts(division)
        told: list[Incident] = []
        retired: list[Incident] = []
        opened_id = opened.incident.incident_id
        before = {frozenset(group) for group in self._groups([name for group in division.groups for name in group])}
        heads = [self._head_of(group, opened_id) for group in division.groups]
        for group, head in zip(division.groups, heads, strict=True):
            head_id = head.incident.incident_id
            for t in [self._of(name) for name in sorted(group - {head_id})]:
                if not t.head and t.is_told:
                    retired.append(self._retired(t, head_id, is_due=t.incident.incident_id == opened_id))
                self._change(replace(self._of(t.incident.incident_id), head=head_id))
        told += [self._found(head) for head in heads if head.head]  # first: what they leave is told without them
        for group, head in zip(division.groups, heads, strict=True):
            if head.head:
                continue
            if head.incident.incident_id == opened_id:
                told.append(self._tell(head))
            elif group not in before:
                told.append(self._tell(self._revised(head, head.told_at)))
        return told + retired

    def _head_of(self, group: frozenset[str], opened_id: str) -> Tracked:
        """Under whose id a fire is told: that which people know the longest; a new one where they know none."""
        members = [self._of(name) for name in group]
        new = [t for t in members if t.incident.incident_id == opened_id]
        known = [t for t in members if not t.head and t.is_told and t not in new]
        return min(known or new or members, key=lambda t: (t.incident.opened_at or t.told_at, t.incident.incident_id))

    def _found(self, t: Tracked) -> Incident:
        """What was part of another becomes an incident of its own; under a new id where its own was closed already."""
        incident = replace(t.incident, revision=1)
        if t.is_told:
            stem, number = _NUMBERED.fullmatch(incident.incident_id).groups()  # type: ignore[union-attr]  # fits any text
            incident = replace(incident, incident_id=f"{stem}.{int(number or 1) + 1}")
        founded = replace(t, incident=incident, head="", is_told=False)
        members = self._joined.get(t.incident.incident_id, set()).copy()
        self._change(founded, was=t.incident.incident_id)
        for name in members:
            self._change(replace(self._of(name), head=incident.incident_id))
        return self._tell(founded)

    def _retired(self, t: Tracked, head_id: str, *, is_due: bool) -> Incident:
        """The last word on an incident that is part of another: it is told there from now on. `is_due`: its revision
        was counted already, for an opening that nobody needs to be told of."""
        after = t if is_due else self._revised(t, t.told_at)
        last = replace(self._composed(after, [after]), state="resolved", joined_into=head_id)
        # Of a candidate nobody was told as open: no figure counts an opening.
        return replace(last, severity="info", opened_at=None) if is_due else last

    def _revised(self, t: Tracked, told_at: datetime) -> Tracked:
        after = replace(t, incident=replace(t.incident, revision=t.incident.revision + 1), told_at=told_at)
        self._change(after)
        return after

    def _tell(self, head: Tracked) -> Incident:
        if not head.is_told:
            head = replace(head, is_told=True)
            self._change(head)
        names = sorted(self._joined.get(head.incident.incident_id, ()))
        return self._composed(head, [head, *(self._of(name) for name in names)])

    def _composed(self, head: Tracked, members: list[Tracked]) -> Incident:
        """The incident as it is told: what all its cameras have seen, and where that is."""
        incidents = [t.incident for t in members]
        whole = replace(
            head.incident,
            first_frame_at=min(i.first_frame_at for i in incidents),
            last_seen_at=max(i.last_seen_at for i in incidents),
            peak_score=max(i.peak_score for i in incidents),
            detections=sum(i.detections for i in incidents),
            sightings=tuple(_sighting(t) for t in members),
            maybe_same=tuple(sorted(set(self._doubted(members)))),
        )
        seen = [_seen(t) for t in members if t.sight is not None]
        if not kind_of(whole.kind).is_joined:
            return whole
        if not seen:
            return replace(whole, place_reason="no_geometry")
        found = place_of(seen)
        if not isinstance(found, Fix):
            return replace(whole, place_reason=found.reason)
        return replace(
            whole,
            lon=round(found.lon, 6),
            lat=round(found.lat, 6),
            located_by="crossing" if len({one.camera_id for one in seen}) > 1 else "terrain",
            uncertainty_m=round(found.ellipse.semi_major_m, 1),
            ellipse=found.ellipse.rounded(),
        )

    def _doubted(self, members: list[Tracked]) -> Iterator[str]:
        own = {t.incident.incident_id for t in members}
        for other in (self._find(name) for t in members for name in t.maybe):
            if other is not None and other.incident.incident_id not in own:
                yield other.head or other.incident.incident_id

    def _note_doubts(self, division: Division) -> None:
        for name in [name for group in division.groups for name in group]:
            maybe = tuple(sorted(other for pair in division.doubtful if name in pair for other in pair - {name}))
            if self._of(name).maybe != maybe:
                self._change(replace(self._of(name), maybe=maybe))

    # ---- who is where ------------------------------------------------------------------------------------------------

    def _joinable(self, kind: str) -> Iterator[Tracked]:
        for tracked in self._poses.values():
            for t in tracked:
                if t.incident.kind == kind and t.incident.state == "open" and t.sight is not None:
                    yield t

    def _groups(self, names: Iterable[str]) -> list[set[str]]:
        groups: dict[str, set[str]] = {}
        for name in names:
            groups.setdefault(self._of(name).head or name, set()).add(name)
        return list(groups.values())

    def _last_seen(self, tracked: tuple[Tracked, ...]) -> Iterator[tuple[str, datetime]]:
        for name in {t.head or t.incident.incident_id for t in tracked}:
            members = [self._find(other) for other in (name, *self._joined.get(name, ()))]
            moments = [t.incident.last_seen_at for t in members if t is not None]
            if moments:
                yield name, max(moments)

    def _find(self, incident_id: str) -> Tracked | None:
        of_pose = self._poses.get(self._pose_of.get(incident_id, ""), ())
        return next((t for t in of_pose if t.incident.incident_id == incident_id), None)

    def _of(self, incident_id: str) -> Tracked:
        found = self._find(incident_id)
        if found is None:
            raise LookupError(incident_id)
        return found

    def _change(self, t: Tracked, was: str = "") -> None:
        name = was or t.incident.incident_id
        pose = self._pose_of[name]
        self._set(pose, tuple(t if old.incident.incident_id == name else old for old in self._poses[pose]))

    def _set(self, pose: str, tracked: tuple[Tracked, ...]) -> None:
        before = self._poses.get(pose, ())
        if tracked == before:
            return
        for t in before:
            self._pose_of.pop(t.incident.incident_id, None)
            self._joined.get(t.head, set()).discard(t.incident.incident_id)
        for t in tracked:
            self._pose_of[t.incident.incident_id] = pose
            if t.head:
                self._joined.setdefault(t.head, set()).add(t.incident.incident_id)
        for t in before:
            if not self._joined.get(t.head, True):
                del self._joined[t.head]
        self._poses[pose] = tracked
        self.changed.add(pose)


def _over(incident: Incident, at: datetime) -> Incident:
    return replace(incident, state="resolved", revision=incident.revision + 1, last_seen_at=at)


def _seen(t: Tracked) -> Seen:
    incident = t.incident
    assert t.sight is not None, "only what has a bearing is joined"
    return Seen(
        seen_id=incident.incident_id,
        camera_id=incident.camera_id,
        pose_id=incident.pose_id,
        sight=t.sight,
        first_at=incident.first_frame_at,
        last_at=incident.last_seen_at,
    )


def _sighting(t: Tracked) -> Sighting:
    incident = t.incident
    return Sighting(
        camera_id=incident.camera_id,
        pose_id=incident.pose_id,
        azimuth_deg=round(t.sight.azimuth_deg, 2) if t.sight is not None else incident.azimuth_deg,
        azimuth_sd_deg=round(t.sight.sd_deg, 2) if t.sight is not None else None,
        box=incident.box,
        first_frame_at=incident.first_frame_at,
        last_seen_at=incident.last_seen_at,
        peak_score=incident.peak_score,
        evidence=incident.evidence,
        evidence_sha256=incident.evidence_sha256,
    )
