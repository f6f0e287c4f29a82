"""The product's figures against the recount, on a real Kafka, with workers killed in the middle.

`RECOUNT_SEED=123 pytest tests/recount` repeats a run.
"""

import asyncio
import json
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord

from tests.recount.accepting import Fact, Record, open_record
from tests.recount.catalogue import Catalogue, load_catalogue
from tests.recount.comparing import Difference, Exported, differences, report, unlike_marks
from tests.recount.generator import Stream, generate
from tests.recount.recount import Recount
from tests.recount.services import Worker, broker, eventually

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

DRAINED_WITHIN_S = 60
LAST = 50  # records that are held back


@pytest.fixture(scope="module")
def seed() -> int:
    chosen = int(os.environ.get("RECOUNT_SEED") or random.SystemRandom().randrange(1_000_000))
    print(f"\nRECOUNT_SEED={chosen}")
    return chosen


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def _stream(catalogue: Catalogue, seed: int, events: int, *, order_seed: int | None = None) -> Stream:
    """`order_seed`: the same events in another order, which must not matter."""
    return generate(
        seed, events=events, communes=catalogue.units, change_bodies=order_seed is None, order_seed=order_seed
    )


def _recount(stream: Stream, catalogue: Catalogue) -> Recount:
    recount = Recount(
        clock=stream.clock,
        cameras=catalogue.cameras,
        units=catalogue.units,
        promises=catalogue.promises,
        registered=catalogue.registered,
    )
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


def _unlike_outcomes(exported: Exported, recount: Recount) -> list[str]:
    """Returns the topics whose events are not counted as by the recount."""
    shown, expected = _outcomes(exported.outcomes), _outcomes(recount.outcomes)
    return [
        f"{topic}: expected {expected.get(topic, {})}, found {shown.get(topic, {})}"
        for topic in sorted(shown.keys() | expected.keys())
        if shown.get(topic, {}) != expected.get(topic, {})
    ]


def _lives_behind(recount: Recount, found: Sequence[Difference], clock: datetime) -> str:
    """Returns the lives of the entities behind the smallest series that differs, the most eventful first."""
    behind = {item.series: recount.behind(item.series, clock) for item in found[:200]}
    told = {series: entities for series, entities in behind.items() if entities}
    if not told:
        return ""
    smallest = min(told, key=lambda series: (len(told[series]), series))
    lines = [f"the {len(told[smallest])} entities behind {smallest}:"]
    eventful = sorted(told[smallest].items(), key=lambda item: -len(recount.facts[item[0]]))
    for entity, share in eventful[:6]:
        lines.append(f"  {entity} adds {share}")
        lines += [f"    {_line(fact)}" for fact in sorted(recount.facts[entity], key=lambda fact: fact.order)]
    return "\n".join(lines)


def _line(fact: Fact) -> str:
    said = {name: value for name, value in fact.data.items() if name not in ("note", "not_in_any_catalogue")}
    return f"{fact.time.isoformat()} {fact.id!r} {fact.source} {fact.type.removeprefix('vn.ioc.')} {said}"


async def _expect(
    session: aiohttp.ClientSession, worker: Worker, recount: Recount, clock: datetime, *, timeout_s: float
) -> None:
    """Waits until outcomes, figures and marks are those of the recount; says what differs when they don't become so."""
    expected, marks = recount.figures(clock), recount.marks(load_catalogue().feeds, clock)

    def is_so(shown: Exported) -> bool:
        is_unlike = _unlike_outcomes(shown, recount) or shown.faults or differences(shown, expected)
        return not (is_unlike or unlike_marks(shown, marks))

    started = time.monotonic()
    exported = await eventually(session, worker, is_so, timeout_s=timeout_s)
    print(f"{len(exported.figures)} series compared, {time.monotonic() - started:.1f} s")
    unlike, found = _unlike_outcomes(exported, recount), differences(exported, expected)
    wrong_marks = unlike_marks(exported, marks)
    if unlike or found or wrong_marks or exported.faults:
        parts = ["outcomes:", *unlike[:20], report(found, exported, expected), _lives_behind(recount, found, clock)]
        parts += ["marks:", *wrong_marks[:20]]
        raise AssertionError("\n".join(parts) + f"\n{worker.log()}")


async def _kill_after(session: aiohttp.ClientSession, worker: Worker, threshold: int, rng: random.Random) -> None:
    """kill -9 once the worker has counted `threshold` events, at any moment of its flush."""
    exported = await eventually(session, worker, lambda shown: shown.events_in >= threshold, timeout_s=30)
    assert exported.events_in >= threshold, worker.log()
    if rng.random() < 0.6:
        await asyncio.sleep(rng.uniform(0, 0.6))  # the moment of the kill is what is drawn, nothing waits for it
    worker.kill()
    print(f"killed: {exported.events_in} events were counted (drawn: {threshold})")


