"""From an incident on Kafka to its first notice, and notices a second, through `ioc oncall` as it is run."""

import asyncio
import base64
import statistics
import tempfile
import time
from contextlib import AsyncExitStack, ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_bytes

import orjson
from aiohttp import web
from aiokafka import AIOKafkaProducer

from ioc.broker import EmbeddedKafka
from ioc.cli.bench_postgres import postgres_cluster
from ioc.cli.bench_progress import progress
from ioc.cli.bench_publishing import make_topics
from ioc.cli.bench_service import ServiceProcess
from ioc.cli.bench_table import Bound, Measure, judged
from ioc.detections import Box
from ioc.errors import PermanentError
from ioc.incidents import INCIDENT_TYPE, INCIDENTS_TOPIC, Incident
from ioc.oncall.store import sqlite_url

__all__ = ["measure_oncall"]

_LATENCY = Bound(floor=1.0, goal=0.3, unit=" s")
_RATE = Bound(floor=200, goal=None, unit="/s", is_upper=False)  # asked of PostgreSQL; SQLite is for a small site
_RATE_EMBEDDED = Bound(floor=None, goal=200, unit="/s", is_upper=False)
_PROBES_PER_S = 10
_PATIENCE_S = 60.0


def measure_oncall(*, probes: int, burst: int) -> list[Measure]:
    """Ten incidents a second, then `burst` at once; with PostgreSQL (which waits for its disk) and with SQLite.

    A probe's time runs from before it is published to when the receiver has its webhook.

    Raises:
        ConfigurationError: PostgreSQL is not installed.
        PermanentError: a notice never came, or one came twice.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ioc-bench-")))
        kafka = stack.enter_context(EmbeddedKafka(folder / "kafka"))
        make_topics(kafka.address)
        postgres = f"postgresql+asyncpg://{stack.enter_context(postgres_cluster(is_durable=True))}/postgres"
        databases = {"PostgreSQL": postgres, "SQLite": sqlite_url(folder / "oncall.db")}
        found: list[Measure] = []
        for name, url in databases.items():
            found += asyncio.run(_measured(name, url, kafka.address, folder / name, probes=probes, burst=burst))
        return found


async def _measured(name: str, database: str, broker: str, state: Path, *, probes: int, burst: int) -> list[Measure]:
    async with AsyncExitStack() as stack:
        receiver = _Receiver()
        await receiver.start()
        stack.push_async_callback(receiver.stop)
        producer = AIOKafkaProducer(bootstrap_servers=broker, linger_ms=0)
        await producer.start()
        stack.push_async_callback(producer.stop)
        oncall = await asyncio.wait_for(asyncio.to_thread(_started, broker, database, state, receiver.url), _PATIENCE_S)
        stack.push_async_callback(asyncio.to_thread, oncall.stop)
        await _send(producer, receiver, [f"{name}-warm-{number}" for number in range(5)], per_s=_PROBES_PER_S)
        latency = await _send(producer, receiver, [f"{name}-{number}" for number in range(probes)], per_s=_PROBES_PER_S)
        before_s = oncall.cpu_s
        batch = await _send(producer, receiver, [f"{name}-burst-{number}" for number in range(burst)], per_s=None)
        cpu_ms = (oncall.cpu_s - before_s) / burst * 1000
        if receiver.repeats:
            raise PermanentError(f"{receiver.repeats} notices came twice, though nothing failed")
    times = sorted(wait for _, wait in latency)
    p95 = statistics.quantiles(times, n=100, method="inclusive")[94]
    last = max(at for at, _ in batch)
    begun = min(at - wait for at, wait in batch)
    rate = burst / (last - begun)
    return [
        judged(
            f"incident on Kafka → first notice at the receiver, {name}, p95",
            f"{p95:.3f} s (median {statistics.median(times):.3f}, worst {times[-1]:.3f}) of {probes}",
            p95,
            _LATENCY,
        ),
        judged(
            f"{burst:,} incidents at once, notices sent through {name}",
            f"{rate:,.0f}/s, {cpu_ms:.1f} ms of CPU each",
            rate,
            _RATE if name == "PostgreSQL" else _RATE_EMBEDDED,
        ),
    ]


class _Receiver:
    """Takes webhooks and notes when each incident's came."""

    def __init__(self) -> None:
        self.url, self.repeats = "", 0
        self.arrived: dict[str, float] = {}
        self._changed = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/", self._post)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def wait_for(self, names: set[str]) -> None:
        """Raises PermanentError where one never comes."""
        ends_at = time.perf_counter() + _PATIENCE_S
        while missing := names - self.arrived.keys():
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), max(0.0, ends_at - time.perf_counter()))
            except TimeoutError:
                raise PermanentError(f"{len(missing)} of {len(names)} notices never came") from None

    async def _post(self, request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        name = body["data"]["incident"]["incident_id"]
        self.repeats += name in self.arrived
        self.arrived.setdefault(name, time.perf_counter())
        self._changed.set()
        return web.Response(status=204)


async def _send(
    producer: AIOKafkaProducer, receiver: _Receiver, names: list[str], *, per_s: int | None
) -> list[tuple[float, float]]:
    """Publishes an incident for each name, evenly or at once; returns when its notice came and how long it took."""
    sent: dict[str, float] = {}
    begun = time.perf_counter()
    with progress("on-call: incidents", len(names)) as advance:
        for number, name in enumerate(names):
            if per_s is not None:
                await asyncio.sleep(max(0.0, begun + number / per_s - time.perf_counter()))
            value, headers = _record(name, number)
            sent[name] = time.perf_counter()
            future = await producer.send(INCIDENTS_TOPIC, key=name.encode(), value=value, headers=headers)
            if per_s is not None:
                await future
            advance(1)
        await producer.flush()
        await receiver.wait_for(set(names))
    return [(receiver.arrived[name], receiver.arrived[name] - sent[name]) for name in names]


def _record(name: str, number: int) -> tuple[bytes, list[tuple[str, bytes]]]:
    now = datetime.now(UTC)
    of = replace(
        _SMOKE, incident_id=name, camera_id=f"cam-{number}", first_frame_at=now, opened_at=now, last_seen_at=now
    )
    return orjson.dumps(of.as_json()), [("ce_id", f"{name}:1".encode()), ("ce_type", INCIDENT_TYPE.encode())]


def _started(broker: str, database: str, state: Path, webhook: str) -> ServiceProcess:
    return ServiceProcess(
        "oncall",
        "--no-console",
        broker=broker,
        folder=state,
        oncall_database=database,
        oncall_webhook_url=webhook,
        oncall_webhook_secret="whsec_" + base64.b64encode(token_bytes(32)).decode(),
    )


_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_SMOKE = Incident(
    incident_id="",
    kind="smoke",
    state="open",
    severity="critical",
    revision=1,
    camera_id="cam-01",
    pose_id="north",
    admin_unit="24781",
    place_vi="Chòi canh",
    place_en="Watchtower",
    lon=108.44,
    lat=11.94,
    azimuth_deg=15.0,
    box=Box(0.5, 0.4, 0.1, 0.1),
    first_frame_at=_NOW,
    opened_at=_NOW,
    last_seen_at=_NOW,
    peak_score=0.8,
    detections=5,
    evidence="",
    evidence_sha256="",
    runbook="/runbooks/smoke",
)
