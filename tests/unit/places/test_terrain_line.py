"""A row of the picture is a band of distances."""

import pytest

from ioc.errors import ConfigurationError
from ioc.places.terrain_line import ROW_SD, TerrainPoint, band_of, check_terrain

LINE = tuple(
    TerrainPoint(row=row, distance_m=metres) for row, metres in ((0.95, 500.0), (0.60, 2_000.0), (0.40, 8_000.0))
)


@pytest.mark.parametrize(
    ("row", "true_m"), [(0.6, 2_000), (0.5, 2 / (1 / 2_000 + 1 / 8_000)), (0.8, 500 / (1 - 0.15 / 0.35 * 0.75))]
)
def test_between_two_points_the_inverse_of_the_distance_is_linear(row: float, true_m: float) -> None:
    band = band_of(LINE, row, 20_000)
    assert band is not None
    assert band.from_m < true_m < band.to_m
    assert band.distance_m == pytest.approx(true_m, rel=0.1)
    assert band.to_m - band.from_m == pytest.approx(band.sd_m * 12**0.5)


def test_even_ground_seen_from_a_mast_is_told_right_between_any_two_rows() -> None:
    """From h metres above a plain the ground at the angle a below the horizon is h / tan a away; rows are as tan a."""
    height_m, horizon, scale = 100.0, 0.3, 1.5
    rows = [0.9, 0.6, 0.4]
    plain = tuple(TerrainPoint(row=row, distance_m=height_m / ((row - horizon) / scale)) for row in rows)
    for row in (0.85, 0.7, 0.5, 0.45):
        band = band_of(plain, row, 50_000)
        assert band is not None
        assert band.from_m < height_m * scale / (row - horizon) < band.to_m


def test_above_the_skyline_it_is_behind_it_and_below_the_nearest_ground_nearer() -> None:
    behind, near = band_of(LINE, 0.35, 20_000), band_of(LINE, 0.99, 20_000)
    assert behind is not None
    assert near is not None
    assert (behind.from_m, behind.to_m) == (pytest.approx(8_000 * 0.85), pytest.approx(20_000 * 1.15))
    assert (near.from_m, near.to_m) == (0.0, pytest.approx(500 * 1.15))


def test_far_ground_is_less_certain() -> None:
    bands = [band_of(LINE, row, 20_000) for row in (0.9, 0.7, 0.5, 0.42)]
    widths = [band.sd_m for band in bands if band is not None]
    assert widths == sorted(widths)
    assert len(widths) == 4
    assert ROW_SD > 0


def test_without_a_line_there_is_no_band() -> None:
    assert band_of((), 0.5, 20_000) is None


@pytest.mark.parametrize(
    "points",
    [
        [(0.9, 500.0)],
        [(0.6, 500.0), (0.9, 2_000.0)],
        [(0.9, 2_000.0), (0.6, 500.0)],
        [(0.9, 500.0), (0.9, 2_000.0)],
    ],
    ids=["one point", "rows from above", "far before near", "a row twice"],
)
def test_what_is_no_line_from_near_to_far_is_refused(points: list[tuple[float, float]]) -> None:
    with pytest.raises(ConfigurationError, match="nearest ground"):
        check_terrain([TerrainPoint(row=row, distance_m=metres) for row, metres in points])
