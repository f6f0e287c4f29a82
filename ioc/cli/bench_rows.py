"""A million rows in memory: how much they take, how long a restart is, and what the events cost beside them."""

import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from ioc.broker import EmbeddedKafka
from ioc.cli.bench_dossiers import NOW, dossier_events
from ioc.cli.bench_process import WorkerProcess
from ioc.cli.bench_progress import progress
from ioc.cli.bench_publishing import Record, make_topics, publish
from ioc.cli.bench_sides import run_product
from ioc.cli.bench_table import Bound, Measure, judged

__all__ = ["measure_rows", "segment"]

FACTS = 4
FEW_ROWS = 10_000
_FULL_ROWS = 1_000_000
_RESIDENT_BOUND = Bound(floor=900, goal=550, unit=" MB")
_RESTART_BOUND = Bound(floor=45, goal=15, unit=" s")
_GROWTH_BOUND = Bound(floor=1.25, goal=1.10, unit=" ×")
_LOAD_TIMEOUT_S = 600.0
_KNOWN_SHARE = 10  # of the events of a segment, one in ten belongs to a row that was there


def measure_rows(*, rows: int, count: int, passes: int) -> list[Measure]:
    """Returns resident memory and restart of a worker with `rows` dossiers of four facts, and the growth of the CPU
    that `count` events take: beside those rows, against beside 10,000."""
    with tempfile.TemporaryDirectory(prefix="ioc-bench-") as name:
        folder = Path(name)
        with EmbeddedKafka(folder / "few") as few, EmbeddedKafka(folder / "many") as many:
            _load(few.address, folder / "few-worker", FEW_ROWS)
            loaded = _load(many.address, folder / "many-worker", rows)
            restart_s, restarted = _restart(many.address, folder / "many-again")
            ratios = []
            with progress("rows: CPU beside few and many", passes) as advance:
                for number in range(passes):
                    sides = [(few.address, FEW_ROWS), (many.address, rows)]
                    in_turn = sides if number % 2 else sides[::-1]  # neither profits from being second
                    spent = {size: _cpu_us(address, folder, size, count, number) for address, size in in_turn}
                    beside_few, beside_many = spent[FEW_ROWS], spent[rows]
                    ratios.append((beside_many / beside_few, beside_few, beside_many))
                    advance(1)
    ratio, beside_few, beside_many = sorted(ratios)[len(ratios) // 2]
    is_full = rows >= _FULL_ROWS
    return [
        judged(
            f"{rows:,} live rows of {FACTS} facts: resident memory of the worker",
            f"{max(loaded, restarted) / 1e6:,.0f} MB (loaded {loaded / 1e6:,.0f}, restarted {restarted / 1e6:,.0f})",
            max(loaded, restarted) / 1e6,
            _RESIDENT_BOUND,
            is_full=is_full,
        ),
        judged("  the same: restart to ready", f"{restart_s:.1f} s", restart_s, _RESTART_BOUND, is_full=is_full),
        judged(
            f"growth: CPU an event beside {rows:,} rows ÷ beside {FEW_ROWS:,}",
            f"{beside_many:.1f} µs",
            ratio,
            _GROWTH_BOUND,
            peer=f"ourselves, few rows: {beside_few:.1f} µs",
            is_ratio=True,
            is_full=is_full,
        ),
    ]


def _load(broker: str, folder: Path, rows: int) -> int:
    """Lets a worker fold four facts of each dossier. Returns its resident memory (bytes) when all are durable."""
    make_topics(broker)
    wanted = rows * FACTS
    publish(broker, dossier_events(rows, facts=FACTS), text=f"rows: filling {rows:,}", total=wanted)
    with (
        WorkerProcess("events", broker=broker, folder=folder, now=NOW.isoformat()) as worker,
        progress(f"rows: loading {rows:,}"),
    ):
        worker.wait(
            lambda worker: worker.outcomes().get("accepted", 0) >= wanted,
            every_s=0.5,
            timeout_s=_LOAD_TIMEOUT_S,
            what=f"{rows:,} rows loaded",
        )
        return worker.resident_bytes


def _restart(broker: str, folder: Path) -> tuple[float, int]:
    """Returns seconds from the start of a new process until it is ready, and its resident memory (bytes) then."""
    with (
        WorkerProcess("events", broker=broker, folder=folder, now=NOW.isoformat()) as worker,
        progress("rows: restarting"),
    ):
        return worker.wait_ready(), worker.resident_bytes


def _cpu_us(broker: str, folder: Path, rows: int, count: int, number: int) -> float:
    events = list(segment(rows, count, number))
    publish(broker, events, text="rows: another segment", total=len(events))
    return run_product(broker, len(events), folder, f"{rows}-{number}", is_fresh=False)["cpu_us"]


def segment(rows: int, count: int, number: int) -> Iterator[Record]:
    """Yields the same mix of events whatever the number of rows: new dossiers with four facts each, and a further fact
    of dossiers that are there, no dossier twice in a segment, spread over all of them."""
    known = min(count // _KNOWN_SHARE, rows)
    new = (count - known) // FACTS
    step = rows // known
    first = rows * 2 + number * new  # numbers that no other segment has
    old = chain.from_iterable(
        dossier_events(1, facts=FACTS + 1 + number, first=place * step, skip=FACTS + number) for place in range(known)
    )
    fresh = dossier_events(new, facts=FACTS, first=first)
    every = new * FACTS // known
    for event in old:
        yield event
        for _ in range(every):
            following = next(fresh, None)
            if following is not None:
                yield following
    yield from fresh
