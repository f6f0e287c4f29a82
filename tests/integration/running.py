"""The product's commands as processes of their own, watched through the doors that an operator has."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from prometheus_client.parser import text_string_to_metric_families

from ioc.broker import EmbeddedKafka
from ioc.settings import load_settings

__all__ = [
    "Figure",
    "Metrics",
    "Record",
    "Running",
    "committed",
    "eventually",
    "own_broker",
    "publish",
    "run_ioc",
    "start_ioc",
    "start_worker",
]

POLL_S = 0.05
READY_S = 60.0  # a busy machine imports OpenCV slowly; a worker alone is ready after about 4 s


@contextlib.contextmanager
def own_broker(folder: Path) -> Iterator[EmbeddedKafka]:
    """A broker that a test may kill, and whose topics nobody else writes to: the product's topic names are fixed."""
    with EmbeddedKafka(folder / "kafka", jars=load_settings().kafka_jars) as broker:
        yield broker


def eventually(check: Callable[[], None], *, within_s: float, alive: "Sequence[Running]" = ()) -> None:
    """Returns once `check` raises no AssertionError; raises its last one after `within_s`.

    A process of `alive` that has ended is told at once, with its log: nothing will come any more.
    """
    deadline = time.monotonic() + within_s
    while True:
        try:
            return check()
        except AssertionError as error:
            for process in alive:
                assert process.is_running, f"{process.name} ended with {process.code}: {process.log()}"
            if time.monotonic() > deadline:
                logs = "\n".join(f"{process.name}: {process.log()}" for process in alive)
                raise AssertionError(f"not within {within_s:g} s: {error}\n{logs}") from error
        time.sleep(POLL_S)


# ---- processes -----------------------------------------------------------------------------------------------------


def _environment(broker: str, state: Path, changes: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: text for name, text in os.environ.items() if name not in ("IOC_BROKER", "IOC_CONFIG", "IOC_NOW")}
    own = {"IOC_STATE": str(state), "IOC_HTTP_PORT": "0", "IOC_LOG_LEVEL": "WARNING"}
    return {**inherited, **own, **({"IOC_BROKER": broker} if broker else {}), **changes}


def run_ioc(
    *arguments: str, broker: str, state: Path, timeout_s: float, **changes: str
) -> subprocess.CompletedProcess[str]:
    """Runs a command that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "ioc", *arguments],
        env=_environment(broker, state, changes),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@dataclass(slots=True)
class Running:
    """One `ioc …` process. `address` is what its first line of output said."""

    name: str
    process: subprocess.Popen[bytes]
    folder: Path
    address: str = ""

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    @property
    def code(self) -> int | None:
        return self.process.poll()

    def output(self) -> str:
        return (self.folder / f"{self.name}.out").read_text(encoding="utf-8", errors="replace")

    def log(self) -> str:
        """The end of what it wrote to its error stream."""
        return (self.folder / f"{self.name}.err").read_text(encoding="utf-8", errors="replace")[-4000:]

    def kill(self) -> None:
        """kill -9; returns when it is gone."""
        assert self.is_running, f"{self.name} ended by itself with {self.code}: {self.log()}"
        self.process.kill()
        self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, *, within_s: float = 20.0) -> int:
        """SIGTERM; returns the exit code. Killed and told where it takes longer than `within_s`."""
        if self.is_running:
            self.process.terminate()
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.name} did not end within {within_s:g} s of SIGTERM: {self.log()}") from None

    # ---- its HTTP door ---------------------------------------------------------------------------------------------

    def await_address(self, within_s: float = READY_S) -> str:
        def printed() -> None:
            first, newline, _ = self.output().partition("\n")
            assert newline, "no first line of output"
            self.address = first.removeprefix("ready ").strip()

        eventually(printed, within_s=within_s, alive=[self])
        return self.address

    def await_ready(self, within_s: float = READY_S) -> "Running":
        if not self.address:
            self.await_address(within_s)

        def ready() -> None:
            status, body = self.get("/readyz")
            assert status == 200, f"/readyz answers {status} {body}"

        eventually(ready, within_s=within_s, alive=[self])
        return self

    def get(self, path: str) -> tuple[int, str]:
        """Returns (status, body); status 0 where nothing answers."""
        try:
            with urllib.request.urlopen(f"{self.address}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def metrics(self) -> "Metrics":
        status, text = self.get("/metrics")
        assert status == 200, f"/metrics of {self.name} answers {status}: {text[:300]}"
        return Metrics(text)


@contextlib.contextmanager
def start_ioc(
    *arguments: str, name: str, broker: str, folder: Path, state: Path | None = None, **changes: str
) -> Iterator[Running]:
    """A command in the background, killed at the end where it still runs. Its outputs lie in `folder`.

    `broker` "": the command brings its own.
    """
    with (folder / f"{name}.out").open("wb") as out, (folder / f"{name}.err").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "ioc", *arguments],
            stdout=out,
            stderr=err,
            env=_environment(broker, state or folder / "state", changes),
            start_new_session=True,
        )
    running = Running(name=name, process=process, folder=folder)
    try:
        yield running
    finally:
        if running.is_running:
            process.kill()
            process.wait()


@contextlib.contextmanager
def start_worker(
    roles: str, *, broker: str, folder: Path, name: str = "worker", state: Path | None = None, **changes: str
) -> Iterator[Running]:
    """`ioc worker --roles …` that printed its address; `await_ready` says when it can do its work."""
    arguments = ("worker", "--roles", roles)
    with start_ioc(*arguments, name=name, broker=broker, folder=folder, state=state, **changes) as worker:
        worker.await_address()
        yield worker


# ---- metrics -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One exported KPI of one window; None where there is no such series."""

    numerator: float | None
    denominator: float | None


