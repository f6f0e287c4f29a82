"""Camera health on rendered scenes, with seeds that tuning may know: faults in sun, fog, rain, at night; no fault."""

from collections import Counter

from ioc.cli.bench_cameras_health import false_incidents, found_in_pictures

SEED = 40


def test_faults_are_found_within_five_minutes_in_every_weather_and_called_by_their_names() -> None:
    found = list(found_in_pictures(1, SEED))
    right = Counter(one.kind for one in found if one.is_right)
    plain = {"frozen", "covered", "sprayed", "blurred", "moved", "over_exposed", "under_exposed"}
    assert all(right[kind] >= 3 for kind in plain), right
    assert sum(right[kind] for kind in plain) >= 26, right  # of 28


def test_mornings_of_ordinary_weather_raise_nothing() -> None:
    told = Counter[str]()
    for camera in (0, 9, 23):
        told += false_incidents(camera, (330, 630), SEED)
    assert told == Counter()
