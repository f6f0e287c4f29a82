"""The operators' pages of `ioc oncall` with 10,000 open incidents: how long a page takes, and what open pages cost."""

import asyncio
import re
import secrets
import statistics
import tempfile
import time
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import psutil

from ioc.broker import EmbeddedKafka
from ioc.cli.bench_progress import progress
from ioc.cli.bench_publishing import make_topics
from ioc.cli.bench_service import ServiceProcess
from ioc.cli.bench_table import Bound, Measure, judged
from ioc.detections import Box
from ioc.errors import PermanentError
from ioc.incidents import Incident
from ioc.oncall.accounts import Accounts, NewSession
from ioc.oncall.store import open_store, sqlite_url
from ioc.oncall_plan import duty_plan

__all__ = ["measure_oncall_pages"]

_PAGE = Bound(floor=300, goal=100, unit=" ms")
_CPU = Bound(floor=50, goal=25, unit=" % of a core")
_FULL_INCIDENTS, _FULL_PAGES = 10_000, 50
_WARM, _LOADS = 3, 30
_CHANGE_EVERY_S = 1.0
_PATIENCE_S = 60.0
_PASSWORD = secrets.token_urlsafe(16)
_BATCH = 500


@dataclass(frozen=True, slots=True)
class _Site:
    """Where the service listens, its process, and a session's cookie."""

    address: str
    process: psutil.Process
    cookie: str


def measure_oncall_pages(*, incidents: int, pages: int, seconds: float) -> list[Measure]:
    """The inbox's first page, made anew each time; then `pages` open ones, each loading it after every change, one a
    second, beside what the service does anyway.

    Raises:
        PermanentError: the service did not start, or a page did not come.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ioc-bench-")))
        kafka = stack.enter_context(EmbeddedKafka(folder / "kafka"))
        make_topics(kafka.address)
        with progress(f"oncall-pages: {incidents} incidents"):
            cookie = asyncio.run(_filled(folder, incidents))
        with progress("oncall-pages: the pages"):
            times_ms, cpu_percent, loads = asyncio.run(_measured(folder, kafka.address, cookie, pages, seconds))
    p95_ms = statistics.quantiles(times_ms, n=20, method="inclusive")[18]
    is_full = incidents >= _FULL_INCIDENTS and pages >= _FULL_PAGES
    return [
        judged(
            f"inbox page with {incidents:,} open incidents, p95",
            f"{p95_ms:.0f} ms (median {statistics.median(times_ms):.0f})",
            p95_ms,
            _PAGE,
            is_full=is_full,
        ),
        judged(
            f"{pages} live pages, a change a second",
            f"{cpu_percent:.0f} % of a core ({loads / seconds:.0f} loads/s)",
            cpu_percent,
            _CPU,
            is_full=is_full,
        ),
    ]


async def _filled(folder: Path, incidents: int) -> str:
    """Open incidents that call nobody, and an operator; returns the session's cookie."""
    store = await open_store(sqlite_url(folder / "oncall.db"))
    now = datetime.now(UTC)
    try:
        plan = duty_plan((), "nobody")
        made = [_incident(number, now) for number in range(incidents)]
        for begin in range(0, incidents, _BATCH):
            await store.take(made[begin : begin + _BATCH], plan, now)
        accounts = Accounts(store.engine)
        await accounts.add("operator", _PASSWORD, now, name="Operator", role="operator")
        session = await accounts.sign_in("operator", _PASSWORD, now, address="")
    finally:
        await store.close()
    if not isinstance(session, NewSession):
        raise PermanentError(f"oncall-pages: no session: {session}")
    return session.cookie


def _incident(number: int, now: datetime) -> Incident:
    began_at = now - timedelta(seconds=number * 3)
    return Incident(
        incident_id=f"smoke-cam-{number % 37:02d}-p{number % 5}-{number:06d}",
        kind="smoke" if number % 3 else "construction",
        state="open",
        severity="critical" if number % 3 else "warning",
        revision=1,
        camera_id=f"cam-{number % 37:02d}",
        pose_id=f"p{number % 5}",
        admin_unit="24778",
        place_vi=f"Chòi canh số {number % 37}, xã Lát",
        place_en=f"Watchtower {number % 37}, Lat commune",
        lon=108.44,
        lat=12.04,
        azimuth_deg=float(number % 360),
        box=Box(0.5, 0.4, 0.1, 0.1),
        first_frame_at=began_at,
        opened_at=began_at,
        last_seen_at=now,
        peak_score=0.8,
        detections=5,
        evidence=f"evidence://sha256/{number:064x}",
        evidence_sha256=f"{number:064x}",
        runbook="/runbooks/smoke",
    )


