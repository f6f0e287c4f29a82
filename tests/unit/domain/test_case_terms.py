"""Statutory terms: from which day they run, which days count, and whether they are over."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ioc.case_terms import CaseTerm, Moment, Term, TermRules, due_at, terms_of
from ioc.catalog import load_catalog
from ioc.errors import ConfigurationError
from ioc.windows import LOCAL_ZONE
from tests.unit.domain.making import catalog, copy_of_catalog

NATIONAL_DAY = frozenset({date(2026, 9, 1), date(2026, 9, 2)})


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=LOCAL_ZONE)


def term(**changes: Any) -> Term:
    values: dict[str, Any] = {
        "name": "record", "name_vi": "lập biên bản", "name_en": "record", "basis": "Điều 12", "begins": "found",
        "ends": "recorded", "kinds": ("construction",),
    }  # fmt: skip
    return Term(**values | changes)


@pytest.mark.parametrize(
    ("length", "since", "last_day"),
    [
        ({"working_days": 2}, "2026-11-23 09:00", "2026-11-25"),  # Monday: Tuesday and Wednesday
        ({"working_days": 2}, "2026-11-23 23:59", "2026-11-25"),
        ({"working_days": 2}, "2026-11-24 00:00", "2026-11-26"),
        ({"working_days": 2}, "2026-11-26 09:00", "2026-11-30"),  # Thursday: over the weekend
        ({"working_days": 2}, "2026-11-28 09:00", "2026-12-01"),  # Saturday: Monday is the first
        ({"working_days": 7}, "2026-11-23 09:00", "2026-12-02"),
        ({"working_days": 2}, "2026-08-31 09:00", "2026-09-04"),  # two days off besides
        ({"days": 7}, "2026-11-23 09:00", "2026-11-30"),
        ({"days": 5}, "2026-11-23 09:00", "2026-11-30"),  # ends on a Saturday: the next working day
        ({"years": 2}, "2026-11-23 09:00", "2028-11-23"),
        ({"years": 2}, "2026-11-25 09:00", "2028-11-25"),  # a Saturday: a limitation is told early
        ({"years": 1}, "2028-02-29 09:00", "2029-02-28"),
    ],
)
def test_a_term_ends_with_its_last_day(length: dict[str, int], since: str, last_day: str) -> None:
    due = due_at(term(**length), local(since), NATIONAL_DAY)
    assert due == local(f"{last_day} 00:00") + timedelta(days=1)
    shown = CaseTerm(name="n", name_vi="", name_en="", basis="", since=local(since), due_at=due.astimezone(UTC))
    assert shown.last_day == date.fromisoformat(last_day)


def test_the_day_is_the_local_one() -> None:
    """18:00 in London on Monday is Tuesday here."""
    assert due_at(term(working_days=1), datetime(2026, 11, 23, 18, tzinfo=UTC)) == local("2026-11-26 00:00")


@pytest.mark.parametrize(
    ("met", "now", "state"),
    [
        (None, "2026-11-25 23:59", "running"),
        (None, "2026-11-26 00:00", "overdue"),
        ("2026-11-25 23:59", "2026-12-24 00:00", "met"),
        ("2026-11-26 00:00", "2026-12-24 00:00", "late"),
    ],
)
def test_a_term_is_running_met_late_or_overdue(met: str | None, now: str, state: str) -> None:
    moments: dict[Moment, datetime] = {"found": local("2026-11-23 09:00")}
    if met is not None:
        moments["recorded"] = local(met)
    (told,) = terms_of("construction", moments, TermRules(terms=(term(working_days=2),)))
    assert told.state(local(now)) == state


def test_terms_begin_with_what_people_do_and_are_of_their_kinds() -> None:
    rules = catalog().term_rules
    found: dict[Moment, datetime] = {"found": local("2026-11-23 09:00")}
    names = [one.name for one in rules.terms]
    assert terms_of("construction", {}, rules) == ()
    assert [one.name for one in terms_of("construction", found, rules)] == ["record", "limitation"]
    assert [one.name for one in terms_of("encroachment", found, rules)] == ["record"]
    recorded: dict[Moment, datetime] = {**found, "recorded": local("2026-11-24 09:00")}
    assert [one.name for one in terms_of("construction", recorded, rules)] == names


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("working_days: 2", "working_days: 0", "terms.record: needs exactly one of working_days, days and years"),
        ("working_days: 2", "working_days: 2\n    days: 3", "terms.record: needs exactly one of"),
        ("ends: recorded", "ends: found", "begins and ends are both 'found'"),
        ("ends: recorded", "ends: built", "terms.record.ends"),
        ("  record:", "  Record-1:", "small letters, digits and underscores"),
    ],
)
def test_a_wrong_term_stops_the_catalogue_with_one_sentence(tmp_path: Path, old: str, new: str, said: str) -> None:
    folder = copy_of_catalog(tmp_path / "lam-dong", lambda path: path.stem == "construction_candidates")
    path = folder / "terms.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"terms\.yaml") as caught:
        load_catalog(folder)
    assert said in str(caught.value)


def test_a_province_without_the_file_counts_no_terms(tmp_path: Path) -> None:
    folder = copy_of_catalog(tmp_path / "lam-dong", lambda path: path.stem == "construction_candidates")
    (folder / "terms.yaml").unlink()
    assert load_catalog(folder).term_rules == TermRules()
