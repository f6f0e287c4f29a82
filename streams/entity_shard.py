"""One shard of entity rows in memory: events in, changed rows and changed figures out. No Kafka, no waiting.

`take` folds a batch; `prepare` encodes everything that changed since the last one in a single synchronous step, so that
rows, counters, figures and offsets of one write always belong together; `committed` says that the write is durable.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ioc.canary import BEATS_TOPIC, answer_to_beat
from ioc.catalog import Catalog
from ioc.entities import CONTRADICTS, DUPLICATE, NEW, Row, decode_row, encode_row, first_row, fold
from ioc.errors import InvalidRecord
from ioc.events import KEY_SEPARATOR, Event, EventDecoder, Rejected
from ioc.kpis import BUILT_IN, Aggregates, Contribution, KpiEngine, SourceTallies
from ioc.rejections import internal_error, too_late
from ioc.timers import Timers
from ioc.windows import day_number
from streams.batches import Batch
from streams.key_places import KeyPlaces
from streams.row_layout import LAYOUT_KEY, layout_changes, layout_of
from streams.row_stores import MemoryRows, RowStore
from streams.shard_log import Outgoing, Restored
from streams.shard_marker import OUTCOMES, Outcomes, ShardMarker, copied
from streams.shard_outbox import ShardOutbox

logger = logging.getLogger(__name__)

__all__ = ["EntityShard", "Outcomes", "PreparedWrite"]

_SEPARATOR = KEY_SEPARATOR  # between the entity's name and its id
_REROUTED = -1
_SWEPT_AT_ONCE = 5_000  # rows looked at in one write when a new day lets old ones go
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedWrite:
    rows: dict[bytes, bytes | None]
    marker: bytes
    others: list[Outgoing]
    outcomes: Outcomes
    next_offsets: dict[str, int]


class _SourceCount:
    """What one batch told of a source."""

    __slots__ = ("accepted", "contradictions", "duplicate", "newest_us", "rejected")

    def __init__(self) -> None:
        self.accepted = self.duplicate = self.rejected = self.contradictions = self.newest_us = 0


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
        self._engine, self._decoder = engine, decoder
        self._places = KeyPlaces(partition, partitions_of)
        self._outbox = ShardOutbox(partition, province=catalog.province, decoder=decoder)
        self._types = catalog.event_types
        self._type_names = tuple(catalog.event_types)
        self._keep_us = {e.name: e.keep_days * _DAY_US for e in catalog.entities if e.keep_days is not None}
        self._aggregates = Aggregates(engine)
        self._tallies = SourceTallies(catalog.promises)
        self._timers = Timers()
        self._cold: RowStore = MemoryRows()
        self._changes: dict[str, bytes | None] = {LAYOUT_KEY: layout_of(catalog.event_types.values())}
        self._hot: dict[str, Row] = {}
        self._dirty: dict[str, Event] = {}  # with the last event of each, which knows entity and id
        self._before: dict[str, list[Contribution]] = {}
        self._outcomes: Outcomes = {}
        self._next_offsets: dict[str, int] = {}
        self._newest = [0] * len(self._type_names)  # newest fact in µs, by the type's number
        self._by_source: dict[str, _SourceCount] = {}
        self._epoch = 1
        self._evaluated_us = 0  # every row's contribution to the aggregates is that of this clock
        self._swept_day = 0
        self._to_sweep: list[str] = []
        self._has_news = True  # the first write tells the epoch and every cell
        self.committed_outcomes: Outcomes = {}

    def restore(self, restored: Restored, now_us: int) -> None:
        """Takes over the state of the log, and rebuilds the aggregates by a scan over the rows."""
        if restored.marker is not None:
            marker = msgspec.msgpack.decode(restored.marker, type=ShardMarker)
            self._epoch = marker.epoch + 1
            self._next_offsets = marker.next_offsets
            self._newest = [marker.newest.get(name, 0) for name in self._type_names]
            self._outcomes = marker.outcomes
            self.committed_outcomes = copied(marker.outcomes)
        self._cold = restored.rows
        self._take_layout()
        self._evaluated_us = now_us
        self._aggregates.expire(now_us)
        tallies: list[tuple[str, bytes]] = []
        evaluate, add, counted = self._engine.evaluate, self._aggregates.add, self._engine.counted
        for key, data in restored.rows.items():
            entity, entity_id = key.split(_SEPARATOR, 1)
            if entity in BUILT_IN:
                tallies.append((key, data))
            elif entity in counted and key != LAYOUT_KEY:
                found, wake_us = evaluate(entity, entity_id, decode_row(data), now_us)
                add(found)
                if wake_us:
                    self._timers.set(key, wake_us)
        self._tallies.restore(tallies)
        self._aggregates.settle()
        self._aggregates.mark_all_changed()

    def _take_layout(self) -> None:
        self._changes = layout_changes(self._cold, self._types)
        for key, new in self._changes.items():
            self._set(key, new)

    def _set(self, key: str, data: bytes | None) -> None:
        if data is None:
            self._cold.pop(key, None)
        else:
            self._cold[key] = data

    @property
    def rows(self) -> int:
        """Entities held here."""
        return (
            len(self._cold)
            + sum(key not in self._cold for key in self._hot)
            - self._tallies.rows
            - (LAYOUT_KEY in self._cold)
        )

    def next_offset(self, topic: str) -> int:
        return self._next_offsets.get(topic, 0)

    # ---- events in -------------------------------------------------------------------------------------------------

    def take(self, batch: Batch, now_us: int) -> None:
        """Folds the events of a batch. Records before the shard's place are redeliveries: they are nothing."""
        topic = batch.topic
        if topic == BEATS_TOPIC:
            self._answer_canaries(batch, now_us)
            return
        counts = self._outcomes.get(topic)
        if counts is None:
            counts = self._outcomes[topic] = dict.fromkeys(OUTCOMES, 0)
        place = self._next_offsets.get(topic, 0)
        decode = self._decoder.decode
        take_event = self._take_event
        self._places.look_up([record.key for record in batch.records if record.key])
        for record in batch.records:
            if record.offset < place:
                continue
            try:
                items = decode(topic, record.headers, record.value, now_us)
            except Exception as error:  # the agent's boundary: a defect of ours must cost one record, not the worker
                logger.exception("%s/%d/%d", topic, batch.partition, record.offset)
                items = [Rejected(internal_error(error), "")]
            if len(items) == 1 and isinstance(items[0], Event):  # nearly all: no loop, no look at what else it may be
                try:
                    if take_event(items[0], now_us) != _REROUTED:
                        continue
                except InvalidRecord as error:
                    items = [Rejected(error, items[0].source)]
            for index, item in enumerate(items):
                if isinstance(item, Rejected):
                    self._reject(topic, record, index, item, now_us)
                    continue
                try:
                    is_rerouted = take_event(item, now_us) == _REROUTED
                except InvalidRecord as error:
                    self._reject(topic, record, index, Rejected(error, item.source), now_us)
                    continue
                if is_rerouted:
                    to = self._places.of(item.partition_key)
                    self._outbox.reroute(topic, record, index, item, to=to, is_alone=len(items) == 1)
                    counts["rerouted"] += 1
        self._count_outcomes(counts, now_us)
        if batch.records and batch.records[-1].offset >= place:
            self._next_offsets[topic] = batch.records[-1].offset + 1
            self._has_news = True

    def _answer_canaries(self, batch: Batch, now_us: int) -> None:
        """They become no row and count nowhere; their answer is in the write that real events would be in."""
        place = self._next_offsets.get(batch.topic, 0)
        for record in batch.records:
            answer = answer_to_beat(record.value, record.headers) if record.offset >= place else None
            if answer is not None:
                self._outbox.answer(answer, now_us)
        if batch.records and batch.records[-1].offset >= place:
            self._next_offsets[batch.topic] = batch.records[-1].offset + 1
            self._has_news = True

    def _count_outcomes(self, counts: dict[str, int], now_us: int) -> None:
        for source, told in self._by_source.items():
            counts["accepted"] += told.accepted
            counts["duplicate"] += told.duplicate
            counts["rejected"] += told.rejected
            counts["in"] += told.accepted + told.duplicate + told.rejected
            verdicts = (told.accepted, told.duplicate, told.rejected, told.contradictions)
            self._tallies.count(source, verdicts, now_us)
            self._tallies.heard(source, told.newest_us)
        self._by_source.clear()

    def _take_event(self, event: Event, now_us: int) -> int:
        event_type, order_us = event.type, event.order_us
        if event_type.entity in self._keep_us and order_us < now_us - self._keep_us[event_type.entity]:
            keep_days = self._keep_us[event_type.entity] // _DAY_US
            raise too_late(event_type, event.values, order_us, keep_days)
        key = event_type.entity + _SEPARATOR + event.entity_id
        outcome = NEW
        row = self._hot.get(key)
        if row is not None:
            outcome = fold(row, event)
        else:
            data = self._cold.get(key)
            if data is not None:
                row = self._hot[key] = self._warm(key, data, event)
                outcome = fold(row, event)
            elif self._places.is_here(event.partition_key):
                self._hot[key] = first_row(event)
            else:
                # Producers with another partitioner (librdkafka's default is CRC32) would split an entity in two.
                return _REROUTED
        told = self._by_source.get(event.source)
        if told is None:
            told = self._by_source[event.source] = _SourceCount()
        if outcome == DUPLICATE:
            told.duplicate += 1
            return outcome
        told.accepted += 1
        if outcome == CONTRADICTS:
            told.contradictions += 1
        if order_us > told.newest_us:
            told.newest_us = order_us
        newest = self._newest
        if order_us > newest[event_type.number]:
            newest[event_type.number] = order_us
        self._dirty[key] = event
        return outcome

    def _warm(self, key: str, data: bytes, event: Event) -> Row:
        """A known row as an object; `_before` keeps what it adds to the figures."""
        row = decode_row(data)
        entity = event.type.entity
        self._before[key] = self._engine.evaluate(entity, event.entity_id, row, self._evaluated_us)[0]
        return row

    def _reject(self, topic: str, record: Any, index: int, item: Rejected, now_us: int) -> None:
        self._by_source.setdefault(self._decoder.own_source(item.source), _SourceCount()).rejected += 1
        self._outbox.reject(topic, record, index, item, now_us)

    # ---- changes out -----------------------------------------------------------------------------------------------

    def prepare(self, now_us: int) -> PreparedWrite | None:
        """Returns what must be written now, or None where nothing changed."""
        now_us = max(now_us, self._evaluated_us)  # a clock set back must not bring back what it has ended
        rows = {key.encode(): data for key, data in self._changes.items()}
        self._changes = {}
        rows |= self._encode_dirty(now_us)
        self._tick(now_us)
        self._sweep(now_us, rows)
        self._evaluated_us = now_us
        self._tallies.settle(self._aggregates, self._engine, now_us)
        for key, data in self._tallies.take_rows().items():
            rows[key.encode()] = data
            self._set(key, data)
        gone = self._aggregates.expire(now_us)
        self._aggregates.settle()
        changed = self._aggregates.take_changed()
        if not (self._has_news or rows or changed or gone):
            return None
        self._has_news = False
        newest = {name: moment for name, moment in zip(self._type_names, self._newest, strict=True) if moment}
        outcomes = copied(self._outcomes)
        marker = ShardMarker(self._epoch, dict(self._next_offsets), outcomes, newest)
        return PreparedWrite(
            rows=rows,
            marker=msgspec.msgpack.encode(marker),
            others=self._outbox.take(changed, gone, epoch=self._epoch, newest=newest),
            outcomes=outcomes,
            next_offsets=dict(self._next_offsets),
        )

    def committed(self, write: PreparedWrite) -> None:
        self.committed_outcomes = write.outcomes

    def _encode_dirty(self, now_us: int) -> dict[bytes, bytes | None]:
        rows: dict[bytes, bytes | None] = {}
        hot, cold, before = self._hot, self._cold, self._before
        evaluate, counted, timers = self._engine.evaluate, self._engine.counted, self._timers
        added: list[Contribution] = []
        for key, event in self._dirty.items():
            row = hot[key]
            rows[key.encode()] = cold[key] = encode_row(row)
            entity = event.type.entity
            if entity in counted:
                found, wake_us = evaluate(entity, event.entity_id, row, now_us)
                known = before.get(key)
                if known is None:
                    added += found
                elif known != found:
                    self._aggregates.retract(known)
                    added += found
                if wake_us:
                    timers.set(key, wake_us)
        self._aggregates.add(added)
        hot.clear()
        before.clear()
        self._dirty.clear()
        return rows

    def _tick(self, now_us: int) -> None:
        """Rows whose figures read the clock change without an event."""
        for key in self._timers.due(now_us):
            data = self._cold.get(key)
            if data is None:
                continue
            entity, entity_id = key.split(_SEPARATOR, 1)
            row = decode_row(data)
            now, wake_us = self._engine.evaluate(entity, entity_id, row, now_us)
            before, _ = self._engine.evaluate(entity, entity_id, row, self._evaluated_us)
            if before != now:
                self._aggregates.retract(before)
                self._aggregates.add(now)
            if wake_us:
                self._timers.set(key, wake_us)

    def _sweep(self, now_us: int, rows: dict[bytes, bytes | None]) -> None:
        """Once a local day, a few at a time: rows whose newest fact is older than their entity keeps are dropped."""
        if not self._keep_us:
            return
        today = day_number(now_us)
        if today != self._swept_day:
            self._swept_day = today
            self._to_sweep = [key for key, _ in self._cold.items() if key.split(_SEPARATOR, 1)[0] in self._keep_us]
        some, self._to_sweep = self._to_sweep[:_SWEPT_AT_ONCE], self._to_sweep[_SWEPT_AT_ONCE:]
        for key in some:
            data = self._cold.get(key)
            if data is None or key.encode() in rows:
                continue
            entity, entity_id = key.split(_SEPARATOR, 1)
            row = decode_row(data)
            if row.facts[-1][0] < now_us - self._keep_us[entity]:
                self._aggregates.retract(self._engine.contributions(entity, entity_id, row, now_us))
                self._cold.pop(key, None)
                rows[key.encode()] = None
