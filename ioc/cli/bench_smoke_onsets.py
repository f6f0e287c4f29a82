"""Fires with a known beginning on real backgrounds: how soon each tier sees them, and what it raises for nothing."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from detectors.evaluation import Look, MakeSmoke
from detectors.evaluation.models import Folds, smoke_by_site
from detectors.evaluation.onsets import OnsetResult, onset_result, share_within
from detectors.preprocess import decode_jpeg
from ioc.cli.bench_progress import Advance, progress
from ioc.cli.bench_table import Bound, Measure, judged
from ioc.cli.smoke_backdrops import CLIP, read_backdrops, require_data
from ioc.cli.smoke_onset import LEAST_CONTRAST, STILL_SEEN_AFTER
from ioc.simulate.composites import Backdrop, ClipSmoke, Composite, Ramped, Smoke, SmokeClip, read_clip
from ioc.simulate.plume import Plume

__all__ = ["Fire", "fires", "measure_onsets", "watch_fire"]

FIRST_SEED = 1_000_000  # tuning uses seeds below 10,000 and never these
_EACH = 6  # fires on each backdrop
_FULL = 60
_PLAIN_FRAMES = 90
_AFTER_FRAMES = 14
_TRIES = 40
_START = datetime(2026, 1, 1, 2, tzinfo=UTC)
_WITHIN = {"floor": (4, 8), "goal": (2, 5)}
_SEEN = Bound(floor=0.75, goal=0.95, is_upper=False)
_FALSE = Bound(floor=1.0, goal=0.3, unit=" / h")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fire:
    """One composite. `onset` is its first frame with smoke that a person would point at, None where nothing burns."""

    name: str
    composite: Composite
    frames: int
    onset: int | None
    kind: str


def fires(backdrops: Sequence[Backdrop], clip: SmokeClip, *, each: int = _EACH, seed: int = FIRST_SEED) -> list[Fire]:
    """Returns `each` fires on every backdrop, by turns of the filmed and of drawn smoke."""
    return [
        _fire(backdrop, clip, seed=seed + 1000 * place + number, is_filmed=number % 2 == 0)
        for place, backdrop in enumerate(backdrops)
        for number in range(each)
    ]


def _fire(backdrop: Backdrop, clip: SmokeClip, *, seed: int, is_filmed: bool) -> Fire:
    """Draws until the smoke can be told from its background."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 7]))
    for _ in range(_TRIES):
        ignition = int(rng.integers(12, 20))
        smoke = _smoke(rng, backdrop, clip, is_filmed=is_filmed)
        composite = Composite(backdrop, smoke, seed=seed, ignition=ignition)
        onset = next((i for i in range(ignition, ignition + 8) if _is_seen(composite, i)), None)
        if onset is not None and composite.contrast(onset + STILL_SEEN_AFTER) >= LEAST_CONTRAST:
            break
    else:
        raise AssertionError(f"no visible smoke on {backdrop.name} in {_TRIES} draws")
    kind = "filmed" if is_filmed else "drawn"
    name = f"{backdrop.name}-{seed}-{kind}"
    return Fire(name=name, composite=composite, frames=onset + _AFTER_FRAMES, onset=onset, kind=kind)


def _is_seen(composite: Composite, index: int) -> bool:
    return composite.box(index) is not None and composite.contrast(index) >= LEAST_CONTRAST


def _smoke(rng: np.random.Generator, backdrop: Backdrop, clip: SmokeClip, *, is_filmed: bool) -> Smoke:
    height, width = backdrop.frames[0].shape[:2]
    left, top, right, bottom = backdrop.ground
    at = (float(rng.uniform(left, right)) * width, float(rng.uniform(top, bottom)) * height)
    rise = float(np.exp(rng.uniform(np.log(0.09), np.log(0.38))))  # of the picture's height, when grown
    lean = float(rng.choice([-1, 1])) * float(rng.uniform(0.0, 1.4))
    warmth = float(rng.uniform(-0.02, 0.05))
    tint = (1.0 - warmth, 1.0, 1.0 + warmth) if not _is_grey(backdrop) else (1.0, 1.0, 1.0)
    grey = float(rng.uniform(150, 225))
    smoke: Smoke
    if is_filmed:
        smoke = ClipSmoke(
            clip,
            at=at,
            size=(width, height),
            rise_px=rise * height,
            spread=float(rng.uniform(1.0, 2.2)),
            lean=lean,
            step=int(rng.integers(9, 17)),
            grey=grey,
            tint=tint,
        )
    else:
        darker = grey / 198
        smoke = Plume(
            rng,
            anchor_x=at[0],
            anchor_y=at[1],
            width=width,
            height=height,
            scale=rise / 0.27,
            growth=float(rng.uniform(0.6, 1.6)),
            tint=(tint[0] * darker, tint[1] * darker, tint[2] * darker),
            wind=lean,
        )
    return Ramped(smoke=smoke, most=float(rng.uniform(0.35, 1.0)), ramp_min=float(rng.uniform(0.5, 4.0)))


