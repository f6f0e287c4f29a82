"""A service of ours under measurement: a process of its own, as an operator runs it."""

import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from ioc.errors import PermanentError

__all__ = ["ServiceProcess"]

_STOP_TIMEOUT_S = 30.0


class ServiceProcess:
    """`ioc COMMAND` that has said `ready`; on one core with `core`. `url`: where it listens.

    Settings are given by their names in small letters; state and log lie in `folder`.
    """

    def __init__(self, *command: str, broker: str, folder: Path, core: int | None = None, **settings: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        own = {"broker": broker, "http_port": "0", "state": str(folder), "log_level": "WARNING"} | settings
        self._name = f"ioc {command[0]}"
        self._log = folder / f"{command[0]}.log"
        self.started_s = time.perf_counter()
        with self._log.open("w") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "ioc", *command],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **{f"IOC_{name.upper()}": value for name, value in own.items()}},
            )
        if core is not None and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(self._child.pid, {core})  # its threads, made later, inherit it
        self.process = psutil.Process(self._child.pid)
        assert self._child.stdout is not None
        self.url = self._child.stdout.readline().removeprefix("ready ").strip()
        if not self.url:
            self._child.wait(_STOP_TIMEOUT_S)
            raise PermanentError(f"{self._name} did not start: {self.last_words()}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def has_ended(self) -> bool:
        return self._child.poll() is not None

    @property
    def resident_bytes(self) -> int:
        return int(self.process.memory_info().rss)

    @property
    def cpu_s(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def stop(self) -> None:
        self._child.terminate()
        try:
            self._child.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        if self._child.stdout is not None:
            self._child.stdout.close()

    def last_words(self) -> str:
        return self._log.read_text(errors="replace").strip()[-600:]
