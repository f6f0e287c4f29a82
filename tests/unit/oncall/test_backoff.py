from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ioc.oncall.backoff import CAP_S, is_given_up, retry_delay
from tests.unit.oncall.making import NOW


@pytest.mark.parametrize(("attempts", "longest_s"), [(1, 0.5), (2, 1), (3, 2), (7, 32), (8, 60), (50, 60), (10**9, 60)])
def test_pause_doubles_up_to_a_minute(attempts: int, longest_s: float) -> None:
    assert retry_delay(attempts, lambda: 1.0) == timedelta(seconds=longest_s)


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_pause_is_never_negative_nor_over_the_cap(attempts: int, chance: float) -> None:
    assert timedelta() <= retry_delay(attempts, lambda: chance) <= timedelta(seconds=CAP_S)


def test_nothing_is_given_up_within_a_day() -> None:
    assert not is_given_up(NOW, NOW + timedelta(hours=24))
    assert is_given_up(NOW, NOW + timedelta(hours=24, seconds=1))
