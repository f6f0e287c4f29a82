"""Events a second through the gateway as it is run, over keep-alive connections of this machine, onto a real Kafka."""

import asyncio
import itertools
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

from aiokafka import AIOKafkaConsumer

from ioc.broker import EmbeddedKafka
from ioc.cli.bench_publishing import make_topics
from ioc.cli.bench_service import ServiceProcess
from ioc.cli.bench_table import Bound, Measure, judged
from ioc.errors import PermanentError
from ioc.gateway.service import token_file

__all__ = ["Connection", "EventMaker", "measure_gateway"]

_SINGLES = Bound(floor=2_000, goal=5_000, unit="/s", is_upper=False)
_LATENCY = Bound(floor=40, goal=15, unit=" ms")
_BATCHES = Bound(floor=20_000, goal=60_000, unit="/s", is_upper=False)
_BATCH_EVENTS = 500
_SINGLE_CONNECTIONS = 64
_BATCH_CONNECTIONS = 4
_WARM_S = 1.5
_TOPIC = "ioc.onestop.dossiers"
_DEPARTMENT = "van-phong-ubnd"
_TICK_S = 0.001
_STOP_TIMEOUT_S = 20.0
_NO_BOUND = "10000000"  # a rate that no department reaches
_ALL_ACCEPTED = b'"duplicate":0,"rejected":0'
_TOLD_BYTES = 80  # of an answer; that tells how many of each outcome there were


def measure_gateway(*, seconds: float) -> list[Measure]:
    """Runs each of three loads for `seconds`: single events as fast as they are answered, half as many evenly paced (an
    answer's time counts from when its event was due), and batches of 500.

    Raises:
        PermanentError: an answer was not as expected, or Kafka has not what was acknowledged.
    """
    import uvloop

    with tempfile.TemporaryDirectory(prefix="ioc-bench-") as name, EmbeddedKafka(Path(name) / "kafka") as kafka:
        make_topics(kafka.address)
        state = Path(name) / "state"
        _, token = token_file(state).issue(_DEPARTMENT, now=datetime.now(UTC))
        with ServiceProcess("gateway", broker=kafka.address, folder=state, gateway_rate=_NO_BOUND) as gateway:
            port = int(gateway.url.rpartition(":")[2])
            return uvloop.run(_measure(port, kafka.address, token, seconds))


async def _measure(port: int, broker: str, token: str, seconds: float) -> list[Measure]:
    events = EventMaker(token)
    await _closed_loop(port, events.single, connections=_SINGLE_CONNECTIONS, seconds=_WARM_S)
    singles = await _closed_loop(port, events.single, connections=_SINGLE_CONNECTIONS, seconds=seconds)
    waits_ms = await _open_loop(port, events.single, rate=singles / 2, seconds=seconds)
    await _closed_loop(port, events.batch, connections=_BATCH_CONNECTIONS, seconds=_WARM_S)
    batches = await _closed_loop(port, events.batch, connections=_BATCH_CONNECTIONS, seconds=seconds)
    in_kafka = await _records(broker)
    if in_kafka != events.made:
        raise PermanentError(f"{events.made:,} events were acknowledged, and Kafka has {in_kafka:,}")
    p99 = statistics.quantiles(waits_ms, n=100, method="inclusive")[98]
    kept = f"{in_kafka:,} in Kafka, none missing"
    return [
        judged("gateway: single events, 64 connections", f"{singles:,.0f}/s", singles, _SINGLES),
        judged(
            f"gateway: answer at {singles / 2:,.0f} events/s, p99",
            f"{p99:.1f} ms (median {statistics.median(waits_ms):.1f}, worst {max(waits_ms):.0f}) of {len(waits_ms):,}",
            p99,
            _LATENCY,
        ),
        judged(
            f"gateway: batches of {_BATCH_EVENTS}, {_BATCH_CONNECTIONS} connections",
            f"{batches * _BATCH_EVENTS:,.0f} events/s; {kept}",
            batches * _BATCH_EVENTS,
            _BATCHES,
        ),
    ]


# ---- requests --------------------------------------------------------------------------------------------------------


class EventMaker:
    """Requests with events that were never sent before, cheaply: the generator shares the machine with the gateway."""

    def __init__(self, token: str) -> None:
        self.made = 0
        self._numbers = itertools.count()
        now = datetime.now(UTC)
        submitted, due = now - timedelta(hours=1), now + timedelta(days=5)
        self._event = (
            '{"specversion":"1.0","id":"bench-%08d","source":"/lam-dong/onestop","type":"vn.ioc.dossier.submitted.v1",'
            f'"time":"{submitted.isoformat()}","datacontenttype":"application/json","data":{{'
            '"dossier_id":"H36.14-%08d","procedure_code":"1.004227","service_level":"full","channel":"online",'
            f'"submitted_at":"{submitted.isoformat()}","agency_code":"H36.14","admin_unit":"24781",'
            f'"fee_due_vnd":75000,"due_at":"{due.isoformat()}"}}}}'
        ).encode()
        head = f"POST /v1/events HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n"
        self._single_head = f"{head}content-type: application/cloudevents+json\r\ncontent-length: ".encode()
        self._batch_head = f"{head}content-type: application/cloudevents-batch+json\r\ncontent-length: ".encode()

    def single(self) -> bytes:
        body = self._one()
        return b"%s%d\r\n\r\n%s" % (self._single_head, len(body), body)

    def batch(self) -> bytes:
        body = b"[" + b",".join([self._one() for _ in range(_BATCH_EVENTS)]) + b"]"
        return b"%s%d\r\n\r\n%s" % (self._batch_head, len(body), body)

    def _one(self) -> bytes:
        self.made += 1
        number = next(self._numbers)
        return self._event % (number, number)


