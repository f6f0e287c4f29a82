"""`ioc bench …`: measures the product against its floors, with the peer in the same run."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]

_EXAMPLE_EVENTS = "Example: `ioc bench events --json events.json`. About two minutes; keep the machine quiet."
_EXAMPLE_FRAMES = "Example: `ioc bench frames --json frames.json`. About half a minute."

JsonOption = Annotated[Path | None, typer.Option("--json", help="write the figures to this file")]


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
        from ioc.cli.bench_table import finish

        finish("events", measure_events(count=count, passes=passes), json_)

    @bench.command("frames", epilog=_EXAMPLE_FRAMES)
    def frames(
        json_: JsonOption = None,
        count: Annotated[int, typer.Option(min=20, help="frames of 1280×720")] = 120,
    ) -> None:
        """Frames a second on one core: 1280×720 JPEG in, decoded, through both detectors."""
        from ioc.cli.bench_frames import measure_frames
        from ioc.cli.bench_table import finish

        finish("frames", measure_frames(count=count), json_)

    app.add_typer(bench)
