"""Garbage collection and turns of threads, for a process that makes millions of short-lived containers."""

import gc
import sys

__all__ = ["spare_the_collector"]


def spare_the_collector() -> None:
    """Call once everything long-lived is built: it is never scanned again, and young objects are scanned rarely.

    With Python's defaults (700 new containers a scan) a batch of 1,000 events is scanned a dozen times while it lives.
    Half a million is more than half a second's events make: nearly all of them are gone before they would be scanned.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(500_000, 10, 10)
    # Faust's consumer fetches in a thread of its own. At 5 ms a turn the two threads fight for the interpreter.
    sys.setswitchinterval(0.02)
