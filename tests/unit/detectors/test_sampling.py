"""A detector that is shown the first usable frame of each slot of the day."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from detectors.base import BgrImage, Candidate, Observation, State
from detectors.sampling import SampledDetector
from ioc.detections import Box
from ioc.windows import LOCAL_ZONE

IMAGE = np.zeros((4, 4, 3), np.uint8)
EVERY = timedelta(hours=3)
SEEN = Candidate(
    label="x", tier="alarm", score=1, box=Box(0.5, 0.5, 0.1, 0.1), first_seen_at=datetime(2026, 11, 22, tzinfo=UTC)
)


def local(text: str) -> datetime:
    """`text`: day and time of November 2026, e.g. "22 05:58"."""
    return datetime.strptime(f"2026-11-{text} +0700", "%Y-%m-%d %H:%M %z")


class Looking:
    """Sees one thing on each frame, except in the dark hours and in those of `fog`."""

    name, version = "looking", "1"

    def __init__(self, fog: range = range(0)) -> None:
        self.fog = fog
        self.looked: list[str] = []

    def observe(self, image: BgrImage, at: datetime) -> Observation:
        hour = at.astimezone(LOCAL_ZONE).hour
        self.looked.append(f"{at.astimezone(LOCAL_ZONE):%d %H:%M}")
        if hour in self.fog or not 6 <= hour < 18:
            return Observation(state="degraded", note="poor_visibility", rejected={"poor_visibility": 1})
        return Observation(candidates=(SEEN,), note="looked")


@pytest.mark.parametrize(
    ("begins", "looked"),
    [
        (timedelta(0), ["22 06:00", "22 08:00", "22 12:00", "22 16:00", "23 06:00", "23 08:00"]),
        (timedelta(hours=1, minutes=15), ["22 06:00", "22 09:15", "22 13:15", "22 17:15", "23 06:15", "23 09:15"]),
    ],
)
def test_slots_may_begin_after_midnight(begins: timedelta, looked: list[str]) -> None:
    """By daylight all the year, with an evening in it: the construction detector's."""
    inner = Looking()
    sampled = SampledDetector(inner, every=timedelta(hours=4), begins=begins)
    seen = [sampled.observe(IMAGE, local("22 00:00") + timedelta(minutes=minute)) for minute in range(2000)]
    assert [at for at in inner.looked if 6 <= int(at[3:5]) < 18] == looked
    assert sum(bool(one.candidates) for one in seen) == len(looked)


@pytest.mark.parametrize(
    ("first", "minutes", "fog", "looked"),
    [
        ("22 06:00", 420, range(0), ["22 06:00", "22 09:00", "22 12:00"]),
        ("22 06:40", 420, range(0), ["22 06:40", "22 09:00", "22 12:00"]),
        ("22 08:10", 300, range(0), ["22 08:10", "22 09:40", "22 12:00"]),  # half a slot at least
        ("22 08:30", 300, range(8, 10), ["22 08:30", "22 08:45", "22 09:00", "22 09:15", "22 09:30", "22 09:45",
                                         "22 10:00", "22 12:00"]),
    ],
    ids=["whole_slots", "begun_late", "begun_at_the_end_of_a_slot", "fog_is_tried_again_in_a_twelfth"],
)  # fmt: skip
def test_first_usable_frame_of_each_slot_is_looked_at(first: str, minutes: int, fog: range, looked: list[str]) -> None:
    inner = Looking(fog)
    sampled = SampledDetector(inner, every=EVERY)
    for minute in range(minutes):
        sampled.observe(IMAGE, local(first) + timedelta(minutes=minute))
    assert inner.looked == looked


def test_the_hours_of_a_day_come_again_and_the_night_is_only_tried() -> None:
    inner = Looking()
    sampled = SampledDetector(inner, every=EVERY)
    used = []
    for minute in range(3 * 24 * 60):
        seen = sampled.observe(IMAGE, local("22 00:00") + timedelta(minutes=minute))
        used += [inner.looked[-1]] if seen.candidates else []
    assert used == [f"{day} {hour:02}:00" for day in (22, 23, 24) for hour in (6, 9, 12, 15)]
    assert len(inner.looked) - len(used) == 3 * 12 * 4  # each quarter of an hour of the night


def test_between_samples_the_last_state_holds_without_candidates() -> None:
    sampled = SampledDetector(Looking(range(9, 10)), every=EVERY)
    minutes = ("22 06:00", "22 06:01", "22 09:00", "22 09:01", "22 10:00")
    told = [sampled.observe(IMAGE, local(minute)) for minute in minutes]
    assert [(one.state, one.note, len(one.candidates), dict(one.rejected)) for one in told] == [
        ("ok", "looked", 1, {}),
        ("ok", "looked", 0, {}),
        ("degraded", "poor_visibility", 0, {"poor_visibility": 1}),
        ("degraded", "poor_visibility", 0, {}),  # what was refused is counted once
        ("ok", "looked", 1, {}),
    ]


@pytest.mark.parametrize("text", ["22 06:01", "22 06:00", "21 23:00"], ids=["same", "minute_before", "day_before"])
def test_time_going_backwards_is_a_repeated_frame(text: str) -> None:
    inner = Looking()
    sampled = SampledDetector(inner, every=EVERY)
    for minute in ("22 06:00", "22 06:01"):
        sampled.observe(IMAGE, local(minute))
    assert sampled.observe(IMAGE, local(text)).rejected == {"repeated_frame": 1}
    assert inner.looked == ["22 06:00"]


@pytest.mark.parametrize(("state", "text", "is_looked_at"), [
    ("ok", "22 06:30", False), ("ok", "22 09:00", True), ("warming_up", "22 06:30", False), ("ok", "22 05:00", True),
])  # fmt: skip
def test_a_restart_goes_on_from_the_last_sample(state: State, text: str, is_looked_at: bool) -> None:
    inner = Looking()
    sampled = SampledDetector(inner, every=EVERY, last=(local("22 06:00"), Observation(state=state)))
    seen = sampled.observe(IMAGE, local(text))
    assert bool(inner.looked) is is_looked_at
    assert is_looked_at or seen == Observation(state=state)


def test_every_must_be_above_zero() -> None:
    with pytest.raises(ValueError, match="every"):
        SampledDetector(Looking(), every=timedelta(0))
