"""Every figure of the catalogue's worked examples, explained: what is listed adds up to it."""

from collections.abc import Iterable
from functools import cache
from typing import Any

import pytest

from ioc.entities import Row, encode_row, fold
from ioc.event_reading import KEY_SEPARATOR
from ioc.events import Event
from ioc.kpis import Figure, KpiEngine, SourceTallies
from ioc.kpis.audit import Audit, Explanation, Wanted
from ioc.kpis.examples import Example, ExampleRunner
from ioc.windows import microseconds_of
from tests.unit.domain.making import NOW_US, at, catalog, decoder, event, heartbeat, report, report_status, row_of, us

_TOTAL = Wanted()


class _Recording(ExampleRunner):
    """Keeps the rows that the figures were made of."""

    rows: dict[tuple[str, str], Row]
    tallies: SourceTallies

    def _take(self, rows: Any, tallies: Any, *event: Any) -> Event | None:
        self.rows, self.tallies = rows, tallies
        return super()._take(rows, tallies, *event)


@cache
def _engine_of(kpi: str) -> KpiEngine:
    it = catalog()
    return KpiEngine(it.entities, [it.kpi(kpi)], it.registers(), it.geography)


Stored = list[tuple[str, str, bytes]]
"""(entity, id, state row)."""


def _run(kpi: str, example: Example) -> tuple[Stored, list[Figure]]:
    """The rows that the example leaves, and the figures that it makes."""
    it = catalog()
    runner = _Recording(
        _engine_of(kpi), decoder(), event_types=it.event_types, province=it.province, promises=it.promises
    )
    figures = runner.figures(example, kpi)
    stored = [(entity, entity_id, encode_row(row)) for (entity, entity_id), row in runner.rows.items()]
    for key, data in runner.tallies.take_rows().items():
        entity, entity_id = key.split(KEY_SEPARATOR, 1)
        stored += [(entity, entity_id, data)] if data is not None else []
    return stored, figures


def _audit(kpi: str, window: str, clock_us: int, stored: Stored) -> Audit:
    it = catalog()
    audit = Audit(
        _engine_of(kpi),
        window,
        clock_us,
        entities=it.entities,
        type_names=tuple(it.event_types),
        promises=it.promises,
    )
    for entity, entity_id, data in stored:
        if entity in audit.entities:
            audit.add(0, entity, entity_id, data)
    return audit


def _shown(figure: Figure | None) -> tuple[float | None, ...] | None:
    return None if figure is None else (figure.value, figure.numerator, figure.denominator)


@pytest.mark.parametrize("kpi", sorted(catalog().examples))
def test_what_is_listed_adds_up_to_every_figure_of_the_worked_examples(kpi: str) -> None:
    for example in catalog().examples[kpi]:
        if not example.events:
            continue
        stored, figures = _run(kpi, example)
        for window in catalog().kpi(kpi).windows:
            audit = _audit(kpi, window, microseconds_of(example.now), stored)
            for figure in (figure for figure in figures if figure.window == window):
                unit = "" if figure.admin_unit == "*" else figure.admin_unit
                explained = audit.explain(Wanted(unit, figure.agency, figure.dim))
                assert _shown(explained.figure) == _shown(figure), (example.name, window)
                assert explained.adds_up, (example.name, window, figure)
                if explained.figure is not None and explained.figure.numerator:
                    assert explained.counted, (example.name, window, figure)


# ---- what each is told as --------------------------------------------------------------------------------------------


def _explained(kpi: str, window: str, events: Iterable[Event], wanted: Wanted = _TOTAL) -> Explanation:
    rows: dict[tuple[str, str], Row] = {}
    for item in events:
        fold(rows.setdefault((item.type.entity, item.entity_id), Row([], {}, 0)), item)
    stored = [(entity, entity_id, encode_row(row)) for (entity, entity_id), row in rows.items()]
    return _audit(kpi, window, NOW_US, stored).explain(wanted)


def test_an_entity_is_told_with_its_side_its_day_and_the_facts_that_it_came_from() -> None:
    events = [
        report("R1", submitted="20T08:00"),
        report_status("resolved", "20T09:00", "R1"),
        report("R2", submitted="21T08:00"),
    ]
    explained = _explained("reports_answered", "r30d", events)
    first, second = explained.counted
    assert (first.entity_id, first.side, first.bucket) == ("R1", "both", "2026-11-20")
    assert (second.entity_id, second.side, second.bucket) == ("R2", "denominator", "2026-11-21")
    assert [(told.event_type, told.at_us) for told in first.facts] == [
        ("report.submitted", us("20T08:00")),
        ("report.status_changed", us("20T09:00")),
    ]
    assert first.facts[1].event_id == "R1-resolved-20T09:00"


def test_samples_of_a_quantile_are_told_in_exact_seconds() -> None:
    events = [report("R1", submitted="20T08:00"), report_status("on_site", "20T09:30", "R1")]
    (counted,) = _explained("report_on_site", "r7d", events).counted
    assert (counted.side, counted.seconds) == ("sample", (5_400.0,))


def test_members_of_a_register_that_do_not_count_are_told_and_whether_they_were_heard() -> None:
    events = [heartbeat("07:59", camera_id="cam-01"), heartbeat("07:00", camera_id="cam-02")]
    explained = _explained("camera_online", "now", events)
    counted = {item.entity_id for item in explained.counted if item.side == "both"}
    assert counted == {"cam-01"}
    told = {item.member: item.was_heard for item in explained.missing}
    told |= {item.entity_id: True for item in explained.counted if item.side == "denominator"}
    assert told.pop("cam-02") is True
    assert len(told) == 35
    assert not any(told.values())


def test_a_row_whose_key_another_one_tells_newer_is_superseded_by_it() -> None:
    def told(period: str, numerator: int) -> Event:
        body: dict[str, Any] = {"indicator_id": "village_mobile", "period": period, "admin_unit": "24781"}
        body |= {"as_of": at("20T08:00"), "numerator": numerator, "denominator": 100, "method": "auto"}
        return event("indicator.reported", body, time="20T08:00", event_id=period)

    explained = _explained("village_mobile", "now", [told("2026-09", 80), told("2026-10", 85)])
    (counted,) = explained.counted
    (superseded,) = explained.superseded
    assert (counted.numerator, superseded.numerator) == (85.0, 80.0)
    assert superseded.superseded_by == counted.entity_id
    assert explained.adds_up


def test_a_list_that_misses_an_entity_does_not_add_up() -> None:
    stored = [("report", name, encode_row(row_of(report(name)))) for name in ("R1", "R2")]
    audit = _audit("reports_answered", "r30d", NOW_US, stored)
    audit._entries.pop()
    assert not audit.explain(_TOTAL).adds_up
