"""Batch topics: an agent gets whole record batches of one partition instead of single events.

Stock Faust spends 277-292 µs of CPU on an event, nearly all of it on per-message asyncio machinery; one stream item for
each (partition, chunk of a poll) brings that to about 10 µs. Decoding and per-event errors are the agent's business.

An app with batch topics has nothing else: every topic it consumes is a batch topic. Delivery is at least once: an
agent reads `stream.noack().events()` and acknowledges a batch when its effects are durable; the offset committed is the
end of the contiguous acknowledged prefix.

Overridden methods of Faust 0.15.3 (which is pinned for this reason; a test holds names and signatures, and where an
upgrade breaks them, `IOC_AGENT=stock` runs without this module), and why:

- `Consumer._drain_messages`: one `wait_first` a poll in place of one a message (four tasks each).
- `Consumer.on_buffer_full`, `on_buffer_drop`: nothing. Where the agent's queue is full, `_drain_messages` waits, and
  nothing more is fetched. Faust takes the partition out of the next poll instead, and sleeps a whole second when none
  is left (12.1 s in place of 4.0 s for 100,000 records of one partition with an agent that waits 4 ms a batch).
- `Consumer._new_offset`, `_filter_tps_with_pending_acks`: commits count batches in delivery order, not single offsets,
  so neither holes left by compaction nor transaction markers can block a commit (Faust issue 596).
- `Consumer.perform_seek`, `_seek`, `on_partitions_revoked`: whatever moves the read position forgets the batches that
  were on their way.
- `Consumer._new_consumer_thread`, `ConsumerThread._create_worker_consumer`: read committed records only.
- `ConsumerThread._fetch_records`: records stay as the parser made them (see `streams.slim_records`).
- `ConsumerMessage.on_final_ack`: marks the batch's ticket, which is what commits count.
- `Topic._compile_decode`: there is nothing to decode per message.
- `App._new_transport`: makes this consumer.

Not overridden but used: `Consumer._wait_next_records`, its `_read_offset`, `_committed_offset`, `_acked`,
`_acked_index`, `_buffered_partitions` and `_thread`; of aiokafka's consumer `_isolation_level` and `_subscription`.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import faust
from faust.topics import Topic
from faust.transport.drivers import aiokafka as driver
from faust.types.tuples import ConsumerMessage

from streams.batches import Batch, Shards
from streams.slim_records import leave_records_raw

__all__ = ["Batch", "BatchApp", "BatchTopic"]

MAX_BATCH_RECORDS = 1_000  # about 25 ms of folding: short enough for heartbeats, long enough to spread the overhead


class _Ticket:
    """Where a batch ends, and whether it was acknowledged. Holds no message: a queue that Faust clears stays free."""

    __slots__ = ("is_acked", "next_offset")

    def __init__(self, next_offset: int) -> None:
        self.next_offset = next_offset
        self.is_acked = False


class _BatchMessage(ConsumerMessage):
    """Stands for a whole batch in Faust's acknowledgement machinery; its offset is the last one."""

    __slots__ = ("ticket",)
    ticket: _Ticket

    def on_final_ack(self, consumer: Any) -> bool:
        self.ticket.is_acked = True
        return bool(super().on_final_ack(consumer))


class BatchTopic(Topic):
    """A topic whose stream items are `Batch`es."""

    def _compile_decode(self) -> None:
        create_event = self.app.create_event

        async def decode(message: Any, *, propagate: bool = False) -> Any:
            return create_event(None, message.value, None, message)

        self.decode = decode  # type: ignore[method-assign]  # as Faust's own _compile_decode does


