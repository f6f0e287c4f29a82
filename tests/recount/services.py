"""The product as an operator runs it: its commands in processes of their own, watched through /metrics only."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.recount.comparing import Exported, exported

__all__ = ["Worker", "broker", "eventually", "scrape"]

IOC = Path(sys.executable).parent / "ioc"


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
    name: str = "worker"
    store: str = "memory"
    address: str = ""
    starts: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        self.starts += 1
        log = self.folder / f"{self.name}-{self.starts}.out"
        environment = {
            "IOC_BROKER": self.broker,
            "IOC_NOW": self.clock.isoformat(),
            "IOC_STATE": str(self.folder / f"state-{self.name}"),
            "IOC_STORE": self.store,
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
        return (self.folder / f"{self.name}-{self.starts}.err").read_text(encoding="utf-8")[-3000:]


async def scrape(session: aiohttp.ClientSession, worker: Worker) -> Exported:
    """Returns what the worker exports now; raises aiohttp.ClientError while it is not there."""
    async with session.get(f"{worker.address}/metrics", timeout=aiohttp.ClientTimeout(total=10)) as response:
        response.raise_for_status()
        text = await response.text()
    families = text_string_to_metric_families(text)
    return exported([(sample.name, sample.labels, sample.value) for family in families for sample in family.samples])


async def eventually(
    session: aiohttp.ClientSession, worker: Worker, is_so: Callable[[Exported], bool], *, timeout_s: float
) -> Exported:
    """Scrapes until `is_so`, and returns the last scrape, also when time ran out: the caller asserts and explains."""
    deadline = time.monotonic() + timeout_s
    while not await worker.is_ready(session):
        assert time.monotonic() < deadline, f"the worker did not become ready: {worker.log()}"
        await asyncio.sleep(0.05)
    while True:
        shown = await scrape(session, worker)
        if is_so(shown) or time.monotonic() > deadline:
            return shown
        await asyncio.sleep(0.1)
