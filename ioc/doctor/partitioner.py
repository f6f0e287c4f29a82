"""By whose rule records lie on their partitions."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ioc.doctor.findings import Finding, finding
from ioc.partitioning import partitioner

__all__ = ["Placed", "blame"]

# Below it a share says little: with 4 partitions a third of misplaced records lie anywhere by chance.
_ENOUGH_TO_BLAME = 8
_CERTAIN_SHARE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A record's key, where it lies, and how many partitions there are."""

    key: bytes
    partition: int
    partitions: int


def blame(records: Sequence[Placed]) -> Finding:
    """Returns whether the records lie where murmur2 puts their keys, and else by whose rule they do.

    The worker sends a misplaced event to its own partition once more, so that the copies look right: only those that
    do not are asked whose rule they follow.
    """
    wrong = [record for record in records if partitioner(record.partitions)([record.key])[0] != record.partition]
    if not wrong:
        return finding("partitioner", count=len(records))
    name, how_vi, how_en = _ANYBODY
    if len(wrong) >= _ENOUGH_TO_BLAME:
        for rule, told in _RULES:
            hits = sum(rule(record.key, record.partitions) == record.partition for record in wrong)
            if hits >= _CERTAIN_SHARE * len(wrong):
                name, how_vi, how_en = told
                break
    return finding("wrong_partitioner", wrong=len(wrong), count=len(records), blamed=name, how_vi=how_vi, how_en=how_en)


def _crc32(key: bytes, partitions: int) -> int:
    """librdkafka's `consistent_random`."""
    return zlib.crc32(key) % partitions


def _fnv1a(key: bytes, partitions: int) -> int:
    """Sarama's and kafka-go's hash partitioner: FNV-1a as a signed number, its remainder without the sign."""
    value = 0x811C9DC5
    for octet in key:
        value = (value ^ octet) * 0x01000193 & 0xFFFFFFFF
    signed = value - (1 << 32) if value & 0x80000000 else value
    return abs(signed) % partitions


_LIBRDKAFKA = (
    "CRC32 (librdkafka)",
    "Đặt partitioner=murmur2_random (Python confluent-kafka, Go confluent, PHP, Node; "
    ".NET: Partitioner = Partitioner.Murmur2Random; kcat: -X partitioner=murmur2_random).",
    "set partitioner=murmur2_random (Python confluent-kafka, Go confluent, PHP, Node; "
    ".NET: Partitioner = Partitioner.Murmur2Random; kcat: -X partitioner=murmur2_random).",
)
_GO = (
    "FNV-1a (Go sarama, kafka-go)",
    "kafka-go: Balancer: kafka.Murmur2Balancer{}; sarama: NewCustomPartitioner với WithCustomHashFunction của murmur2; "
    "hoặc chuyển sang franz-go, vốn dùng murmur2.",
    "kafka-go: Balancer: kafka.Murmur2Balancer{}; sarama: NewCustomPartitioner with WithCustomHashFunction of murmur2; "
    "or use franz-go, whose default is murmur2.",
)
_ANYBODY = (
    "một quy tắc khác / another rule",
    "Java: bỏ partitioner.class; librdkafka: partitioner=murmur2_random; đừng tự chọn phân vùng.",
    "Java: leave partitioner.class out; librdkafka: partitioner=murmur2_random; don't choose partitions yourself.",
)
_RULES: tuple[tuple[Callable[[bytes, int], int], tuple[str, str, str]], ...] = ((_crc32, _LIBRDKAFKA), (_fnv1a, _GO))
