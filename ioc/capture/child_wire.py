"""What parent and children of the live capture say to each other, as bytes on a local socket. Pure.

The address of a camera travels here and nowhere else: an argument or a variable would stand in the process list.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ioc.frames import MAX_FRAME_BYTES

__all__ = [
    "HEADER",
    "MAX_JOB_BYTES",
    "NUMBER_BYTES",
    "Alive",
    "Failed",
    "Job",
    "Message",
    "Opened",
    "Still",
    "decode_message",
    "encode_message",
    "sizes",
]

MAX_JOB_BYTES = 16 * 1024
NUMBER_BYTES = 4  # a child first says its process number
HEADER = struct.Struct(">II")  # bytes of the JSON text, bytes of the picture
_MAX_TEXT_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one child does: `url` with its credentials; a still each `interval_s`, the first after `phase_s`.

    `open_timeout_s` and `silence_s`: how long the camera may take to answer, and how long it may then say nothing.
    `jpeg_scale`: of FFmpeg's MJPEG encoder, 2 (best) to 31. `is_keyframes_only`: also where that is too rare.
    """

    url: str
    interval_s: float
    phase_s: float = 0.0
    open_timeout_s: float = 10.0
    silence_s: float = 10.0
    jpeg_scale: int = 3
    transport: Literal["tcp", "udp"] = "tcp"
    is_keyframes_only: bool = False

    def __repr__(self) -> str:
        return f"Job(every {self.interval_s:g} s)"  # the address may hold a password

    def encode(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, data: bytes) -> "Job":
        return cls(**json.loads(data))


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The camera answered: what it sends, and how long the answer took."""

    codec: str
    width: int
    height: int
    fps: float
    open_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive:
    """Packets come, said once a second. `key_gap_s`: between the last two keyframes, 0 while unknown."""

    packets: int
    key_gap_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """One picture; `at_s` is when its packet came, by the machine's monotonic clock, which parent and child share."""

    jpeg: bytes
    at_s: float
    codec: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The child gives up, for a reason of `ioc.capture.reasons`; `detail` never holds the address."""

    reason: str
    detail: str = ""


Message = Opened | Alive | Still | Failed
_KINDS: Mapping[str, type[Opened | Alive | Failed]] = {"opened": Opened, "alive": Alive, "failed": Failed}


def encode_message(message: Message) -> bytes:
    """Returns header, text and picture as one run of bytes."""
    if isinstance(message, Still):
        fields: dict[str, Any] = {
            "kind": "still",
            "at_s": message.at_s,
            "codec": message.codec,
            "width": message.width,
            "height": message.height,
        }
        text = json.dumps(fields).encode()
        return HEADER.pack(len(text), len(message.jpeg)) + text + message.jpeg
    text = json.dumps({"kind": type(message).__name__.lower(), **asdict(message)}).encode()
    return HEADER.pack(len(text), 0) + text


def sizes(header: bytes) -> tuple[int, int]:
    """Returns the bytes of text and of picture that follow `header`.

    Raises:
        ValueError: more than any message of ours has: the child has lost its mind.
    """
    text_bytes, picture_bytes = HEADER.unpack(header)
    if not 0 < text_bytes <= _MAX_TEXT_BYTES or picture_bytes > MAX_FRAME_BYTES + 1:
        raise ValueError("not a message of ours")
    return text_bytes, picture_bytes


def decode_message(text: bytes, jpeg: bytes) -> Message:
    """Returns the message of its two parts.

    Raises:
        ValueError: no message of ours.
    """
    try:
        fields = json.loads(text)
        kind = fields.pop("kind")
        if kind == "still":
            return Still(jpeg=jpeg, **fields)
        return _KINDS[kind](**fields)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("not a message of ours") from error
