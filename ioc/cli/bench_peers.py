"""The events role beside other stream processors on the same topic: a stock Faust agent, Quix Streams, Bytewax."""

import importlib.metadata
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from ioc.broker import EmbeddedKafka
from ioc.catalog import TopicSpec, load_catalog
from ioc.cli.bench_dossiers import DOSSIERS_TOPIC, mixed
from ioc.cli.bench_process import PEERS_PYTHON, peer_program, require_peers, result_of, run_child
from ioc.cli.bench_progress import progress
from ioc.cli.bench_publishing import make_topics, publish
from ioc.cli.bench_sides import run_product, state_topics
from ioc.cli.bench_table import Bound, Measure, judged
from ioc.errors import ConfigurationError
from ioc.settings import load_settings

__all__ = ["measure_peers"]

_FAUST_BOUND = Bound(floor=1 / 12, goal=1 / 20, unit=" × peer")
_QUIX_BOUND = Bound(floor=4.0, goal=8.0, unit=" × peer", is_upper=False)
_FAUST_SHARE = 10  # a stock agent gets a tenth of the events: it is that much slower

Result = dict[str, float]


def measure_peers(*, count: int, passes: int) -> list[Measure]:
    """Returns a line for each peer; each pass runs everybody, one after the other, on the same dossier events.

    Raises:
        ConfigurationError: the peers are not installed.
    """
    versions = _peer_versions()
    count -= count % 8
    results: dict[str, list[Result]] = {}
    with tempfile.TemporaryDirectory(prefix="ioc-bench-") as folder, EmbeddedKafka(Path(folder) / "kafka") as kafka:
        names = [str(number) for number in range(passes)]
        partitions = load_catalog(load_settings().catalog).partitions
        changelogs = [_faust_changelog(name, partitions) for name in names]
        make_topics(kafka.address, [*state_topics(names), *changelogs])
        publish(kafka.address, mixed("eight", count), text="peers: filling", total=count)
        sides = _sides(kafka.address, count, Path(folder), partitions, with_bytewax="bytewax" in versions)
        with progress("peers: passes", passes * len(sides)) as advance:
            for name in names:
                for side, run in sides.items():
                    results.setdefault(side, []).append(run(name))
                    advance(1)
    return _measures(results, versions)


def _sides(
    broker: str, count: int, folder: Path, partitions: int, *, with_bytewax: bool
) -> dict[str, Callable[[str], Result]]:
    faust = [str(peer_program("faust_agent.py")), broker, DOSSIERS_TOPIC, str(max(count // _FAUST_SHARE, 1_000))]
    other = [broker, DOSSIERS_TOPIC, str(count), str(folder)]
    sides: dict[str, Callable[[str], Result]] = {
        "product": lambda name: run_product(broker, count, folder, name),
        "faust": lambda name: run_child("a stock Faust agent", [*faust, str(folder), name, str(partitions)]),
        "quix": lambda name: _run_peer("quix_windows.py", other, name),
    }
    if with_bytewax:
        sides["bytewax"] = lambda name: _run_peer("bytewax_windows.py", other, name)
    return sides


def _run_peer(program: str, arguments: list[str], name: str) -> Result:
    return run_child(program, [str(peer_program(program)), *arguments, name], python=PEERS_PYTHON)


def _faust_changelog(name: str, partitions: int) -> TopicSpec:
    """Made here, so that the peer's start does not wait for it."""
    return TopicSpec(
        name=f"peer-faust-{name}-rows-changelog", partitions=partitions, config={"cleanup.policy": "compact"}
    )


def _peer_versions() -> dict[str, str]:
    """Returns the versions of the peers that are installed."""
    require_peers()
    listed = subprocess.run(
        [str(PEERS_PYTHON), "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = dict(line.split("==", 1) for line in listed.stdout.split() if "==" in line)
    if "quixstreams" not in found:
        raise ConfigurationError(f"{PEERS_PYTHON.parents[1]}: quixstreams is missing; delete it and run `make bench`")
    return {name: found[name] for name in ("quixstreams", "bytewax") if name in found}


def _measures(results: dict[str, list[Result]], versions: dict[str, str]) -> list[Measure]:
    us = {side: statistics.median(result_of(runs, "cpu_us")) for side, runs in results.items()}
    rate = {side: statistics.median(result_of(runs, "events_per_s")) for side, runs in results.items()}

    def told(side: str, name: str) -> str:
        return f"{name}: {us[side]:.1f} µs, {rate[side]:,.0f}/s"

    product = f"{us['product']:.1f} µs, {rate['product']:,.0f} events/s"
    measures = [
        judged(
            "events role: CPU an event ÷ a stock Faust agent",
            product,
            us["product"] / us["faust"],
            _FAUST_BOUND,
            peer=told("faust", f"Faust {importlib.metadata.version('faust-streaming')} with a table"),
            is_ratio=True,
        ),
        judged(
            "events role: events/s ÷ Quix Streams windows",
            product,
            rate["product"] / rate["quix"],
            _QUIX_BOUND,
            peer=told("quix", f"Quix {versions['quixstreams']}, state and changelog"),
            is_ratio=True,
        ),
    ]
    if "bytewax" in results:
        measures.append(
            Measure(
                name="events role: events/s ÷ Bytewax windows, which are not durable",
                figure=product,
                peer=told("bytewax", f"Bytewax {versions['bytewax']}"),
                ratio=round(rate["product"] / rate["bytewax"], 2),
            )
        )
    else:
        print(f"Bytewax has no wheels for Python {sys.version_info.major}.{sys.version_info.minor}: not measured")
    return measures
