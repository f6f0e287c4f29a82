"""Where bearings meet, how sure that is, and why they sometimes meet nowhere."""

import math
import random
from itertools import pairwise, permutations

import pytest
from geographiclib.geodesic import Geodesic
from hypothesis import given, settings
from hypothesis import strategies as st

from ioc.detections import Box
from ioc.places.crossing import Fix, NoFix, Sight, chi2_limit, locate, sight_of
from ioc.places.ellipse import Ellipse, ellipse_polygon
from ioc.places.terrain_line import TerrainPoint
from tests.unit.places.scenery import CAMERAS, FIRE, OTHER_FIRE, azimuth, box_of, distance_m, spot, view


def to(fire: tuple[float, float], camera: tuple[float, float], *, off_deg: float = 0.0, sd_deg: float = 0.5) -> Sight:
    return Sight(lon=camera[0], lat=camera[1], azimuth_deg=azimuth(camera, fire) + off_deg, sd_deg=sd_deg)


def dms(degrees: float, minutes: float, seconds: float) -> float:
    return math.copysign(abs(degrees) + minutes / 60 + seconds / 3600, degrees)


# ---- against geodesics computed by others ----------------------------------------------------------------------------


def test_the_library_gives_the_published_geodesics() -> None:
    """Karney's New York to London, and Flinders Peak to Buninyong of the Geocentric Datum of Australia (Vincenty)."""
    line = Geodesic.WGS84.Inverse(40.6, -73.8, 51.6, -0.5)
    assert line["s12"] == pytest.approx(5_551_759.400, abs=0.001)
    assert line["azi1"] == pytest.approx(51.1988828, abs=1e-7)
    line = Geodesic.WGS84.Inverse(
        dms(-37, 57, 3.72030), dms(144, 25, 29.52440), dms(-37, 39, 10.15610), dms(143, 55, 35.38390)
    )
    assert line["s12"] == pytest.approx(54_972.271, abs=0.001)
    assert line["azi1"] % 360 == pytest.approx(dms(306, 52, 5.37), abs=1e-6)


def test_a_published_bearing_and_a_meridian_cross_at_the_published_place() -> None:
    lon, lat = dms(143, 55, 35.38390), dms(-37, 39, 10.15610)
    flinders = Sight(
        lon=dms(144, 25, 29.52440),
        lat=dms(-37, 57, 3.72030),
        azimuth_deg=dms(306, 52, 5.37),
        sd_deg=0.1,
        range_m=60_000,
    )
    south = Sight(lon=lon, lat=lat - 0.1, azimuth_deg=0.0, sd_deg=0.1)
    found = locate([flinders, south])
    assert isinstance(found, Fix)
    assert distance_m((found.lon, found.lat), (lon, lat)) < 0.2


def test_the_equator_and_a_meridian_cross_where_symmetry_says() -> None:
    east, north = (
        Sight(lon=0.0, lat=0.0, azimuth_deg=90.0, sd_deg=0.5),
        Sight(lon=0.05, lat=-0.05, azimuth_deg=0.0, sd_deg=0.5),
    )
    found = locate([east, north])
    assert isinstance(found, Fix)
    assert (found.lon, found.lat) == pytest.approx((0.05, 0.0), abs=1e-7)
    # Half a degree at 5.6 km is 49 m across each; the lines are square, so the ellipse is a circle of 2.45 times that.
    assert found.ellipse.semi_major_m == pytest.approx(2.4477 * 5_566 * math.radians(0.5), rel=0.01)
    assert found.ellipse.semi_minor_m == pytest.approx(2.4477 * 5_529 * math.radians(0.5), rel=0.01)


# ---- positions -------------------------------------------------------------------------------------------------------


def test_three_exact_bearings_meet_at_the_fire_within_a_centimetre() -> None:
    found = locate([to(FIRE, camera) for camera in CAMERAS.values()])
    assert isinstance(found, Fix)
    assert distance_m((found.lon, found.lat), FIRE) < 0.01
    assert (found.freedom, found.left_out) == (1, ())
    assert found.chi2 == pytest.approx(0, abs=1e-6)


