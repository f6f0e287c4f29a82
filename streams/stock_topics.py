"""The stock agent: Faust as it comes, one record at a time. The way out when an upgrade of Faust breaks batch topics.

Only public names of Faust are used, and none of its methods is overridden: an app, a topic, an agent, a timer. Each
record becomes a batch of one and goes to the same shards as a batch topic's; so figures, dead letters and guarantees
are the same, at about a thirtieth of the speed (deploy/decisions/0007-stock-agent.md says what differs).
"""

from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any

import faust
from aiokafka.errors import IllegalStateError

from streams.batches import Batch, Shards

__all__ = ["StockApp"]

_LOOK_S = 0.5


class StockApp(faust.App):
    """A Faust app that feeds shards through a stock agent."""

    def feed(self, topics: Sequence[str], shards: Shards) -> None:
        # Raw, and without a type: what Faust can't decode it drops silently, and commits past it.
        topic = self.topic(
            *topics, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw", allow_empty=True
        )
        self._intake = intake = _Intake(self, shards)

        async def records_to_shards(stream: Any) -> None:
            intake.queue = stream.channel.queue
            async for event in stream.noack().events():
                try:
                    await intake.take(event)
                except Exception as error:  # a shard answers for its records; Faust would go on, past this one
                    await self.crash(error)
                    raise

        self.agent(topic, name=self.conf.id)(records_to_shards)
        self.timer(_LOOK_S, on_leader=False)(intake.look)
        self.on_partitions_assigned.connect(intake.forget)

    def fetched_up_to(self, tp: Any) -> int:
        return self._intake.passed.get(tp, 0)

    def committed_up_to(self, tp: Any) -> int:
        return self.monitor.tp_committed_offsets.get(tp, 0)


class _OneRecord:
    """A Faust event as a batch of one record, with the record's raw bytes. `queue`: of its partition, oldest first."""

    __slots__ = ("_is_acked", "_queue", "event", "value")

    def __init__(self, event: Any, queue: "deque[_OneRecord]") -> None:
        self.event, self._queue, self._is_acked = event, queue, False
        message = event.message
        self.value = Batch(message.topic, message.partition, (_Record(message),))
        queue.append(self)

    def ack(self) -> None:
        """Tells Faust once everything before it is acknowledged too: where a partition has no committed offset yet,
        Faust commits to the end of whatever was acknowledged, past what was not."""
        self._is_acked = True
        while self._queue and self._queue[0]._is_acked:
            self._queue.popleft().event.ack()


class _Record:
    """What a shard reads of a record. Headers as they came: Faust's own are a dict, which loses names told twice."""

    __slots__ = ("headers", "key", "offset", "timestamp", "value")

    def __init__(self, message: Any) -> None:
        self.offset: int = message.offset
        self.timestamp = round((message.timestamp or 0) * 1000)
        self.key: bytes | None = message.key
        self.value: bytes | None = message.value
        headers = message.headers or ()
        self.headers = tuple(headers.items() if isinstance(headers, dict) else headers)


class _Intake:
    """What the agent does with each event, and what the timer knows of the partitions."""

    def __init__(self, app: StockApp, shards: Shards) -> None:
        self._app, self._shards = app, shards
        self.queue: Any = None
        self._is_taking = False
        self._in_work: dict[Any, deque[_OneRecord]] = defaultdict(deque)
        self._positions: dict[Any, int] = {}
        self.passed: dict[Any, int] = {}
        self._begun: set[Any] = set()
        self._beyond: dict[Any, int] = {}

    async def take(self, event: Any) -> None:
        self._is_taking = True
        try:
            tp = event.message.tp
            if tp in self._begun or await self._begins(tp, event.message.offset):
                await self._shards.take(_OneRecord(event, self._in_work[tp]))
        finally:
            self._is_taking = False

    async def _begins(self, tp: Any, offset: int) -> bool:
        """Whether a partition is read from its shard's place, not from beyond. Faust without its compiled parts
        acknowledges what a rebalance makes it skip, so its commit may stand after records that nobody took; and a hole
        looks the same. What comes from beyond is left until the timer has gone back, which the first offset that is
        not larger than the one before shows."""
        place = await self._shards.next_offset(tp.topic, tp.partition)
        if place is None:
            return False  # not ours any more: its new owner gets it
        if offset <= max(place, self._beyond.get(tp, 0)):
            self._begun.add(tp)
            self._beyond.pop(tp, None)
            return True
        self._beyond[tp] = offset
        return False

    async def _go_back(self, consumer: Any) -> None:
        """Again and again: a poll that is under way moves Faust's read position past the seek."""
        for tp in list(self._beyond):
            place = await self._shards.next_offset(tp.topic, tp.partition)
            if place is not None and tp in self._beyond:
                await consumer.seek(tp, place)

    async def forget(self, *_: Any, **__: Any) -> None:
        """After a rebalance every partition is read anew from its committed offset; what was on its way is nothing."""
        self._in_work.clear()
        self._begun.clear()
        self._beyond.clear()
        self._positions.clear()
        self.passed.clear()

    async def look(self) -> None:
        """Transaction markers have offsets and are no records. So a partition that ends with one is read to its end by
        the reader's position only, which counts once it stands still and nothing is on its way to the shards. And a
        commit of Faust gets from one marker to the next only."""
        app: Any = self._app
        if app.rebalancing or self.queue is None:
            return
        while await app.consumer.commit():
            pass
        try:
            await self._go_back(app.consumer)
            for tp in app.consumer.assignment():
                position = await app.consumer.position(tp)
                is_quiet = self.queue.empty() and not self._is_taking and tp not in self._beyond
                if is_quiet and position == self._positions.get(tp):
                    self.passed[tp] = position
                self._positions[tp] = position
        except IllegalStateError:  # a rebalance took the partition meanwhile
            return
