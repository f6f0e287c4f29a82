"""Batch topics: what a commit may pass, and what is forgotten when the read position moves. No Kafka."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.apps import build_batch_app, build_shard_app
from streams.batch_topics import MAX_BATCH_RECORDS, BatchApp
from streams.batches import AgentName, Batch

HERE = TP("ioc.onestop.dossiers", 0)
THERE = TP("ioc.onestop.dossiers", 1)


@dataclass(frozen=True, slots=True)
class FakeRecord:
    offset: int
    timestamp: int = 1_700_000_000_000


class FakeFetcher:
    """The part of the consumer's fetcher that `_drain_messages` looks at."""

    def __init__(self) -> None:
        self._stopped = asyncio.Event()


def records(*offsets: int) -> list[FakeRecord]:
    return [FakeRecord(offset) for offset in offsets]


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[BatchApp]:
    app = build_batch_app("unit", "127.0.0.1:1", tmp_path / "faust")
    yield app
    app.consumer._thread.thread_loop.close()  # made, and never run


@pytest.fixture
async def consumer(app: BatchApp) -> Any:
    """A consumer that never connects; `delivered` collects the messages that its agent would get."""
    consumer = app.consumer
    consumer.delivered = []

    async def deliver(message: Any) -> None:
        consumer.delivered.append(message)

    consumer.callback = deliver
    consumer.resume_flow()
    return consumer


async def deliver(consumer: Any, found: dict[TP, list[FakeRecord]], active: set[TP] | None = None) -> list[Any]:
    """Gives fetched records to the consumer; returns the messages of this poll."""
    before = len(consumer.delivered)
    await consumer._deliver(found, active)
    messages: list[Any] = consumer.delivered[before:]
    return messages


def acknowledge(consumer: Any, *messages: Any) -> None:
    for message in messages:
        message.on_final_ack(consumer)


# ---- delivery --------------------------------------------------------------------------------------------------------


async def test_one_poll_becomes_one_message_for_each_partition(consumer: Any) -> None:
    messages = await deliver(consumer, {HERE: records(0, 1, 2), THERE: records(5)})
    assert [(m.tp, m.offset, len(m.value)) for m in messages] == [(HERE, 2, 3), (THERE, 5, 1)]
    batch = messages[0].value
    assert isinstance(batch, Batch)
    assert (batch.topic, batch.partition, [r.offset for r in batch.records]) == (HERE.topic, 0, [0, 1, 2])


async def test_a_large_poll_is_cut_so_that_heartbeats_get_their_turn(consumer: Any) -> None:
    messages = await deliver(consumer, {HERE: records(*range(MAX_BATCH_RECORDS * 2 + 1))})
    assert [len(m.value) for m in messages] == [MAX_BATCH_RECORDS, MAX_BATCH_RECORDS, 1]
    assert [m.offset for m in messages] == [999, 1_999, 2_000]


async def test_records_before_the_read_position_are_not_delivered_again(consumer: Any) -> None:
    await deliver(consumer, {HERE: records(0, 1, 2)})
    (message,) = await deliver(consumer, {HERE: records(1, 2, 3, 4)})
    assert [r.offset for r in message.value.records] == [3, 4]
    assert await deliver(consumer, {HERE: records(3, 4)}) == []


async def test_a_partition_that_is_not_ours_any_more_is_left_out(consumer: Any) -> None:
    messages = await deliver(consumer, {HERE: records(0), THERE: records(0)}, active={THERE})
    assert [m.tp for m in messages] == [THERE]
    assert consumer._read_offset[HERE] is None, "it must be read again by whoever has it"


async def test_nothing_is_delivered_while_a_rebalance_suspends_the_flow(consumer: Any) -> None:
    consumer.stop_flow()
    assert await deliver(consumer, {HERE: records(0, 1)}) == []
    assert consumer._read_offset[HERE] is None
    assert consumer._new_offset(HERE) is None


async def test_a_generation_that_ends_in_the_middle_of_a_poll_stops_its_delivery(consumer: Any, app: BatchApp) -> None:
    async def rebalance(message: Any) -> None:
        consumer.delivered.append(message)
        app.consumer_generation_id += 1

    consumer.callback = rebalance
    messages = await deliver(consumer, {HERE: records(*range(MAX_BATCH_RECORDS + 1))})
    assert [m.offset for m in messages] == [999], "the rest belongs to the next generation"


