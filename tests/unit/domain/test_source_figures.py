"""Figures per source: the windows of the verdicts, and one source told of in two partitions. A worked example can't
show them: all its verdicts are passed at its clock, in one partition."""

from collections.abc import Iterable

import pytest

from ioc.geography import Geography
from ioc.kpis import Aggregates, Figures, KpiDefinition, KpiEngine, Partial, Promises, SourceTallies
from ioc.kpis.sources import Verdicts
from tests.unit.domain.kpi_mutants import mutants_of
from tests.unit.domain.making import catalog, us

SOURCE = "/lam-dong/onestop"
Shown = tuple[float | None, float | None]
"""Numerator and denominator."""


def shown(kpi: KpiDefinition, partitions: Iterable[SourceTallies], clock: str) -> dict[tuple[str, str], Shown]:
    """(window, dim) to the figure, over the partitions together."""
    engine = KpiEngine((), [kpi], {}, Geography(()))
    figures = Figures(engine)
    for partition, tallies in enumerate(partitions):
        aggregates = Aggregates(engine)
        tallies.settle(aggregates, engine, us(clock))
        aggregates.settle()
        for key, cell in aggregates.take_changed().items():
            figures.merge(Partial(key, partition, 1, 1, cell))
    return {(f.window, f.dim): (f.numerator, f.denominator) for f in figures.figures(us(clock))}


def counted(*verdicts: tuple[str, Verdicts]) -> SourceTallies:
    tallies = SourceTallies()
    for clock, passed in verdicts:
        tallies.count(SOURCE, passed, us(clock))
    return tallies


BY_THE_MINUTE = (
    ("2026-10-31T23:59:59.999999", (1, 0, 0, 0)),
    ("2026-11-01T00:00", (2, 0, 0, 0)),
    ("21T23:59:59.999999", (4, 0, 0, 0)),
    ("22T00:00", (8, 0, 0, 0)),
    ("22T06:59:59.999999", (16, 0, 0, 0)),
    ("22T07:00", (32, 0, 0, 0)),
    ("22T07:55", (64, 0, 0, 0)),
    ("22T08:00:30", (128, 0, 0, 0)),
)
EXPECTED = {"1h": 32 + 64 + 128, "day": 8 + 16 + 32 + 64 + 128}


@pytest.mark.parametrize("kpi_id", ["source_valid", "source_clean"])
def test_a_verdict_falls_in_the_minute_and_the_local_day_at_which_it_was_passed(kpi_id: str) -> None:
    kpi = catalog().kpi(kpi_id)
    found = shown(kpi, [counted(*BY_THE_MINUTE)], "08:00:30")
    expected = {(window, dim): (EXPECTED[window],) * 2 for window in kpi.windows for dim in ("", SOURCE)}
    assert found == expected


@pytest.mark.parametrize("kpi_id", ["source_valid", "source_clean"])
def test_and_in_no_other_window(kpi_id: str) -> None:
    mutants = [mutant for mutant in mutants_of(catalog().kpi(kpi_id), {}) if mutant.windows is not None]
    assert mutants
    for mutant in mutants:
        assert mutant.windows is not None
        window, other = mutant.windows
        found = shown(mutant.kpi, [counted(*BY_THE_MINUTE)], "08:00:30")
        assert found[other, ""] != (EXPECTED[window],) * 2, mutant.name


@pytest.mark.parametrize(("kpi_id", "of_two"), [("source_alive", (1, 1)), ("ioc_centres", (1, None))])
def test_a_source_that_is_heard_in_two_partitions_is_one_source(kpi_id: str, of_two: Shown) -> None:
    partitions = [SourceTallies(Promises()), SourceTallies(Promises())]
    for tallies in partitions:
        tallies.heard("/lam-dong/indicators", us("07:59"))
    assert shown(catalog().kpi(kpi_id), partitions, "08:00") == {("now", ""): of_two}


def test_it_is_alive_while_it_is_in_any_of_them() -> None:
    fresh, silent = SourceTallies(Promises()), SourceTallies(Promises())
    fresh.heard("/lam-dong/indicators", us("07:59"))
    silent.heard("/lam-dong/indicators", us("10T07:59"))
    assert shown(catalog().kpi("source_alive"), [silent, fresh], "08:00") == {("now", ""): (1, 1)}
