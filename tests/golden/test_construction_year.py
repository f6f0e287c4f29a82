"""Six weeks of building under one camera: work without a permit becomes a case; work with one, empty plots do not."""

from datetime import date, timedelta

import pytest

from ioc.cli.bench_construction_papers import NEW_YEAR, Paper
from ioc.cli.bench_construction_year import Year, judged_year, year_lines
from ioc.permits import Permit
from ioc.simulate.site_year import SiteYear


def permit_of(plot_id: str, first: date, last: date) -> Permit:
    return Permit(permit_id=f"GPXD-{plot_id}", parcel_id=plot_id, valid_from=first, valid_to=last)


@pytest.fixture(scope="module")
def told() -> tuple[Year, str]:
    year = SiteYear(5, poses=1, works=2, days=45)
    legal, illegal = year.works
    last = NEW_YEAR + timedelta(days=legal.last_day)
    papers = {
        legal.plot.plot_id: Paper(
            breaks=None, since_day=legal.first_day, permit=permit_of(legal.plot.plot_id, NEW_YEAR, last)
        ),
        illegal.plot.plot_id: Paper(breaks="no_permit", since_day=illegal.first_day, permit=None),
    }
    found = Year()
    assert len(list(judged_year(year, 0, papers, found))) == 180
    return found, illegal.plot.plot_id


def test_work_without_a_permit_is_the_only_case(told: tuple[Year, str]) -> None:
    found, illegal = told
    assert [(case.zone_id, case.rule, case.is_right) for case in found.cases] == [(illegal, "no_permit", True)]
    assert (found.cases[0].days or 0) <= 14
    assert found.alarmed == 1


def test_lines_of_a_year_say_what_was_counted(told: tuple[Year, str]) -> None:
    lines = {line.name: line.figure for line in year_lines(told[0], is_full=False, poses=1)}
    assert lines["simulated year, 1 poses of 20 only: violations that became a case of their rule"].startswith(
        "1.00 (1 of 1: no_permit 1/1"
    )
    assert lines["the same: false cases"].startswith("0.00 / camera-month (0 in 1")
