"""Rendered scenes, which ship with the product: nuisances, plumes, and a quiet day of 37 cameras.

Their seeds are from a million on; tuning uses seeds below 10,000 and has never seen these.
"""

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from detectors.base import Detector, Observation
from detectors.evaluation import Look
from detectors.evaluation.incidents import false_incidents, told_again
from detectors.evaluation.models import Folds, smoke_by_site
from detectors.evaluation.onsets import OnsetResult, onset_result, share_within
from detectors.preprocess import decode_jpeg
from ioc.cli.bench_progress import Advance, progress
from ioc.cli.bench_table import Bound, Measure, judged
from ioc.cli.smoke_onset import onset_of
from ioc.detections import Box
from ioc.simulate.nuisances import NUISANCES, nuisance_specs
from ioc.simulate.scenes import Scene, SceneSpec
from ioc.simulate.variety import quiet_day_specs, varied_spec

__all__ = ["CameraDay", "measure_day", "measure_nuisances", "measure_plumes", "watch_day"]

FIRST_SEED = 1_000_000
_DAY_SEED = 1_000  # quiet_day_specs makes seeds of a thousand times that
_SIZE = (640, 360)
_FRAMES = 40
_EACH = 24
_PLUMES = 100
_CAMERAS, _DAY_FRAMES = 37, 1_440
_PROCESSES = 2
_START = datetime(2026, 1, 1, tzinfo=UTC)
_ALARMED = Bound(floor=0.10, goal=0.02)
_ALERTS = Bound(floor=5, goal=1)


def measure_nuisances(model: str, folds: Folds | None, *, each: int = _EACH) -> list[Measure]:
    """Shows every kind of nuisance `each` times, 40 frames each, and counts the sequences that alarm."""
    make = smoke_by_site(model, folds)
    alarmed = dict.fromkeys(NUISANCES, 0)
    watched = dict.fromkeys(NUISANCES, 0)
    with progress("nuisances", len(NUISANCES) * each) as advance:
        for place, kind in enumerate(NUISANCES):
            for number in range(each):
                spec = nuisance_specs(kind, FIRST_SEED + 1000 * place + number, width=_SIZE[0], height=_SIZE[1])
                tiers = _tiers(make("")[1], Scene(spec), _FRAMES)
                alarmed[kind] += "alarm" in tiers
                watched[kind] += bool(tiers)
                advance(1)
    count, total = sum(alarmed.values()), each * len(NUISANCES)
    kinds = [
        Measure(
            name=f"of it: {kind.replace('_', ' ')}",
            figure=f"{alarmed[kind]} of {each} alarm, {watched[kind]} on the watch tier",
        )
        for kind in NUISANCES
    ]
    return [
        judged(
            f"rendered nuisances that alarm ({len(NUISANCES)} kinds × {each})",
            f"{count} of {total} ({count / total:.1%})",
            count / total,
            _ALARMED,
            is_full=each >= 20,
        ),
        *kinds,
    ]


def measure_plumes(model: str, folds: Folds | None, *, count: int = _PLUMES) -> list[Measure]:
    """Rendered plumes of every size, thickness, distance and light; reported, without a floor."""
    make = smoke_by_site(model, folds)
    results: list[OnsetResult] = []
    unseen = 0
    with progress("rendered plumes", count) as advance:
        for number in range(count):
            spec = varied_spec(FIRST_SEED + 100_000 + number, width=_SIZE[0], height=_SIZE[1])
            onset = onset_of(spec, within=_FRAMES - 10 - spec.plume_start_frame)
            advance(1)
            if onset is None:
                unseen += 1
                continue
            results.append(_watch_plume(make("")[1], spec, onset))
    floor, goal = (share_within(results, watch=w, alarm=a) for w, a in ((4, 8), (2, 5)))
    false, hours = sum(r.false_alarms for r in results), sum(r.hours for r in results)
    ever = sum(r.alarm_after is not None for r in results)
    return [
        Measure(
            name=f"rendered plumes ({len(results)}; {unseen} more that nobody could see)",
            figure=f"within 4 and 8 frames {floor:.0%}, within 2 and 5 {goal:.0%}, alerted at last {ever}; "
            f"{false / max(hours, 1e-9):.2f} false alarms / h",
        )
    ]


