"""Which figures the KPI log writes down, of which periods, and when again."""

from dataclasses import replace
from typing import Any

import pytest

from ioc.kpis import Figure
from ioc.kpis.log import Due, KpiLog, LoggedValue, Period, period_at, period_named
from ioc.windows import day_number
from tests.unit.domain.making import catalog, engine, us

NOW_US = us("2026-11-22T08:00")


def log(**keep_days: int) -> KpiLog:
    return KpiLog(engine(), keep_days)


def figure(kpi: str, window: str, numerator: float, denominator: float | None = None, **changes: Any) -> Figure:
    return Figure(
        definition=catalog().kpi(kpi),
        window=window,
        value=numerator if denominator is None else (numerator / denominator if denominator else None),
        numerator=numerator,
        denominator=denominator,
        **{"admin_unit": "*", "agency": "", "dim": "", "as_of_us": NOW_US, "is_stale": False, "is_manual": False}
        | changes,
    )


def period(window: str, name: str) -> Period:
    found = period_named(window, name)
    assert found is not None
    return found


def write(book: KpiLog, due: Due, *figures: Figure) -> list[LoggedValue]:
    """What is written of the figures, and held from then on."""
    written = book.changes(due, figures)
    for logged in written:
        book.remember(logged)
    return written


def drain(book: KpiLog) -> set[tuple[str, str, str]]:
    found = set()
    while (due := book.next_due()) is not None:
        found.add((due.definition.id, due.period.window, due.period.name))
    return found


# ---- periods ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "clock", "name", "first", "last"),
    [
        ("day", "2026-11-22T00:00", "2026-11-22", "2026-11-22", "2026-11-22"),
        ("day", "2026-11-21T23:59", "2026-11-21", "2026-11-21", "2026-11-21"),
        ("mtd", "2026-02-10T08:00", "2026-02", "2026-02-01", "2026-02-28"),
        ("qtd", "2026-11-22T08:00", "2026-Q4", "2026-10-01", "2026-12-31"),
        ("ytd", "2026-01-01T00:00", "2026", "2026-01-01", "2026-12-31"),
        ("r7d", "2026-11-22T08:00", "2026-11-22", "2026-11-16", "2026-11-22"),
        ("now", "2026-11-22T08:00", "2026-11-22", "2026-11-22", "2026-11-22"),
    ],
)
def test_a_period_is_what_its_window_covers(window: str, clock: str, name: str, first: str, last: str) -> None:
    found = period_at(window, us(clock))
    days = (day_number(us(f"{first}T12:00")), day_number(us(f"{last}T12:00")))
    assert found == Period(window, name, *days)
    assert period_named(window, name) == found
    assert found is not None
    assert found.end_us == us(f"{last}T00:00") + 86_400_000_000
    assert period_at(window, found.last_us) == found
    assert found.before().last_day < found.last_day


@pytest.mark.parametrize("window", ["5m", "1h"])
def test_windows_that_slide_by_the_minute_have_no_period(window: str) -> None:
    assert period_at(window, NOW_US) is None


@pytest.mark.parametrize(("window", "name"), [("mtd", "2026-Q4"), ("day", "2026-11"), ("ytd", "x"), ("mtd", "2026-13")])
def test_a_name_that_the_window_does_not_have_is_none(window: str, name: str) -> None:
    assert period_named(window, name) is None


@pytest.mark.parametrize(
    ("kpi", "window", "name", "is_in_reach"),
    [
        ("reports_received", "day", "2026-10-18", True),  # 35 days ago
        ("reports_received", "day", "2026-10-17", False),
        ("reports_received", "mtd", "2026-01", True),  # of this year
        ("reports_received", "mtd", "2025-12", False),
        ("dossiers_online", "ytd", "2025", False),
        ("reports_answered", "r30d", "2026-10-18", True),
        ("lgsp_success", "day", "2026-11-13", True),  # rows are kept for ten days here
        ("lgsp_success", "day", "2026-11-12", False),
    ],
)
def test_a_period_may_be_restated_while_it_is_recent_and_its_rows_are_kept(
    kpi: str, window: str, name: str, is_in_reach: bool
) -> None:
    assert log(lgsp_service_call=10).is_in_reach(kpi, period(window, name), NOW_US) is is_in_reach


def test_last_years_months_may_be_restated_for_thirty_five_days_after_they_ended() -> None:
    january = us("2027-01-20T08:00")
    assert log().is_in_reach("dossiers_online", period("ytd", "2026"), january)
    assert log().is_in_reach("dossiers_online", period("mtd", "2026-12"), january)
    assert not log().is_in_reach("dossiers_online", period("mtd", "2026-11"), january)


# ---- what is due -----------------------------------------------------------------------------------------------------


def test_an_empty_log_owes_nothing_of_the_time_before_it_began() -> None:
    book = log()
    assert book.tick(NOW_US) == []
    assert book.due == 0


def test_after_a_restart_every_period_since_the_newest_closed_one_of_the_log_is_due() -> None:
    book = log()
    write(book, Due(catalog().kpi("press_items"), period("day", "2026-11-18")), figure("press_items", "day", 3))
    book.tick(NOW_US)
    days = {name for kpi, window, name in drain(book) if (kpi, window) == ("press_items", "day")}
    assert days == {"2026-11-19", "2026-11-20", "2026-11-21"}


