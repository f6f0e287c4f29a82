"""A province-year replayed with a fixed clock by one worker on one core, and held against an independent count."""

import os
import tempfile
import time
from pathlib import Path

from ioc.broker import EmbeddedKafka
from ioc.catalog import Catalog, load_catalog
from ioc.cli.bench_process import Metrics, WorkerProcess
from ioc.cli.bench_progress import progress
from ioc.cli.bench_province import YEAR_END, Expected, Province
from ioc.cli.bench_publishing import make_topics, publish
from ioc.cli.bench_table import Bound, Measure, judged
from ioc.settings import load_settings

__all__ = ["measure_replay", "wrong_figures"]

_FULL_COUNT = 5_000_000
_BOUND = Bound(floor=4.0, goal=2.0, unit=" minutes")
_TIMEOUT_S = 900.0
_FIGURES_TIMEOUT_S = 60.0


def measure_replay(*, count: int) -> list[Measure]:
    """Returns the time from the start of the worker until every event is durable, and whether all is exact."""
    catalog = load_catalog(load_settings().catalog)
    units = [unit.code for unit in catalog.geography.units()]
    province = Province(count, units=units, cameras=list(catalog.cameras))
    with tempfile.TemporaryDirectory(prefix="ioc-bench-") as name, EmbeddedKafka(Path(name) / "kafka") as kafka:
        make_topics(kafka.address)
        made = publish(kafka.address, province.records(), text="replay: filling", total=count)
        clock = YEAR_END.isoformat()
        core = max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
        folder = Path(name) / "events"
        with WorkerProcess("events", broker=kafka.address, folder=folder, core=core, now=clock) as worker:
            seconds = _replayed(worker, made)
            outcomes, cpu_s, resident = worker.outcomes(), worker.cpu_s, worker.resident_bytes
            wrong = _figures_wrong(kafka.address, Path(name), clock, catalog, province.expected)
    wrong += _wrong_outcomes(outcomes, province.expected)
    return _measures(made, seconds, cpu_s, resident, wrong, _checked(catalog, province.expected))


def _replayed(worker: WorkerProcess, made: int) -> float:
    with progress("replay: one worker, one core", made) as advance:
        seen = 0

        def is_done(worker: WorkerProcess) -> bool:
            nonlocal seen
            now = worker.outcomes().get("in", 0)
            advance(now - seen)
            seen = now
            return now >= made

        worker.wait(is_done, every_s=0.5, timeout_s=_TIMEOUT_S, what=f"{made:,} events replayed")
    return time.perf_counter() - worker.started_s


def _figures_wrong(broker: str, folder: Path, clock: str, catalog: Catalog, expected: Expected) -> list[str]:
    """Asks a worker of the role `figures` until its figures are right, and returns those that stay wrong."""
    with WorkerProcess("figures", broker=broker, folder=folder / "figures", now=clock) as worker:
        worker.wait_ready()
        ends = time.perf_counter() + _FIGURES_TIMEOUT_S
        while True:
            wrong = wrong_figures(worker.metrics(), catalog, expected)
            if not wrong or time.perf_counter() > ends:
                return wrong
            time.sleep(1.0)


def _checked(catalog: Catalog, expected: Expected) -> list[tuple[str, str]]:
    """The expected figures that the catalogue declares."""
    declared = {(kpi.id, window) for kpi in catalog.kpis for window in kpi.windows}
    return [place for place in expected.figures if place in declared]


def wrong_figures(samples: Metrics, catalog: Catalog, expected: Expected) -> list[str]:
    """Returns a line for each total of the province that is not what was counted."""
    found: dict[tuple[str, str, str], float] = {}
    for name, labels, value in samples:
        is_total = labels.get("admin_unit") == "*" and not labels.get("agency") and not labels.get("dim")
        if is_total and name in ("ioc_kpi_numerator", "ioc_kpi_denominator"):
            found[name, labels["kpi"], labels["window"]] = value
    wrong = []
    ratios = {kpi.id for kpi in catalog.kpis if kpi.is_ratio}
    for kpi, window in _checked(catalog, expected):
        numerator, denominator = expected.figures[kpi, window]
        wanted = {"ioc_kpi_numerator": numerator}
        if kpi in ratios:
            wanted["ioc_kpi_denominator"] = denominator
        for name, value in wanted.items():
            told = found.get((name, kpi, window))
            if told != value:
                wrong.append(f"{name} of {kpi} {window}: {told}, counted {value:g}")
    return wrong


def _wrong_outcomes(outcomes: dict[str, int], expected: Expected) -> list[str]:
    wanted = {"accepted": expected.accepted, "duplicate": expected.duplicate, "rejected": expected.rejected}
    return [
        f"{name} {outcomes.get(name, 0):,}, counted {count:,}"
        for name, count in wanted.items()
        if outcomes.get(name, 0) != count
    ]


def _measures(
    made: int, seconds: float, cpu_s: float, resident: int, wrong: list[str], checked: list[tuple[str, str]]
) -> list[Measure]:
    is_full = made >= _FULL_COUNT
    kpis = len({kpi for kpi, _ in checked})
    return [
        judged(
            f"{made:,} events of a year replayed, one worker on one core",
            f"{seconds:.0f} s, {made / seconds:,.0f} events/s, "
            f"CPU {cpu_s / made * 1e6:.1f} µs an event, {resident / 1e6:,.0f} MB",
            seconds / 60,
            _BOUND,
            is_full=is_full,
        ),
        Measure(
            name="  exact: outcomes, and figures of the province against an independent count",
            figure=f"{len(checked)} figures of {kpis} KPIs equal"
            if not wrong
            else f"{len(wrong)} wrong: {'; '.join(wrong[:4])}",
            floor="all equal",
            is_met=not wrong,
        ),
    ]
