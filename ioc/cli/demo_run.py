"""Runs the demo: starts the same services that production has, watches them, and ends them all."""

import asyncio
import contextlib
import functools
import logging
import os
import re
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import aiohttp
import yaml

from ioc.adapters.kafka_access import kafka_access
from ioc.adapters.topics import ensure_topics
from ioc.broker import EmbeddedKafka
from ioc.broker.process import ChildProcess
from ioc.capture.folders import folder_cameras
from ioc.catalog import Catalog, load_catalog
from ioc.cli.demo_state import DemoState, Facts, read_facts
from ioc.clock import system_clock
from ioc.errors import ConfigurationError, PermanentError
from ioc.gateway.service import token_file
from ioc.oncall.receiver import WebhookReceiver
from ioc.oncall.signatures import SigningKey
from ioc.settings import Settings, load_settings

__all__ = ["Demo", "DemoPlan"]

logger = logging.getLogger(__name__)

_PORTS = {"worker": 9101, "oncall": 8081, "gateway": 8080, "wall": 8082}  # as the documents name them
_BAD_CONFIGURATION = 2  # the exit code of a service whose port is taken
_READY_TIMEOUT_S = 60.0
_DRAIN_TIMEOUT_S = 20.0
_LOOK_EVERY_S = 2.0  # the worker takes a quarter of a second to tell its 18,000 series
_STOP_GRACE_S = 2.0  # Ctrl-C ends everything within five seconds
_SCENE_FPS = 1.0
_HISTORY_EVENTS = 3_000
_DEPARTMENTS_WAIT_S = 8.0  # for the first frame: their 7,000 events of the past would keep two cores from drawing it
_PLAY_SHARE = 0.6  # of the time; the rest is for the last frames to become alerts


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPlan:
    """What to run. `seconds` None: until Ctrl-C. `state` None: a temporary folder."""

    seconds: float | None
    frames: Path | None
    seed: int
    plume: bool
    building: bool
    rate: float
    fps: float | None
    state: Path | None


@dataclass(slots=True)
class _Parts:
    """What runs, in the order of its start."""

    kafka: EmbeddedKafka | None = None
    receiver: WebhookReceiver | None = None
    services: dict[str, ChildProcess] = field(default_factory=dict)
    publishers: dict[str, ChildProcess] = field(default_factory=dict)


