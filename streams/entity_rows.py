"""The state rows of every shard, read from outside: a plain reader that joins no group and fences nobody."""

from collections.abc import Collection
from dataclasses import dataclass, field

import msgspec

from ioc.adapters.topic_reading import Advance, read_to_end
from ioc.catalog.model import ENTITY_ROWS_TOPIC
from ioc.event_reading import KEY_SEPARATOR
from streams.row_layout import LAYOUT_KEY
from streams.shard_log import MARKER_KEY
from streams.shard_marker import ShardMarker

__all__ = ["Shard", "read_shards"]

_LAYOUT_KEY = LAYOUT_KEY.encode()


@dataclass(slots=True)
class Shard:
    """`rows`: state rows as they lie in the changelog, by key (`entity␟id`), of the wanted entities only. `newest`: the
    newest fact's time in µs by event type. `layout`: how the rows' facts are laid out, see `streams.row_layout`; None:
    not said."""

    rows: dict[str, bytes] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)
    layout: bytes | None = None


async def read_shards(broker: str, entities: Collection[str], advance: Advance) -> dict[int, Shard]:
    """Returns the shards by partition, as they were committed when it was called.

    Raises:
        TransientError: no broker, or it stopped answering. PermanentError: no such topic, or no right to read it.
    """
    wanted = tuple(f"{entity}{KEY_SEPARATOR}".encode() for entity in entities)
    missing = ": no worker has counted anything yet; start one with: ioc worker"
    shards: dict[int, Shard] = {}
    async for partition, records in read_to_end(
        broker, ENTITY_ROWS_TOPIC, client_id="ioc-kpi-explain", missing=missing, advance=advance
    ):
        _take(shards.setdefault(partition, Shard()), records, wanted)
    return shards


def _take(shard: Shard, records: Collection[object], wanted: tuple[bytes, ...]) -> None:
    for record in records:
        key: bytes = record.key or b""  # type: ignore[attr-defined]  # aiokafka's records are untyped
        value: bytes | None = record.value  # type: ignore[attr-defined]
        if key == MARKER_KEY and value is not None:
            shard.newest = msgspec.msgpack.decode(value, type=ShardMarker).newest
        elif key == _LAYOUT_KEY:
            shard.layout = value
        elif key.startswith(wanted):
            if value is None:
                shard.rows.pop(key.decode(), None)
            else:
                shard.rows[key.decode()] = value
