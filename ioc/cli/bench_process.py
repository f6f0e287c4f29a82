"""Processes of a benchmark: each side runs in one of its own, so that its CPU and its memory are its own."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from ioc.cli.bench_service import ServiceProcess
from ioc.errors import ConfigurationError, PermanentError, TransientError

__all__ = [
    "PEERS_PYTHON",
    "Meter",
    "Metrics",
    "WorkerProcess",
    "parse_metrics",
    "peer_program",
    "require_peers",
    "result_of",
    "run_child",
    "write_result",
]

_ROOT = Path(__file__).resolve().parents[2]
PEERS_PYTHON = _ROOT / ".venv-peers" / "bin" / "python"

Metrics = list[tuple[str, Mapping[str, str], float]]
"""Samples of a scrape: name, labels, value."""


def peer_program(name: str) -> Path:
    """Returns the path of a peer's program in the source tree.

    Raises:
        ConfigurationError: `ioc` was installed without its source tree.
    """
    path = _ROOT / "deploy" / "peers" / name
    if not path.is_file():
        raise ConfigurationError(
            f"{path}: the peer's program is missing; run `make bench` in a checkout of the sources"
        )
    return path


def require_peers() -> None:
    """Raises:
    ConfigurationError: the peers' own environment is not there.
    """
    if not PEERS_PYTHON.exists():
        raise ConfigurationError(
            f"{PEERS_PYTHON.parents[1]}: the peers are not installed; `make bench` installs them, then measures"
        )


class Meter:
    """CPU of the whole process, all threads, and wall time since its making."""

    def __init__(self) -> None:
        self._cpu_s, self._wall_s = time.process_time(), time.perf_counter()

    def result(self, events: int) -> dict[str, float]:
        cpu_s, wall_s = time.process_time() - self._cpu_s, time.perf_counter() - self._wall_s
        return {"cpu_us": cpu_s / events * 1e6, "events_per_s": events / wall_s}


def run_child(
    name: str,
    program: Sequence[str],
    *,
    python: Path = Path(sys.executable),
    env: Mapping[str, str] | None = None,
    timeout_s: float = 600,
) -> dict[str, float]:
    """Runs a Python program to its end and returns the JSON object of its last line of output.

    Raises:
        PermanentError: it failed or took too long; quotes the end of its error output.
    """
    command = [str(python), *program]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, check=False, env={**os.environ, **(env or {})}
        )
    except subprocess.TimeoutExpired:
        raise PermanentError(f"{name}: not done after {timeout_s:g} s") from None
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        raise PermanentError(f"{name} failed: {done.stderr.strip()[-800:]}")
    result: dict[str, float] = json.loads(lines[-1])
    return result


class WorkerProcess(ServiceProcess):
    """`ioc worker` with these roles; on one core with `core`."""

    def __init__(self, roles: str, *, broker: str, folder: Path, core: int | None = None, **settings: str) -> None:
        super().__init__("worker", "--roles", roles, broker=broker, folder=folder, core=core, **settings)

    def get(self, path: str) -> tuple[int, str]:
        """Returns status and body of a GET."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:  # noqa: S310  (our own child)
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, ""
        except (OSError, urllib.error.URLError) as error:
            raise TransientError(f"{self.url}{path}: {error}; {self.last_words()}") from error

    def metrics(self) -> Metrics:
        return parse_metrics(self.get("/metrics")[1])

    def outcomes(self) -> dict[str, int]:
        """Events by outcome, over all topics."""
        totals: dict[str, int] = {}
        for name, labels, value in self.metrics():
            if name == "ioc_events_total":
                totals[labels["outcome"]] = totals.get(labels["outcome"], 0) + int(value)
        return totals

    def wait(self, is_true: Callable[[Self], bool], *, every_s: float, timeout_s: float, what: str) -> None:
        """Asks until it is true.

        Raises:
            PermanentError: it was not within `timeout_s`, or the worker ended.
        """
        ends = time.perf_counter() + timeout_s
        while not is_true(self):
            if self.has_ended:
                raise PermanentError(f"ioc worker ended early: {self.last_words()}")
            if time.perf_counter() > ends:
                raise PermanentError(f"{what}: not within {timeout_s:g} s")
            time.sleep(every_s)

    def wait_ready(self, timeout_s: float = 120.0) -> float:
        """Returns the seconds from the start of the process to a readiness of 200."""
        self.wait(lambda worker: worker.get("/readyz")[0] == 200, every_s=0.05, timeout_s=timeout_s, what="ready")
        return time.perf_counter() - self.started_s


def parse_metrics(text: str) -> Metrics:
    """Returns the samples of an exposition, in its order."""
    from prometheus_client.parser import text_string_to_metric_families

    return [
        (sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]


def result_of(samples: Sequence[Mapping[str, float]], key: str) -> list[float]:
    return [sample[key] for sample in samples]


def write_result(result: Mapping[str, Any]) -> None:
    """What a child prints last."""
    print(json.dumps(dict(result)), flush=True)
