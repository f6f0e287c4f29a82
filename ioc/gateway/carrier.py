"""Records onto Kafka for many requests at once: what waits for a partition goes out together, and a request that gave
up leaves nothing behind.

aiokafka makes a future for every record; here a batch has one, and a request has one. While a batch of a partition is
on its way, what comes for it gathers: no linger, and the busier the larger the batches.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

from ioc.adapters.kafka_access import kafka_arguments
from ioc.adapters.topics import find_cluster
from ioc.errors import TransientError
from ioc.partitioning import partitioner
from ioc.publishing import Outgoing

__all__ = ["KafkaCarrier"]

logger = logging.getLogger(__name__)

BATCH_BYTES = 512 * 1024  # two of the largest events; Kafka itself takes 1 MiB
FEW_KEYS = 8  # numpy costs as much as this many keys in plain Python
PROBE_TIMEOUT_S = 1.0
PROBE_EVERY_S = 0.5
START_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 2.0
TOPIC_TIMEOUT_S = 1.5
CALM_S = 5.0  # Kafka is asked whether it is there when nothing came from it for so long,
FRESH_S = 1.0  # or for so long where somebody wants to know


class _Ticket:
    """What one request waits for."""

    __slots__ = ("done", "left")

    def __init__(self, records: int) -> None:
        self.left = records
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def acknowledge(self, records: int) -> None:
        self.left -= records
        if not self.left and not self.done.done():
            self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class _Lane:
    """One partition: what waits for it, in order."""

    __slots__ = ("is_busy", "partition", "topic", "waiting")

    def __init__(self, topic: str, partition: int) -> None:
        self.topic, self.partition = topic, partition
        self.waiting: list[tuple[Outgoing, _Ticket]] = []
        self.is_busy = False


class KafkaCarrier:
    """An idempotent producer (acks=all) that finds Kafka by itself, now or later, and again after it was away.

    `run` keeps it connected; `carry` refuses at once while Kafka is away.
    """

    def __init__(self, broker: str, *, client_id: str = "ioc-gateway") -> None:
        self._broker, self._client_id = broker, client_id
        self._producer: AIOKafkaProducer | None = None
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._partitions_of: dict[str, Callable[[Sequence[bytes]], list[int]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._must_look = asyncio.Event()
        self._is_spoilt = False
        self._alive_at_s = float("-inf")
        self._trouble = f"no Kafka at {broker} yet"

    @property
    def trouble(self) -> str:
        """Why events can't be stored now; "" when they can."""
        return self._trouble

    # ---- connection --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Connects, and connects again, until cancelled."""
        try:
            while True:
                if self._is_spoilt:
                    await self._disconnect()
                try:
                    await find_cluster(self._broker, timeout_s=PROBE_TIMEOUT_S)
                    if self._producer is None:
                        await self._connect()
                except (TransientError, KafkaError, OSError, TimeoutError) as error:
                    self._is_away(str(error) or type(error).__name__)
                    await asyncio.sleep(PROBE_EVERY_S)
                    continue
                self._is_back()
                await self._until_suspect()
        finally:
            await self._disconnect()

    async def look(self) -> str:
        """Returns what is wrong with Kafka now, "" when it answers; asks it where nothing came from it for a second."""
        if not self._trouble and _now_s() - self._alive_at_s > FRESH_S:
            try:
                await find_cluster(self._broker, timeout_s=PROBE_TIMEOUT_S)
                self._alive_at_s = _now_s()
            except TransientError as error:
                self._is_away(str(error))
                self._must_look.set()
        return self._trouble

    async def _until_suspect(self) -> None:
        """Waits until something went wrong, or was not heard of Kafka for a while."""
        while _now_s() - self._alive_at_s < CALM_S:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._must_look.wait(), CALM_S)
                return

    async def _connect(self) -> None:
        producer = AIOKafkaProducer(
            **kafka_arguments(self._broker),
            client_id=self._client_id,
            acks="all",
            enable_idempotence=True,
            max_batch_size=BATCH_BYTES,
            retry_backoff_ms=50,
        )
        try:
            await asyncio.wait_for(producer.start(), START_TIMEOUT_S)
        except BaseException:
            await producer.client.close()
            raise
        self._producer, self._is_spoilt = producer, False

    async def _disconnect(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        with contextlib.suppress(TimeoutError, KafkaError):  # with Kafka gone it would flush for ever
            await asyncio.wait_for(producer.stop(), STOP_TIMEOUT_S)
        await producer.client.close()
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _is_away(self, reason: str) -> None:
        if not self._trouble:
            logger.warning("Kafka at %s does not take events: %s", self._broker, reason)
        self._trouble = reason

    def _is_back(self) -> None:
        if self._trouble:
            logger.info("Kafka at %s takes events", self._broker)
        self._trouble = ""
        self._alive_at_s = _now_s()
        self._must_look.clear()

    # ---- records -----------------------------------------------------------------------------------------------------

    async def carry(self, records: Sequence[Outgoing], *, timeout_s: float) -> None:
        """Returns once every record is acknowledged by every replica.

        Raises:
            TransientError: Kafka is away, or acknowledged not all of them within `timeout_s`.
        """
        if self._trouble or self._producer is None:
            raise TransientError(self._trouble or "not connected")
        lanes = await self._lanes_of(records)
        ticket = _Ticket(len(records))
        for record, lane in zip(records, lanes, strict=True):
            lane.waiting.append((record, ticket))
        for lane in dict.fromkeys(lanes):
            self._wake(lane)
        try:
            async with asyncio.timeout(timeout_s):
                await ticket.done
        except TimeoutError:
            self._must_look.set()
            raise TransientError(f"Kafka acknowledged not all of it within {timeout_s:g} s") from None
        finally:
            if ticket.left:
                for lane in dict.fromkeys(lanes):
                    lane.waiting = [entry for entry in lane.waiting if entry[1] is not ticket]

    async def _lanes_of(self, records: Sequence[Outgoing]) -> list[_Lane]:
        """The lane of each record."""
        by_topic: dict[str, list[int]] = {}
        for place, record in enumerate(records):
            by_topic.setdefault(record.topic, []).append(place)
        found: list[_Lane] = [_NOWHERE] * len(records)
        for topic, places in by_topic.items():
            partitions_of = self._partitions_of.get(topic) or await self._ask_partitions(topic)
            partitions = partitions_of([records[place].key for place in places])
            for place, partition in zip(places, partitions, strict=True):
                lane = self._lanes.get((topic, partition))
                if lane is None:
                    lane = self._lanes[topic, partition] = _Lane(topic, partition)
                found[place] = lane
        return found

    async def _ask_partitions(self, topic: str) -> Callable[[Sequence[bytes]], list[int]]:
        assert self._producer is not None, "carry has looked"
        try:
            count = len(await asyncio.wait_for(self._producer.partitions_for(topic), TOPIC_TIMEOUT_S))
        except (KafkaError, TimeoutError):
            self._must_look.set()
            raise TransientError(
                f"Kafka at {self._broker} shows no topic {topic}; create the topics with: ioc topics apply"
            ) from None
        many = partitioner(count)

        def partitions_of(keys: Sequence[bytes]) -> list[int]:
            if len(keys) >= FEW_KEYS:
                return many(keys)
            return [(murmur2(key) & 0x7FFFFFFF) % count for key in keys]

        self._partitions_of[topic] = partitions_of
        return partitions_of

    def _wake(self, lane: _Lane) -> None:
        if not lane.is_busy:
            lane.is_busy = True
            task = asyncio.create_task(self._serve(lane))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, lane: _Lane) -> None:
        """Sends what waits on the lane, a batch after the other, until nothing does."""
        try:
            while lane.waiting:
                await self._send_batch(lane)
        finally:
            lane.is_busy = False

    async def _send_batch(self, lane: _Lane) -> None:
        tickets: dict[_Ticket, int] = {}
        try:
            if self._producer is None:
                raise TransientError("not connected")
            batch = self._producer.create_batch()
            taken = 0
            for record, ticket in lane.waiting:
                if batch.append(timestamp=None, key=record.key, value=record.value, headers=[*record.headers]) is None:
                    break
                taken += 1
                tickets[ticket] = tickets.get(ticket, 0) + 1
            del lane.waiting[:taken]
            await (await self._producer.send_batch(batch, lane.topic, partition=lane.partition))
        except asyncio.CancelledError:
            _fail(tickets, TransientError("the connection to Kafka was given up"))
            raise
        except Exception as error:  # whatever the client raises, its batch must be answered for
            self._refused(error, lane, tickets)
            return
        self._alive_at_s = _now_s()
        for ticket, records in tickets.items():
            ticket.acknowledge(records)

    def _refused(self, error: Exception, lane: _Lane, tickets: Mapping[_Ticket, int]) -> None:
        """A producer that failed for good is replaced: its sequence numbers are no longer what Kafka expects."""
        logger.warning("Kafka refused a batch for %s/%d: %r", lane.topic, lane.partition, error)
        if not (isinstance(error, KafkaError) and error.retriable):
            self._is_spoilt = True
        self._partitions_of.pop(lane.topic, None)
        self._must_look.set()
        _fail([*tickets, *(ticket for _, ticket in lane.waiting)], TransientError(f"Kafka refused a batch: {error!r}"))
        lane.waiting.clear()


def _fail(tickets: Iterable[_Ticket], error: TransientError) -> None:
    for ticket in tickets:
        ticket.fail(error)


def _now_s() -> float:
    return asyncio.get_running_loop().time()


_NOWHERE = _Lane("", -1)
