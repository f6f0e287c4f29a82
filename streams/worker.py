"""One worker process: the roles it was given, one registry, one HTTP door. Starts, watches and stops them."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from ioc.adapters.evidence import EvidenceStore
from ioc.catalog import Catalog
from ioc.catalog.model import ENTITY_ROWS_TOPIC
from ioc.clock import Clock
from ioc.errors import ConfigurationError
from streams.batches import AgentName
from streams.frame_lanes import FrameLimits
from streams.health import HealthServer
from streams.memory import collect_garbage_forever, one_arena, spare_the_collector
from streams.metrics import LagCollector, OutcomesCollector, PipelineMetrics
from streams.odd_headers import tolerate_odd_headers
from streams.row_stores import StoreName, make_store_factory
from streams.slim_records import use_slim_records

__all__ = ["ROLES", "RoleName", "Worker", "parse_roles", "stop_on_signals"]

logger = logging.getLogger(__name__)

RoleName = Literal["frames", "incidents", "events", "figures"]
ROLES: tuple[RoleName, ...] = ("frames", "incidents", "events", "figures")
_STOP_TIMEOUT_S = 15.0  # systemd and compose send SIGKILL after 20


class _Role(Protocol):
    """What the worker needs of a role, whatever runs inside it."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def lag(self) -> Mapping[str, int]:
        """Records that wait in Kafka for this role, by topic."""

    async def failed(self) -> None:
        """Returns or raises when the role has ended by itself."""

    @property
    def is_ready(self) -> bool: ...


def parse_roles(text: str) -> tuple[RoleName, ...]:
    """Returns the roles of a comma-separated list, in their natural order.

    Raises:
        ConfigurationError: a role that does not exist, or none.
    """
    names = {name.strip() for name in text.split(",") if name.strip()}
    unknown = names - set(ROLES)
    if unknown or not names:
        raise ConfigurationError(f"--roles {text!r}: choose from {', '.join(ROLES)}, separated by commas")
    return tuple(role for role in ROLES if role in names)


class Worker:
    """Args:
    roles: what to run here.
    broker: host:port of Kafka; the catalogue's topics must exist.
    state: folder for evidence and for Faust's own files; must exist.
    flush_s: seconds between writes of changed rows.
    store: where entity rows lie; each worker with `rocksdb` needs a state folder of its own.
    agent: what feeds events and incidents; `stock` where an upgrade of Faust broke `batch`.
    frame_limits: when a frame gives way or is refused.
    smoke_model: the variant that confirms smoke, see detectors.smoke_variants.
    shadow_smoke_model: the variant that is compared with it, "" for none.
    construction_every_s: seconds of the day for which the construction detector is shown one frame; 0: every frame.
    coverage_minutes: how many minutes one fact about the coverage of a camera tells of.
    evidence: where stills are kept; None: the folder `evidence` in `state`.
    """

    def __init__(
        self,
        roles: Sequence[RoleName],
        *,
        broker: str,
        catalog: Catalog,
        clock: Clock,
        state: Path,
        flush_s: float,
        http_host: str,
        http_port: int,
        agent: AgentName = "batch",
        store: StoreName = "memory",
        frame_limits: FrameLimits = FrameLimits(),  # noqa: B008  (frozen)
        smoke_model: str = "free",
        shadow_smoke_model: str = "",
        construction_every_s: float = 0,
        coverage_minutes: int = 5,
        evidence: EvidenceStore | None = None,
    ) -> None:
        one_arena()
        use_slim_records()
        tolerate_odd_headers()
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        metrics = PipelineMetrics(self.registry)
        self._roles: dict[str, _Role] = {
            role: _build(
                role,
                broker=broker,
                catalog=catalog,
                clock=clock,
                state=state,
                flush_s=flush_s,
                metrics=metrics,
                agent=agent,
                store=store,
                frame_limits=frame_limits,
                smoke_model=smoke_model,
                shadow_smoke_model=shadow_smoke_model,
                construction_every_s=construction_every_s,
                coverage_minutes=coverage_minutes,
                evidence=evidence,
            )
            for role in roles
        }
        self.registry.register(LagCollector(self._lag))
        self._failed = False
        self._health = HealthServer(
            http_host,
            http_port,
            registry=self.registry,
            is_alive=lambda: not self._failed,
            readiness=lambda: {name: role.is_ready for name, role in self._roles.items()},
        )

    @property
    def address(self) -> str:
        """host:port of /metrics, /healthz and /readyz."""
        return self._health.address

    def _lag(self) -> dict[str, int]:
        return {topic: records for role in self._roles.values() for topic, records in role.lag().items()}

    async def run(self, *, stop: asyncio.Event) -> bool:
        """Runs until `stop` is set or a role ends by itself. Returns whether all went well."""
        self._health.start()
        try:
            for role in self._roles.values():
                await role.start()
            spare_the_collector()
            collector = asyncio.create_task(collect_garbage_forever(), name="collect garbage")
            try:
                await self._watch(stop)
            finally:
                collector.cancel()
        finally:
            await self._stop_all()
            self._health.stop()
        return not self._failed

    async def _watch(self, stop: asyncio.Event) -> None:
        tasks: dict[asyncio.Task[Any], str] = {
            asyncio.create_task(role.failed()): name for name, role in self._roles.items()
        }
        stopped = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopped}:
            self._failed = True
            reason = task.exception() or "it ended by itself"
            logger.error("role %s stopped: %s", tasks[task], reason)
        for task in [*tasks, stopped]:
            task.cancel()
        await asyncio.gather(*tasks, stopped, return_exceptions=True)

    async def _stop_all(self) -> None:
        stops = [asyncio.create_task(role.stop(), name=f"stop {name}") for name, role in self._roles.items()]
        _, late = await asyncio.wait(stops, timeout=_STOP_TIMEOUT_S)
        for task in late:
            logger.warning("%s took longer than %g s and is cut off", task.get_name(), _STOP_TIMEOUT_S)
            task.cancel()
        for task in stops:
            if task.done() and not task.cancelled() and task.exception() is not None:
                logger.warning("%s: %r", task.get_name(), task.exception())


