"""A box is a direction with an error; a view is a sector of the map."""

import math
from itertools import pairwise

import pytest
from geographiclib.geodesic import Geodesic
from hypothesis import given, settings
from hypothesis import strategies as st

from ioc.detections import Box
from ioc.places.bearings import View, bearing_of, cone, direction_of, is_in_view, pixel_of, turn_deg

LEVEL = View(lon=108.45, lat=11.95, azimuth_deg=350.0, fov_deg=60.0, azimuth_sd_deg=0.5)


@pytest.mark.parametrize(
    ("x", "azimuth_deg"),
    [
        (0.5, 350.0),
        (0.0, 320.0),
        (1.0, 20.0),
        (0.75, 350 + math.degrees(math.atan(0.5 * math.tan(math.radians(30))))),  # a linear rule says 5.0
        (0.25, 350 - math.degrees(math.atan(0.5 * math.tan(math.radians(30))))),
    ],
)
def test_a_column_looks_where_a_pinhole_says(x: float, azimuth_deg: float) -> None:
    found, elevation_deg = direction_of(LEVEL, x, 0.5)
    assert found == pytest.approx(azimuth_deg % 360, abs=1e-9)
    assert elevation_deg == pytest.approx(0, abs=1e-9)


def test_a_linear_rule_would_be_off_by_a_degree_in_between() -> None:
    worst = max(abs(turn_deg(direction_of(LEVEL, x / 100, 0.5)[0], 350.0 + (x / 100 - 0.5) * 60)) for x in range(101))
    assert 1.0 < worst < 1.2


@pytest.mark.parametrize(
    ("changes", "x", "y", "azimuth_deg", "elevation_deg"),
    [
        pytest.param({"tilt_deg": -10.0}, 0.5, 0.5, 350.0, -10.0, id="tilted down"),
        # The upper edge is atan(tan(30°) · 9/16) above the middle.
        pytest.param(
            {}, 0.5, 0.0, 350.0, math.degrees(math.atan(math.tan(math.radians(30)) * 9 / 16)), id="upper edge"
        ),
        pytest.param({"roll_deg": 90.0, "aspect": 1.0}, 1.0, 0.5, 350.0, -30.0, id="on its side: right is down"),
        pytest.param({"roll_deg": 90.0, "aspect": 1.0}, 0.5, 0.0, 20.0, 0.0, id="on its side: up is right"),
        pytest.param({"fov_deg": 360.0}, 0.75, 0.5, 80.0, 0.0, id="a panorama is linear"),
    ],
)
def test_tilt_roll_and_panoramas(
    changes: dict[str, float], x: float, y: float, azimuth_deg: float, elevation_deg: float
) -> None:
    view = View(**{"lon": 108.45, "lat": 11.95, "azimuth_deg": 350.0, "fov_deg": 60.0} | changes)
    assert direction_of(view, x, y) == pytest.approx((azimuth_deg, elevation_deg), abs=1e-9)


@settings(max_examples=50)
@given(
    st.floats(0, 1), st.floats(0, 1), st.floats(0, 359.9), st.floats(10, 360), st.floats(-40, 40), st.floats(-20, 20)
)
def test_a_direction_goes_back_to_its_pixel(
    x: float, y: float, az: float, fov: float, tilt: float, roll: float
) -> None:
    view = View(lon=0, lat=0, azimuth_deg=az, fov_deg=fov, tilt_deg=tilt, roll_deg=roll)
    back = pixel_of(view, *direction_of(view, x, y))
    assert back is not None
    if not (fov > 150 and abs(abs(x - 0.5) * fov - 180) < 1e-6):  # the seam of a whole circle
        assert back == pytest.approx((x, y), abs=1e-6)


def test_what_is_behind_the_camera_has_no_pixel() -> None:
    assert pixel_of(LEVEL, 170.0, 0.0) is None


def test_a_bearing_is_less_certain_the_wider_its_box_and_the_worse_its_pose() -> None:
    narrow, wide = bearing_of(LEVEL, Box(0.5, 0.4, 0.01, 0.05)), bearing_of(LEVEL, Box(0.5, 0.4, 0.2, 0.1))
    assert narrow.azimuth_deg == wide.azimuth_deg == 350.0
    assert 0.5 < narrow.sd_deg < 0.6
    assert wide.sd_deg == pytest.approx(math.hypot(0.5, 13.2 / math.sqrt(12)), abs=0.05)


def test_a_view_is_a_sector_on_the_ellipsoid_counter_clockwise() -> None:
    (ring,) = cone(LEVEL, 5_000)["coordinates"]
    assert ring[0] == ring[-1] == [108.45, 11.95]
    arc = ring[1:-1]
    lines = [Geodesic.WGS84.Inverse(11.95, 108.45, lat, lon) for lon, lat in arc]
    assert all(line["s12"] == pytest.approx(5_000, abs=0.2) for line in lines)
    assert [lines[0]["azi1"] % 360, lines[-1]["azi1"] % 360] == pytest.approx([20.0, 320.0], abs=1e-3)
    doubled = sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(ring))
    assert doubled > 0, "RFC 7946 wants outer rings counter-clockwise"


def test_a_whole_circle_has_no_corner_at_its_camera() -> None:
    (ring,) = cone(View(lon=108.45, lat=11.95, azimuth_deg=0, fov_deg=360), 1_000)["coordinates"]
    assert ring[0] == ring[-1]
    assert [108.45, 11.95] not in ring


@pytest.mark.parametrize(
    ("azimuth_deg", "distance_m", "is_seen"),
    [(350, 5_000, True), (321, 5_000, True), (319, 5_000, False), (170, 5_000, False), (350, 20_500, False)],
)
def test_a_place_is_in_view_within_the_width_and_the_range(
    azimuth_deg: float, distance_m: float, is_seen: bool
) -> None:
    place = Geodesic.WGS84.Direct(11.95, 108.45, azimuth_deg, distance_m)
    assert is_in_view(LEVEL, place["lon2"], place["lat2"]) is is_seen
