"""Scenes drawn by chance: other country, other lenses, other weather, so that what is tuned on them transfers."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ioc.errors import ConfigurationError
from ioc.simulate.landscapes import LANDSCAPES, Landscape
from ioc.simulate.lens import Lens
from ioc.simulate.perspective import Colour
from ioc.simulate.scenes import SceneSpec
from ioc.simulate.weather import FogPlace, Weather

__all__ = ["CONDITIONS", "condition_spec", "quiet_day_specs", "quiet_week_specs", "varied_lens", "varied_spec"]

CONDITIONS = ("sun", "fog", "rain", "night")
"""Under which a camera's health has to be judged."""

_SMOKES: tuple[tuple[Colour, float], ...] = (
    ((1.01, 1.0, 0.985), 0.45),  # green wood and grass
    ((1.06, 1.0, 0.93), 0.20),  # bluish: little smoke, much light through it
    ((0.92, 0.93, 0.95), 0.15),  # grey
    ((0.80, 0.88, 0.96), 0.12),  # brownish: dry grass, peat
    ((0.55, 0.57, 0.60), 0.08),  # dark: rubbish, tyres
)

_LEAST_SIZE, _LEAST_OPACITY, _LEAST_CLEAR = 0.16, 0.2, 0.4  # a grown plume a twentieth of the picture high; a veil


def varied_spec(
    seed: int, *, width: int = 1280, height: int = 720, landscapes: Sequence[Landscape] | None = None
) -> SceneSpec:
    """Returns a scene with a plume in a place, lens, weather and light that `seed` draws (all else equal: any seed).

    Plumes are near or far, thin or dense, slow or quick, of all tints and winds; 40 frames show each one.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, 55]))
    choice = tuple(LANDSCAPES.values()) if landscapes is None else tuple(landscapes)
    tint = _SMOKES[int(rng.choice(len(_SMOKES), p=[share for _, share in _SMOKES]))][0]
    has_day = bool(rng.random() < 0.45)
    spec = SceneSpec(
        seed=seed,
        width=width,
        height=height,
        plume=True,
        haze=float(
            rng.choice((rng.uniform(0.1, 0.7), rng.uniform(0.5, 1.3), rng.uniform(1.2, 2.2)), p=(0.4, 0.45, 0.15))
        ),
        cloud_shadow=bool(rng.random() < 0.85),
        cloud_cover=float(rng.uniform(0.0, 1.0)),
        drifting_haze=float(max(0.0, rng.uniform(-0.6, 0.7))),
        vehicles=float(rng.choice((0.0, 0.4, 1.5, 4.0))),
        houses=int(rng.integers(5, 130)),
        plume_start_frame=int(rng.integers(10, 19)),
        plume_scale=float(np.exp(rng.uniform(np.log(0.25), np.log(1.3)))),
        plume_opacity=float(np.exp(rng.uniform(np.log(0.22), np.log(1.4)))),
        plume_growth=float(np.exp(rng.uniform(np.log(0.3), np.log(2.5)))),
        plume_tint=tint,
        plume_wind=None if rng.random() < 0.3 else float(rng.normal(0, 1.3)),
        plume_distance=float(max(0.0, rng.uniform(-0.8, 1.0))),
        shake_px=float(rng.uniform(0.1, 0.8)) * width / 1280,
        sensor_noise=float(rng.uniform(0.6, 3.2)),
        has_day=has_day,
        minute_of_day=float(rng.uniform(380, 1020)),
        day_of_year=int(rng.integers(1, 366)),
        faces_deg=float(rng.uniform(0, 360)),
        landscape=choice[int(rng.integers(len(choice)))],
        horizon=float(rng.uniform(0.22, 0.44)),
        lens=varied_lens(rng),
        weather=Weather(shadow_depth=float(rng.uniform(0.15, 0.45)), shadow_size=float(rng.uniform(0.6, 1.3))),
    )
    # What a person would not see at all teaches nothing: fires burn where the haze lets them through, a far plume is
    # larger, and one in haze denser.
    while spec.plume_distance > 0 and spec.plume_clear(spec.plume_distance_km) < _LEAST_CLEAR:
        spec = replace(spec, plume_distance=max(0.0, spec.plume_distance - 0.2))
    distance_km = spec.plume_distance_km
    larger = max(1.0, _LEAST_SIZE / spec.plume_size(distance_km))
    denser = max(1.0, _LEAST_OPACITY / (spec.plume_opacity * spec.plume_clear(distance_km)))
    return replace(spec, plume_scale=spec.plume_scale * larger, plume_opacity=min(2.0, spec.plume_opacity * denser))


def varied_lens(rng: np.random.Generator) -> Lens:
    """Returns a camera of some maker: wide or long, clean or sharpened, its colours a little off."""
    return Lens(
        focal=float(np.exp(rng.uniform(np.log(0.7), np.log(2.4)))),
        distortion=float(max(0.0, rng.uniform(-0.04, 0.10))),
        vignette=float(max(0.0, rng.uniform(-0.15, 0.45))),
        cast=(float(rng.uniform(0.9, 1.1)), float(rng.uniform(0.96, 1.04)), float(rng.uniform(0.9, 1.1))),
        contrast=float(rng.uniform(0.8, 1.25)),
        saturation=float(rng.uniform(0.5, 1.15)),
        sharpening=float(max(0.0, rng.uniform(-0.5, 1.1))),
        softness_px=float(rng.uniform(0.5, 1.5)),
        jpeg_quality=int(rng.integers(45, 93)),
    )


def quiet_day_specs(n: int = 37, seed: int = 1, *, width: int = 640, height: int = 360) -> list[SceneSpec]:
    """Returns `n` cameras on an ordinary day from midnight on, one frame a minute: 1,440 frames a camera, no fire.

    Fair clouds, morning haze, traffic, nights in colour or infrared.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, 66]))
    kinds = tuple(LANDSCAPES.values())
    return [
        SceneSpec(
            seed=seed * 1009 + number,
            width=width,
            height=height,
            haze=float(rng.uniform(0.3, 1.3)),
            cloud_cover=float(rng.uniform(0.2, 0.8)),
            drifting_haze=float(rng.choice((0.0, 0.25, 0.5), p=(0.5, 0.3, 0.2))),
            vehicles=float(rng.choice((0.3, 1.0, 3.0))),
            houses=int(rng.integers(15, 110)),
            shake_px=0.25,
            sensor_noise=float(rng.uniform(0.8, 2.2)),
            has_day=True,
            minute_of_day=0.0,
            day_of_year=int(rng.integers(1, 366)),
            faces_deg=float(rng.uniform(0, 360)),
            night="infrared" if rng.random() < 0.6 else "colour",
            landscape=kinds[int(rng.integers(len(kinds)))],
            horizon=float(rng.uniform(0.27, 0.38)),
            lens=Lens(
                focal=float(rng.uniform(0.8, 1.6)),
                cast=(float(rng.uniform(0.95, 1.05)), 1.0, float(rng.uniform(0.95, 1.05))),
                softness_px=float(rng.uniform(0.5, 1.0)),
                jpeg_quality=int(rng.integers(70, 90)),
            ),
        )
        for number in range(n)
    ]


