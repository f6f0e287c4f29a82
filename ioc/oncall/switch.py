"""The dead man's switch put together: canary, watchdog, heartbeat and Alertmanager's door of one on-call service."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import aiohttp
from prometheus_client import CollectorRegistry

from ioc.clock import Clock
from ioc.oncall.canary import Canary, CanaryConfig, CanaryMetrics
from ioc.oncall.desk import Desk
from ioc.oncall.heartbeat import Heartbeat, HeartbeatMetrics
from ioc.oncall.rounds import Rounds
from ioc.oncall.watchdog import AlertPath, Watchdog, ask_worker
from ioc.oncall.web_hooks import AlertmanagerHook, HookMetrics

__all__ = ["Switch", "SwitchConfig"]

HEARTBEAT_S = 60.0
Trouble = Callable[[], Awaitable[str]]
"""Why a part can't do its work, "" where it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchConfig:
    """`canary` None: none is sent. `hook_token` None: Alertmanager's door is closed. `worker_url`: a worker's
    `/readyz`, asked when the canary is silent."""

    canary: CanaryConfig | None = None
    worker_url: str = "http://127.0.0.1:9101/readyz"
    heartbeat_url: str | None = None
    hook_token: str | None = None


class Switch:
    """`own`: on-call's own trouble (loops, database), that stops the heartbeat; `reading`: why incidents can't be
    read. `hook` is the handler of Alertmanager's posts."""

    def __init__(
        self,
        config: SwitchConfig,
        *,
        broker: str,
        province: str,
        desk: Desk,
        session: aiohttp.ClientSession,
        registry: CollectorRegistry,
        own: Trouble,
        reading: Trouble,
        clock: Clock,
    ) -> None:
        alert_path = AlertPath(desk)
        self.hook = AlertmanagerHook(
            desk=desk, token=config.hook_token, heard=alert_path.heard, metrics=HookMetrics(registry)
        )
        self._heartbeat = Heartbeat(
            url=config.heartbeat_url,
            interval=timedelta(seconds=HEARTBEAT_S),
            session=session,
            trouble=own,
            metrics=HeartbeatMetrics(registry),
            clock=clock,
        )
        rounds: Rounds | None = None
        self._canary: Canary | None = None
        if config.canary is not None:
            rounds = Rounds(patience=config.canary.patience)
            self._canary = Canary(
                config.canary,
                broker=broker,
                province=province,
                rounds=rounds,
                metrics=CanaryMetrics(registry),
                clock=clock,
            )
        self._watchdog = Watchdog(
            desk=desk,
            clock=clock,
            alert_path=alert_path,
            interval=config.canary.interval if config.canary is not None else timedelta(seconds=HEARTBEAT_S),
            rounds=rounds,
            canary=self._canary,
            reading=reading,
            ask=lambda: ask_worker(session, config.worker_url),
        )

    def start(self) -> list[asyncio.Task[None]]:
        """The loops, running."""
        loops = {"heartbeat": self._heartbeat.run, "watchdog": self._watchdog.run}
        if self._canary is not None:
            loops |= {"canary out": self._canary.send_forever, "canary back": self._canary.read_forever}
        return [asyncio.create_task(run(), name=name) for name, run in loops.items()]
