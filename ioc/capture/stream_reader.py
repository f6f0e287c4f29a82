"""One camera's stream, read by FFmpeg: stills at a rate, with as little decoding as possible. Runs in a child process.

Between two stills packets are read and dropped undecoded. A still is made of the first keyframe after it falls due;
only where keyframes are further apart than the stills are all reference frames decoded. MJPEG is passed on as it came.
Whatever libav does here (hang, crash, take a core), the parent is not in it.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import av.error
from av.codec.context import Flags
from av.container import InputContainer
from av.packet import Packet as AnyPacket
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ioc.capture.child_wire import Alive, Failed, Job, Message, Opened, Still
from ioc.frames import MAX_FRAME_BYTES, MAX_FRAME_SIDE_PX

__all__ = ["StreamError", "read_stream", "say_failure"]

_ALIVE_EVERY_S = 1.0
_LATE_KEYFRAMES = 1.5  # of the interval: keyframes this far apart would halve the rate of stills
_MAX_BAD_PICTURES = 8  # in a row: a stream that changed its codec, or garbage; connecting anew tells which
_PROTOCOLS = "rtsp,rtsps,rtp,tcp,udp,tls"  # a camera that leads to a file or a pipe is refused
_JPEG_RANGE = 2  # AVCOL_RANGE_JPEG: full range, 0–255
_VIDEO_RANGE = 1  # AVCOL_RANGE_MPEG: 16–235, what a camera means that says nothing


if TYPE_CHECKING:
    Packet = AnyPacket[VideoStream]


class StreamError(Exception):
    """The stream can't go on; `reason` is one of `ioc.capture.reasons`."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail


def say_failure(error: Exception) -> Failed:
    """Returns why a stream ended. FFmpeg's own sentences name the address, so only their kind is passed on."""
    if isinstance(error, StreamError):
        return Failed(reason=error.reason, detail=error.detail)
    for kinds, reason in _REASONS:
        if isinstance(error, kinds):
            return Failed(reason=reason, detail=type(error).__name__)
    return Failed(reason="bad_stream", detail=type(error).__name__)


_REASONS: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError), "unauthorized"),
    ((av.error.HTTPNotFoundError, av.error.HTTPBadRequestError), "not_found"),
    ((av.error.ExitError, TimeoutError), "timeout"),
    ((av.error.EOFError,), "ended"),
    ((ConnectionError,), "unreachable"),
    ((av.error.InvalidDataError, MemoryError), "bad_stream"),
    ((OSError,), "unreachable"),
)


