"""The one reader of a wall: it asks each door once for all viewers and tells them when there is something new."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache

import aiohttp
import orjson

from ioc.clock import Clock
from ioc.errors import InvalidRecord, TransientError
from ioc.frames import Frame
from ioc.wall.live.alerts import Alert, alerts_of
from ioc.wall.live.cameras import CameraBoard, thumbnail
from ioc.wall.live.kpis import WallKpi
from ioc.wall.live.newest import NewestSeen
from ioc.wall.live.past import PastFigures
from ioc.wall.live.scrape import groups_of, readings_of
from ioc.wall.live.snapshot import PARTS, PartState, Snapshot
from ioc.wall.live.tiles import Group, Reading, Tile, is_missed, tile_of, worst_first
from ioc.windows import LOCAL_ZONE

__all__ = ["Hub"]

logger = logging.getLogger(__name__)

FIGURES_EVERY_S = 5.0  # the figures role takes a quarter of a second to tell them
ONCALL_EVERY_S = 3.0
PICTURES_EVERY_S = 5.0
TICK_S = 2.0

Fetch = Callable[[], Awaitable[str]]
Pixels = Callable[[Frame], bytes]
"""The JPEG of a frame, also of one that lies in the evidence store; blocks. Raises InvalidRecord or TransientError."""


class Hub:
    """Polls and tails; `snapshot` is the newest, `watch` asks to be called after each new one.

    Args:
        kpis: the KPIs with their targets on a local day.
        figures, incidents: return the text at a door, like `page_of(url)`; of incidents all doors together.
        pixels: see `Pixels`.
        board: the cameras; whoever tails Kafka offers it frames and detections.
        past: the closed periods; whoever tails Kafka fills it.
    """

    def __init__(
        self,
        kpis: Callable[[date], tuple[WallKpi, ...]],
        *,
        figures: Fetch,
        incidents: Sequence[Fetch],
        pixels: Pixels,
        board: CameraBoard,
        past: PastFigures,
        clock: Clock,
    ) -> None:
        self._kpis_on, self._figures, self._incidents, self._pixels = lru_cache(1)(kpis), figures, incidents, pixels
        self.board, self.past = board, past
        self._clock = clock
        self._parts = dict.fromkeys(PARTS, PartState(trouble="not asked yet"))
        self._readings: Mapping[str, Reading] = {}
        self._newest = NewestSeen()
        self._groups: Mapping[str, list[Group]] = {}
        self._alerts: tuple[Alert, ...] = ()
        self._watchers: dict[object, Callable[[Snapshot], None]] = {}
        self.thumbnails = 0
        self.snapshot = self._next(0)

    # ---- whoever shows it --------------------------------------------------------------------------------------------

    def watch(self, viewer: object, tell: Callable[[Snapshot], None]) -> None:
        self._watchers[viewer] = tell

    def unwatch(self, viewer: object) -> None:
        self._watchers.pop(viewer, None)

    @property
    def viewers(self) -> int:
        return len(self._watchers)

    # ---- whoever feeds it --------------------------------------------------------------------------------------------

    def heard(self, part: str) -> None:
        """The door has answered now."""
        self._parts[part] = PartState(heard_at=self._clock())

    def missed(self, part: str, trouble: str) -> None:
        """The door has not answered; what was heard before stays, with its time."""
        if self._parts[part].trouble != trouble:
            logger.info("%s: %s", part, trouble)
        self._parts[part] = PartState(heard_at=self._parts[part].heard_at, trouble=trouble)

    async def run(self) -> None:
        """Polls until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._every(FIGURES_EVERY_S, "figures", self._read_figures))
            group.create_task(self._every(ONCALL_EVERY_S, "oncall", self._read_incidents))
            group.create_task(self._make_pictures())
            group.create_task(self._tick())

    async def _every(self, seconds: float, part: str, read: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await read()
                self.heard(part)
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                self.missed(part, type(error).__name__)
            await asyncio.sleep(seconds)

    async def _read_figures(self) -> None:
        text = await self._figures()
        readings, self._groups = await asyncio.to_thread(self._parsed, text)
        self._readings = self._newest.marked(readings, self._clock())

    @property
    def _kpis(self) -> tuple[WallKpi, ...]:
        return self._kpis_on(self._clock().astimezone(LOCAL_ZONE).date())

    def _parsed(self, text: str) -> tuple[dict[str, Reading], dict[str, list[Group]]]:
        kpis = self._kpis
        readings = readings_of(text, kpis)
        if not readings:  # a figures role that still reads its partials exports none: that is not "no data"
            raise ValueError("no figure on the page")
        missed = [
            kpi
            for kpi in kpis
            if (found := readings.get(kpi.id)) is not None and found.value is not None and is_missed(kpi, found.value)
        ]
        return readings, groups_of(text, missed)

    async def _read_incidents(self) -> None:
        texts = [await ask() for ask in self._incidents]
        self._alerts = alerts_of(*(orjson.loads(text) for text in texts))

    async def _make_pictures(self) -> None:
        while True:
            for frame in self.board.chosen():
                try:
                    jpeg = await asyncio.to_thread(self._pictured, frame)
                except (InvalidRecord, TransientError) as error:
                    logger.info("camera %s: %s", frame.camera_id, error)
                    continue
                self.board.take_picture(frame, jpeg)
                self.thumbnails += 1
            await asyncio.sleep(PICTURES_EVERY_S if self.thumbnails else 0.5)

    def _pictured(self, frame: Frame) -> bytes:
        return thumbnail(frame, self._pixels(frame))

    async def _tick(self) -> None:
        while True:
            self.snapshot = self._next(self.snapshot.revision + 1)
            for tell in list(self._watchers.values()):
                try:
                    tell(self.snapshot)
                except Exception:
                    logger.exception("a viewer could not be told")  # the others must be
            await asyncio.sleep(TICK_S)

    def _next(self, revision: int) -> Snapshot:
        now: datetime = self._clock()
        return Snapshot(
            revision=revision,
            at=now,
            tiles=tuple(self._tiles()),
            alerts=self._alerts,
            cameras=self.board.views(now),
            parts=dict(self._parts),
        )

    def _tiles(self) -> list[Tile]:
        was_read = self._parts["figures"].heard_at is not None
        return worst_first(
            tile_of(
                kpi,
                self._readings.get(kpi.id),
                self.past.of(kpi.id),
                self._groups.get(kpi.id, ()),
                was_read=was_read,
            )
            for kpi in self._kpis
        )
