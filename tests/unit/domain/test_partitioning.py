"""Keys land where Kafka's own clients put them."""

import random

import pytest
from aiokafka.partitioner import DefaultPartitioner, murmur2
from hypothesis import given
from hypothesis import strategies as st

from ioc.partitioning import partitioner

_default = DefaultPartitioner()


def expected(keys: list[bytes], partitions: int) -> list[int]:
    every = list(range(partitions))
    return [_default(key, every, every) for key in keys]


@given(keys=st.lists(st.binary(max_size=70), max_size=40), partitions=st.integers(1, 200))
def test_every_key_gets_the_partition_of_aiokafkas_partitioner(keys: list[bytes], partitions: int) -> None:
    assert partitioner(partitions)(keys) == expected(keys, partitions)


@pytest.mark.parametrize("length", range(10), ids=lambda n: f"{n} bytes")
def test_every_remainder_of_the_last_word_is_hashed_as_it_should_be(length: int) -> None:
    rng = random.Random(length)
    keys = [rng.randbytes(length) for _ in range(50)]
    assert partitioner(16)(keys) == expected(keys, 16)


def test_keys_of_mixed_lengths_come_back_in_their_order() -> None:
    rng = random.Random(5)
    keys = [rng.randbytes(rng.randrange(30)) for _ in range(2_000)]
    assert partitioner(4)(keys) == expected(keys, 4)


def test_no_keys_are_no_partitions() -> None:
    assert partitioner(4)([]) == []


@pytest.mark.parametrize(
    ("key", "hashed"),
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536), (b"abc", 479470107)],
    ids=["2 bytes", "6 bytes", "24 bytes", "3 bytes"],
)
def test_the_hashes_of_kafkas_own_tests(key: bytes, hashed: int) -> None:
    """From Kafka's UtilsTest.testMurmur2."""
    assert murmur2(key) == hashed & 0xFFFFFFFF
    assert partitioner(1_000)([key]) == [(hashed & 0x7FFFFFFF) % 1_000]


def test_text_in_vietnamese_is_a_key_like_any_other() -> None:
    keys = ["Đỉnh Lang Biang".encode(), "Hồ Xuân Hương".encode(), "\U0001f525".encode()]
    assert partitioner(7)(keys) == expected(keys, 7)
