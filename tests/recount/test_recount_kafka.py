"""The product's figures against the recount, on a real Kafka, with the worker killed in the middle.

`RECOUNT_SEED=123 pytest tests/recount` repeats a run.
"""

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
import yaml
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tests.recount.accepting import Fact, Record
from tests.recount.generator import Stream, generate
from tests.recount.recount import Recount, Series
from tests.recount.services import Exported, Worker, broker, eventually

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

CATALOGUE = Path(__file__).parents[2] / "ioc" / "catalog" / "lam-dong" / "cameras.yaml"


@pytest.fixture(scope="module")
def seed() -> int:
    chosen = int(os.environ.get("RECOUNT_SEED") or random.SystemRandom().randrange(1_000_000))
    print(f"\nRECOUNT_SEED={chosen}")
    return chosen


@pytest.fixture(scope="module")
def cameras() -> dict[str, str]:
    """Registered cameras and their units: the one file of the product that is read, as data."""
    declared = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))
    return {camera_id: str(camera["admin_unit"]) for camera_id, camera in declared.items()}


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def _recount(stream: Stream, cameras: Mapping[str, str]) -> Recount:
    recount = Recount(stream.clock, cameras)
    recount.read(stream.records)
    flawed = sum(1 for event in stream.events if event.flaw)
    assert sum(outcomes["rejected"] for outcomes in recount.outcomes.values()) == flawed, "the recount itself is wrong"
    return recount


async def _publish(address: str, records: Sequence[Record]) -> None:
    """Sends the records in this order, all of them acknowledged on return."""
    producer = AIOKafkaProducer(bootstrap_servers=address, enable_idempotence=True, linger_ms=5)
    await producer.start()
    try:
        receipts = [
            await producer.send(record.topic, record.value, key=record.key, headers=list(record.headers))
            for record in records
        ]
        await asyncio.gather(*receipts)
    finally:
        await producer.stop()


def _outcomes(by_topic: Mapping[str, Counter[str]]) -> dict[str, dict[str, int]]:
    return {topic: {name: count for name, count in sorted(found.items()) if count} for topic, found in by_topic.items()}


def _same_outcomes(exported: Exported, recount: Recount) -> bool:
    heard = {topic: counts for topic, counts in _outcomes(exported.outcomes).items() if counts}
    return heard == _outcomes(recount.outcomes)


def _explain(recount: Recount, differences: Mapping[Series, str], clock: datetime) -> str:
    """Returns the first differences, and the lives of the entities behind the smallest group that differs."""
    lines = [f"{len(differences)} series differ"]
    lines += [f"  {series}: {what}" for series, what in [*differences.items()][:12]]
    behind = {series: recount.behind(series, clock) for series in differences}
    smallest = min(behind, key=lambda series: (len(behind[series]), series))
    lines.append(f"the {len(behind[smallest])} entities behind {smallest}, the most eventful first:")
    eventful = sorted(behind[smallest].items(), key=lambda item: -len(recount.facts[item[0]]))
    for entity, share in eventful[:8]:
        lines.append(f"  {entity} adds {share}")
        lines += [f"    {_line(fact)}" for fact in sorted(recount.facts[entity], key=lambda fact: fact.order)]
    return "\n".join(lines)


def _line(fact: Fact) -> str:
    said = {name: value for name, value in fact.data.items() if name not in ("note", "not_in_any_catalogue")}
    return f"{fact.time.isoformat()} {fact.id!r} {fact.source} {fact.type.removeprefix('vn.ioc.')} {said}"


async def _expect(
    session: aiohttp.ClientSession, worker: Worker, recount: Recount, clock: datetime, *, timeout_s: float = 45
) -> None:
    """Waits until outcomes and figures are those of the recount; says what differs when they don't become so."""
    expected = recount.figures(clock)
    exported = await eventually(
        session,
        worker,
        lambda shown: _same_outcomes(shown, recount) and not shown.differences(expected),
        timeout_s=timeout_s,
    )
    assert _outcomes(exported.outcomes) == _outcomes(recount.outcomes), worker.log()
    differences = exported.differences(expected)
    assert not differences, _explain(recount, differences, clock)


async def _kill_after(session: aiohttp.ClientSession, worker: Worker, threshold: int, rng: random.Random) -> None:
    """kill -9 once the worker has counted `threshold` events, at any moment of its flush."""
    exported = await eventually(session, worker, lambda shown: shown.events_in >= threshold, timeout_s=30)
    assert exported.events_in >= threshold, worker.log()
    if rng.random() < 0.6:
        await asyncio.sleep(rng.uniform(0, 0.6))  # the moment of the kill is what is drawn, nothing waits for it
    worker.kill()
    print(f"killed: {exported.events_in} events were counted (drawn: {threshold})")


