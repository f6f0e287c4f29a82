"""Partials become figures, and figures become metrics: the role `figures`."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Iterable

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ioc.catalog import Catalog
from ioc.catalog.model import PARTIALS_TOPIC
from ioc.clock import Clock
from ioc.kpis import Figure, Figures, Partial
from ioc.windows import LOCAL_ZONE, MICROSECONDS, microseconds_of
from streams.partials import Complete, Gone, decode_message

__all__ = ["FiguresRole"]

logger = logging.getLogger(__name__)


class FiguresRole(Collector):
    """Reads every partial and answers scrapes with the figures current at the clock.

    Until it has read all that was there when it started it exports no figure: half a figure is worse than none.
    """

    def __init__(self, *, broker: str, catalog: Catalog, clock: Clock) -> None:
        self._broker, self._catalog, self._clock = broker, catalog, clock
        self._figures = Figures(catalog.engine())
        self._lock = threading.Lock()  # scrapes come from the HTTP thread
        self._task: asyncio.Task[None] | None = None
        self.is_ready = False

    async def start(self) -> None:
        self._task = asyncio.create_task(self._read_forever(), name="read partials")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def failed(self) -> None:
        """Returns when reading has ended; raises what ended it."""
        assert self._task is not None, "start() comes first"
        await asyncio.shield(self._task)

    def lag(self) -> dict[str, int]:
        return {}

    def figures(self) -> list[Figure]:
        with self._lock:
            return list(self._figures.figures(microseconds_of(self._clock())))

    # ---- partials in -----------------------------------------------------------------------------------------------

    async def _read_forever(self) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._broker,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",  # figures only of rows that are durable
        )
        await consumer.start()
        try:
            place = TopicPartition(PARTIALS_TOPIC, 0)
            consumer.assign([place])
            consumer.seek(place, (await consumer.beginning_offsets([place]))[place])
            end = (await consumer.end_offsets([place]))[place]
            while True:
                found = await consumer.getmany(place, timeout_ms=200, max_records=20_000)
                with self._lock:
                    for record in found.get(place, ()):
                        self._merge(record.key, record.value)
                if not self.is_ready and await consumer.position(place) >= end:
                    self.is_ready = True
        finally:
            await consumer.stop()

    def _merge(self, key: bytes | None, value: bytes | None) -> None:
        try:
            message = decode_message(key, value)
        except (msgspec.DecodeError, IndexError):
            logger.warning("a record on %s is no partial; passed over", PARTIALS_TOPIC)
            return
        match message:
            case Partial():
                self._figures.merge(message)
            case Gone(cell_key, partition):
                self._figures.forget(cell_key, partition)
            case Complete(partition, epoch, newest):
                self._figures.complete(partition, epoch, newest)

    # ---- metrics out -----------------------------------------------------------------------------------------------

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        yield from self._declarations()
        if self.is_ready:
            yield from self._families(self.figures())

    def _declarations(self) -> Iterable[Metric]:
        target = GaugeMetricFamily("ioc_kpi_target", "Target of a KPI", labels=["kpi"])
        today = self._clock().astimezone(LOCAL_ZONE).date()
        for definition in self._catalog.kpis:
            in_force = definition.target(today)
            if in_force is not None and in_force.value is not None:
                target.add_metric([definition.id], in_force.value)
        yield target
        units = GaugeMetricFamily(
            "ioc_admin_unit_info",
            "Names of administrative units",
            labels=["province", "admin_unit", "name_vi", "name_en"],
        )
        units.add_metric([self._catalog.province, "*", self._catalog.name_vi, self._catalog.name_en], 1)
        for unit in self._catalog.geography.units():
            units.add_metric([self._catalog.province, unit.code, unit.name_vi, unit.name_en], 1)
        yield units

    def _families(self, figures: list[Figure]) -> Iterable[Metric]:
        values = {kpi.id: Metric(kpi.metric, kpi.name_en, "gauge") for kpi in self._catalog.kpis}
        companions = {name: Metric(name, text, "gauge") for name, text in _COMPANIONS.items()}
        for figure in figures:
            labels = {
                "province": self._catalog.province,
                "admin_unit": figure.admin_unit,
                "agency": figure.agency,
                "window": figure.window,
            }
            if figure.dim:
                labels["dim"] = figure.dim
            if figure.value is not None:
                metric = values[figure.definition.id]
                metric.add_sample(metric.name, labels, figure.value)
            labels = {"kpi": figure.definition.id, **labels}
            told = (
                figure.numerator,
                figure.denominator,
                None if figure.as_of_us is None else figure.as_of_us / MICROSECONDS,
                float(figure.is_stale),
                float(figure.is_manual),
            )
            for companion, value in zip(companions.values(), told, strict=True):
                if value is not None:
                    companion.add_sample(companion.name, labels, value)
        yield from values.values()
        yield from companions.values()


_COMPANIONS = {
    "ioc_kpi_numerator": "Numerator of a figure",
    "ioc_kpi_denominator": "Denominator of a figure; of a quantile the number of samples",
    "ioc_kpi_as_of_timestamp_seconds": "Time of the newest fact behind a figure",
    "ioc_kpi_stale": "1 where the newest fact is older than its promise",
    "ioc_kpi_manual": "1 where the figure was typed by hand",
}
