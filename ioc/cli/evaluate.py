"""`ioc evaluate smoke | construction`: a detector over labelled sequences."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from detectors.evaluation import EvaluatedName, Evaluation, MakeSmoke, Witness
    from detectors.manifest import LabelledSequence

__all__ = ["register"]

ManifestOption = Annotated[
    Path, typer.Option("--manifest", help="CSV with path,label,sequence,site,frame,order,bbox[,interval_s]")
]
OutOption = Annotated[Path | None, typer.Option("--out", help="write the answer to this file, as JSON")]
JsonOption = Annotated[bool, typer.Option("--json", help="print the answer as JSON instead of a table")]
ReportOption = Annotated[
    Path | None,
    typer.Option("--report", help="write a page with pictures, boxes, masks and reasons to this HTML file"),
]

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


def evaluate_smoke(
    manifest: ManifestOption,
    out: OutOption = None,
    as_json: JsonOption = False,
    model: Annotated[
        str | None,
        typer.Option("--model", help="free, hpwren, rule or a file of weights; else the setting smoke_model"),
    ] = None,
    folds: Annotated[
        Path | None,
        typer.Option("--folds", help="JSON of training: which weights judge which site (cross-validation)"),
    ] = None,
    report: ReportOption = None,
    has_table: Annotated[bool, typer.Option("--table", help="add what other thresholds of the score give")] = False,
) -> None:
    """Detected sequences, false alarms per camera-hour and time of the smoke detector."""
    from detectors.evaluation.models import read_folds, smoke_by_site
    from ioc.settings import load_settings

    _require_folder("--out", out)
    _require_folder("--report", report)
    make = smoke_by_site(model or load_settings().smoke_model, read_folds(folds) if folds else None)
    sequences = _sequences(manifest)
    if report is None:
        answer = _with_progress("smoke", sequences, make_smoke=make)
    else:
        from ioc.cli.evaluate_report import Reporter

        reporter = Reporter()
        answer = _with_progress("smoke", sequences, make_smoke=make, witness=reporter.witness)
        _write("--report", report, reporter.page(answer))
    _tell(answer, out, as_json, has_table=has_table)


def evaluate_construction(
    manifest: ManifestOption, out: OutOption = None, as_json: JsonOption = False, report: ReportOption = None
) -> None:
    """The same of the construction detector: the first frame of a sequence is its reference."""
    _require_folder("--out", out)
    _require_folder("--report", report)
    sequences = _sequences(manifest)
    if report is None:
        answer = _with_progress("construction", sequences)
    else:
        from ioc.cli.evaluate_report import Reporter

        reporter = Reporter()
        answer = _with_progress("construction", sequences, witness=reporter.witness)
        _write("--report", report, reporter.page(answer))
    _tell(answer, out, as_json, has_table=False)


def _sequences(manifest: Path) -> "tuple[LabelledSequence, ...]":
    from detectors.manifest import read_manifest

    return read_manifest(manifest)


def _require_folder(option: str, path: Path | None) -> None:
    from ioc.errors import ConfigurationError

    if path is not None and not path.absolute().parent.is_dir():
        raise ConfigurationError(
            f"{option} {path}: the folder {path.absolute().parent} does not exist; create it first"
        )


def _tell(answer: "Evaluation", out: Path | None, as_json: bool, *, has_table: bool) -> None:
    import orjson

    from detectors.evaluation import sweep

    content = answer.as_json()
    if has_table:
        content["thresholds"] = [row.as_json() for row in sweep(answer.runs)]
    text = orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()
    if out is not None:
        _write("--out", out, text + "\n")
    if as_json:
        print(text)
    else:
        from ioc.cli.evaluate_table import print_answer, print_thresholds

        print_answer(answer)
        if has_table:
            print_thresholds(answer)


def _write(option: str, path: Path, text: str) -> None:
    from ioc.errors import ConfigurationError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{option} {path}: can't be written ({error.strerror}); choose another file") from None


def _with_progress(
    name: "EvaluatedName",
    sequences: "tuple[LabelledSequence, ...]",
    *,
    make_smoke: "MakeSmoke | None" = None,
    witness: "Witness" = lambda run, look, image, detector: None,
) -> "Evaluation":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from detectors.evaluation import evaluate
    from detectors.evaluation.models import smoke_by_site

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=sum(len(sequence.frames) for sequence in sequences))
        return evaluate(
            name,
            sequences,
            make_smoke=make_smoke or smoke_by_site("rule"),
            on_frame=lambda sequence: progress.update(task, advance=1, description=sequence),
            witness=witness,
        )
