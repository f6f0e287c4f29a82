"""What is accepted: a second, independent reading of the event types and of the checks that come before counting."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

__all__ = ["HANOI", "Entity", "Envelope", "Fact", "Record", "Rejected", "instant", "open_record", "read_event"]

HANOI = timezone(timedelta(hours=7))  # Asia/Ho_Chi_Minh: no summer time, +07:00 in all the years that can be accepted
ACCEPT_SINCE = datetime(2000, 1, 1, tzinfo=HANOI)
AHEAD = timedelta(minutes=15)
LARGEST_EVENT_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka record as it is sent."""

    topic: str
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    value: bytes


@dataclass(frozen=True, slots=True)
class EventType:
    topic: str
    entity: str
    key: tuple[str, ...]
    time_field: str  # "ce_time": the CloudEvents time
    required: tuple[str, ...]
    times: tuple[str, ...] = ()
    own_times: tuple[str, ...] = ()  # those that say when the fact was; a due date says something else
    texts: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


EVENT_TYPES = {
    "vn.ioc.dossier.submitted.v1": EventType(
        topic="ioc.onestop.dossiers",
        entity="dossier",
        key=("dossier_id",),
        time_field="ce_time",
        required=("channel", "dossier_id", "service_level", "submitted_at"),
        times=("submitted_at", "due_at"),
        own_times=("submitted_at",),
        texts=("dossier_id", "procedure_code", "agency_code", "admin_unit"),
        numbers=("fee_due_vnd",),
        choices={"service_level": _words("full|partial|info"), "channel": _words("online|counter|postal")},
    ),
    "vn.ioc.dossier.status_changed.v1": EventType(
        topic="ioc.onestop.dossiers",
        entity="dossier",
        key=("dossier_id",),
        time_field="at",
        required=("at", "dossier_id", "status"),
        times=("at", "due_at"),
        own_times=("at",),
        texts=("dossier_id", "reason"),
        choices={
            "status": _words("received|supplement|in_process|resolved|returned|rejected|withdrawn"),
            "result_channel": _words("online|postal|counter"),
        },
    ),
    "vn.ioc.dossier.digitised.v1": EventType(
        topic="ioc.onestop.dossiers",
        entity="dossier",
        key=("dossier_id",),
        time_field="at",
        required=("components_digitised", "components_total", "dossier_id"),
        times=("at",),
        own_times=("at",),
        texts=("dossier_id",),
        flags=("result_digital_signed",),
        numbers=("components_total", "components_digitised", "reused_components"),
    ),
    "vn.ioc.dossier.paid.v1": EventType(
        topic="ioc.onestop.payments",
        entity="dossier",
        key=("dossier_id",),
        time_field="at",
        required=("dossier_id", "method", "status"),
        times=("at",),
        own_times=("at",),
        texts=("dossier_id",),
        numbers=("amount_vnd",),
        choices={"method": _words("online|cash|transfer"), "status": _words("success|failed|refunded")},
    ),
    "vn.ioc.dossier.rated.v1": EventType(
        topic="ioc.onestop.dossiers",
        entity="dossier",
        key=("dossier_id",),
        time_field="at",
        required=("dossier_id",),
        times=("at",),
        own_times=("at",),
        texts=("dossier_id",),
        numbers=("score",),
    ),
    "vn.ioc.report.submitted.v1": EventType(
        topic="ioc.citizen.reports",
        entity="report",
        key=("report_id",),
        time_field="ce_time",
        required=("report_id", "submitted_at"),
        times=("submitted_at", "due_at"),
        own_times=("submitted_at",),
        texts=("report_id", "channel", "service_code", "ward_code", "media_ref", "reporter_hash"),
    ),
    "vn.ioc.report.status_changed.v1": EventType(
        topic="ioc.citizen.reports",
        entity="report",
        key=("report_id",),
        time_field="at",
        required=("at", "report_id", "status"),
        times=("at", "due_at"),
        own_times=("at",),
        texts=("report_id", "agency_code", "reason"),
        choices={"status": _words("accepted|rejected|assigned|on_site|reported|resolved|reopened|extended")},
    ),
    "vn.ioc.report.rated.v1": EventType(
        topic="ioc.citizen.reports",
        entity="report",
        key=("report_id",),
        time_field="at",
        required=("report_id",),
        times=("at",),
        own_times=("at",),
        texts=("report_id",),
        choices={"rating": _words("satisfied|accept|unsatisfied")},
    ),
    "vn.ioc.network.channel_state.v1": EventType(
        topic="ioc.network.channels",
        entity="network_channel_state",
        key=("channel_id",),
        time_field="at",
        required=("channel_id", "up"),
        times=("at",),
        own_times=("at",),
        texts=("channel_id", "admin_unit"),
        flags=("up",),
        numbers=("latency_ms", "loss_pct", "bandwidth_mbps"),
        choices={"level": _words("province|commune")},
    ),
    "vn.ioc.lgsp.service_call.v1": EventType(
        topic="ioc.lgsp.calls",
        entity="lgsp_service_call",
        key=("service_id", "consumer", "window_start"),
        time_field="window_start",
        required=("calls", "consumer", "errors", "service_id", "window_start"),
        times=("window_start",),
        own_times=("window_start",),
        texts=("service_id", "provider", "consumer"),
        numbers=("calls", "errors", "p95_ms"),
    ),
    "vn.ioc.camera.heartbeat.v1": EventType(
        topic="ioc.camera.health",
        entity="camera_heartbeat",
        key=("camera_id",),
        time_field="at",
        required=("camera_id", "last_frame_age_s", "online"),
        times=("at",),
        own_times=("at",),
        texts=("camera_id",),
        flags=("online", "blurred", "occluded"),
        numbers=("fps", "last_frame_age_s"),
    ),
}

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