async def test_the_drain_ends_with_its_fetcher_and_seeks_back_over_what_was_fetched_while_suspended(
    consumer: Any,
) -> None:
    fetcher = FakeFetcher()
    polls: list[Any] = [({HERE: records(0)}, None), ({}, None), ({HERE: records(1)}, None)]
    seeks: list[str] = []

    async def fetch(timeout_s: float) -> Any:
        if len(polls) == 1:
            consumer.stop_flow()
        found = polls.pop(0)
        if not polls:
            fetcher._stopped.set()
        return found

    async def seek_to_committed() -> dict[TP, int]:
        seeks.append("committed")
        return {HERE: 0}

    consumer._wait_next_records = fetch
    consumer.seek_to_committed = seek_to_committed
    await asyncio.wait_for(consumer._drain_messages(fetcher), timeout=2)
    assert [m.offset for m in consumer.delivered] == [0]
    assert seeks == ["committed"]
    assert consumer._new_offset(HERE) is None, "what was on its way before the seek comes again"


# ---- commit: the contiguous acknowledged prefix ----------------------------------------------------------------------


async def test_a_commit_goes_to_the_end_of_the_acknowledged_batches(consumer: Any) -> None:
    first, second = [(await deliver(consumer, {HERE: found}))[0] for found in (records(0, 1), records(2, 3))]
    assert consumer._new_offset(HERE) is None
    acknowledge(consumer, first)
    assert consumer._new_offset(HERE) == 2
    assert consumer._new_offset(HERE) is None, "nothing new since"
    acknowledge(consumer, second)
    assert consumer._new_offset(HERE) == 4


async def test_a_commit_never_passes_a_batch_that_is_not_acknowledged(consumer: Any) -> None:
    first, second, third = [(await deliver(consumer, {HERE: records(n)}))[0] for n in range(3)]
    acknowledge(consumer, third, second)
    assert consumer._new_offset(HERE) is None
    acknowledge(consumer, first)
    assert consumer._new_offset(HERE) == 3


async def test_partitions_commit_on_their_own(consumer: Any) -> None:
    here, there = await deliver(consumer, {HERE: records(0), THERE: records(0)})
    acknowledge(consumer, there)
    assert (consumer._new_offset(HERE), consumer._new_offset(THERE)) == (None, 1)
    acknowledge(consumer, here)
    assert consumer._new_offset(HERE) == 1


async def test_holes_of_compaction_and_transaction_markers_do_not_block_a_commit(consumer: Any) -> None:
    first, second = [(await deliver(consumer, {HERE: found}))[0] for found in (records(0, 7), records(9, 40))]
    acknowledge(consumer, first, second)
    assert consumer._new_offset(HERE) == 41


async def test_commits_ask_only_for_the_topics_they_name(consumer: Any) -> None:
    other = TP("ioc.lgsp.calls", 0)
    await deliver(consumer, {HERE: records(0), other: records(0)})
    pending = consumer._filter_tps_with_pending_acks
    assert set(pending()) == {HERE, other}
    assert list(pending({"ioc.lgsp.calls"})) == [other]
    assert list(pending({HERE})) == [HERE]


def test_in_whatever_order_batches_end_the_committed_offset_is_the_contiguous_prefix(tmp_path: Path) -> None:
    consumer: Any = build_batch_app("law", "127.0.0.1:1", tmp_path / "faust").consumer
    places = count()

    @settings(max_examples=100, deadline=None)
    @given(order=st.permutations(range(8)), commits=st.sets(st.integers(0, 7)))
    def law(order: list[int], commits: set[int]) -> None:
        place = TP(HERE.topic, next(places))
        messages = [consumer._message(place, records(2 * n, 2 * n + 1), 0) for n in range(8)]
        acked: set[int] = set()
        committed = 0
        for step, number in enumerate(order):
            acknowledge(consumer, messages[number])
            acked.add(number)
            if step in commits:
                committed = consumer._new_offset(place) or committed
                assert committed == 2 * next(n for n in range(9) if n not in acked)

    try:
        law()
    finally:
        consumer._thread.thread_loop.close()


# ---- whatever moves the read position forgets what was on its way ----------------------------------------------------


async def test_batches_of_before_a_seek_count_for_nothing(consumer: Any) -> None:
    (stale,) = await deliver(consumer, {HERE: records(0, 1)})

    async def seek_to_committed() -> dict[TP, int]:
        return {HERE: 0}

    consumer.seek_to_committed = seek_to_committed
    await consumer.perform_seek()
    acknowledge(consumer, stale)
    assert consumer._new_offset(HERE) is None
    (again,) = await deliver(consumer, {HERE: records(0, 1)})
    acknowledge(consumer, again)
    assert consumer._new_offset(HERE) == 2


