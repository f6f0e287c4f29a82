"""Worked examples of a KPI: events in, figures out, written in the KPI's own file and run by `ioc check` and the tests.

An event is its type and data, with `id`, `source` and `time` where they matter; `received: TIME` is the clock at which
it came (else the example's `now`), `rejected: REASON` says that it must be refused. An expectation is by window, then
by series: "*" the total, a unit's or agency's code, or "dim=VALUE":

    2/3            numerator and denominator of a ratio; 0/0 has no value
    7              a count or a sum
    absent         no such series
    {p95_s: 1800, samples: 3}                           a quantile in seconds, within 1 %
    {is: 2/3, manual: true, stale: false, as_of: TIME}  with what goes with it
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from ioc.entities import CONTRADICTS, DUPLICATE, Row, first_row, fold
from ioc.errors import ConfigurationError
from ioc.event_types import EventType
from ioc.events import Event, EventDecoder, Rejected
from ioc.kpis.aggregates import Aggregates
from ioc.kpis.engine import KpiEngine
from ioc.kpis.figures import Figure, Figures, Partial
from ioc.kpis.sources import Promises, SourceTallies
from ioc.windows import microseconds_of

__all__ = ["Example", "ExampleRunner"]

_NO_EXPECTATION = "is no expectation; write 2/3, 7, absent, {p95_s: 1800, samples: 3} or {is: 2/3, as_of: TIME}"
_TOLERANCE = 0.01
_AS_A_TIME = "give the time with its offset, like 2026-11-22T08:00:00+07:00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """`events` in the order of the log; `expect`: by window and series, see the module."""

    name: str
    now: datetime
    events: tuple[Mapping[str, Any], ...]
    expect: Mapping[str, Mapping[str, Any]]


class ExampleRunner:
    """Runs examples through the decoder, the rows and the figures that the product uses; only Kafka is left out."""

    def __init__(
        self,
        engine: KpiEngine,
        decoder: EventDecoder,
        *,
        event_types: Mapping[str, EventType],
        province: str,
        promises: Promises,
    ) -> None:
        self._engine, self._decoder, self._promises = engine, decoder, promises
        self._types, self._province = event_types, province

    def problems(self, kpi_id: str, example: Example) -> list[str]:
        """Returns a sentence for each expectation that is not met.

        Raises:
            ConfigurationError: the example itself is wrong: an unknown type, an event that is refused unexpectedly.
        """
        where = f"kpis/{kpi_id}.yaml: example {example.name!r}"
        found = {
            (figure.window, _series(figure)): figure
            for figure in self.figures(example, where)
            if figure.definition.id == kpi_id
        }
        windows = {window for window, _ in found}
        problems = []
        for window, expected in example.expect.items():
            if window not in windows:
                raise ConfigurationError(f"{where}: {window!r} is not a window of this KPI")
            for series, wanted in expected.items():
                figure = found.get((window, series))
                try:
                    is_met = _is_met(figure, wanted)
                except (ValueError, TypeError, LookupError):
                    raise ConfigurationError(f"{where}: {window} {series}: {wanted} {_NO_EXPECTATION}") from None
                if not is_met:
                    problems.append(f"{where}: {window} {series}: expected {wanted}, found {_told(figure)}")
        return problems

    def figures(self, example: Example, where: str) -> list[Figure]:
        now_us = microseconds_of(example.now)
        rows: dict[tuple[str, str], Row] = {}
        tallies = SourceTallies(self._promises)
        newest: dict[str, int] = {}
        for number, told in enumerate(example.events):
            place = f"{where}: event {number + 1}"
            event = self._take(rows, tallies, told, f"e{number + 1}", _received(told, example.now, place), place)
            if event is not None:
                newest[event.type.name] = max(newest.get(event.type.name, 0), event.order_us)
        aggregates = Aggregates(self._engine)
        aggregates.expire(now_us)
        for (entity, entity_id), row in rows.items():
            aggregates.add(self._engine.contributions(entity, entity_id, row, now_us))
        tallies.settle(aggregates, self._engine, now_us)
        aggregates.settle()
        figures = Figures(self._engine)
        for key, cell in aggregates.take_changed().items():
            figures.merge(Partial(key, 0, 1, 1, cell))
        figures.complete(0, 1, newest)
        return list(figures.figures(now_us))

    def _take(
        self,
        rows: dict[tuple[str, str], Row],
        tallies: SourceTallies,
        told: Mapping[str, Any],
        default_id: str,
        received: datetime,
        where: str,
    ) -> Event | None:
        """Returns the event where it was accepted."""
        received_us = microseconds_of(received)
        event, reason = self._decoded(told, default_id, received, where)
        if isinstance(event, Rejected):
            if event.error.reason != reason:
                raise ConfigurationError(
                    f"{where}: refused: {event.error}; write `rejected: {event.error.reason}` if so"
                )
            tallies.count(self._decoder.own_source(event.source), (0, 0, 1, 0), received_us)
            return None
        if reason:
            raise ConfigurationError(f"{where}: it is accepted, though the example says `rejected: {reason}`")
        key = (event.type.entity, event.entity_id)
        outcome = -1
        if key in rows:
            outcome = fold(rows[key], event)
        else:
            rows[key] = first_row(event)
        if outcome == DUPLICATE:
            tallies.count(event.source, (0, 1, 0, 0), received_us)
            return None
        tallies.count(event.source, (1, 0, 0, 1 if outcome == CONTRADICTS else 0), received_us)
        tallies.heard(event.source, event.order_us)
        return event

    def _decoded(
        self, told: Mapping[str, Any], default_id: str, received: datetime, where: str
    ) -> tuple[Event | Rejected, str]:
        data = {name: _text(value, where) for name, value in told.items() if name != "received"}
        type_name, reason = data.pop("type", ""), data.pop("rejected", "")
        event_type = self._types.get(type_name)
        if event_type is None:
            raise ConfigurationError(f"{where}: type {type_name!r} is not in event_types.yaml")
        own_time = None if event_type.time_field == "ce_time" else data.get(event_type.time_field)
        headers = {
            "ce_specversion": "1.0",
            "ce_type": event_type.ce_type,
            "ce_id": str(data.pop("id", default_id)),
            "ce_source": str(data.pop("source", f"/{self._province}/{event_type.family}")),
            "ce_time": str(data.pop("time", own_time or received.isoformat())),
        }
        try:
            value = orjson.dumps(data)
        except TypeError as error:
            raise ConfigurationError(f"{where}: no event can carry it: {error}") from None
        raw = [(name, text.encode()) for name, text in headers.items()]
        (event,) = self._decoder.decode(event_type.topic, raw, value, microseconds_of(received))
        return event, reason


def _received(told: Mapping[str, Any], now: datetime, where: str) -> datetime:
    received = told.get("received", now)
    if not isinstance(received, datetime) or received.tzinfo is None:
        raise ConfigurationError(f"{where}: received: {received}: {_AS_A_TIME}")
    if received > now:
        raise ConfigurationError(f"{where}: received: {received} is after the example's `now`")
    return received


def _text(value: Any, where: str) -> Any:
    """YAML reads times and dates by itself; events carry them as text."""
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ConfigurationError(f"{where}: {value}: {_AS_A_TIME}")
    return value.isoformat() if hasattr(value, "isoformat") else value


def _series(figure: Figure) -> str:
    if figure.dim:
        return f"dim={figure.dim}"
    return figure.agency or figure.admin_unit


def _is_met(figure: Figure | None, wanted: Any) -> bool:
    if wanted == "absent":
        return figure is None
    if figure is None:
        return False
    if isinstance(wanted, Mapping):
        if "p95_s" in wanted:
            return figure.denominator == wanted.get("samples") and _is_near(figure.value, wanted["p95_s"])
        asides = {
            "manual": figure.is_manual,
            "stale": figure.is_stale,
            "as_of": figure.as_of_us,
        }
        return _is_met(figure, wanted["is"]) and all(
            asides[name] == (microseconds_of(value) if isinstance(value, datetime) else value)
            for name, value in wanted.items()
            if name != "is"
        )
    if isinstance(wanted, str) and "/" in wanted:
        numerator, denominator = (float(text) for text in wanted.split("/"))
        value = numerator / denominator if denominator else None
        return (figure.numerator, figure.denominator, figure.value) == (numerator, denominator, value)
    return figure.denominator is None and figure.value == wanted


def _is_near(found: float | None, wanted: float | None) -> bool:
    if found is None or wanted is None:
        return found is wanted
    return abs(found - wanted) <= _TOLERANCE * abs(wanted)


def _told(figure: Figure | None) -> str:
    if figure is None:
        return "no such series"
    told = f"value {figure.value}, numerator {figure.numerator}, denominator {figure.denominator}"
    return told + (", manual" if figure.is_manual else "") + (", stale" if figure.is_stale else "")
