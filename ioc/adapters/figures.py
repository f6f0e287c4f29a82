"""The figures of the figures role, read from its /metrics: the few series that speak of sources."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from ioc.clock import Clock
from ioc.kpis import KpiDefinition
from ioc.quality import SCORES, FigureKey, Reading

__all__ = ["FigureReader", "Figures", "page_of", "readings_of"]

logger = logging.getLogger(__name__)

CACHED_S = 5.0
TIMEOUT_S = 4.0
_CHUNK_BYTES = 256 * 1024
MAX_BYTES = 64 * 1024 * 1024  # 50,000 series are about 15 MB
_COMPANIONS = ("ioc_kpi_numerator", "ioc_kpi_denominator", "ioc_kpi_as_of_timestamp_seconds", "ioc_kpi_stale")
_KPIS = tuple(kind.kpi for kind in SCORES)
ALIVE = "ioc_source_alive"
"""1 or 0 for each source that is registered; the KPI itself is a share of all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was read, and when; `trouble` says why a newer reading failed, "" where it did not. Never read: no time."""

    readings: Mapping[FigureKey, Reading] = field(default_factory=dict)
    read_at: datetime | None = None
    trouble: str = ""


def readings_of(text: str, definitions: Mapping[str, KpiDefinition]) -> dict[FigureKey, Reading]:
    """Returns the province's series that speak of sources, from the text of a scrape.

    Only their lines are parsed: the whole has 50,000 of them.

    Raises:
        ValueError: a line is none of the exposition format.
    """
    kpis = {definitions[kpi].metric: kpi for kpi in _KPIS if kpi in definitions}
    marks = tuple(f'kpi="{kpi}"' for kpi in _KPIS)
    lines = [
        line
        for line in text.splitlines()
        if line.startswith((*kpis, ALIVE)) or (line.startswith(_COMPANIONS) and any(mark in line for mark in marks))
    ]
    found: dict[FigureKey, dict[str, float]] = {}
    for family in text_string_to_metric_families("\n".join(lines) + "\n"):
        for sample in family.samples:
            labels = sample.labels
            if sample.name == ALIVE:
                key = FigureKey("source_alive", "now", labels.get("source", ""))
                found[key] = {"value": sample.value}
                continue
            if labels.get("admin_unit") != "*" or labels.get("agency", "") != "":
                continue
            kpi = kpis.get(sample.name) or labels.get("kpi", "")
            key = FigureKey(kpi, labels.get("window", ""), labels.get("dim", ""))
            found.setdefault(key, {})["value" if sample.name in kpis else sample.name] = sample.value
    return {key: _reading(values) for key, values in found.items()}


def _reading(values: Mapping[str, float]) -> Reading:
    as_of = values.get("ioc_kpi_as_of_timestamp_seconds")
    return Reading(
        value=values.get("value"),
        numerator=values.get("ioc_kpi_numerator"),
        denominator=values.get("ioc_kpi_denominator"),
        as_of=None if as_of is None else datetime.fromtimestamp(as_of, UTC),
        is_stale=bool(values.get("ioc_kpi_stale")),
    )


class FigureReader:
    """Reads at most once in five seconds; what was read last is kept, with its time, when nothing answers.

    Args:
        fetch: returns the text of a scrape, like `page_of(url)`; raises OSError, TimeoutError or aiohttp's errors.
        clock: tells when a reading was taken.
        monotonic: seconds, for the age of what is kept.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[str]],
        definitions: Mapping[str, KpiDefinition],
        *,
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self._fetch, self._definitions, self._clock, self._monotonic = fetch, definitions, clock, monotonic
        self._figures = Figures()
        self._read_s = float("-inf")
        self._reading: asyncio.Task[Figures] | None = None

    async def read(self) -> Figures:
        """Returns the figures, at most five seconds old where the figures role answers; else see `trouble`."""
        if self._monotonic() - self._read_s < CACHED_S:
            return self._figures
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read(), name="read figures")
        return await asyncio.shield(self._reading)  # one reading for all who ask meanwhile

    async def _read(self) -> Figures:
        try:
            text = await self._fetch()
            readings = await asyncio.to_thread(readings_of, text, self._definitions)
            self._figures = Figures(readings=readings, read_at=self._clock())
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            logger.info("figures can't be read: %r", error)
            trouble = f"{type(error).__name__}"
            self._figures = Figures(readings=self._figures.readings, read_at=self._figures.read_at, trouble=trouble)
        self._read_s = self._monotonic()
        return self._figures


def page_of(url: str, *, token: str = "") -> Callable[[], Awaitable[str]]:
    """Returns a function that gets the text at `url`, with a bearer token where there is one."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def fetch() -> str:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session, session.get(url) as answer:
            answer.raise_for_status()
            body = bytearray()
            async for chunk in answer.content.iter_chunked(_CHUNK_BYTES):
                body += chunk
                if len(body) > MAX_BYTES:
                    raise ValueError(f"more than {MAX_BYTES} bytes at {url}")
        return body.decode("utf-8")

    return fetch
