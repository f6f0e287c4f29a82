"""Dead letters: what could not be processed, why, and the original bytes. Pure."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from ioc.errors import InvalidRecord

__all__ = ["DEAD_LETTERS_TOPIC", "DEAD_LETTER_TYPE", "DeadLetter", "encode_dead_letter"]

DEAD_LETTERS_TOPIC = "ioc.dead-letters"
DEAD_LETTER_TYPE = "vn.ioc.quality.rejected.v1"
MAX_ORIGINAL_BYTES = 512 * 1024  # a larger one is fetched from its topic by offset
MAX_HEADERS = 64
MAX_HEADER_BYTES = 1024  # a dead letter must itself never be too large to write


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A record of `topic`/`partition`/`offset` that broke the contract; `index` counts inside a batched record."""

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

    @property
    def event_ref(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


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
        "ce_id": f"{letter.event_ref}/{letter.index}",
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
