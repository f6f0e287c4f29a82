"""From the picture to the ground and back, against a pinhole camera that stands on a mast."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from geographiclib.geodesic import Geodesic
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from shapely import Polygon

from ioc.errors import ConfigurationError
from ioc.ground import ControlPoint, Footprint, GroundMap, LocalPlane

HERE = LocalPlane(108.4421, 11.9793)
MAST_M, TILT_DEG, FOCAL = 60.0, 20.0, 0.87  # of the picture's width: a view of 60°
CORNERS = ((-40.0, 120.0), (45.0, 115.0), (60.0, 260.0), (-70.0, 250.0))
MORE = (*CORNERS, (0.0, 180.0), (20.0, 150.0), (-30.0, 210.0))


def seen(east_m: float, north_m: float) -> tuple[float, float]:
    """Where a camera `MAST_M` high, looking north and down, has a place of the plane: shares of a 16:9 picture."""
    tilt = math.radians(TILT_DEG)
    forward = north_m * math.cos(tilt) + MAST_M * math.sin(tilt)
    down = MAST_M * math.cos(tilt) - north_m * math.sin(tilt)
    return 0.5 + FOCAL * east_m / forward, 0.5 + FOCAL * down / forward * 16 / 9


def points(places: Sequence[tuple[float, float]], wrong_px: float = 0.0) -> list[ControlPoint]:
    rng = np.random.default_rng(5)
    found = []
    for east_m, north_m in places:
        x, y = seen(east_m, north_m)
        lon, lat = HERE.to_degrees(np.array([(east_m, north_m)]))[0]
        dx, dy = rng.normal(0, wrong_px / 1280, 2)
        found.append(ControlPoint(x=x + dx, y=y + dy, lon=float(lon), lat=float(lat)))
    return found


def metres(place: tuple[float, float] | None) -> NDArray[np.float64]:
    assert place is not None
    return np.asarray(HERE.to_metres(np.array([place]))[0], dtype=np.float64)


@given(east_m=st.floats(-500, 500), north_m=st.floats(-500, 500))
def test_metres_are_those_of_the_geodesic(east_m: float, north_m: float) -> None:
    lon, lat = HERE.to_degrees(np.array([(east_m, north_m)]))[0]
    line = Geodesic.WGS84.Inverse(HERE.lat, HERE.lon, lat, lon)
    assert line["s12"] == pytest.approx(math.hypot(east_m, north_m), abs=0.05)
    assert metres((lon, lat)) == pytest.approx([east_m, north_m], abs=1e-6)


@given(east_m=st.floats(-60, 60), north_m=st.floats(110, 300))
def test_a_place_of_the_picture_is_where_the_camera_saw_it(east_m: float, north_m: float) -> None:
    ground = GroundMap(points(CORNERS))
    found = ground.to_lonlat(*seen(east_m, north_m))
    assert metres(found) == pytest.approx([east_m, north_m], abs=0.01)
    assert found is not None
    assert ground.to_picture(*found) == pytest.approx(seen(east_m, north_m), abs=1e-6)


def test_the_error_is_what_badly_pointed_corners_do() -> None:
    exact, rough = GroundMap(points(MORE)), GroundMap(points(MORE, wrong_px=9))
    off = [np.linalg.norm(metres(rough.to_lonlat(*seen(*place))) - place) for place in MORE]
    assert float(np.mean(off)) < rough.error_m < 10 * float(np.mean(off))
    assert 0.5 < exact.error_m < 3 < rough.error_m < 20, "nobody points exactly"
    assert 0.5 < GroundMap(points(CORNERS)).error_m < 3, "four points leave nothing over"


def test_nothing_is_on_the_ground_above_its_horizon() -> None:
    ground = GroundMap(points(MORE))
    assert ground.to_lonlat(0.5, 0.5 - FOCAL * math.tan(math.radians(TILT_DEG)) * 16 / 9 - 0.01) is None
    assert ground.footprint([(0.4, -0.5), (0.6, -0.5), (0.5, 0.5)]) is None


def test_a_footprint_has_the_area_that_stands_there() -> None:
    house = [seen(0, 180), seen(10, 180), seen(10, 192), seen(0, 192)]
    found = GroundMap(points(MORE)).footprint(house)
    assert found is not None
    assert found.area_m2 == pytest.approx(120, rel=0.01)
    crossing = GroundMap(points(MORE)).footprint([house[0], house[2], house[1], house[3]])
    assert crossing is not None
    assert crossing.area_m2 == pytest.approx(120, rel=0.01)
    parcel = Polygon(HERE.to_degrees(np.array([(-5.0, 175), (5, 175), (5, 200), (-5, 200)])))
    assert Footprint(outline=found.outline, error_m=0).area_outside_m2(parcel) == pytest.approx(60, rel=0.01)
    assert Footprint(outline=found.outline, error_m=4).area_outside_m2(parcel) == pytest.approx(12, rel=0.1)


@pytest.mark.parametrize(
    ("given_points", "says"),
    [
        pytest.param(points(CORNERS)[:3], "four or more", id="three"),
        pytest.param(points([(0, 120), (0, 150), (0, 180), (0, 220)]), "on a line", id="on a line"),
        pytest.param(points(CORNERS)[:1] * 4, "on a line", id="one point four times"),
        pytest.param(
            [ControlPoint(x=p.x, y=p.y, lon=p.lat, lat=p.lon) for p in points(CORNERS)], "swapped", id="reversed"
        ),
        pytest.param(
            [ControlPoint(x=p.x * 1280, y=p.y, lon=p.lon, lat=p.lat) for p in points(CORNERS)],
            "outside the picture",
            id="pixels for shares",
        ),
        pytest.param(
            [ControlPoint(x=p.x, y=p.y, lon=p.lon, lat=95) for p in points(CORNERS)], "no place on earth", id="latitude"
        ),
        pytest.param(
            [
                ControlPoint(x=a.x, y=a.y, lon=b.lon, lat=b.lat)
                for a, b in zip(points(CORNERS), [points(CORNERS)[i] for i in (0, 2, 1, 3)], strict=True)
            ],
            "fit no view",
            id="two swapped",
        ),
    ],
)
def test_points_that_make_no_map_say_why(given_points: list[ControlPoint], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        GroundMap(given_points)
