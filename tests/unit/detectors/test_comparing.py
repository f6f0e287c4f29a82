"""What becomes of alerts where a live detector and its shadow look at the same frames."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from detectors.base import BgrImage, Candidate, Observation
from detectors.evaluation.comparing import Alert, AlertLedger, Comparison, Mark
from ioc.detections import Box, Tier

START = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
HERE, THERE = (Box(0.3, 0.5, 0.1, 0.1), 0.7), (Box(0.8, 0.5, 0.1, 0.1), 0.6)
Looks = dict[int, tuple[list[Mark], list[Mark]]]


def told(looks: Looks) -> list[Alert]:
    """The alerts of one pose with frames at these minutes."""
    ledger, found = AlertLedger("cam-01:p0"), []
    for minute, (live, shadow) in looks.items():
        found += ledger.look(START + timedelta(minutes=minute), live, shadow, lambda minute=minute: f"frame {minute}")
    return found + ledger.end()


CASES: list[tuple[str, Looks, list[str]]] = [
    ("nothing", {0: ([], [])}, []),
    ("both at once", {0: ([HERE], [HERE])}, ["kept"]),
    ("the shadow nine minutes later", {0: ([HERE], []), 9: ([HERE], [HERE])}, ["kept"]),
    ("the live one nine minutes later", {0: ([], [HERE]), 9: ([HERE], [])}, ["kept"]),
    ("the shadow eleven minutes later", {0: ([HERE], []), 11: ([HERE], [HERE])}, ["lost"]),
    ("the live one alone", {0: ([HERE], []), 5: ([HERE], []), 20: ([], [])}, ["lost"]),
    ("the shadow alone", {0: ([], [HERE]), 20: ([], [])}, ["gained"]),
    ("not decided when frames end", {0: ([HERE], [])}, ["lost"]),
    ("two places", {0: ([HERE], [THERE]), 20: ([], [])}, ["lost", "gained"]),
    ("one that goes on is one", {minute: ([HERE], [HERE]) for minute in range(0, 300, 5)}, ["kept"]),
    ("half an hour of quiet, then it begins anew", {0: ([HERE], [HERE]), 31: ([HERE], [])}, ["kept", "lost"]),
    ("what was told is not told again", {0: ([HERE], []), 15: ([HERE], []), 25: ([HERE], [])}, ["lost"]),
]


@pytest.mark.parametrize(("looks", "outcomes"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_an_alert_is_kept_lost_or_gained(looks: Looks, outcomes: list[str]) -> None:
    assert [alert.outcome for alert in told(looks)] == outcomes


def test_an_alert_names_its_first_frame_and_who_raised_it_when() -> None:
    (alert,) = told({0: ([], []), 3: ([], [HERE]), 7: ([HERE], [HERE])})
    assert (alert.frame, alert.box, alert.score) == ("frame 3", *HERE)
    assert alert.began_at == alert.shadow_at == START + timedelta(minutes=3)
    assert alert.live_at == START + timedelta(minutes=7)


class Every:
    """Alarms on every frame of at least this brightness."""

    name, version = "every", "1"

    def __init__(self, least: int, tier: Tier = "alarm") -> None:
        self.least, self.tier = least, tier

    def observe(self, image: BgrImage, at: datetime) -> Observation:
        if image.max() < self.least:
            return Observation()
        seen = Candidate(label="smoke", tier=self.tier, score=0.9, box=HERE[0], first_seen_at=at)
        return Observation(candidates=(seen,))


def test_frames_of_several_poses_are_compared_pose_by_pose() -> None:
    comparison = Comparison(lambda pose: (Every(10), Every(100)), timer_s=iter(range(100)).__next__)
    for minute, (pose, level) in enumerate([("a", 50), ("b", 200), ("a", 0)]):
        image = np.full((4, 4, 3), level, np.uint8)
        comparison.show(pose, image, START + timedelta(minutes=minute), lambda pose=pose: pose)
    assert [(alert.pose, alert.outcome) for alert in comparison.end()] == [("a", "lost"), ("b", "kept")]
    assert (comparison.frames, comparison.poses, comparison.live_s, comparison.shadow_s) == (3, 2, 3, 3)


def test_a_watch_item_is_no_alert() -> None:
    comparison = Comparison(lambda pose: (Every(0, "watch"), Every(0)))
    comparison.show("a", np.zeros((4, 4, 3), np.uint8), START, lambda: "")
    assert [alert.outcome for alert in comparison.end()] == ["gained"]


def test_after_a_gap_both_begin_anew() -> None:
    made: list[str] = []

    def make(pose: str) -> tuple[Every, Every]:
        made.append(pose)
        return Every(0), Every(0)

    comparison = Comparison(make, fresh_after=timedelta(minutes=30))
    for minute in (0, 20, 40, 90):
        comparison.show("a", np.zeros((4, 4, 3), np.uint8), START + timedelta(minutes=minute), lambda: "")
    assert len(made) == 2
    assert [alert.began_at for alert in comparison.end()] == [START, START + timedelta(minutes=90)]
