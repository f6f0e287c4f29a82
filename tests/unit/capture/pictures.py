"""JPEG bytes made of markers alone: all that capture looks at, and exact to the byte."""

import struct
from collections.abc import Mapping
from pathlib import Path


def jpeg(width: int = 640, height: int = 480, *, size_bytes: int = 0, mark: bytes = b"", exif: bytes = b"") -> bytes:
    """A JPEG whose header says `width` × `height`; `mark` makes it another picture, `size_bytes` pads its scan."""
    app1 = b"\xff\xe1" + struct.pack(">H", 2 + 6 + len(exif)) + b"Exif\0\0" + exif if exif else b""
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\x01\x11\x00"
    scan = b"\xff\xda" + struct.pack(">H", 8) + b"\x01\x01\x00\x00\x3f\x00" + mark
    body = b"\xff\xd8" + app1 + frame + scan
    return body + b"\x00" * max(0, size_bytes - len(body) - 2) + b"\xff\xd9"


def png(width: int = 20_000, height: int = 20_000) -> bytes:
    """The beginning of a PNG that claims to be huge."""
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", width, height, 8, 2, 0, 0, 0) + b"\0" * 64


def exif(original: str, offset: str = "", order: str = "<") -> bytes:
    """A TIFF block whose Exif directory holds DateTimeOriginal and, where given, OffsetTimeOriginal."""
    texts = [(0x9003, original.encode() + b"\0")] + ([(0x9011, offset.encode() + b"\0")] if offset else [])
    directory_at = 8 + 2 + 12 + 4
    values_at = directory_at + 2 + 12 * len(texts) + 4
    entries, values = b"", b""
    for tag, text in texts:
        entries += struct.pack(order + "HHII", tag, 2, len(text), values_at + len(values))
        values += text
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    root = struct.pack(order + "HHHIII", 1, 0x8769, 4, 1, directory_at, 0)
    return head + root + struct.pack(order + "H", len(texts)) + entries + struct.pack(order + "I", 0) + values


def fill(root: Path, cameras: Mapping[str, list[str]]) -> Path:
    """Writes one distinct JPEG for each name below its camera's subfolder of `root`."""
    for camera, names in cameras.items():
        (root / camera).mkdir(parents=True, exist_ok=True)
        for name in names:
            (root / camera / name).write_bytes(jpeg(mark=f"{camera}/{name}".encode()))
    return root
