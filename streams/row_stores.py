"""Where the rows of a shard lie between events: in memory, or in RocksDB on the worker's disk.

Kafka's changelog is the truth. A store only has to know up to which offset of it (`place`) it is complete: whoever
opens it reads the rest again. So a lost, old or broken store costs time, never a figure.

A shard sets and removes rows when it prepares a write, and nowhere else; the keeper calls `commit` once Kafka has them.
Keys are non-empty and don't begin with a NUL: such keys are the log's and the store's own.
"""

import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, Protocol

from rocksdict import BlockBasedOptions, Cache, DBCompressionType, Options, Rdict, WriteBatch

from ioc.errors import ConfigurationError, TransientError

__all__ = ["MemoryRows", "RocksRows", "RowStore", "StoreBusy", "StoreName", "make_store_factory"]

logger = logging.getLogger(__name__)

StoreName = Literal["memory", "rocksdb"]


class RowStore(Protocol):
    """Rows by key. What was set since the last `commit` is seen by every reader, and is gone after a crash."""

    @property
    def place(self) -> int:
        """Offset of the changelog before which the store lacks nothing; 0: it holds nothing."""
        ...

    @property
    def marker(self) -> bytes | None:
        """The marker of the last commit: the record of the changelog just before `place`."""
        ...

    def get(self, key: str, /) -> bytes | None: ...
    def __setitem__(self, key: str, data: bytes, /) -> None: ...
    def pop(self, key: str, default: None, /) -> bytes | None: ...
    def __contains__(self, key: object, /) -> bool: ...
    def __len__(self) -> int: ...
    def items(self) -> "_Items": ...
    def spill(self) -> None:
        """Lets go of memory while a restore goes on: rows set so far may go to disk; place and marker stay."""

    def commit(self, place: int, marker: bytes) -> None:
        """Makes everything set so far, the place and the marker durable together (as far as the store is)."""

    def clear(self) -> None:
        """Forgets every row, the place and the marker, on disk too."""

    def close(self) -> None: ...


class _Items(Protocol):
    def __iter__(self) -> Iterator[tuple[str, bytes]]: ...


class StoreBusy(TransientError):
    """Another process has the store open."""


class MemoryRows(dict[str, bytes]):
    """Rows in a dict. Nothing survives the process: every start reads the whole changelog.

    Reading and setting are the dict's own, at the speed of C.
    """

    place: int = 0
    marker: bytes | None = None

    def spill(self) -> None:
        pass

    def commit(self, place: int, marker: bytes) -> None:
        self.place, self.marker = place, marker

    def clear(self) -> None:
        super().clear()
        self.place, self.marker = 0, None

    def close(self) -> None:
        pass


_PLACE_KEY = b"\x00place"
_FIRST_ROW = b"\x01"
_PLACE_BYTES = 8
_ABSENT = object()
_LOCKED = ("lock hold by current process", "While lock file")  # RocksDB's words; it gives no code for it

# A row is 150-500 bytes, and a shard changes some thousands of them a second. A store takes at most 3 write buffers;
# all stores of a worker share one cache, which holds their indexes and filters too.
_WRITE_BUFFER_BYTES = 8 * 1024 * 1024
_CACHE_BYTES = 64 * 1024 * 1024
_BLOOM_BITS = 10  # of ten new entities, nine and more are known to be new without a look at the disk
_OPEN_FILES = 128


