"""How long from an accepted event to the figure on /metrics, at a steady rate, through one worker as it is run."""

import asyncio
import itertools
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
from aiokafka import AIOKafkaProducer

from ioc.broker import EmbeddedKafka
from ioc.catalog import load_catalog
from ioc.cli.bench_process import WorkerProcess
from ioc.cli.bench_progress import progress
from ioc.cli.bench_province import Province
from ioc.cli.bench_publishing import Record, make_topics
from ioc.cli.bench_table import Bound, Measure, judged
from ioc.errors import PermanentError
from ioc.settings import load_settings

__all__ = ["count_in", "measure_latency", "seen_after"]

_BOUND = Bound(floor=2.5, goal=1.2, unit=" s")
_TICK_S = 0.02
_PROBES_PER_S = 10
_SCRAPE_PAUSE_S = 0.05
_LAST_PROBE_S = 10.0
_REPORTS = "ioc.citizen.reports"
_METRIC = b"ioc_kpi_numerator{"
_LABELS = (b'kpi="reports_received"', b'admin_unit="*"', b'agency=""', b'window="mtd"')


def measure_latency(*, rate: int, seconds: int) -> list[Measure]:
    """Publishes `rate` events a second; ten of them are probes: each adds one to the KPI `reports_received`.

    A probe's time runs from the broker's acknowledgement to the end of the first scrape that shows it.
    """
    with tempfile.TemporaryDirectory(prefix="ioc-bench-") as name, EmbeddedKafka(Path(name) / "kafka") as kafka:
        make_topics(kafka.address)
        with WorkerProcess("events,figures", broker=kafka.address, folder=Path(name) / "worker") as worker:
            worker.wait_ready()
            scraper = _Scraper(worker)
            scraper.start()
            try:
                acknowledged, sent = asyncio.run(_publish(kafka.address, rate, seconds))
                _await_count(scraper, len(acknowledged))
            finally:
                scraper.stop()
            outcomes = _await_all(worker, sent)
    waits = seen_after(acknowledged, scraper.seen)
    if len(waits) < len(acknowledged) or outcomes.get("accepted", 0) != sent:
        raise PermanentError(
            f"{len(acknowledged) - len(waits)} of {len(acknowledged)} probes never showed; "
            f"of {sent:,} events sent the worker tells {outcomes}"
        )
    return [_measure(waits, rate, sent / seconds, scraper)]


def _measure(waits: list[float], rate: int, real_rate: float, scraper: "_Scraper") -> Measure:
    p99 = statistics.quantiles(waits, n=100, method="inclusive")[98]
    scrape_ms = statistics.median(scraper.took_s) * 1000
    return judged(
        f"event acknowledged → figure on /metrics, {rate:,} events/s, p99",
        f"{p99:.2f} s (median {statistics.median(waits):.2f}, worst {max(waits):.2f}) of {len(waits)} probes, "
        f"{real_rate:,.0f} events/s, a scrape {scrape_ms:.0f} ms",
        p99,
        _BOUND,
    )


def seen_after(acknowledged: list[float], seen: list[tuple[float, float]]) -> list[float]:
    """Returns how long each probe took: probe n is seen once the count has reached n + 1.

    Args:
        acknowledged: when the broker had each probe, in seconds, in any order.
        seen: time and count of each scrape, in their order.
    """
    waits: list[float] = []
    scrapes = iter(seen)
    at, count = next(scrapes, (0.0, -1.0))
    for number, asked in enumerate(sorted(acknowledged)):
        while count < number + 1:
            following = next(scrapes, None)
            if following is None:
                return waits
            at, count = following
        waits.append(max(0.0, at - asked))
    return waits