def _build(
    role: RoleName,
    *,
    broker: str,
    catalog: Catalog,
    clock: Clock,
    state: Path,
    flush_s: float,
    metrics: PipelineMetrics,
    agent: AgentName,
    store: StoreName,
    frame_limits: FrameLimits,
    smoke_model: str,
    shadow_smoke_model: str,
    construction_every_s: float,
    coverage_minutes: int,
    evidence: EvidenceStore | None,
) -> _Role:
    """Makes one role. Imports wait until here: a worker without frames needs no OpenCV in memory."""
    folder = state / "faust" / role
    folder.parent.mkdir(parents=True, exist_ok=True)
    if role == "figures":
        from streams.kpis_to_metrics import FiguresRole

        figures = FiguresRole(broker=broker, catalog=catalog, clock=clock)
        metrics.registry.register(figures)
        return figures
    if role == "events":
        from streams.events_to_entities import EventsRole

        events = EventsRole(
            broker=broker,
            catalog=catalog,
            clock=clock,
            flush_s=flush_s,
            metrics=metrics,
            folder=folder,
            agent=agent,
            make_store=make_store_factory(store, state / "rows" / ENTITY_ROWS_TOPIC),
        )
        metrics.registry.register(OutcomesCollector(events.outcomes))
        return events
    if role == "incidents":
        from streams.detections_to_incidents import IncidentsRole

        return IncidentsRole(broker=broker, catalog=catalog, clock=clock, metrics=metrics, folder=folder, agent=agent)
    from streams.frames_to_detections import FramesRole

    return FramesRole(
        broker=broker,
        catalog=catalog,
        clock=clock,
        metrics=metrics,
        folder=folder,
        state=state,
        limits=frame_limits,
        smoke_model=smoke_model,
        shadow_smoke_model=shadow_smoke_model,
        construction_every_s=construction_every_s,
        coverage_minutes=coverage_minutes,
        evidence=evidence,
    )


def stop_on_signals(stop: asyncio.Event, signals: Iterable[signal.Signals] = (signal.SIGTERM, signal.SIGINT)) -> None:
    """Sets `stop` when the process is asked to end."""
    loop = asyncio.get_running_loop()
    for number in signals:
        with contextlib.suppress(NotImplementedError):  # not on every platform
            loop.add_signal_handler(number, stop.set)
