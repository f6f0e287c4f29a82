"""Partials become figures, and figures become metrics: the role `figures`."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from ioc.adapters.kafka_access import kafka_arguments
from ioc.catalog import Catalog
from ioc.catalog.model import PARTIALS_TOPIC
from ioc.clock import Clock
from ioc.kpis import Figure, Partial
from ioc.windows import LOCAL_ZONE, MICROSECONDS, microseconds_of
from streams.fresh_figures import FreshFigures
from streams.kpi_log import KpiLogWriter
from streams.partials import Complete, Gone, decode_message

__all__ = ["FiguresRole"]

logger = logging.getLogger(__name__)

_WHOLE = "*"  # the admin_unit of the province's total
_MAX_SOURCES = 500  # their names come from outside
_MAX_SERIES = 50_000  # of a province: the contract's bound
_SERIES_A_FIGURE = 6
_MERGED_AT_ONCE = 1_000  # partials: about 10 ms of the event loop and of the lock


class FiguresRole(Collector):
    """Reads every partial, answers scrapes with the figures current at the clock, and writes the KPI log.

    Until it has read all that was there when it started it exports no figure: half a figure is worse than none.
    """

    def __init__(self, *, broker: str, catalog: Catalog, clock: Clock) -> None:
        self._broker, self._catalog, self._clock = broker, catalog, clock
        engine = catalog.engine()
        self._figures = FreshFigures(engine)
        self._samples: dict[tuple[str, str], _Samples] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._is_complete = asyncio.Event()
        self._log = KpiLogWriter(
            broker=broker,
            catalog=catalog,
            engine=engine,
            clock=clock,
            figures=self._figures,
            is_ready=self._is_complete,
        )

    @property
    def is_ready(self) -> bool:
        return self._is_complete.is_set()

    async def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._read_forever(), name="read partials"),
            asyncio.create_task(self._log.run(), name="write the KPI log"),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def failed(self) -> None:
        """Returns when reading or writing has ended; raises what ended it."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    def lag(self) -> dict[str, int]:
        return {}

    # ---- partials in -----------------------------------------------------------------------------------------------

    async def _read_forever(self) -> None:
        consumer = AIOKafkaConsumer(
            **kafka_arguments(self._broker),
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
                found = await consumer.getmany(place, timeout_ms=200, max_records=_MERGED_AT_ONCE)
                if found:
                    self._figures.take(_decoded(found[place]))
                    await asyncio.sleep(0)  # a backlog must not keep the rest of the worker waiting
                if not self.is_ready and await consumer.position(place) >= end:
                    self._is_complete.set()
        finally:
            await consumer.stop()

    # ---- metrics out -----------------------------------------------------------------------------------------------

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        yield from self._declarations()
        if self.is_ready:
            yield from self._families(microseconds_of(self._clock()))

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

    def _families(self, clock_us: int) -> Iterable[Metric]:
        values: list[Metric] = []
        companions = [Metric(name, text, "gauge") for name, text in _COMPANIONS.items()]
        told = {
            (kpi.id, window): self._figures.of(kpi, window, clock_us)
            for kpi in self._catalog.kpis
            for window in kpi.windows
        }
        is_sparse = sum(map(len, told.values())) * _SERIES_A_FIGURE > _MAX_SERIES
        for kpi in self._catalog.kpis:
            metric = Metric(kpi.metric, kpi.name_en, "gauge")
            for window in kpi.windows:
                shown = self._shown((kpi.id, window), told[kpi.id, window], is_sparse=is_sparse)
                metric.samples.extend(shown.values)
                for companion, samples in zip(companions, shown.companions, strict=True):
                    companion.samples.extend(samples)
            values.append(metric)
        yield from values
        yield from companions
        yield self._sources_alive()

    def _sources_alive(self) -> Metric:
        """The KPI `source_alive` is a share; which source it is that is late, its department must know."""
        metric = GaugeMetricFamily(
            "ioc_source_alive", "1: the source keeps its promise, 0: it is late", labels=["province", "source"]
        )
        kpi = next((kpi for kpi in self._catalog.kpis if kpi.id == "source_alive"), None)
        members = {} if kpi is None else self._figures.members(kpi)
        for source in sorted(members)[:_MAX_SOURCES]:
            metric.add_metric([self._catalog.province, source], float(members[source]))
        return metric

    def _shown(self, place: tuple[str, str], figures: Sequence[Figure], *, is_sparse: bool) -> "_Samples":
        known = self._samples.get(place)
        if known is None or known.figures is not figures or known.is_sparse != is_sparse:
            known = self._samples[place] = _samples(figures, self._catalog.province, is_sparse=is_sparse)
        return known


class _Samples(NamedTuple):
    """`companions` in the order of `_COMPANIONS`."""

    figures: Sequence[Figure]
    is_sparse: bool
    values: list[Sample]
    companions: tuple[list[Sample], ...]


def _samples(figures: Sequence[Figure], province: str, *, is_sparse: bool) -> _Samples:
    """`is_sparse`: a unit's, agency's or dim's marks are told only where they are set; a province with so many figures
    would have more series than Prometheus should be given."""
    values: list[Sample] = []
    companions: tuple[list[Sample], ...] = tuple([] for _ in _COMPANIONS)
    for figure in figures:
        labels = {
            "province": province,
            "admin_unit": figure.admin_unit,
            "agency": figure.agency,
            "window": figure.window,
        }
        if figure.dim:
            labels["dim"] = figure.dim
        if figure.value is not None:
            values.append(Sample(figure.definition.metric, labels, figure.value))
        labels = {"kpi": figure.definition.id, **labels}
        is_marked = not is_sparse or not (figure.dim or figure.agency or figure.admin_unit != _WHOLE)
        told = (
            figure.numerator,
            figure.denominator,
            None if figure.as_of_us is None else figure.as_of_us / MICROSECONDS,
            float(figure.is_stale) if is_marked or figure.is_stale else None,
            float(figure.is_manual) if is_marked or figure.is_manual else None,
        )
        for name, samples, value in zip(_COMPANIONS, companions, told, strict=True):
            if value is not None:
                samples.append(Sample(name, labels, value))
    return _Samples(figures, is_sparse, values, companions)


def _decoded(records: Iterable[ConsumerRecord]) -> list[Partial | Gone | Complete | None]:
    messages = []
    for record in records:
        try:
            messages.append(decode_message(record.key, record.value))
        except (msgspec.DecodeError, IndexError):
            logger.warning("a record on %s is no partial; passed over", PARTIALS_TOPIC)
    return messages


_COMPANIONS = {
    "ioc_kpi_numerator": "Numerator of a figure",
    "ioc_kpi_denominator": "Denominator of a figure; of a quantile the number of samples",
    "ioc_kpi_as_of_timestamp_seconds": "Time of the newest fact behind a figure",
    "ioc_kpi_stale": "1 where the newest fact is older than its promise",
    "ioc_kpi_manual": "1 where the figure was typed by hand",
}
