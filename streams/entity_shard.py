"""One shard of entity rows in memory: events in, changed rows and changed figures out. No Kafka, no waiting.

`take` folds a batch; `prepare` encodes everything that changed since the last one in a single synchronous step, so that
rows, counters, figures and offsets of one write always belong together; `committed` says that the write is durable.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from ioc.catalog import Catalog
from ioc.catalog.model import PARTIALS_TOPIC
from ioc.dead_letters import DEAD_LETTERS_TOPIC, DeadLetter, encode_dead_letter
from ioc.entities import Row, decode_row, encode_row, first_row, fold
from ioc.errors import InvalidRecord
from ioc.events import KEY_SEPARATOR, Event, EventDecoder, Rejected
from ioc.kpis import Aggregates, Cell, CellKey, Contribution, KpiEngine
from ioc.rejections import internal_error
from ioc.windows import moment_of
from streams.batch_topics import Batch
from streams.partials import encode_complete, encode_gone, encode_partial
from streams.shard_log import Outgoing, Restored

logger = logging.getLogger(__name__)

__all__ = ["EntityShard", "Outcomes", "PreparedWrite"]

OUTCOMES = ("in", "accepted", "duplicate", "rejected", "rerouted")
Outcomes = dict[str, dict[str, int]]
"""By topic, then by outcome. `in` = accepted + duplicate + rejected; a rerouted event counts where it arrives."""

_SEPARATOR = KEY_SEPARATOR  # between the entity's name and its id


class _Marker(msgspec.Struct, array_like=True):
    """The shard's place in its input and the counters that go with it."""

    epoch: int
    next_offsets: dict[str, int]
    outcomes: Outcomes
    newest: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedWrite:
    rows: dict[bytes, bytes | None]
    marker: bytes
    others: list[Outgoing]
    outcomes: Outcomes
    next_offsets: dict[str, int]