def _is_grey(backdrop: Backdrop) -> bool:
    first = backdrop.frames[0].astype(np.int16)
    return float(np.abs(first[..., 0] - first[..., 2]).mean()) < 2.0


def watch_fire(fire: Fire, make: MakeSmoke) -> OnsetResult:
    """Shows the fire to a new detector, one frame a minute, each through its JPEG."""
    backdrop = fire.composite.backdrop
    _, detector = make(backdrop.site)
    looks = []
    for index in range(fire.frames):
        at = _START + timedelta(minutes=index)
        seen = detector.observe(decode_jpeg(fire.composite.render_jpeg(index)), at)
        box = fire.composite.box(index) if fire.onset is not None and index >= fire.onset else None
        labels = () if box is None else (box,)
        looks.append(Look(number=index, at=at, interval_s=60.0, labels=labels, seen=seen))
    return onset_result(fire.name, backdrop.site, looks, fire.onset)


def measure_onsets(data: Path, model: str, folds: Folds | None, *, each: int = _EACH) -> list[Measure]:
    """Returns the lines of the composites on the backdrops of the folder `data`."""
    place = require_data(data)
    backdrops = read_backdrops(place)
    burning = fires(backdrops, read_clip(place / CLIP), each=each)
    plain = [
        Fire(
            name=f"{backdrop.name}-plain",
            composite=Composite(backdrop, None, seed=FIRST_SEED + 500_000 + n),
            frames=_PLAIN_FRAMES * each // _EACH,
            onset=None,
            kind="plain",
        )
        for n, backdrop in enumerate(backdrops)
    ]
    with progress("composite onsets", len(burning) + len(plain)) as advance:
        results = list(_watched([*burning, *plain], smoke_by_site(model, folds), advance))
    return _lines(burning, results, is_full=len(burning) >= _FULL)


def _watched(all_: Sequence[Fire], make: MakeSmoke, advance: Advance) -> Iterator[OnsetResult]:
    for fire in all_:
        yield watch_fire(fire, make)
        advance(1)


def _lines(burning: Sequence[Fire], results: Sequence[OnsetResult], *, is_full: bool) -> list[Measure]:
    seen = results[: len(burning)]
    hours = sum(result.hours for result in results)
    false = sum(result.false_alarms for result in results)
    told = sum(result.told_again for result in results)
    watch = sum(result.false_watch_items for result in results)
    places = len({fire.composite.backdrop.name for fire in burning})
    sites = len({fire.composite.backdrop.site for fire in burning})
    floor, goal = (share_within(seen, watch=w, alarm=a) for w, a in _WITHIN.values())
    of_kind = [
        f"{kind} {sum(_is_in(r, 'floor') for r in own)} of {len(own)}"
        for kind in ("filmed", "drawn")
        if (own := [r for fire, r in zip(burning, seen, strict=True) if fire.kind == kind])
    ]
    name = f"composite onsets on real backgrounds ({len(seen)}; {places} views of {sites} sites)"
    return [
        judged(
            f"{name}: watch item within 4 frames and alert within 8",
            f"{floor * len(seen):.0f} of {len(seen)} ({floor:.0%}); {', '.join(of_kind)}",
            floor,
            Bound(floor=_SEEN.floor, goal=None, is_upper=False),
            is_full=is_full,
        ),
        judged(
            f"{name}: within 2 and 5",
            f"{goal * len(seen):.0f} of {len(seen)} ({goal:.0%}); median watch "
            f"{_median([r.watch_after for r in seen])}, alert {_median([r.alarm_after for r in seen])} frames",
            goal,
            Bound(floor=None, goal=_SEEN.goal, is_upper=False),
            is_full=is_full,
        ),
        judged(
            "the same: false alarms per camera-hour",
            f"{false / hours:.2f} ({false} in {hours:.1f} h; told again every 10 min {told / hours:.2f}; "
            f"watch items {watch / hours:.2f})",
            false / hours,
            _FALSE,
            is_full=is_full,
        ),
    ]


def _is_in(result: OnsetResult, name: str) -> bool:
    watch, alarm = _WITHIN[name]
    return share_within([result], watch=watch, alarm=alarm) == 1.0


def _median(values: Sequence[int | None]) -> str:
    found = [value for value in values if value is not None]
    return f"{statistics.median(found):g} ({len(found)} seen)" if found else "– (0 seen)"
