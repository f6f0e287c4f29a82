"""Fires with a known beginning: what counts as seen in time, and what was raised for nothing."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from detectors.base import Candidate, Observation
from detectors.evaluation import Look
from detectors.evaluation.onsets import OnsetResult, onset_result, share_within
from ioc.detections import Box, Tier

START = datetime(2026, 1, 1, tzinfo=UTC)
FIRE, AWAY = Box(0.5, 0.5, 0.1, 0.1), Box(0.1, 0.5, 0.1, 0.1)
ONSET = 20

Seen = Mapping[int, Sequence[tuple[Box, Tier]]]


def looks(seen: Seen, *, frames: int = 40) -> list[Look]:
    """One frame a minute; the smoke stands at FIRE from ONSET on."""
    made = []
    for minute in range(frames):
        at = START + timedelta(minutes=minute)
        candidates = tuple(
            Candidate(label="smoke", tier=tier, score=0.5, box=box, first_seen_at=at)
            for box, tier in seen.get(minute, ())
        )
        labels = (FIRE,) if minute >= ONSET else ()
        made.append(Look(number=minute, at=at, interval_s=60, labels=labels, seen=Observation(candidates=candidates)))
    return made


@pytest.mark.parametrize(
    ("seen", "watch", "alarm", "false", "false_watch"),
    [
        ({22: [(FIRE, "watch")], 25: [(FIRE, "alarm")]}, 2, 5, 0, 0),
        ({20: [(FIRE, "alarm")]}, 0, 0, 0, 0),
        ({23: [(AWAY, "alarm")], 24: [(FIRE, "watch")]}, 4, None, 1, 1),
        ({5: [(FIRE, "alarm")]}, None, None, 1, 1),
        ({19: [(FIRE, "watch")], 20: [(FIRE, "watch")]}, 0, None, 0, 1),
        ({}, None, None, 0, 0),
    ],
    ids=["both", "at_once", "away_from_it", "before_it_began", "watch_a_frame_early", "nothing"],
)
def test_frames_count_from_the_first_with_smoke_and_what_came_before_is_false(
    seen: Seen, watch: int | None, alarm: int | None, false: int, false_watch: int
) -> None:
    result = onset_result("f", "A", looks(seen), ONSET)
    assert (result.watch_after, result.alarm_after) == (watch, alarm)
    assert (result.false_alarms, result.false_watch_items) == (false, false_watch)
    assert result.hours == pytest.approx(40 / 60)


def test_where_nothing_burns_every_alarm_is_false() -> None:
    result = onset_result("f", "A", looks({3: [(FIRE, "alarm")], 36: [(FIRE, "alarm")]}), None)
    assert (result.watch_after, result.false_alarms, result.told_again) == (None, 2, 2)


def test_a_fire_counts_only_when_both_tiers_are_in_time() -> None:
    def result(watch: int | None, alarm: int | None) -> OnsetResult:
        return OnsetResult(
            name="",
            site="",
            watch_after=watch,
            alarm_after=alarm,
            false_alarms=0,
            false_watch_items=0,
            told_again=0,
            hours=1,
        )

    results = [result(4, 8), result(5, 8), result(4, 9), result(4, None), result(None, None)]
    assert share_within(results, watch=4, alarm=8) == pytest.approx(0.2)
    assert share_within([], watch=4, alarm=8) == 0
