"""Says on a terminal what a benchmark is doing; silent where the output is none."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

__all__ = ["Advance", "progress"]

Advance = Callable[[float], object]


@contextmanager
def progress(text: str, total: float | None = None) -> Iterator[Advance]:
    """Shows a bar of `total` steps, or a pulse where nobody knows how long it takes. Yields what moves it."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bars:
        task = bars.add_task(text, total=total)
        yield lambda steps: bars.advance(task, steps)
