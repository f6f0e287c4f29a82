"""A file, a pipe or a terminal as pieces of bytes, read as they come and given up at once when asked to stop."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator

__all__ = ["read_chunks"]

_CHUNK_BYTES = 64 * 1024


async def read_chunks(descriptor: int, stop: asyncio.Event) -> AsyncIterator[bytes]:
    """Yields what the open file `descriptor` holds, until its end or until `stop` is set.

    Threads are not used: one that waits for a silent pipe can't be told to end.
    """
    can_wait = not stat.S_ISREG(os.fstat(descriptor).st_mode)
    while not stop.is_set():
        if can_wait:
            can_wait = await _until_readable(descriptor, stop)
            if stop.is_set():
                return
        chunk = os.read(descriptor, _CHUNK_BYTES)
        if not chunk:
            return
        yield chunk
        await asyncio.sleep(0)  # the producer's own task sends meanwhile


async def _until_readable(descriptor: int, stop: asyncio.Event) -> bool:
    """Returns False where the kind of file (like /dev/null) is always readable and can't be waited for."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    try:
        loop.add_reader(descriptor, readable.set)
    except PermissionError:
        return False
    waits = [asyncio.ensure_future(readable.wait()), asyncio.ensure_future(stop.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        loop.remove_reader(descriptor)
        for wait in waits:
            wait.cancel()
    return True
