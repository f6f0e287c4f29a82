"""The strip of an incident's stills."""

from datetime import timedelta

import pytest

from ioc.adapters.case_stills import CaseStill
from ioc.oncall.pages_strip import chosen
from tests.unit.oncall.making import NOW


def stills(count: int) -> list[CaseStill]:
    return [CaseStill(NOW + timedelta(seconds=number), f"{number:064x}") for number in range(count)]


@pytest.mark.parametrize("count", [0, 1, 2, 36, 37, 500])
@pytest.mark.parametrize("own", ["", f"{17:064x}", "f" * 64])
def test_a_strip_is_short_and_has_the_first_the_last_and_the_alarms_still(count: int, own: str) -> None:
    every = stills(count)
    shown = chosen(every, own)
    assert len(shown) == min(count, len(shown)) <= 36
    assert shown == sorted(set(shown), key=lambda still: still.at)
    if every:
        assert (shown[0], shown[-1]) == (every[0], every[-1])
    assert {own} & {still.sha256 for still in every} <= {still.sha256 for still in shown}
    assert count > 36 or shown == every