def read_stream(job: Job, say: Callable[[Message], None], *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
    """Tells `say` what it sees, until the stream ends.

    Raises:
        StreamError: the stream ended, or can't be used. av.error.FFmpegError, OSError: FFmpeg gave up.
    """
    began_s = monotonic_s()
    with _open(job, monotonic_s) as container:
        if not container.streams.video:
            raise StreamError("no_video")
        stream = container.streams.video[0]
        context = stream.codec_context
        _check_size(context.width, context.height)
        say(
            Opened(
                codec=context.name,
                width=context.width,
                height=context.height,
                fps=round(float(stream.average_rate or stream.guessed_rate or 0), 2),
                open_s=round(monotonic_s() - began_s, 3),
            )
        )
        _sample(container, stream, job, say, monotonic_s)


def _open(job: Job, monotonic_s: Callable[[], float]) -> InputContainer:
    began_s = monotonic_s()
    options = {
        "protocol_whitelist": _PROTOCOLS,
        "rtsp_transport": job.transport,
        "allowed_media_types": "video",
        # The description says what is sent; a look at the first pictures would only make them old.
        "analyzeduration": "1",
        "fpsprobesize": "0",
    }
    try:
        return av.open(job.url, options=options, timeout=(job.open_timeout_s, job.silence_s))
    except av.error.InvalidDataError as error:
        # What FFmpeg says also where its time limit ended the talk.
        is_late = monotonic_s() - began_s >= 0.95 * job.open_timeout_s
        raise StreamError("timeout" if is_late else "not_rtsp", type(error).__name__) from None


def _sample(
    container: InputContainer,
    stream: VideoStream,
    job: Job,
    say: Callable[[Message], None],
    monotonic_s: Callable[[], float],
) -> None:
    maker = _StillMaker(stream.codec_context, job.jpeg_scale)
    due_s = monotonic_s() + job.phase_s
    rhythm = _Rhythm(say)
    for packet in _packets(container, stream):
        now_s = monotonic_s()
        rhythm.note(packet, now_s)
        is_due = now_s >= due_s
        is_dense = not job.is_keyframes_only and rhythm.key_gap_s > _LATE_KEYFRAMES * job.interval_s
        if not maker.wants(packet, is_due=is_due, is_dense=is_dense):
            continue
        still = maker.still(packet, now_s, is_due=is_due)
        if still is not None:
            say(still)
            due_s += job.interval_s * max(1, int((now_s - due_s) / job.interval_s) + 1)


def _packets(container: InputContainer, stream: VideoStream) -> "Iterator[Packet]":
    for packet in container.demux(stream):
        if not packet.size:
            raise StreamError("ended")
        yield packet


@dataclass(slots=True)
class _Rhythm:
    """Tells once a second that packets come, and how far apart keyframes are."""

    say: Callable[[Message], None]
    key_gap_s: float = 0.0
    _packets: int = 0
    _key_at_s: float | None = None
    _said_at_s: float = 0.0

    def note(self, packet: "Packet", now_s: float) -> None:
        self._packets += 1
        if packet.is_keyframe:
            if self._key_at_s is not None:
                self.key_gap_s = now_s - self._key_at_s
            self._key_at_s = now_s
        elif self._key_at_s is not None:
            self.key_gap_s = max(self.key_gap_s, now_s - self._key_at_s)
        if now_s - self._said_at_s >= _ALIVE_EVERY_S:
            self._said_at_s = now_s
            self.say(Alive(packets=self._packets, key_gap_s=round(self.key_gap_s, 2)))


class _StillMaker:
    """Packets to JPEG. Keeps the decoder, and an encoder for the size that the stream has now."""

    def __init__(self, decoder: VideoCodecContext, jpeg_scale: int) -> None:
        self._decoder, self._jpeg_scale = decoder, jpeg_scale
        self._codec = decoder.name
        self._is_jpeg = decoder.name == "mjpeg"
        decoder.thread_count = 1
        decoder.flags |= Flags.low_delay
        decoder.skip_frame = "NONKEY"
        decoder.options = {"err_detect": "explode"}  # a picture with holes in it is no picture
        self._is_dense = False
        self._has_reference = False
        self._bad_in_a_row = 0

    def wants(self, packet: "Packet", *, is_due: bool, is_dense: bool) -> bool:
        """Whether this packet has to be decoded. `is_dense`: keyframes are too rare for the rate of stills."""
        if self._is_jpeg:
            return is_due
        if is_dense != self._is_dense:
            self._is_dense, self._has_reference = is_dense, False
            self._decoder.flush_buffers()
            self._decoder.skip_frame = "NONREF" if is_dense else "NONKEY"
        if packet.is_keyframe:
            self._has_reference = True
        return self._has_reference if is_dense else is_due and bool(packet.is_keyframe)

    def still(self, packet: "Packet", now_s: float, *, is_due: bool) -> Still | None:
        """Returns the packet's picture where one is due; None while the decoder has none.

        Raises:
            StreamError: many pictures in a row could not be read, or the picture's size is out of bounds.
        """
        if self._is_jpeg:
            return self._passed_on(bytes(packet), now_s)
        try:
            frame = self._decoded(packet)
        except av.error.FFmpegError as error:
            self._bad_in_a_row += 1
            self._decoder.flush_buffers()
            self._has_reference = False
            if self._bad_in_a_row >= _MAX_BAD_PICTURES:
                raise StreamError("bad_stream", type(error).__name__) from None
            return None
        self._bad_in_a_row = 0
        if frame is None or not is_due:
            return None
        _check_size(frame.width, frame.height)
        jpeg = self._encoded(frame)
        return Still(jpeg=jpeg, at_s=now_s, codec=self._codec, width=frame.width, height=frame.height)

    def _decoded(self, packet: "Packet") -> VideoFrame | None:
        frames = self._decoder.decode(packet)
        if not frames and not self._is_dense:
            # A decoder that waits to put pictures in order holds a lone keyframe back: ask for what it has.
            frames = self._decoder.decode(None)
            self._decoder.flush_buffers()
        return frames[-1] if frames else None

    def _passed_on(self, jpeg: bytes, now_s: float) -> Still:
        if len(jpeg) > MAX_FRAME_BYTES:
            raise StreamError("frame_too_large")
        width, height = self._decoder.width, self._decoder.height
        return Still(jpeg=jpeg, at_s=now_s, codec=self._codec, width=width, height=height)

    def _encoded(self, frame: VideoFrame) -> bytes:
        # One encoder a picture: 0.1 ms beside the 5 of encoding, and a change of size needs no thought.
        encoder = av.CodecContext.create("mjpeg", "w")
        assert isinstance(encoder, VideoCodecContext)
        encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "yuvj420p"
        encoder.time_base, encoder.color_range, encoder.thread_count = Fraction(1, 25), _JPEG_RANGE, 1
        encoder.qmin = encoder.qmax = self._jpeg_scale
        source_range = frame.color_range or _VIDEO_RANGE
        whole = frame.reformat(format="yuvj420p", src_color_range=source_range, dst_color_range=_JPEG_RANGE)
        whole.pts, whole.time_base, whole.color_range = 0, encoder.time_base, _JPEG_RANGE
        return b"".join(bytes(packet) for packet in (*encoder.encode(whole), *encoder.encode(None)))


def _check_size(width: int, height: int) -> None:
    if max(width, height) > MAX_FRAME_SIDE_PX:
        raise StreamError("frame_size", f"{width}×{height}")
