"""What a frame costs one core, and what a camera pose costs in memory."""

import gc
import sys
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from detectors.evaluation.models import Folds, smoke_by_site
from detectors.preprocess import decode_jpeg
from detectors.smoke.network import WORKING_WIDTH_PX
from ioc.cli.bench_process import run_child, write_result
from ioc.cli.bench_progress import progress
from ioc.cli.bench_smoke_onsets import fires
from ioc.cli.bench_table import Bound, Measure, judged
from ioc.cli.smoke_backdrops import CLIP, read_backdrops, require_data
from ioc.opencv import cv2
from ioc.simulate.composites import Composite, read_clip
from ioc.simulate.scenes import Scene, SceneSpec

__all__ = ["measure_memory", "measure_speed"]

_SIZE = (1280, 720)
_WARM_UP = 15
_FRAMES = 60
_POSES = 100
_POSE_FRAMES = 14
_SPEED = Bound(floor=37.0, goal=80.0, unit=" frames/s", is_upper=False)
_MEMORY = Bound(floor=12.0, goal=6.0, unit=" MB")
_START = datetime(2026, 1, 1, tzinfo=UTC)
_MEGABYTE = 1e6


def measure_speed(model: str, folds: Folds | None, data: Path | None) -> list[Measure]:
    """Frames a second of CPU, JPEG of 1280×720 in and decision out, quiet and smoky; the mean over the streams.

    Decoded as the worker does: at half the size, which is all that the detector looks at.
    """
    cv2.setNumThreads(1)
    cost_ms: dict[str, float] = {}
    streams = dict(_rendered())
    if data is not None:
        streams.update(_real(data))
    with progress("smoke: speed", len(streams)) as advance:
        for name, pictures in streams.items():
            cost_ms[name] = _cost_ms(pictures, model, folds)
            advance(1)
    mean_ms = sum(cost_ms.values()) / len(cost_ms)
    what = "real and rendered" if data is not None else "rendered"
    return [
        judged(
            f"1280×720 JPEG in, decision out, one core ({what} frames, quiet and smoky)",
            f"{1000 / mean_ms:.1f} frames/s ({mean_ms:.1f} ms)",
            1000 / mean_ms,
            _SPEED,
        ),
        *(Measure(name=f"of it: {name}", figure=f"{cost:.1f} ms a frame") for name, cost in cost_ms.items()),
    ]


def measure_memory(model: str) -> list[Measure]:
    """Resident memory of a process for each of a hundred poses of 1280×720; model and libraries are not counted."""
    arguments = ["-m", "ioc.cli.bench_smoke_speed", model]
    each_mb = run_child("memory of a pose", arguments, timeout_s=600)["each_mb"]
    return [judged(f"memory per camera pose ({_POSES} poses)", f"{each_mb:.1f} MB", each_mb, _MEMORY)]


def _cost_ms(pictures: Sequence[bytes], model: str, folds: Folds | None) -> float:
    detector = smoke_by_site(model, folds)("")[1]
    started = 0.0
    for index, jpeg in enumerate(pictures):
        if index == _WARM_UP:
            started = time.process_time()
        detector.observe(decode_jpeg(jpeg, least_width_px=WORKING_WIDTH_PX), _START + timedelta(minutes=index))
    return (time.process_time() - started) / (len(pictures) - _WARM_UP) * 1000


def _rendered() -> Iterator[tuple[str, list[bytes]]]:
    for name, has_plume in (("rendered, quiet", False), ("rendered, smoky", True)):
        scene = Scene(SceneSpec(seed=1_700_001, width=_SIZE[0], height=_SIZE[1], plume=has_plume))
        yield name, [scene.render_jpeg(index) for index in range(_WARM_UP + _FRAMES)]


def _real(data: Path) -> Iterator[tuple[str, list[bytes]]]:
    place = require_data(data)
    valley = next(one for one in read_backdrops(place) if one.frames[0].shape[:2] == _SIZE[::-1])
    quiet = Composite(valley, None, seed=1_700_002)
    smoky = fires([valley], read_clip(place / CLIP), each=2)[1].composite
    for name, composite in (("real, quiet", quiet), ("real, smoky", smoky)):
        yield name, [composite.render_jpeg(index) for index in range(_WARM_UP + _FRAMES)]


def _resident_mb() -> float:
    gc.collect()
    return float(psutil.Process().memory_info().rss) / _MEGABYTE


def _allocated_mb() -> float:
    return tracemalloc.get_traced_memory()[0] / _MEGABYTE


def _memory(model: str) -> float:
    """Fills the histories of one pose, then of a hundred more; returns what each of these took, MB.

    The larger one of what Python's allocator was asked for and of what the process grew by: pages that were free
    before hide a small detector from the second, OpenCV's own memory hides from the first.
    """
    scene = Scene(SceneSpec(seed=1_700_003, width=_SIZE[0], height=_SIZE[1]))
    jpegs = [scene.render_jpeg(index) for index in range(_POSE_FRAMES)]
    pictures = [decode_jpeg(jpeg, least_width_px=WORKING_WIDTH_PX) for jpeg in jpegs]
    make = smoke_by_site(model)

    def pose() -> object:
        detector = make("")[1]
        for index, image in enumerate(pictures):
            detector.observe(image, _START + timedelta(minutes=index))
        return detector

    tracemalloc.start()
    kept = [pose()]
    before = _resident_mb(), _allocated_mb()
    kept += [pose() for _ in range(_POSES)]
    grown = max(_resident_mb() - before[0], _allocated_mb() - before[1])
    return grown / (len(kept) - 1)


if __name__ == "__main__":
    write_result({"each_mb": _memory(sys.argv[1])})
