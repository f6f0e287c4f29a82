"""Statistical figures: the newest one told for each commune."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from fractions import Fraction

from tests.recount.accepting import HANOI, Fact
from tests.recount.kpis import window_bounds
from tests.recount.lifetimes import Lives, Province, Share, count_of

__all__ = ["manual_share", "newest_by_commune", "period_start", "reported_indicators", "source_complete"]

REPORTED = (
    "village_mobile",
    "fibre_households",
    "fibre_communes",
    "smartphone_share",
    "cashless_adults",
    "broadcast_households",
)


def newest_by_commune(lives: Lives, province: Province) -> Iterator[Share]:
    """Sums over each commune's newest day (`date` or `as_of`), told of as an entity of its own."""
    for unit, facts in _newest_days(lives, "identity_activated"):
        yield Share(kpi="eid_activated", unit=unit, numerator=count_of(facts, "cumulative"))
    for unit, facts in _newest_days(lives, "einvoice_sme"):
        smes, with_einvoice = count_of(facts, "smes_active"), count_of(facts, "smes_einvoice")
        yield Share(kpi="einvoice_smes", unit=unit, numerator=with_einvoice, denominator=smes)
    for unit, facts in _newest_days(lives, "health_coverage"):
        holders, population = count_of(facts, "ehr_holders"), count_of(facts, "population")
        yield Share(kpi="ehr_coverage", unit=unit, numerator=holders, denominator=population)
        with_cccd, facilities = count_of(facts, "facilities_cccd"), count_of(facts, "facilities")
        yield Share(kpi="clinics_cccd", unit=unit, numerator=with_cccd, denominator=facilities)


def _newest_days(lives: Lives, kind: str) -> list[tuple[str, Sequence[Fact]]]:
    newest: dict[str, tuple[datetime, Sequence[Fact]]] = {}
    for (unit, day), facts in lives[kind].items():
        assert isinstance(unit, str)
        assert isinstance(day, datetime)
        if unit not in newest or day > newest[unit][0]:
            newest[unit] = day, facts
    return [(unit, facts) for unit, (_, facts) in newest.items()]


def _rank(fact: Fact) -> tuple[object, ...]:
    """Automatic beats manual, then the newest."""
    return fact.data.get("method") == "auto", *fact.order


def _can_be_added(fact: Fact) -> bool:
    return fact.data.get("numerator") is not None and fact.data.get("denominator") is not None


def reported_indicators(lives: Lives, province: Province) -> Iterator[Share]:
    for kpi in REPORTED:
        in_force: dict[str, tuple[str, Sequence[Fact]]] = {}
        for (indicator, period, unit), facts in lives["indicator_reported"].items():
            assert isinstance(unit, str)
            assert isinstance(period, str)
            addable = [fact for fact in facts if _can_be_added(fact)]
            if indicator != kpi or not addable or (unit in in_force and in_force[unit][0] > period):
                continue
            in_force[unit] = period, addable
        for unit, (_, candidates) in in_force.items():
            fact = max(candidates, key=_rank)
            numerator, denominator = (_exact(fact.data[name]) for name in ("numerator", "denominator"))
            yield Share(
                kpi=kpi,
                unit=unit,
                numerator=numerator,
                denominator=denominator,
                as_of=fact.time,
                is_manual=_is_manual(candidates),
            )


def _exact(value: object) -> int | Fraction:
    assert isinstance(value, int | float)
    return value if isinstance(value, int) else Fraction(value)


def manual_share(lives: Lives, province: Province) -> Iterator[Share]:
    """Of the values in force (the newest period of each indicator and commune), those typed by hand.

    Automatic beats manual; a fact that tells no method erases none (null is not known), whatever else it tells.
    """
    in_force: dict[tuple[object, object], tuple[str, Sequence[Fact]]] = {}
    for (indicator, period, unit), facts in lives["indicator_reported"].items():
        assert isinstance(period, str)
        if (indicator, unit) not in in_force or period > in_force[indicator, unit][0]:
            in_force[indicator, unit] = period, facts
    for _, facts in in_force.values():
        yield Share(kpi="manual_share", numerator=int(_is_manual(facts)), denominator=1)


def _is_manual(facts: Sequence[Fact]) -> bool:
    methods = {fact.data.get("method") for fact in facts}
    return "manual" in methods and "auto" not in methods


_QUARTER = re.compile(r"(\d{4})-Q([1-4])")


def period_start(period: str) -> datetime | None:
    """Returns the first local midnight of a year, a quarter, a month or a day; None for any other text."""
    quarter = _QUARTER.fullmatch(period)
    if quarter:
        return datetime(int(quarter[1]), 3 * int(quarter[2]) - 2, 1, tzinfo=HANOI)
    if re.fullmatch(r"\d{4}(-\d\d(-\d\d)?)?", period):
        year, month, day = (period + "-01-01")[:10].split("-")
        try:
            return datetime(int(year), int(month), int(day), tzinfo=HANOI)
        except ValueError:
            return None
    return None


def source_complete(lives: Lives, province: Province) -> Iterator[Share]:
    start, end = window_bounds("mtd", province.clock)
    told = set()
    for _, period, unit in lives["indicator_reported"]:
        begins = period_start(str(period))
        if begins is not None and start <= begins < end:
            told.add(unit)
    in_force = set(province.units)
    yield Share(kpi="source_complete", numerator=len(told & in_force), denominator=len(in_force))
