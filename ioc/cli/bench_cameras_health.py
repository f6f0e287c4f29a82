"""The part of `ioc bench cameras` about their health: are faults found in time, and is weather never called a fault?

Faults of the picture are laid over rendered scenes in sun, fog, rain and at night; a camera that goes offline and a
clock that is wrong are told from when frames come. Seeds are from 1,000,000 on, never looked at while tuning.
"""

import copy
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from ioc.camera_presence import CLOCK_SKEW, CameraPresence
from ioc.catalog.cameras import Camera
from ioc.cli.bench_table import Bound, Measure, judged
from ioc.incidents import OFFLINE
from ioc.simulate.camera_faults import FAULTS, CameraFault, FaultyScene
from ioc.simulate.scenes import Scene
from ioc.simulate.variety import CONDITIONS, condition_spec, quiet_week_specs

__all__ = ["Found", "false_incidents", "found_in_pictures", "measure_health"]

_SEED = 1_000_000
_T0 = datetime(2026, 11, 22, 0, tzinfo=UTC)
_KNOWN_FRAMES = 40  # a frame a minute before the fault begins
_WITHIN = 5  # minutes
_SIZE = (640, 360)
_QUIET_SIZE = (320, 180)  # what the detector makes of any picture: quick to draw, and no kinder to it
_CAMERAS, _WEEK_FRAMES = 37, 7 * 24 * 60
_QUICK_FRAMES = (300, 900)  # of the quick sample: from before dawn to the afternoon
_FOUND = Bound(floor=0.90, goal=0.99, is_upper=False)
_FOUND_OF_A_KIND = Bound(floor=None, goal=0.99, is_upper=False)
_FALSE = Bound(floor=5, goal=0)
_SPRAYED = {"sprayed": "covered"}  # for the product it is the same thing


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Of one fault: as what it was told within five minutes; "" where it was not told."""

    kind: str
    condition: str
    told: str

    @property
    def is_right(self) -> bool:
        return self.told == _SPRAYED.get(self.kind, self.kind)


def measure_health(*, seeds: int = 6, is_quick: bool = False, seed: int = _SEED) -> list[Measure]:
    """Returns the lines of the table: `seeds` scenes in each of four conditions, each with every fault."""
    found = [*found_in_pictures(2 if is_quick else seeds, seed), *_found_in_arrivals(4 * seeds, seed)]
    kinds = sorted({_SPRAYED.get(one.kind, one.kind) for one in found})
    return [
        _line("faults found within 5 minutes, all nine kinds", found, _FOUND, not is_quick),
        *(_line(f"of them {kind}", [one for one in found if _is(one, kind)], _FOUND_OF_A_KIND, True) for kind in kinds),
        *(
            _line(f"of them in {weather}", [one for one in found if one.condition == weather], _FOUND_OF_A_KIND, True)
            for weather in CONDITIONS
        ),
        _quiet(is_quick, seed),
    ]


def _is(one: Found, kind: str) -> bool:
    return _SPRAYED.get(one.kind, one.kind) == kind


def _line(name: str, found: Sequence[Found], bound: Bound, is_full: bool) -> Measure:
    right = sum(one.is_right for one in found)
    other = sum(bool(one.told) and not one.is_right for one in found)
    figure = f"{right} of {len(found)}" + (f", {other} more under another name" if other else "")
    return judged(f"health: {name}", figure, right / max(1, len(found)), bound, is_full=is_full)


# ---- faults of the picture -------------------------------------------------------------------------------------------


def found_in_pictures(seeds: int, seed: int) -> Iterator[Found]:
    """Yields what became of each fault: every kind over `seeds` scenes in every condition."""
    from detectors.camera_health import CameraHealthDetector

    for number in range(seed, seed + seeds):
        for condition in CONDITIONS:
            scene = Scene(condition_spec(condition, number, width=_SIZE[0], height=_SIZE[1]))
            health = CameraHealthDetector()
            for index in range(_KNOWN_FRAMES):
                health.observe(scene.render(index), _at(index))
            rng = np.random.default_rng(number)
            for kind in FAULTS:
                strength = float(rng.uniform(0.4, 1.0))
                fault = CameraFault(kind=kind, start_frame=_KNOWN_FRAMES, strength=strength, seed=number)
                told = _told(copy.deepcopy(health), FaultyScene(scene, fault).render)
                yield Found(kind=kind, condition=condition, told=told)


def _told(health: object, render: Callable[[int], object]) -> str:
    for index in range(_KNOWN_FRAMES, _KNOWN_FRAMES + _WITHIN + 1):
        seen = health.observe(render(index), _at(index))  # type: ignore[attr-defined]  # a detector; imported late
        alarms = [candidate.label for candidate in seen.candidates if candidate.tier == "alarm"]
        if alarms:
            return str(alarms[0])
    return ""


def _at(index: int) -> datetime:
    return _T0 + timedelta(minutes=index)


# ---- what no picture shows -------------------------------------------------------------------------------------------


def _found_in_arrivals(trials: int, seed: int) -> Iterator[Found]:
    """Cameras that fall silent, or whose clock jumps, among others that are well; one frame in 5 to 60 s."""
    rng = np.random.default_rng(seed)
    for label in (OFFLINE, CLOCK_SKEW):
        for _ in range(trials):
            every_s = float(rng.choice([5, 15, 30, 60]))
            off_s = float(rng.choice([-1, 1]) * np.exp(rng.uniform(np.log(90), np.log(50_000))))
            yield Found(kind=label, condition="", told=_arrival_fault(label, every_s, off_s, rng))


def _arrival_fault(label: str, every_s: float, off_s: float, rng: np.random.Generator) -> str:
    names = [f"cam-{number}" for number in range(6)]
    presence = CameraPresence({name: Camera(camera_id=name, name_vi=name, poses={}) for name in names})
    begins = 1200.0
    due = {name: float(rng.uniform(0, every_s)) for name in names}
    for second in np.arange(0.0, begins + _WITHIN * 60 + 1, 5.0):
        now = _T0 + timedelta(seconds=float(second))
        for name in names:
            is_faulty = name == names[0] and second >= begins
            while due[name] <= second:
                sent = _T0 + timedelta(seconds=due[name] + float(rng.uniform(0, 1)))
                due[name] += every_s
                if is_faulty and label == OFFLINE:
                    continue
                wrong = timedelta(seconds=off_s if is_faulty else float(rng.normal(0, 1)))
                presence.saw(name, "p0", captured_at=sent + wrong, published_at=sent, at=now)
        told = [each.label for each in presence.told(now) if each.tier == "alarm" and each.camera_id == names[0]]
        if told and second >= begins:
            return told[0]
    return ""


# ---- nothing but weather ---------------------------------------------------------------------------------------------


def _quiet(is_quick: bool, seed: int) -> Measure:
    numbers = range(0, _CAMERAS, 10) if is_quick else range(_CAMERAS)
    frames = _QUICK_FRAMES if is_quick else (0, _WEEK_FRAMES)
    with ProcessPoolExecutor(max_workers=1 if is_quick else os.cpu_count()) as pool:
        answers = list(pool.map(false_incidents, numbers, [frames] * len(numbers), [seed] * len(numbers)))
    told = sum(answers, Counter[str]())
    looked = (frames[1] - frames[0]) * len(numbers)
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(told.items()))
    figure = f"{told.total()} in {looked:,} frames of {len(numbers)} cameras" + (f" ({kinds})" if kinds else "")
    name = "health: false incidents, 37 cameras, one week" + (" (a sample)" if is_quick else "")
    return judged(name, figure, told.total(), _FALSE, is_full=not is_quick)


def false_incidents(number: int, frames: tuple[int, int], seed: int) -> Counter[str]:
    """Returns the incidents by kind that camera `number` of a quiet week raises between two frames."""
    from detectors.camera_health import CameraHealthDetector
    from ioc.opencv import cv2

    cv2.setNumThreads(1)
    scene = Scene(quiet_week_specs(_CAMERAS, seed, width=_QUIET_SIZE[0], height=_QUIET_SIZE[1])[number])
    health = CameraHealthDetector()
    told: Counter[str] = Counter()
    standing = ""
    for index in range(*frames):
        for candidate in health.observe(scene.render(index), _at(index)).candidates:
            if candidate.tier == "alarm" and candidate.label != standing:
                told[candidate.label] += 1
            standing = candidate.label if candidate.tier == "alarm" else ""
    return told
