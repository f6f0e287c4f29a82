"""`ioc bench construction`: what the construction detector must reach, part by part."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from detectors.construction import ConstructionDetector
from detectors.preprocess import decode_jpeg
from ioc.cli.bench_construction_pairs import measure_registration, measure_surfaces
from ioc.cli.bench_construction_year import measure_sampled_year, measure_year
from ioc.cli.bench_parts import measured_parts, parts_of
from ioc.cli.bench_table import Bound, Measure, judged
from ioc.opencv import cv2
from ioc.permits import Zone
from ioc.simulate.site_year import FRAMES_PER_DAY, SiteYear

__all__ = ["PARTS", "construction_parts", "measure_construction"]

PARTS: Mapping[str, str] = MappingProxyType(
    {
        "registration": "fixed-site pairs of photographs (needs --data)",
        "surfaces": "new surfaces on aerial pairs with masks (needs --data)",
        "year": "a simulated year of building, its permits and violations",
        "hours": "five poses of that year at the hours that production samples",
        "speed": "frames a second on one core",
    }
)
_NEED_DATA = ("registration", "surfaces")
_SPEED = Bound(floor=15.0, goal=40.0, unit=" frames/s", is_upper=False)
_SPEED_SEED, _WARM_UP, _FRAMES = 1_000_011, 15, 60
_START = datetime(2026, 1, 1, tzinfo=UTC)


def construction_parts(only: str | None) -> tuple[str, ...]:
    """Returns the parts of a comma-separated list, all of them for None.

    Raises:
        ConfigurationError: a name that is no part.
    """
    return parts_of(only, PARTS)


def measure_construction(*, parts: tuple[str, ...], data: Path | None, is_quick: bool) -> list[Measure]:
    """Runs the parts in their order; one that fails is a line that missed, one that can't run here says so."""
    runs: dict[str, Callable[[Path], list[Measure]]] = {
        "registration": measure_registration,
        "surfaces": measure_surfaces,
        "year": lambda _: measure_year(is_quick=is_quick),
        "hours": lambda _: measure_sampled_year(is_quick=is_quick),
        "speed": lambda _: measure_speed(),
    }
    return measured_parts(parts, runs, PARTS, needs_data=_NEED_DATA, data=data)


def measure_speed() -> list[Measure]:
    """CPU of one core for a 1280×720 JPEG in and the decision out, in the middle of a year with two open works."""
    cv2.setNumThreads(1)
    pose = SiteYear(_SPEED_SEED, poses=1, works=5, width=1280, height=720).pose(0)
    zones = tuple(
        Zone(zone_id=plot.plot_id, kind="residential", polygon=pose.plot_polygon(plot)) for plot in pose.plots
    )
    first = FRAMES_PER_DAY * min(work.first_day for work in pose.works)
    pictures = [pose.render_jpeg(first + index) for index in range(_WARM_UP + _FRAMES)]
    detector = ConstructionDetector(zones)
    width_px = detector.thresholds.working_width_px
    started = 0.0
    for index, jpeg in enumerate(pictures):
        if index == _WARM_UP:
            started = time.process_time()
        detector.observe(
            decode_jpeg(jpeg, least_width_px=width_px), _START + timedelta(hours=24 / FRAMES_PER_DAY * index)
        )
    cost_s = (time.process_time() - started) / _FRAMES
    name = f"1280×720 JPEG in, decision out, one core, {len(zones)} zones"
    return [judged(name, f"{1 / cost_s:.1f} frames/s ({1000 * cost_s:.1f} ms)", 1 / cost_s, _SPEED)]
