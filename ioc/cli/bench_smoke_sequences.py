"""The labelled sequences of real fires, and the crops of the same cameras where nothing burns."""

from pathlib import Path

from detectors.evaluation import Evaluation, evaluate, totals_of
from detectors.evaluation.models import Folds, smoke_by_site
from detectors.manifest import read_manifest
from ioc.cli.bench_progress import progress
from ioc.cli.bench_table import Bound, Measure, judged
from ioc.cli.smoke_backdrops import require_data

__all__ = ["measure_sequences", "sequence_lines"]

_LEARNT_FROM_THEM = "hpwren"  # these weights have seen the sites: without folds their figures prove nothing
_HOW = "no weight has seen the site"
_HOW_SEEN = "its weights have seen these sites: not judged"
_HOW_RULE = "the rule's numbers were found on sequences of these sites"
_WANTED_POSITIVE = 12
_DETECTED = Bound(floor=9, goal=11, is_upper=False)
_FALSE = Bound(floor=0.6, goal=0.3, unit=" / h")
_WATCHED = Bound(floor=10, goal=12, is_upper=False)
_FALSE_WATCH = Bound(floor=3.0, goal=1.5, unit=" / h")
_CROPS = Bound(floor=1, goal=0)


def measure_sequences(data: Path, model: str, folds: Folds | None) -> list[Measure]:
    """Runs the manifest of the folder `data`; with `folds` each site is judged by weights that never saw it."""
    sequences = read_manifest(require_data(data) / "manifest.csv")
    with progress("labelled sequences", sum(len(one.frames) for one in sequences)) as advance:
        answer = evaluate(
            "smoke", sequences, make_smoke=smoke_by_site(model, folds), on_frame=lambda sequence: advance(1)
        )
    is_seen = folds is None and _LEARNT_FROM_THEM in model
    how = _HOW_RULE if model == "rule" and folds is None else _HOW_SEEN if is_seen else _HOW
    return sequence_lines(answer, how=how, is_judged=not is_seen)


def sequence_lines(answer: Evaluation, *, how: str, is_judged: bool = True) -> list[Measure]:
    """Returns the lines; `how` says what is known of the weights. Another manifest is only shown."""
    results = answer.sequences
    positive = [result for result in results if result.is_positive]
    negative = [result for result in results if not result.is_positive]
    totals, of = totals_of(results), len(positive)
    is_full = is_judged and of == _WANTED_POSITIVE
    hours = totals["camera_hours"]
    rate, watch_rate = totals["false_alarms_per_camera_hour"], totals["false_watch_items_per_camera_hour"]
    again = totals["false_alarms_told_again_per_camera_hour"]
    return [
        judged(
            f"real fires alerted ({how})",
            f"{totals['detected']} of {of}",
            totals["detected"],
            _DETECTED,
            is_full=is_full,
        ),
        judged(
            "the same: false alarms per camera-hour",
            f"{rate:.2f} ({totals['false_alarms']} in {hours:.1f} h; told again every 10 min {again:.2f})",
            rate,
            _FALSE,
            is_full=is_full,
        ),
        judged(
            "real fires on the watch tier",
            f"{totals['watch_detected']} of {of}",
            totals["watch_detected"],
            _WATCHED,
            is_full=is_full,
        ),
        judged(
            "the same: false watch items per camera-hour",
            f"{watch_rate:.2f} ({totals['false_watch_items']} in {hours:.1f} h)",
            watch_rate,
            _FALSE_WATCH,
            is_full=is_full,
        ),
        judged(
            "clean crops that alarm",
            f"{totals['negative_alarmed']} of {len(negative)}; on the watch tier {totals['negative_watched']}",
            totals["negative_alarmed"],
            _CROPS,
            is_full=is_full,
        ),
    ]
