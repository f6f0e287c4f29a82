"""Which sights are of one fire: laws that hold whatever is seen. What it means for people: test_incident_book."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from ioc.places.crossing import Fix, Sight
from ioc.places.joining import JOIN_GAP, MAX_SEEN, Seen, connected, divide, place_of
from tests.unit.places.scenery import CAMERAS, FIRE, START, azimuth, spot

MASTS = [*CAMERAS.values(), CAMERAS["cam-a"], spot(50, 0)]  # two on one mast, one next to it


def seen(
    name: str, mast: int, azimuth_deg: float, *, minute: float = 0, lasts: float = 2, pose: str = "p0", sd: float = 0.7
) -> Seen:
    lon, lat = MASTS[mast]
    first = START + timedelta(minutes=minute)
    return Seen(
        seen_id=name,
        camera_id=f"mast-{mast if mast != 3 else 0}",
        pose_id=pose,
        sight=Sight(lon=lon, lat=lat, azimuth_deg=azimuth_deg, sd_deg=sd),
        first_at=first,
        last_at=first + timedelta(minutes=lasts),
    )


def of_fire(name: str, mast: int, **changes: object) -> Seen:
    return seen(name, mast, azimuth(MASTS[mast], FIRE), **changes)  # type: ignore[arg-type]


SIGHTS = st.tuples(st.integers(0, 4), st.floats(0, 359.9), st.floats(0, 40), st.sampled_from(["p0", "p1"]))


@settings(max_examples=30, deadline=None)
@given(st.lists(SIGHTS, min_size=1, max_size=5), st.randoms())
def test_whatever_is_seen_each_sight_is_in_one_group_and_the_order_changes_nothing(
    what: list[tuple[int, float, float, str]], random: object
) -> None:
    all_seen = [
        seen(f"s{n}", mast, azimuth_deg, minute=minute, pose=pose)
        for n, (mast, azimuth_deg, minute, pose) in enumerate(what)
    ]
    division = divide(all_seen, ())
    assert sorted(name for group in division.groups for name in group) == sorted(one.seen_id for one in all_seen)
    shuffled = list(all_seen)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert divide(shuffled, ()) == division
    for group in division.groups:
        of_group = [one for one in all_seen if one.seen_id in group]
        assert len({(one.camera_id, one.pose_id) for one in of_group}) == len(group), "one pose sees a fire once"
        assert isinstance(place_of(of_group), Fix) or place_of(of_group).reason  # type: ignore[union-attr]
    assert all(not pair <= group for pair in division.doubtful for group in division.groups)


def test_two_poses_of_one_camera_that_see_the_same_direction_see_one_fire() -> None:
    (group,) = divide([of_fire("a", 0), of_fire("b", 0, pose="p1")], ()).groups
    assert group == {"a", "b"}


def test_two_poses_of_one_camera_that_look_elsewhere_see_two() -> None:
    direction = azimuth(MASTS[0], FIRE)
    assert len(divide([seen("a", 0, direction), seen("b", 0, direction + 6, pose="p1")], ()).groups) == 2


def test_two_that_look_the_same_way_from_one_line_see_one_fire_though_it_has_no_place() -> None:
    """Parallel bearings cross nowhere, but that two fires lie so exactly behind each other is unlikely."""
    behind = azimuth(MASTS[0], MASTS[1])
    pair = [seen("a", 0, behind), seen("b", 1, behind)]
    (group,) = divide(pair, ()).groups
    assert group == {"a", "b"}
    assert not isinstance(place_of(pair), Fix)


def test_bearings_that_diverge_are_of_two_fires() -> None:
    assert len(divide([seen("a", 0, 340), seen("b", 1, 20)], ()).groups) == 2


def test_what_is_seen_long_after_the_other_was_over_is_another_fire() -> None:
    gap = JOIN_GAP.total_seconds() / 60
    near, late = of_fire("b", 1, minute=gap + 1), of_fire("b", 1, minute=gap + 4)
    assert len(divide([of_fire("a", 0), near], ()).groups) == 1
    assert len(divide([of_fire("a", 0), late], ()).groups) == 2


def test_a_third_that_was_there_all_the_time_holds_two_together() -> None:
    late = of_fire("b", 1, minute=40)
    assert len(divide([of_fire("a", 0), late, of_fire("c", 2, lasts=40)], ()).groups) == 1


def test_more_than_can_be_divided_stays_as_it_was() -> None:
    crowd = [seen(f"s{n:02}", n % 3, 30 + n, pose=f"p{n}") for n in range(MAX_SEEN + 1)]
    together = frozenset({"s00", "s01"})
    division = divide(crowd, [together])
    assert together in division.groups
    assert len(division.groups) == MAX_SEEN


def test_only_what_can_be_of_the_same_fire_is_looked_at() -> None:
    far = seen("far", 2, azimuth(MASTS[2], FIRE) + 170)
    near = connected(of_fire("a", 0), [of_fire("a", 0), of_fire("b", 1), far], ())
    assert {one.seen_id for one in near} == {"a", "b"}
    assert len(connected(far, [of_fire("a", 0), far], [frozenset({"a", "far"})])) == 2
