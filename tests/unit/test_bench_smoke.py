"""What `ioc bench smoke` makes of what it counted; nothing is rendered and nothing runs."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from detectors.base import Candidate, Observation
from detectors.evaluation import Evaluation, Look, Run
from ioc.cli.bench_smoke import PARTS, measure_smoke, parts_named
from ioc.cli.bench_smoke_latency import Shot, waits
from ioc.cli.bench_smoke_sequences import sequence_lines
from ioc.cli.smoke_backdrops import require_data
from ioc.detections import Box
from ioc.errors import ConfigurationError

START = datetime(2026, 1, 1, tzinfo=UTC)
FIRE = Box(0.5, 0.5, 0.1, 0.1)


def answer_of(detected: int, positive: int, alarmed_crops: int = 0) -> Evaluation:
    """`positive` fires of an hour each, of which the first `detected` alarm at once, and six clean crops."""

    def run(number: int, *, is_positive: bool, has_alarm: bool) -> Run:
        made = Run(sequence=f"s{number}", site="A", is_positive=is_positive, frames=60)
        for minute in range(60):
            at = START + timedelta(minutes=minute)
            found = (Candidate(label="smoke", tier="alarm", score=1, box=FIRE, first_seen_at=at),)
            seen = Observation(candidates=found if has_alarm and minute == 5 else ())
            labels = (FIRE,) if is_positive else ()
            made.looks.append(Look(number=minute, at=at, interval_s=60, labels=labels, seen=seen))
        return made

    fires = [run(n, is_positive=True, has_alarm=n < detected) for n in range(positive)]
    crops = [run(n, is_positive=False, has_alarm=n < alarmed_crops) for n in range(6)]
    return Evaluation(detector="smoke", version="1", runs=(*fires, *crops))


@pytest.mark.parametrize(
    ("detected", "crops", "met", "goals"),
    [
        (12, 0, [True] * 5, [True] * 5),
        (9, 1, [True, True, False, True, True], [False, True, False, True, False]),
        (8, 2, [False, True, False, True, False], [False, True, False, True, False]),
    ],
    ids=["all", "on_the_floor", "below_it"],
)
def test_real_fires_are_held_against_floor_and_goal(
    detected: int, crops: int, met: Sequence[bool], goals: Sequence[bool]
) -> None:
    lines = sequence_lines(answer_of(detected, 12, crops), how="")
    assert [line.is_met for line in lines] == met
    assert [line.is_goal for line in lines] == goals


def test_weights_that_have_seen_the_sites_and_other_manifests_are_not_judged() -> None:
    assert {line.is_met for line in sequence_lines(answer_of(12, 12), how="", is_judged=False)} == {None}
    assert {line.is_met for line in sequence_lines(answer_of(3, 3), how="")} == {None}


def test_without_the_folder_its_parts_are_not_measured_and_not_passed() -> None:
    lines = measure_smoke(parts=("sequences", "onsets"), model="rule", data=None, folds=None, is_quick=False)
    assert [line.is_met for line in lines] == [None, None]
    assert all("not measured" in line.figure for line in lines)


def test_parts_are_named() -> None:
    assert parts_named(None) == tuple(PARTS)
    assert parts_named("speed, day") == ("speed", "day")
    with pytest.raises(ConfigurationError, match="no such part"):
        parts_named("speed,rain")


def test_a_folder_without_the_clips_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"test_smoke\.mp4"):
        require_data(tmp_path)


def test_a_fire_waits_from_its_first_frame_with_smoke_and_one_never_told_for_ever() -> None:
    shots = [Shot(camera_id=f"c{n}", jpegs=(b"",) * 4, start=1, onset=2) for n in range(3)]
    captured = [[0.0, 5.0, 10.0, 15.0]] * 3
    told = [("c0", 27.0), ("c0", 90.0), ("c1", 4.0), ("c1", 31.0)]
    assert waits(shots, captured, told) == ([17.0, 21.0, float("inf")], 1)


def test_a_fire_told_before_a_person_would_point_at_it_has_not_waited() -> None:
    shots = [Shot(camera_id="c0", jpegs=(b"",) * 4, start=1, onset=3)]
    assert waits(shots, [[0.0, 5.0, 10.0, 15.0]], [("c0", 6.0)]) == ([0.0], 0)
