"""CPU per event of the events agent, in ratio to plain aiokafka, on a real broker of its own."""

import asyncio
import json
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from ioc.adapters.topics import ensure_topics
from ioc.broker import EmbeddedKafka
from ioc.catalog import TopicSpec, load_catalog
from ioc.catalog.model import ENTITY_ROWS_TOPIC
from ioc.cli.bench_table import Measure
from ioc.errors import PermanentError
from ioc.settings import load_settings

__all__ = ["measure_events"]

FLOOR_RATIO = 4.0
_TOPIC = "ioc.onestop.dossiers"
_MIXES: dict[str, str] = {"every event another entity": "single", "8 events an entity, in order": "eight"}
_NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
_STATUSES = ("received", "in_process", "supplement", "in_process", "resolved", "in_process", "resolved")

Record = tuple[bytes, bytes, list[tuple[str, bytes]]]


def measure_events(*, count: int, passes: int) -> list[Measure]:
    """Returns a measure for each mix; each pass runs peer and product one after the other on the same records."""
    measures = []
    with tempfile.TemporaryDirectory(prefix="ioc-bench-") as folder:
        for name, mix in _MIXES.items():
            with EmbeddedKafka(Path(folder) / mix) as kafka:
                asyncio.run(_fill(kafka.address, mix, count, passes))
                peers, products = [], []
                for number in range(passes):
                    peers.append(_child("peer", kafka.address, count, number, Path(folder)))
                    products.append(_child("product", kafka.address, count, number, Path(folder)))
            measures.append(_measure(name, peers, products))
    return measures


def _measure(name: str, peers: list[dict[str, float]], products: list[dict[str, float]]) -> Measure:
    peer_us = statistics.median(result["cpu_us"] for result in peers)
    product_us = statistics.median(result["cpu_us"] for result in products)
    rate = statistics.median(result["events_per_s"] for result in products)
    peer_rate = statistics.median(result["events_per_s"] for result in peers)
    ratio = product_us / peer_us
    return Measure(
        name=f"events agent, {name}",
        figure=f"{product_us:.1f} µs CPU, {rate:,.0f} events/s",
        peer=f"aiokafka + orjson + count: {peer_us:.1f} µs, {peer_rate:,.0f}/s",
        ratio=round(ratio, 2),
        floor=f"≤ {FLOOR_RATIO:g} × peer",
        is_met=ratio <= FLOOR_RATIO,
    )


