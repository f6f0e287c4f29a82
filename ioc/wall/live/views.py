"""Which views a television shows, and for how long each. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["OVERVIEW", "Program", "program_of", "slice_of"]

OVERVIEW, FIGURES, CAMERAS, MAP = "overview", "figures", "cameras", "map"
_FIXED = (OVERVIEW, FIGURES, CAMERAS, MAP)
_DURATION = re.compile(r"(\d{1,4})(s|m)?", re.ASCII)
MIN_ROTATE_S, MAX_ROTATE_S = 5.0, 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """`every_s` None: the first view stays."""

    views: tuple[str, ...]
    every_s: float | None


def program_of(view: str, rotate: str, families: Sequence[str]) -> Program:
    """Returns what `?view=overview,cameras&rotate=30s` asks for. A view that does not exist is left out; without one
    there is the overview, or, where views rotate, every view. A rotation below 5 s is 5 s."""
    known = (*_FIXED, *families)
    asked = tuple(dict.fromkeys(name for name in view.split(",") if name in known))
    match = _DURATION.fullmatch(rotate)
    if match is None:
        return Program(views=asked or (OVERVIEW,), every_s=None)
    seconds = float(match[1]) * (60 if match[2] == "m" else 1)
    return Program(views=asked or known, every_s=min(max(seconds, MIN_ROTATE_S), MAX_ROTATE_S))


def slice_of(count: int, size: int, turn: int) -> tuple[int, int]:
    """Returns (begin, end) of the part of `count` things that is shown the `turn`-th time, `size` at once."""
    pages = max(1, -(-count // size))
    begin = turn % pages * size
    return begin, min(begin + size, count)
