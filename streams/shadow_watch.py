"""A second smoke detector on the live frames, before anybody switches to it: it alarms nobody, and is only counted.

It has one thread of its own at the lowest priority, looks at a frame after the live detectors have, and lets go what it
has no time for: nothing that alarms ever waits for it.
"""

import logging
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from detectors.base import BgrImage, Detector
from detectors.evaluation.comparing import Alert, AlertLedger, Mark, marks_of
from detectors.registry import DetectorFactory, build_detectors
from ioc.adapters.evidence import EvidenceStore
from ioc.catalog import Catalog
from ioc.detections import Detection
from ioc.errors import TransientError
from ioc.frames import Frame
from streams.shadow_alerts import ShadowAlert, ShadowAlerts
from streams.shadow_metrics import ShadowMetrics

__all__ = ["ShadowWatch"]

logger = logging.getLogger(__name__)

_DETECTOR = "smoke"
_MOST_WAITING = 32  # frames with their pixels: some 25 MB
_NICE = 19


class ShadowWatch:
    """Args:
    make: makes the shadow of a pose.
    names: of the live variant and of the shadow's.
    evidence: keeps the still with which an alert began, as long as stills without an incident are kept.
    is_behind: whether the live detectors have more to do than they should; asked in the shadow's thread.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        make: DetectorFactory,
        names: tuple[str, str],
        evidence: EvidenceStore,
        listed: ShadowAlerts,
        metrics: ShadowMetrics,
        is_behind: Callable[[], bool],
    ) -> None:
        self._catalog, self._make, self._names = catalog, make, names
        self._evidence, self._listed, self._metrics, self._is_behind = evidence, listed, metrics, is_behind
        self._poses: dict[str, tuple[Detector, AlertLedger] | None] = {}
        self._room = threading.Semaphore(_MOST_WAITING)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="shadow", initializer=_give_way)
        self._is_complaining = False

    def offer(self, frame: Frame, image: BgrImage, detections: Sequence[Detection]) -> None:
        """Takes a frame that the live detectors have looked at; returns at once."""
        if not self._room.acquire(blocking=False):
            self._count("skipped")
            return
        live = [(one.box, one.score) for one in detections if one.detector == _DETECTOR and one.tier == "alarm"]
        with suppress(RuntimeError):  # closed meanwhile
            self._worker.submit(self._look, frame, image, live).add_done_callback(lambda _: self._room.release())

    def settle(self, timeout_s: float | None = None) -> None:
        """Waits until everything that was offered has been looked at or let go."""
        self._worker.submit(lambda: None).result(timeout_s)

    def close(self) -> None:
        """Lets go what waits."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _look(self, frame: Frame, image: BgrImage, live: Sequence[Mark]) -> None:
        if self._is_behind():
            self._count("skipped")
            return
        try:
            alerts = self._compared(frame, image, live)
        except Exception:  # the shadow's boundary: whatever is wrong with it, the live detectors go on
            self._count("failed")
            if not self._is_complaining:
                logger.exception("shadow of %s", frame.key)
            self._is_complaining = True
            return
        for alert in alerts:
            self._metrics.alerts.labels(_DETECTOR, alert.outcome).inc()
            self._listed.add(ShadowAlert(live=self._names[0], shadow=self._names[1], alert=alert))

    def _compared(self, frame: Frame, image: BgrImage, live: Sequence[Mark]) -> list[Alert]:
        if frame.key not in self._poses:
            built = build_detectors(
                self._catalog.cameras[frame.camera_id], frame.pose_id, detectors={_DETECTOR: self._make}
            )
            self._poses[frame.key] = (built[0], AlertLedger(frame.key)) if built else None
        known = self._poses[frame.key]
        if known is None:
            return []
        detector, ledger = known
        shadow = marks_of(detector, image, frame.captured_at)
        self._count("analysed")
        return ledger.look(frame.captured_at, live, shadow, lambda: self._kept(frame))

    def _kept(self, frame: Frame) -> str:
        try:
            return self._evidence.put(frame.jpeg)
        except TransientError:
            return ""

    def _count(self, outcome: str) -> None:
        self._metrics.frames.labels(_DETECTOR, outcome).inc()


def _give_way() -> None:
    """On Linux a thread has a priority of its own; elsewhere it is one thread beside the live ones."""
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