class Metrics:
    """One scrape."""

    def __init__(self, text: str) -> None:
        self._samples = [
            (sample.name, sample.labels, sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        ]

    def total(self, name: str, **labels: str) -> float:
        """The sum of the samples that have these labels."""
        wanted = labels.items()
        return sum(value for found, has, value in self._samples if found == name and wanted <= has.items())

    def by(self, name: str, label: str) -> Counter[str]:
        counts: Counter[str] = Counter()
        for found, labels, value in self._samples:
            if found == name:
                counts[labels[label]] += int(value)
        return counts

    def outcomes(self, topic: str = "") -> dict[str, int]:
        """ioc_events_total by outcome; all topics, or one."""
        labels = {"topic": topic} if topic else {}
        return {
            outcome: int(self.total("ioc_events_total", outcome=outcome, **labels))
            for outcome in ("in", "accepted", "duplicate", "rejected")
        }

    def figure(self, kpi: str, window: str, *, admin_unit: str = "*", agency: str = "") -> Figure:
        place = {"kpi": kpi, "window": window, "admin_unit": admin_unit, "agency": agency}
        return Figure(
            numerator=self._only("ioc_kpi_numerator", place), denominator=self._only("ioc_kpi_denominator", place)
        )

    def kpis(self) -> set[str]:
        """The KPIs with at least one figure."""
        return {labels["kpi"] for name, labels, _ in self._samples if name == "ioc_kpi_numerator"}

    def _only(self, name: str, labels: Mapping[str, str]) -> float | None:
        values = [value for found, has, value in self._samples if found == name and labels.items() <= has.items()]
        assert len(values) <= 1, f"{name} of {labels} is there {len(values)} times"
        return values[0] if values else None


# ---- Kafka ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record to send. `partition` None: where the key's murmur2 says."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    partition: int | None = None


async def publish(broker: str, records: Sequence[Record]) -> list[Any]:
    """Sends the records in this order; returns their metadata, all of them acknowledged."""
    async with AIOKafkaProducer(
        bootstrap_servers=broker, enable_idempotence=True, linger_ms=5, max_request_size=4 * 1024 * 1024
    ) as producer:
        receipts = [
            await producer.send(
                record.topic,
                record.value,
                key=record.key,
                headers=list(record.headers),
                partition=record.partition,
            )
            for record in records
        ]
        return [await receipt for receipt in receipts]


async def committed(broker: str, topic: str) -> list[Any]:
    """Every record of a topic that a careful reader sees (read_committed), from its beginning to its present end."""
    async with AIOKafkaConsumer(
        topic,
        bootstrap_servers=broker,
        group_id=None,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    ) as consumer:
        partitions = list(consumer.assignment())
        assert partitions, f"no topic {topic}"
        ends = await consumer.end_offsets(partitions)
        await consumer.seek_to_beginning(*partitions)
        found: list[Any] = []
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += records
    return found