async def test_exported_figures_equal_the_recount_though_the_worker_is_killed_twice(
    seed: int, cameras: dict[str, str], session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    stream = generate(seed, events=20_000)
    recount = _recount(stream, cameras)
    rng = random.Random(seed ^ 0x9E3779B9)
    total = len(stream.records)
    first, second = rng.randrange(total // 10, total * 4 // 10), rng.randrange(total // 2, total * 9 // 10)
    # Each kill finds records in the log that the worker has not read, and some are written while it is dead.
    before_first = first + rng.randrange(500, total // 10)
    before_second = min(second + rng.randrange(500, total // 10), total)
    print(f"clock {stream.clock.isoformat()}, {total} records, kills after {first} and {second} events")
    with broker(tmp_path) as address:
        worker = Worker(address, tmp_path, stream.clock)
        try:
            worker.start()
            killing = asyncio.create_task(_kill_after(session, worker, first, rng))
            await _publish(address, stream.records[:before_first])
            await killing
            await _publish(address, stream.records[before_first:second])
            worker.start()
            killing = asyncio.create_task(_kill_after(session, worker, second, rng))
            await _publish(address, stream.records[second:before_second])
            await killing
            worker.start()
            await _publish(address, stream.records[before_second:])
            await _expect(session, worker, recount, stream.clock)
            # Nothing is counted once more by what is still to be flushed.
            await eventually(session, worker, lambda shown: shown.lag_records == 0, timeout_s=10)
            await _expect(session, worker, recount, stream.clock, timeout_s=0)
            assert worker.stop() == 0
            # The same rows at another clock: other windows, nothing read again.
            worker.clock = stream.clock + timedelta(hours=rng.randrange(1, 60 * 24), minutes=rng.randrange(60))
            print(f"then at {worker.clock.isoformat()}")
            worker.start()
            await _expect(session, worker, recount, worker.clock)
        finally:
            worker.stop()


async def test_shuffled_order_gives_the_same_figures_and_every_refusal_a_dead_letter(
    seed: int, cameras: dict[str, str], session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    sorted_out = _recount(generate(seed, events=3_000, change_bodies=False), cameras)
    shuffled = generate(seed, events=3_000, change_bodies=False, order_seed=seed + 1)
    recount = _recount(shuffled, cameras)
    assert recount.figures() == sorted_out.figures()
    assert recount.outcomes == sorted_out.outcomes
    with broker(tmp_path) as address:
        worker = Worker(address, tmp_path, shuffled.clock)
        try:
            worker.start()
            await _publish(address, shuffled.records)
            await _expect(session, worker, recount, shuffled.clock)
            rejected = sum(outcomes["rejected"] for outcomes in recount.outcomes.values())
            letters = await _dead_letters(address, at_least=rejected)
        finally:
            worker.stop()
    assert len(letters) == rejected
    assert all(letter["reason"] and letter["message_vi"] for letter in letters)
    per_topic = Counter(letter["topic"] for letter in letters)
    assert per_topic == {topic: found["rejected"] for topic, found in recount.outcomes.items() if found["rejected"]}
    places = {(letter["topic"], letter["partition"], letter["offset"], letter["index"]) for letter in letters}
    assert len(places) == rejected, "two dead letters of one event"


async def _dead_letters(address: str, *, at_least: int) -> list[dict[str, object]]:
    """Returns all committed dead letters, reading until there are `at_least` and then until no more come."""
    consumer = AIOKafkaConsumer(
        "ioc.dead-letters",
        bootstrap_servers=address,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        group_id=None,
    )
    await consumer.start()
    letters: list[dict[str, object]] = []
    try:
        for _ in range(40):
            batches = await consumer.getmany(timeout_ms=500)
            letters += [json.loads(record.value) for records in batches.values() for record in records]
            if not batches and len(letters) >= at_least:
                break
    finally:
        await consumer.stop()
    return letters


async def test_what_a_publisher_aborted_counts_nothing(
    cameras: dict[str, str], session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    kept, aborted = (generate(number, events=300, duplicates=0, invalid=0) for number in (1, 2))
    recount = Recount(kept.clock, cameras)
    recount.read(kept.records)
    with broker(tmp_path) as address:
        worker = Worker(address, tmp_path, kept.clock)
        try:
            worker.start()
            producer = AIOKafkaProducer(bootstrap_servers=address, transactional_id="department")
            await producer.start()
            await producer.begin_transaction()
            for record in aborted.records:
                await producer.send_and_wait(record.topic, record.value, key=b"k", headers=list(record.headers))
            await producer.abort_transaction()
            await producer.stop()
            await _publish(address, kept.records)
            await _expect(session, worker, recount, kept.clock, timeout_s=15)
        finally:
            worker.stop()
