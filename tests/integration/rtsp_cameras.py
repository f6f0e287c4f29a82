"""A small RTSP camera on loopback that does what real ones do at worst: H.264 over TCP (RFC 2326, 3550, 6184)."""

import asyncio
import base64
import itertools
import struct
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext

__all__ = ["Behaviour", "Camera", "clip", "serving_camera"]

Behaviour = Literal[
    "plays",
    "says nothing",
    "slams the door",
    "refuses the password",
    "has no such path",
    "has sound only",
    "falls silent",
    "sends garbage",
    "speaks no protocol",
    "dies mid-frame",
    "changes its size",
    "changes its codec",
    "ends",
]
FPS = 10
_PACKET_BYTES = 1_200


@lru_cache
def clip(
    width: int, height: int, codec: str = "libx264", pictures: int = 20, keyframe_every: int = 5
) -> list[list[bytes]]:
    """Returns the NAL units of each picture of a moving pattern."""
    encoder = av.CodecContext.create(codec, "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.framerate = FPS
    encoder.time_base = 1 / encoder.framerate
    encoder.gop_size, encoder.max_b_frames = keyframe_every, 0
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "scenecut=0"}
    if codec == "libx265":
        encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "x265-params": "log-level=none"}
    rows, columns = np.mgrid[0:height, 0:width]
    found = []
    for index in range(pictures):
        plane = ((rows * 3 + columns * 2 + index * 9) % 256).astype(np.uint8)
        picture = av.VideoFrame.from_ndarray(np.dstack([plane, plane[::-1], plane]), format="rgb24")
        found += [bytes(packet) for packet in encoder.encode(picture.reformat(format="yuv420p"))]
    found += [bytes(packet) for packet in encoder.encode(None)]
    return [_units(data) for data in found]


def _units(annex_b: bytes) -> list[bytes]:
    """The NAL units between start codes."""
    return [unit.rstrip(b"\0") for unit in annex_b.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if unit]


@dataclass(slots=True)
class Camera:
    """What the server was asked so far, and where it is."""

    behaviour: Behaviour
    port: int = 0
    connections: int = 0

    @property
    def url(self) -> str:
        return f"rtsp://admin:s3cret@127.0.0.1:{self.port}/live?token=s3cret"


@asynccontextmanager
async def serving_camera(behaviour: Behaviour = "plays") -> AsyncIterator[Camera]:
    camera = Camera(behaviour)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        camera.connections += 1
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await _talk(camera, reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    camera.port = server.sockets[0].getsockname()[1]
    try:
        yield camera
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _talk(camera: Camera, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if camera.behaviour == "slams the door":
        return
    if camera.behaviour == "says nothing":
        await asyncio.Event().wait()
    if camera.behaviour == "speaks no protocol":
        writer.write(b"\xff\xfb\x01\xff\xfb\x03login: " * 200)
        await writer.drain()
        await asyncio.Event().wait()
    while True:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        method = request.split(" ", 1)[0]
        number = next(line.split(":")[1].strip() for line in request.splitlines() if line.lower().startswith("cseq"))
        status, headers, body = _answer(camera.behaviour, method)
        lines = [f"RTSP/1.0 {status}", f"CSeq: {number}", *headers, *([f"Content-Length: {len(body)}"] if body else [])]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()
        if method == "PLAY":
            await _play(camera, writer)
            return


def _answer(behaviour: Behaviour, method: str) -> tuple[str, list[str], bytes]:
    if method == "OPTIONS":
        return "200 OK", ["Public: DESCRIBE, SETUP, PLAY, TEARDOWN"], b""
    if behaviour == "refuses the password":
        return "401 Unauthorized", ['WWW-Authenticate: Basic realm="camera"'], b""
    if behaviour == "has no such path":
        return "404 Not Found", [], b""
    if method == "DESCRIBE":
        return "200 OK", ["Content-Type: application/sdp"], _description(behaviour)
    if method == "SETUP":
        return "200 OK", ["Session: 1", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"], b""
    return "200 OK", ["Session: 1"], b""


def _description(behaviour: Behaviour) -> bytes:
    head = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    if behaviour == "has sound only":
        return f"{head}m=audio 0 RTP/AVP 0\r\na=control:sound\r\n".encode()
    sets = [base64.b64encode(unit).decode() for unit in clip(320, 176)[0] if unit[0] & 31 in (7, 8)]
    return (
        f"{head}m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
        f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={','.join(sets)}\r\na=control:picture\r\n"
    ).encode()


async def _play(camera: Camera, writer: asyncio.StreamWriter) -> None:
    small, large = clip(320, 176), clip(640, 368)
    numbers = itertools.count(1)
    for index in itertools.count():
        picture: Sequence[bytes] = small[index % len(small)]
        match camera.behaviour:
            case "falls silent" if index == 8:
                await asyncio.Event().wait()
            case "ends" if index == 8:
                return
            case "dies mid-frame" if index == 5:
                packets = list(_packets(picture, index, numbers))
                writer.write(b"".join(packets[: len(packets) // 2])[:-100])
                await writer.drain()
                return
            case "changes its size" if index % 10 >= 5:
                picture = large[index % len(large)]
            case "changes its codec" if index >= 5:
                picture = clip(320, 176, "libx265")[index % 20]
            case "sends garbage" if index >= 5:
                noise = np.random.default_rng(index).bytes(5_000)
                picture = [bytes([picture[-1][0]]) + noise]
        writer.write(b"".join(_packets(picture, index, numbers)))
        await writer.drain()
        await asyncio.sleep(1 / FPS)


def _packets(picture: Sequence[bytes], index: int, numbers: Iterator[int]) -> Iterator[bytes]:
    """Each NAL unit of a picture as interleaved RTP packets; a long one in fragments (FU-A)."""
    for place, unit in enumerate(picture):
        is_last = place == len(picture) - 1
        if len(unit) <= _PACKET_BYTES:
            yield _packet(unit, index, next(numbers), is_marked=is_last)
            continue
        pieces = [unit[1:][at : at + _PACKET_BYTES] for at in range(0, len(unit) - 1, _PACKET_BYTES)]
        for order, piece in enumerate(pieces):
            is_end = order == len(pieces) - 1
            header = bytes([unit[0] & 0xE0 | 28, (0x80 if order == 0 else 0) | (0x40 if is_end else 0) | unit[0] & 31])
            yield _packet(header + piece, index, next(numbers), is_marked=is_last and is_end)


def _packet(payload: bytes, index: int, number: int, *, is_marked: bool) -> bytes:
    stamp = index * 90_000 // FPS
    rtp = struct.pack(">BBHII", 0x80, 96 | (0x80 if is_marked else 0), number & 0xFFFF, stamp, 7) + payload
    return struct.pack(">cBH", b"$", 0, len(rtp)) + rtp
