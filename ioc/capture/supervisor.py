"""Children that read cameras: started, listened to, killed on silence, started again after a pause with jitter.

One child a camera: a stream that hangs, crashes or takes a core does so alone. Measured with 37 cameras, see
deploy/docs/cameras.md.
"""

import asyncio
import contextlib
import logging
import os
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from ioc.capture.child_wire import HEADER, NUMBER_BYTES, Failed, Job, Message, Opened, Still, decode_message, sizes
from ioc.errors import TransientError

__all__ = ["Nursery", "pause_s", "pictures"]

logger = logging.getLogger(__name__)

_BIRTH_TIMEOUT_S = 10.0  # FFmpeg's import takes 0.3 s on a quiet machine
_STOP_TIMEOUT_S = 2.0
_PATIENCE_S = 5.0  # more than the child's own time limits: only one that no longer keeps them is killed
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_NO_PICTURE_S = 30.0  # packets come, and never a picture: at least this long, and six stills' time


def pause_s(failures: int, share: float) -> float:
    """Returns how long to wait after so many failures in a row: doubling from 1 s to 30 s, of which a `share` (0–1,
    drawn at random) of the upper half is left out, so that cameras behind one switch do not come back at once."""
    whole_s: float = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(max(0, failures - 1), 10))
    return whole_s * (1 - share / 2)


@dataclass(frozen=True, slots=True)
class _Child:
    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class Nursery:
    """The process that forks children. Building it starts nothing; it is started anew when it has died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._door: socket.socket | None = None

    @property
    def process_number(self) -> int | None:
        return None if self._process is None else self._process.pid

    async def child(self, job: Job) -> _Child:
        """Returns a child that works on `job`.

        Raises:
            TransientError: it could not be had now.
        """
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self._open_door(), [job.encode()], [theirs.fileno()])
            reader, writer = await asyncio.open_connection(sock=ours)
        except OSError as error:
            ours.close()
            self.close()
            raise TransientError(f"no process could be had for a camera: {error.strerror}") from None
        try:
            number = await asyncio.wait_for(reader.readexactly(NUMBER_BYTES), _BIRTH_TIMEOUT_S)
        except (asyncio.IncompleteReadError, TimeoutError, OSError):
            writer.close()
            raise TransientError("a camera's process did not start") from None
        return _Child(int.from_bytes(number, "big"), reader, writer)

    def end(self, child: _Child) -> None:
        """Kills a child that is still there, whatever state it is in."""
        child.writer.close()
        if self._door is not None:
            with contextlib.suppress(OSError):
                self._door.send(b"kill %d" % child.number)

    def close(self) -> None:
        """Ends the process and with it all children."""
        if self._door is not None:
            self._door.close()
        if self._process is not None:
            try:
                self._process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._door = self._process = None

    def _open_door(self) -> socket.socket:
        if self._door is not None and self._process is not None and self._process.poll() is None:
            return self._door
        self.close()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # Our own settings, some of them secrets, are none of its business.
            environment = {name: text for name, text in os.environ.items() if not name.startswith("IOC_")}
            command = [sys.executable, "-m", "ioc.capture.nursery"]
            self._process = subprocess.Popen(command, stdin=theirs.fileno(), env=environment)
        self._door = ours
        return ours


async def pictures(nursery: Nursery, job: Job, on_message: Callable[[Message], None]) -> AsyncGenerator[Still, None]:
    """Yields a camera's stills until its stream ends; `on_message` sees everything else, at last why it ended.

    The child is killed when it says nothing for longer than its own time limits, or makes no picture.
    """
    try:
        child = await nursery.child(job)
    except TransientError as error:
        on_message(Failed(reason="no_process", detail=str(error)))
        return
    loop = asyncio.get_running_loop()
    limit_s = job.open_timeout_s + _PATIENCE_S
    no_picture_s = max(_NO_PICTURE_S, 6 * job.interval_s)
    seen_s = loop.time()
    try:
        while True:
            message = await asyncio.wait_for(_next(child.reader), limit_s)
            if isinstance(message, Still):
                seen_s = loop.time()
                yield message
                continue
            on_message(message)
            if isinstance(message, Failed):
                return
            if isinstance(message, Opened):
                limit_s, seen_s = job.silence_s + _PATIENCE_S, loop.time()
            if loop.time() - seen_s > no_picture_s:
                on_message(Failed(reason="no_picture"))
                return
    except TimeoutError:
        on_message(Failed(reason="silent"))
    except (asyncio.IncompleteReadError, ValueError, OSError):
        on_message(Failed(reason="crashed"))
    finally:
        nursery.end(child)


async def _next(reader: asyncio.StreamReader) -> Message:
    text_bytes, picture_bytes = sizes(await reader.readexactly(HEADER.size))
    text = await reader.readexactly(text_bytes)
    return decode_message(text, await reader.readexactly(picture_bytes))