def test_a_sharp_crossing_is_long_along_the_bearings() -> None:
    cameras = spot(0, -5_000), spot(800, -5_000)
    found = locate([to(spot(0, 0), camera, sd_deg=0.3) for camera in cameras])
    assert isinstance(found, Fix)
    assert found.ellipse.semi_major_m > 5 * found.ellipse.semi_minor_m
    assert min(found.ellipse.azimuth_deg, 180 - found.ellipse.azimuth_deg) < 10


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=3))
@settings(max_examples=12, deadline=None)
def test_the_order_of_bearings_changes_nothing(errors: list[float]) -> None:
    sights = [to(FIRE, camera, off_deg=off) for camera, off in zip(CAMERAS.values(), errors, strict=True)]
    places = []
    for order in permutations(sights):
        found = locate(order, is_robust=False)
        places.append((found.lon, found.lat) if isinstance(found, Fix) else found.reason)
    first = places[0]
    if isinstance(first, tuple):
        assert all(isinstance(p, tuple) and distance_m(first, p) < 0.1 for p in places)
    else:
        assert set(places) == {first}


@given(st.floats(0, 360), st.floats(1_000, 15_000), st.floats(0.2, 2.0))
@settings(max_examples=20, deadline=None)
def test_one_more_camera_that_agrees_makes_the_ellipse_smaller(turn: float, away_m: float, sd_deg: float) -> None:
    two = [to(FIRE, CAMERAS["cam-a"]), to(FIRE, CAMERAS["cam-b"])]
    end = Geodesic.WGS84.Direct(FIRE[1], FIRE[0], turn, away_m)
    before = locate(two)
    after = locate([*two, to(FIRE, (end["lon2"], end["lat2"]), sd_deg=sd_deg)])
    assert isinstance(before, Fix)
    assert isinstance(after, Fix)
    assert after.ellipse.semi_major_m <= before.ellipse.semi_major_m + 1e-6
    assert after.ellipse.semi_minor_m <= before.ellipse.semi_minor_m + 1e-6


@pytest.mark.parametrize("turn", [25, 60, 90, 140])
def test_the_fire_lies_in_the_ellipse_about_as_often_as_is_said(turn: float) -> None:
    """Two cameras at 5 km, poses off by 0.5°: a quick look; `ioc bench cameras` takes many more."""
    rng = random.Random(turn)
    ends = [Geodesic.WGS84.Direct(FIRE[1], FIRE[0], 40 + side, 5_000) for side in (0, turn)]
    inside = 0
    for _ in range(60):
        found = locate([to(FIRE, (end["lon2"], end["lat2"]), off_deg=rng.gauss(0, 0.5)) for end in ends])
        assert isinstance(found, Fix)
        inside += holds(found, FIRE)
    assert inside >= 51  # 95 % of 60 are 57; 3.5 standard deviations are 6


def holds(found: Fix, place: tuple[float, float]) -> bool:
    angle, away_m = math.radians(azimuth((found.lon, found.lat), place)), distance_m((found.lon, found.lat), place)
    axis = math.radians(found.ellipse.azimuth_deg)
    along, across = away_m * math.cos(angle - axis), away_m * math.sin(angle - axis)
    return (along / found.ellipse.semi_major_m) ** 2 + (across / found.ellipse.semi_minor_m) ** 2 <= 1


# ---- no position, and why --------------------------------------------------------------------------------------------

A, B = spot(0, 0), spot(3_000, 0)


def towards(camera: tuple[float, float], azimuth_deg: float, sd_deg: float = 0.5) -> Sight:
    return Sight(lon=camera[0], lat=camera[1], azimuth_deg=azimuth_deg, sd_deg=sd_deg)


@pytest.mark.parametrize(
    ("sights", "reason"),
    [
        pytest.param([towards(A, 10)], "one_bearing", id="one bearing"),
        pytest.param([towards(A, 10), towards(B, 10)], "parallel", id="parallel"),
        pytest.param([towards(A, 12), towards(B, 10)], "parallel", id="nearly parallel"),
        pytest.param([towards(A, 90), towards(B, 270)], "parallel", id="looking at each other"),
        pytest.param([towards(A, 340), towards(B, 20)], "behind", id="diverging"),
        pytest.param([towards(A, 90), towards(B, 20)], "behind", id="crossing at a camera"),
        pytest.param([towards(A, 10), towards(A, 40)], "no_baseline", id="one mast"),
        pytest.param([towards(A, 8, 0.05), towards(B, 2, 0.05)], "out_of_range", id="far beyond the range"),
        pytest.param(
            [to(FIRE, CAMERAS["cam-a"]), to(FIRE, CAMERAS["cam-b"]), to(OTHER_FIRE, CAMERAS["cam-c"])],
            "disagree",
            id="three that meet two by two",
        ),
    ],
)
def test_bearings_that_give_no_place_say_why(sights: list[Sight], reason: str) -> None:
    found = locate(sights)
    assert isinstance(found, NoFix)
    assert found.reason == reason
    assert found.vi.endswith(".")
    assert found.en.endswith(".")


