"""What a benchmark found, as a table, as a JSON file, and as an exit code."""

import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from ioc.errors import IocError

__all__ = ["Bound", "Measure", "attempted", "finish", "judged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What a value must reach, and what we want of it. `unit` follows the number, like ` × peer`."""

    floor: float | None
    goal: float | None
    unit: str = ""
    is_upper: bool = True

    def allows(self, value: float) -> bool:
        return self.floor is None or self._reaches(value, self.floor)

    def reaches_goal(self, value: float) -> bool:
        return self.goal is not None and self._reaches(value, self.goal)

    def _reaches(self, value: float, bound: float) -> bool:
        return value <= bound if self.is_upper else value >= bound

    def text(self, value: float | None) -> str:
        if value is None:
            return ""
        digits = f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"
        return f"{'≤' if self.is_upper else '≥'} {digits}{self.unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One line of a benchmark. `is_met` None: reported, without a floor."""

    name: str
    figure: str
    peer: str = ""
    ratio: float | None = None
    floor: str = ""
    goal: str = ""
    is_met: bool | None = None
    is_goal: bool | None = None


def judged(
    name: str, figure: str, value: float, bound: Bound, *, peer: str = "", is_ratio: bool = False, is_full: bool = True
) -> Measure:
    """Returns a line whose `value` is held against `bound`; a scaled-down run (`is_full` false) judges nothing."""
    return Measure(
        name=name,
        figure=figure,
        peer=peer,
        ratio=round(value, 3) if is_ratio else None,
        floor=bound.text(bound.floor),
        goal=bound.text(bound.goal),
        is_met=bound.allows(value) if is_full and bound.floor is not None else None,
        is_goal=bound.reaches_goal(value) if is_full else None,
    )


def attempted(name: str, measure: Callable[[], list[Measure]]) -> list[Measure]:
    """Returns what `measure` finds; a failure is a line that missed its floor, so that the rest can follow."""
    try:
        return measure()
    except IocError as error:
        return [Measure(name=name, figure=f"failed: {error}", floor="runs", is_met=False)]


def finish(name: str, measures: Sequence[Measure], json_: Path | None) -> None:
    """Prints the table, writes the JSON file, and exits 1 where a floor was missed."""
    when = datetime.now(UTC).date().isoformat()
    machine = f"{platform.machine()}, {_cores()} cores, CPython {platform.python_version()}"
    table = Table(title=f"ioc bench {name} · {when} · {machine}", title_justify="left")
    for column in ("what", "product", "peer", "ratio", "floor", "goal", ""):
        table.add_column(column)
    for measure in measures:
        ratio = "" if measure.ratio is None else f"{measure.ratio:.2f}"
        table.add_row(measure.name, measure.figure, measure.peer, ratio, measure.floor, measure.goal, _mark(measure))
    Console(width=150).print(table)
    is_met = all(measure.is_met is not False for measure in measures)
    if json_ is not None:
        content = {
            "bench": name,
            "date": when,
            "machine": machine,
            "met": is_met,
            "measures": [asdict(measure) for measure in measures],
        }
        json_.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    if not is_met:
        raise typer.Exit(1)


def _mark(measure: Measure) -> str:
    if measure.is_met is False:
        return "MISSED"
    met = "" if measure.is_met is None else "met"
    return f"{met} goal".strip() if measure.is_goal else met


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
