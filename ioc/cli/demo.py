"""`ioc demo`: a whole province in a box, with one command."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from ioc.cli.options import JsonOption
from ioc.errors import ConfigurationError

__all__ = ["register"]

_EXAMPLE = (
    "Example: `ioc demo --for 60s --summary out.json`, or with your own pictures: `ioc demo --frames DIR --for 120s`"
)
_UNATTENDED_S = 60.0


def register(app: typer.Typer) -> None:
    @app.command("demo", epilog=_EXAMPLE)
    def demo(
        for_: Annotated[str | None, typer.Option("--for", help="end after this long, like 60s or 5m")] = None,
        frames: Annotated[
            Path | None, typer.Option(help="real pictures: each subfolder is registered as a camera for the run")
        ] = None,
        summary: Annotated[Path | None, typer.Option(help="write what happened to this JSON file")] = None,
        seed: Annotated[int, typer.Option(help="decides everything that chance decides")] = 7,
        plume: Annotated[bool, typer.Option("--plume/--no-plume", help="smoke before cam-01")] = True,
        building: Annotated[bool, typer.Option("--building/--no-building", help="a house rises before cam-02")] = True,
        rate: Annotated[float, typer.Option(min=0, help="department events a second")] = 50.0,
        fps: Annotated[
            float | None, typer.Option(min=0.05, max=30, help="frames a second and camera; else chosen to fit the time")
        ] = None,
        picture: Annotated[Path | None, typer.Option(help="draw the last view to this SVG file")] = None,
        state: Annotated[
            Path | None, typer.Option(help="keep data, logs and pictures here; else a temporary folder is removed")
        ] = None,
        as_json: JsonOption = False,
    ) -> None:
        """Broker, worker, on-call, cameras and departments of a simulated province; Ctrl-C ends everything.

        Without a terminal and without --for it ends after 60 s. The time counts from when everything is ready: the
        first run also fetches Kafka (46 MB). Exit code 1 where a part of the demo died.
        """
        from ioc.cli.capture import parse_duration_s
        from ioc.cli.demo_run import Demo, DemoPlan
        from ioc.cli.demo_view import LiveView, draw_picture

        is_terminal = sys.stdout.isatty() and not as_json
        seconds = parse_duration_s(for_, "--for") if for_ else (None if is_terminal else _UNATTENDED_S)
        if frames is not None and not frames.is_dir():
            raise ConfigurationError(
                f"--frames {frames}: no such folder; give one whose subfolders hold a camera's JPEGs"
            )
        if summary is not None and not summary.resolve().parent.is_dir():
            raise ConfigurationError(f"--summary {summary}: its folder does not exist; make it first")
        plan = DemoPlan(
            seconds=seconds,
            frames=frames,
            seed=seed,
            plume=plume,
            building=building,
            rate=rate,
            fps=fps,
            state=state,
        )
        run = Demo(plan)
        with LiveView(is_terminal=is_terminal, is_silent=as_json) as view:
            result = asyncio.run(run.run(view.show))
        if summary is not None:
            summary.write_text(json.dumps(result.as_json(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        if picture is not None:
            draw_picture(result, picture)
        if as_json:
            print(json.dumps(result.as_json(), ensure_ascii=False))
        else:
            view.end(result)
        if result.failure:
            print(f"ioc: {result.failure}", file=sys.stderr)
            raise typer.Exit(1)
