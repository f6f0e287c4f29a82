"""The answer of `ioc evaluate` for eyes: one line a sequence, and one a threshold."""

from rich.console import Console
from rich.table import Table

from detectors.evaluation import Evaluation, SequenceResult, sweep

__all__ = ["print_answer", "print_thresholds"]

_LEFT = ("sequence", "label", "model")


def print_answer(answer: Evaluation) -> None:
    console = Console()
    results = answer.sequences
    table = _table(
        f"{answer.detector} {answer.version}",
        ("sequence", "label", "frames", "detected", "first watch", "first alarm", "false watch", "false alarms"),
    )
    for result in results:
        table.add_row(*_row(result))
    console.print(table)
    totals = answer.totals()
    console.print(
        f"detected {totals['detected']} of {totals['positive']}; negatives alarmed {totals['negative_alarmed']} of "
        f"{totals['negative']}; {totals['false_alarms_per_camera_hour']} false alarms per camera-hour over "
        f"{totals['camera_hours']} h ({totals['false_alarms_told_again_per_camera_hour']} if told again every 10 "
        f"minutes); {totals['ms_per_frame']} ms per frame"
    )
    console.print(
        f"watch tier: {totals['watch_detected']} of {totals['positive']}; "
        f"{totals['false_watch_items_per_camera_hour']} false items per camera-hour"
    )
    for note in answer.notes:
        console.print(f"Note: {note}.")
    for result in results:
        for path, reason in result.unreadable:
            console.print(f"Unreadable: {path} ({reason})", markup=False, soft_wrap=True)


def print_thresholds(answer: Evaluation) -> None:
    """What other thresholds of the pooled score would have given."""
    table = _table(
        "if every candidate of at least this score were an alarm",
        ("score", "detected", "negatives alarmed", "false / h", "told again / h", "median frames to alarm"),
    )
    for row in sweep(answer.runs):
        wait = row.median_frames_to_alarm
        table.add_row(
            f"{row.score:.2f}",
            str(row.detected),
            str(row.negative_alarmed),
            f"{row.false_alarms_per_camera_hour:.2f}",
            f"{row.told_again_per_camera_hour:.2f}",
            "–" if wait is None else f"{wait:g}",
        )
    Console().print(table)


def _table(title: str, headings: tuple[str, ...]) -> Table:
    table = Table(title=title)
    for heading in headings:
        table.add_column(heading, justify="left" if heading in _LEFT else "right")
    return table


def _row(result: SequenceResult) -> tuple[str, ...]:
    values = result.as_json()
    return (
        result.sequence,
        "positive" if result.is_positive else "negative",
        str(result.frames),
        "yes" if result.alarm.detected else "–",
        *("–" if values[key] is None else str(values[key]) for key in ("first_watch_frame", "first_alarm_frame")),
        str(result.watch.false),
        str(result.alarm.false),
    )
