"""CPU per event of the events role, in ratio to plain aiokafka, on a real broker of its own."""

import statistics
import tempfile
from pathlib import Path

from ioc.broker import EmbeddedKafka
from ioc.cli.bench_dossiers import MIXES, mixed
from ioc.cli.bench_process import result_of
from ioc.cli.bench_progress import progress
from ioc.cli.bench_publishing import make_topics, publish
from ioc.cli.bench_sides import run_peer, run_product, state_topics
from ioc.cli.bench_table import Bound, Measure, judged

__all__ = ["measure_events"]

_BOUNDS = {
    "single": Bound(floor=3.0, goal=2.0, unit=" × peer"),
    "eight": Bound(floor=3.5, goal=2.5, unit=" × peer"),
    "shuffled": Bound(floor=None, goal=4.0, unit=" × peer"),
}


def measure_events(*, count: int, passes: int) -> list[Measure]:
    """Returns a line for each mix; each pass runs peer and product one after the other on the same records."""
    return [_measure_mix(mix, count - count % 8, passes) for mix in MIXES]


def _measure_mix(mix: str, count: int, passes: int) -> Measure:
    names = [str(number) for number in range(passes)]
    peers, products = [], []
    with tempfile.TemporaryDirectory(prefix="ioc-bench-") as folder, EmbeddedKafka(Path(folder) / "kafka") as kafka:
        make_topics(kafka.address, state_topics(names))
        publish(kafka.address, mixed(mix, count), text=f"events: filling, {MIXES[mix]}", total=count)
        with progress(f"events: {MIXES[mix]}", passes) as advance:
            for name in names:
                peers.append(run_peer(kafka.address, count))
                products.append(run_product(kafka.address, count, Path(folder), name))
                advance(1)
    peer_us, us = (statistics.median(result_of(side, "cpu_us")) for side in (peers, products))
    peer_rate, rate = (statistics.median(result_of(side, "events_per_s")) for side in (peers, products))
    return judged(
        f"events role, {MIXES[mix]}: CPU an event ÷ plain aiokafka",
        f"{us:.1f} µs, {rate:,.0f} events/s",
        us / peer_us,
        _BOUNDS[mix],
        peer=f"aiokafka + orjson + count: {peer_us:.1f} µs, {peer_rate:,.0f}/s",
        is_ratio=True,
    )