class Demo:
    """One run of the demo. Nothing of it is left when `run` returns."""

    def __init__(self, plan: DemoPlan) -> None:
        self._plan = plan
        self._parts = _Parts()
        self._stop = asyncio.Event()
        self._facts = Facts()
        self._failure = ""
        self._started = 0.0
        self._departments: Callable[[], None] | None = None  # starts them, until that is done

    async def run(self, show: Callable[[DemoState], None]) -> DemoState:
        """Returns how it ended; `show` gets the state about once a second."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
        settings = load_settings()
        kept = self._plan.state
        folder = (kept or Path(tempfile.mkdtemp(prefix="ioc-demo-"))).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        self._started = time.monotonic()
        try:
            await self._start(folder, settings, show)
            self._started = time.monotonic()  # the time asked for counts from when everything is ready
            await self._watch(show)
        finally:
            seconds = time.monotonic() - self._started
            await self._end()
            if kept is None:
                shutil.rmtree(folder, ignore_errors=True)
        return self._state("ended", seconds)

    # ---- start -----------------------------------------------------------------------------------------------------

    async def _start(self, folder: Path, settings: Settings, show: Callable[[DemoState], None]) -> None:
        show(self._state("starting Kafka (the first time its jars are fetched, 46 MB)"))
        catalog_folder = self._catalog_folder(folder, settings)
        catalog = load_catalog(catalog_folder)
        self._facts.definitions = {kpi.id: kpi for kpi in catalog.kpis}
        broker = await self._broker(folder, settings)
        if self._stop.is_set():
            return
        show(self._state("creating topics"))
        await ensure_topics(broker, catalog.topics())
        key = "whsec_" + b64encode(secrets.token_bytes(24)).decode()
        self._parts.receiver = receiver = WebhookReceiver(key=SigningKey.from_text(key, where="demo"))
        await receiver.start()
        inherited = {
            name: text for name, text in os.environ.items() if self._parts.kafka is None or not _is_login(name)
        }
        environment = {
            **inherited,
            "IOC_BROKER": broker,
            "IOC_CATALOG": str(catalog_folder),
            "IOC_STATE": str(folder),
            "IOC_LOG_LEVEL": "WARNING",
            "IOC_COVERAGE_MINUTES": "1",  # nobody watches a demo for five minutes before its cameras are told of
            "IOC_ONCALL_WEBHOOK_URL": receiver.url,
            "IOC_ONCALL_WEBHOOK_SECRET": key,
        }
        show(self._state("starting worker and on-call"))
        self._facts.addresses = {"Kafka": broker, "webhook": receiver.url}
        await self._serve(["worker", "oncall"], folder, environment)
        if self._stop.is_set():
            return
        self._publish_frames(folder, environment)
        show(self._state("starting the departments' door"))
        self._facts.token = _issue_token(folder, catalog)
        with_figures = {**environment, "IOC_FIGURES_URL": f"{self._facts.addresses['worker']}/metrics"}
        await self._serve(["gateway"], folder, with_figures)
        if self._stop.is_set():
            return
        show(self._state("starting the wall"))
        await self._serve(["wall"], folder, {**with_figures, "IOC_ONCALL_URL": self._facts.addresses["oncall"]})
        if self._plan.rate > 0:
            self._departments = functools.partial(self._publish_events, folder, environment)

    async def _serve(self, names: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        """Starts services together and waits until each can do its work."""
        for name in names:
            port = _PORTS[name] if _is_free(_PORTS[name]) else 0
            with_port = {**environment, "IOC_HTTP_PORT": str(port)}
            self._parts.services[name] = _service(name, [name], folder, with_port)
        for name in names:
            self._facts.addresses[name] = await self._ready(name, folder, environment)

    def _catalog_folder(self, folder: Path, settings: Settings) -> Path:
        """The catalogue of the run: the province's own, with the folders of --frames as further cameras."""
        if self._plan.frames is None:
            return settings.catalog.resolve()
        found = folder_cameras(self._plan.frames)
        copied = folder / "catalog"
        shutil.copytree(settings.catalog, copied, dirs_exist_ok=True)
        path = copied / "cameras.yaml"
        cameras = yaml.safe_load(path.read_text(encoding="utf-8"))
        province = load_catalog(settings.catalog)
        unit = next(iter(sorted(u.code for u in province.geography.units())))
        for camera_id in found:
            cameras.setdefault(camera_id, {"name_vi": f"Ảnh thử {camera_id}", "admin_unit": unit, "poses": {"p0": {}}})
        path.write_text(yaml.safe_dump(cameras, allow_unicode=True, sort_keys=False), encoding="utf-8")
        return copied

    async def _broker(self, folder: Path, settings: Settings) -> str:
        """Our own Kafka, or the one that IOC_BROKER names."""
        if os.environ.get("IOC_BROKER"):
            return kafka_access(settings)
        kafka = EmbeddedKafka(folder / "kafka", jars=settings.kafka_jars)
        self._parts.kafka = kafka
        starting = asyncio.create_task(asyncio.to_thread(kafka.start))
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait([starting, stopped], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        return await starting

    async def _ready(self, name: str, folder: Path, environment: Mapping[str, str]) -> str:
        """The address that a service prints once it can work. A port that another demo was quicker to take is no
        reason to fail: the service is started again on any other."""
        may_try_again = True
        log = folder / "logs" / f"{name}.log"
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while time.monotonic() < deadline and not self._stop.is_set():
            match = re.search(r"^ready (\S+)$", log.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
            if match and await _answers(f"{match.group(1)}/readyz"):
                return match.group(1)
            child = self._parts.services[name]
            if not child.is_running and child.returncode == _BAD_CONFIGURATION and may_try_again:
                may_try_again = False
                self._parts.services[name] = _service(name, [name], folder, {**environment, "IOC_HTTP_PORT": "0"})
            elif not child.is_running:
                raise PermanentError(f"the {name} ended with code {child.returncode}: {_tail(log)}")
            await asyncio.sleep(0.1)
        if self._stop.is_set():
            return ""
        raise PermanentError(f"the {name} was not ready after {_READY_TIMEOUT_S:g} s: {_tail(log)}")

    def _publish_frames(self, folder: Path, environment: Mapping[str, str]) -> None:
        plan = self._plan
        if plan.frames is not None:
            longest = max(len(pictures) for pictures in folder_cameras(plan.frames).values())
            fps = plan.fps or (max(_SCENE_FPS, longest / (plan.seconds * _PLAY_SHARE)) if plan.seconds else _SCENE_FPS)
            arguments = ["capture", "folder", str(plan.frames.resolve()), "--fps", f"{fps:.3f}", "--every-frame"]
        else:
            arguments = ["simulate", "scenes", "--publish", "--seed", str(plan.seed)]
            arguments += ["--fps", str(plan.fps or _SCENE_FPS)]
            arguments += ["--plume" if plan.plume else "--no-plume"]
            arguments += ["--building" if plan.building else "--no-building"]
        self._parts.publishers["cameras"] = _service("cameras", arguments, folder, environment)

    def _publish_events(self, folder: Path, environment: Mapping[str, str]) -> None:
        arguments = ["simulate", "events", "--seed", str(self._plan.seed), "--rate", str(self._plan.rate)]
        arguments += ["--past-incidents", "--history", str(_HISTORY_EVENTS)]
        arguments += ["--duplicates", "0.03", "--invalid", "0.01"]
        self._parts.publishers["departments"] = _service("departments", arguments, folder, environment)

    # ---- watch -----------------------------------------------------------------------------------------------------

    async def _watch(self, show: Callable[[DemoState], None]) -> None:
        started, looked = self._started, -_LOOK_EVERY_S
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            while not self._stop.is_set() and not self._is_over(started):
                seconds = time.monotonic() - started
                if seconds - looked >= _LOOK_EVERY_S:
                    looked = seconds
                    await self._look(session)
                if self._departments is not None and (self._facts.frames or seconds >= _DEPARTMENTS_WAIT_S):
                    self._departments()
                    self._departments = None
                show(self._state("running", seconds))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), timeout=1.0)
            if not self._stop.is_set() and not self._failure:
                await self._drain(session, show, started)

    def _is_over(self, started: float) -> bool:
        for name, child in {**self._parts.services, **self._parts.publishers}.items():
            if not child.is_running and (name in self._parts.services or child.returncode):
                self._failure = f"the part '{name}' ended with code {child.returncode}; see its log with --state DIR"
                return True
        if self._parts.kafka is not None and self._parts.kafka.wait(0):
            self._failure = str(self._parts.kafka.failure())
            return True
        return self._plan.seconds is not None and time.monotonic() - started >= self._plan.seconds

    async def _drain(self, session: aiohttp.ClientSession, show: Callable[[DemoState], None], started: float) -> None:
        """Ends the publishers and waits until what they sent is processed, so that the summary is whole."""
        await self._end_children(self._parts.publishers)
        deadline = time.monotonic() + _DRAIN_TIMEOUT_S
        quiet = 0
        before: object = None
        while time.monotonic() < deadline and not self._stop.is_set() and quiet < 3:
            await self._look(session)
            now = (self._facts.events, self._facts.frames, self._facts.detections, self._facts.delivered)
            quiet = quiet + 1 if now == before and not self._facts.lag and not self._facts.pending else 0
            before = now
            show(self._state("finishing", time.monotonic() - started))
            await asyncio.sleep(0.5)

    async def _look(self, session: aiohttp.ClientSession) -> None:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            await read_facts(self._facts, session, self._parts.receiver)

    # ---- end -------------------------------------------------------------------------------------------------------

    async def _end(self) -> None:
        await self._end_children({**self._parts.publishers, **self._parts.services})
        if self._parts.receiver is not None:
            await self._parts.receiver.stop()
        if self._parts.kafka is not None:
            await asyncio.to_thread(self._parts.kafka.stop, _STOP_GRACE_S)

    async def _end_children(self, children: Mapping[str, ChildProcess]) -> None:
        for child in children.values():
            child.ask_to_end()
        await asyncio.gather(*(asyncio.to_thread(child.terminate, _STOP_GRACE_S) for child in children.values()))

    def _state(self, phase: str, seconds: float = 0.0) -> DemoState:
        return DemoState(
            phase=phase, seconds=seconds, planned_s=self._plan.seconds, facts=self._facts, failure=self._failure
        )


def _is_login(variable: str) -> bool:
    """Our own Kafka asks for no user and speaks no TLS."""
    return variable.startswith("IOC_KAFKA_") and variable != "IOC_KAFKA_JARS"


def _issue_token(state: Path, catalog: Catalog) -> str:
    """A token of the first department, to try its page and its door with; "" where the catalogue names none."""
    name = next(iter(catalog.publishers), "")
    if not name:
        return ""
    tokens, day = token_file(state), timedelta(days=1)
    try:
        return tokens.issue(name, now=system_clock(), valid_for=day)[1]
    except ConfigurationError:  # earlier runs with the same --state left two
        return tokens.rotate(name, now=system_clock(), overlap=timedelta(0), valid_for=day)[1]


def _service(name: str, arguments: list[str], folder: Path, environment: Mapping[str, str]) -> ChildProcess:
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    return ChildProcess([sys.executable, "-m", "ioc", *arguments], output=logs / f"{name}.log", environment=environment)


def _is_free(port: int) -> bool:
    """Whether the port that the documents name can be had; a second demo takes any other."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


async def _answers(url: str) -> bool:
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session, session.get(url) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


def _tail(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return "no log"
    return " | ".join(lines[-3:]) or "its log is empty"