class _CommittedThread(driver.AIOKafkaConsumerThread):
    """Reads what was committed: of a transaction that is aborted (a publisher's, or one of our own shards' with events
    that it sent on) nothing may count."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # read when the consumer starts; Faust ties it to exactly_once
        return consumer

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: set[Any],
        timeout: float | None = None,  # noqa: ASYNC109  (Faust's own signature)
        max_records: int | None = None,
    ) -> Any:
        leave_records_raw(consumer)
        return await super()._fetch_records(consumer, active_partitions, timeout, max_records)


class _BatchConsumer(driver.Consumer):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._in_flight: dict[Any, deque[_Ticket]] = defaultdict(deque)
        self._sought: set[Any] = set()  # since the poll in hand began
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> _CommittedThread:
        return _CommittedThread(self, loop=self.loop, beacon=self.beacon)

    # ---- delivery --------------------------------------------------------------------------------------------------

    async def _drain_messages(self, fetcher: Any) -> None:
        is_stopped, is_fetcher_stopped = self._stopped.is_set, fetcher._stopped.is_set
        try:
            while not (is_stopped() or is_fetcher_stopped()):
                await asyncio.sleep(0)
                self._sought.clear()
                records, active = await self._wait_next_records(1.0)
                if self.should_stop:
                    break
                if not records:
                    continue
                if not self.flow_active:
                    await self._seek_while_suspended()
                    continue
                await self.wait_first(self._deliver(records, active), self.suspend_flow.wait())
        except self.consumer_stopped_errors:
            if not self.transport.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.transport.app.should_stop:
                raise

    async def _seek_while_suspended(self) -> None:
        """What was fetched while the flow was suspended is thrown away: read it again from the committed offset."""
        try:
            await self.perform_seek()
        except Exception as error:  # the group may be between two generations; the next poll tries again
            self.log.warning("seek while the flow is suspended: %r", error)

    async def _deliver(self, records: Mapping[Any, list[Any]], active: set[Any] | None) -> None:
        app = self.app
        generation = app.consumer_generation_id
        for partition, found in records.items():
            if not (active is None or partition in active or partition in self._buffered_partitions):
                continue
            if partition in self._sought:  # fetched before the seek, or after it: read once more, from where it went
                self._thread.seek(partition, self._read_offset[partition] or 0)
                continue
            position = self._read_offset[partition]
            fresh = found
            if position is not None and found[0].offset < position:
                fresh = [record for record in found if record.offset >= position]
            for start in range(0, len(fresh), MAX_BATCH_RECORDS):
                if not self.flow_active or app.consumer_generation_id != generation:
                    return
                chunk = fresh[start : start + MAX_BATCH_RECORDS]
                await self.callback(self._message(partition, chunk, generation))
                if partition in self._sought:
                    break
                self._read_offset[partition] = chunk[-1].offset + 1

    def _message(self, partition: Any, chunk: list[Any], generation: int) -> _BatchMessage:
        last = chunk[-1]
        message = _BatchMessage(
            partition.topic,
            partition.partition,
            last.offset,
            (last.timestamp or 0) / 1000.0,
            0,
            None,
            None,
            Batch(partition.topic, partition.partition, chunk),  # type: ignore[arg-type]  # opaque to Faust
            None,
            0,
            0,
            partition,
            generation_id=generation,
        )
        message.ticket = _Ticket(last.offset + 1)
        self._in_flight[partition].append(message.ticket)
        return message

    def fetched_up_to(self, tp: Any) -> int:
        """Returns the offset before which everything was delivered to the agent, past transaction markers and holes
        too, which no record shows."""
        delivered = self._read_offset[tp] or 0
        reader = self._thread._consumer
        assignment = reader._subscription.subscription.assignment if reader is not None else None
        if assignment is None or tp not in assignment.tps:
            return delivered
        state = assignment.state_value(tp)
        is_drained = not self._in_flight.get(tp)
        return max(delivered, state.position) if is_drained and state.has_valid_position else delivered

    # ---- back-pressure: `_drain_messages` waits while the agent's queue is full, so nothing more is fetched ----------

    def on_buffer_full(self, tp: Any) -> None:
        pass

    def on_buffer_drop(self, tp: Any) -> None:
        pass

    # ---- commit: the contiguous acknowledged prefix ----------------------------------------------------------------

    def _new_offset(self, tp: Any) -> int | None:
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        queue = self._in_flight.get(tp)
        offset = None
        while queue and queue[0].is_acked:
            offset = queue.popleft().next_offset
        return offset

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[Any]:
        return iter([tp for tp in self._in_flight if topics is None or tp in topics or tp.topic in topics])

    # ---- whatever moves the read position forgets what was on its way ----------------------------------------------

    async def perform_seek(self) -> None:
        self._in_flight.clear()
        await super().perform_seek()

    async def _seek(self, partition: Any, offset: int) -> None:
        self._in_flight.pop(partition, None)
        self._sought.add(partition)
        await super()._seek(partition, offset)

    async def on_partitions_revoked(self, revoked: set[Any]) -> None:
        await super().on_partitions_revoked(revoked)  # waits for the batches in work, and commits them
        for tp in revoked:
            self._in_flight.pop(tp, None)


class _BatchTransport(driver.Transport):
    Consumer = _BatchConsumer


class BatchApp(faust.App):
    """A Faust app whose topics are all batch topics."""

    def _new_transport(self) -> Any:
        return _BatchTransport(self.conf.broker_consumer, self)

    def fetched_up_to(self, tp: Any) -> int:
        consumer: _BatchConsumer = self.consumer  # type: ignore[assignment]  # our transport makes no other
        return consumer.fetched_up_to(tp)

    def committed_up_to(self, tp: Any) -> int:
        consumer: _BatchConsumer = self.consumer  # type: ignore[assignment]
        return consumer._committed_offset[tp] or 0

    def feed(self, topics: Sequence[str], shards: Shards) -> None:
        async def batches_to_shards(stream: Any) -> None:
            async for event in stream.noack().events():
                try:
                    await shards.take(event)
                except Exception as error:  # a shard answers for its records; Faust would go on, past this batch
                    await self.crash(error)
                    raise

        self.agent(self.batch_topic(topics), name=self.conf.id)(batches_to_shards)

    def batch_topic(self, names: Iterable[str], *, buffered_batches: int = 8) -> BatchTopic:
        """Returns the topic of one agent. `buffered_batches` bounds what waits in memory before fetching pauses."""
        return BatchTopic(self, topics=tuple(names), maxsize=buffered_batches, allow_empty=True)
