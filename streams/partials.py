"""Partials on the wire (`ioc.kpi.partials`, compacted): one key for each cell and source partition."""

from collections.abc import Mapping
from typing import NamedTuple, TypedDict

import msgspec

from ioc.kpis import GRAINS as _GRAINS
from ioc.kpis import Bag, Cell, CellKey, Partial, Sum

__all__ = ["Complete", "Gone", "decode_message", "encode_complete", "encode_gone", "encode_partial"]


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


class _SumValue(msgspec.Struct, array_like=True, tag=0):
    epoch: int
    version: int
    numerator: int | float
    denominator: int | float
    manual: int


class _BagValue(msgspec.Struct, array_like=True, tag=1):
    epoch: int
    version: int
    numerator: dict[int | str, int]
    denominator: dict[int | str, int]


class _CompleteValue(msgspec.Struct, array_like=True):
    epoch: int
    newest: dict[str, int]


_encode = msgspec.msgpack.Encoder().encode
_decode_key = msgspec.msgpack.Decoder(list[str | int]).decode
_decode_value = msgspec.msgpack.Decoder(_SumValue | _BagValue).decode
_decode_complete = msgspec.msgpack.Decoder(_CompleteValue).decode


def encode_partial(key: CellKey, cell: Cell, *, partition: int, epoch: int, version: int) -> _KeyValue:
    value = (
        _SumValue(epoch, version, cell.numerator, cell.denominator, cell.manual)
        if isinstance(cell, Sum)
        else _BagValue(epoch, version, cell.numerator, cell.denominator)
    )
    return {"key": _key(key, partition), "value": _encode(value)}


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
        case [str(kpi), int(part), str(group), str(dim), int(grain), int(bucket), int(partition)]:
            cell_key = CellKey(kpi, part, group, dim, _GRAINS[grain], bucket)
            if value is None:
                return Gone(cell_key, partition)
            return Partial(cell_key, partition, *_cell(value))
    return None


def _cell(value: bytes) -> tuple[int, int, Cell]:
    """Returns epoch, version and cell."""
    found = _decode_value(value)
    if isinstance(found, _SumValue):
        return found.epoch, found.version, Sum(found.numerator, found.denominator, found.manual)
    return found.epoch, found.version, Bag(found.numerator, found.denominator)


def _key(key: CellKey, partition: int) -> bytes:
    return _encode([*key[:4], _GRAINS.index(key.grain), key.bucket, partition])
