"""What an event costs as the catalogue grows: with eight KPIs, and with all of them."""

import shutil
import tempfile
from pathlib import Path

from ioc.broker import EmbeddedKafka
from ioc.catalog import Catalog, load_catalog
from ioc.cli.bench_dossiers import mixed
from ioc.cli.bench_progress import progress
from ioc.cli.bench_publishing import make_topics, publish
from ioc.cli.bench_sides import run_product, state_topics
from ioc.cli.bench_table import Bound, Measure, judged
from ioc.kpis import KpiDefinition
from ioc.settings import load_settings

__all__ = ["few_kpis", "measure_growth"]

_BOUND = Bound(floor=1.25, goal=1.10, unit=" ×")
_FEW = 8
_MANY = 60


def measure_growth(*, count: int, passes: int) -> list[Measure]:
    """Returns the CPU of an event with every KPI of the catalogue, against the same events with eight."""
    whole = load_settings().catalog
    catalog = load_catalog(whole)
    count -= count % 8
    runs = []
    with tempfile.TemporaryDirectory(prefix="ioc-bench-") as name, EmbeddedKafka(Path(name) / "kafka") as kafka:
        folder = Path(name)
        part = _part_of(whole, folder / "catalog", few_kpis(catalog))
        names = [f"{side}-{number}" for side in ("few", "all") for number in range(passes)]
        make_topics(kafka.address, state_topics(names))
        publish(kafka.address, mixed("eight", count), text="growth: filling", total=count)
        with progress("growth: few KPIs, all KPIs", passes) as advance:
            for number in range(passes):
                sides = [("few", part), ("all", whole)]
                in_turn = sides if number % 2 else sides[::-1]  # neither profits from being second
                spent = {
                    side: run_product(kafka.address, count, folder, f"{side}-{number}", catalog=path)["cpu_us"]
                    for side, path in in_turn
                }
                few, every = spent["few"], spent["all"]
                runs.append((every / few, few, every))
                advance(1)
    ratio, few, every = sorted(runs)[len(runs) // 2]
    return [
        judged(
            f"growth: CPU an event with {len(catalog.kpis)} KPIs ÷ with {_FEW}",
            f"{every:.1f} µs",
            ratio,
            _BOUND,
            peer=f"ourselves, {_FEW} KPIs: {few:.1f} µs",
            is_ratio=True,
            is_full=len(catalog.kpis) >= _MANY,
        )
    ]


def few_kpis(catalog: Catalog) -> list[str]:
    """Returns the ids of eight KPIs: first those that dossiers feed, so that what the others add is of other types."""

    def others_come_last(kpi: KpiDefinition) -> tuple[bool, str]:
        return not any(name.startswith("dossier.") for name in kpi.fed_by), kpi.id

    return [kpi.id for kpi in sorted(catalog.kpis, key=others_come_last)[:_FEW]]


def _part_of(whole: Path, folder: Path, kpis: list[str]) -> Path:
    """Returns a copy of the catalogue `whole` in `folder` with no other KPIs than `kpis`."""
    shutil.copytree(whole, folder)
    for path in (folder / "kpis").glob("*.yaml"):
        if path.stem not in kpis:
            path.unlink()
    return folder
