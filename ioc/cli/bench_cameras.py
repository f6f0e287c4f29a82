"""`ioc bench cameras`: what is asked of the cameras (capture, health, place), part by part."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from ioc.cli.bench_table import Measure, attempted
from ioc.errors import ConfigurationError

__all__ = ["PARTS", "camera_parts", "measure_cameras"]


def _capture(is_quick: bool) -> list[Measure]:
    from ioc.cli.bench_cameras_capture import measure_capture

    return measure_capture(seconds=15.0 if is_quick else 40.0)


def _health(is_quick: bool) -> list[Measure]:
    from ioc.cli.bench_cameras_health import measure_health

    return measure_health(is_quick=is_quick)


def _place(is_quick: bool) -> list[Measure]:
    from ioc.cli.bench_cameras_place import measure_place

    return measure_place(trials=400, groupings=20) if is_quick else measure_place()


PARTS: Mapping[str, Callable[[bool], list[Measure]]] = {"capture": _capture, "health": _health, "place": _place}
"""Each part by its name; called with whether a sample is enough."""


def camera_parts(text: str | None) -> tuple[str, ...]:
    """Returns the parts of a list with commas, in their natural order; all of them for None.

    Raises:
        ConfigurationError: a part that does not exist.
    """
    wanted = {name.strip() for name in (text or "").split(",") if name.strip()} or set(PARTS)
    unknown = sorted(wanted - set(PARTS))
    if unknown:
        raise ConfigurationError(f"--only {unknown[0]!r}: choose from {', '.join(PARTS)}, with commas between")
    return tuple(part for part in PARTS if part in wanted)


def measure_cameras(*, parts: Sequence[str], is_quick: bool = False) -> list[Measure]:
    """Returns the lines of these parts; one that fails is a line that missed its floor, and the rest follow."""
    return [line for part in parts for line in attempted(part, partial(PARTS[part], is_quick))]
