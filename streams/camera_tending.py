"""What the frames role does about its cameras beside looking at frames: who has fallen silent, and what nobody sees."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from aiokafka.errors import KafkaError

from ioc.camera_coverage import CoverageLedger
from ioc.camera_presence import CameraPresence, Presence
from ioc.catalog import Catalog
from ioc.clock import Clock
from ioc.detections import Box, Detection
from ioc.frames import Frame
from streams.camera_beats import CameraBeats
from streams.coverage_telling import CoverageTeller
from streams.metrics import CoverageCollector, PipelineMetrics

__all__ = ["CameraTender", "presence_detection"]

logger = logging.getLogger(__name__)

_EVERY_S = 10.0
_AGAIN = timedelta(seconds=60)  # a fault that lasts is told to the incidents once a minute
_WHOLE = Box(0.5, 0.5, 1.0, 1.0)
_DETECTOR, _VERSION = "camera_presence", "1.0.0"


class CameraTender:
    """Args:
    send: puts detections into Kafka.
    parts: the partitions of frames that this worker has; it tells nothing of the poses of others.
    is_live: frames are of now; with a fixed clock or a replay nobody is offline, and nothing is told of coverage.
    coverage_minutes: how many minutes one fact about coverage tells of.
    """

    def __init__(
        self,
        catalog: Catalog,
        *,
        broker: str,
        clock: Clock,
        metrics: PipelineMetrics,
        send: Callable[[Sequence[Detection]], Awaitable[None]],
        parts: Callable[[], Collection[int]],
        is_live: bool,
        coverage_minutes: int,
    ) -> None:
        self.coverage = CoverageLedger(catalog.cameras, clock(), span_minutes=coverage_minutes)
        self._teller = CoverageTeller(catalog, broker=broker, parts=parts)
        self._presence = CameraPresence(catalog.cameras) if is_live else None
        self._clock, self._metrics, self._send, self._parts = clock, metrics, send, parts
        self._told_at: dict[tuple[str, str, str], datetime] = {}
        self._beats = CameraBeats(self._presence, catalog, broker=broker, clock=clock) if self._presence else None
        self._tasks: list[asyncio.Task[None]] = []
        metrics.registry.register(CoverageCollector(self.coverage))

    def saw(self, frame: Frame, *, published_s: float, part: int) -> None:
        """A frame has come, whatever becomes of it."""
        if self._presence is not None and not frame.is_replay:
            self._presence.saw(
                frame.camera_id,
                frame.pose_id,
                captured_at=frame.captured_at,
                published_at=datetime.fromtimestamp(published_s, UTC),
                at=self._clock(),
                part=part,
            )

    def start(self) -> None:
        self._tasks.append(asyncio.create_task(self._tend(), name="camera tender"))
        if self._beats is not None:
            self._tasks.append(asyncio.create_task(self._beats.run(), name="heartbeats of capture"))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._teller.stop()

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            for tend in (self.tend, self._tell_coverage):
                try:
                    await tend()
                except (KafkaError, TimeoutError, OSError) as error:
                    logger.warning("what is known of the cameras can't be told: %s", type(error).__name__)

    async def _tell_coverage(self) -> None:
        self._teller.look_round()
        self.coverage.close_minutes(self._clock(), self._teller.is_ours)
        ended = self.coverage.take_ended()
        if self._presence is not None:
            await self._teller.tell(ended)

    async def tend(self) -> None:
        """Tells which cameras are silent or have a wrong clock."""
        now = self._clock()
        if self._presence is None:
            return
        self._presence.forget_all_but(self._parts())
        due = [each for each in self._presence.told(now, self._teller.is_ours) if self._is_due(each, now)]
        for each in due:
            self._metrics.detections.labels(_DETECTOR, each.tier, each.camera_id).inc()
        await self._send([presence_detection(each, now) for each in due])

    def _is_due(self, told: Presence, now: datetime) -> bool:
        key = told.camera_id, told.pose_id, told.label
        if told.tier == "clear":
            self._told_at.pop(key, None)
            return True
        if key in self._told_at and now - self._told_at[key] < _AGAIN:
            return False
        self._told_at[key] = now
        return True


def presence_detection(told: Presence, now: datetime) -> Detection:
    """Returns the detection that says so; there is no frame to show."""
    seed = f"{_DETECTOR}\n{told.camera_id}:{told.pose_id}\n{told.label}\n{told.tier}\n{now.isoformat()}"
    since = min(told.since, now)
    return Detection(
        detection_id=hashlib.sha256(seed.encode()).hexdigest()[:32],
        camera_id=told.camera_id,
        pose_id=told.pose_id,
        label=told.label,
        tier=told.tier,
        score=1.0,
        box=_WHOLE,
        frame_at=now,
        frame_sha256="",
        frame_ref="",
        detector=_DETECTOR,
        detector_version=_VERSION,
        first_seen_at=since,
        persisted_s=(now - since).total_seconds(),
        cues=tuple(_cues(told)),
    )


def _cues(told: Presence) -> Iterator[str]:
    yield told.label
    if told.offset_s is not None:
        yield f"{told.offset_s:+.0f} s"
    if told.why:
        yield told.why
