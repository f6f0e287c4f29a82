"""The canary: a frame and an event of nobody, sent through the whole chain every minute to see whether it comes back.

Pure: the marks, and the records' form on the wire. On-call sends and looks (`ioc.oncall.canary`); the worker answers a
canary in the transaction that a real detection or event would be written in. Nothing of it counts in a figure, an
incident or a metric of frames, detections and events (deploy/decisions/0013-canary.md).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ioc.cloudevents import decode_json, encode_json
from ioc.errors import InvalidRecord
from ioc.frames import Frame

__all__ = [
    "ANSWERS_TOPIC",
    "BEATS_TOPIC",
    "CAMERA",
    "CELLS_PER_SIDE",
    "MAX_MARK",
    "Answer",
    "Half",
    "answer_of",
    "answer_record",
    "answer_to_beat",
    "beat_record",
    "canary_source",
    "cells_of",
    "is_canary",
    "mark_of",
]

CAMERA = "canary"
"""The reserved camera id, and the label of what its detector sees."""
BEATS_TOPIC = "ioc.canary"
"""Canary events: as many partitions as the departments' topics, read by whoever reads those."""
ANSWERS_TOPIC = "ioc.canary.answers"
BEAT_TYPE = "vn.ioc.canary.beat.v1"
ANSWER_TYPE = "vn.ioc.canary.answer.v1"

Half = Literal["frames", "events"]
Headers = tuple[tuple[str, bytes], ...]

_MARK_BITS = 32
MAX_MARK = 2**_MARK_BITS - 1
CELLS_PER_SIDE = 8
"""The picture is a square of 8 × 8 black and white cells: the mark's 32 bits, then the same bits turned round, so that
neither fog nor a real scene is ever read as a mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. `part`: the pose of a canary frame, the partition of a canary event."""

    half: Half
    part: str
    mark: int


def canary_source(province: str) -> str:
    return f"/{province}/canary"


def is_canary(frame: Frame, province: str) -> bool:
    """Whether the frame is on-call's own; a real camera of that name has another source."""
    return frame.camera_id == CAMERA and frame.source == canary_source(province)


def cells_of(mark: int) -> tuple[bool, ...]:
    """The 64 cells of a mark, row by row; True is white."""
    if not 0 <= mark <= MAX_MARK:
        raise ValueError(f"a mark has {_MARK_BITS} bits, {mark} has more")
    bits = tuple(bool(mark >> place & 1) for place in range(_MARK_BITS))
    return (*bits, *(not bit for bit in bits))


def mark_of(cells: Sequence[bool]) -> int | None:
    """The inverse of `cells_of`; None where the cells are no mark."""
    bits, turned = cells[:_MARK_BITS], cells[_MARK_BITS:]
    if len(turned) != _MARK_BITS or any(bit == other for bit, other in zip(bits, turned, strict=True)):
        return None
    return sum(bit << place for place, bit in enumerate(bits))


def beat_record(mark: int, part: str, *, province: str, at: datetime) -> tuple[bytes, Headers]:
    """Returns (value, headers) of a canary event."""
    return encode_json(
        {"mark": mark, "part": part},
        event_id=f"canary-{mark:08x}-{part}",
        event_type=BEAT_TYPE,
        source=canary_source(province),
        at=at,
    )


def answer_record(answer: Answer, *, province: str, at: datetime) -> tuple[bytes, Headers]:
    """Returns (value, headers) of the worker's answer."""
    return encode_json(
        {"half": answer.half, "part": answer.part, "mark": answer.mark},
        event_id=f"canary-{answer.half}-{answer.mark:08x}-{answer.part}",
        event_type=ANSWER_TYPE,
        source=canary_source(province),
        at=at,
    )


def answer_to_beat(value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> Answer | None:
    """The answer that a canary event asks for; None for what is none of ours: nobody else has anything to say there."""
    try:
        data = decode_json(BEAT_TYPE, value, headers)
    except InvalidRecord:
        return None
    return _answer({**data, "half": "events"})


def answer_of(value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> Answer | None:
    """The answer in a record of the answers' topic; None for what is none."""
    try:
        return _answer(decode_json(ANSWER_TYPE, value, headers))
    except InvalidRecord:
        return None


def _answer(data: dict[str, object]) -> Answer | None:
    half, part, mark = data.get("half"), data.get("part"), data.get("mark")
    if half not in ("frames", "events") or not isinstance(part, str) or len(part) > 40:
        return None
    if type(mark) is not int or not 0 <= mark <= MAX_MARK:
        return None
    return Answer(half="frames" if half == "frames" else "events", part=part, mark=mark)