class Rejected(Exception):
    """This event counts as rejected; the text says why, for the reader of a failed test."""


def instant(text: object) -> datetime:
    """Returns the instant in UTC; a time without an offset, or no text at all, is refused."""
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        raise Rejected(f"not a time with an offset: {text!r}")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as error:
        raise Rejected(f"no such time: {text!r}") from error


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _parse(value: bytes) -> object:
    try:
        return json.loads(value.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, UnicodeDecodeError) as error:
        raise Rejected(f"bad JSON: {error}") from error


Envelope = tuple[dict[str, object], object, int]
"""CloudEvents attributes, data, size in bytes."""


def _envelope(value: object, size_bytes: int) -> Envelope:
    if not isinstance(value, dict):
        raise Rejected("an event is an object")
    return {name: item for name, item in value.items() if name != "data"}, value.get("data"), size_bytes


def open_record(record: Record) -> list[Envelope | Rejected]:
    """Returns the events of a record, in their order; a record that can't be opened is one rejected event."""
    headers = {name: value.decode("utf-8") for name, value in record.headers}
    content_type = headers.get("content-type", "")
    try:
        if content_type.startswith("application/cloudevents-batch+json"):
            items = _parse(record.value)
            if not isinstance(items, list):
                raise Rejected("a batch is a list")
            return [_envelope(item, len(json.dumps(item))) for item in items]
        if content_type.startswith("application/cloudevents+json"):
            return [_envelope(_parse(record.value), len(record.value))]
        attributes: dict[str, object] = {
            name.removeprefix("ce_"): value for name, value in headers.items() if name.startswith("ce_")
        }
        if len(record.value) > LARGEST_EVENT_BYTES:
            raise Rejected("too large")
        return [(attributes, _parse(record.value), len(record.value))]
    except Rejected as refusal:
        return [refusal]


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise Rejected(f"{name} is not a text: {value!r}")
    if any(ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0 for letter in value):
        raise Rejected(f"{name} holds a control character")
    return value


def _check_source(source: str, topic: str) -> None:
    family = topic.split(".")[1]
    words = source.split("/")
    if words[:3] != ["", "lam-dong", family]:
        raise Rejected(f"{source} may not publish on {topic}")


def _check_between(moment: datetime, clock: datetime) -> None:
    if not ACCEPT_SINCE <= moment <= clock + AHEAD:
        raise Rejected(f"{moment} is not between {ACCEPT_SINCE} and {clock + AHEAD}")


def _check_fields(kind: EventType, data: dict[str, object], clock: datetime) -> None:
    for name in kind.required:
        if name not in data or (data[name] is None and name in kind.key):  # null is not rejected, but no key
            raise Rejected(f"{name} is missing")
    known = {name: value for name, value in data.items() if value is not None}  # null means not known
    for name in kind.texts:
        if name in known and not isinstance(known[name], str):
            raise Rejected(f"{name} is not a text")
    for name in kind.flags:
        if name in known and not isinstance(known[name], bool):
            raise Rejected(f"{name} is not true or false")
    for name in kind.numbers:
        if name in known and (isinstance(known[name], bool) or not isinstance(known[name], int | float)):
            raise Rejected(f"{name} is not a number")
    for name, allowed in kind.choices.items():
        if name in known and known[name] not in allowed:
            raise Rejected(f"{name} is none of {allowed}")
    for name in kind.times:
        if name in known:
            moment = instant(known[name])
            if name in kind.own_times:
                _check_between(moment, clock)


@dataclass(frozen=True, slots=True)
class Fact:
    """One accepted event. Facts of an entity are ordered by time, then id, then source."""

    time: datetime
    id: str
    source: str
    type: str
    data: Mapping[str, object]

    @property
    def order(self) -> tuple[datetime, str, str]:
        return self.time, self.id, self.source

    @property
    def is_tombstone(self) -> bool:
        return self.data.get("deleted") is True


Entity = tuple[str, tuple[object, ...]]


def read_event(envelope: Envelope, topic: str, clock: datetime, cameras: Mapping[str, str]) -> tuple[Entity, Fact]:
    attributes, data, size_bytes = envelope
    if size_bytes > LARGEST_EVENT_BYTES:
        raise Rejected("too large")
    if attributes.get("specversion") != "1.0":
        raise Rejected("not CloudEvents 1.0")
    event_id, source = _text(attributes.get("id"), "id"), _text(attributes.get("source"), "source")
    kind = EVENT_TYPES.get(_text(attributes.get("type"), "type"))
    if kind is None or kind.topic != topic:
        raise Rejected(f"{attributes['type']} does not belong on {topic}")
    _check_source(source, topic)
    ce_time = instant(attributes.get("time"))
    _check_between(ce_time, clock)
    if not isinstance(data, dict):
        raise Rejected("data is not an object")
    _check_fields(kind, data, clock)
    key = tuple(instant(data[name]) if name in kind.times else _text(data[name], name) for name in kind.key)
    if kind.entity == "camera_heartbeat" and key[0] not in cameras:
        raise Rejected("unknown camera")
    own = data.get(kind.time_field)
    time = ce_time if own is None else instant(own)
    return (kind.entity, key), Fact(time, event_id, source, str(attributes["type"]), data)