def quiet_week_specs(n: int = 37, seed: int = 1, *, width: int = 320, height: int = 180) -> list[SceneSpec]:
    """Returns `n` cameras over ordinary days from midnight on (frame 10,079 ends a week), one frame a minute, no fire.

    As `quiet_day_specs`; besides, fog lies in the valleys of some each morning, showers fall on others each afternoon,
    some stand in the wind.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, 67]))
    specs = []
    for spec in quiet_day_specs(n, seed, width=width, height=height):
        kind = rng.choice(4, p=(0.35, 0.25, 0.25, 0.15))
        weather = spec.weather
        if kind == 1:
            start = int(rng.integers(300, 400))
            places: tuple[FogPlace, ...] = ("valley", "front", "ridge")
            weather = Weather(
                start_frame=start,
                fog=float(rng.uniform(0.5, 0.97)),
                fog_place=places[int(rng.integers(3))],
                fog_minutes=float(rng.uniform(20, 60)),
                fog_near_km=float(np.exp(rng.uniform(np.log(0.1), np.log(1.5)))),
                every_minutes=1440.0,
            )
        elif kind == 2:
            start = int(rng.integers(760, 960))
            weather = Weather(
                start_frame=start,
                rain=float(rng.uniform(0.3, 1.0)),
                rain_minutes=float(rng.uniform(30, 150)),
                every_minutes=1440.0,
            )
        elif kind == 3:
            weather = Weather(start_frame=60, gust_px=float(rng.uniform(0.5, 2.0)), drift_px=float(rng.uniform(0, 4)))
        specs.append(replace(spec, weather=weather))
    return specs


def condition_spec(condition: str, seed: int, *, width: int = 640, height: int = 360) -> SceneSpec:
    """Returns a healthy camera in one of `CONDITIONS`, one frame a minute; fog and rain are there from frame 0 on.

    Raises:
        ConfigurationError: there is no such condition.
    """
    if condition not in CONDITIONS:
        raise ConfigurationError(f"there is no condition {condition!r}; there are {', '.join(CONDITIONS)}")
    rng = np.random.default_rng(np.random.SeedSequence([seed, 68]))
    spec = quiet_day_specs(1, seed, width=width, height=height)[0]
    weather, minute = spec.weather, float(rng.uniform(480, 900))
    if condition == "fog":
        near_km = float(np.exp(rng.uniform(np.log(0.08), np.log(0.8))))
        weather = Weather(start_frame=-20, fog=float(rng.uniform(0.7, 0.97)), fog_minutes=15.0, fog_near_km=near_km)
    elif condition == "rain":
        weather = Weather(start_frame=-40, rain=float(rng.uniform(0.4, 1.0)), shadow_depth=0.15)
    elif condition == "night":
        minute = float(rng.uniform(1120, 1380))
    return replace(spec, weather=weather, minute_of_day=minute)
