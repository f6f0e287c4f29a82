"""A video file as one camera: a still every so many seconds of the video's own time."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from ioc.capture.pacing import Pacer
from ioc.capture.stills import CapturedStill, Tally, check_id
from ioc.clock import Clock
from ioc.errors import ConfigurationError
from ioc.frames import MAX_FRAME_SIDE_PX
from ioc.opencv import cv2

__all__ = ["VideoSource"]

logger = logging.getLogger(__name__)

JPEG_QUALITY = 90  # of 100; OpenCV's own 95 makes files half as large again for no visible gain


@dataclass(frozen=True, slots=True)
class _Sample:
    jpeg: bytes
    at_s: float


class VideoSource:
    """One camera that sees a local video file, a still every `interval_s` of the video's own time.

    `captured_at` is the clock when the still is read, or `starts_at` plus the video's own time where that is given.
    """

    total: int | None = None  # what a file says of its length is often wrong
    warnings: tuple[str, ...] = ()

    def __init__(
        self,
        path: Path | str,
        *,
        camera_id: str,
        pose_id: str,
        interval_s: float,
        clock: Clock,
        pacer: Pacer,
        starts_at: datetime | None = None,
    ) -> None:
        if not 0 < interval_s <= 86_400:
            raise ConfigurationError(f"--interval {interval_s:g}s is out of range: more than 0 and at most a day")
        self._path = _local_file(path)
        self._camera_id, self._pose_id = check_id(camera_id, "--camera"), check_id(pose_id, "--pose")
        self._interval_s, self._clock, self._pacer, self._starts_at = interval_s, clock, pacer, starts_at
        self.tally = Tally([camera_id])

    async def stills(self) -> AsyncGenerator[CapturedStill, None]:
        # One thread of its own opens, reads and closes: OpenCV's capture must not be closed under a running read.
        with_thread = ThreadPoolExecutor(1, thread_name_prefix="ioc-video")
        loop = asyncio.get_running_loop()
        reader = _Reader(self._path, self._interval_s)
        try:
            async with aclosing(self._pacer.slots()) as slots:
                async for slot in slots:
                    sample = await loop.run_in_executor(with_thread, reader.next, slot.is_missed)
                    if sample is None:
                        return
                    if slot.is_missed:
                        self.tally.of(self._camera_id).skipped += 1
                        continue
                    yield self._still(sample, slot.step)
        finally:
            with_thread.submit(reader.close)
            with_thread.shutdown(wait=False)

    def _still(self, sample: _Sample, sequence: int) -> CapturedStill:
        at = self._clock() if self._starts_at is None else self._starts_at + timedelta(seconds=sample.at_s)
        return CapturedStill(
            camera_id=self._camera_id,
            pose_id=self._pose_id,
            jpeg=sample.jpeg,
            captured_at=at,
            sequence=sequence,
            is_replay=self._pacer.is_every_frame or self._starts_at is not None,
        )


class _Reader:
    """Samples a video; every method blocks, and all are called from one thread."""

    def __init__(self, path: Path, interval_s: float) -> None:
        self._path, self._interval_s = path, interval_s
        self._capture: cv2.VideoCapture | None = None
        self._fps = 0.0
        self._frames_read = 0
        self._samples = 0

    def next(self, is_missed: bool) -> _Sample | None:
        """The next sample (without its pixels when it was missed), or None at the end."""
        if self._capture is None:
            self._capture = self._open()
        due_s = self._samples * self._interval_s
        while True:
            if not self._capture.grab():
                self._check_not_empty()
                return None
            at_s = self._position_s(self._capture)
            self._frames_read += 1
            if at_s + 1e-6 < due_s:
                continue
            self._samples += 1
            if is_missed:
                return _Sample(b"", at_s)
            is_read, image = self._capture.retrieve()
            if not is_read:
                continue
            is_encoded, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            assert is_encoded, "a decoded picture always encodes"
            return _Sample(jpeg.tobytes(), at_s)

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()

    def _open(self) -> "cv2.VideoCapture":
        # The FFmpeg reader alone: others treat a name with % as a pattern of files.
        capture = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)
        width, height = (capture.get(prop) for prop in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if not capture.isOpened():
            raise ConfigurationError(f"{self._path}: can't be read as a video; give an MP4, MKV, AVI or MOV file")
        if max(width, height) > MAX_FRAME_SIDE_PX:
            capture.release()
            raise ConfigurationError(
                f"{self._path}: its picture of {width:.0f}×{height:.0f} is over {MAX_FRAME_SIDE_PX} pixels a side; "
                "make it smaller first"
            )
        self._fps = capture.get(cv2.CAP_PROP_FPS)
        return capture

    def _position_s(self, capture: "cv2.VideoCapture") -> float:
        """Own time of the frame just grabbed; a file that keeps none is timed by its frame rate (else 25)."""
        stamp_s = float(capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
        if stamp_s > 0 or self._frames_read == 0:
            return max(0.0, stamp_s)
        return self._frames_read / (self._fps if 0 < self._fps <= 1000 else 25.0)

    def _check_not_empty(self) -> None:
        if self._frames_read == 0:
            raise ConfigurationError(f"{self._path}: holds no picture; give another video file")


def _local_file(path: Path | str) -> Path:
    text = str(path)  # not a Path yet: that would turn rtsp:// into rtsp:/
    if "://" in text or text.lower().startswith(("rtsp:", "http:", "https:")):
        raise ConfigurationError(
            "ioc capture video reads local files; for an RTSP camera use: ioc capture rtsp, and for a still address: "
            "ioc capture snapshot"
        )
    if not Path(path).is_file():
        raise ConfigurationError(f"{path}: no such video file; check the path")
    return Path(path).resolve()