def test_midnight_closes_the_day_and_takes_the_days_last_now() -> None:
    book = log()
    book.tick(us("2026-11-30T23:59"))
    drain(book)
    assert book.tick(us("2026-11-30T23:59")) == []
    ending = book.tick(us("2026-12-01T00:00"))
    assert {due.period.name for due in ending} == {"2026-11-30"}
    assert {due.definition.id for due in ending} == {kpi.id for kpi in catalog().kpis if "now" in kpi.windows}
    due = drain(book)
    assert {("reports_received", "day", "2026-11-30"), ("reports_received", "mtd", "2026-11")} <= due


def test_now_is_not_asked_of_a_day_whose_end_nobody_saw() -> None:
    book = log()
    book.tick(us("2026-11-21T08:00"))
    assert book.tick(us("2026-11-22T00:06")) == []


def test_a_late_fact_makes_every_closed_period_due_that_counts_its_day() -> None:
    book = log()
    day = day_number(us("2026-10-30T12:00"))
    book.touch([("reports_received", day), ("reports_answered", day)], NOW_US)
    due = drain(book)
    assert {(window, name) for kpi, window, name in due if kpi == "reports_received"} == {
        ("day", "2026-10-30"),
        ("mtd", "2026-10"),
    }
    rolling = sorted(name for kpi, _, name in due if kpi == "reports_answered")
    assert (rolling[0], rolling[-1], len(rolling)) == ("2026-10-30", "2026-11-21", 23)


def test_a_fact_of_today_touches_no_closed_period() -> None:
    book = log()
    book.touch([("reports_received", day_number(NOW_US))], NOW_US)
    assert book.due == 0


# ---- what is written -------------------------------------------------------------------------------------------------

OCTOBER = Due(catalog().kpi("dossiers_online"), period("mtd", "2026-10"))


def test_a_closed_figure_is_written_once_and_again_when_it_differs() -> None:
    book = log()
    (first,) = write(book, OCTOBER, figure("dossiers_online", "mtd", 2, 3))
    assert (first.period, first.is_closed, first.numerator) == ("2026-10", True, 2)
    assert write(book, OCTOBER, figure("dossiers_online", "mtd", 2, 3)) == []
    later = figure("dossiers_online", "mtd", 2, 3, as_of_us=NOW_US + 1, is_stale=True)
    assert write(book, OCTOBER, later) == [], "as-of and staleness alone are told with the figure they belonged to"
    (again,) = write(book, OCTOBER, figure("dossiers_online", "mtd", 2, 4))
    assert again.value == 0.5
    (typed,) = write(book, OCTOBER, figure("dossiers_online", "mtd", 2, 4, is_manual=True))
    assert typed.is_manual


def test_a_series_that_everybody_left_is_written_as_nothing_once() -> None:
    book = log()
    total = figure("dossiers_online", "mtd", 1, 1)
    write(book, OCTOBER, total, replace(total, agency="H36.01"))
    (gone,) = write(book, OCTOBER, total)
    assert (gone.agency, gone.value, gone.numerator, gone.denominator) == ("H36.01", None, 0.0, 0.0)
    assert write(book, OCTOBER, total) == []


def test_what_nobody_has_told_of_is_not_written() -> None:
    assert write(log(), OCTOBER, figure("dossiers_online", "mtd", 0, 0, as_of_us=None, is_stale=True)) == []


@pytest.mark.parametrize("kpi", ["agencies_signing", "teams_active"])
def test_a_figure_whose_register_grows_stands_once_it_is_closed(kpi: str) -> None:
    """Its denominator is what is known now: of the past it can't be asked."""
    book = log()
    window = catalog().kpi(kpi).windows[0]
    closed = Due(catalog().kpi(kpi), period(window, "2026-10" if window == "mtd" else "2026-11-21"))
    assert len(write(book, closed, figure(kpi, window, 1, 2))) == 1
    assert write(book, closed, figure(kpi, window, 1, 3)) == []


def test_a_running_total_is_written_when_it_changes_and_closed_once_more_at_the_end() -> None:
    book = log()
    definition = catalog().kpi("reports_received")
    running = book.running(definition, "day", figure("reports_received", "day", 5), NOW_US)
    assert running is not None
    assert (running.period, running.is_closed) == ("2026-11-22", False)
    book.remember(running)
    assert book.running(definition, "day", figure("reports_received", "day", 5), NOW_US) is None
    today = Due(definition, period("day", "2026-11-22"))
    (closed,) = write(book, today, figure("reports_received", "day", 5))
    assert closed.is_closed


def test_what_can_change_no_more_is_forgotten() -> None:
    book = log()
    write(book, Due(catalog().kpi("press_items"), period("day", "2026-11-18")), figure("press_items", "day", 3))
    assert book.held == 1
    book.tick(us("2026-12-23T08:00"))
    assert book.held == 1
    book.tick(us("2026-12-24T08:00"))
    assert book.held == 0
