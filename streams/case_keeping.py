"""What an incident's case holds of what cameras saw: the stills before it, its own, and those after it.

The frames role tells every still that it looked at (`still`), and what the log of incidents says (`told`). Both may be
called from any thread. No Kafka. A store or a disk that fails costs stills of a case, is told, and stops nothing else:
whoever detects fire must not wait for its album.
"""

import logging
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime

from ioc.adapters.case_stills import CaseStills
from ioc.adapters.evidence import EvidenceStore
from ioc.adapters.recent_stills import RecentStills
from ioc.errors import TransientError
from ioc.evidence.recording import BEFORE, Recording, Recordings
from ioc.frames import sha256_hex
from ioc.incidents import Incident
from streams.case_metrics import CaseMetrics

__all__ = ["CaseKeeper"]

logger = logging.getLogger(__name__)

_LIVE = frozenset(("candidate", "open", "acknowledged"))
_MOST_OWN = 10_000  # evidence of incidents that need not be looked up again
_MOST_WAITING = 200  # stills on their way to a slow store: some 60 MB


class CaseKeeper:
    """Args:
    evidence: where stills and cases are kept.
    recent: the last minutes of every pose on this machine.
    """

    def __init__(self, *, evidence: EvidenceStore, recent: RecentStills, metrics: CaseMetrics) -> None:
        self._evidence, self._recent, self._metrics = evidence, recent, metrics
        self._cases = CaseStills(evidence)
        self._recordings = Recordings()
        self._lock = threading.Lock()  # of what is remembered; nobody writes to a disk in it
        self._own: dict[tuple[str, str], None] = {}
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="cases")  # a slow store must not hold a detector
        self._room = threading.Semaphore(_MOST_WAITING)
        self._trouble = ""

    def still(self, pose: str, at: datetime, jpeg: bytes) -> None:
        """Takes a still of `pose` (`camera_id:pose_id`), private areas painted over, of whatever time `at` is.

        One still of a pose at a time; poses side by side.
        """
        if not self._recent.put(pose, at, jpeg):
            self._metrics.lost.labels("recent").inc()
        # After the put: an incident told from here on finds the still in the ring, one told before is in the answer.
        with self._lock:
            wanted = self._recordings.taken(pose, at)
        if not wanted:
            return
        if not self._room.acquire(blocking=False):
            self._lost(len(wanted), TimeoutError("the evidence store is too slow"))
            return
        self._writer.submit(self._keep, wanted, at, jpeg).add_done_callback(lambda _: self._room.release())

    def told(self, incident: Incident) -> None:
        """Takes what the log says of an incident. Blocks while the stills before a new one are stored.

        A live incident records at every pose that sees it until ten minutes after it was last seen. One that is over
        is recorded to that end, and none begins with it.
        """
        for pose, first_at, last_at in _seen_by(incident):
            is_live = incident.state in _LIVE
            with self._lock:
                new = self._recordings.told(
                    pose, incident.incident_id, first_at=first_at, last_at=last_at, is_begun=is_live
                )
            if new is not None:
                self._keep_former(pose, new)
        self._keep_own(incident)

    def settle(self, timeout_s: float | None = None) -> None:
        """Waits until every still that was told is kept or lost; raises TimeoutError where that takes longer."""
        self._writer.submit(lambda: None).result(timeout_s)

    def close(self) -> None:
        """Lets go what is not yet kept."""
        self._writer.shutdown(wait=False, cancel_futures=True)

    # ---- keeping -----------------------------------------------------------------------------------------------------

    def _keep_former(self, pose: str, recording: Recording) -> None:
        former = self._recent.between(pose, recording.first_at - BEFORE, recording.until)
        for at, jpeg in _wanted(recording, former):
            if not self._keep((recording.incident_id,), at, jpeg):
                with self._lock:  # the next news of it begins anew, as long as the ring has them
                    self._recordings.forget(pose, recording.incident_id)
                return

    def _keep(self, incidents: tuple[str, ...], at: datetime, jpeg: bytes) -> bool:
        try:
            self._evidence.put(jpeg)
            for incident_id in incidents:
                self._cases.add(incident_id, at, sha256_hex(jpeg))
        except (TransientError, ValueError) as error:
            self._lost(len(incidents), error)
            return False
        self._metrics.kept.inc(len(incidents))
        self._trouble = ""
        return True

    def _keep_own(self, incident: Incident) -> None:
        """Adds the still that each pose raised the alarm with, where the recording had not taken it (it was thinned
        out, or another worker has it)."""
        own = {sighting.evidence_sha256: sighting.first_frame_at for sighting in incident.sightings}
        own[incident.evidence_sha256] = incident.opened_at or incident.first_frame_at
        with self._lock:
            new = {
                sha256: at for sha256, at in own.items() if sha256 and (incident.incident_id, sha256) not in self._own
            }
        if not new:
            return
        try:
            kept = {still.sha256 for still in self._cases.of(incident.incident_id)}
            for sha256, at in new.items():
                if sha256 not in kept:
                    self._cases.add(incident.incident_id, at, sha256)
                    self._metrics.kept.inc()
        except (TransientError, ValueError) as error:
            self._lost(len(new), error)
            return
        with self._lock:
            self._own.update(dict.fromkeys((incident.incident_id, sha256) for sha256 in new))
            while len(self._own) > _MOST_OWN:
                del self._own[next(iter(self._own))]

    def _lost(self, stills: int, error: Exception) -> None:
        self._metrics.lost.labels("case").inc(stills)
        if str(error) != self._trouble:  # once, not with every frame
            logger.warning("stills of an incident are lost: %s", error)
        self._trouble = str(error)


def _seen_by(incident: Incident) -> Iterator[tuple[str, datetime, datetime]]:
    """(pose, first frame, last seen) of every pose that sees the incident."""
    poses = {(incident.camera_id, incident.pose_id): (incident.first_frame_at, incident.last_seen_at)}
    for sighting in incident.sightings:
        poses[sighting.camera_id, sighting.pose_id] = (sighting.first_frame_at, sighting.last_seen_at)
    for (camera_id, pose_id), (first_at, last_at) in poses.items():
        if camera_id:
            yield f"{camera_id}:{pose_id}", first_at, last_at


def _wanted(recording: Recording, stills: Iterable[tuple[datetime, bytes]]) -> Iterator[tuple[datetime, bytes]]:
    for at, jpeg in stills:
        if recording.wants(at):
            recording = replace(recording, newest_at=at)
            yield at, jpeg
