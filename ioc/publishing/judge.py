"""One event in structured mode: the reason why not, or the record that goes to Kafka. Pure."""

from typing import Any, NamedTuple

import msgspec

from ioc.catalog import Catalog
from ioc.errors import InvalidRecord
from ioc.events import MAX_EVENT_BYTES, EventType, Rejected

__all__ = ["CONTENT_TYPE", "Envelope", "EventJudge", "Outgoing", "too_large"]

CONTENT_TYPE = "application/cloudevents+json"
_HEADERS = (("content-type", CONTENT_TYPE.encode()),)
_quoted = msgspec.json.Encoder().encode


class Outgoing(NamedTuple):
    """A valid event on its way: topic and key of its type, the bytes as they came, and who tells what of what."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    type: str = ""
    source: str = ""
    id: str = ""
    entity: str = ""
    entity_id: str = ""


_new_outgoing = tuple.__new__  # a named tuple's own constructor takes twice as long


class Envelope:
    """What the events of one type and source have in common, written once."""

    __slots__ = ("headers", "source", "start", "topic", "type")

    def __init__(self, event_type: EventType, source: str) -> None:
        self.type, self.topic, self.source = event_type.name, event_type.topic, source
        self.headers = (("ce_type", event_type.ce_type.encode()), ("ce_source", source.encode()))
        common = {"specversion": "1.0", "type": event_type.ce_type, "source": source}
        self.start = msgspec.json.encode(common)[:-1] + b',"id":'


class _Head(msgspec.Struct, gc=False):
    """What must be known before the decoder can be asked."""

    type: Any = None
    id: Any = None
    time: Any = None


class EventJudge:
    """Judges events as the worker will: by the catalogue's decoder. Two things are asked for besides: an id, which
    makes a resend harmless, and a time, which the worker takes from the fact where the event has none.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._decoder = catalog.decoder()
        self._topics = {event_type.ce_type: event_type.topic for event_type in catalog.event_types.values()}
        self._department_topics = frozenset(catalog.department_topics())
        self._decode_head = msgspec.json.Decoder(_Head).decode

    def judge(self, body: bytes, now_us: int) -> Outgoing:
        """Returns the record of the event `body` (JSON, structured mode); `now_us` is the clock in µs since 1970.

        Raises:
            InvalidRecord: the event breaks the contract; the reason codes are those of dead letters, and `not_utf8`,
                `product_type`.
        """
        if not body.isascii():
            _check_utf8(body)
        topic = self._topic(body)
        (found,) = self._decoder.decode(topic, _HEADERS, body, now_us)
        if isinstance(found, Rejected):
            raise found.error
        return Outgoing(
            topic,
            found.partition_key.encode(),
            body,
            _HEADERS,
            found.type.name,
            found.source,
            found.id,
            found.type.entity,
            found.entity_id,
        )

    def judge_fact(self, envelope: Envelope, event_id: str, time: str, data: bytes, now_us: int) -> Outgoing:
        """As `judge`, for an event that we write ourselves: `data` is judged without taking the whole apart again.

        Raises:
            InvalidRecord: as `judge`.
        """
        id_bytes, time_bytes = event_id.encode(), time.encode()
        headers = (*envelope.headers, ("ce_id", id_bytes), ("ce_time", time_bytes))
        (found,) = self._decoder.decode(envelope.topic, headers, data, now_us)
        if isinstance(found, Rejected):
            raise found.error
        body = b"".join((envelope.start, _quoted(event_id), b',"time":', _quoted(time), b',"data":', data, b"}"))
        if len(body) > MAX_EVENT_BYTES:
            raise too_large(len(body), MAX_EVENT_BYTES)
        kind = found.type
        return _new_outgoing(
            Outgoing,
            (
                envelope.topic,
                found.partition_key.encode(),
                body,
                _HEADERS,
                kind.name,
                found.source,
                event_id,
                kind.entity,
                found.entity_id,
            ),
        )

    def _topic(self, body: bytes) -> str:
        """The topic of the event's type, "" where the decoder will say what is wrong."""
        try:
            head = self._decode_head(body)
        except (msgspec.DecodeError, RecursionError):
            return ""
        topic = self._topics.get(head.type, "") if isinstance(head.type, str) else ""
        if topic and topic not in self._department_topics:
            raise _product_type(head.type)
        if head.id is None:
            raise _missing_id()
        if head.time is None or head.time == "":
            raise _missing_time()
        return topic


def _check_utf8(body: bytes) -> None:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRecord(
            "not_utf8",
            vi=f"Dòng không phải UTF-8 (byte thứ {error.start + 1}); hãy lưu tệp ở bảng mã UTF-8.",
            en=f"the line is not UTF-8 (byte {error.start + 1}); save the file as UTF-8",
        ) from None


def too_large(size_bytes: int, limit_bytes: int) -> InvalidRecord:
    """The reason for a line that was not even kept."""
    return InvalidRecord(
        "too_large",
        vi=f"Dòng dài {size_bytes} byte, vượt giới hạn {limit_bytes} byte của một sự kiện; mỗi dòng chỉ một sự kiện.",
        en=f"a line of {size_bytes} bytes is over an event's limit of {limit_bytes}; write one event a line",
    )


def _product_type(ce_type: str) -> InvalidRecord:
    return InvalidRecord(
        "product_type",
        field="type",
        vi=f"Sự kiện {ce_type} do chính hệ thống ghi, không nhận từ bên ngoài.",
        en=f"{ce_type} is written by the product itself and not taken from outside",
    )


def _missing_id() -> InvalidRecord:
    return InvalidRecord(
        "missing_field",
        field="id",
        vi="Thiếu id: mỗi sự kiện cần một id riêng và không đổi, để gửi lại không bị tính hai lần.",
        en="id is missing: every event needs one of its own that never changes, so that a resend is not counted twice",
    )


def _missing_time() -> InvalidRecord:
    return InvalidRecord(
        "missing_field",
        field="time",
        vi="Thiếu time: thời gian của sự kiện, RFC 3339 có múi giờ (ví dụ 2026-11-22T08:00:00+07:00).",
        en="time is missing: when the event happened, RFC 3339 with its offset (like 2026-11-22T08:00:00+07:00)",
    )
