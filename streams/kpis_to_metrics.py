"""Partials become figures, and figures become metrics: the role `figures`."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ioc.adapters.kafka_access import kafka_arguments
from ioc.agencies import agency_named
from ioc.catalog import Catalog
from ioc.catalog.model import PARTIALS_TOPIC
from ioc.clock import Clock
from ioc.kpis import Figure, Partial
from ioc.windows import LOCAL_ZONE, microseconds_of
from streams.figure_samples import COMPANIONS, Bounded, Detail, Place, Samples, Size, bounded, samples_of
from streams.fresh_figures import FreshFigures
from streams.kpi_log import KpiLogWriter
from streams.partials import Complete, Gone, decode_message

__all__ = ["CUT_OFF_S", "FiguresRole"]

logger = logging.getLogger(__name__)

_MAX_SOURCES = 500  # their names come from outside
# Of figures. The contract's bound for a province is 50,000: targets, names of units, sources and what a worker tells of
# itself have the rest.
_MAX_SERIES = 48_500
CUT_OFF_S = 20.0  # a broker that is started again is back within ten
_ASK_EVERY_S = 3.0
_ANSWER_S = 5.0
_MERGED_AT_ONCE = 1_000  # partials: about 10 ms of the event loop and of the lock


class FiguresRole(Collector):
    """Reads every partial, answers scrapes with the figures current at the clock, and writes the KPI log.

    Until it has read all that was there when it started it exports no figure: half a figure is worse than none. Neither
    does it while Kafka has not answered it for a while: what it knows may be old, and it could not know.
    """

    def __init__(
        self, *, broker: str, catalog: Catalog, clock: Clock, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._broker, self._catalog, self._clock = broker, catalog, clock
        engine = catalog.engine()
        self._figures = FreshFigures(engine)
        self._samples: dict[Place, _Told] = {}
        self._sizes: dict[Place, Size] = {}
        self._bounded = Bounded(Detail.ALL, {})
        self._tasks: list[asyncio.Task[None]] = []
        self._is_complete = asyncio.Event()
        self._monotonic = monotonic
        self._answered_s: float | None = None
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
        return self._is_complete.is_set() and not self.is_cut_off

    @property
    def is_cut_off(self) -> bool:
        """Whether Kafka has not answered for longer than a restart takes."""
        return self._answered_s is not None and self._monotonic() - self._answered_s > CUT_OFF_S

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
        async with AsyncExitStack() as stack:
            stack.push_async_callback(consumer.stop)
            await consumer.start()
            place = TopicPartition(PARTIALS_TOPIC, 0)
            consumer.assign([place])
            consumer.seek(place, (await consumer.beginning_offsets([place]))[place])
            end = (await consumer.end_offsets([place]))[place]
            asking = asyncio.create_task(self._ask_forever(consumer, place), name="ask Kafka")
            stack.push_async_callback(_end, asking)
            while True:
                found = await consumer.getmany(place, timeout_ms=200, max_records=_MERGED_AT_ONCE)
                if found:
                    self._figures.take(_decoded(found[place]))
                    await asyncio.sleep(0)  # a backlog must not keep the rest of the worker waiting
                if not self._is_complete.is_set() and await consumer.position(place) >= end:
                    self._is_complete.set()

    async def _ask_forever(self, consumer: AIOKafkaConsumer, place: TopicPartition) -> None:
        """A consumer says nothing while its broker is away; who asks learns of it."""
        while True:
            was_cut_off = self.is_cut_off
            try:
                await asyncio.wait_for(consumer.end_offsets([place]), _ANSWER_S)
            except (KafkaError, TimeoutError, OSError) as error:
                if self.is_cut_off and not was_cut_off:
                    logger.warning("Kafka has not answered for %g s: no figures are exported (%r)", CUT_OFF_S, error)
            else:
                self._answered_s = self._monotonic()
            await asyncio.sleep(_ASK_EVERY_S)

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
        companions = [Metric(name, text, "gauge") for name, text in COMPANIONS.items()]
        told = {
            (kpi.id, window): self._figures.of(kpi, window, clock_us)
            for kpi in self._catalog.kpis
            for window in kpi.windows
        }
        self._bound(told)
        for kpi in self._catalog.kpis:
            metric = Metric(kpi.metric, kpi.name_en, "gauge")
            for window in kpi.windows:
                shown = self._shown((kpi.id, window), told[kpi.id, window])
                metric.samples.extend(shown.values)
                for companion, samples in zip(companions, shown.companions, strict=True):
                    companion.samples.extend(samples)
            values.append(metric)
        yield from values
        yield from companions
        yield self._agencies(told)
        yield from self._left_out()
        yield self._sources_alive()

    def _bound(self, told: Mapping[Place, Sequence[Figure]]) -> None:
        found = bounded(told, _MAX_SERIES, self._sizes)
        if found != self._bounded:
            logger.warning(
                "a province may have %d series of figures: %s%s",
                _MAX_SERIES,
                _DETAILS[found.detail],
                f"; of {', '.join(found.left_out)} only the province's total is told" if found.left_out else "",
            )
        self._bounded = found

    def _agencies(self, told: Mapping[Place, Sequence[Figure]]) -> Metric:
        """Of every agency that a figure names: a board shows no line that it has no name for."""
        metric = GaugeMetricFamily(
            "ioc_agency_info", "Names of agencies", labels=["province", "agency", "name_vi", "name_en"]
        )
        places = [(kpi.id, window) for kpi in self._catalog.kpis if kpi.group_by == "agency" for window in kpi.windows]
        for code in sorted({figure.agency for place in places for figure in told[place]} - {""}):
            agency = agency_named(self._catalog.agencies, code)
            metric.add_metric([self._catalog.province, code, agency.name_vi, agency.name_en], 1)
        return metric

    def _left_out(self) -> Iterable[Metric]:
        detail = GaugeMetricFamily(
            "ioc_kpi_detail", "0: all is told of a unit's figure, 1: its marks only where set, 2: no numerator either"
        )
        detail.add_metric([], self._bounded.detail)
        yield detail
        metric = GaugeMetricFamily(
            "ioc_kpi_figures_left_out",
            "Figures of units, agencies and dims that are not told: the province has too many",
            labels=["kpi"],
        )
        for kpi, count in self._bounded.left_out.items():
            metric.add_metric([kpi], count)
        yield metric

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

    def _shown(self, place: Place, figures: Sequence[Figure]) -> Samples:
        detail, only_total = self._bounded.detail, place[0] in self._bounded.left_out
        known = self._samples.get(place)
        if known is None or known.figures is not figures or (known.detail, known.only_total) != (detail, only_total):
            samples = samples_of(figures, self._catalog.province, detail, only_total=only_total)
            known = self._samples[place] = _Told(figures, detail, only_total, samples)
        return known.samples


class _Told(NamedTuple):
    """What samples were made of."""

    figures: Sequence[Figure]
    detail: Detail
    only_total: bool
    samples: Samples


_DETAILS = {
    Detail.ALL: "all is told",
    Detail.MARKS_WHERE_SET: "a unit's marks are told only where they are set",
    Detail.NO_NUMERATORS: "a unit's marks are told only where they are set, and its numerator is not",
}


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _decoded(records: Iterable[ConsumerRecord]) -> list[Partial | Gone | Complete | None]:
    messages = []
    for record in records:
        try:
            messages.append(decode_message(record.key, record.value))
        except (msgspec.DecodeError, IndexError):
            logger.warning("a record on %s is no partial; passed over", PARTIALS_TOPIC)
    return messages
