"""aiokafka's records as named tuples.

aiokafka 0.14 builds an 11-field dataclass for every record; a tuple with the same fields takes a quarter of
the time. Overridden: `PartitionRecords._consumer_record`, process wide; records of consumers with deserialisers are
still made the old way.
"""

from typing import Any, NamedTuple

from aiokafka.consumer import fetcher

__all__ = ["SlimRecord", "use_slim_records"]


class SlimRecord(NamedTuple):
    """The fields of `aiokafka.structs.ConsumerRecord`; checksum and sizes, which nobody reads, are not filled."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    checksum: int | None
    serialized_key_size: int
    serialized_value_size: int
    headers: tuple[tuple[str, bytes], ...]


_original = fetcher.PartitionRecords._consumer_record
_new = tuple.__new__


def _slim(self: Any, tp: Any, record: Any) -> Any:
    if self._key_deserializer or self._value_deserializer:
        return _original(self, tp, record)
    return _new(
        SlimRecord,
        (
            tp.topic,
            tp.partition,
            record.offset,
            record.timestamp,
            record.timestamp_type,
            record.key,
            record.value,
            None,
            -1,
            -1,
            tuple(record.headers),
        ),
    )


def use_slim_records() -> None:
    """Makes every aiokafka consumer of this process hand out slim records; calling it again changes nothing."""
    fetcher.PartitionRecords._consumer_record = _slim
