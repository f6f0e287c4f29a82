"""The KPI log's records and its writer, and the figures that scrapes and the log share."""

import asyncio
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ioc.cloudevents import decode_json
from ioc.kpis import Bag, CellKey, Figures, KpiEngine, Partial, Sum
from ioc.kpis.log import LoggedValue
from ioc.kpis.log_records import VALUE_TYPE, decode_value, encode_value, place_of
from ioc.windows import day_number, minute_number, moment_of
from streams.fresh_figures import FreshFigures
from streams.kpi_log import KpiLogWriter
from streams.partials import Complete, Gone
from tests.unit.domain.making import catalog, us

NOW_US = us("2026-11-22T23:58")
KPIS = ("reports_received", "lgsp_success", "camera_online", "village_mobile", "report_on_site", "ioc_centres")


def small_engine() -> KpiEngine:
    it = catalog()
    return KpiEngine(it.entities, [it.kpi(kpi) for kpi in KPIS], it.registers(), it.geography)


ENGINE = small_engine()
Message = Partial | Gone | Complete


# ---- records ---------------------------------------------------------------------------------------------------------


def test_a_record_gives_back_what_was_logged() -> None:
    logged = LoggedValue(
        kpi="reports_received",
        admin_unit="24781",
        agency="",
        dim="",
        window="day",
        period="2026-11-21",
        is_closed=True,
        value=0.1 + 0.2,
        numerator=3.0,
        denominator=None,
        as_of_us=NOW_US + 1,
        is_stale=False,
        is_manual=True,
        rule_version="abc",
    )
    key, value, headers = encode_value(logged, province="lam-dong", written_at=moment_of(NOW_US))
    assert decode_value(key, value) == logged
    assert decode_value(key, value).mark() == logged.mark()
    assert place_of(key) == logged.place
    data = decode_json(VALUE_TYPE, value, headers)
    assert (data["provenance"], data["written_at"]) == ("manual", "2026-11-22T16:58:00Z")
    assert orjson.loads(key) == ["reports_received", "24781", "", "", "day", "2026-11-21"]


# ---- figures that are kept while nothing changes them ----------------------------------------------------------------


def _cell(kpi: str, part: int, grain: str, bucket: int, group: str, amount: int) -> Message:
    key = CellKey(kpi, part, group, "", grain, bucket)  # type: ignore[arg-type]  # one of the grains
    measure = next(p.part.measure for p in ENGINE.parts if (p.definition.id, p.index) == (kpi, part))
    if measure == "sum":
        return Partial(key, 0, 1, 1, Sum(amount, amount + 1, amount % 2))
    return Partial(key, 0, 1, 1, Bag({NOW_US - amount * 7: 1}, {}) if measure == "as_of" else Bag({amount: 1}, {}))


@st.composite
def _messages(draw: st.DrawFn) -> Message:
    kind = draw(st.sampled_from(["cell", "cell", "cell", "complete", "gone"]))
    if kind == "complete":
        moment = NOW_US + draw(st.sampled_from([-400_000_000, -90_000_000, 0, 30_000_000, 600_000_000]))
        name = draw(st.sampled_from(["report.submitted", "lgsp.service_call", "camera.heartbeat"]))
        return Complete(0, draw(st.sampled_from([1, 1, 1, 2])), {name: moment})
    part = draw(st.sampled_from(ENGINE.parts))
    grain = draw(st.sampled_from(part.grains))
    now = {"now": 0, "minute": minute_number(NOW_US), "day": day_number(NOW_US)}[grain]
    bucket = now - draw(st.sampled_from([0, 1, 2])) if grain != "now" else 0
    group = draw(st.sampled_from(["", "24781"]))
    message = _cell(part.definition.id, part.index, grain, bucket, group, draw(st.integers(0, 3)))
    return Gone(message.key, 0) if kind == "gone" and isinstance(message, Partial) else message


_STEPS = st.lists(st.one_of(_messages(), st.sampled_from([0, 1, 30_000_000, 61_000_000, 150_000_000, -1])), max_size=25)


@settings(max_examples=60, deadline=None)
@given(_STEPS)
def test_kept_figures_are_those_that_would_be_computed_anew(steps: list[Message | int]) -> None:
    """Partials, owners, newest facts and the clock in any order; the clock passes minutes, midnight, and as-ofs."""
    fresh, plain = FreshFigures(ENGINE), Figures(ENGINE)
    clock_us = NOW_US
    for step in steps:
        match step:
            case int():
                clock_us += step
            case Partial():
                plain.merge(step)
            case Gone(key, partition):
                plain.forget(key, partition)
            case Complete(partition, epoch, newest):
                plain.complete(partition, epoch, newest)
        if not isinstance(step, int):
            fresh.take([step])
        for definition in ENGINE.definitions:
            for window in definition.windows:
                expected = list(plain.figures_of(definition, window, clock_us))
                assert fresh.of(definition, window, clock_us) == expected, (definition.id, window)


