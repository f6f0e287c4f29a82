"""Which stills belong to an incident: those before it, and those after it for a while. Pure.

A case records from `BEFORE` the first frame until `AFTER` the last sight. The first ten minutes are kept whole, and
later ones once a minute: a fire of a day must not fill the disk.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

__all__ = ["AFTER", "AT_HAND", "BEFORE", "Recording", "Recordings"]

BEFORE = timedelta(minutes=10)
AFTER = timedelta(minutes=10)
AT_HAND = BEFORE + timedelta(minutes=5)
"""How long every still of a pose is kept at hand: an incident is told some frames after its first one."""
_EVERY_FRAME = timedelta(minutes=10)
_THEN_EVERY = timedelta(minutes=1)
_LONGEST = timedelta(days=3)  # an incident that nobody closes must not fill the disk
_MOST = 200  # recordings of one pose


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One incident's: what is wanted of a pose, and the time of the newest still that was taken for it."""

    incident_id: str
    first_at: datetime
    until: datetime
    newest_at: datetime | None = None

    def wants(self, at: datetime) -> bool:
        """Whether a still taken at `at` belongs to it."""
        if not self.first_at - BEFORE <= at <= min(self.until, self.first_at + _LONGEST):
            return False
        is_early = at <= self.first_at + _EVERY_FRAME
        return is_early or self.newest_at is None or abs(at - self.newest_at) >= _THEN_EVERY


class Recordings:
    """The recordings of every pose (`camera_id:pose_id`)."""

    def __init__(self) -> None:
        self._by_pose: dict[str, dict[str, Recording]] = {}

    def told(
        self, pose: str, incident_id: str, *, first_at: datetime, last_at: datetime, is_begun: bool = True
    ) -> Recording | None:
        """Takes an incident's news; returns its recording where it is new: the stills before it are wanted now.

        `is_begun` False: it is over; only one that is known is recorded on, to its end.
        """
        of_pose = self._by_pose.setdefault(pose, {})
        known = of_pose.get(incident_id)
        if known is not None:
            of_pose[incident_id] = replace(known, until=max(known.until, last_at + AFTER))
            return None
        if not is_begun:
            return None
        if len(of_pose) >= _MOST:
            del of_pose[min(of_pose, key=lambda each: of_pose[each].until)]
        of_pose[incident_id] = Recording(incident_id=incident_id, first_at=first_at, until=last_at + AFTER)
        return of_pose[incident_id]

    def forget(self, pose: str, incident_id: str) -> None:
        self._by_pose.get(pose, {}).pop(incident_id, None)

    def taken(self, pose: str, at: datetime) -> tuple[str, ...]:
        """Returns the incidents that a new still of `pose` belongs to, and remembers that they have it."""
        of_pose = self._by_pose.get(pose)
        if not of_pose:
            return ()
        for incident_id in [each for each, one in of_pose.items() if one.until + AFTER < at]:
            del of_pose[incident_id]
        wanted = [one for one in of_pose.values() if one.wants(at)]
        for one in wanted:
            of_pose[one.incident_id] = replace(one, newest_at=at)
        return tuple(one.incident_id for one in wanted)
