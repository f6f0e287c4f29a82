"""Frames: one still of one pose of one camera, and its form on the wire (CloudEvents binary mode).

Nothing here decodes pixels; `inspect_jpeg` reads only the header, so that an image bomb is refused
before any decoder sees it.
"""

import hashlib
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from ioc.errors import InvalidRecord

__all__ = [
    "FRAMES_TOPIC",
    "FRAME_TYPE",
    "HEARTBEAT_TYPE",
    "INLINE_LIMIT_BYTES",
    "MAX_FRAME_BYTES",
    "MAX_FRAME_SIDE_PX",
    "Frame",
    "capture_source",
    "decode_frame",
    "encode_frame",
    "frame_id",
    "inspect_jpeg",
    "sha256_hex",
]

FRAMES_TOPIC = "ioc.camera.frames"
FRAME_TYPE = "vn.ioc.camera.frame.v1"
HEARTBEAT_TYPE = "vn.ioc.camera.heartbeat.v1"  # what the capture says of each camera; the catalogue names its topic
INLINE_LIMIT_BYTES = 256 * 1024  # above it the record carries a claim check instead of the pixels
MAX_FRAME_BYTES = 8 * 1024 * 1024  # a very good 4K JPEG is 4 MiB
MAX_FRAME_SIDE_PX = 8192

