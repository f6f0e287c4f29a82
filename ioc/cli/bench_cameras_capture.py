"""What 37 RTSP cameras cost `ioc capture cameras`, and what one of them that wedges does to the others."""

import asyncio
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import yaml
from aiokafka import AIOKafkaConsumer

from ioc.broker import EmbeddedKafka
from ioc.cli.bench_publishing import make_topics
from ioc.cli.bench_rtsp import RtspServer, make_clip
from ioc.cli.bench_table import Bound, Measure, judged
from ioc.errors import PermanentError
from ioc.frames import FRAMES_TOPIC
from ioc.settings import load_settings

__all__ = ["measure_capture"]

_CPU = Bound(floor=1.0, goal=0.4, unit=" core")
_DELAY = Bound(floor=1.0, goal=0.2, unit=" s")
_EVERY_S = 5.0
_KEYFRAME_S = 2.0  # of the clip
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 20.0


def measure_capture(*, cameras: int = 37, seconds: float = 40.0) -> list[Measure]:
    """Runs `ioc capture cameras` on `cameras` streams of 1280×720, 25 pictures and 2 Mbit a second, for `seconds`;
    then stops the process of one and lets another camera swallow its connection, for as long again."""
    with (
        tempfile.TemporaryDirectory(prefix="ioc-bench-") as name,
        socket.create_server(("127.0.0.1", 0)) as hole,  # accepts (the kernel does), and never says a word
        EmbeddedKafka(Path(name) / "kafka") as kafka,
    ):
        folder = Path(name)
        make_clip(folder / "clip.mkv", seconds=2 * seconds + _START_TIMEOUT_S + 30)
        make_topics(kafka.address)
        with RtspServer(folder / "clip.mkv", cameras=cameras) as server:
            urls = [server.url(number) for number in range(1, cameras + 1)]
            urls[-1] = f"rtsp://127.0.0.1:{hole.getsockname()[1]}/hangs"
            catalog = _catalog(folder, urls)
            run = asyncio.run(_run(folder, catalog, kafka.address, cameras, seconds))
    return run.measures(cameras)


def _catalog(folder: Path, urls: list[str]) -> Path:
    """The starting catalogue with these cameras."""
    catalog = folder / "catalog"
    shutil.copytree(load_settings().catalog, catalog)
    entries = {f"cam-{number:02}": {"url": url, "timeout": "5s"} for number, url in enumerate(urls, 1)}
    text = yaml.safe_dump({"every": f"{_EVERY_S:g}s", "cameras": entries})
    (catalog / "capture.yaml").write_text(text, encoding="utf-8")
    return catalog


@dataclass(slots=True, kw_only=True)
class _Seen:
    """Stills as a consumer of Kafka sees them: by camera, (captured, seen) in seconds of the day's clock."""

    stills: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def note(self, key: bytes, headers: Mapping[str, bytes]) -> None:
        captured_at = datetime.fromisoformat(headers["ce_capturedat"].decode()).timestamp()
        self.stills[key.decode().split(":")[0]].append((captured_at, time.time()))

    def worst_s(self, since: float, until: float, without: set[str]) -> tuple[float, float]:
        """(longest way from camera to consumer, most that a still came later than its time and the next keyframe)."""
        way, late = 0.0, 0.0
        for camera, stills in self.stills.items():
            if camera in without:
                continue
            times = [captured for captured, _ in stills if since - 2 * _EVERY_S <= captured <= until]
            way = max([way, *(seen - captured for captured, seen in stills if since <= captured <= until)])
            gaps = [following - captured for captured, following in itertools.pairwise(times)]
            gaps.append(until - times[-1] if times else until - since)
            late = max(late, max(gaps) - _EVERY_S - _KEYFRAME_S)
        return way, max(0.0, late)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    cores: float
    memory_mb: float
    stills_per_s: float
    quiet_way_s: float
    way_s: float
    late_s: float

    def measures(self, cameras: int) -> list[Measure]:
        return [
            judged(
                f"ioc capture cameras: {cameras} RTSP streams of 1280×720, a still each {_EVERY_S:g} s",
                f"{self.cores:.2f} core, {self.memory_mb:,.0f} MB, {self.stills_per_s:.1f} stills/s on Kafka",
                self.cores,
                _CPU,
            ),
            judged(
                f"one wedged camera among {cameras}: delay of the others",
                f"{max(self.late_s, self.way_s - self.quiet_way_s, 0.0):.2f} s (camera to consumer at worst "
                f"{self.way_s:.2f} s, before {self.quiet_way_s:.2f} s; late for its turn {self.late_s:.2f} s)",
                max(self.late_s, self.way_s - self.quiet_way_s, 0.0),
                _DELAY,
            ),
        ]


