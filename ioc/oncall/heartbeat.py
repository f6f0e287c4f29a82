"""On-call's own heartbeat: for Prometheus as a metric, for a watcher outside as a request every minute.

It beats only while on-call can do its work: its loops run and its database takes writes. Kafka may be away: then
on-call still tells people, and that is what this says.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

import aiohttp
from prometheus_client import CollectorRegistry, Counter, Gauge

from ioc.clock import Clock

__all__ = ["Heartbeat", "HeartbeatMetrics"]

logger = logging.getLogger(__name__)

ASK_S = 10.0


class HeartbeatMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.beat = Gauge(
            "ioc_oncall_heartbeat_timestamp_seconds", "When on-call could do its work last", registry=registry
        )
        self.out = Counter(
            "ioc_oncall_heartbeats_total",
            "Heartbeats to the watcher outside by outcome: sent, failed",
            ["outcome"],
            registry=registry,
        )


class Heartbeat:
    """`trouble`: why on-call can't do its work, "" where it can. `url` None: nobody outside is told."""

    def __init__(
        self,
        *,
        url: str | None,
        interval: timedelta,
        session: aiohttp.ClientSession,
        trouble: Callable[[], Awaitable[str]],
        metrics: HeartbeatMetrics,
        clock: Clock,
    ) -> None:
        self._url = url
        self._interval = interval
        self._session = session
        self._trouble = trouble
        self._metrics = metrics
        self._clock = clock
        self._is_told = False

    async def run(self) -> None:
        while True:
            try:
                await self.beat()
            except Exception:  # the boundary: a heart that stops by its own fault says what is not true
                logger.exception("the heartbeat failed in an unforeseen way")
            await asyncio.sleep(self._interval.total_seconds())

    async def beat(self) -> None:
        """One beat; none where on-call is in trouble: the watcher outside notices the silence."""
        trouble = await self._trouble()
        if trouble:
            logger.error("no heartbeat: %s", trouble)
            return
        self._metrics.beat.set(self._clock().timestamp())
        if self._url is not None:
            await self._tell(self._url)

    async def _tell(self, url: str) -> None:
        try:
            async with self._session.get(url, timeout=aiohttp.ClientTimeout(total=ASK_S)) as answer:
                answer.raise_for_status()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            self._metrics.out.labels("failed").inc()
            if not self._is_told:  # never the address: it holds the watcher's secret
                logger.warning("the watcher outside does not take the heartbeat: %s", type(error).__name__)
            self._is_told = True
            return
        self._is_told = False
        self._metrics.out.labels("sent").inc()
