"""The product without Kafka: its shards over logs that are lists, cut, killed and restored wherever a test says.

The adapter between the recount's records and the product's code. Nothing of the recount imports it.
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from aiokafka.partitioner import murmur2

from ioc.catalog import Catalog, load_catalog
from ioc.catalog.model import PARTIALS_TOPIC
from ioc.dead_letters import DEAD_LETTERS_TOPIC
from ioc.kpis import Figures, Partial
from ioc.partitioning import partitioner
from ioc.windows import microseconds_of
from streams.batches import Batch
from streams.entity_shard import EntityShard, PreparedWrite
from streams.partials import Complete, Gone, decode_message
from streams.row_stores import MemoryRows
from streams.shard_log import Outgoing, Restored
from tests.recount.accepting import Record
from tests.recount.comparing import Exported
from tests.recount.kpis import KPIS

__all__ = ["Province", "Schedule", "lam_dong"]

MOST_KILLS = 12  # what was not written is read again: there must be an end
FOLDER = Path(__file__).parents[2] / "ioc" / "catalog" / "lam-dong"


def lam_dong() -> Catalog:
    return load_catalog(FOLDER)


class _Logged(NamedTuple):
    """A record as a shard sees it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


@dataclass(slots=True)
class _Durable:
    """What Kafka holds of a shard: its rows, its marker, and the counters of the last write."""

    rows: dict[str, bytes] = field(default_factory=dict)
    marker: bytes | None = None
    outcomes: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How often, after a batch of at most `batch` records, a shard writes, is killed, or gets records once more."""

    batch: int = 7
    flush: float = 0.3
    kill: float = 0.1
    redeliver: float = 0.1


@dataclass
class Province:
    """Every partition's shard of one catalogue, fed from logs in memory."""

    catalog: Catalog
    partitions: int
    rng: random.Random
    logs: dict[tuple[str, int], list[_Logged]] = field(default_factory=dict)
    partials: list[Outgoing] = field(default_factory=list)
    dead_letters: int = 0
    kills: int = 0
    writes: int = 0

    def __post_init__(self) -> None:
        self.catalog = replace(self.catalog, partitions=self.partitions)
        self._engine, self._decoder = self.catalog.engine(), self.catalog.decoder()
        self._durable = {partition: _Durable() for partition in range(self.partitions)}
        self._shards: dict[int, EntityShard] = {}

    # ---- a publisher -----------------------------------------------------------------------------------------------

    def publish(self, records: Iterable[Record]) -> None:
        for record in records:
            key = record.key
            partition = (
                self.rng.randrange(self.partitions) if key is None else (murmur2(key) & 0x7FFFFFFF) % self.partitions
            )
            self._append(record.topic, partition, key, record.value, record.headers)

    def _append(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: tuple[tuple[str, bytes], ...],
    ) -> None:
        log = self.logs.setdefault((topic, partition), [])
        gap = self.rng.choice((0, 0, 0, 1, 5))  # transactions leave holes in the offsets
        log.append(_Logged(log[-1].offset + 1 + gap if log else gap, 0, key, value, headers))

    # ---- a worker --------------------------------------------------------------------------------------------------

    def run(self, clock: datetime, schedule: Schedule) -> None:
        """Reads all there is, what is rerouted too, and writes."""
        now_us = microseconds_of(clock)
        for partition in range(self.partitions):
            self._start(partition, now_us)
        while waiting := [place for place in self.logs if self._unread(place)]:
            place = self.rng.choice(waiting)
            partition = place[1]
            for batch in self._batches(place, schedule):
                self._shards[partition].take(batch, now_us)
            if self.rng.random() < schedule.flush:
                self._write(partition, now_us)
            if self.kills < MOST_KILLS and self.rng.random() < schedule.kill:
                self._kill(partition, now_us)
            if len(waiting) == 1 and not self._unread(place):  # what was rerouted is sent with the write
                self._write_all(now_us)
        self._write_all(now_us)
        if any(self._unread(place) for place in self.logs):
            self.run(clock, schedule)

    def tick(self, clock: datetime, *, restart: bool) -> None:
        """Lets the clock go on: every shard writes what changed without an event, or starts at that clock."""
        for partition in range(self.partitions):
            if restart:
                self._kill(partition, microseconds_of(clock))
        self._write_all(microseconds_of(clock))

    def _batches(self, place: tuple[str, int], schedule: Schedule) -> Iterator[Batch]:
        """Returns what a consumer hands out next; now and then what it handed out before as well."""
        topic, partition = place
        next_offset = self._shards[partition].next_offset(topic)
        log = self.logs[place]
        first = next(at for at, record in enumerate(log) if record.offset >= next_offset)
        if self.rng.random() < schedule.redeliver:
            first = self.rng.randrange(first + 1)
        end = first
        while end < len(log) and log[end].offset < next_offset:
            end += 1
        end = min(len(log), end + self.rng.randrange(1, schedule.batch + 1))
        if self.rng.random() < 0.5 and end - first > 1:
            cut = self.rng.randrange(first + 1, end)
            yield Batch(topic, partition, log[first:cut])
            first = cut
        yield Batch(topic, partition, log[first:end])

    def _unread(self, place: tuple[str, int]) -> bool:
        log = self.logs[place]
        return bool(log) and log[-1].offset >= self._shards[place[1]].next_offset(place[0])

    def _start(self, partition: int, now_us: int) -> None:
        durable = self._durable[partition]
        shard = EntityShard(
            partition,
            catalog=self.catalog,
            engine=self._engine,
            decoder=self._decoder,
            partitions_of=partitioner(self.partitions),
        )
        rows = MemoryRows()
        rows.update(durable.rows)
        shard.restore(Restored(rows=rows, marker=durable.marker), now_us)
        self._shards[partition] = shard

    def _kill(self, partition: int, now_us: int) -> None:
        """The worker dies: before its write, or in the middle of it, which nobody sees then."""
        self.kills += 1
        if self.rng.random() < 0.5:
            self._shards[partition].prepare(now_us)
        self._start(partition, now_us)

    def _write_all(self, now_us: int) -> None:
        for partition in range(self.partitions):
            self._write(partition, now_us)

    def _write(self, partition: int, now_us: int) -> None:
        write = self._shards[partition].prepare(now_us)
        if write is not None:
            self._keep(self._durable[partition], write)
            self._shards[partition].committed(write)
            self.writes += 1

    def _keep(self, durable: _Durable, write: PreparedWrite) -> None:
        for key, data in write.rows.items():
            if data is None:
                durable.rows.pop(key.decode(), None)
            else:
                durable.rows[key.decode()] = data
        durable.marker, durable.outcomes = write.marker, write.outcomes
        for message in write.others:
            if message.topic == PARTIALS_TOPIC:
                self.partials.append(message)
            elif message.topic == DEAD_LETTERS_TOPIC:
                self.dead_letters += 1
            else:
                assert message.partition is not None
                self._append(message.topic, message.partition, message.key, message.value, message.headers)

    # ---- a reader of the figures -----------------------------------------------------------------------------------

    def exported(self, clock: datetime, *, compacted: bool) -> Exported:
        """Returns what /metrics would show. `compacted`: of each key on ioc.kpi.partials only the newest is left; else
        some that were overtaken come once more, from a worker that was thought dead."""
        figures = Figures(self._engine)
        for message in self._messages(compacted=compacted):
            match decode_message(message.key, message.value):
                case Partial() as partial:
                    figures.merge(partial)
                case Gone(key, partition):
                    figures.forget(key, partition)
                case Complete(partition, epoch, newest):
                    figures.complete(partition, epoch, newest)
        shown = Exported(outcomes=self._outcomes())
        for figure in figures.figures(microseconds_of(clock)):
            series = (figure.definition.id, figure.admin_unit, figure.agency, figure.window, figure.dim)
            if series[0] not in KPIS:
                continue  # one of the catalogue's further KPIs
            if series in shown.figures:
                shown.faults.append(f"{series} is there twice")
            shown.figures[series] = figure.value, figure.numerator, figure.denominator
            shown.marks[series] = figure.is_stale, figure.is_manual
        return shown

    def _messages(self, *, compacted: bool) -> list[Outgoing]:
        newest: dict[bytes | None, int] = {message.key: place for place, message in enumerate(self.partials)}
        if compacted:
            return [self.partials[place] for place in sorted(newest.values())]
        overtaken = [
            message
            for message in self.partials
            if _version_of(message) < _version_of(self.partials[newest[message.key]])
        ]
        return self.partials + self.rng.choices(overtaken, k=20) if overtaken else self.partials

    def _outcomes(self) -> dict[str, Counter[str]]:
        outcomes: dict[str, Counter[str]] = {}
        for durable in self._durable.values():
            for topic, counts in durable.outcomes.items():
                told = {name: count for name, count in counts.items() if name != "rerouted"}
                outcomes.setdefault(topic, Counter()).update(told)
        return outcomes


def _version_of(message: Outgoing) -> tuple[int, int]:
    """Epoch and source offset of a partial; of what is none, the same for all."""
    decoded = decode_message(message.key, message.value)
    return (decoded.epoch, decoded.version) if isinstance(decoded, Partial) else (0, 0)