async def _run(folder: Path, catalog: Path, broker: str, cameras: int, seconds: float) -> _Run:
    seen = _Seen()
    consumer = AIOKafkaConsumer(FRAMES_TOPIC, bootstrap_servers=broker, auto_offset_reset="latest")
    await consumer.start()
    reading = asyncio.create_task(_read(consumer, seen))
    capture = _start(folder, catalog, broker)
    try:
        await _all_seen(seen, cameras - 1, capture)  # the last one hangs from the start
        return await _measured(seen, psutil.Process(capture.pid), seconds, hanging=f"cam-{cameras:02}")
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await consumer.stop()
        capture.terminate()
        await asyncio.to_thread(capture.wait, _STOP_TIMEOUT_S)


def _start(folder: Path, catalog: Path, broker: str) -> "subprocess.Popen[bytes]":
    environment = {
        "IOC_BROKER": broker,
        "IOC_CATALOG": str(catalog),
        "IOC_STATE": str(folder / "state"),
        "IOC_HTTP_PORT": "0",
        "IOC_LOG_LEVEL": "ERROR",
    }
    command = [sys.executable, "-m", "ioc", "capture", "cameras"]
    return subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)


async def _measured(seen: _Seen, capture: psutil.Process, seconds: float, *, hanging: str) -> _Run:
    began_s, cpu_s, began = time.perf_counter(), _cpu_s(capture), time.time()
    counted = sum(map(len, seen.stills.values()))
    await asyncio.sleep(seconds)
    cores = (_cpu_s(capture) - cpu_s) / (time.perf_counter() - began_s)
    rate = (sum(map(len, seen.stills.values())) - counted) / (time.perf_counter() - began_s)
    memory = sum(process.memory_full_info().pss for process in _family(capture))
    wedged = time.time()
    (nursery,) = capture.children()
    victim = nursery.children()[0]
    os.kill(victim.pid, signal.SIGSTOP)  # the worst that a decoder can do: it holds what it has and never answers
    await asyncio.sleep(seconds)
    until = time.time()
    silent = {hanging, _silenced(seen, wedged)}
    quiet_way_s, _ = seen.worst_s(began, wedged, {hanging})
    way_s, late_s = seen.worst_s(wedged, until, silent)
    return _Run(
        cores=cores,
        memory_mb=memory / 1e6,
        stills_per_s=rate,
        quiet_way_s=quiet_way_s,
        way_s=way_s,
        late_s=late_s,
    )


def _silenced(seen: _Seen, since: float) -> str:
    """The camera with the longest gap after `since`: the one whose process was stopped."""

    def gap(camera: str) -> float:
        times = [since, *(captured for captured, _ in seen.stills[camera] if captured > since), time.time()]
        return max(following - captured for captured, following in itertools.pairwise(times))

    return max(seen.stills, key=gap)


def _family(capture: psutil.Process) -> list[psutil.Process]:
    return [capture, *capture.children(recursive=True)]


def _cpu_s(capture: psutil.Process) -> float:
    """CPU of all, also of children that have ended."""
    total = 0.0
    for process in _family(capture):
        times = process.cpu_times()
        total += times.user + times.system + times.children_user + times.children_system
    return total


async def _read(consumer: Any, seen: _Seen) -> None:
    async for record in consumer:
        seen.note(record.key, dict(record.headers))


async def _all_seen(seen: _Seen, cameras: int, capture: "subprocess.Popen[bytes]") -> None:
    ends = time.perf_counter() + _START_TIMEOUT_S
    while sum(len(stills) >= 2 for stills in seen.stills.values()) < cameras:
        if capture.poll() is not None or time.perf_counter() > ends:
            raise PermanentError(f"{len(seen.stills)} of {cameras} cameras gave stills within {_START_TIMEOUT_S:g} s")
        await asyncio.sleep(0.2)