class EntityShard:
    """The rows of one partition number, over all the departments' topics.

    Args:
        partitions_of: from partition keys to the partitions where they belong (murmur2).
    """

    def __init__(
        self,
        partition: int,
        *,
        catalog: Catalog,
        engine: KpiEngine,
        decoder: EventDecoder,
        partitions_of: Callable[[Sequence[bytes]], Sequence[int]],
    ) -> None:
        self.partition = partition
        self._province = catalog.province
        self._engine, self._decoder, self._partitions_of = engine, decoder, partitions_of
        self._aggregates = Aggregates(engine)
        self._cold: dict[str, bytes] = {}
        self._hot: dict[str, Row] = {}
        self._dirty: dict[str, Event] = {}  # with the last event of each, which knows entity and id
        self._before: dict[str, tuple[Contribution, ...]] = {}
        self._watched: dict[str, tuple[Row, tuple[Contribution, ...]]] = {}  # rows whose figures change with the clock
        self._others: list[Outgoing] = []
        self._outcomes: Outcomes = {}
        self._next_offsets: dict[str, int] = {}
        self._newest: dict[str, int] = {}
        self._epoch = 1
        self._places: dict[bytes, int] = {}  # where the record keys of the batch in hand belong
        self._has_news = True  # the first write tells the epoch and every cell
        self.committed_outcomes: Outcomes = {}

    def restore(self, restored: Restored, now_us: int) -> None:
        """Takes over the state of the log, and rebuilds the aggregates by a scan over the rows."""
        if restored.marker is not None:
            marker = msgspec.msgpack.decode(restored.marker, type=_Marker)
            self._epoch = marker.epoch + 1
            self._next_offsets, self._newest = marker.next_offsets, marker.newest
            self._outcomes = marker.outcomes
            self.committed_outcomes = _copy(marker.outcomes)
        self._aggregates.expire(now_us)
        for key, data in restored.rows.items():
            self._cold[key] = data
            entity, entity_id = key.split(_SEPARATOR, 1)
            if entity in self._engine.counted:
                row = decode_row(data)
                contributions = self._engine.contributions(entity, entity_id, row, now_us)
                self._aggregates.apply((), contributions)
                if entity in self._engine.clock_driven:
                    self._watched[key] = (row, contributions)
        self._aggregates.mark_all_changed()

    @property
    def rows(self) -> int:
        return len(self._cold.keys() | self._hot.keys()) if self._hot else len(self._cold)

    def next_offset(self, topic: str) -> int:
        return self._next_offsets.get(topic, 0)

    # ---- events in -------------------------------------------------------------------------------------------------

    def take(self, batch: Batch, now_us: int) -> None:
        """Folds the events of a batch. Records before the shard's place are redeliveries: they are nothing."""
        topic = batch.topic
        counts = self._outcomes.get(topic)
        if counts is None:
            counts = self._outcomes[topic] = dict.fromkeys(OUTCOMES, 0)
        place = self._next_offsets.get(topic, 0)
        accepted = duplicate = 0
        decode = self._decoder.decode
        fold_event = self._fold
        keys = [record.key for record in batch.records if record.key]
        self._places = dict(zip(keys, self._partitions_of(keys), strict=True))
        for record in batch.records:
            if record.offset < place:
                continue
            self._has_news = True
            try:
                items = decode(topic, record.headers, record.value, now_us)
            except Exception as error:  # the agent's boundary: a defect of ours must cost one record, not the worker
                logger.exception("%s/%d/%d", topic, batch.partition, record.offset)
                items = [Rejected(internal_error(error), "")]
            if len(items) > 1 or items[0].__class__ is Rejected:
                self._take_many(topic, record, items, counts, now_us)
                continue
            event: Event = items[0]  # type: ignore[assignment]  # not Rejected, as just seen
            try:
                outcome = fold_event(event, now_us)
            except InvalidRecord as error:
                self._reject(topic, record, 0, Rejected(error, event.source), counts, now_us)
                continue
            if outcome == "accepted":
                accepted += 1
            elif outcome == "duplicate":
                duplicate += 1
            else:
                counts["rerouted"] += 1
                self._reroute(topic, event, record.value, record.headers)
        counts["in"] += accepted + duplicate
        counts["accepted"] += accepted
        counts["duplicate"] += duplicate
        if batch.records:
            self._next_offsets[topic] = max(place, batch.records[-1].offset + 1)

    def _take_many(
        self, topic: str, record: "_Record", items: list[Event | Rejected], counts: dict[str, int], now_us: int
    ) -> None:
        """A batched record, or a rejected one."""
        for index, item in enumerate(items):
            if isinstance(item, Rejected):
                self._reject(topic, record, index, item, counts, now_us)
                continue
            try:
                outcome = self._fold(item, now_us)
            except InvalidRecord as error:
                self._reject(topic, record, index, Rejected(error, item.source), counts, now_us)
                continue
            if outcome == "rerouted":
                self._reroute(topic, item, self._decoder.part_of_batch(record.value, index), _STRUCTURED_HEADERS)
            else:
                counts["in"] += 1
            counts[outcome] += 1

    def _fold(self, event: Event, now_us: int) -> str:
        event_type = event.type
        key = event_type.entity + _SEPARATOR + event.entity_id
        row = self._hot.get(key)
        if row is None:
            data = self._cold.get(key)
            if data is None:
                # Producers with another partitioner (librdkafka's default is CRC32) would split an entity in two.
                if not self._is_here(event.partition_key):
                    return "rerouted"
                self._hot[key] = first_row(event)
                return self._accepted(key, event)
            row = self._hot[key] = self._warm(key, data, event, now_us)
        return self._accepted(key, event) if fold(row, event) else "duplicate"

    def _accepted(self, key: str, event: Event) -> str:
        self._dirty[key] = event
        name = event.type.name
        if event.order_us > self._newest.get(name, 0):
            self._newest[name] = event.order_us
        return "accepted"

    def _warm(self, key: str, data: bytes, event: Event, now_us: int) -> Row:
        """A known row as an object; `_before` keeps what it added to the figures."""
        watched = self._watched.get(key)
        if watched is not None:
            row, self._before[key] = watched
            return row
        row = decode_row(data)
        self._before[key] = self._engine.contributions(event.type.entity, event.entity_id, row, now_us)
        return row

    def _is_here(self, partition_key: str) -> bool:
        key = partition_key.encode()
        known = self._places.get(key)
        return (self._partitions_of([key])[0] if known is None else known) == self.partition

    def _reroute(self, topic: str, event: Event, value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> None:
        key = event.partition_key.encode()
        self._others.append(
            Outgoing(topic=topic, key=key, value=value, headers=tuple(headers), partition=self._partitions_of([key])[0])
        )

    def _reject(
        self, topic: str, record: "_Record", index: int, item: Rejected, counts: dict[str, int], now_us: int
    ) -> None:
        counts["in"] += 1
        counts["rejected"] += 1
        letter = DeadLetter(
            error=item.error,
            source=item.source,
            topic=topic,
            partition=self.partition,
            offset=record.offset,
            index=index,
            at=moment_of(now_us),
            key=record.key,
            headers=tuple(record.headers),
            original=record.value,
        )
        key, value, headers = encode_dead_letter(letter, province=self._province)
        self._others.append(Outgoing(topic=DEAD_LETTERS_TOPIC, key=key, value=value, headers=headers))

    # ---- changes out -----------------------------------------------------------------------------------------------

    def prepare(self, now_us: int) -> PreparedWrite | None:
        """Returns what must be written now, or None where nothing changed."""
        rows: dict[bytes, bytes | None] = {}
        hot, cold, before = self._hot, self._cold, self._before
        contributions, apply = self._engine.contributions, self._aggregates.apply
        counted, clock_driven = self._engine.counted, self._engine.clock_driven
        for key, event in self._dirty.items():
            row = hot[key]
            rows[key.encode()] = cold[key] = encode_row(row)
            entity = event.type.entity
            if entity in counted:
                now = contributions(entity, event.entity_id, row, now_us)
                apply(before.get(key, ()), now)
                if entity in clock_driven:
                    self._watched[key] = (row, now)
        self._tick(now_us)
        gone = self._aggregates.expire(now_us)
        changed = self._aggregates.take_changed()
        self._hot.clear()
        self._before.clear()
        self._dirty.clear()
        if not (self._has_news or changed or gone):
            return None
        self._has_news = False
        others, self._others = self._others, []
        others.extend(self._partials(changed, gone))
        outcomes = _copy(self._outcomes)
        marker = _Marker(self._epoch, dict(self._next_offsets), outcomes, self._newest)
        return PreparedWrite(
            rows=rows,
            marker=msgspec.msgpack.encode(marker),
            others=others,
            outcomes=outcomes,
            next_offsets=dict(self._next_offsets),
        )

    def committed(self, write: PreparedWrite) -> None:
        self.committed_outcomes = write.outcomes

    def _tick(self, now_us: int) -> None:
        """Rows whose figures read the clock change without an event."""
        for key, (row, before) in self._watched.items():
            if key in self._dirty:
                continue
            entity, entity_id = key.split(_SEPARATOR, 1)
            now = self._engine.contributions(entity, entity_id, row, now_us)
            if now != before:
                self._aggregates.apply(before, now)
                self._watched[key] = (row, now)

    def _partials(self, changed: dict[CellKey, Cell], gone: list[CellKey]) -> list[Outgoing]:
        version = sum(self._next_offsets.values())
        messages = [
            Outgoing(
                topic=PARTIALS_TOPIC,
                **encode_partial(key, cell, partition=self.partition, epoch=self._epoch, version=version),
            )
            for key, cell in changed.items()
        ]
        messages += [Outgoing(topic=PARTIALS_TOPIC, **encode_gone(key, partition=self.partition)) for key in gone]
        messages.append(
            Outgoing(
                topic=PARTIALS_TOPIC,
                **encode_complete(partition=self.partition, epoch=self._epoch, newest=self._newest),
            )
        )
        return messages


class _Record:
    """A raw Kafka record, as aiokafka gives it."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


_STRUCTURED_HEADERS = (("content-type", b"application/cloudevents+json"),)


def _copy(outcomes: Outcomes) -> Outcomes:
    return {topic: dict(counts) for topic, counts in outcomes.items()}
