"""The wall at the size of a large province: 60 KPIs by 200 units, hourly for 30 days in a real Prometheus."""

import itertools
import json
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from ioc.catalog import Catalog, load_catalog
from ioc.cli.bench_progress import progress
from ioc.cli.bench_table import Bound, Measure, judged
from ioc.errors import PermanentError
from ioc.geography import Geography, Unit
from ioc.kpis import KpiDefinition
from ioc.settings import Settings
from ioc.wall.boards import build_boards
from ioc.wall.panels import Wall, wall_of

__all__ = ["large_province", "measure_wall_panels"]

_PANEL = Bound(floor=500, goal=150, unit=" ms")
_SCRAPE = Bound(floor=2.0, goal=0.7, unit=" s")
_SERIES = Bound(floor=50_000, goal=None, unit=" series")
_PASSES = 5
_READY_S = 120.0
_FULL = (60, 200, 30)
_BASE_KPI = "wan_channels_up"  # a plain ratio by unit
_COMPANIONS = {"numerator": 95.0, "denominator": 100.0, "stale": 0.0, "manual": 0.0}
_BASE_WINDOW = "now"
_ALL_OLD_AFTER = timedelta(days=1)


def large_province(*, kpis: int, units: int) -> Catalog:
    """The starting catalogue with as many KPIs and units as asked for, each KPI a ratio by unit."""
    catalog = load_catalog(Settings.model_fields["catalog"].get_default())
    base = catalog.kpi(_BASE_KPI)
    many = tuple(
        replace(base, id=f"bench_{n}", metric=f"ioc_bench_{n}_ratio", name_vi=f"Chỉ số {n}", family=f"family_{n % 8}")
        for n in range(kpis)
    )
    places = [Unit(code=f"{30_000 + n}", name_vi=f"Xã {n}", name_en=f"Commune {n}") for n in range(units)]
    return replace(catalog, kpis=many, geography=Geography(places))


def measure_wall_panels(*, kpis: int = 60, units: int = 200, days: int = 30) -> list[Measure]:
    """Returns how long each panel of the province wall waits for Prometheus, and what /metrics of that size costs.

    Raises:
        PermanentError: Prometheus or promtool does not run.
    """
    catalog = large_province(kpis=kpis, units=units)
    wall = wall_of(catalog, public_url="http://127.0.0.1:8081")
    is_full = (kpis, units, days) >= _FULL
    for program in ("prometheus", "promtool"):
        if shutil.which(program) is None:
            raise PermanentError(f"{program} is missing; deploy/ensure-tools installs it")
    with tempfile.TemporaryDirectory(prefix="ioc-bench-") as name:
        folder = Path(name)
        now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        _fill(folder, catalog, now, days)
        with _prometheus(folder) as address, progress("wall: asking"):
            panels = _ask_wall(address, wall, now)
    name = f"panels of the province wall, {kpis} KPIs × {units} units × {days} days"
    slowest = max(panels.values())
    return [
        judged(name, f"slowest {slowest:.0f} ms, median {statistics.median(panels.values()):.0f} ms", slowest, _PANEL,
               is_full=is_full),
        *_measure_scrape(catalog, is_full=is_full),
    ]  # fmt: skip


# ---- Prometheus ----------------------------------------------------------------------------------------------------


def _fill(folder: Path, catalog: Catalog, now: datetime, days: int) -> None:
    """Writes blocks for Prometheus: promtool reads a file again for each block of two hours, so a file is a day."""
    with progress("wall: 30 days into Prometheus", days) as advance:
        for day in range(days):
            hours = [now - timedelta(hours=24 * day + hour) for hour in range(24)]
            path = folder / "day.om"
            with path.open("w", encoding="utf-8") as file:
                for kpi in catalog.kpis:
                    file.writelines(_lines(kpi, catalog, sorted(hours)))
                file.write("# EOF\n")
            command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "-q", str(path), str(folder / "data")]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise PermanentError(f"promtool: {done.stderr.strip()[-500:]}")
            advance(1)


