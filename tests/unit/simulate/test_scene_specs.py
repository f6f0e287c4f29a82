import numpy as np
import pytest

from ioc.errors import ConfigurationError
from ioc.simulate.camera_faults import FAULTS
from ioc.simulate.export import label_of
from ioc.simulate.landscapes import LANDSCAPES
from ioc.simulate.mast import moved
from ioc.simulate.nuisances import NUISANCES, nuisance_specs
from ioc.simulate.scene_spec import (
    BUILDING_CAMERA,
    BUILDING_PARCEL_ID,
    BUILDING_ZONE_ID,
    SceneSpec,
    building_zone_polygon,
    demo_scenes,
)
from ioc.simulate.sunlight import sun_at
from ioc.simulate.variety import CONDITIONS, condition_spec, quiet_day_specs, quiet_week_specs, varied_spec


def test_zone_is_the_same_for_every_seed_and_what_the_catalogue_declares() -> None:
    polygons = {building_zone_polygon(spec) for seed in (1, 99) for spec in demo_scenes(seed).values()}
    assert polygons == {((0.455, 0.850), (0.675, 0.850), (0.655, 0.650), (0.475, 0.650))}
    declared = (BUILDING_CAMERA, BUILDING_ZONE_ID, BUILDING_PARCEL_ID)
    assert declared == ("cam-02", "cam-02-plot-1", "24778-0012-0345")


def test_scenes_can_be_had_without_plume_or_building() -> None:
    specs = demo_scenes(7, plume=False, building=False)
    assert list(specs) == ["cam-01", "cam-02", "cam-03", "cam-04"]
    assert {label_of(spec) for spec in specs.values()} == {"none"}
    assert [label_of(spec) for spec in demo_scenes(7).values()] == ["smoke", "construction", "none", "none"]


@pytest.mark.parametrize(("width", "height"), [(10, 720), (1280, 5000)], ids=["too narrow", "too high"])
def test_impossible_size_is_refused_in_a_sentence(width: int, height: int) -> None:
    with pytest.raises(ConfigurationError, match="can't be drawn; give a size"):
        SceneSpec(seed=1, width=width, height=height)


def test_unknown_nuisance_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="no nuisance 'hail'; there are fog_bank, cloud_shadow"):
        nuisance_specs("fog_bank+hail", 1)


def test_seeds_differ_in_place_and_in_strength() -> None:
    specs = [nuisance_specs("fog_bank", seed) for seed in range(40)]
    assert len({spec.landscape.name for spec in specs}) >= 4
    assert len({spec.weather.fog_place for spec in specs}) == 3
    assert len({spec.weather.fog for spec in specs}) == 40


@pytest.mark.parametrize(
    ("day", "minute", "elevation_deg", "azimuth_deg"),
    [(81, 720, 78, 180), (81, 360, 0, 90), (81, 1080, 0, 270), (172, 720, 78.5, 0), (355, 720, 54.6, 180)],
    ids=["equinox noon", "equinox sunrise", "equinox sunset", "June noon in the north", "December noon"],
)
def test_sun_stands_where_an_almanac_has_it(day: int, minute: float, elevation_deg: float, azimuth_deg: float) -> None:
    sun = sun_at(day, minute)
    assert sun.elevation_deg == pytest.approx(elevation_deg, abs=1.0)
    assert (sun.azimuth_deg - azimuth_deg + 180) % 360 - 180 == pytest.approx(0.0, abs=2.0)


def test_quiet_day_is_for_each_camera_another_place_without_fire() -> None:
    specs = quiet_day_specs(37, 2)
    assert len(specs) == len({spec.seed for spec in specs}) == 37
    assert {spec.landscape.name for spec in specs} == set(LANDSCAPES)
    assert not any(spec.plume or spec.building for spec in specs)


def test_specs_are_drawn_by_their_seed_alone() -> None:
    assert varied_spec(5) == varied_spec(5) != varied_spec(6)
    assert nuisance_specs("dust", 5) == nuisance_specs("dust", 5) != nuisance_specs("rain", 5)
    assert quiet_week_specs(3, 1) == quiet_week_specs(5, 1)[:3]
    assert all(condition_spec(condition, 4).plume is False for condition in CONDITIONS)
    assert len(FAULTS) == len(NUISANCES) == 8


def test_varied_plumes_reach_from_thin_and_slow_to_dense_and_far() -> None:
    specs = [varied_spec(seed) for seed in range(200)]
    assert all(spec.plume for spec in specs)
    assert min(spec.plume_opacity for spec in specs) < 0.25 < 1.2 < max(spec.plume_opacity for spec in specs)
    assert min(spec.plume_growth for spec in specs) < 0.35 < 2 < max(spec.plume_growth for spec in specs)
    assert {spec.landscape.name for spec in specs} == set(LANDSCAPES)
    assert 0.2 < np.mean([spec.plume_distance > 0 for spec in specs]) < 0.8


@pytest.mark.parametrize(("dx", "dy"), [(3.0, -2.0), (0.0, 5.0), (-4.0, 0.0)])
def test_picture_moved_by_whole_pixels_keeps_its_values(dx: float, dy: float) -> None:
    image = np.arange(30 * 40 * 3, dtype=np.int64).reshape(30, 40, 3).astype(np.uint8)
    found = moved(image, dx, dy)
    assert found.shape == image.shape
    wanted = np.roll(image, (int(dy), int(dx)), (0, 1))
    assert np.array_equal(found[6:-6, 6:-6], wanted[6:-6, 6:-6])


def test_picture_moved_by_half_a_pixel_is_the_mean_of_two() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    image[:, 4] = 200
    assert moved(image, 0.5, 0.0)[4, 3:7, 0].tolist() == [0, 100, 100, 0]