def test_figures_that_nothing_changed_are_not_computed_again() -> None:
    fresh = FreshFigures(ENGINE)
    reports, calls = catalog().kpi("reports_received"), catalog().kpi("lgsp_success")
    at = us("2026-11-22T08:00")
    fresh.take(
        [_cell("reports_received", 0, "day", day_number(at), "", 1), Complete(0, 1, {"report.submitted": at - 1})]
    )
    kept, others = fresh.of(reports, "day", at), fresh.of(calls, "5m", at)
    assert fresh.of(reports, "day", at + 59_000_000) is kept
    assert fresh.of(calls, "5m", at + 59_000_000) is others
    fresh.take([_cell("reports_received", 0, "day", day_number(at), "", 2)])
    assert fresh.of(reports, "day", at) is not kept
    assert fresh.of(calls, "5m", at) is others
    assert fresh.of(calls, "5m", at + 60_000_000) is not others


# ---- the writer ------------------------------------------------------------------------------------------------------


class Kafka:
    """Takes what a producer sends."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    async def send(self, topic: str, *, key: bytes, value: bytes, **_: Any) -> Any:
        self.sent.append(orjson.loads(value))

        async def receipt() -> None:
            return None

        return receipt()

    def take(self) -> list[tuple[str, str, str, bool, float]]:
        sent, self.sent = self.sent, []
        return [(v["kpi"], v["window"], v["period"], v["closed"], v["numerator"]) for v in sent if not v["dim"]]


class Bench:
    """A writer on a clock that the test moves."""

    def __init__(self, clock: str) -> None:
        self.now_us = us(clock)
        self.figures, self.kafka = FreshFigures(ENGINE), Kafka()
        self.writer = KpiLogWriter(
            broker="",
            catalog=catalog(),
            engine=ENGINE,
            clock=lambda: moment_of(self.now_us),
            figures=self.figures,
            is_ready=asyncio.Event(),
        )

    def told(self, day: str, amount: int, *, bucket: str = "") -> None:
        """Reports submitted on a day in all, and the newest fact."""
        cell = Sum(amount, amount, 0)
        key = CellKey("reports_received", 0, "", "", "day", day_number(us(f"{bucket or day}T12:00")))
        self.figures.take([Partial(key, 0, 1, 1, cell), Complete(0, 1, {"report.submitted": us(f"{day}T12:00")})])

    async def tick(self, clock: str = "") -> list[tuple[str, str, str, bool, float]]:
        if clock:
            self.now_us = us(clock)
        await self.writer._write_what_is_due(self.kafka)  # type: ignore[arg-type]  # all that it needs of a producer
        return [sent for sent in self.kafka.take() if sent[0] == "reports_received"]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr("streams.kpi_log._QUIET_S", 0.0)
    monkeypatch.setattr("streams.kpi_log._REST", 0.0)
    return Bench("2026-11-30T08:00")


async def test_a_clock_that_stands_still_writes_only_what_is_closed(bench: Bench) -> None:
    bench.told("2026-11-30", 4)
    bench.told("2026-11-29", 3)
    assert await bench.tick() == [("reports_received", "day", "2026-11-29", True, 3.0)]
    bench.told("2026-11-30", 5)
    assert await bench.tick() == []


async def test_running_totals_are_written_at_most_once_a_minute_and_only_when_they_changed(bench: Bench) -> None:
    bench.told("2026-11-30", 4)
    await bench.tick()
    totals = await bench.tick("2026-11-30T08:01")
    assert totals == [
        ("reports_received", "day", "2026-11-30", False, 4.0),
        ("reports_received", "mtd", "2026-11", False, 4.0),
    ]
    bench.told("2026-11-30", 5)
    assert await bench.tick("2026-11-30T08:01") == []
    assert len(await bench.tick("2026-11-30T08:02")) == 2
    assert await bench.tick("2026-11-30T08:03") == []


async def test_midnight_closes_day_and_month_and_a_late_fact_restates_both(bench: Bench) -> None:
    bench.told("2026-11-30", 4)
    await bench.tick()
    closed = await bench.tick("2026-12-01T00:00")
    assert ("reports_received", "day", "2026-11-30", True, 4.0) in closed
    assert ("reports_received", "mtd", "2026-11", True, 4.0) in closed
    bench.told("2026-11-30", 5)
    restated = await bench.tick()
    assert sorted(restated) == [
        ("reports_received", "day", "2026-11-30", True, 5.0),
        ("reports_received", "mtd", "2026-11", True, 5.0),
    ]
    assert await bench.tick() == []


async def test_the_last_now_of_a_day_is_taken_as_the_day_ends(bench: Bench) -> None:
    bench.figures.take(
        [
            Partial(CellKey("camera_online", 0, "", "", "now", 0), 0, 1, 1, Sum(3, 0, 0)),
            Complete(0, 1, {"camera.heartbeat": us("2026-11-30T08:00")}),
        ]
    )
    await bench.tick("2026-11-30T23:59")
    bench.now_us = us("2026-12-01T00:00")
    await bench.writer._write_what_is_due(bench.kafka)  # type: ignore[arg-type]  # as above
    totals = [value for value in bench.kafka.sent if (value["kpi"], value["admin_unit"]) == ("camera_online", "*")]
    assert next((v["period"], v["closed"], v["numerator"]) for v in totals) == ("2026-11-30", True, 3.0)
