"""The two sides of a CPU benchmark, each run as a process: plain aiokafka, and the events role as the worker runs it.

Arguments: `peer` or `product`, and a JSON object with what the side needs. The last line of output is its result.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from ioc.catalog import TopicSpec, load_catalog
from ioc.catalog.model import ENTITY_ROWS_TOPIC
from ioc.cli.bench_dossiers import DOSSIERS_TOPIC, NOW
from ioc.cli.bench_process import Meter, run_child, write_result
from ioc.errors import PermanentError
from ioc.settings import load_settings

__all__ = ["run_peer", "run_product", "state_topics"]

_MODULE = "ioc.cli.bench_sides"


class _Task(TypedDict):
    broker: str
    count: int
    folder: str
    name: str


def run_peer(broker: str, count: int) -> dict[str, float]:
    """Returns CPU (µs) and events a second of plain aiokafka that decodes and counts `count` dossier events."""
    task = _Task(broker=broker, count=count, folder="", name="")
    return run_child("plain aiokafka", ["-m", _MODULE, "peer", json.dumps(task)])


def run_product(broker: str, count: int, folder: Path, name: str, *, catalog: Path | None = None) -> dict[str, float]:
    """Returns CPU (µs) and events a second of the events role for `count` events.

    Each run `name` has its own group and the state topic of `state_topics`.
    """
    task = _Task(broker=broker, count=count, folder=str(folder), name=name)
    env = {"IOC_CATALOG": str(catalog)} if catalog else {}
    return run_child("the events role", ["-m", _MODULE, "product", json.dumps(task)], env=env)


def state_topics(names: list[str]) -> list[TopicSpec]:
    """The changelogs of fresh runs."""
    partitions = load_catalog(load_settings().catalog).partitions
    return [
        TopicSpec(name=_state_topic(name), partitions=partitions, config={"cleanup.policy": "compact"})
        for name in names
    ]


def _state_topic(name: str) -> str:
    return f"{ENTITY_ROWS_TOPIC}.bench-{name}"


async def _peer(task: _Task) -> dict[str, float]:
    """Plain aiokafka: getmany, orjson, count."""
    consumer = AIOKafkaConsumer(bootstrap_servers=task["broker"], group_id=None, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = load_catalog(load_settings().catalog).partitions
        places = [TopicPartition(DOSSIERS_TOPIC, partition) for partition in range(partitions)]
        consumer.assign(places)
        for place in places:
            consumer.seek(place, 0)
        meter = Meter()
        seen = 0
        while seen < task["count"]:
            for records in (await consumer.getmany(timeout_ms=500, max_records=4_000)).values():
                for record in records:
                    orjson.loads(record.value)
                    seen += 1
        return meter.result(seen)
    finally:
        await consumer.stop()


async def _product(task: _Task) -> dict[str, float]:
    """The events role as the worker runs it: decode, validate, fold, durable rows, KPIs, partials."""
    from prometheus_client import CollectorRegistry

    from streams.events_to_entities import EventsRole
    from streams.memory import spare_the_collector
    from streams.metrics import PipelineMetrics
    from streams.slim_records import use_slim_records

    use_slim_records()  # as the worker does
    role = EventsRole(
        broker=task["broker"],
        catalog=load_catalog(load_settings().catalog),
        clock=lambda: NOW,
        flush_s=0.5,
        metrics=PipelineMetrics(CollectorRegistry()),
        folder=Path(task["folder"]) / f"faust-{task['name']}",
        app_id=f"bench-{task['name']}",
        state_topic=_state_topic(task["name"]),
    )
    await role.start()
    spare_the_collector()  # as the worker does
    meter = Meter()  # from here, for no event may be taken before it: shards open one after the other
    try:
        await _until(lambda: role.is_ready)
        await _until(lambda: _outcome(role.outcomes(), "in") >= task["count"])
        result = meter.result(task["count"])
        accepted = _outcome(role.outcomes(), "accepted")
        if accepted != task["count"]:
            raise PermanentError(f"{accepted} of {task['count']} events were accepted")
        return result
    finally:
        await role.stop()


def _outcome(outcomes: dict[str, dict[str, int]], name: str) -> int:
    return sum(topic[name] for topic in outcomes.values())


async def _until(is_true: Callable[[], bool]) -> None:
    while not is_true():  # noqa: ASYNC110  (a role sets no event for outsiders; 20 ms do not matter to seconds)
        await asyncio.sleep(0.02)


if __name__ == "__main__":
    write_result(asyncio.run({"peer": _peer, "product": _product}[sys.argv[1]](json.loads(sys.argv[2]))))
