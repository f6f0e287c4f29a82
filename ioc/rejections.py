"""Why an event is refused: one stable code each, the field, and a sentence in Vietnamese and in English."""

import re
from collections.abc import Sequence

from ioc.errors import InvalidRecord
from ioc.event_types import EventType, StoredValue
from ioc.windows import LOCAL_ZONE, moment_of

__all__ = [
    "bad_header",
    "bad_id",
    "bad_instant",
    "bad_json",
    "bad_time",
    "bad_version",
    "foreign_source",
    "internal_error",
    "invalid_field",
    "missing_attribute",
    "too_large",
    "too_late",
    "unknown_camera",
    "unknown_type",
    "unknown_unit",
    "wrong_topic",
]


def bad_header(name: str) -> InvalidRecord:
    return InvalidRecord(
        "bad_header", field=f"ce_{name}", vi=f"Header ce_{name} không phải UTF-8.", en=f"ce_{name} is not UTF-8"
    )


def missing_attribute(name: str) -> InvalidRecord:
    return InvalidRecord(
        "missing_field",
        field=name,
        vi=f"Thiếu thuộc tính CloudEvents {name} (header ce_{name}).",
        en=f"CloudEvents attribute {name} (header ce_{name}) is missing",
    )


def bad_json(detail: str) -> InvalidRecord:
    return InvalidRecord(
        "bad_json",
        field="data",
        vi=f"Nội dung không phải JSON hợp lệ: {detail[:200]}",
        en=f"not valid JSON: {detail[:200]}",
    )


def too_large(size_bytes: int, limit_bytes: int) -> InvalidRecord:
    return InvalidRecord(
        "too_large",
        field="data",
        vi=f"Sự kiện {size_bytes} byte vượt giới hạn {limit_bytes} byte.",
        en=f"an event of {size_bytes} bytes is over the limit of {limit_bytes}",
    )


def too_late(event_type: EventType, values: Sequence[StoredValue], order_us: int, keep_days: int) -> InvalidRecord:
    """Names the field whose time ordered the fact: the type's own, or the CloudEvents time where that is not told."""
    name, entity = event_type.time_field, event_type.entity
    if name == "ce_time" or values[event_type.position(name)] is None:
        name = "time"
    moment = moment_of(order_us).astimezone(LOCAL_ZONE).isoformat()
    return InvalidRecord(
        "too_late",
        field=name,
        vi=f"{name}={moment} đến quá muộn: {entity} chỉ lưu {keep_days} ngày; hãy gửi số liệu thống kê.",
        en=f"{name}={moment} is too late: {entity} is kept for {keep_days} days; report it as a statistical figure",
    )


def bad_id(name: str, text: str, limit_chars: int) -> InvalidRecord:
    return InvalidRecord(
        "bad_id",
        field=name,
        vi=f"{name} trống, dài quá {limit_chars} ký tự hoặc chứa ký tự điều khiển.",
        en=f"{name} is empty, longer than {limit_chars} characters, or holds a control character: {text[:60]!r}",
    )


def bad_version(text: str) -> InvalidRecord:
    return InvalidRecord(
        "bad_version",
        field="specversion",
        vi=f"Phiên bản CloudEvents {text[:20]!r} không được hỗ trợ; đặt specversion là 1.0.",
        en=f"CloudEvents version {text[:20]!r} is not supported: set specversion to 1.0",
    )


def bad_time(name: str, text: str) -> InvalidRecord:
    return InvalidRecord(
        "bad_time",
        field=name,
        vi=f"{name}={text[:60]!r} không phải thời gian RFC 3339 có múi giờ (ví dụ 2026-11-22T08:00:00+07:00).",
        en=f"{name}={text[:60]!r} is not an RFC 3339 time with its offset (like 2026-11-22T08:00:00+07:00)",
    )


def bad_instant(name: str, instant_us: int, latest_us: int) -> InvalidRecord:
    try:
        shown = moment_of(instant_us).astimezone(LOCAL_ZONE).isoformat()
    except OverflowError:  # year 9999 in the west, year 1 in the east
        shown = "a year that no calendar has"
    if instant_us > latest_us:
        return InvalidRecord(
            "time_in_future",
            field=name,
            vi=f"{name}={shown} đi trước đồng hồ quá 15 phút; kiểm tra giờ của máy gửi.",
            en=f"{name}={shown} is more than 15 minutes ahead of the clock: check the sender's clock",
        )
    return InvalidRecord(
        "time_too_old",
        field=name,
        vi=f"{name}={shown} trước mốc nhận dữ liệu (accept_since).",
        en=f"{name}={shown} is before the catalogue's accept_since",
    )


