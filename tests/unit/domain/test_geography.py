"""Units of a province in time: who is in force on which day, and who took over from whom."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ioc.errors import ConfigurationError
from ioc.geography import ALWAYS_US, Geography, Unit
from ioc.windows import local_date
from tests.unit.domain.making import us

BEFORE, REFORM, LATER = date(2025, 6, 30), date(2025, 7, 1), date(2030, 1, 1)


def unit(code: str, first: date | None = None, last: date | None = None, *successors: str) -> Unit:
    return Unit(
        code=code, name_vi=f"Xã {code}", name_en=code, valid_from=first, valid_to=last, successors=tuple(successors)
    )


def province() -> Geography:
    """A merger into a new code, one into a code that stays, a split, an end, and a merger of what was merged."""
    return Geography(
        [
            unit("01201", None, BEFORE, "01210"),
            unit("01204", None, BEFORE, "01210"),
            unit("01210", REFORM, date(2029, 12, 31), "01213"),
            unit("01213", LATER),
            unit("01216"),
            unit("01219", None, BEFORE, "01216"),
            unit("01222", None, BEFORE, "01225", "01228"),
            unit("01225", REFORM),
            unit("01228", REFORM),
            unit("01231", date(2010, 1, 1), BEFORE),
        ]
    )


# ---- in force --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on", "codes"),
    [
        (date(1990, 1, 1), "01201 01204 01216 01219 01222"),
        (BEFORE, "01201 01204 01216 01219 01222 01231"),
        (REFORM, "01210 01216 01225 01228"),
        (date(2029, 12, 31), "01210 01216 01225 01228"),
        (LATER, "01213 01216 01225 01228"),
        (date.max, "01213 01216 01225 01228"),
    ],
)
def test_the_units_in_force_are_those_of_the_day(on: date, codes: str) -> None:
    assert [item.code for item in province().in_force(on)] == codes.split()
    assert all(province().is_in_force(item.code, on) == (item.code in codes) for item in province().units())


def test_a_unit_is_known_before_and_after_its_life_and_an_unknown_code_never_is() -> None:
    geography = province()
    assert all(code in geography for code in ("01201", "01213", "01231"))
    assert "99999" not in geography
    assert geography.unit("99999") is None
    assert not geography.is_in_force("99999", REFORM)
    assert geography.resolve("99999", REFORM) is None
    assert len(geography) == len(geography.units()) == 10


def test_the_list_of_units_changes_on_the_first_day_of_a_unit_and_on_the_day_after_its_last() -> None:
    assert province().changes() == (date(2010, 1, 1), REFORM, LATER)
    assert Geography([unit("01201")]).changes() == ()


# ---- successors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "on", "counts_for"),
    [
        pytest.param("01201", BEFORE, "01201", id="still in force on its last day"),
        pytest.param("01201", REFORM, "01210", id="merged on the day after"),
        pytest.param("01204", date(2029, 12, 31), "01210", id="and until the merged one ends"),
        pytest.param("01204", LATER, "01213", id="through two mergers"),
        pytest.param("01219", REFORM, "01216", id="absorbed by one that keeps its code"),
        pytest.param("01216", date(1990, 1, 1), "01216", id="open ends"),
        pytest.param("01222", BEFORE, "01222", id="before its split"),
        pytest.param("01222", REFORM, None, id="split: nobody knows into which half"),
        pytest.param("01231", REFORM, None, id="ended without a successor"),
        pytest.param("01231", date(2009, 12, 31), None, id="not yet in force"),
        pytest.param("01210", BEFORE, None, id="not yet formed"),
    ],
)
def test_what_was_told_of_a_unit_counts_for_the_one_that_took_over(code: str, on: date, counts_for: str | None) -> None:
    assert province().resolve(code, on) == counts_for


# ---- bounds for the decoder ------------------------------------------------------------------------------------------


def test_a_unit_ends_with_the_last_microsecond_before_local_midnight() -> None:
    bounds = province().bounds_us()
    midnight = us("2025-07-01T00:00")
    assert bounds["01201"] == (ALWAYS_US[0], midnight - 1)
    assert bounds["01225"] == (midnight, ALWAYS_US[1])
    assert bounds["01231"] == (us("2010-01-01T00:00"), midnight - 1)
    assert bounds["01216"] == ALWAYS_US
    assert "99999" not in bounds


def test_nobody_can_change_the_bounds_of_another() -> None:
    geography = province()
    geography.bounds_us().clear()
    assert len(geography.bounds_us()) == 10


# ---- one mistake at a time -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("units", "says"),
    [
        pytest.param([unit("01201"), unit("01201")], "01201: two units have this code", id="a code twice"),
        pytest.param(
            [unit("01201", REFORM, BEFORE)], "01201: from: 2025-07-01 is after to", id="ends before it begins"
        ),
        pytest.param(
            [unit("01201", None, BEFORE, "1")], "01201: successors: '1' is not a unit", id="unknown successor"
        ),
        pytest.param([unit("01201", None, None, "01204"), unit("01204")], "01201: successors: it has no", id="no end"),
        pytest.param([unit("01201", None, date.max)], "leave `to` out", id="an end that is none"),
        pytest.param([unit("01201", None, BEFORE, "01201")], "not in force on 2025-07-01", id="its own successor"),
        pytest.param(
            [unit("01201", None, BEFORE, "01204", "01204"), unit("01204")], "is named twice", id="one successor twice"
        ),
        pytest.param(
            [unit("01201", None, BEFORE, "01204"), unit("01204", None, BEFORE, "01201")],
            "01201: successors: 01204 (… to 2025-06-30) is not in force on 2025-07-01",
            id="a circle of two",
        ),
        pytest.param(
            [
                unit("01201", None, date(2001, 1, 1), "01204"),
                unit("01204", None, date(2002, 1, 1), "01207"),
                unit("01207", None, date(2003, 1, 1), "01201"),
            ],
            "01207: successors: 01201 (… to 2001-01-01) is not in force on 2003-01-02",
            id="a circle of three",
        ),
        pytest.param(
            [unit("01201", None, BEFORE, "01204"), unit("01204", LATER)],
            "01204 (2030-01-01 to …) is not in force on 2025-07-01",
            id="a gap before the successor",
        ),
    ],
)
def test_a_life_that_can_not_be_is_refused_with_its_code(units: list[Unit], says: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Geography(units)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


# ---- laws ------------------------------------------------------------------------------------------------------------

_START = date(2000, 1, 1)
_DAYS = 60


def day(number: int) -> date:
    return _START + timedelta(days=number)


@st.composite
def provinces(draw: st.DrawFn) -> Geography:
    """A province that lives through reforms on drawn days; in each, units end, merge or split, and new codes come."""
    alive: dict[str, date | None] = {f"{n:05d}": None for n in range(draw(st.integers(1, 4)))}
    done: list[Unit] = []
    for reform in sorted(draw(st.sets(st.integers(1, _DAYS - 1), max_size=4))):
        ending = draw(st.sets(st.sampled_from(sorted(alive)))) if alive else set()
        coming = [f"{len(done) + len(alive) + n:05d}" for n in range(draw(st.integers(0, 3)))]
        staying = sorted((set(alive) - ending) | set(coming))
        for code in sorted(ending):
            heirs = draw(st.lists(st.sampled_from(staying), unique=True, max_size=2)) if staying else []
            done.append(unit(code, alive.pop(code), day(reform - 1), *heirs))
        alive |= dict.fromkeys(coming, day(reform))
    return Geography(draw(st.permutations([*done, *(unit(code, first) for code, first in alive.items())])))


@settings(max_examples=50)
@given(provinces())
def test_on_every_day_a_code_counts_for_itself_or_for_one_in_force(geography: Geography) -> None:
    for number in range(-1, _DAYS + 1):
        on = day(number)
        codes = {item.code for item in geography.in_force(on)}
        for item in geography.units():
            found = geography.resolve(item.code, on)
            assert (found == item.code) == (item.code in codes)
            assert found is None or found in codes


@settings(max_examples=50)
@given(provinces(), st.integers(0, _DAYS), st.integers(0, _DAYS))
def test_to_resolve_step_by_step_is_to_resolve_at_once(geography: Geography, one: int, other: int) -> None:
    """What was told of a unit may be moved at each reform, or once at the end: it counts for the same unit."""
    early, late = day(min(one, other)), day(max(one, other))
    for item in geography.units():
        halfway = geography.resolve(item.code, early)
        if halfway is not None:
            assert geography.resolve(halfway, late) == geography.resolve(item.code, late)


@settings(max_examples=50)
@given(provinces())
def test_the_changes_are_the_days_that_differ_from_the_day_before(geography: Geography) -> None:
    lists = [{item.code for item in geography.in_force(day(number))} for number in range(-1, _DAYS + 1)]
    differ = [day(n) for n in range(_DAYS + 1) if lists[n + 1] != lists[n]]
    assert geography.changes() == tuple(differ)


@settings(max_examples=50)
@given(provinces(), st.integers(-1, _DAYS), st.sampled_from([0, 1, 43_200_000_000, 86_400_000_000 - 1]))
def test_the_bounds_say_what_the_days_say(geography: Geography, number: int, microsecond: int) -> None:
    at_us = us(f"{day(number)}T00:00") + microsecond
    assert local_date(at_us) == day(number)
    for code, (first_us, last_us) in geography.bounds_us().items():
        assert (first_us <= at_us <= last_us) == geography.is_in_force(code, day(number))
