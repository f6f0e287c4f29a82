"""Slim records: every field that anybody reads is the one that aiokafka would have given."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from aiokafka.consumer import fetcher
from aiokafka.structs import TopicPartition

from streams.slim_records import SlimRecord, leave_records_raw, use_slim_records

PLACE = TopicPartition("ioc.onestop.dossiers", 3)
READ = ("topic", "partition", "offset", "timestamp", "timestamp_type", "key", "value", "headers")


class Raw:
    """What aiokafka's parser yields for one record."""

    def __init__(self, value: bytes | None) -> None:
        self.offset, self.timestamp, self.timestamp_type = 41, 1_795_000_000_000, 0
        self.key, self.value = b"HS-1", value
        self.headers = [("ce_id", b"e1"), ("ce_time", None)]
        self.checksum = None


def unpacked(value: bytes | None, *, value_deserializer: Callable[[bytes | None], object] | None = None) -> object:
    place = object.__new__(fetcher.PartitionRecords)
    place._key_deserializer, place._value_deserializer = None, value_deserializer
    return place._consumer_record(PLACE, Raw(value))


@pytest.fixture
def slim() -> Iterator[None]:
    """Slim records for one test: they are process wide."""
    before = fetcher.PartitionRecords._consumer_record, fetcher.PartitionRecords.__iter__
    use_slim_records()
    yield
    fetcher.PartitionRecords._consumer_record, fetcher.PartitionRecords.__iter__ = before


@pytest.mark.parametrize("value", [b"{}", b"", None], ids=["a value", "an empty value", "no value"])
def test_a_slim_record_says_what_the_full_one_says(slim: None, value: bytes | None) -> None:
    found = unpacked(value)
    assert isinstance(found, SlimRecord)
    fetcher.PartitionRecords._consumer_record = _original()
    full = unpacked(value)
    assert {name: getattr(found, name) for name in READ} == {name: getattr(full, name) for name in READ}


def test_a_consumer_with_deserialisers_keeps_its_full_records(slim: None) -> None:
    found = unpacked(b"12", value_deserializer=lambda raw: int(raw or b"0"))
    assert not isinstance(found, SlimRecord)
    assert found.value == 12  # type: ignore[attr-defined]  # aiokafka's ConsumerRecord


def test_what_a_consumer_leaves_raw_is_handed_out_as_parsed_and_in_order(slim: None) -> None:
    fetched = object.__new__(fetcher.PartitionRecords)
    fetched._records_iterator = iter([1, 2, 3])  # the generator of aiokafka that unpacks
    result = object.__new__(fetcher.FetchResult)
    result._partition_records = fetched
    consumer = SimpleNamespace(_fetcher=SimpleNamespace(_records={PLACE: result, "failed": object()}))
    leave_records_raw(consumer)
    raw = Raw(b"{}")
    assert fetched._consumer_record(PLACE, raw) is raw
    assert list(fetched) == [1, 2, 3]


def test_asking_twice_changes_nothing_more(slim: None) -> None:
    once = fetcher.PartitionRecords._consumer_record
    use_slim_records()
    assert fetcher.PartitionRecords._consumer_record is once


def _original() -> object:
    from streams import slim_records

    return slim_records._original
