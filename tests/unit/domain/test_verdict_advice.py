"""What verdicts say of detectors, and what they are too few to say."""

from typing import Any

import pytest

from ioc.detections import Box
from ioc.verdict_advice import Judged, advise, tally_by

CHIMNEY = Box(0.7, 0.4, 0.04, 0.06)


def judged(number: int, **changes: Any) -> Judged:
    fields: dict[str, Any] = {
        "incident_id": f"i{number}", "kind": "smoke", "camera_id": "cam-01", "pose_id": "p0", "hour": 6,
        "score": 0.6, "box": CHIMNEY, "verdict": "false_positive",
    }  # fmt: skip
    return Judged(**fields | changes)


def test_a_share_comes_with_its_counts_and_an_interval_that_is_wide_where_they_are_few() -> None:
    cases = [judged(1, verdict="true_positive"), judged(2), judged(3, verdict="unsure"), judged(4, hour=7)]
    ((group, tally),) = tally_by(cases, "kind", "camera_id", "pose_id").items()
    assert group == ("smoke", "cam-01", "p0")
    assert (tally.true, tally.false, tally.other, tally.unsure) == (1, 2, 0, 1)
    assert tally.precision == pytest.approx(1 / 3)
    assert tally.interval == pytest.approx((0.0615, 0.7923), abs=1e-3)
    undecided = tally_by([judged(1, verdict="unsure")], "hour")[(6,)]
    assert (undecided.precision, undecided.interval) == (None, (0.0, 1.0))


def test_three_false_alarms_at_one_place_are_a_mask_and_two_are_chance() -> None:
    near = [judged(n, box=Box(0.7 + n * 0.01, 0.4, 0.04, 0.06), hour=5 + n) for n in range(3)]
    far = [judged(9, box=Box(0.2, 0.8, 0.1, 0.1))]
    assert advise([*near[:2], *far]) == []
    (found,) = advise([*near, *far])
    assert (found.what, found.false, found.all_false, found.hours) == ("mask", 3, 4, (5, 6, 7))
    assert found.box is not None
    assert found.box.edges == pytest.approx((0.67, 0.36, 0.75, 0.44))


@pytest.mark.parametrize("verdict", ["true_positive", "other_smoke"])
def test_no_mask_hides_a_place_where_something_was_real(verdict: str) -> None:
    assert advise([*map(judged, range(5)), judged(9, verdict=verdict)]) == []


def test_cameras_poses_and_kinds_are_judged_apart() -> None:
    assert advise([judged(1), judged(2, pose_id="p1"), judged(3, camera_id="cam-02"), judged(4, kind="fire")]) == []


def test_a_threshold_is_proposed_only_where_it_loses_nothing_real_and_both_are_known() -> None:
    places = [Box(0.1 + 0.2 * (n % 5), 0.2 + 0.3 * (n // 5), 0.05, 0.05) for n in range(10)]
    false = [judged(n, score=0.5 + n / 100, box=places[n]) for n in range(5)]
    real = [judged(10 + n, score=0.62 + n / 100, box=places[5 + n], verdict="true_positive") for n in range(5)]
    (found,) = advise([*false, *real])
    assert (found.what, found.threshold, found.false, found.all_false) == ("threshold", 0.62, 5, 5)
    assert advise([*false, *real[:4]]) == [], "four real ones are too few"
    assert advise([*false, *real[:4], judged(20, score=0.5, box=places[9], verdict="true_positive")]) == []
