"""`ioc bench …`: measures the product against its floors, with the peer in the same run."""

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Measure", "finish", "register"]

_EXAMPLE_EVENTS = "Example: `ioc bench events --json events.json`. About two minutes; keep the machine quiet."
_EXAMPLE_FRAMES = "Example: `ioc bench frames --json frames.json`. About half a minute."

JsonOption = Annotated[Path | None, typer.Option("--json", help="write the figures to this file")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One line of a benchmark. `is_met` None: reported, without a floor."""

    name: str
    figure: str
    peer: str = ""
    ratio: float | None = None
    floor: str = ""
    is_met: bool | None = None


def register(app: typer.Typer) -> None:
    bench = typer.Typer(name="bench", help="Benchmarks with their floors; exit 1 below one.", no_args_is_help=True)

    @bench.command("events", epilog=_EXAMPLE_EVENTS)
    def events(
        json_: JsonOption = None,
        count: Annotated[int, typer.Option(min=10_000, help="events of each mix")] = 200_000,
        passes: Annotated[int, typer.Option(min=1, help="the median of this many is taken")] = 3,
    ) -> None:
        """CPU of the events agent per event, in ratio to plain aiokafka that decodes and counts the same records."""
        from ioc.cli.bench_events import measure_events

        finish("events", measure_events(count=count, passes=passes), json_)

    @bench.command("frames", epilog=_EXAMPLE_FRAMES)
    def frames(
        json_: JsonOption = None,
        count: Annotated[int, typer.Option(min=20, help="frames of 1280×720")] = 120,
    ) -> None:
        """Frames a second on one core: 1280×720 JPEG in, decoded, through both detectors."""
        from ioc.cli.bench_frames import measure_frames

        finish("frames", measure_frames(count=count), json_)

    app.add_typer(bench)


def finish(name: str, measures: Sequence[Measure], json_: Path | None) -> None:
    """Prints the table, writes the JSON file, and exits 1 where a floor was missed."""
    from rich.console import Console
    from rich.table import Table

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
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
