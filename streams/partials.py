"""Partials on the wire (`ioc.kpi.partials`, compacted): one key for each (KPI, group, grain, bucket, partition)."""

from collections.abc import Mapping
from typing import NamedTuple, TypedDict

import msgspec

from ioc.kpis import Cell, CellKey, Partial
from ioc.windows import Grain

__all__ = ["Complete", "Gone", "decode_message", "encode_complete", "encode_gone", "encode_partial"]

_GRAINS: tuple[Grain, ...] = ("now", "minute", "day")


class _KeyValue(TypedDict):
    key: bytes
    value: bytes | None


class Gone(NamedTuple):
    """A cell that its owner dropped for good."""

    key: CellKey
    partition: int


class Complete(NamedTuple):
    """Every cell of a partition has been told by this owner; `newest` is the newest fact's µs by event type."""

    partition: int
    epoch: int
    newest: dict[str, int]


class _Value(msgspec.Struct, array_like=True):
    epoch: int
    version: int
    numerator: int | float
    denominator: int | float


class _CompleteValue(msgspec.Struct, array_like=True):
    epoch: int
    newest: dict[str, int]


_encode = msgspec.msgpack.Encoder().encode
_decode_key = msgspec.msgpack.Decoder(list[str | int]).decode
_decode_value = msgspec.msgpack.Decoder(_Value).decode
_decode_complete = msgspec.msgpack.Decoder(_CompleteValue).decode


def encode_partial(key: CellKey, cell: Cell, *, partition: int, epoch: int, version: int) -> _KeyValue:
    return {"key": _key(key, partition), "value": _encode(_Value(epoch, version, cell.numerator, cell.denominator))}


def encode_gone(key: CellKey, *, partition: int) -> _KeyValue:
    return {"key": _key(key, partition), "value": None}


def encode_complete(*, partition: int, epoch: int, newest: Mapping[str, int]) -> _KeyValue:
    return {"key": _encode([partition]), "value": _encode(_CompleteValue(epoch, dict(newest)))}


def decode_message(key: bytes | None, value: bytes | None) -> Partial | Gone | Complete | None:
    """Returns what a record says, or None for one that says nothing.

    Raises:
        msgspec.DecodeError: the record is not one of ours.
    """
    parts = _decode_key(key or b"\x90")
    match parts:
        case [int(partition)]:
            if value is None:
                return None
            complete = _decode_complete(value)
            return Complete(partition, complete.epoch, complete.newest)
        case [str(kpi), str(group), int(grain), int(bucket), int(partition)]:
            cell_key = CellKey(kpi, group, _GRAINS[grain], bucket)
            if value is None:
                return Gone(cell_key, partition)
            found = _decode_value(value)
            return Partial(cell_key, partition, found.epoch, found.version, Cell(found.numerator, found.denominator))
    return None


def _key(key: CellKey, partition: int) -> bytes:
    return _encode([key.kpi, key.group, _GRAINS.index(key.grain), key.bucket, partition])