# Start-of-frame markers that carry the size; C4, C8 and CC are tables, not frames.
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def capture_source(province: str) -> str:
    """The CloudEvents source of what `ioc capture` itself tells."""
    return f"/{province}/camera/capture"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One still. `jpeg` is empty where `dataref` points into the evidence store.

    `is_replay`: played from what was kept, for its completeness: neither too old nor ever skipped.
    """

    camera_id: str
    pose_id: str
    sequence: int
    captured_at: datetime
    sha256: str
    jpeg: bytes
    dataref: str = ""
    source: str = ""
    is_replay: bool = False

    @property
    def key(self) -> str:
        """The record key, and the key of every background model: `camera_id:pose_id`."""
        return f"{self.camera_id}:{self.pose_id}"


def sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def frame_id(frame: Frame) -> str:
    """The CloudEvents id: the same picture at the same instant of the same pose is the same event."""
    return f"{frame.key}:{frame.captured_at.astimezone(UTC).isoformat()}:{frame.sha256[:16]}"


def encode_frame(frame: Frame, *, province: str) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """Returns (key, value, headers) of the Kafka record."""
    captured_at = frame.captured_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    headers = {
        "ce_specversion": "1.0",
        "ce_id": frame_id(frame),
        "ce_source": frame.source or f"/{province}/camera",
        "ce_type": FRAME_TYPE,
        "ce_time": captured_at,
        "ce_cameraid": frame.camera_id,
        "ce_poseid": frame.pose_id,
        "ce_capturedat": captured_at,
        "ce_sequence": str(frame.sequence),
        "ce_sha256": frame.sha256,
        "content-type": "image/jpeg",
    }
    if frame.dataref:
        headers["ce_dataref"] = frame.dataref
    if frame.is_replay:
        headers["ce_replay"] = "true"
    value = b"" if frame.dataref else frame.jpeg
    return frame.key.encode(), value, [(name, text.encode()) for name, text in headers.items()]


def decode_frame(key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> Frame:
    """Returns the frame of a record.

    The key `camera_id:pose_id` and `ce_time` stand in for a missing camera, pose or captured-at header.

    Raises:
        InvalidRecord: the record is no frame event, or a header is missing or malformed.
    """
    texts = _header_texts(headers)
    if texts.get("ce_type", FRAME_TYPE) != FRAME_TYPE:
        raise InvalidRecord(
            "unknown_type",
            field="ce_type",
            vi=f"Loại sự kiện {texts['ce_type']!r} không phải khung hình; cần {FRAME_TYPE}.",
            en=f"type {texts['ce_type']!r} is not a frame; expected {FRAME_TYPE}",
        )
    from_key = _key_text(key).split(":", 1)
    camera_id = _first(texts, "cameraid", "camera_id", "camera") or from_key[0]
    pose_id = _first(texts, "poseid", "pose_id", "pose") or (from_key[1] if len(from_key) == 2 else "")
    for name, text in (("camera_id", camera_id), ("pose_id", pose_id)):
        if not text:
            raise InvalidRecord(
                "missing_field",
                field=name,
                vi=f"Khung hình thiếu {name}: đặt khóa bản ghi là camera_id:pose_id.",
                en=f"the frame has no {name}: set the record key to camera_id:pose_id",
            )
    if ":" in camera_id or any(ord(c) < 32 for c in camera_id + pose_id) or len(camera_id) + len(pose_id) > 200:
        raise InvalidRecord(
            "bad_id",
            field="camera_id",
            vi="Mã camera hoặc góc quay chứa ký tự không hợp lệ.",
            en="the camera or pose id holds a colon or a control character, or is too long",
        )
    jpeg = value or b""
    dataref = texts.get("ce_dataref", "")
    if not jpeg and not dataref:
        raise InvalidRecord(
            "empty_frame",
            field="value",
            vi="Bản ghi không có ảnh và không có ce_dataref.",
            en="the record holds neither a picture nor ce_dataref",
        )
    sequence_text = _first(texts, "sequence") or "0"
    return Frame(
        camera_id=camera_id,
        pose_id=pose_id,
        sequence=int(sequence_text) if sequence_text.isdecimal() and len(sequence_text) < 19 else 0,
        captured_at=_time(_first(texts, "capturedat", "captured_at") or texts.get("ce_time", "")),
        sha256=_first(texts, "sha256") or (sha256_hex(jpeg) if jpeg else ""),
        jpeg=jpeg,
        dataref=dataref,
        source=texts.get("ce_source", ""),
        is_replay=_first(texts, "replay").lower() == "true",
    )


def inspect_jpeg(data: bytes) -> tuple[int, int]:
    """Returns (width, height) in pixels, from the header alone.

    Raises:
        InvalidRecord: too many bytes, not a JPEG, truncated, or a side beyond `MAX_FRAME_SIDE_PX`.
    """
    if len(data) > MAX_FRAME_BYTES:
        raise InvalidRecord(
            "frame_too_large",
            field="value",
            vi=f"Ảnh {len(data)} byte vượt giới hạn {MAX_FRAME_BYTES} byte; giảm chất lượng hoặc kích thước.",
            en=f"a picture of {len(data)} bytes is over the limit of {MAX_FRAME_BYTES}: lower its quality or size",
        )
    if data[:3] != b"\xff\xd8\xff":
        raise InvalidRecord(
            "not_jpeg", field="value", vi="Dữ liệu không phải ảnh JPEG.", en="the bytes are not a JPEG picture"
        )
    width, height = _size_from_markers(data)
    if not 16 <= width <= MAX_FRAME_SIDE_PX or not 16 <= height <= MAX_FRAME_SIDE_PX:
        raise InvalidRecord(
            "frame_size",
            field="value",
            vi=f"Kích thước ảnh {width}×{height} ngoài khoảng 16–{MAX_FRAME_SIDE_PX} điểm ảnh.",
            en=f"a picture of {width}×{height} is outside 16–{MAX_FRAME_SIDE_PX} pixels a side",
        )
    if b"\xff\xd9" not in data[-64:]:  # some cameras pad after the end marker
        raise InvalidRecord(
            "truncated_jpeg",
            field="value",
            vi="Ảnh JPEG bị cắt cụt (thiếu dấu kết thúc).",
            en="the JPEG is truncated: its end marker is missing",
        )
    return width, height


def _size_from_markers(data: bytes) -> tuple[int, int]:
    position, end = 2, len(data)
    while position + 4 <= end:
        if data[position] != 0xFF:
            break
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker in _START_OF_FRAME and position + 9 <= end:
            height, width = struct.unpack_from(">HH", data, position + 5)
            return width, height
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            position += 2
            continue
        if marker in (0xD9, 0xDA):
            break
        (length,) = struct.unpack_from(">H", data, position + 2)
        if length < 2:
            break
        position += 2 + length
    raise InvalidRecord(
        "truncated_jpeg",
        field="value",
        vi="Ảnh JPEG hỏng: không đọc được kích thước.",
        en="the JPEG is broken: its size can't be read from the header",
    )


def _header_texts(headers: Iterable[tuple[str, bytes]]) -> Mapping[str, str]:
    texts: dict[str, str] = {}
    for name, value in headers:
        try:
            texts[name.lower()] = (value or b"").decode("utf-8")
        except UnicodeDecodeError:
            raise InvalidRecord(
                "bad_header", field=name, vi=f"Header {name} không phải UTF-8.", en=f"header {name} is not UTF-8"
            ) from None
    return texts


def _first(texts: Mapping[str, str], *names: str) -> str:
    for name in names:
        for full in (f"ce_{name}", name):
            if texts.get(full):
                return texts[full]
    return ""


def _key_text(key: bytes | None) -> str:
    return (key or b"").decode("utf-8", errors="replace")


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):  # year 1 in the east has no UTC
        raise InvalidRecord(
            "bad_time",
            field="captured_at",
            vi=f"captured_at={text!r} không phải thời gian có múi giờ (ví dụ 2026-11-22T08:00:00+07:00).",
            en=f"captured_at={text!r} is not a time with an offset (like 2026-11-22T08:00:00+07:00)",
        ) from None
