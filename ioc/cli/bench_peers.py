"""The events role beside other stream processors on the same topic: a stock Faust agent, Quix Streams, Bytewax."""

import importlib.metadata
import platform
import statistics
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ioc.broker import EmbeddedKafka
from ioc.catalog import TopicSpec, load_catalog
from ioc.cli.bench_dossiers import DOSSIERS_TOPIC, MIXES, mixed
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
_FAUST_SHARE, _QUIX_SHARE = 10, 2  # slower peers get a part of the events
# Keys that come once, as most of a province's do. Where a key comes again at once, the peers' caches answer for their
# stores: that mix is reported beside it.
_JUDGED_MIX = "single"

Result = dict[str, float]
Sides = dict[str, Callable[[str], Result]]


def measure_peers(*, count: int, passes: int) -> list[Measure]:
    """Returns a line for each peer and mix; each pass runs everybody, one after the other, on the same events.

    Raises:
        ConfigurationError: the peers are not installed.
    """
    versions = _peer_versions()
    measures = []
    for mix in (_JUDGED_MIX, "eight"):
        measures += _measures(mix, _run(mix, count - count % 8, passes, with_bytewax="bytewax" in versions), versions)
    if "bytewax" not in versions:
        measures.append(
            Measure(name="Bytewax", figure=f"no wheels for Python {platform.python_version()}: not measured")
        )
    return measures


def _run(mix: str, count: int, passes: int, *, with_bytewax: bool) -> dict[str, list[Result]]:
    results: dict[str, list[Result]] = {}
    with tempfile.TemporaryDirectory(prefix="ioc-bench-") as folder, EmbeddedKafka(Path(folder) / "kafka") as kafka:
        names = [str(number) for number in range(passes)]
        partitions = load_catalog(load_settings().catalog).partitions
        changelogs = [_faust_changelog(name, partitions) for name in names]
        make_topics(kafka.address, [*state_topics(names), *changelogs])
        publish(kafka.address, mixed(mix, count), text=f"peers: filling, {MIXES[mix]}", total=count)
        sides = _sides(kafka.address, count, Path(folder), partitions, with_bytewax=with_bytewax)
        with progress(f"peers: {MIXES[mix]}", passes * len(sides)) as advance:
            for name in names:
                for side, run in sides.items():
                    results.setdefault(side, []).append(run(name))
                    advance(1)
    return results


def _sides(broker: str, count: int, folder: Path, partitions: int, *, with_bytewax: bool) -> Sides:
    faust = [str(peer_program("faust_agent.py")), broker, DOSSIERS_TOPIC, str(count // _FAUST_SHARE)]
    quix = [broker, DOSSIERS_TOPIC, str(count // _QUIX_SHARE), str(folder)]
    sides: Sides = {
        "product": lambda name: run_product(broker, count, folder, name),
        "faust": lambda name: run_child("a stock Faust agent", [*faust, str(folder), name, str(partitions)]),
        "quix": lambda name: _run_peer("quix_windows.py", quix, name),
    }
    if with_bytewax:
        bytewax = [broker, DOSSIERS_TOPIC, str(count), str(folder)]
        sides["bytewax"] = lambda name: _run_peer("bytewax_windows.py", bytewax, name)
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


def _measures(mix: str, results: dict[str, list[Result]], versions: dict[str, str]) -> list[Measure]:
    us = {side: statistics.median(result_of(runs, "cpu_us")) for side, runs in results.items()}
    rate = {side: statistics.median(result_of(runs, "events_per_s")) for side, runs in results.items()}

    def told(side: str, name: str) -> str:
        return f"{name}: {us[side]:.1f} µs, {rate[side]:,.0f}/s"

    is_judged = mix == _JUDGED_MIX
    product = f"{us['product']:.1f} µs, {rate['product']:,.0f} events/s"
    faust = f"Faust {importlib.metadata.version('faust-streaming')} with a table"
    measures = [
        judged(
            f"events role, {MIXES[mix]}: CPU an event ÷ a stock Faust agent",
            product,
            us["product"] / us["faust"],
            _FAUST_BOUND,
            peer=told("faust", faust),
            is_ratio=True,
        ),
        judged(
            f"events role, {MIXES[mix]}: events/s ÷ Quix Streams windows",
            product,
            rate["product"] / rate["quix"],
            _QUIX_BOUND if is_judged else replace(_QUIX_BOUND, floor=None),
            peer=told("quix", f"Quix {versions['quixstreams']}, state and changelog"),
            is_ratio=True,
        ),
    ]
    if "bytewax" in results:
        measures.append(
            Measure(
                name=f"events role, {MIXES[mix]}: events/s ÷ Bytewax windows, not durable",
                figure=product,
                peer=told("bytewax", f"Bytewax {versions['bytewax']}"),
                ratio=round(rate["product"] / rate["bytewax"], 2),
            )
        )
    return measures
