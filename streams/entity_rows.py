"""The state rows of every shard, read from outside: a plain reader that joins no group and fences nobody."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError, UnknownTopicOrPartitionError

from ioc.adapters.kafka_access import kafka_arguments
from ioc.catalog.model import ENTITY_ROWS_TOPIC
from ioc.errors import PermanentError, TransientError
from ioc.event_reading import KEY_SEPARATOR
from streams.row_layout import LAYOUT_KEY
from streams.shard_log import MARKER_KEY

__all__ = ["Shard", "read_shards"]

_START_TIMEOUT_S = 15.0
_STALL_TIMEOUT_S = 30.0
_FETCH_BYTES = 2 * 1024 * 1024
_READ_AT_ONCE = 10_000
_LAYOUT_KEY = LAYOUT_KEY.encode()

Advance = Callable[[float, float], object]
"""Told (records read, records in all)."""


@dataclass(slots=True)
class Shard:
    """`rows`: state rows as they lie in the changelog, by key (`entity␟id`), of the wanted entities only. `newest`: the
    newest fact's time in µs by event type. `layout`: how the rows' facts are laid out, see `streams.row_layout`; None:
    not said."""

    rows: dict[str, bytes] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)
    layout: bytes | None = None


class _Marker(msgspec.Struct, array_like=True):
    """What a shard's marker says; see `streams.entity_shard`."""

    epoch: int
    next_offsets: dict[str, int]
    outcomes: dict[str, dict[str, int]]
    newest: dict[str, int]


async def read_shards(broker: str, entities: Collection[str], advance: Advance) -> dict[int, Shard]:
    """Returns the shards by partition, as they were committed when it was called.

    Raises:
        TransientError: no broker, or it stopped answering. PermanentError: no such topic, or no right to read it.
    """
    consumer = AIOKafkaConsumer(
        ENTITY_ROWS_TOPIC,
        **kafka_arguments(broker),
        client_id="ioc-kpi-explain",
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_partition_fetch_bytes=_FETCH_BYTES,
    )
    try:
        await asyncio.wait_for(consumer.start(), _START_TIMEOUT_S)
        return await _read(consumer, tuple(entities), advance)
    except UnknownTopicOrPartitionError as error:
        raise PermanentError(
            f"Kafka at {broker} has no topic {ENTITY_ROWS_TOPIC}: no worker has counted anything yet; start one with: "
            f"ioc worker"
        ) from error
    except TopicAuthorizationFailedError as error:
        raise PermanentError(f"this user may not read {ENTITY_ROWS_TOPIC}; ask the administrator") from error
    except (KafkaError, TimeoutError, OSError, ValueError) as error:
        raise TransientError(
            f"no Kafka answers at {broker}; start one with: ioc broker, or set IOC_BROKER to a running one"
        ) from error
    finally:
        await consumer.stop()


async def _read(consumer: AIOKafkaConsumer, entities: tuple[str, ...], advance: Advance) -> dict[int, Shard]:
    places = {place: Shard() for place in consumer.assignment()}
    wanted = tuple(f"{entity}{KEY_SEPARATOR}".encode() for entity in entities)
    starts, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    for place in places:
        consumer.seek(place, starts[place])
    total = sum(ends.values()) - sum(starts.values())
    left = {place for place in places if starts[place] < ends[place]}
    loop = asyncio.get_running_loop()
    progress_at = loop.time()
    while left:
        batches = await consumer.getmany(*left, timeout_ms=200, max_records=_READ_AT_ONCE)
        for place, records in batches.items():
            _take(places[place], [record for record in records if record.offset < ends[place]], wanted)
        positions = {place: await consumer.position(place) for place in places}
        advance(sum(positions.values()) - sum(starts.values()), total)
        if batches:
            progress_at = loop.time()
        elif loop.time() - progress_at > _STALL_TIMEOUT_S:
            raise TimeoutError
        left = {place for place in left if positions[place] < ends[place]}
    return {place.partition: shard for place, shard in places.items()}


def _take(shard: Shard, records: Collection[object], wanted: tuple[bytes, ...]) -> None:
    for record in records:
        key: bytes = record.key or b""  # type: ignore[attr-defined]  # aiokafka's records are untyped
        value: bytes | None = record.value  # type: ignore[attr-defined]
        if key == MARKER_KEY and value is not None:
            shard.newest = msgspec.msgpack.decode(value, type=_Marker).newest
        elif key == _LAYOUT_KEY:
            shard.layout = value
        elif key.startswith(wanted):
            if value is None:
                shard.rows.pop(key.decode(), None)
            else:
                shard.rows[key.decode()] = value
