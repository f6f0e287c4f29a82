"""Frames a second through its three detectors on one core."""

import statistics
import time
from datetime import UTC, datetime, timedelta

from detectors.preprocess import decode_jpeg
from detectors.registry import build_detectors
from detectors.smoke.network import WORKING_WIDTH_PX
from ioc.catalog import load_catalog
from ioc.cli.bench_table import Bound, Measure, judged
from ioc.settings import load_settings
from ioc.simulate.scenes import BUILDING_CAMERA, DEMO_POSE, Scene, demo_scenes

__all__ = ["measure_frames"]

_BOUND = Bound(floor=15.0, goal=None, unit=" frames/s", is_upper=False)
_WARM_UP_FRAMES = 20
_START = datetime(2026, 1, 1, tzinfo=UTC)


def measure_frames(*, count: int) -> list[Measure]:
    """Renders `count` frames of the camera with a building zone, then times decoding and the detectors on them."""
    catalog = load_catalog(load_settings().catalog)
    scene = Scene(demo_scenes(7, width=1280, height=720)[BUILDING_CAMERA])
    pictures = [scene.render_jpeg(index) for index in range(count)]
    detectors = build_detectors(catalog.cameras[BUILDING_CAMERA], DEMO_POSE)
    assert {detector.name for detector in detectors} == {"smoke", "construction", "camera_health"}
    spent: dict[str, list[float]] = {"decode": [], **{detector.name: [] for detector in detectors}}
    for index, jpeg in enumerate(pictures):
        started = time.process_time()
        image = decode_jpeg(jpeg, least_width_px=WORKING_WIDTH_PX)
        spent["decode"].append(time.process_time() - started)
        for detector in detectors:
            started = time.process_time()
            detector.observe(image, _START + timedelta(minutes=index))
            spent[detector.name].append(time.process_time() - started)
    totals = [sum(parts) for parts in zip(*spent.values(), strict=True)][_WARM_UP_FRAMES:]
    frames_per_s = len(totals) / sum(totals)
    parts = [
        Measure(name=f"of it: {name}", figure=f"{statistics.mean(times[_WARM_UP_FRAMES:]) * 1000:.1f} ms a frame")
        for name, times in spent.items()
    ]
    return [
        judged(
            "1280×720 JPEG through its three detectors, CPU of one core",
            f"{frames_per_s:.1f} frames/s",
            frames_per_s,
            _BOUND,
        ),
        *parts,
    ]
