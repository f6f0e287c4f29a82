"""Dead letters: what could not be processed, why, and the original bytes; and the marks of those sent again. Pure."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Self

import msgspec
import orjson

from ioc.errors import InvalidRecord

__all__ = [
    "DEAD_LETTERS_TOPIC",
    "DEAD_LETTER_TYPE",
    "RETRIED_TOPIC",
    "DeadLetter",
    "Record",
    "RetryMark",
    "StoredLetter",
    "encode_dead_letter",
    "letter_id",
]

DEAD_LETTERS_TOPIC = "ioc.dead-letters"
DEAD_LETTER_TYPE = "vn.ioc.quality.rejected.v1"
RETRIED_TOPIC = "ioc.dead-letters.retried"
"""Marks of letters sent again; a topic of its own, because whoever recounts counts what the other one holds."""
MAX_ORIGINAL_BYTES = 512 * 1024  # a larger one is fetched from its topic by offset
MAX_HEADERS = 64
MAX_HEADER_BYTES = 1024  # a dead letter must itself never be too large to write

Record = tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]
"""(key, value, headers)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A record of `topic`/`partition`/`offset` that broke the contract; `index` counts inside a batched record.

    What never reached Kafka (the gateway refused it) has partition -1 and names itself by `ref`.
    """

    error: InvalidRecord
    source: str
    topic: str
    partition: int
    offset: int
    index: int
    at: datetime
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    original: bytes | None
    ref: str = ""

    @property
    def event_ref(self) -> str:
        return self.ref or f"{self.topic}/{self.partition}/{self.offset}"


class StoredLetter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One refused event: the JSON value of a record of `ioc.dead-letters`, with base64 already decoded.

    `topic`, `partition`, `offset` (together `event_ref`) say where the original record lies, `index` which event of a
    batched record it was. Partition -1: the gateway refused it, Kafka never had it. `original` is None where it was
    not kept.
    """

    source: str
    topic: str
    partition: int
    offset: int
    reason: str
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    event_ref: str
    index: int = 0
    field: str = ""
    message_vi: str = ""
    message_en: str = ""
    key: bytes | None = None
    headers: list[tuple[str, bytes | None]] = []
    original: bytes | None = None
    original_bytes: int = 0

    @classmethod
    def decode(cls, value: bytes | None) -> Self | None:
        """Returns the dead letter of a record's value; None where it is none."""
        try:
            return msgspec.json.decode(value or b"", type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None

    @property
    def id(self) -> str:
        return letter_id(self.event_ref, self.index)

    @property
    def place(self) -> str:
        """What people name it by: the record, and the event's number within a batched one."""
        return f"{self.event_ref}#{self.index}" if self.index else self.event_ref

    @property
    def is_of_gateway(self) -> bool:
        return self.partition < 0

    def whole_copy(self) -> Record | None:
        """The record as it was; None where the letter keeps less than that."""
        is_cut = len(self.headers) >= MAX_HEADERS or any(
            max(len(name), len(value or b"")) >= MAX_HEADER_BYTES for name, value in self.headers
        )
        return None if self.original is None or is_cut else (self.key, self.original, self.headers)

    def as_json(self, *, is_whole: bool = False) -> dict[str, object]:
        """For `--json`: names of the record; the original and its headers only where `is_whole`, in base64."""
        data: dict[str, object] = {
            name: getattr(self, name)
            for name in (
                "event_ref", "index", "topic", "partition", "offset", "source", "reason", "field", "message_vi",
                "message_en", "original_bytes",
            )
        }  # fmt: skip
        data["at"] = self.at.isoformat()
        if is_whole:
            data["key"] = _base64(self.key)
            data["headers"] = [[name, _base64(header)] for name, header in self.headers]
            data["original"] = _base64(self.original)
        return data


class RetryMark(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Says that the refused event `letter` (a `letter_id`) was sent again, when, and as which record."""

    letter: str
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    sent_to: str

    @classmethod
    def decode(cls, value: bytes | None) -> Self | None:
        """Returns the mark of a record's value; None where it is none."""
        try:
            return msgspec.json.decode(value or b"", type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None

    def encode(self) -> tuple[bytes, bytes]:
        """Returns (key, value) of its record."""
        return self.letter.encode(), msgspec.json.encode(self)


def letter_id(event_ref: str, index: int) -> str:
    """The CloudEvents id of a dead letter: the same for the same refused event."""
    return f"{event_ref}/{index}"


def encode_dead_letter(letter: DeadLetter, *, province: str) -> tuple[bytes, bytes, tuple[tuple[str, bytes], ...]]:
    """Returns (key, value, headers) of the record: CloudEvents binary mode, the same id for the same original."""
    at = letter.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    original = letter.original
    body = {
        "source": letter.source or "unknown",
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "index": letter.index,
        "reason": letter.error.reason,
        "field": letter.error.field,
        "message_vi": letter.error.vi,
        "message_en": letter.error.en,
        "at": at,
        "event_ref": letter.event_ref,
        "key": _base64(letter.key),
        "headers": _header_list(letter.headers),
        "original": _base64(original) if original is not None and len(original) <= MAX_ORIGINAL_BYTES else None,
        "original_bytes": len(original or b""),
    }
    headers = {
        "ce_specversion": "1.0",
        "ce_id": letter_id(letter.event_ref, letter.index),
        "ce_source": f"/{province}/dead-letters",
        "ce_type": DEAD_LETTER_TYPE,
        "ce_time": at,
        "content-type": "application/json",
    }
    key = (letter.source or "unknown").encode()
    return key, orjson.dumps(body), tuple((name, text.encode()) for name, text in headers.items())


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode("ascii")


def _header_list(headers: Iterable[tuple[str, bytes]]) -> list[list[str | None]]:
    return [
        [name[:MAX_HEADER_BYTES], _base64((value or b"")[:MAX_HEADER_BYTES])]
        for name, value in [*headers][:MAX_HEADERS]
    ]