def test_one_wrong_bearing_of_four_is_outvoted_and_named() -> None:
    cameras = [*CAMERAS.values(), spot(7_000, 7_000)]
    sights = [to(FIRE, camera) for camera in cameras]
    sights[1] = to(OTHER_FIRE, cameras[1], off_deg=6)
    found = locate(sights)
    assert isinstance(found, Fix)
    assert found.left_out == (1,)
    assert distance_m((found.lon, found.lat), FIRE) < 1


def test_one_wrong_bearing_of_three_is_left_out_where_it_meets_nobody_in_sight() -> None:
    a, b, c = CAMERAS.values()
    found = locate([to(FIRE, a), to(FIRE, b), towards(c, azimuth(c, FIRE) + 180)])
    assert isinstance(found, Fix)
    assert found.left_out == (2,)
    assert distance_m((found.lon, found.lat), FIRE) < 1


def test_a_distance_decides_which_of_three_is_wrong() -> None:
    a, b, c = CAMERAS.values()
    known = distance_m(a, FIRE)
    measured = Sight(
        lon=a[0], lat=a[1], azimuth_deg=azimuth(a, FIRE), sd_deg=0.5, distance_m=known, distance_sd_m=known * 0.05
    )
    found = locate([measured, to(FIRE, b), towards(c, azimuth(c, FIRE) + 25)])
    assert isinstance(found, Fix)
    assert found.left_out == (2,)


@pytest.mark.parametrize(("freedom", "limit"), [(1, 7.879), (2, 10.597), (4, 14.860), (8, 21.955)])
def test_the_limit_of_disagreement_is_the_published_quantile(freedom: int, limit: float) -> None:
    assert chi2_limit(freedom) == pytest.approx(limit, rel=0.01)


# ---- one camera and a terrain line -----------------------------------------------------------------------------------

TERRAIN = (
    TerrainPoint(row=0.95, distance_m=800),
    TerrainPoint(row=0.60, distance_m=3_000),
    TerrainPoint(row=0.40, distance_m=9_000),
)


def test_one_camera_with_a_terrain_line_gives_a_wide_place_along_its_bearing() -> None:
    box = Box(box_of("cam-a", FIRE).cx, 0.46, 0.02, 0.03)  # its foot is at row 0.475: 5.1 km away
    found = locate([sight_of(view("cam-a", terrain=TERRAIN), box)])
    assert isinstance(found, Fix)
    assert found.ellipse.semi_major_m > 4 * found.ellipse.semi_minor_m
    bearing = azimuth(CAMERAS["cam-a"], FIRE)
    assert found.ellipse.azimuth_deg == pytest.approx(bearing % 180, abs=1)
    assert holds(found, FIRE)


def test_without_a_terrain_line_one_camera_gives_no_place() -> None:
    found = locate([sight_of(view("cam-a"), box_of("cam-a", FIRE))])
    assert isinstance(found, NoFix)
    assert found.reason == "one_bearing"


def test_an_ellipse_is_a_ring_on_the_map() -> None:
    (ring,) = ellipse_polygon(108.45, 11.95, Ellipse(semi_major_m=400, semi_minor_m=100, azimuth_deg=30))["coordinates"]
    assert ring[0] == ring[-1]
    reaches = [distance_m((108.45, 11.95), (lon, lat)) for lon, lat in ring]
    assert max(reaches) == pytest.approx(400, abs=1)
    assert min(reaches) == pytest.approx(100, abs=1)
    farthest = ring[reaches.index(max(reaches))]
    assert azimuth((108.45, 11.95), (farthest[0], farthest[1])) % 180 == pytest.approx(30, abs=0.2)
    assert sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(ring)) > 0
