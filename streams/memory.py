"""Garbage collection, set for a process that makes millions of short-lived containers and few cycles."""

import gc

__all__ = ["spare_the_collector"]


def spare_the_collector() -> None:
    """Call once everything long-lived is built: it is never scanned again, and young objects are scanned rarely.

    With Python's defaults (700 new containers a scan) a batch of 1,000 events is scanned a dozen times while it lives.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