class _Scraper(threading.Thread):
    """Asks for /metrics again and again, as a hasty Prometheus."""

    def __init__(self, worker: WorkerProcess) -> None:
        super().__init__(name="scrape", daemon=True)
        self._worker = worker
        self._end = threading.Event()
        self.seen: list[tuple[float, float]] = []
        self.took_s: list[float] = []

    def run(self) -> None:
        while not self._end.wait(_SCRAPE_PAUSE_S):
            started = time.perf_counter()
            body = self._worker.get("/metrics")[1].encode()
            ended = time.perf_counter()
            self.took_s.append(ended - started)
            self.seen.append((ended, count_in(body)))

    def stop(self) -> None:
        self._end.set()
        self.join(_LAST_PROBE_S)


def count_in(body: bytes) -> float:
    """The reports of the whole province this month, in an exposition; 0 where it has no such line."""
    for line in body.splitlines():
        if line.startswith(_METRIC) and all(part in line for part in _LABELS):
            return float(line.rsplit(b" ", 1)[1])
    return 0.0


def _await_count(scraper: _Scraper, wanted: int) -> None:
    ends = time.perf_counter() + _LAST_PROBE_S
    while time.perf_counter() < ends and not (scraper.seen and scraper.seen[-1][1] >= wanted):
        time.sleep(_SCRAPE_PAUSE_S)


def _await_all(worker: WorkerProcess, sent: int) -> dict[str, int]:
    """Returns the outcomes once every event has one: those after the last probe may still wait for their write."""
    ends = time.perf_counter() + _LAST_PROBE_S
    outcomes = worker.outcomes()
    while outcomes.get("in", 0) < sent and time.perf_counter() < ends:
        time.sleep(_SCRAPE_PAUSE_S)
        outcomes = worker.outcomes()
    return outcomes


async def _publish(broker: str, rate: int, seconds: int) -> tuple[list[float], int]:
    """Sends steadily. Returns when each probe was acknowledged, and how many events were sent in all."""
    acknowledged: list[float] = []
    sent = 0
    others = _others(rate * seconds)
    producer = AIOKafkaProducer(bootstrap_servers=broker, linger_ms=5)
    await producer.start()
    try:
        with progress("latency: publishing", seconds) as advance:
            started = time.perf_counter()
            for tick in range(round(seconds / _TICK_S)):
                await asyncio.sleep(max(0.0, started + tick * _TICK_S - time.perf_counter()))
                wanted = round((tick + 1) * _TICK_S * rate)
                if tick % round(1 / _PROBES_PER_S / _TICK_S) == 0:
                    topic, key, value, headers = _probe(sent)
                    future = await producer.send(topic, key=key, value=value, headers=headers)
                    future.add_done_callback(lambda _: acknowledged.append(time.perf_counter()))
                    sent += 1
                for topic, key, value, headers in itertools.islice(others, wanted - sent):
                    await producer.send(topic, key=key, value=value, headers=headers)
                    sent += 1
                advance(_TICK_S)
            await producer.flush()
    finally:
        await producer.stop()
    return acknowledged, sent


def _others(count: int) -> Iterator[Record]:
    """What else a province sends, the year up to yesterday: nothing twice, nothing refused, no reports."""
    catalog = load_catalog(load_settings().catalog)
    province = Province(
        count * 11 // 10,  # a few are reports
        units=[unit.code for unit in catalog.geography.units()],
        cameras=list(catalog.cameras),
        last_day=datetime.now(UTC).date() - timedelta(days=1),
        is_clean=True,
    )
    return (record for record in province.records() if record[0] != _REPORTS)


def _probe(number: int) -> Record:
    at, key = datetime.now(UTC).isoformat(), f"probe-{number}"
    data = {"report_id": key, "channel": "app", "submitted_at": at, "ward_code": "24781"}
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", key.encode()),
        ("ce_source", b"/lam-dong/citizen/probe"),
        ("ce_type", b"vn.ioc.report.submitted.v1"),
        ("ce_time", at.encode()),
        ("content-type", b"application/json"),
    ]
    return _REPORTS, key.encode(), orjson.dumps(data), headers
