"""RTSP cameras for the benchmark: a clip made once, played at many addresses by a server that is not ours."""

import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.video.stream import VideoStream

from ioc.errors import ConfigurationError, PermanentError
from ioc.opencv import cv2
from ioc.simulate.scenes import Scene, demo_scenes

__all__ = ["RtspServer", "make_clip"]

_ROOT = Path(__file__).resolve().parents[2]
_ENSURE, _SERVE = _ROOT / "deploy" / "ensure-rtsp", _ROOT / "deploy" / "rtsp" / "serve.py"
_SYSTEM_PYTHON = "/usr/bin/python3"  # the one that Debian's bindings of GStreamer are for
_STOP_TIMEOUT_S = 10.0


class RtspServer:
    """GStreamer's RTSP server in a process of its own; plays `clip` at `cameras` addresses on loopback.

    Raises:
        ConfigurationError: it is not on this machine and could not be installed, or this is no checkout of the sources.
    """

    def __init__(self, clip: Path, *, cameras: int) -> None:
        if not _ENSURE.is_file():
            raise ConfigurationError(f"{_ENSURE}: missing; run `make bench` in a checkout of the sources")
        ensured = subprocess.run([str(_ENSURE)], capture_output=True, text=True, check=False)
        if ensured.returncode:
            raise ConfigurationError(" ".join(ensured.stderr.split()))
        self._process = subprocess.Popen(
            [_SYSTEM_PYTHON, str(_SERVE), str(clip), "--cameras", str(cameras)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        word, _, port = self._process.stdout.readline().strip().partition(" ")
        if word != "ready":
            self._process.wait(_STOP_TIMEOUT_S)
            raise PermanentError(f"{_SERVE} did not start")
        self.port = int(port)

    def url(self, number: int) -> str:
        """The address of camera `number`, from 1."""
        return f"rtsp://127.0.0.1:{self.port}/cam-{number:02}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def make_clip(
    path: Path, *, seconds: float, width: int = 1280, height: int = 720, fps: int = 25, mbit_per_s: float = 2.0
) -> None:
    """Writes a Matroska file of H.264 with a keyframe every 2 s: a rendered hillside with a sensor's noise.

    Ten seconds are encoded and then repeated.
    """
    encoded = path.with_suffix(".part.mkv")
    pictures = _pictures(width, height)
    generator = np.random.default_rng(7)
    with av.open(str(encoded), "w") as out:
        stream = out.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate = round(mbit_per_s * 1e6)
        stream.options = {"preset": "ultrafast", "tune": "zerolatency", "g": str(2 * fps), "sc_threshold": "0"}
        for index in range(10 * fps):
            grain = generator.integers(0, 12, (height // 4, width // 4), dtype=np.uint8)
            grain = np.asarray(cv2.resize(grain, (width, height)), dtype=np.uint8)
            image = np.asarray(cv2.add(pictures[index * len(pictures) // (10 * fps)], np.dstack([grain] * 3)))
            frame = av.VideoFrame.from_ndarray(image.astype(np.uint8), format="bgr24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    _repeat(encoded, path, times=max(1, round(seconds / 10 + 0.5)))
    encoded.unlink()


def _pictures(width: int, height: int) -> list[np.ndarray]:
    scene = Scene(demo_scenes(7, width=width, height=height)["cam-01"])
    return [
        np.asarray(cv2.imdecode(np.frombuffer(scene.render_jpeg(index), np.uint8), cv2.IMREAD_COLOR))
        for index in range(3)
    ]


def _repeat(source: Path, target: Path, *, times: int) -> None:
    """Copies packets, without decoding, one run after the other."""
    with av.open(str(target), "w") as out:
        copy: VideoStream | None = None
        offset = 0
        for _ in range(times):
            with av.open(str(source)) as container:
                stream = container.streams.video[0]
                copy = copy or out.add_stream_from_template(stream)
                end = offset
                for packet in container.demux(stream):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts += offset
                    packet.dts += offset
                    end = max(end, packet.dts + (packet.duration or 40))
                    packet.stream = copy
                    out.mux(packet)
                offset = end
