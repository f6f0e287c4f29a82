"""`ioc evaluate smoke | construction`: a detector over labelled sequences."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from detectors.evaluation import EvaluatedName, Evaluation
    from detectors.manifest import LabelledSequence

__all__ = ["register"]

ManifestOption = Annotated[
    Path, typer.Option("--manifest", help="CSV with path,label,sequence,site,frame,order,bbox[,interval_s]")
]
OutOption = Annotated[Path | None, typer.Option("--out", help="write the answer to this file, as JSON")]
JsonOption = Annotated[bool, typer.Option("--json", help="print the answer as JSON instead of a table")]

_EPILOG = (
    "Example: ioc evaluate smoke --manifest smoke/manifest.csv --out smoke.json. "
    "Paths are relative to the manifest; rows are ordered by the number in column frame; a row is positive when its "
    "label is the detector's name; a frame lasts interval_s (60 s when the column is missing)."
)


def register(app: typer.Typer) -> None:
    """Adds `ioc evaluate smoke` and `ioc evaluate construction`."""
    commands = typer.Typer(no_args_is_help=True, help="Run a detector over labelled sequences and score it.")
    commands.command("smoke", epilog=_EPILOG)(evaluate_smoke)
    commands.command("construction", epilog=_EPILOG.replace("smoke", "construction"))(evaluate_construction)
    app.add_typer(commands, name="evaluate")


def evaluate_smoke(manifest: ManifestOption, out: OutOption = None, as_json: JsonOption = False) -> None:
    """Detected sequences, false alarms per camera-hour and time of the smoke detector."""
    _run("smoke", manifest, out, as_json)


def evaluate_construction(manifest: ManifestOption, out: OutOption = None, as_json: JsonOption = False) -> None:
    """The same of the construction detector: the first frame of a sequence is its reference."""
    _run("construction", manifest, out, as_json)


def _run(name: "EvaluatedName", manifest: Path, out: Path | None, as_json: bool) -> None:
    import orjson

    from detectors.manifest import read_manifest
    from ioc.errors import ConfigurationError

    if out is not None and not out.absolute().parent.is_dir():
        raise ConfigurationError(f"--out {out}: the folder {out.absolute().parent} does not exist; create it first")
    answer = _with_progress(name, read_manifest(manifest))
    text = orjson.dumps(answer.as_json(), option=orjson.OPT_INDENT_2).decode()
    if out is not None:
        try:
            out.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"--out {out}: can't be written ({error.strerror}); choose another file") from None
    if as_json:
        print(text)
    else:
        _print_table(answer)


def _with_progress(name: "EvaluatedName", sequences: "tuple[LabelledSequence, ...]") -> "Evaluation":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from detectors.evaluation import evaluate

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=sum(len(sequence.frames) for sequence in sequences))
        return evaluate(
            name, sequences, on_frame=lambda sequence: progress.update(task, advance=1, description=sequence)
        )


def _print_table(answer: "Evaluation") -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=f"{answer.detector} {answer.version}")
    for heading in ("sequence", "label", "frames", "detected", "first watch", "first alarm", "false alarms", "alarms"):
        table.add_column(heading, justify="left" if heading in ("sequence", "label") else "right")
    for result in answer.sequences:
        values = result.as_json()
        table.add_row(
            result.sequence,
            "positive" if result.is_positive else "negative",
            str(result.frames),
            "yes" if result.detected else "–",
            *("–" if values[key] is None else str(values[key]) for key in ("first_watch_frame", "first_alarm_frame")),
            str(result.false_alarms),
            str(result.alarms),
        )
    console.print(table)
    totals = answer.totals()
    console.print(
        f"detected {totals['detected']} of {totals['positive']}; negatives alarmed {totals['negative_alarmed']} of "
        f"{totals['negative']}; {totals['false_alarms_per_camera_hour']} false alarms per camera-hour over "
        f"{totals['camera_hours']} h; {totals['ms_per_frame']} ms per frame"
    )
    for note in answer.notes:
        console.print(f"Note: {note}.")
    for result in answer.sequences:
        for path, reason in result.unreadable:
            console.print(f"Unreadable: {path} ({reason})", markup=False, soft_wrap=True)
