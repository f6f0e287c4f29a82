"""Calls that block, each in a daemon thread of its own: one that hangs must not hold up the service's end."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

__all__ = ["in_daemon_thread"]

_T = TypeVar("_T")


def in_daemon_thread(
    work: Callable[[], _T], *, name: str, expected: tuple[type[Exception], ...]
) -> "asyncio.Future[_T]":
    """A future of `work()`. Errors of the `expected` types come out of it; another one ends the thread loudly."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_T] = loop.create_future()

    def settle(outcome: Callable[[], None]) -> None:
        if not future.done():
            outcome()

    def run() -> None:
        try:
            value = work()
        except expected as error:
            failure = error
            outcome: Callable[[], None] = lambda: future.set_exception(failure)  # noqa: E731  (bound before it is gone)
        else:
            outcome = lambda: future.set_result(value)  # noqa: E731
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