def measure_day(model: str, folds: Folds | None, *, is_quick: bool = False) -> list[Measure]:
    """A day of 37 cameras, one frame a minute, in two processes. `is_quick`: 6 cameras, nothing judged."""
    specs = quiet_day_specs(_CAMERAS, _DAY_SEED, width=_SIZE[0], height=_SIZE[1])[: 6 if is_quick else _CAMERAS]
    started = time.perf_counter()
    with progress("quiet day: cameras", len(specs)) as advance:
        days = list(_days(specs, model, folds, advance))
    hours = sum(day.frames for day in days) / 60
    alerts, watch = sum(day.alerts for day in days), sum(day.watch_items for day in days)
    blind = sum(day.blind for day in days)
    frames = sum(day.frames for day in days)
    took_min = (time.perf_counter() - started) / 60
    sample = f"sample of {len(specs)} cameras: not the whole result; " if is_quick else ""
    return [
        judged(
            f"quiet rendered day ({len(specs)} cameras, {frames:,} frames): smoke alerts",
            f"{alerts} ({sample}told again every 10 min {sum(day.told_again for day in days)}; watch items {watch}, "
            f"{watch / hours:.3f} / h; not looking {blind / frames:.1%} of the time; {took_min:.0f} min)",
            alerts,
            _ALERTS,
            is_full=not is_quick,
        ),
        *(
            Measure(name=f"of it: camera {day.seed}", figure=f"{day.alerts} alerts, first at {day.first_at}")
            for day in sorted(days, key=lambda day: -day.alerts)
            if day.alerts
        ),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraDay:
    """One camera's day. `blind`: frames on which the detector was not looking, and said so."""

    seed: int
    frames: int
    alerts: int
    watch_items: int
    told_again: int
    blind: int
    first_at: str


def watch_day(spec: SceneSpec, model: str, folds: Folds | None, frames: int = _DAY_FRAMES) -> CameraDay:
    """Shows a camera's day, through its JPEGs, to a new detector."""
    scene = Scene(spec)
    detector = smoke_by_site(model, folds)("")[1]
    alarms: list[tuple[datetime, Box]] = []
    shown: list[tuple[datetime, Box]] = []
    blind = 0
    for index in range(frames):
        at = _START + timedelta(minutes=index)
        seen = detector.observe(decode_jpeg(scene.render_jpeg(index)), at)
        blind += seen.state in ("suspended", "warming_up")
        shown += [(at, candidate.box) for candidate in seen.candidates]
        alarms += [(at, candidate.box) for candidate in seen.candidates if candidate.tier == "alarm"]
    return CameraDay(
        seed=spec.seed,
        frames=frames,
        alerts=len(false_incidents(alarms, ())),
        watch_items=len(false_incidents(shown, ())),
        told_again=told_again(alarms, ()),
        blind=blind,
        first_at=f"{alarms[0][0]:%H:%M}" if alarms else "",
    )


def _days(specs: Sequence[SceneSpec], model: str, folds: Folds | None, advance: Advance) -> Iterator[CameraDay]:
    with ProcessPoolExecutor(_PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        running = [pool.submit(watch_day, spec, model, folds) for spec in specs]
        for done in as_completed(running):
            advance(1)
            yield done.result()


def _tiers(detector: Detector, scene: Scene, frames: int) -> set[str]:
    tiers: set[str] = set()
    for index in range(frames):
        tiers |= {candidate.tier for candidate in _shown(detector, scene, index).candidates}
    return tiers


def _shown(detector: Detector, scene: Scene, index: int) -> Observation:
    return detector.observe(decode_jpeg(scene.render_jpeg(index)), _START + timedelta(minutes=index))


def _watch_plume(detector: Detector, spec: SceneSpec, onset: int) -> OnsetResult:
    scene = Scene(spec)
    looks = []
    for index in range(min(_FRAMES, onset + 15)):
        box = scene.plume_box(index) if index >= onset else None
        looks.append(
            Look(
                number=index,
                at=_START + timedelta(minutes=index),
                interval_s=60.0,
                labels=() if box is None else (box,),
                seen=_shown(detector, scene, index),
            )
        )
    return onset_result(str(spec.seed), "rendered", looks, onset)
