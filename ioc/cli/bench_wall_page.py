"""The wall's page as it is served: until a browser has painted it, and what fifty viewers cost the server."""

import asyncio
import contextlib
import math
import re
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import numpy as np
from aiohttp import web
from aiokafka import AIOKafkaProducer

from ioc.broker import EmbeddedKafka
from ioc.catalog import Catalog, load_catalog
from ioc.cli.bench_publishing import make_topics
from ioc.cli.bench_service import ServiceProcess
from ioc.cli.bench_table import Bound, Measure, judged
from ioc.clock import system_clock
from ioc.errors import PermanentError
from ioc.frames import FRAMES_TOPIC, Frame, encode_frame, sha256_hex
from ioc.opencv import cv2
from ioc.settings import load_settings

__all__ = ["measure_wall_page"]

_PAINT = Bound(floor=2_500, goal=1_000, unit=" ms")
_CPU = Bound(floor=60, goal=25, unit=" % of a core")
_VIEWERS = 50
_CAMERAS = 12
_PAINTS = 5
_WARM_S = 8.0
_FRAMES_EVERY_S = 5.0
_READY_S = 40.0
_CHROMIUM = "/usr/bin/chromium"
_THUMB = re.compile(r"/thumb/[\w./-]+\.jpg")
_CLIENT = re.compile(r"client_id['\"]?: ?['\"]([0-9a-f-]{36})")
_PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def measure_wall_page(*, seconds: float) -> list[Measure]:
    """Paints the overview in a headless Chromium (each time with an empty cache), then lets fifty viewers with web
    sockets watch it for `seconds`, half the figures changing with every scrape and twelve cameras with new pictures.

    Raises:
        PermanentError: the wall did not start, or a viewer was lost.
    """
    catalog = load_catalog(load_settings().catalog)
    with tempfile.TemporaryDirectory(prefix="ioc-bench-") as name, EmbeddedKafka(Path(name) / "kafka") as kafka:
        make_topics(kafka.address)
        return asyncio.run(_measure(catalog, kafka.address, Path(name), seconds))


async def _measure(catalog: Catalog, broker: str, folder: Path, seconds: float) -> list[Measure]:
    async with AsyncExitStack() as stack:
        doors = await stack.enter_async_context(_doors(catalog))
        await stack.enter_async_context(_cameras(catalog, broker))
        wall = await asyncio.wait_for(asyncio.to_thread(_wall, broker, doors, folder), _READY_S)
        stack.push_async_callback(asyncio.to_thread, wall.stop)
        url, process = wall.url, wall.process
        await asyncio.sleep(_WARM_S)
        paints_ms = [await _paint_ms(url) for _ in range(_PAINTS)]
        viewers = await stack.enter_async_context(_Viewers(url))
        await asyncio.sleep(_WARM_S)
        before, begun, told = process.cpu_times(), time.monotonic(), viewers.messages
        await asyncio.sleep(seconds)
        after, took = process.cpu_times(), time.monotonic() - begun
        if viewers.lost:
            raise PermanentError(f"{viewers.lost} of {_VIEWERS} viewers were lost: {viewers.trouble}")
        percent = (after.user + after.system - before.user - before.system) / took * 100
        memory = process.memory_info().rss / 2**20
        rate = (viewers.messages - told) / took / _VIEWERS
    paint = statistics.median(paints_ms)
    return [
        judged(
            "wall page: first paint of its content",
            f"{paint:,.0f} ms (worst {max(paints_ms):,.0f}) of {_PAINTS}",
            paint,
            _PAINT,
        ),
        judged(
            f"wall page: {_VIEWERS} viewers",
            f"{percent:.1f} % of a core, {memory:.0f} MiB; {rate:.1f} messages a second each",
            percent,
            _CPU,
        ),
    ]


# ---- what the wall reads ---------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _doors(catalog: Catalog) -> AsyncIterator[str]:
    """A figures role and an on-call that answer at once, so that the wall alone is measured."""
    began = time.monotonic()

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text=_scrape(catalog, time.monotonic() - began))

    async def incidents(_: web.Request) -> web.Response:
        return web.json_response({"incidents": _incidents(catalog)})

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/api/incidents", incidents)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _incidents(catalog: Catalog) -> list[dict[str, object]]:
    return [
        {
            "incident_id": f"smoke-{number}",
            "kind": "smoke",
            "state": "open",
            "severity": "critical",
            "camera_id": camera,
            "place_vi": "Đồi",
            "azimuth_deg": 30.0 * number,
            "opened_at": system_clock().isoformat(),
        }
        for number, camera in enumerate(list(catalog.cameras)[:5])
    ]