async def _measured(
    folder: Path, broker: str, cookie: str, pages: int, seconds: float
) -> tuple[list[float], float, int]:
    async with AsyncExitStack() as stack:
        site = await _started(stack, folder, broker, cookie)
        client = await stack.enter_async_context(_client(site, limit=0))
        for _ in range(_WARM):
            await _load(client, site, 0)
        times_ms = [await _load(client, site, number + 1) for number in range(_LOADS)]
        cpu_percent, loads = await _open_pages(client, site, pages, seconds)
    return times_ms, cpu_percent, loads


async def _load(client: aiohttp.ClientSession, site: _Site, number: int) -> float:
    """Returns milliseconds. A key in the future gives the first page under an address that nobody asked for before:
    no answer that was kept for others is measured."""
    after = f"0~{4_000_000_000_000_000 + time.monotonic_ns() % 10**12 + number}~x"
    began_s = time.perf_counter()
    async with client.get(f"{site.address}/", params={"after": after}) as answer:
        text = await answer.text()
    took_ms = (time.perf_counter() - began_s) * 1000
    if answer.status != 200 or text.count("data-incident=") != 50:
        raise PermanentError(f"oncall-pages: the inbox answered {answer.status}: {text[:300]}")
    return took_ms


async def _open_pages(client: aiohttp.ClientSession, site: _Site, pages: int, seconds: float) -> tuple[float, int]:
    """Returns (% of a core, pages loaded)."""
    loads = [0]
    tasks = [asyncio.create_task(_page(client, site, loads)) for _ in range(pages)]
    changing = asyncio.create_task(_change(client, site))
    try:
        await asyncio.sleep(3 * _CHANGE_EVERY_S)  # all of them are open
        loads[0] = 0
        before, began_s = site.process.cpu_times(), time.monotonic()
        await asyncio.sleep(seconds)
        after, wall_s = site.process.cpu_times(), time.monotonic() - began_s
        ended = [task for task in (*tasks, changing) if task.done()]
        for task in ended:
            task.result()
        if ended:
            raise PermanentError(f"oncall-pages: {len(ended)} live pages were closed")
    finally:
        for task in (*tasks, changing):
            task.cancel()
        await asyncio.gather(*tasks, changing, return_exceptions=True)
    spent_s = after.user + after.system - before.user - before.system
    return spent_s / wall_s * 100, loads[0]


async def _page(client: aiohttp.ClientSession, site: _Site, loads: list[int]) -> None:
    """What the script of an open page does."""
    async with client.get(f"{site.address}/live") as stream:
        async for line in stream.content:
            if line == b"event: change\n":
                async with client.get(f"{site.address}/") as answer:
                    await answer.read()
                loads[0] += 1


async def _change(client: aiohttp.ClientSession, site: _Site) -> None:
    """An operator comments once a second."""
    path = f"{site.address}/incidents/{_incident(1, datetime.now(UTC)).incident_id}"
    async with client.get(path) as answer:
        token = re.search(r'name="csrf" value="([^"]+)"', await answer.text())
    if token is None:
        raise PermanentError("oncall-pages: the incident's page has no form")
    while True:
        form = {"csrf": token[1], "text": "Đã gọi kiểm lâm"}
        async with client.post(f"{path}/comment", data=form, allow_redirects=False) as answer:
            if answer.status != 303:
                raise PermanentError(f"oncall-pages: a comment was answered with {answer.status}")
        await asyncio.sleep(_CHANGE_EVERY_S)


def _client(site: _Site, *, limit: int) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=limit),
        headers={"Cookie": f"ioc_oncall={site.cookie}"},
        timeout=aiohttp.ClientTimeout(total=None, sock_read=_PATIENCE_S),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


async def _started(stack: AsyncExitStack, folder: Path, broker: str, cookie: str) -> _Site:
    def start() -> ServiceProcess:
        return ServiceProcess("oncall", "--no-console", broker=broker, folder=folder, log_level="ERROR")

    oncall = await asyncio.wait_for(asyncio.to_thread(start), _PATIENCE_S)
    stack.callback(oncall.stop)
    return _Site(oncall.url, oncall.process, cookie)
