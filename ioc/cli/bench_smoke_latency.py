"""From the first frame with smoke that a camera takes to the alert that on-call hands out: every part as it is run.

Real Kafka, `ioc worker` (frames and incidents), `ioc oncall` with its webhook; 37 cameras, each a frame every 5 s. The
pictures are drawn beforehand, so that drawing does not take the processor from what is measured.
"""

import asyncio
import os
import re
import secrets
import shutil
import statistics
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import orjson
import yaml
from aiokafka import AIOKafkaProducer

from ioc.broker import EmbeddedKafka
from ioc.broker.process import ChildProcess
from ioc.catalog import load_catalog
from ioc.cli.bench_process import WorkerProcess
from ioc.cli.bench_progress import Advance, progress
from ioc.cli.bench_publishing import make_topics
from ioc.cli.bench_table import Bound, Measure, judged
from ioc.cli.smoke_onset import onset_of
from ioc.errors import PermanentError
from ioc.frames import FRAMES_TOPIC, Frame, encode_frame, sha256_hex
from ioc.oncall.receiver import WebhookReceiver
from ioc.oncall.signatures import SigningKey
from ioc.settings import load_settings
from ioc.simulate.scenes import Scene, SceneSpec
from ioc.simulate.variety import varied_spec

__all__ = ["Shot", "measure_latency", "waits"]

