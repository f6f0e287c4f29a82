"""The wall's service, put together: the hub, Kafka's tails, the pages, and an end within seconds."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AsyncExitStack
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI

from ioc.adapters.evidence import EvidenceStore, evidence_of
from ioc.adapters.figures import page_of
from ioc.adapters.http_service import address_of, bind, keep, serve
from ioc.adapters.kafka_access import kafka_access
from ioc.agencies import agency_named
from ioc.catalog import Catalog
from ioc.clock import Clock
from ioc.errors import ConfigurationError
from ioc.evidence.privacy import Privacy
from ioc.frames import Frame
from ioc.kpis.figures import OTHER
from ioc.settings import Settings
from ioc.wall.live.alerts import CANDIDATE, LIVE, MAX_CANDIDATES
from ioc.wall.live.cameras import CameraBoard
from ioc.wall.live.doors import SafeHeaders, assets, head_of, routes
from ioc.wall.live.hub import Hub
from ioc.wall.live.kpis import WallKpi, wall_kpis
from ioc.wall.live.map_layers import base_layers, extent_of
from ioc.wall.live.past import PastFigures
from ioc.wall.live.snapshot import owners_of
from ioc.wall.live.tails import tail_cameras, tail_log
from ioc.wall.names import family_order

__all__ = ["run_wall"]

_CAMERA_FAMILY = "camera"
_NICEGUI_RECONNECT_S = 10.0  # a viewer whose network hiccups comes back to its own page


_INCIDENTS = (
    "&".join(["limit=200", *(f"state={state}" for state in LIVE)]),
    f"limit={MAX_CANDIDATES}&state={CANDIDATE}",
)
"""What is asked of on-call: early sights apart, so that they never push out what is open."""


def wall_hub(catalog: Catalog, settings: Settings, clock: Clock) -> Hub:
    """Returns the hub of a province; nothing runs yet."""
    evidence: list[EvidenceStore] = []
    privacy = Privacy(catalog.cameras)  # `ioc capture` has masked them; who publishes in another way may not have

    def pixels(frame: Frame) -> bytes:
        return privacy.masked(frame.camera_id, frame.pose_id, kept(frame))

    def kept(frame: Frame) -> bytes:
        if not frame.dataref:
            return frame.jpeg
        if not evidence:  # a wall on a machine without the store still shows small frames
            evidence.append(evidence_of(settings))
        return evidence[0].get(frame.dataref)

    def kpis(on: date) -> tuple[WallKpi, ...]:
        return wall_kpis(catalog.kpis, on)

    source = f"/{catalog.province}/{_CAMERA_FAMILY}"
    promise = timedelta(microseconds=catalog.promises.of(source))
    return Hub(
        kpis,
        figures=page_of(settings.figures_url),
        incidents=[
            page_of(f"{settings.oncall_url.rstrip('/')}/api/incidents?{asked}", token=settings.reader_token())
            for asked in _INCIDENTS
        ],
        pixels=pixels,
        board=CameraBoard(catalog.cameras, promise),
        past=PastFigures({kpi.id: kpi.windows[0] for kpi in catalog.kpis if kpi.windows}),
        clock=clock,
    )


def wall_app(hub: Hub, catalog: Catalog, *, is_ready: Callable[[], bool], routers: Iterable[APIRouter] = ()) -> FastAPI:
    """Returns the ASGI application over `hub`, with further doors in `routers`. Once in a process: NiceGUI keeps its
    pages in globals."""
    from nicegui import ui

    from ioc.wall.live.pages import Site, add_pages

    files = assets()
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.router.routes.extend(routes(hub, files, is_ready))
    for router in routers:  # before NiceGUI, which answers every other path
        app.include_router(router)
    points = [(c.lon, c.lat) for c in catalog.cameras.values() if c.lon is not None and c.lat is not None]
    extent = extent_of(points)
    families = sorted({kpi.family for kpi in catalog.kpis}, key=family_order)
    add_pages(
        Site(
            hub=hub,
            name_vi=catalog.name_vi,
            name_en=catalog.name_en,
            families=tuple(families),
            owners=owners_of(catalog.kpis, catalog.publishers.values(), catalog.event_types),
            units={unit.code: (unit.name_vi, unit.name_en) for unit in catalog.geography.units()}
            | {
                agency.code: (agency.name_vi, agency.name_en)
                for agency in (*catalog.agencies.values(), agency_named({}, OTHER))
            },
            base=tuple(base_layers(extent, _geojson(Path(catalog.folder)))),
            extent=extent,
            monotonic=time.monotonic,
            head=head_of(list(files)),
        )
    )
    ui.run_with(
        app,
        title="IOC",
        dark=True,
        language="vi",
        tailwind=False,
        binding_refresh_interval=None,
        reconnect_timeout=_NICEGUI_RECONNECT_S,
        message_history_length=50,
        show_welcome_message=False,
    )
    app.add_middleware(SafeHeaders)
    return app


def _geojson(folder: Path) -> Any:
    """The province's own base map: the first `*.geojson` of the catalogue, None where there is none.

    Raises:
        ConfigurationError: the file is not GeoJSON.
    """
    for path in sorted(folder.glob("*.geojson")):
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{path}: not GeoJSON ({error}); correct or remove the file") from None
        if not isinstance(found, dict) or "type" not in found:
            raise ConfigurationError(f"{path}: no GeoJSON object; correct or remove the file")
        return found
    return None


async def run_wall(
    catalog: Catalog,
    settings: Settings,
    *,
    port: int,
    stop: asyncio.Event,
    announce: Callable[[str], None],
    clock: Clock,
    routers: Iterable[APIRouter] = (),
    tasks: Iterable[tuple[Coroutine[Any, Any, None], str]] = (),
) -> None:
    """Runs until `stop` is set; `announce` is called once with the address when pages can be had. `routers` are served
    beside the pages, `tasks` (with their names) run beside the hub.

    Raises:
        ConfigurationError: the port or a map file can't be used.
    """
    hub = wall_hub(catalog, settings, clock)
    broker = kafka_access(settings)
    app = wall_app(hub, catalog, is_ready=lambda: hub.snapshot.revision > 0, routers=routers)
    async with AsyncExitStack() as stack:
        door = bind("the wall", settings.http_host, port)
        address = address_of(door, settings.http_host)
        stack.callback(door.close)
        for work, name in (
            (hub.run(), "hub"),
            (tail_cameras(hub, broker=broker, clock=clock), "cameras"),
            (tail_log(hub, broker=broker, clock=clock), "KPI log"),
            *tasks,
        ):
            keep(stack, work, name, stop.set)  # who watches it starts it again: half a wall would look like a whole one
        await serve(
            app,
            door,
            stop,
            announce=lambda: announce(address),
            ws="websockets-sansio",
            timeout_graceful_shutdown=1,
        )