def unknown_unit(name: str, code: str) -> InvalidRecord:
    return InvalidRecord(
        "unknown_admin_unit",
        field=name,
        vi=f"Đơn vị hành chính {code[:40]!r} không có trong danh mục của tỉnh (dùng mã thống kê cấp xã, ví dụ 24781).",
        en=f"administrative unit {code[:40]!r} is not one of the province (use the commune's statistical code)",
    )


def unknown_camera(camera_id: str) -> InvalidRecord:
    return InvalidRecord(
        "unknown_camera",
        field="camera_id",
        vi=f"Camera {camera_id[:60]!r} chưa đăng ký trong danh mục cameras.yaml.",
        en=f"camera {camera_id[:60]!r} is not registered in cameras.yaml",
    )


_MISSING = re.compile(r"missing required field `([^`]+)`")
_AT = re.compile(r"at `\$\.?([^`]*)`")
_GOT_NULL = re.compile(r"got `null`")


def internal_error(error: Exception) -> InvalidRecord:
    """Our own defect, at an agent's boundary: it costs one record, never the worker."""
    return InvalidRecord(
        "internal_error",
        vi="Lỗi nội bộ khi xử lý bản ghi; bản gốc được giữ nguyên để xử lý lại sau khi sửa.",
        en=f"an error of ours while processing the record: {error!r}"[:200],
    )


def invalid_field(message: str) -> InvalidRecord:
    """Translates msgspec's sentence into our reason codes."""
    missing = _MISSING.search(message)
    place = _AT.search(message)
    name = missing.group(1) if missing else (place.group(1) if place else "data")
    if missing or (_GOT_NULL.search(message) and place):
        return InvalidRecord(
            "missing_field", field=name, vi=f"Thiếu trường bắt buộc {name}.", en=f"required field {name} is missing"
        )
    if "Invalid enum value" in message:
        return InvalidRecord(
            "not_allowed",
            field=name,
            vi=f"Giá trị của {name} không nằm trong danh sách cho phép.",
            en=f"the value of {name} is not one of those allowed: {message[:150]}",
        )
    if "RFC3339" in message or "datetime" in message or "timezone" in message or "ISO8601" in message:
        return InvalidRecord(
            "bad_time",
            field=name,
            vi=f"{name} không phải thời gian RFC 3339 có múi giờ (ví dụ 2026-11-22T08:00:00+07:00).",
            en=f"{name} is not an RFC 3339 time with its offset: {message[:150]}",
        )
    if ">=" in message or "<=" in message:
        return InvalidRecord(
            "out_of_range",
            field=name,
            vi=f"Giá trị của {name} ngoài khoảng cho phép.",
            en=f"the value of {name} is out of range: {message[:150]}",
        )
    return InvalidRecord("wrong_type", field=name, vi=f"Sai kiểu dữ liệu ở {name}.", en=f"wrong type: {message[:180]}")


def unknown_type(ce_type: str) -> InvalidRecord:
    return InvalidRecord(
        "unknown_type",
        field="type",
        vi=f"Loại sự kiện {ce_type[:100]!r} không có trong danh mục.",
        en=f"event type {ce_type[:100]!r} is not in the catalogue",
    )


def wrong_topic(name: str, own_topic: str, topic: str) -> InvalidRecord:
    return InvalidRecord(
        "wrong_topic",
        field="type",
        vi=f"Sự kiện {name} phải gửi vào topic {own_topic}, không phải {topic}.",
        en=f"{name} belongs on topic {own_topic}, not on {topic}",
    )


def foreign_source(source: str, name: str, own_source: str) -> InvalidRecord:
    return InvalidRecord(
        "foreign_source",
        field="source",
        vi=f"Nguồn {source[:100]!r} không được gửi {name}; nguồn phải bắt đầu bằng {own_source}.",
        en=f"source {source[:100]!r} may not publish {name}; it must be {own_source} or below",
    )
