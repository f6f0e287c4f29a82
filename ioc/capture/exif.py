"""When a camera says it took a JPEG: EXIF's original time, read from the header without decoding pixels. Pure.

Tags and layout: CIPA DC-008 (Exif 2.32), sections 4.5 and 4.6; the marker segments: ITU-T T.81, annex B.
"""

import struct
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

__all__ = ["LOCAL_TIME", "exif_time"]

LOCAL_TIME = timezone(timedelta(hours=7))  # Viet Nam has one zone and no summer time; used where EXIF names no offset

_EXIF_IFD, _ORIGINAL, _OFFSET = 0x8769, 0x9003, 0x9011
_MAX_ENTRIES = 512  # a real directory has some tens; a hostile count must not cost time


def exif_time(jpeg: bytes) -> datetime | None:
    """Returns `DateTimeOriginal` with its `OffsetTimeOriginal` (else Viet Nam's), aware; None where there is none."""
    tiff = _exif_segment(jpeg)
    if tiff is None:
        return None
    try:
        return _original_time(tiff)
    except (struct.error, ValueError):
        return None


def _exif_segment(jpeg: bytes) -> bytes | None:
    position = 2
    while position + 4 <= len(jpeg) and jpeg[position] == 0xFF and jpeg[position + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", jpeg, position + 2)
        if length < 2:
            return None
        body = jpeg[position + 4 : position + 2 + length]
        if jpeg[position + 1] == 0xE1 and body.startswith(b"Exif\0\0"):
            return body[6:]
        position += 2 + length
    return None


def _original_time(tiff: bytes) -> datetime | None:
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return None
    (first,) = struct.unpack_from(order + "I", tiff, 4)
    pointers = {tag: offset for tag, _, offset in _entries(tiff, order, first)}
    if _EXIF_IFD not in pointers:
        return None
    texts = {
        tag: tiff[offset : offset + min(count, 64)].split(b"\0")[0].decode("ascii", errors="replace").strip()
        for tag, count, offset in _entries(tiff, order, pointers[_EXIF_IFD])
        if tag in (_ORIGINAL, _OFFSET)
    }
    if not texts.get(_ORIGINAL):
        return None
    offset_text = texts.get(_OFFSET, "")
    if offset_text:
        return datetime.strptime(texts[_ORIGINAL] + offset_text, "%Y:%m:%d %H:%M:%S%z")
    return datetime.strptime(texts[_ORIGINAL], "%Y:%m:%d %H:%M:%S").replace(tzinfo=LOCAL_TIME)


def _entries(tiff: bytes, order: str, offset: int) -> Iterator[tuple[int, int, int]]:
    """(tag, count, offset of the value) of one image file directory."""
    (number,) = struct.unpack_from(order + "H", tiff, offset)
    for index in range(min(number, _MAX_ENTRIES)):
        tag, kind, count, value = struct.unpack_from(order + "HHII", tiff, offset + 2 + 12 * index)
        is_inline_text = kind == 2 and count <= 4
        yield tag, count, offset + 10 + 12 * index if is_inline_text else value