FIRST_SEED = 1_400_000
_CAMERAS = 37
_INTERVAL_S = 5.0
_QUIET_FRAMES = 14  # each camera's plume begins up to twelve frames later: not all at once
_SPREAD_FRAMES = 12
_AFTER_FRAMES = 24  # two minutes: what is told later counts as never told
_SETTLE_S = 15.0
_READY_S = 90.0
_SIZE = (1280, 720)
_TRIES = 20
_LEAST_TOLD = 0.75
_WAIT = Bound(floor=40.0, goal=20.0, unit=" s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """What one camera will send. From frame `start` on it burns, from `onset` on a person would point at the smoke."""

    camera_id: str
    jpegs: tuple[bytes, ...]
    start: int
    onset: int


def measure_latency(model: str, *, is_quick: bool = False) -> list[Measure]:
    """Returns the time from captured to alert of the fires that were told, of which three quarters must be.

    How many fires the detector sees at all is a matter of the other parts, whose floor is three quarters too: with the
    missed ones in, the 95th percentile would ask for nearly all.

    Raises:
        PermanentError: a service did not start.
    """
    cameras = 8 if is_quick else _CAMERAS
    with progress("latency: drawing", cameras) as advance:
        shots = []
        for number in range(cameras):
            shots.append(_shot(number))
            advance(1)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ioc-bench-")))
        kafka = stack.enter_context(EmbeddedKafka(folder / "kafka"))
        make_topics(kafka.address)
        catalog = _catalog(folder, shots)
        worker = stack.enter_context(
            WorkerProcess(
                "frames,incidents",
                broker=kafka.address,
                folder=folder / "worker",
                catalog=str(catalog),
                smoke_model=model,
            )
        )
        worker.wait_ready()
        captured, told = asyncio.run(_played(shots, kafka.address, catalog, folder))
    return _lines(shots, captured, told, is_full=not is_quick)


def waits(
    shots: Sequence[Shot], captured: Sequence[Sequence[float]], told: Sequence[tuple[str, float]]
) -> tuple[list[float], int]:
    """Returns seconds from each camera's first frame with smoke to its first alert after it, and false alerts before.

    `captured` are epoch seconds of each shot's frames, `told` (camera, epoch seconds) of alerts. Never told: infinite;
    told while a person would not have pointed at it yet: 0.
    """
    found: list[float] = []
    early = 0
    for shot, times in zip(shots, captured, strict=True):
        own = [at for camera, at in told if camera == shot.camera_id]
        early += any(at < times[shot.start] for at in own)
        after = min((at for at in own if at >= times[shot.start]), default=float("inf"))
        found.append(max(0.0, after - times[shot.onset]))
    return sorted(found), early


def _lines(
    shots: Sequence[Shot], captured: Sequence[Sequence[float]], told: Sequence[tuple[str, float]], *, is_full: bool
) -> list[Measure]:
    found, early = waits(shots, captured, told)
    seen = [wait for wait in found if wait < float("inf")]
    is_enough = len(seen) >= _LEAST_TOLD * len(shots)
    p95 = float(np.quantile(seen, 0.95, method="higher")) if seen else float("inf")
    middle = f"median {statistics.median(seen):.1f}" if seen else "none came"
    late = [max(0.0, gap) for times in captured for gap in np.diff(times) - _INTERVAL_S]
    return [
        judged(
            f"first smoke frame captured → alert handed out, {len(shots)} cameras, a frame per {_INTERVAL_S:g} s, p95",
            f"{p95:.1f} s ({middle}); {len(seen)} of {len(shots)} fires told, {early} cameras alerted before; "
            f"frames at most {max(late):.2f} s late",
            p95 if is_enough else float("inf"),
            _WAIT,
            is_full=is_full,
        )
    ]


def _shot(number: int) -> Shot:
    """Draws one camera with an ordinary plume until its smoke can be told from what is behind it."""
    rng = np.random.default_rng(np.random.SeedSequence([FIRST_SEED, number]))
    for _ in range(_TRIES):
        spec = _spec(rng, number)
        scene = Scene(spec)
        onset = onset_of(spec, within=_AFTER_FRAMES)
        if onset is not None:
            frames = tuple(scene.render_jpeg(index) for index in range(onset + _AFTER_FRAMES))
            camera_id = f"bench-{number:02d}"
            return Shot(camera_id=camera_id, jpegs=frames, start=spec.plume_start_frame, onset=onset)
    raise AssertionError(f"no visible smoke before camera {number} in {_TRIES} draws")


def _spec(rng: np.random.Generator, number: int) -> SceneSpec:
    """An ordinary plume: neither a veil nor a speck, which is a matter of the other parts."""
    return replace(
        varied_spec(FIRST_SEED + number, width=_SIZE[0], height=_SIZE[1]),
        plume_start_frame=_QUIET_FRAMES + int(rng.integers(0, _SPREAD_FRAMES)),
        plume_scale=float(rng.uniform(0.6, 1.3)),
        plume_opacity=float(rng.uniform(0.7, 1.2)),
        plume_growth=float(rng.uniform(1.0, 2.5)),
        plume_distance=0.0,
        frame_interval_s=_INTERVAL_S,
        haze=float(rng.uniform(0.2, 1.0)),
        has_day=False,
    )


def _catalog(folder: Path, shots: Sequence[Shot]) -> Path:
    """The catalogue with a camera for each shot; none has a bearing, so none sees the fire of another."""
    copied = folder / "catalog"
    source = load_settings().catalog
    shutil.copytree(source, copied)
    unit = next(iter(sorted(unit.code for unit in load_catalog(source).geography.units())))
    cameras = {
        shot.camera_id: {"name_vi": f"Camera đo {shot.camera_id}", "admin_unit": unit, "poses": {"p0": {}}}
        for shot in shots
    }
    (copied / "cameras.yaml").write_text(yaml.safe_dump(cameras, allow_unicode=True), encoding="utf-8")
    return copied


async def _played(
    shots: Sequence[Shot], broker: str, catalog: Path, folder: Path
) -> tuple[list[list[float]], list[tuple[str, float]]]:
    """Sends every frame at its time; returns when each was sent, and what on-call handed out when."""
    notices = folder / "notices.jsonl"
    secret = "whsec_" + b64encode(secrets.token_bytes(24)).decode()
    async with AsyncExitStack() as stack:
        receiver = WebhookReceiver(key=SigningKey.from_text(secret, where="bench"), file=notices)
        await receiver.start()
        stack.push_async_callback(receiver.stop)
        oncall = _oncall(broker, catalog, folder, receiver.url, secret)
        stack.push_async_callback(asyncio.to_thread, oncall.terminate, 5.0)
        await _ready(oncall, folder / "oncall.log")
        producer = AIOKafkaProducer(bootstrap_servers=broker, linger_ms=0)
        await producer.start()
        stack.push_async_callback(producer.stop)
        province = load_catalog(catalog).province
        begin = time.time() + 1.0
        total = sum(len(shot.jpegs) for shot in shots)
        with progress("latency: frames", total) as advance:
            sent = [
                _camera(producer, shot, province, begin + _INTERVAL_S * number / len(shots), advance)
                for number, shot in enumerate(shots)
            ]
            captured = list(await asyncio.gather(*sent))
        await asyncio.sleep(_SETTLE_S)
    return captured, list(_notices(notices))


async def _camera(producer: AIOKafkaProducer, shot: Shot, province: str, begin: float, advance: Advance) -> list[float]:
    captured: list[float] = []
    for index, jpeg in enumerate(shot.jpegs):
        await asyncio.sleep(max(0.0, begin + index * _INTERVAL_S - time.time()))
        now = time.time()
        frame = Frame(
            camera_id=shot.camera_id,
            pose_id="p0",
            sequence=index,
            captured_at=datetime.fromtimestamp(now, UTC),
            sha256=sha256_hex(jpeg),
            jpeg=jpeg,
        )
        key, value, headers = encode_frame(frame, province=province)
        await producer.send_and_wait(FRAMES_TOPIC, key=key, value=value, headers=headers)
        captured.append(now)
        advance(1)
    return captured


def _notices(path: Path) -> list[tuple[str, float]]:
    told = []
    for line in path.read_bytes().splitlines() if path.exists() else ():
        record = orjson.loads(line)
        incident = record["body"].get("data", {}).get("incident", {})
        if incident.get("kind") == "smoke":
            told.append((str(incident.get("camera_id")), datetime.fromisoformat(record["at"]).timestamp()))
    return told


def _oncall(broker: str, catalog: Path, folder: Path, webhook: str, secret: str) -> ChildProcess:
    settings = {
        "IOC_BROKER": broker,
        "IOC_CATALOG": str(catalog),
        "IOC_STATE": str(folder / "oncall"),
        "IOC_HTTP_PORT": "0",
        "IOC_LOG_LEVEL": "WARNING",
        "IOC_ONCALL_WEBHOOK_URL": webhook,
        "IOC_ONCALL_WEBHOOK_SECRET": secret,
    }
    (folder / "oncall").mkdir()
    return ChildProcess(
        [sys.executable, "-m", "ioc", "oncall", "--no-console"],
        output=folder / "oncall.log",
        environment={**os.environ, **settings},
    )


async def _ready(child: ChildProcess, log: Path) -> None:
    ends = time.monotonic() + _READY_S
    while time.monotonic() < ends and child.is_running:
        if log.exists() and re.search(r"^ready \S+$", log.read_text(errors="replace"), re.MULTILINE):
            return
        await asyncio.sleep(0.1)
    raise PermanentError(f"ioc oncall did not start: {log.read_text(errors='replace')[-600:]}")
