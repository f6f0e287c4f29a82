"""A benchmark of several parts: `--only` names some, and those that need a data folder say so where there is none."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

from ioc.cli.bench_table import Measure, attempted
from ioc.errors import ConfigurationError

__all__ = ["measured_parts", "parts_of"]


def parts_of(only: str | None, titles: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the parts of a comma-separated list, all of `titles` for None.

    Raises:
        ConfigurationError: a name that is no part.
    """
    names = tuple(titles) if only is None else tuple(name.strip() for name in only.split(",") if name.strip())
    for name in names:
        if name not in titles:
            raise ConfigurationError(f"--only {name}: there is no such part; there are {', '.join(titles)}")
    return names


def measured_parts(
    parts: Sequence[str],
    runs: Mapping[str, Callable[[Path], list[Measure]]],
    titles: Mapping[str, str],
    *,
    needs_data: Collection[str],
    data: Path | None,
) -> list[Measure]:
    """Runs the parts in their order; one that fails is a line that missed, one that can't run here says so."""
    measures: list[Measure] = []
    for name in parts:
        if name in needs_data and data is None:
            missing = "not measured: no folder given with --data"
            measures.append(Measure(name=f"{name}: {titles[name]}", figure=missing))
        else:
            measures += attempted(name, partial(runs[name], data or Path()))
    return measures