def _child(part: str, broker: str, count: int, number: int, folder: Path) -> dict[str, float]:
    """Runs one side in a process of its own, so that its CPU is its own."""
    done = subprocess.run(
        [sys.executable, "-m", "ioc.cli.bench_events", part, broker, str(count), str(number), str(folder)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        raise PermanentError(f"the {part} of the benchmark failed: {done.stderr.strip()[-500:]}")
    result: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


# ---- the records ---------------------------------------------------------------------------------------------------


async def _fill(broker: str, mix: str, count: int, passes: int) -> None:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it tells of every retry on a topic a moment old
    catalog = load_catalog(load_settings().catalog)
    states = [
        TopicSpec(name=_state_topic(number), partitions=catalog.partitions, config={"cleanup.policy": "compact"})
        for number in range(passes)
    ]
    await ensure_topics(broker, [*catalog.topics(), *states])
    producer = AIOKafkaProducer(bootstrap_servers=broker, linger_ms=20, max_batch_size=512 * 1024)
    await producer.start()
    try:
        for key, value, headers in _records(mix, count):
            await producer.send(_TOPIC, key=key, value=value, headers=headers)
        await producer.flush()
    finally:
        await producer.stop()


def _records(mix: str, count: int) -> Iterator[Record]:
    """Dossier events of about 270 bytes with their CloudEvents headers."""
    per_entity = 1 if mix == "single" else 8
    for index in range(count):
        dossier, step = divmod(index, per_entity)
        at = _NOW - timedelta(days=dossier % 60, minutes=600 - step)
        key = f"H36.{dossier % 20:02d}-26{dossier:08d}"
        data: dict[str, object]
        if step == 0:
            kind = "submitted"
            data = {
                "dossier_id": key,
                "procedure_code": f"1.{dossier % 900:06d}",
                "service_level": ("full", "partial", "info")[dossier % 3],
                "channel": "online" if dossier % 5 else "counter",
                "submitted_at": at.isoformat(),
                "agency_code": f"H36.{dossier % 20:02d}",
                "admin_unit": "24781",
                "due_at": (at + timedelta(days=7)).isoformat(),
            }
        else:
            kind = "status_changed"
            data = {
                "dossier_id": key,
                "status": _STATUSES[step - 1],
                "at": at.isoformat(),
                "result_channel": "online",
                "reason": "hồ sơ đã được chuyển bước xử lý theo quy trình một cửa",
            }
        headers = [
            ("ce_specversion", b"1.0"),
            ("ce_id", f"{index:012d}-bench".encode()),
            ("ce_source", b"/lam-dong/onestop/motcua"),
            ("ce_type", f"vn.ioc.dossier.{kind}.v1".encode()),
            ("ce_time", at.isoformat().encode()),
            ("content-type", b"application/json"),
        ]
        yield key.encode(), orjson.dumps(data), headers


# ---- the two sides -------------------------------------------------------------------------------------------------


def _state_topic(number: int) -> str:
    return f"{ENTITY_ROWS_TOPIC}.bench-{number}"


def _main(part: str, broker: str, count: int, number: int, folder: Path) -> None:
    run = {"peer": _peer, "product": _product}[part]
    print(json.dumps(asyncio.run(run(broker, count, number, folder))))


async def _peer(broker: str, count: int, number: int, folder: Path) -> dict[str, float]:
    """Plain aiokafka: getmany, orjson, count."""
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, group_id=None, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = load_catalog(load_settings().catalog).partitions
        places = [TopicPartition(_TOPIC, partition) for partition in range(partitions)]
        consumer.assign(places)
        for place in places:
            consumer.seek(place, 0)
        meter = _Meter()
        seen = 0
        while seen < count:
            for records in (await consumer.getmany(timeout_ms=500, max_records=4_000)).values():
                for record in records:
                    orjson.loads(record.value)
                    seen += 1
        return meter.result(seen)
    finally:
        await consumer.stop()


async def _product(broker: str, count: int, number: int, folder: Path) -> dict[str, float]:
    """The events role as the worker runs it: decode, validate, fold, durable rows, KPIs, partials."""
    from prometheus_client import CollectorRegistry

    from streams.events_to_entities import EventsRole
    from streams.memory import spare_the_collector
    from streams.metrics import PipelineMetrics
    from streams.slim_records import use_slim_records

    use_slim_records()  # as the worker does
    role = EventsRole(
        broker=broker,
        catalog=load_catalog(load_settings().catalog),
        clock=lambda: _NOW,
        flush_s=0.5,
        metrics=PipelineMetrics(CollectorRegistry()),
        folder=folder / f"faust-{number}",
        app_id=f"bench-{number}",
        state_topic=_state_topic(number),
    )
    await role.start()
    try:
        await _until(lambda: role.is_ready)
        spare_the_collector()  # as the worker does
        meter = _Meter()
        await _until(lambda: sum(topic["in"] for topic in role.outcomes().values()) >= count)
        result = meter.result(count)
        accepted = sum(topic["accepted"] for topic in role.outcomes().values())
        if accepted != count:
            raise PermanentError(f"{accepted} of {count} events were accepted")
        return result
    finally:
        await role.stop()


async def _until(is_true: Callable[[], bool]) -> None:
    while not is_true():  # noqa: ASYNC110  (a role sets no event for outsiders; 50 ms do not matter to seconds)
        await asyncio.sleep(0.05)


class _Meter:
    """CPU of the whole process, all threads, and wall time since its making."""

    def __init__(self) -> None:
        self._cpu_s, self._wall_s = time.process_time(), time.perf_counter()

    def result(self, events: int) -> dict[str, float]:
        cpu_s, wall_s = time.process_time() - self._cpu_s, time.perf_counter() - self._wall_s
        return {"cpu_us": cpu_s / events * 1e6, "events_per_s": events / wall_s}


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]))
