"""Garbage collection and turns of threads, for a process that makes millions of short-lived containers."""

import asyncio
import contextlib
import ctypes
import gc
import sys
from collections.abc import Callable

__all__ = ["collect_garbage_forever", "one_arena", "spare_the_collector"]

_INTERVAL_S = 10.0
_M_ARENA_MAX = -8  # of malloc.h


def one_arena() -> None:
    """Call before threads begin: glibc gives each an arena of its own, and rows that outgrow one another leave holes in
    all of them. The interpreter lets one thread run at a time, so one arena is enough."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def spare_the_collector() -> None:
    """Call once everything long-lived is built: it is never scanned again, and nothing is scanned by itself any more.

    Nearly all that we make dies by its reference count. What waits in memory under load - half a million containers of
    fetched records - was scanned again and again: 120 ms a time, 1.6 µs of CPU an event. The few cycles that libraries
    make are collected by `collect_garbage_forever`, now and then.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    # Faust's consumer fetches in a thread of its own. At 5 ms a turn the two threads fight for the interpreter.
    sys.setswitchinterval(0.02)


async def collect_garbage_forever() -> None:
    """Collects cycles now and then, and gives memory that a backlog needed back to the system.

    Rows are bytes and text, which the collector does not look into.
    """
    trim = _malloc_trim()
    while True:
        await asyncio.sleep(_INTERVAL_S)
        gc.collect()
        trim(0)


def _malloc_trim() -> Callable[[int], int]:
    """glibc's own; other C libraries give memory back by themselves, or have no way to ask."""
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return lambda padding: 0
    return found
