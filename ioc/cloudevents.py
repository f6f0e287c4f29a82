"""CloudEvents in Kafka's binary mode, for the product's own records."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson

from ioc.errors import InvalidRecord

__all__ = ["decode_json", "encode_json"]

Headers = tuple[tuple[str, bytes], ...]


def encode_json(
    data: dict[str, Any], *, event_id: str, event_type: str, source: str, at: datetime, subject: str = ""
) -> tuple[bytes, Headers]:
    """Returns (value, headers) of a record whose data is JSON."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": event_id,
        "ce_source": source,
        "ce_type": event_type,
        "ce_time": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "content-type": "application/json",
    }
    if subject:
        headers["ce_subject"] = subject
    return orjson.dumps(data), tuple((name, text.encode()) for name, text in headers.items())


def decode_json(event_type: str, value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> dict[str, Any]:
    """Returns the data of a record of `event_type`.

    Raises:
        InvalidRecord: another type, or not a JSON object.
    """
    found = next((raw for name, raw in headers if name == "ce_type"), b"").decode("utf-8", errors="replace")
    if found != event_type:
        raise InvalidRecord(
            "unknown_type",
            field="type",
            vi=f"Loại sự kiện {found[:100]!r} không thuộc topic này; cần {event_type}.",
            en=f"type {found[:100]!r} does not belong on this topic; expected {event_type}",
        )
    try:
        data = orjson.loads(value or b"")
    except orjson.JSONDecodeError as error:
        raise InvalidRecord("bad_json", field="data", vi="Nội dung không phải JSON.", en=f"not JSON: {error}") from None
    if not isinstance(data, dict):
        raise InvalidRecord("bad_json", field="data", vi="Nội dung phải là một đối tượng JSON.", en="not a JSON object")
    return data
