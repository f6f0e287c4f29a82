"""Every nuisance happens, is repeatable, and never burns."""

from dataclasses import replace

import numpy as np
import pytest

from ioc.simulate.nuisances import NUISANCES, nuisance_specs
from ioc.simulate.scenes import Scene
from ioc.simulate.weather import Weather

SIZE = {"width": 320, "height": 180}


@pytest.mark.parametrize("kind", [*NUISANCES, "rain+headlights", "fog_bank+camera_shake"])
def test_nuisance_is_a_pure_function_of_kind_seed_and_index_and_shows_no_smoke(kind: str) -> None:
    spec = nuisance_specs(kind, 3, **SIZE)
    first, second = Scene(spec), Scene(nuisance_specs(kind, 3, **SIZE))
    late = {index: first.render(index) for index in (30, 4)}
    for index in (4, 30):
        assert np.array_equal(second.render(index), late[index])
        assert first.plume_box(index) is None
    assert late[4].shape == (180, 320, 3)
    assert late[4].dtype == np.uint8


@pytest.mark.parametrize("kind", NUISANCES)
def test_nuisance_disturbs_the_picture_more_than_a_quiet_scene(kind: str) -> None:
    def unrest(specs: list[Scene]) -> float:
        return float(np.mean([np.abs(s.render(30).astype(int) - s.render(6).astype(int)).mean() for s in specs]))

    disturbed = [Scene(nuisance_specs(kind, seed, **SIZE)) for seed in (5, 6)]
    quiet = [
        Scene(replace(scene.spec, weather=Weather(), has_day=False, vehicles=0.0, cloud_shadow=False, cloud_cover=0.3))
        for scene in disturbed
    ]
    assert unrest(disturbed) > 1.1 * unrest(quiet)
