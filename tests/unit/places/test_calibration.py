"""Landmarks tell where a pose looks, with its error; what can't be told is refused in a sentence."""

import math
import random
from dataclasses import replace

import pytest
from geographiclib.geodesic import Geodesic

from ioc.errors import ConfigurationError
from ioc.places.bearings import View, pixel_of, turn_deg
from ioc.places.calibration import Calibration, calibrate, residuals_of
from ioc.places.landmarks import Landmark, reversed_place

LENS_M = 2_160.0
TRUE = View(lon=108.4309, lat=12.0137, azimuth_deg=356.4, fov_deg=57.2, tilt_deg=-4.2, roll_deg=1.3)
SPREAD = ((-24.0, 4_000.0, 1_500.0), (-8.0, 6_500.0, 1_650.0), (9.0, 3_000.0, 1_480.0), (25.0, 8_000.0, 1_700.0))


def landmark(name: str, turn: float, away_m: float, high_m: float, view: View = TRUE) -> Landmark:
    """A landmark that `view` shows, where the earth's curve and the usual refraction put it."""
    azimuth_deg = view.azimuth_deg + turn
    end = Geodesic.WGS84.Direct(view.lat, view.lon, azimuth_deg, away_m)
    rise_m = high_m - LENS_M - away_m**2 / (2 * 6_371_000 / 0.87)
    at = pixel_of(view, azimuth_deg, math.degrees(math.atan2(rise_m, away_m)))
    assert at is not None
    return Landmark(name=name, x=at[0], y=at[1], lon=end["lon2"], lat=end["lat2"], height_m=high_m)


def landmarks(count: int = 4, view: View = TRUE) -> list[Landmark]:
    return [landmark(f"m{number}", *where, view=view) for number, where in enumerate(SPREAD[:count])]


def solved(marks: list[Landmark], height_m: float | None = LENS_M) -> Calibration:
    return calibrate(marks, lon=TRUE.lon, lat=TRUE.lat, height_m=height_m, aspect=16 / 9)


def flat(marks: list[Landmark]) -> list[Landmark]:
    return [replace(mark, height_m=None) for mark in marks]


def test_four_landmarks_with_their_heights_give_the_whole_pose() -> None:
    found = solved(landmarks())
    got = (found.view.azimuth_deg, found.view.fov_deg, found.view.tilt_deg, found.view.roll_deg)
    assert got == pytest.approx((356.4, 57.2, -4.2, 1.3), abs=1e-3)
    assert found.is_checked
    assert found.rms < 1e-6


@pytest.mark.parametrize("azimuth_deg", [0.2, 90.0, 179.9, 271.5])
@pytest.mark.parametrize("fov_deg", [25.0, 57.2, 95.0])
def test_azimuth_and_width_come_from_directions_alone(azimuth_deg: float, fov_deg: float) -> None:
    level = replace(TRUE, azimuth_deg=azimuth_deg, fov_deg=fov_deg, tilt_deg=0.0, roll_deg=0.0)
    marks = [
        landmark(f"m{n}", turn * fov_deg / 57.2, away_m, LENS_M, level) for n, (turn, away_m, _) in enumerate(SPREAD)
    ]
    found = calibrate(flat(marks), lon=level.lon, lat=level.lat, height_m=None, aspect=16 / 9)
    assert turn_deg(found.view.azimuth_deg, azimuth_deg) == pytest.approx(0, abs=0.01)
    assert found.view.fov_deg == pytest.approx(fov_deg, abs=0.02)
    assert (found.tilt_sd_deg, found.roll_sd_deg) == (None, None)


def test_what_a_pixel_is_off_shows_in_the_residuals_and_the_stated_error_holds() -> None:
    rng = random.Random(7)
    within = 0
    for _ in range(25):
        marks = [replace(m, x=m.x + rng.gauss(0, 0.001), y=m.y + rng.gauss(0, 0.0018)) for m in landmarks()]
        found = solved(marks)
        within += abs(turn_deg(found.view.azimuth_deg, 356.4)) < 2 * found.azimuth_sd_deg
        assert 0 < found.rms < 0.003
        assert found.azimuth_sd_deg < 0.2
    assert within >= 20


def test_just_enough_landmarks_are_solved_and_said_to_be_unchecked() -> None:
    assert not solved(flat(landmarks(2))).is_checked
    assert solved(flat(landmarks(3))).is_checked


def test_the_residuals_of_another_pose_tell_that_poses_are_swapped() -> None:
    other = replace(TRUE, azimuth_deg=300.0)
    worst = max(abs(r.across_deg) for r in residuals_of(other, landmarks(), LENS_M))
    assert worst > 20
    assert max(abs(r.across_deg) for r in residuals_of(TRUE, landmarks(), LENS_M)) < 0.01


def swapped(mark: Landmark) -> Landmark:
    return replace(mark, lon=mark.lat, lat=mark.lon)


@pytest.mark.parametrize(
    ("marks", "sentence"),
    [
        pytest.param(landmarks(1), "1 landmark tells no direction", id="one"),
        pytest.param([], "0 landmark", id="none"),
        pytest.param(
            [*landmarks(2), swapped(landmarks()[2])], "landmark m2: .* are reversed; write lat 12", id="reversed"
        ),
        pytest.param(
            [*landmarks(2), replace(landmarks()[2], lat=21.02)], "more than 200 km from the camera", id="far away"
        ),
        pytest.param(
            [landmark("top", 0, 3_000, 2_500), landmark("foot", 1, 3_000, 1_500)], "above the other", id="one column"
        ),
        pytest.param(
            [landmark("near", -20, 3_000, 1_500), replace(landmark("far", -20, 6_000, 1_500), x=0.9)],
            "one line of sight",
            id="one line of sight",
        ),
        pytest.param(
            [replace(landmarks()[0], x=landmarks()[3].x), replace(landmarks()[3], x=landmarks()[0].x)],
            "two landmarks are swapped",
            id="two swapped",
        ),
        pytest.param(
            [*landmarks(3), replace(landmarks()[3], x=landmarks()[3].x - 0.2)], "do not fit one pose", id="one mistaken"
        ),
        pytest.param(
            [*landmarks(2), replace(landmarks()[2], lon=TRUE.lon, lat=TRUE.lat)], "where the camera itself", id="itself"
        ),
        pytest.param([*landmarks(2), replace(landmarks()[2], x=1.4)], "outside the picture", id="outside"),
    ],
)
def test_what_gives_no_pose_is_refused_in_both_languages(marks: list[Landmark], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence) as refused:
        solved(marks)
    vi, _, en = str(refused.value).partition("\n")
    assert vi
    assert en
    assert vi != en


@pytest.mark.parametrize(
    ("lon", "lat", "is_wrong"), [(108.44, 12.05, ""), (12.05, 108.44, "reversed"), (21.0, 12.0, "more than 200 km")]
)
def test_a_place_that_no_camera_sees_is_told(lon: float, lat: float, is_wrong: str) -> None:
    problem = reversed_place(lon, lat, TRUE.lon, TRUE.lat)
    assert (is_wrong in problem) if is_wrong else not problem
