"""aiokafka's records as named tuples, or as they come.

aiokafka 0.14 builds an 11-field dataclass for every record; a tuple with the same fields takes a quarter of the time,
and the parser's own record (`.offset .timestamp .key .value .headers`, without topic and partition) none at all.
Overridden, process wide: `PartitionRecords._consumer_record` and `__iter__`, which went through one more Python call
for each record. Records of consumers with deserialisers are still made the old way.
"""

from typing import Any, NamedTuple

from aiokafka.consumer import fetcher

__all__ = ["SlimRecord", "leave_records_raw", "use_slim_records"]


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
    if _is_raw(self):
        return record
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


def _is_raw(records: Any) -> bool:
    return getattr(records, "is_raw", False)


def _iterate(self: Any) -> Any:
    return self._records_iterator if _is_raw(self) else self


def leave_records_raw(consumer: Any) -> None:
    """What this consumer has fetched so far is handed out as the parser made it, once `use_slim_records` was called."""
    for result in consumer._fetcher._records.values():
        if isinstance(result, fetcher.FetchResult) and result._partition_records is not None:
            result._partition_records.is_raw = True


def use_slim_records() -> None:
    """Makes every aiokafka consumer of this process hand out slim records; calling it again changes nothing."""
    fetcher.PartitionRecords._consumer_record = _slim
    fetcher.PartitionRecords.__iter__ = _iterate
