"""Scenes drawn by chance, and a day from midnight to midnight."""

from dataclasses import replace

import numpy as np
import pytest

from ioc.simulate.landscapes import LANDSCAPES
from ioc.simulate.scenes import Scene
from ioc.simulate.variety import quiet_day_specs, varied_spec

SIZE = {"width": 320, "height": 180}


@pytest.mark.parametrize("night", ["colour", "infrared"])
def test_day_is_bright_and_coloured_and_night_is_dark_or_grey(night: str) -> None:
    scene = Scene(replace(quiet_day_specs(1, 5, **SIZE)[0], night=night))  # type: ignore[arg-type]
    noon, midnight, dusk = scene.render(720), scene.render(20), scene.render(1078)
    assert noon.mean() > 80 > 45 > midnight.mean()
    assert noon.mean() > dusk.mean() > midnight.mean() * 0.5
    assert np.ptp(noon.reshape(-1, 3), axis=1).mean() > 10
    greyness = float(np.ptp(midnight.astype(int).reshape(-1, 3), axis=1).mean())
    assert (greyness == 0) == (night == "infrared")
    assert midnight.max() > 150, "a lamp burns"
    again = Scene(scene.spec)
    assert np.array_equal(again.render(1078), dusk)
    assert np.array_equal(again.render(20), midnight)


@pytest.mark.parametrize("name", LANDSCAPES)
def test_every_kind_of_country_can_burn_near_and_far_in_every_shape_of_picture(name: str) -> None:
    for number, (width, height, distance) in enumerate(((320, 180, 0.0), (320, 240, 1.0))):
        drawn = varied_spec(number, width=width, height=height, landscapes=[LANDSCAPES[name]])
        spec = replace(drawn, plume_distance=distance, plume_opacity=1.2, plume_scale=1.2, haze=0.3, has_day=False)
        scene, clear = Scene(spec), Scene(replace(spec, plume=False))
        box = scene.plume_box(spec.plume_start_frame + 25)
        assert box is not None
        burning = scene.render(spec.plume_start_frame + 25)
        assert burning.shape == (height, width, 3)
        change = np.abs(burning.astype(int) - clear.render(spec.plume_start_frame + 25).astype(int)).max(axis=2)
        x0, y0, x1, y1 = box.edges
        inside = change[int(y0 * height) : int(y1 * height) + 1, int(x0 * width) : int(x1 * width) + 1]
        assert inside.mean() > 5 * max(0.2, float(np.median(change)))


def test_fire_of_a_varied_spec_grows_by_its_own_law() -> None:
    spec = replace(varied_spec(11, **SIZE), plume_distance=0.0, plume_opacity=1.0, plume_wind=0.4, plume_scale=1.0)
    slow, quick = (Scene(replace(spec, plume_growth=growth)) for growth in (0.3, 2.0))
    at = spec.plume_start_frame + 8
    assert slow.plume_box(spec.plume_start_frame - 1) is None
    small, large = slow.plume_box(at), quick.plume_box(at)
    assert small is not None
    assert large is not None
    assert large.w * large.h > 3 * small.w * small.h