def _scrape(catalog: Catalog, at_s: float) -> str:
    lines = []
    now = system_clock().timestamp()
    for number, kpi in enumerate(catalog.kpis):
        moving = math.sin(at_s / 20 + number) / 10 if number % 2 else 0.0
        labels = f'admin_unit="*",agency="",province="{catalog.province}",window="{kpi.windows[0]}"'
        of = f'kpi="{kpi.id}",{labels}'
        lines += [
            f"{kpi.metric}{{{labels}}} {0.5 + moving}",
            f"ioc_kpi_denominator{{{of}}} 100",
            f"ioc_kpi_as_of_timestamp_seconds{{{of}}} {now}",
            f"ioc_kpi_stale{{{of}}} {int(number % 9 == 0)}",
            f"ioc_kpi_manual{{{of}}} 0",
        ]
        lines += [f"{kpi.metric}{{{labels.replace('*', unit.code)}}} 0.4" for unit in catalog.geography.units()]
    return "\n".join(lines) + "\n"


@contextlib.asynccontextmanager
async def _cameras(catalog: Catalog, broker: str) -> AsyncIterator[None]:
    """New pictures of 1280×720 from twelve cameras every five seconds."""
    small = np.random.default_rng(1).integers(0, 255, (45, 80, 3), dtype=np.uint8)
    producer = AIOKafkaProducer(bootstrap_servers=broker, max_request_size=2**20)
    await producer.start()

    async def publish() -> None:
        number = 0
        while True:
            for camera in list(catalog.cameras)[:_CAMERAS]:
                number += 1
                picture = cv2.resize(np.roll(small, number, axis=1), (1280, 720))
                jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
                frame = Frame(
                    camera_id=camera,
                    pose_id="p0",
                    sequence=number,
                    captured_at=system_clock() - timedelta(milliseconds=100),
                    sha256=sha256_hex(jpeg),
                    jpeg=jpeg,
                )
                key, value, headers = encode_frame(frame, province=catalog.province)
                await producer.send(FRAMES_TOPIC, key=key, value=value, headers=headers)
            await asyncio.sleep(_FRAMES_EVERY_S)

    task = asyncio.create_task(publish())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await producer.stop()


def _wall(broker: str, doors: str, folder: Path) -> ServiceProcess:
    return ServiceProcess("wall", broker=broker, folder=folder, figures_url=f"{doors}/metrics", oncall_url=doors)


# ---- who looks at it -------------------------------------------------------------------------------------------------


async def _paint_ms(url: str) -> float:
    """First contentful paint, in a browser that never saw the page."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        page = await browser.new_page(viewport={"width": 1920, "height": 1080})
        await page.goto(url)
        await page.locator(".tile-number").first.wait_for()
        painted = await page.wait_for_function(_PAINTED)
        found = float(await painted.json_value())
        await browser.close()
        return found


class _Viewers:
    """Fifty pages without a browser: web sockets as NiceGUI's script opens them, and the pictures they are told of."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.messages = self.lost = 0
        self.trouble = "its web socket was closed"
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "_Viewers":
        for _ in range(_VIEWERS):
            self._tasks.append(asyncio.create_task(self._watch()))
            await asyncio.sleep(0.05)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _watch(self) -> None:
        try:
            async with aiohttp.ClientSession() as pages, aiohttp.ClientSession() as sockets:  # a browser has two, too
                async with pages.get(f"{self._url}/") as answer:
                    found = _CLIENT.search(await answer.text())
                if found is None:
                    raise PermanentError("the page names no client")
                names = dict.fromkeys(("client_id", "tab_id", "document_id"), found[1])
                query = {"EIO": 4, "transport": "websocket", "implicit_handshake": "true", "next_message_id": 0}
                address = f"{self._url}/_nicegui_ws/socket.io/?{urlencode(query | names)}"
                async with sockets.ws_connect(address, max_msg_size=0) as socket:
                    await self._listen(pages, socket)
        except (aiohttp.ClientError, TimeoutError, OSError, PermanentError) as error:
            self.trouble = repr(error)
        finally:
            self.lost += 1

    async def _listen(self, pages: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            if message.data.startswith("0"):  # the transport is open: join
                await socket.send_str("40")
            elif message.data == "2":  # ping
                await socket.send_str("3")
            else:
                self.messages += 1
                for path in dict.fromkeys(_THUMB.findall(message.data)):
                    async with pages.get(f"{self._url}{path}") as answer:
                        await answer.read()
