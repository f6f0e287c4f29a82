"""`python -m ioc.capture.nursery`: loads FFmpeg once, then forks a child for each camera that it is asked for.

A fork of a process that has FFmpeg in it costs a millisecond and shares its memory; starting Python anew for each
camera would cost 0.2 s and 30 MB. The nursery does nothing else, has no threads, and never talks to a camera itself.

Its standard input is a local socket. One datagram with a `Job` and the descriptor of the child's own socket asks for a
child, which first says its number there; a datagram `kill NUMBER` ends it. When the socket closes, all children end.
"""

import contextlib
import ctypes
import os
import resource
import select
import signal
import socket

from ioc.capture.child_wire import MAX_JOB_BYTES, NUMBER_BYTES, Job, Message, encode_message
from ioc.capture.stream_reader import read_stream, say_failure

__all__ = ["main"]

_REAP_EVERY_S = 0.5
_CHILD_ADDRESS_SPACE_BYTES = 2 * 1024**3  # a stream that announces a giant picture ends its child, not the machine
_PR_SET_PDEATHSIG = 1


def main() -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)  # the parent says when: by closing the socket
    _die_with_parent()
    door = socket.socket(fileno=0)
    children: set[int] = set()
    while True:
        ready, _, _ = select.select([door], [], [], _REAP_EVERY_S)
        _reap(children)
        if not ready:
            continue
        request, descriptors, _, _ = socket.recv_fds(door, MAX_JOB_BYTES, 1)
        if not request:
            break
        if request.startswith(b"kill "):
            number = int(request.removeprefix(b"kill "))
            if number in children:  # not reaped yet, so the number is still its own
                os.kill(number, signal.SIGKILL)
            continue
        children.add(_fork(Job.decode(request), descriptors[0], door))
    for number in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def _fork(job: Job, descriptor: int, door: socket.socket) -> int:
    number = os.fork()
    if number == 0:
        status = 1
        try:
            door.close()
            _die_with_parent()
            resource.setrlimit(resource.RLIMIT_AS, (_CHILD_ADDRESS_SPACE_BYTES, _CHILD_ADDRESS_SPACE_BYTES))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold the address
            _child(job, socket.socket(fileno=descriptor))
            status = 0
        finally:
            os._exit(status)
    os.close(descriptor)
    return number


class _NobodyListens(Exception):
    pass


def _child(job: Job, out: socket.socket) -> None:
    def say(message: Message) -> None:
        try:
            out.sendall(encode_message(message))
        except OSError:
            raise _NobodyListens from None

    out.sendall(os.getpid().to_bytes(NUMBER_BYTES, "big"))
    try:
        read_stream(job, say)
    except _NobodyListens:  # the parent has closed its end
        return
    except Exception as error:  # whatever it is, its kind is told and the parent decides
        with contextlib.suppress(_NobodyListens):
            say(say_failure(error))


def _reap(children: set[int]) -> None:
    while children:
        number, _ = os.waitpid(-1, os.WNOHANG)  # never blocks, and raises only where there are none
        if not number:
            return
        children.discard(number)


def _die_with_parent() -> None:
    """Linux: the kernel ends us when the parent ends, however it ends."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