class Connection(asyncio.Protocol):
    """One request at a time over a connection that stays; `on_answer` is told of each answer that has all events
    accepted, `on_failure` of anything else."""

    def __init__(self, on_answer: Callable[["Connection"], None], on_failure: Callable[[str], None]) -> None:
        self._on_answer, self._on_failure = on_answer, on_failure
        self._transport: asyncio.Transport | None = None
        self._missing = 0
        self._start = b""
        self.due_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own kind has its methods, not its class

    def ask(self, request: bytes) -> None:
        assert self._transport is not None, "connected"
        self._start, self._missing = b"", -1
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._missing < 0:
            self._start += data
            head, found, body = self._start.partition(b"\r\n\r\n")
            if not found or len(body) < _TOLD_BYTES:
                return
            if head[9:12] not in (b"202", b"200") or _ALL_ACCEPTED not in body[:_TOLD_BYTES]:
                self._on_failure(self._start[:400].decode(errors="replace"))
                return
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            self._missing = int(length) - len(body)
        else:
            self._missing -= len(data)
        if not self._missing:
            self._on_answer(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_failure(f"the connection ended: {exc}")

    def close(self) -> None:
        if self._transport is not None:
            self._on_failure = lambda reason: None
            self._transport.close()


async def _connect(
    port: int, count: int, on_answer: Callable[[Connection], None], failed: "asyncio.Future[None]"
) -> list[Connection]:
    def fail(reason: str) -> None:
        if not failed.done():
            failed.set_exception(PermanentError(f"the gateway answered otherwise than expected: {reason}"))

    loop = asyncio.get_running_loop()
    return [
        (await loop.create_connection(lambda: Connection(on_answer, fail), "127.0.0.1", port))[1] for _ in range(count)
    ]


async def _closed_loop(port: int, request: Callable[[], bytes], *, connections: int, seconds: float) -> float:
    """Returns the answers a second of connections that each ask again at once."""
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    done = 0
    waiting = connections
    started = time.perf_counter()
    ends = started + seconds

    def on_answer(connection: Connection) -> None:
        nonlocal done, waiting
        done += 1
        if time.perf_counter() < ends:
            connection.ask(request())
            return
        waiting -= 1
        if not waiting and not failed.done():
            failed.set_result(None)

    opened = await _connect(port, connections, on_answer, failed)
    for connection in opened:
        connection.ask(request())
    await asyncio.wait_for(failed, seconds + _STOP_TIMEOUT_S)
    took_s = time.perf_counter() - started
    for connection in opened:
        connection.close()
    return done / took_s


async def _open_loop(port: int, request: Callable[[], bytes], *, rate: float, seconds: float) -> list[float]:
    """Returns how many ms each answer took from when its event was due, whether or not a connection was free then."""
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    free: deque[Connection] = deque()
    waits_ms: list[float] = []

    def on_answer(connection: Connection) -> None:
        waits_ms.append((time.perf_counter() - connection.due_s) * 1000)
        free.append(connection)

    opened = await _connect(port, 2 * _SINGLE_CONNECTIONS, on_answer, failed)
    free.extend(opened)
    for due_s in _due_times(rate, seconds):
        while time.perf_counter() < due_s or not free:
            if failed.done():
                failed.result()
            await asyncio.sleep(_TICK_S if free else 0)
        connection = free.popleft()
        connection.due_s = due_s
        connection.ask(request())
    async with asyncio.timeout(_STOP_TIMEOUT_S):
        while len(free) < len(opened):  # noqa: ASYNC110
            await asyncio.sleep(_TICK_S)
    for connection in opened:
        connection.close()
    return waits_ms


def _due_times(rate: float, seconds: float) -> Iterator[float]:
    started = time.perf_counter()
    return (started + number / rate for number in range(int(rate * seconds)))


async def _records(broker: str) -> int:
    consumer = AIOKafkaConsumer(_TOPIC, bootstrap_servers=broker, client_id="ioc-bench", group_id=None)
    await consumer.start()
    try:
        return sum((await consumer.end_offsets([*consumer.assignment()])).values())
    finally:
        await consumer.stop()
