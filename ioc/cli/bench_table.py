"""What a benchmark found, as a table, as a JSON file, and as an exit code."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

__all__ = ["Measure", "finish"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One line of a benchmark. `is_met` None: reported, without a floor."""

    name: str
    figure: str
    peer: str = ""
    ratio: float | None = None
    floor: str = ""
    is_met: bool | None = None


def finish(name: str, measures: Sequence[Measure], json_: Path | None) -> None:
    """Prints the table, writes the JSON file, and exits 1 where a floor was missed."""
    when = datetime.now(UTC).date().isoformat()
    machine = f"{platform.machine()}, {_cores()} cores, CPython {platform.python_version()}"
    table = Table(title=f"ioc bench {name} · {when} · {machine}", title_justify="left")
    for column in ("what", "product", "peer", "ratio", "floor", ""):
        table.add_column(column)
    for measure in measures:
        mark = "" if measure.is_met is None else ("met" if measure.is_met else "MISSED")
        ratio = "" if measure.ratio is None else f"{measure.ratio:.2f}"
        table.add_row(measure.name, measure.figure, measure.peer, ratio, measure.floor, mark)
    Console(width=130).print(table)
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


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