async def test_a_seek_of_one_partition_leaves_the_others(consumer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = await deliver(consumer, {HERE: records(0), THERE: records(0)})
    monkeypatch.setattr(consumer._thread, "seek", lambda partition, offset: None)
    await consumer.seek(HERE, 0)
    acknowledge(consumer, here, there)
    assert (consumer._new_offset(HERE), consumer._new_offset(THERE)) == (None, 1)


async def test_a_seek_while_a_poll_is_delivered_ends_its_delivery_and_the_read_position_stays_where_the_seek_put_it(
    consumer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer._thread, "seek", lambda partition, offset: None)

    async def seek(message: Any) -> None:
        consumer.delivered.append(message)
        await consumer.seek(HERE, 3)

    consumer.callback = seek
    messages = await deliver(consumer, {HERE: records(*range(100, 100 + 2 * MAX_BATCH_RECORDS))})
    assert [m.offset for m in messages] == [99 + MAX_BATCH_RECORDS]
    assert consumer._read_offset[HERE] == 3


async def test_what_was_fetched_before_a_seek_is_left_and_read_again_from_where_the_seek_went(
    consumer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeks: list[tuple[TP, int]] = []
    monkeypatch.setattr(consumer._thread, "seek", lambda partition, offset: seeks.append((partition, offset)))
    fetcher = FakeFetcher()
    polls: list[Any] = [({HERE: records(100, 101), THERE: records(7)}, None), ({HERE: records(3, 4)}, None)]

    async def fetch(timeout_s: float) -> Any:
        if len(polls) == 2:
            await consumer.seek(HERE, 3)
        else:
            fetcher._stopped.set()
        return polls.pop(0)

    consumer._wait_next_records = fetch
    await asyncio.wait_for(consumer._drain_messages(fetcher), timeout=2)
    assert [(m.tp, m.offset) for m in consumer.delivered] == [(THERE, 7), (HERE, 4)]
    assert seeks == [(HERE, 3), (HERE, 3)]


async def test_a_revoked_partition_is_committed_by_the_revocation_and_then_forgotten(consumer: Any) -> None:
    here, there = await deliver(consumer, {HERE: records(0), THERE: records(0)})
    committed: list[int | None] = []

    async def app_commits(revoked: set[TP]) -> None:
        acknowledge(consumer, here, there)
        committed.append(consumer._new_offset(HERE))

    consumer._on_partitions_revoked = app_commits
    await consumer.on_partitions_revoked({HERE})
    assert committed == [1]
    assert set(consumer._filter_tps_with_pending_acks()) == {THERE}
    assert consumer._new_offset(THERE) == 1


async def test_a_late_acknowledgement_of_a_lost_partition_commits_nothing(consumer: Any) -> None:
    (lost,) = await deliver(consumer, {HERE: records(0, 1)})

    async def nothing(revoked: Iterable[TP]) -> None:
        pass

    consumer._on_partitions_revoked = nothing
    await consumer.on_partitions_revoked({HERE})
    acknowledge(consumer, lost)
    assert consumer._new_offset(HERE) is None


# ---- topics ----------------------------------------------------------------------------------------------------------


async def test_a_batch_topic_hands_out_batches_undecoded(app: BatchApp) -> None:
    topic = app.batch_topic(["ioc.lgsp.calls", "ioc.onestop.dossiers"], buffered_batches=3)
    assert topic.topics == ("ioc.lgsp.calls", "ioc.onestop.dossiers")
    assert topic.maxsize == 3
    batch = Batch(HERE.topic, 0, records(4))
    message = app.consumer._message(HERE, records(4), 0)
    message.value = batch
    event = await topic.decode(message)
    assert event.value is batch


class Broken:
    """Shards with a defect that their own boundary does not catch."""

    async def take(self, event: Any) -> None:
        raise LookupError("a defect of ours")

    async def next_offset(self, topic: str, partition: int) -> int:
        return 0


@pytest.mark.parametrize("agent", ["batch", "stock"])
async def test_an_error_of_a_shard_ends_the_app_where_faust_would_go_on_past_the_batch(
    agent: AgentName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app: Any = build_shard_app(agent, "unit", "127.0.0.1:1", tmp_path / "faust")
    reasons: list[BaseException] = []

    async def crash(reason: BaseException) -> None:
        reasons.append(reason)

    async def events() -> AsyncIterator[Any]:
        message = SimpleNamespace(tp=HERE, offset=0, topic=HERE.topic, partition=0, key=b"", value=b"", headers=())
        yield SimpleNamespace(message=SimpleNamespace(**vars(message), timestamp=1.0))

    monkeypatch.setattr(app, "crash", crash)
    app.feed([HERE.topic], Broken())
    (declared,) = app.agents.values()
    stream = SimpleNamespace(channel=SimpleNamespace(queue=None), noack=lambda: SimpleNamespace(events=events))
    with pytest.raises(LookupError, match="a defect of ours"):
        await declared.fun(stream)
    assert [str(reason) for reason in reasons] == ["a defect of ours"]


def test_importing_and_building_an_app_starts_nothing(tmp_path: Path) -> None:
    app = build_batch_app("idle", "127.0.0.1:1", tmp_path / "faust")
    assert not app.started
    assert app.conf.processing_guarantee.value == "at_least_once"
    assert not app.conf.topic_allow_declare, "topics come from the catalogue"
