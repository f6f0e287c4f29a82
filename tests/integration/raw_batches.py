"""Record batches that other clients write and aiokafka's producer can't: other codecs, odd header names."""

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType

from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c

from tests.integration.running import Record

__all__ = ["CODECS", "send_as_it_is", "send_compressed", "send_with_header_name"]

_HEAD = 61  # bytes of a version 2 batch before its records
_LENGTH_AT, _CRC_AT, _ATTRIBUTES_AT = 8, 17, 21
_PLACEHOLDER = "0123456789abcdef"


def _varint(number: int) -> bytes:
    found = b""
    while number > 0x7F:
        found += bytes([number & 0x7F | 0x80])
        number >>= 7
    return found + bytes([number])


def _snappy(data: bytes) -> bytes:
    """Literals only, in the framing of Java's snappy stream."""
    block = _varint(len(data))
    for start in range(0, len(data), 60):
        chunk = data[start : start + 60]
        block += bytes([(len(chunk) - 1) << 2]) + chunk
    return b"\x82SNAPPY\x00" + struct.pack(">iii", 1, 1, len(block)) + block


def _lz4(data: bytes) -> bytes:
    """One uncompressed block in an LZ4 frame; 0x82 is the checksum of the two descriptor bytes."""
    return b"\x04\x22\x4d\x18\x60\x40\x82" + struct.pack("<I", len(data) | 0x80000000) + data + b"\0\0\0\0"


def _zstd(data: bytes) -> bytes:
    """One raw block in a single-segment frame."""
    return b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", len(data)) + (len(data) << 3 | 1).to_bytes(3, "little") + data


CODECS: Mapping[str, tuple[int, Callable[[bytes], bytes]]] = MappingProxyType(
    {"snappy": (2, _snappy), "lz4": (3, _lz4), "zstd": (4, _zstd)}
)
"""Kafka's number and an encoder (that compresses nothing, which each format allows) by name."""


async def send_as_it_is(broker: str, record: Record, partition: int) -> int:
    """Sends one record, also one with neither key nor value; returns its offset."""
    return await _send(broker, record, partition, lambda records: records)


async def send_compressed(broker: str, record: Record, partition: int, codec: str) -> int:
    """Sends one record as a batch compressed with `codec`; returns its offset."""
    number, encode = CODECS[codec]
    return await _send(broker, record, partition, lambda records: encode(records), attributes=number)


async def send_with_header_name(broker: str, record: Record, partition: int, name: bytes) -> int:
    """Sends one record with a further header whose name is `name` (16 bytes, any); returns its offset."""
    assert len(name) == len(_PLACEHOLDER)
    with_header = Record(
        topic=record.topic, key=record.key, value=record.value, headers=[*record.headers, (_PLACEHOLDER, b"x")]
    )
    return await _send(broker, with_header, partition, lambda records: records.replace(_PLACEHOLDER.encode(), name))


async def _send(
    broker: str, record: Record, partition: int, change: Callable[[bytes], bytes], *, attributes: int = 0
) -> int:
    async with AIOKafkaProducer(bootstrap_servers=broker, enable_idempotence=False) as producer:
        batch = producer.create_batch()
        batch.append(key=record.key, value=record.value, timestamp=None, headers=list(record.headers))
        batch.close()
        built = bytes(batch._build())
        whole = bytearray(built[:_HEAD] + change(built[_HEAD:]))
        struct.pack_into(">i", whole, _LENGTH_AT, len(whole) - _LENGTH_AT - 4)
        struct.pack_into(">h", whole, _ATTRIBUTES_AT, attributes)
        struct.pack_into(">I", whole, _CRC_AT, calc_crc32c(bytes(whole[_ATTRIBUTES_AT:])))
        batch._buffer = bytes(whole)
        receipt = await (await producer.send_batch(batch, record.topic, partition=partition))
        offset: int = receipt.offset
        return offset
