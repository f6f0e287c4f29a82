"""Header names that are no text: their record is read with "?", its neighbours as they are, each once."""

import gzip
import random
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition

from streams import odd_headers
from streams.odd_headers import tolerate_odd_headers

PLACE = TopicPartition("ioc.onestop.dossiers", 0)
ODD_NAME = "odd-odd-odd-odd!"
BAD = b"\xff\xfe\xc3\x28\x80\xa0\xed\xa0\x80\xf8\x88\x80\x80\x80\xc0\x00"
NONE, GZIP = 0, 1
HEAD = 61
Expected = tuple[int, bytes, tuple[str, ...]]


@pytest.fixture(autouse=True)
def tolerant() -> Iterator[None]:
    """Tolerance for one test: it is process wide."""
    before = (fetcher.MemoryRecords, fetcher.PartitionRecords.__init__, fetcher.PartitionRecords._unpack_records)
    tolerate_odd_headers()
    yield
    fetcher.MemoryRecords, fetcher.PartitionRecords.__init__, fetcher.PartitionRecords._unpack_records = before


def batch(base_offset: int, names: Sequence[Sequence[str]], codec: int = NONE) -> bytes:
    """A batch with one record for each list of header names; `ODD_NAME` becomes bytes that are no UTF-8."""
    builder = DefaultRecordBatchBuilder(2, NONE, 0, -1, -1, -1, 1 << 20)
    for number, wanted in enumerate(names):
        value = b"v%d" % (base_offset + number)
        assert builder.append(number, 1, b"key", value, [(name, b"h") for name in wanted])
    whole = bytearray(builder.build())
    body = bytes(whole[HEAD:]).replace(ODD_NAME.encode(), BAD)
    if codec == GZIP:
        body = gzip.compress(body)
    whole = whole[:HEAD] + body
    struct.pack_into(">qi", whole, 0, base_offset, len(whole) - 12)
    struct.pack_into(">h", whole, 21, codec)
    struct.pack_into(">I", whole, 17, calc_crc32c(bytes(whole[21:])))
    return bytes(whole)


def read(raw: bytes, offset: int = 0) -> list[Expected]:
    records = fetcher.MemoryRecords(raw)
    partition: Any = fetcher.PartitionRecords(PLACE, records, [], offset, None, None, True, fetcher.READ_COMMITTED)
    return [(found.offset, found.value, tuple(name for name, _ in found.headers)) for found in partition]


def expected(base_offset: int, names: Sequence[Sequence[str]]) -> list[Expected]:
    shown = {ODD_NAME: "?" * len(BAD)}
    return [
        (base_offset + n, b"v%d" % (base_offset + n), tuple(shown.get(name, name) for name in wanted))
        for n, wanted in enumerate(names)
    ]


PLAIN = [["ce_id", "ce_type"], [], ["Đà Lạt"]]


@pytest.mark.parametrize("codec", [NONE, GZIP], ids=["plain", "gzip"])
@pytest.mark.parametrize("at", range(3), ids=["first", "in the middle", "last"])
def test_an_odd_name_changes_its_own_record_only(codec: int, at: int) -> None:
    names = [["ce_id", ODD_NAME, "ce_type"] if n == at else wanted for n, wanted in enumerate(PLAIN)]
    assert read(batch(10, names, codec), 10) == expected(10, names)


def test_batches_before_and_after_are_read_once_and_in_order() -> None:
    odd = [[ODD_NAME], ["ce_id"], [ODD_NAME, ODD_NAME]]
    raw = batch(0, PLAIN) + batch(3, odd, GZIP) + batch(6, PLAIN) + batch(9, odd) + batch(12, PLAIN)
    assert read(raw) == [
        *expected(0, PLAIN), *expected(3, odd), *expected(6, PLAIN), *expected(9, odd), *expected(12, PLAIN)
    ]  # fmt: skip


def test_a_position_inside_the_batch_is_kept() -> None:
    names = [["a"], [ODD_NAME], ["b"], ["c"]]
    assert read(batch(0, names), 2) == expected(0, names)[2:]


def test_text_is_read_as_aiokafka_reads_it() -> None:
    assert read(batch(0, PLAIN)) == expected(0, PLAIN)


def test_values_that_look_like_odd_names_are_left_alone() -> None:
    builder = DefaultRecordBatchBuilder(2, NONE, 0, -1, -1, -1, 1 << 20)
    assert builder.append(0, 1, BAD, BAD, [("ce_source", BAD), (ODD_NAME, None)])
    whole = bytearray(bytes(builder.build()).replace(ODD_NAME.encode(), BAD))
    struct.pack_into(">I", whole, 17, calc_crc32c(bytes(whole[21:])))
    partition: Any = fetcher.PartitionRecords(
        PLACE, fetcher.MemoryRecords(bytes(whole)), [], 0, None, None, True, fetcher.READ_COMMITTED
    )
    (found,) = list(partition)
    assert (found.key, found.value) == (BAD, BAD)
    assert list(found.headers) == [("ce_source", BAD), ("?" * len(BAD), None)]


def test_a_batch_whose_checksum_is_wrong_is_still_refused() -> None:
    whole = bytearray(batch(0, [[ODD_NAME]]))
    whole[-1] ^= 0xFF
    with pytest.raises(CorruptRecordException):
        read(bytes(whole))


def test_any_mixture_of_names_is_read_whole() -> None:
    rng = random.Random(11)
    for _ in range(30):
        names = [[rng.choice(["ce_id", ODD_NAME, "Đ"]) for _ in range(rng.randrange(4))] for _ in range(20)]
        assert read(batch(100, names, rng.choice([NONE, GZIP])), 100) == expected(100, names)


def test_asking_twice_changes_nothing_more() -> None:
    tolerate_odd_headers()
    assert odd_headers._original_unpack is not fetcher.PartitionRecords._unpack_records
    assert read(batch(0, [[ODD_NAME]])) == expected(0, [[ODD_NAME]])
