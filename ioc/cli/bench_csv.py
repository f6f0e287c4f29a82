"""`ioc publish` of a large CSV to a real broker of its own: rows a second from start to end, and memory."""

import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from aiokafka import AIOKafkaConsumer, TopicPartition

from ioc.broker import EmbeddedKafka
from ioc.cli.bench_dossiers import DOSSIERS_TOPIC
from ioc.cli.bench_progress import Advance, progress
from ioc.cli.bench_publishing import make_topics
from ioc.cli.bench_table import Bound, Measure, judged
from ioc.errors import PermanentError

__all__ = ["measure_csv", "write_dossiers_csv"]

_RATE = Bound(floor=25_000, goal=60_000, unit=" rows/s", is_upper=False)
_MEMORY = Bound(floor=250, goal=150, unit=" MB")
_NOW = "2026-11-22T08:00:00+07:00"
_MAPPING = "mot-cua-ho-so"
_SEED = 5
_FULL_ROWS = 1_000_000
_LOOK_EVERY_S = 0.1
_HEADINGS = (
    'Mã hồ sơ,Mã thủ tục,Mức độ DVC,Hình thức nộp,Ngày nộp,Mã cơ quan,Mã xã,"Phí, lệ phí",Hạn trả,Ngày trả kết quả,'
    "Hình thức trả\n"
)


def measure_csv(*, rows: int) -> list[Measure]:
    """Returns rows a second, the start of the process included, CPU a row, and the largest resident memory.

    Raises:
        PermanentError: `ioc publish` failed, or Kafka does not hold every row once.
    """
    with tempfile.TemporaryDirectory(prefix="ioc-bench-") as folder, EmbeddedKafka(Path(folder) / "kafka") as kafka:
        make_topics(kafka.address)
        path = Path(folder) / "ho-so.csv"
        with progress("csv: writing the file", rows) as advance:
            write_dossiers_csv(path, rows, advance)
        with progress("csv: publishing"):
            wall_s, cpu_s, peak_mb = _publish(path, kafka.address, rows)
        there = asyncio.run(_records(kafka.address))
    if there != rows:
        raise PermanentError(f"csv: Kafka holds {there} records of {rows} rows")
    name = f"ioc publish, CSV of {rows:,} rows"
    is_full = rows >= _FULL_ROWS
    return [
        judged(name, f"{rows / wall_s:,.0f} rows/s", rows / wall_s, _RATE, is_full=is_full),
        judged("CPU a row, without the broker's", f"{cpu_s / rows * 1e6:.1f} µs", 0.0, Bound(floor=None, goal=None)),
        judged("memory, at most", f"{peak_mb:.0f} MB", peak_mb, _MEMORY, is_full=is_full),
    ]


def write_dossiers_csv(path: Path, rows: int, advance: Advance = lambda steps: None) -> None:
    """Writes an export of the one-stop software, the same one every time."""
    pick = random.Random(_SEED)  # noqa: S311  (a benchmark, not a secret)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(_HEADINGS)
        for number in range(rows):
            day, hour, minute = pick.randrange(1, 28), pick.randrange(8, 17), pick.randrange(60)
            level, channel = pick.choice(("Toàn trình", "Một phần")), pick.choice(("Trực tuyến", "Trực tiếp"))
            file.write(
                f"H36.{number % 20:02d}-2610{number:08d},1.{pick.randrange(900):06d},{level},{channel},"
                f"{day:02d}/10/2026 {hour:02d}:{minute:02d},H36.{number % 20:02d},24781,{pick.randrange(200) * 1000},"
                f"{day:02d}/11/2026 17:00,,\n"
            )
            if number % 10_000 == 9_999:
                advance(10_000)


def _publish(path: Path, broker: str, rows: int) -> tuple[float, float, float]:
    command = [sys.executable, "-m", "ioc", "publish", str(path), "--as", _MAPPING, "--broker", broker, "--json"]
    began_s = time.perf_counter()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(command, stdout=out, stderr=errors, env={**os.environ, "IOC_NOW": _NOW})
        peak_kb, cpu_s = 0, 0.0
        process = psutil.Process(child.pid)
        while child.poll() is None:
            peak_kb = max(peak_kb, _peak_kb(child.pid))
            with contextlib.suppress(psutil.Error):  # it has just ended
                spent = process.cpu_times()
                cpu_s = max(cpu_s, spent.user + spent.system)
            time.sleep(_LOOK_EVERY_S)
        wall_s = time.perf_counter() - began_s
        out.seek(0)
        errors.seek(0)
        if child.returncode:
            raise PermanentError(f"ioc publish failed: {errors.read().decode(errors='replace')[-600:]}")
        answer = json.loads(out.read())
    if (answer["accepted"], answer["rejected"]) != (rows, 0):
        raise PermanentError(f"ioc publish accepted {answer['accepted']} of {rows} rows")
    return wall_s, cpu_s, peak_kb / 1024


def _peak_kb(pid: int) -> int:
    """The kernel's own high-water mark; what wait4 tells has the parent's size in it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:  # it has just ended
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)


async def _records(broker: str) -> int:
    """How many records the topic holds: end offsets, as nothing else wrote there."""
    consumer = AIOKafkaConsumer(DOSSIERS_TOPIC, bootstrap_servers=broker, group_id=None)
    await consumer.start()
    try:
        ends: dict[TopicPartition, int] = await consumer.end_offsets(list(consumer.assignment()))
        return sum(ends.values())
    finally:
        await consumer.stop()
