"""Keeps the shards of a batch agent: opens them when their partition is assigned, writes what changed about twice a
second, acknowledges batches only after that write, and lets go of them when the partition is revoked."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any, Generic, Protocol, TypeVar

from ioc.clock import Clock
from ioc.errors import IocError
from ioc.windows import microseconds_of
from streams.batches import Batch, ShardApp
from streams.metrics import PipelineMetrics
from streams.row_stores import MemoryRows, RowStore, StoreBusy
from streams.shard_log import Outgoing, Restored, ShardLog

__all__ = ["Shard", "ShardKeeper", "Write"]

logger = logging.getLogger(__name__)

_STORE_WAIT_S = 20.0  # another worker of this machine lets go of a store once it learns that the partition is ours
_STORE_POLL_S = 0.2
ENOUGH_TO_WRITE = 16_000  # records of a shard: it is written without waiting for the clock
MAX_UNWRITTEN_RECORDS = 24_000  # above it intake waits for the write: memory stays bounded when the broker is slow


class Write(Protocol):
    """What one transaction holds."""

    @property
    def rows(self) -> dict[bytes, bytes | None]: ...
    @property
    def marker(self) -> bytes: ...
    @property
    def others(self) -> list[Outgoing]: ...


W = TypeVar("W", bound=Write)


class Shard(Protocol[W]):
    """The state of one partition. Its rows lie in the store that `restore` brings; `prepare` sets them there."""

    def restore(self, restored: Restored, now_us: int) -> None: ...
    def take(self, batch: Batch, now_us: int) -> None: ...
    def next_offset(self, topic: str) -> int: ...
    def prepare(self, now_us: int) -> W | None: ...
    def committed(self, write: W) -> None: ...


S = TypeVar("S", bound=Shard[Any])


class _Open(Generic[S]):
    """An open shard, its log and store, and the batches that wait for the next write."""

    def __init__(self, shard: S, log: ShardLog, store: RowStore) -> None:
        self.shard, self.log, self.store = shard, log, store
        self.waiting: list[Any] = []
        self.unwritten = 0
        self.lock = asyncio.Lock()


class ShardKeeper(Generic[S]):
    """Args:
    make_shard: from a partition number to its empty shard.
    make_store: from a partition number to its store of rows.
    flush_s: seconds between two writes of a shard.
    """

    def __init__(
        self,
        app: ShardApp,
        *,
        broker: str,
        state_topic: str,
        make_shard: Callable[[int], S],
        clock: Clock,
        flush_s: float,
        metrics: PipelineMetrics,
        stage: str,
        make_store: Callable[[int], RowStore] = lambda partition: MemoryRows(),
    ) -> None:
        self._app, self._broker, self._state_topic = app, broker, state_topic
        self._make_shard, self._make_store = make_shard, make_store
        self._clock, self._flush_s = clock, flush_s
        self._metrics, self._stage = metrics, stage
        self._opening: dict[int, asyncio.Task[_Open[S]]] = {}
        self._flusher: asyncio.Task[None] | None = None
        self._written = asyncio.Event()
        self._enough = asyncio.Event()
        # Nothing to do on revocation: Faust waits until every batch in work was acknowledged, so all is written.
        # A shard is kept until the next assignment says that it is gone; if another worker had it meanwhile, our next
        # write is fenced.
        app.on_partitions_assigned.connect(self._on_assigned)  # it passes (app, assigned)

    # ---- what others ask -------------------------------------------------------------------------------------------

    @property
    def is_ready(self) -> bool:
        """Whether partitions are assigned and every one of them is restored."""
        return bool(self._opening) and all(_is_open(task) for task in self._opening.values())

    def shards(self) -> list[S]:
        """The shards that are open now."""
        return [task.result().shard for task in list(self._opening.values()) if _is_open(task)]

    def lag(self) -> dict[str, int]:
        """Records that wait in Kafka, by topic, as far as the last fetch knew."""
        consumer: Any = self._app.consumer
        lag: dict[str, int] = {}
        for tp in list(consumer.assignment()):
            task = self._opening.get(tp.partition)
            if task is not None and _is_open(task):
                done = max(task.result().shard.next_offset(tp.topic), self._app.fetched_up_to(tp))
            else:  # still being restored
                done = self._app.committed_up_to(tp)
            lag[tp.topic] = lag.get(tp.topic, 0) + max(0, (consumer.highwater(tp) or 0) - done)
        return lag

    # ---- events ----------------------------------------------------------------------------------------------------

    async def next_offset(self, topic: str, partition: int) -> int | None:
        """Returns where a shard stands in a topic, once it is restored; None where it is not ours."""
        task = self._opening.get(partition)
        return None if task is None else (await asyncio.shield(task)).shard.next_offset(topic)

    async def take(self, event: Any) -> None:
        """Gives a batch to its shard. The event is acknowledged after the next write."""
        batch: Batch = event.value
        task = self._opening.get(batch.partition)
        if task is None:
            return  # revoked meanwhile: its new owner gets it
        held = await asyncio.shield(task)
        while held.unwritten > MAX_UNWRITTEN_RECORDS:
            self._written.clear()
            await self._written.wait()
        with self._metrics.stage(self._stage):
            held.shard.take(batch, self._now_us())
        held.waiting.append(event)
        held.unwritten += len(batch)
        batch.records = ()  # folded: while the batch waits for its write, only its end matters
        if held.unwritten > ENOUGH_TO_WRITE:
            self._enough.set()

    async def flush_now(self, partition: int) -> None:
        """Writes what changed without waiting for the clock."""
        task = self._opening.get(partition)
        if task is not None and _is_open(task):
            await self._write(task.result())

    # ---- life ------------------------------------------------------------------------------------------------------

    async def stop(self) -> None:
        """Writes what is left, and lets go of every shard."""
        if self._flusher is not None:
            self._flusher.cancel()
            self._flusher = None
        while self._opening:
            await self._close(self._opening.popitem()[1], write=True)

    async def _on_assigned(self, app: Any, assigned: Iterable[Any], **_: Any) -> None:
        wanted = {tp.partition for tp in assigned}
        # All of them leave the table before the first wait: the flusher must not write what another worker owns now.
        lost = [self._opening.pop(partition) for partition in list(self._opening) if partition not in wanted]
        for task in lost:
            await self._close(task, write=False)
        for partition in wanted - self._opening.keys():
            task = asyncio.create_task(self._open(partition), name=f"open shard {partition}")
            self._opening[partition] = task
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush_forever(), name="flush shards")

    async def _open(self, partition: int) -> _Open[S]:
        log = ShardLog(self._broker, self._state_topic, partition, group=self._app.conf.id)
        store: RowStore | None = None
        try:
            store = await self._open_store(partition)
            restored = await log.open(store)
            shard = self._make_shard(partition)
            # A million rows take seconds: in a thread, so that the process answers and its other shards go on.
            await asyncio.to_thread(shard.restore, restored, self._now_us())
        except BaseException as error:
            await log.close()
            if store is not None:
                store.close()
            if isinstance(error, IocError):
                logger.error("%s", error)
                await self._app.crash(error)
            raise
        return _Open(shard, log, store)

    async def _open_store(self, partition: int) -> RowStore:
        deadline = time.monotonic() + _STORE_WAIT_S
        while True:
            try:
                return self._make_store(partition)
            except StoreBusy:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(_STORE_POLL_S)

    async def _close(self, task: "asyncio.Task[_Open[S]]", *, write: bool) -> None:
        if not task.done():
            task.cancel()
        try:
            held = await task
        except (asyncio.CancelledError, IocError):
            return
        try:
            if write:
                await self._write(held)
        except IocError as error:
            logger.warning("closing a shard: %s", error)
        finally:
            await held.log.close()
            held.store.close()

    async def _flush_forever(self) -> None:
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._enough.wait(), self._flush_s)
                self._enough.clear()
                for task in list(self._opening.values()):
                    if _is_open(task):
                        await self._write(task.result())
        except (
            Exception
        ) as error:  # a flusher that ends in silence would leave a worker that looks alive and does nothing
            if isinstance(error, IocError):
                logger.error("%s", error)
            else:
                logger.exception("writing the shards failed")
            await self._app.crash(error)

    async def _write(self, held: _Open[S]) -> None:
        async with held.lock:
            waiting, held.waiting = held.waiting, []
            unwritten, held.unwritten = held.unwritten, 0
            with self._metrics.stage(f"{self._stage}_encode"):
                write = held.shard.prepare(self._now_us())
            if write is not None:
                with self._metrics.stage(f"{self._stage}_write"):
                    held.store.commit(await held.log.write(write.rows, write.marker, write.others), write.marker)
                held.shard.committed(write)
            for event in waiting:
                event.ack()
            if unwritten:
                self._written.set()

    def _now_us(self) -> int:
        return microseconds_of(self._clock())


def _is_open(task: "asyncio.Task[Any]") -> bool:
    return task.done() and not task.cancelled() and task.exception() is None