def _lines(kpi: KpiDefinition, catalog: Catalog, hours: Sequence[datetime]) -> Iterator[str]:
    """Of the province and of every unit the value, of the province all that goes with it and what the rules record; of
    the units that only at the end, since nobody asks for its past."""
    units = ["*", *(unit.code for unit in catalog.geography.units())]
    families = [(kpi.metric, "", 0.95)]
    families += [(f"ioc_kpi_{name}", f'kpi="{kpi.id}",', value) for name, value in _COMPANIONS.items()]
    labels = (
        f'instance="127.0.0.1:9101",job="ioc-worker",province="{catalog.province}",agency="",window="{_BASE_WINDOW}"'
    )
    for metric, own, value in families:
        for unit in units:
            for hour in hours if unit == "*" or metric == kpi.metric else hours[-1:]:
                yield f'{metric}{{{own}{labels},admin_unit="{unit}"}} {value} {int(hour.timestamp())}\n'
    for unit, hour in [*itertools.product(["*"], hours), *((unit, hours[-1]) for unit in units[1:])]:
        at = int(hour.timestamp())
        yield f'ioc_kpi_as_of_timestamp_seconds{{kpi="{kpi.id}",{labels},admin_unit="{unit}"}} {at - 60} {at}\n'
    of = f'{{kpi="{kpi.id}",province="{catalog.province}",window="{_BASE_WINDOW}"}}'
    alert = f'ALERTS{{alertname="IocKpiTargetMissed",alertstate="firing",kpi="{kpi.id}",window="{_BASE_WINDOW}"}}'
    for hour in hours:
        at = int(hour.timestamp())
        yield f"ioc:kpi_value:total{of} 0.95 {at}\nioc:kpi_stale:total{of} 0 {at}\n{alert} 1 {at}\n"


@contextmanager
def _prometheus(folder: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    config = folder / "prometheus.yml"
    config.write_text("global: {}\n")
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    command += [f"--web.listen-address={address}", "--storage.tsdb.retention.time=90d"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        _await_ready(process, address, folder)
        yield f"http://{address}"
    finally:
        process.kill()
        process.wait()


def _await_ready(process: "subprocess.Popen[bytes]", address: str, folder: Path) -> None:
    deadline = time.monotonic() + _READY_S
    while True:
        try:
            with urllib.request.urlopen(f"http://{address}/-/ready", timeout=5):
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                log = (folder / "log").read_text(errors="replace")[-500:]
                raise PermanentError(f"Prometheus is not ready: {log}") from None
        time.sleep(0.1)


def _ask_wall(address: str, wall: Wall, now: datetime) -> Mapping[str, float]:
    """Panel → milliseconds of all its queries one after the other, the median of some passes; each has an answer."""
    board: dict[str, Any] = build_boards(wall, language="vi")["wall"]
    found = {}
    for panel in board["panels"]:
        exprs = [target["expr"] for target in panel["targets"]]
        times = []
        for _ in range(_PASSES):
            began = time.perf_counter()
            answers = sum(_ask(address, expr, now) for expr in exprs)
            times.append((time.perf_counter() - began) * 1e3)
        if not answers:
            raise PermanentError(f"panel {panel['title']!r} has no answer")
        found[f"{panel['id']} {panel['title']}"] = statistics.median(times)
    return found


def _ask(address: str, expr: str, now: datetime) -> int:
    """How many series answer."""
    query = urllib.parse.urlencode({"query": expr, "time": str(int(now.timestamp()))}).encode()
    with urllib.request.urlopen(f"{address}/api/v1/query", data=query, timeout=60) as answer:  # noqa: S310  (our own)
        return len(json.load(answer)["data"]["result"])


# ---- /metrics ------------------------------------------------------------------------------------------------------


def _measure_scrape(catalog: Catalog, *, is_full: bool) -> list[Measure]:
    from ioc.kpis import Partial
    from ioc.kpis.aggregates import CellKey, Sum
    from streams.kpis_to_metrics import FiguresRole
    from streams.partials import Complete

    now = datetime.now(UTC)
    clocks = [now]
    role = FiguresRole(broker="", catalog=catalog, clock=lambda: clocks[-1])
    places = ["", *(unit.code for unit in catalog.geography.units())]
    # As if it had read them from Kafka, which is not what is measured here.
    role._figures.take(
        Partial(CellKey(kpi.id, 0, place, "", "now", 0), 0, 1, 1, Sum(95, 100, 0))
        for kpi in catalog.kpis
        for place in places
    )
    role._figures.take([Complete(0, 1, {name: int(now.timestamp() * 1e6) for name in catalog.kpis[0].fed_by})])
    role._is_complete.set()
    registry = CollectorRegistry()
    registry.register(role)
    times = []
    for _ in range(_PASSES):
        began = time.perf_counter()
        text = generate_latest(registry)
        times.append(time.perf_counter() - began)
    clocks.append(now + _ALL_OLD_AFTER)
    series = {"fresh": _series(text), "old": _series(generate_latest(registry))}
    name = f"/metrics of {len(catalog.kpis)} KPIs × {len(places) - 1} units"
    return [
        judged(
            name, f"{times[0]:.2f} s, then {statistics.median(times[1:]):.2f} s", times[0], _SCRAPE, is_full=is_full
        ),
        *(
            judged(f"its series, every figure {state}", f"{count:,}", count, _SERIES, is_full=is_full)
            for state, count in series.items()
        ),
    ]


def _series(text: bytes) -> int:
    return sum(not line.startswith(b"#") for line in text.splitlines())