async def test_three_kills_in_fifty_thousand_events_change_no_figure(
    seed: int, catalogue: Catalogue, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    stream = _stream(catalogue, seed, 50_000)
    recount = _recount(stream, catalogue)
    rng = random.Random(seed ^ 0x9E3779B9)
    total = len(stream.records)
    kills = [rng.randrange(total * third // 10, total * (third + 2) // 10) for third in (1, 4, 7)]
    print(f"clock {stream.clock.isoformat()}, {total} records, kills after {kills} events")
    with broker(tmp_path) as address:
        worker = Worker(address, tmp_path, stream.clock)
        try:
            sent = 0
            for kill in kills:
                # The kill finds records in the log that the worker has not read; some are written while it is dead.
                worker.start()
                killing = asyncio.create_task(_kill_after(session, worker, kill, rng))
                until = max(sent, min(kill + rng.randrange(1_000, total // 10), total))
                await _publish(address, stream.records[sent:until])
                await killing
                sent = min(until + rng.randrange(1_000), total)
                await _publish(address, stream.records[until:sent])
            await _publish(address, stream.records[sent:])
            worker.start()
            await _expect(session, worker, recount, stream.clock, timeout_s=DRAINED_WITHIN_S)
            # Nothing is counted once more by what is still to be flushed.
            await eventually(session, worker, lambda shown: shown.lag_records == 0, timeout_s=10)
            await _expect(session, worker, recount, stream.clock, timeout_s=0)
            assert worker.stop() == 0
            # The same rows at another clock: other windows, nothing read again.
            worker.clock = stream.clock + timedelta(hours=rng.randrange(1, 60 * 24), minutes=rng.randrange(60))
            print(f"then at {worker.clock.isoformat()}")
            worker.start()
            await _expect(session, worker, recount, worker.clock, timeout_s=DRAINED_WITHIN_S)
        finally:
            worker.stop()


@pytest.mark.parametrize("store", ["memory", "rocksdb"])
async def test_workers_one_then_two_then_one_change_no_figure(
    store: str, seed: int, catalogue: Catalogue, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    stream = _stream(catalogue, seed + 1, 12_000)
    recount = _recount(stream, catalogue)
    rng = random.Random(seed + 1)
    joins, dies = (rng.randrange(1_000, 5_000), rng.randrange(6_000, 10_000))
    print(f"clock {stream.clock.isoformat()}, the second joins after {joins} records, the first dies after {dies}")
    with broker(tmp_path) as address:
        first = Worker(address, tmp_path, stream.clock, "first", store)
        second = Worker(address, tmp_path, stream.clock, "second", store)
        try:
            first.start()
            await _publish(address, stream.records[:joins])
            second.start()
            await _publish(address, stream.records[joins:dies])
            await eventually(session, second, lambda shown: shown.events_in > 0, timeout_s=30)
            first.kill()
            await _publish(address, stream.records[dies:-LAST])
            until = _events_in(stream.records[:-LAST])
            await eventually(session, second, lambda shown: shown.events_in >= until, timeout_s=DRAINED_WITHIN_S)
            await _write_as_a_zombie(address)
            # The partials of the last events come after the zombie's: once they are counted, it has been read.
            await _publish(address, stream.records[-LAST:])
            await _expect(session, second, recount, stream.clock, timeout_s=DRAINED_WITHIN_S)
            if store == "rocksdb":  # rows on its own disk, read on from their place
                assert second.stop() == 0
                second.start()
                await _expect(session, second, recount, stream.clock, timeout_s=DRAINED_WITHIN_S)
        finally:
            first.stop()
            second.stop()


def _events_in(records: Sequence[Record]) -> int:
    return sum(len(open_record(record)) for record in records)


async def _write_as_a_zombie(address: str) -> None:
    """Writes every partial once more, saying something else: as an earlier owner, or as the same one earlier."""
    newest = {record.key: record.value for record in await _all_committed(address, "ioc.kpi.partials")}
    producer = AIOKafkaProducer(bootstrap_servers=address)
    await producer.start()
    zombies = 0
    try:
        for number, (key, value) in enumerate(newest.items()):
            if value is None:
                continue
            place, told = msgspec.msgpack.decode(key), msgspec.msgpack.decode(value)
            if len(place) == 1:  # all cells of a partition were told by this owner
                await producer.send("ioc.kpi.partials", msgspec.msgpack.encode([told[0] - 1, {}]), key=key)
                continue
            tag, epoch, version, numerator, denominator, *rest = told
            earlier = [epoch - 1, version + 10**6] if number % 2 else [epoch, version - 1]
            other = [{}, {}] if isinstance(numerator, dict) else [numerator + 1000, denominator + 1000]
            await producer.send("ioc.kpi.partials", msgspec.msgpack.encode([tag, *earlier, *other, *rest]), key=key)
            zombies += 1
        await producer.flush()
    finally:
        await producer.stop()
    print(f"{zombies} partials of a zombie")
    assert zombies > 1_000


async def test_shuffled_order_gives_the_same_figures_and_every_refusal_a_dead_letter(
    seed: int, catalogue: Catalogue, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    sorted_out = _recount(_stream(catalogue, seed, 3_000, order_seed=seed), catalogue)
    shuffled = _stream(catalogue, seed, 3_000, order_seed=seed + 1)
    recount = _recount(shuffled, catalogue)
    assert recount.figures() == sorted_out.figures()
    assert recount.outcomes == sorted_out.outcomes
    with broker(tmp_path) as address:
        worker = Worker(address, tmp_path, shuffled.clock)
        try:
            worker.start()
            await _publish(address, shuffled.records)
            await _expect(session, worker, recount, shuffled.clock, timeout_s=DRAINED_WITHIN_S)
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
    records = await _all_committed(address, "ioc.dead-letters", at_least=at_least)
    return [json.loads(record.value) for record in records]


async def _all_committed(address: str, topic: str, *, at_least: int = 1) -> list[ConsumerRecord]:
    """Returns all committed records, reading until there are `at_least` and then until no more come."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=address,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        group_id=None,
    )
    await consumer.start()
    found: list[ConsumerRecord] = []
    try:
        for _ in range(200):
            batches = await consumer.getmany(timeout_ms=500)
            found += [record for records in batches.values() for record in records]
            if not batches and len(found) >= at_least:
                break
    finally:
        await consumer.stop()
    return found


async def test_what_a_publisher_aborted_counts_nothing(
    catalogue: Catalogue, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    kept, aborted = (generate(number, events=300, duplicates=0, invalid=0) for number in (1, 2))
    recount = _recount(kept, catalogue)
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
