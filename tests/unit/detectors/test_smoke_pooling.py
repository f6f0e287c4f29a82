"""k of n, over regions and over planes of probability: no pixels, no weights."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from detectors.preprocess import Plane
from detectors.regions import Region
from detectors.smoke.pooling import PlanePool, RegionPool, Seen, greatest_in
from detectors.smoke.thresholds import SmokeThresholds
from detectors.smoke.tiers import judged
from ioc.detections import Box

START = datetime(2026, 11, 22, 1, tzinfo=UTC)
T = SmokeThresholds()


def plane(*hot: tuple[int, int], value: float = 0.9) -> Plane:
    cells = np.zeros((12, 20), np.float32)
    for row, column in hot:
        cells[row, column] = value
    return cells


def region(x: float = 0.5, y: float = 0.5, side: float = 0.1) -> Region:
    return Region(left=0, top=0, right=1, bottom=1, cells=9, strength=0.1, box=Box(x, y, side, side))


def pool_of(planes: Sequence[Plane]) -> PlanePool:
    pool = PlanePool(frames=6)
    for one in planes:
        pool.add(one)
    return pool


@pytest.mark.parametrize(
    ("hits", "is_confirmed"),
    [("110011", True), ("111100", True), ("110001", False), ("111", False), ("000000", False)],
)
def test_a_place_is_confirmed_by_four_of_the_last_six_frames(hits: str, is_confirmed: bool) -> None:
    pool = pool_of([plane((5, 5)) if hit == "1" else plane() for hit in hits])
    assert bool(pool.confirmed(4, 6, enough=0.5, goes_on=0.3, open_boxes=[])) is is_confirmed


def test_smoke_that_moves_by_a_cell_a_frame_is_still_one_place() -> None:
    drifting = [plane((5, 5), (5, 6), (5, 7)), plane((5, 6), (5, 7), (5, 8)), plane((5, 7), (5, 8), (5, 9))]
    found = pool_of(drifting).confirmed(3, 3, enough=0.5, goes_on=0.3, open_boxes=[])
    assert len(found) == 1
    assert found[0].peak == pytest.approx(0.9)


def test_an_open_place_goes_on_with_less_and_a_new_one_does_not_begin_with_it() -> None:
    pool = pool_of([plane((5, 5), value=0.4)] * 4)
    assert pool.confirmed(4, 6, enough=0.5, goes_on=0.3, open_boxes=[]) == []
    assert pool.confirmed(4, 6, enough=0.5, goes_on=0.3, open_boxes=[Box(0.3, 0.5, 0.2, 0.2)])
    assert pool.confirmed(4, 6, enough=0.5, goes_on=0.3, open_boxes=[Box(0.9, 0.1, 0.1, 0.1)]) == []


def test_an_alarm_of_the_rule_goes_on_with_half_and_ends() -> None:
    pool = RegionPool(frames=6, alarm=4, hold=2, reach=0.01)
    seen: list[tuple[Seen, ...]] = []
    for index, is_there in enumerate("111101000000001"):
        seen.append(pool.add([region()] if is_there == "1" else [], START + timedelta(minutes=index)))
    assert [bool(s and s[0].is_alarm) for s in seen[:6]] == [False, False, False, True, False, True]
    assert not seen[14][0].is_alarm
    assert seen[5][0].first_seen_at == START


def test_what_the_network_supports_becomes_an_alarm_and_what_it_does_not_stays_a_watch_item() -> None:
    lasting = Seen(region=region(), first_seen_at=START, hits=4, is_alarm=True)
    for support, tier in ((plane((6, 10), value=0.4), "alarm"), (plane((6, 10), value=0.1), "watch")):
        found = judged([lasting], [], [], [], START, T, support, is_rule_enough=False)
        assert [one.tier for one in found] == [tier]
    assert judged([lasting], [], [], [], START, T, None, is_rule_enough=True)[0].tier == "alarm"


def test_rule_and_network_at_one_place_are_one_candidate_with_the_older_beginning() -> None:
    pool = pool_of([plane((6, 10))] * 4)
    confirmed = pool.confirmed(4, 6, enough=0.5, goes_on=0.3, open_boxes=[])
    early = Seen(region=region(), first_seen_at=START, hits=2, is_alarm=False)
    found = judged([early], confirmed, confirmed, [], START + timedelta(hours=1), T, None, is_rule_enough=False)
    assert [(one.tier, one.hits, one.first_seen_at) for one in found] == [("alarm", 2, START)]


def test_greatest_value_in_a_box_is_that_of_the_cells_it_touches() -> None:
    values = plane((0, 0), value=0.7)
    assert greatest_in(values, Box(0.01, 0.01, 0.01, 0.01)) == pytest.approx(0.7)
    assert greatest_in(values, Box(0.9, 0.9, 0.1, 0.1)) == 0.0
    assert greatest_in(values, Box(1.5, 0.5, 0.1, 0.1)) == 0.0
