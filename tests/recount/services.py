"""The product as an operator runs it: its commands in processes of their own, watched through /metrics only."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.recount.recount import COUNTS, KPI_WINDOWS, Series

__all__ = ["METRICS", "Exported", "Worker", "broker", "eventually", "scrape"]

IOC = Path(sys.executable).parent / "ioc"
METRICS = {
    "dossiers_online": "ioc_dossiers_online_ratio",
    "dossiers_fully_online": "ioc_dossiers_fully_online_ratio",
    "dossiers_on_time": "ioc_dossiers_on_time_ratio",
    "reports_received": "ioc_reports_received",
    "reports_on_time": "ioc_reports_on_time_ratio",
    "wan_channels_up": "ioc_wan_channels_up_ratio",
    "lgsp_success": "ioc_lgsp_success_ratio",
    "camera_online": "ioc_camera_online_ratio",
}
_KPI_OF = {metric: kpi for kpi, metric in METRICS.items()}


def _first_line(process: subprocess.Popen[bytes], log: Path, *, timeout_s: float) -> str:
    """Returns the first line that the process printed; fails with its log when it ends or stays silent."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        line, newline, _ = log.read_text(encoding="utf-8").partition("\n")
        if newline:
            return line
        if process.poll() is not None:
            break
        time.sleep(0.02)
    errors = log.with_suffix(".err").read_text(encoding="utf-8")[-3000:]
    raise AssertionError(f"{process.args!r} printed no first line (exit code {process.poll()}):\n{errors}")


def _start(arguments: list[str], log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    out: IO[bytes]
    with log.open("wb") as out, log.with_suffix(".err").open("wb") as errors:
        return subprocess.Popen(
            [str(IOC), *arguments],
            stdout=out,
            stderr=errors,
            env={**os.environ, **environment},
            start_new_session=True,  # a kill in the middle of a test must find the whole family
        )


def _end(process: subprocess.Popen[bytes], *, timeout_s: float) -> int:
    """Asks the process to stop, waits, and takes its whole group down when it does not."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """Runs `ioc broker` on a free port; gives its address."""
    log = folder / "broker.out"
    process = _start(["broker", "--dir", str(folder / "kafka"), "--port", "0"], log, {"IOC_STATE": str(folder)})
    try:
        yield _first_line(process, log, timeout_s=60).removeprefix("ready ")
    finally:
        _end(process, timeout_s=20)


@dataclass(slots=True)
class Worker:
    """`ioc worker --roles events,figures`, which may be killed and started again with the same state."""

    broker: str
    folder: Path
    clock: datetime
    address: str = ""
    starts: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        self.starts += 1
        log = self.folder / f"worker-{self.starts}.out"
        environment = {
            "IOC_BROKER": self.broker,
            "IOC_NOW": self.clock.isoformat(),
            "IOC_STATE": str(self.folder / "state"),
            "IOC_HTTP_PORT": "0",
        }
        self._process = _start(["worker", "--roles", "events,figures"], log, environment)
        self.address = _first_line(self._process, log, timeout_s=60).removeprefix("ready ").strip()

    async def is_ready(self, session: aiohttp.ClientSession) -> bool:
        """Says whether it can do its work; rows are restored by then."""
        try:
            async with session.get(f"{self.address}/readyz", timeout=aiohttp.ClientTimeout(total=10)) as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        assert self._process.poll() is None, f"the worker ended by itself: {self.log()}"
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        return 0 if self._process is None else _end(self._process, timeout_s=20)

    def log(self) -> str:
        return (self.folder / f"worker-{self.starts}.err").read_text(encoding="utf-8")[-3000:]


@dataclass(slots=True)
class Exported:
    """What /metrics showed: per topic the outcomes, per series numerator, denominator and value."""

    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    numerators: dict[Series, float] = field(default_factory=dict)
    denominators: dict[Series, float] = field(default_factory=dict)
    values: dict[Series, float] = field(default_factory=dict)
    lag_records: float = 0

    @property
    def events_in(self) -> int:
        return sum(outcomes["in"] for outcomes in self.outcomes.values())

    def differences(self, expected: Mapping[Series, tuple[int, int]]) -> dict[Series, str]:
        """Returns what is wrong with each series that is not exactly as counted. A group of nothing may be absent."""
        found = {}
        known = {*expected, *self.numerators, *self.denominators, *self.values}
        for series in sorted(known):
            numerator, denominator = expected.get(series, (0, 0))
            shown = (self.numerators.get(series), self.denominators.get(series), self.values.get(series))
            if shown != _as_exported(series, numerator, denominator):
                is_total = series[1:3] == ("*", "")
                if shown == (None, None, None) and (numerator, denominator) == (0, 0) and not is_total:
                    continue
                found[series] = f"exported {shown}, counted {_as_exported(series, numerator, denominator)}"
        return found


def _as_exported(series: Series, numerator: int, denominator: int) -> tuple[float, float | None, float | None]:
    """Returns (numerator, denominator, value) as they must be shown."""
    if series[0] in COUNTS:
        return numerator, None, numerator
    return numerator, denominator, numerator / denominator if denominator else None


async def scrape(session: aiohttp.ClientSession, worker: Worker) -> Exported:
    """Returns what the worker exports now; raises aiohttp.ClientError while it is not there."""
    async with session.get(f"{worker.address}/metrics", timeout=aiohttp.ClientTimeout(total=10)) as response:
        response.raise_for_status()
        text = await response.text()
    exported = Exported()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = sample.labels
            if sample.name == "ioc_events_total":
                topic = exported.outcomes.setdefault(labels["topic"], Counter())
                topic[labels["outcome"]] += int(sample.value)
            elif sample.name == "ioc_consumer_lag_records":
                exported.lag_records += sample.value
            elif sample.name in ("ioc_kpi_numerator", "ioc_kpi_denominator"):
                if labels["kpi"] in KPI_WINDOWS:
                    into = exported.numerators if sample.name == "ioc_kpi_numerator" else exported.denominators
                    _keep(into, labels["kpi"], labels, sample.value)
            elif sample.name in _KPI_OF:
                _keep(exported.values, _KPI_OF[sample.name], labels, sample.value)
    return exported


def _keep(into: dict[Series, float], kpi: str, labels: Mapping[str, str], value: float) -> None:
    assert labels["province"] == "lam-dong"
    assert not labels.get("dim"), f"no series of {kpi} has a dim: {labels}"
    series = (kpi, labels["admin_unit"], labels["agency"], labels["window"])
    assert series not in into, f"{series} is there twice"
    into[series] = value


async def eventually(
    session: aiohttp.ClientSession, worker: Worker, is_so: Callable[[Exported], bool], *, timeout_s: float
) -> Exported:
    """Scrapes until `is_so`, and returns the last scrape, also when time ran out: the caller asserts and explains."""
    deadline = time.monotonic() + timeout_s
    while not await worker.is_ready(session):
        assert time.monotonic() < deadline, f"the worker did not become ready: {worker.log()}"
        await asyncio.sleep(0.05)
    while True:
        exported = await scrape(session, worker)
        if is_so(exported) or time.monotonic() > deadline:
            return exported
        await asyncio.sleep(0.02)
