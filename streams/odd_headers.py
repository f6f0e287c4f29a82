"""Records whose header names are not UTF-8.

aiokafka 0.14 decodes header names while it unpacks a fetched batch; one that is not UTF-8 raises there, and again at
every fetch: a single broken publisher would stop the worker for ever. Here such a batch is unpacked again with the bad
names' bytes replaced by "?", so its record costs a dead letter at most and its neighbours nothing.

Overridden, process wide: `PartitionRecords.__init__` and `_unpack_records`, and the fetcher's `MemoryRecords`.
"""

import logging
from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy
from aiokafka.record.util import decode_varint_py

__all__ = ["repaired", "tolerate_odd_headers"]

logger = logging.getLogger(__name__)

_original_init = fetcher.PartitionRecords.__init__
_original_unpack = fetcher.PartitionRecords._unpack_records


def tolerate_odd_headers() -> None:
    """Makes every aiokafka consumer of this process survive such records; calling it again changes nothing."""
    fetcher.MemoryRecords = _KeptRecords
    fetcher.PartitionRecords.__init__ = _init
    fetcher.PartitionRecords._unpack_records = _unpack


class _KeptRecords:
    """aiokafka's fast records, and the bytes they were made from."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        inner: Any = MemoryRecords(raw)
        self.has_next, self.next_batch, self.size_in_bytes = inner.has_next, inner.next_batch, inner.size_in_bytes


class _RepairedBatch(_DefaultRecordBatchPy):  # type: ignore[misc]  # aiokafka's own class, untyped to us
    _buffer: bytearray

    def _maybe_uncompress(self) -> None:
        was_packed = not self._decompressed
        super()._maybe_uncompress()
        if was_packed:
            self._buffer = repaired(self._buffer, self._pos, self._num_records)


class _RepairedRecords(_MemoryRecordsPy):  # type: ignore[misc]
    def next_batch(self, *args: Any) -> Any:
        batch = self._next_slice
        self._cache_next()
        return _RepairedBatch(batch)


def _init(self: Any, tp: Any, records: Any, aborted_transactions: Any, *args: Any) -> None:
    self.all_aborted = sorted(aborted_transactions or [], key=lambda aborted: aborted[1])
    _original_init(self, tp, records, aborted_transactions, *args)


def _unpack(self: Any) -> Iterator[Any]:
    try:
        yield from _original_unpack(self)
    except (UnicodeDecodeError, CorruptRecordException) as error:
        is_header = isinstance(error, UnicodeDecodeError) or isinstance(error.__cause__, UnicodeDecodeError)
        if not is_header or not isinstance(self._records, _KeptRecords):
            raise
        logger.warning("%s at offset %d or later: a header name is not UTF-8", self._tp, self.next_fetch_offset)
        # From the first batch again: what was handed out already is passed over by its offset.
        self._records = _RepairedRecords(self._records.raw)
        self._aborted_transactions, self._aborted_producers = list(self.all_aborted), set()
        yield from _original_unpack(self)


def repaired(data: bytearray, position: int, records: int) -> bytearray:
    """Returns the records of a batch (Kafka's record format v2) with the bytes of bad header names replaced by "?".

    `position` is where the first of `records` begins.
    """
    fixed = bytearray(data)
    for _ in range(records):
        length, position = decode_varint_py(fixed, position)
        end = position + length
        place = position
        for _field in ("attributes", "timestamp delta", "offset delta"):
            _, place = decode_varint_py(fixed, place)
        for _field in ("key", "value"):
            place = _after_bytes(fixed, place)
        headers, place = decode_varint_py(fixed, place)
        for _header in range(headers):
            size, place = decode_varint_py(fixed, place)
            name = bytes(fixed[place : place + size])
            if not _is_utf8(name):
                fixed[place : place + size] = b"?" * size
            place = _after_bytes(fixed, place + size)
        position = end
    return fixed


def _after_bytes(data: bytearray, place: int) -> int:
    size, after = decode_varint_py(data, place)
    return int(after) + max(0, int(size))


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