class RocksRows:
    """Rows in RocksDB, and those not yet committed in memory.

    A commit is one batch of RocksDB: after any crash rows and place are those of one commit. Its own log (WAL) is
    written and never synced: a killed process loses nothing, a power cut the last commits; Kafka has them.

    Raises:
        StoreBusy: another process has the folder open.
        ConfigurationError: the folder can't be used.
        TransientError: a later read or write failed.
    """

    def __init__(self, folder: Path, *, cache: Cache | None = None) -> None:
        self._folder, self._cache = folder, cache or Cache(_CACHE_BYTES)
        self._changes: dict[str, bytes | None] = {}  # None: removed
        self._on_disk: dict[str, bool] = {}  # which of the rows asked for since then are on disk, for the count
        self._count: int | None = None  # counted when first asked for
        self.place = 0
        self.marker: bytes | None = None
        self._open()

    # ---- rows ------------------------------------------------------------------------------------------------------

    def get(self, key: str, /) -> bytes | None:
        found = self._changes.get(key, _ABSENT)
        if found is _ABSENT:
            found = self._read(key)
            self._on_disk[key] = found is not None
        return found  # type: ignore[return-value]  # not _ABSENT

    def __contains__(self, key: object, /) -> bool:
        if not isinstance(key, str):
            return False
        if key in self._changes or key not in self._on_disk:
            return self.get(key) is not None
        return self._on_disk[key]

    def __setitem__(self, key: str, data: bytes, /) -> None:
        if self._count is not None and key not in self:
            self._count += 1
        self._changes[key] = data

    def pop(self, key: str, default: None = None, /) -> bytes | None:
        found = self.get(key)
        if found is None:
            return default
        if self._count is not None:
            self._count -= 1
        self._changes[key] = None
        return found

    def __len__(self) -> int:
        if self._count is None:
            self._count = sum(1 for _ in self.items())
        return self._count

    def items(self) -> Iterator[tuple[str, bytes]]:
        """Every row once, in no order that means anything. Don't change rows meanwhile."""
        changes = self._changes
        for raw_key, data in self._db.items(from_key=_FIRST_ROW):
            key = raw_key.decode()  # type: ignore[union-attr]  # raw mode: bytes
            if key not in changes:
                yield key, data
        for key, change in changes.items():
            if change is not None:
                yield key, change

    # ---- life ------------------------------------------------------------------------------------------------------

    def spill(self) -> None:
        self._write(self._batch())

    def commit(self, place: int, marker: bytes) -> None:
        batch = self._batch()
        batch[_PLACE_KEY] = place.to_bytes(_PLACE_BYTES, "big") + marker
        self._write(batch)
        self.place, self.marker = place, marker

    def clear(self) -> None:
        self._db.close()
        shutil.rmtree(self._folder)
        self._changes, self._on_disk, self._count = {}, {}, None
        self._open()

    def close(self) -> None:
        self._changes.clear()
        self._db.close()

    def _open(self) -> None:
        self._db = _database(self._folder, self._cache)
        known = self._db.get(_PLACE_KEY)
        self.place = int.from_bytes(known[:_PLACE_BYTES], "big") if known else 0
        self.marker = known[_PLACE_BYTES:] if known else None

    def _read(self, key: str) -> bytes | None:
        try:
            return self._db.get(key.encode())
        except Exception as error:  # rocksdict raises nothing narrower
            self._distrust()
            raise TransientError(f"{self._folder}: a row can't be read: {error}; it is read from Kafka anew") from error

    def _batch(self) -> WriteBatch:
        batch = WriteBatch(raw_mode=True)
        for key, data in self._changes.items():
            if data is None:
                batch.delete(key.encode())
            else:
                batch[key.encode()] = data
        return batch

    def _write(self, batch: WriteBatch) -> None:
        try:
            self._db.write(batch)
        except Exception as error:  # rocksdict raises nothing narrower
            raise TransientError(
                f"{self._folder}: rows can't be written: {error}; make room, or check the disk"
            ) from error
        self._changes, self._on_disk = {}, {}

    def _distrust(self) -> None:
        """The next open finds no place, and so reads everything from Kafka."""
        try:
            self._db.delete(_PLACE_KEY)
        except Exception as error:  # rocksdict raises nothing narrower
            logger.warning("%s: %s", self._folder, error)


def make_store_factory(kind: StoreName, folder: Path) -> Callable[[int], RowStore]:
    """Returns what makes the store of a partition; `folder` holds one folder a partition (`rocksdb` only).

    One folder belongs to one state topic of one worker: its stores share a cache of 64 MiB.
    """
    if kind == "memory":
        return lambda partition: MemoryRows()
    if kind == "rocksdb":
        cache = Cache(_CACHE_BYTES)
        return lambda partition: RocksRows(folder / str(partition), cache=cache)
    raise ConfigurationError(f"IOC_STORE={kind!r}: write memory or rocksdb")


class _Broken(TransientError):
    """What lies in the folder is no whole database."""


def _database(folder: Path, cache: Cache) -> Rdict:
    """An open database; what is broken is thrown away: Kafka has it."""
    try:
        return _open_database(folder, cache)
    except _Broken as error:
        logger.warning("%s; they are read from Kafka anew", error)
        shutil.rmtree(folder)
        return _open_database(folder, cache)


def _open_database(folder: Path, cache: Cache) -> Rdict:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return Rdict(str(folder), _options(cache))
    except OSError as error:
        raise ConfigurationError(f"{folder}: can't make the folder of the rows: {error}; check IOC_STATE") from error
    except Exception as error:  # rocksdict raises nothing narrower
        reason = str(error)
    if any(words in reason for words in _LOCKED):
        raise StoreBusy(f"{folder}: another worker uses these rows; give every worker an IOC_STATE of its own")
    if reason.startswith("IO error") and "No such file" not in reason:
        raise ConfigurationError(f"{folder}: can't open the rows: {reason}; check the disk of IOC_STATE")
    raise _Broken(f"{folder}: the rows on disk are broken: {reason}")


def _options(cache: Cache) -> Options:
    blocks = BlockBasedOptions()
    blocks.set_block_cache(cache)
    blocks.set_bloom_filter(_BLOOM_BITS, block_based=False)
    blocks.set_cache_index_and_filter_blocks(True)
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(True)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(blocks)
    options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    options.set_max_write_buffer_number(3)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_level_compaction_dynamic_level_bytes(True)
    options.set_max_background_jobs(2)
    options.set_max_open_files(_OPEN_FILES)
    options.set_keep_log_file_num(2)
    options.set_max_log_file_size(1024 * 1024)
    return options
