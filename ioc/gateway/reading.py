"""From a request's headers and body to events in structured mode. Pure."""

import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import unquote

import msgspec
import orjson

from ioc.errors import InvalidRecord
from ioc.gateway.problems import Problem
from ioc.rejections import bad_json

__all__ = ["MAX_BATCH_EVENTS", "Mode", "events_of_batch", "mode_of", "structured_of"]

Mode = Literal["single", "binary", "batch", "lines", "json"]
"""`json`: an event or a list of them, which the first sign of the body tells."""

MAX_BATCH_EVENTS = 10_000
_MODES: Mapping[bytes, Mode] = {
    b"application/cloudevents+json": "single",
    b"application/cloudevents-batch+json": "batch",
    b"application/x-ndjson": "lines",
    b"application/ndjson": "lines",
    b"application/jsonl": "lines",
    b"application/json": "json",
}
_PREFIX = b"ce-"
_ATTRIBUTE = re.compile(rb"[a-z0-9]{1,50}")
_NOT_ATTRIBUTES = (b"data", b"datacontenttype")
_decode_batch = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_raw = msgspec.json.Decoder(msgspec.Raw).decode


def mode_of(headers: Mapping[bytes, bytes]) -> Mode:
    """Returns how the events are written (CloudEvents 1.0, HTTP protocol binding, 3).

    Raises:
        Problem: 415, a content type that holds no events.
    """
    content_type = headers.get(b"content-type", b"")
    kind = content_type.partition(b";")[0].strip().lower()
    mode = _MODES.get(kind)
    is_json = kind.endswith(b"json") and mode in (None, "json")
    if (is_json or not kind) and any(name.startswith(_PREFIX) for name in headers):
        return "binary"
    if mode is None:
        raise Problem(
            415,
            "bad_content_type",
            field="content-type",
            vi="Content-Type phải là application/cloudevents+json (một sự kiện), application/cloudevents-batch+json "
            "(nhiều sự kiện) hoặc application/x-ndjson (mỗi dòng một sự kiện).",
            en="Content-Type must be application/cloudevents+json (one event), application/cloudevents-batch+json "
            "(several) or application/x-ndjson (one a line)",
            headers={"Accept-Post": ", ".join(name.decode() for name in _MODES)},
        )
    return mode


def structured_of(headers: Mapping[bytes, bytes], data: bytes) -> bytes:
    """Returns the event of a binary-mode request (attributes in `ce-` headers, data in the body) as structured mode.

    Raises:
        InvalidRecord: an attribute is not readable, or the data is not one JSON value.
    """
    attributes: dict[str, str] = {}
    for name, value in headers.items():
        attribute = name.removeprefix(_PREFIX)
        if not name.startswith(_PREFIX) or attribute in _NOT_ATTRIBUTES or not _ATTRIBUTE.fullmatch(attribute):
            continue
        try:
            attributes[attribute.decode()] = unquote(value.decode(), errors="strict")
        except UnicodeDecodeError:
            raise InvalidRecord(
                "bad_header",
                field=f"ce-{attribute.decode()}",
                vi=f"Header ce-{attribute.decode()} không phải UTF-8 mã hóa phần trăm.",
                en=f"header ce-{attribute.decode()} is not percent-encoded UTF-8",
            ) from None
    head = orjson.dumps(attributes)
    if not data:
        return head
    try:
        _decode_raw(data)  # or the body could write attributes of its own
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise bad_json(str(error)) from None
    return b"".join((head[:-1], b"," if attributes else b"", b'"data":', data, b"}"))


def events_of_batch(body: bytes) -> list[bytes]:
    """Returns the events of a CloudEvents batch, each still unread.

    Raises:
        Problem: 400 not a JSON list, 413 more than 10,000 events.
    """
    try:
        parts = _decode_batch(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Problem(
            400,
            "bad_json",
            vi=f"Nội dung không phải một danh sách JSON các sự kiện: {str(error)[:200]}",
            en=f"the body is not a JSON list of events: {str(error)[:200]}",
        ) from None
    if len(parts) > MAX_BATCH_EVENTS:
        raise Problem(
            413,
            "too_large",
            vi=f"{len(parts)} sự kiện trong một yêu cầu; tối đa {MAX_BATCH_EVENTS}, hoặc gửi application/x-ndjson.",
            en=f"{len(parts)} events in one request; at most {MAX_BATCH_EVENTS}, or send application/x-ndjson",
        )
    return [bytes(part) for part in parts]
