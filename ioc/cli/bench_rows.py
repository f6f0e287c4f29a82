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
            with (
                _worker(many.address, folder / "many-again") as beside_many,
                _worker(few.address, folder / "few-again") as beside_few,
            ):
                with progress("rows: restarting"):
                    restart_s, restarted = beside_many.wait_ready(), beside_many.resident_bytes
                    beside_few.wait_ready()
                sides = {FEW_ROWS: (beside_few, few.address), rows: (beside_many, many.address)}
                runs = [_growth(sides, count, number) for number in range(passes + 1)][1:]  # the first warms up
    return _measures(rows, loaded, restart_s, restarted, runs)


def _growth(sides: dict[int, tuple[WorkerProcess, str]], count: int, number: int) -> tuple[float, float, float]:
    """Returns the ratio of many rows to few, and the CPU (µs) of an event beside few and beside many."""
    in_turn = sorted(sides, reverse=bool(number % 2))  # neither profits from being second
    spent = {rows: _cpu_us(*sides[rows], rows, count, number) for rows in in_turn}
    few, many = spent[min(sides)], spent[max(sides)]
    return many / few, few, many


def _measures(
    rows: int, loaded: int, restart_s: float, restarted: int, runs: list[tuple[float, float, float]]
) -> list[Measure]:
    ratio, beside_few, beside_many = sorted(runs)[len(runs) // 2]
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
        _worker(broker, folder) as worker,
        progress(f"rows: loading {rows:,}"),
    ):
        worker.wait(
            lambda worker: worker.outcomes().get("accepted", 0) >= wanted,
            every_s=0.5,
            timeout_s=_LOAD_TIMEOUT_S,
            what=f"{rows:,} rows loaded",
        )
        return worker.resident_bytes


def _worker(broker: str, folder: Path) -> WorkerProcess:
    return WorkerProcess("events", broker=broker, folder=folder, now=NOW.isoformat())


def _cpu_us(worker: WorkerProcess, broker: str, rows: int, count: int, number: int) -> float:
    """Publishes another segment, and returns the CPU (µs) that the worker took for each of its events."""
    events = list(segment(rows, count, number))
    wanted = worker.outcomes()["accepted"] + len(events)
    before_s = worker.cpu_s
    publish(broker, events, text=f"rows: CPU beside {rows:,}", total=len(events))
    worker.wait(
        lambda worker: worker.outcomes()["accepted"] >= wanted,
        every_s=0.25,
        timeout_s=_LOAD_TIMEOUT_S,
        what=f"{len(events):,} more events",
    )
    return (worker.cpu_s - before_s) / len(events) * 1e6


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
