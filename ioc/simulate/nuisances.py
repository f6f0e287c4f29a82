"""Scenes without any fire that a smoke detector may take for one: each kind by itself, or several at once."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from ioc.errors import ConfigurationError
from ioc.simulate.landscapes import LANDSCAPES
from ioc.simulate.scenes import Night, SceneSpec
from ioc.simulate.variety import varied_spec
from ioc.simulate.weather import FogPlace

__all__ = ["NUISANCES", "nuisance_specs"]

_Turn = Callable[[np.random.Generator, SceneSpec], SceneSpec]


def nuisance_specs(kind: str, seed: int, *, width: int = 1280, height: int = 720) -> SceneSpec:
    """Returns a varied scene without smoke in which `kind` happens: one of `NUISANCES`, or "rain+headlights".

    Eight to fifteen quiet frames come first; 40 frames show the whole of it.

    Raises:
        ConfigurationError: there is no such kind.
    """
    spec = replace(varied_spec(seed, width=width, height=height), plume=False)
    rng = np.random.default_rng(np.random.SeedSequence([seed, 77]))
    spec = replace(spec, weather=replace(spec.weather, start_frame=int(rng.integers(8, 16))))
    for name in kind.split("+"):
        if name not in _TURNS:
            raise ConfigurationError(f"there is no nuisance {name!r}; there are {', '.join(NUISANCES)}")
        spec = _TURNS[name](rng, spec)
    return spec


def _fog_bank(rng: np.random.Generator, spec: SceneSpec) -> SceneSpec:
    places: tuple[FogPlace, ...] = ("valley", "ridge", "front")
    weather = replace(
        spec.weather,
        fog=float(rng.uniform(0.5, 0.98)),
        fog_place=places[int(rng.integers(3))],
        fog_minutes=float(rng.uniform(5, 22)),
    )
    return replace(spec, weather=weather, cloud_cover=float(rng.uniform(0.3, 0.9)))


def _cloud_shadow(rng: np.random.Generator, spec: SceneSpec) -> SceneSpec:
    weather = replace(
        spec.weather,
        shadow_depth=float(rng.uniform(0.45, 0.68)),
        shadow_size=float(rng.uniform(0.3, 1.0)),
        shadow_speed=float(rng.uniform(0.5, 2.0)),
    )
    return replace(spec, weather=weather, cloud_shadow=True, cloud_cover=float(rng.uniform(0.35, 0.75)))


def _dust(rng: np.random.Generator, spec: SceneSpec) -> SceneSpec:
    weather = replace(spec.weather, dust=float(rng.uniform(1.0, 3.5)))
    open_land = [kind for kind in LANDSCAPES.values() if kind.floor in ("crops", "dry", "town")]
    return replace(
        spec,
        weather=weather,
        vehicles=float(rng.uniform(1, 4)),
        haze=min(spec.haze, 0.9),
        landscape=open_land[int(rng.integers(len(open_land)))],
    )


def _rain(rng: np.random.Generator, spec: SceneSpec) -> SceneSpec:
    weather = replace(spec.weather, rain=float(rng.uniform(0.3, 1.0)), shadow_depth=0.15)
    return replace(spec, weather=weather, cloud_cover=float(rng.uniform(0.75, 1.0)))


def _glare(rng: np.random.Generator, spec: SceneSpec) -> SceneSpec:
    return replace(spec, weather=replace(spec.weather, glare=float(rng.uniform(0.35, 1.0))), haze=min(spec.haze, 1.0))


def _headlights(rng: np.random.Generator, spec: SceneSpec) -> SceneSpec:
    """From dusk into the night, or before dawn."""
    minute = float(rng.uniform(1060, 1100) if rng.random() < 0.6 else rng.uniform(1130, 1300))
    night: Night = "infrared" if rng.random() < 0.35 else "colour"
    inhabited = [kind for kind in LANDSCAPES.values() if kind.floor != "forest"]
    return replace(
        spec,
        has_day=True,
        minute_of_day=minute,
        night=night,
        vehicles=float(rng.uniform(2, 7)),
        landscape=inhabited[int(rng.integers(len(inhabited)))],
    )


def _swaying_trees(rng: np.random.Generator, spec: SceneSpec) -> SceneSpec:
    weather = replace(spec.weather, wind_px=float(rng.uniform(4, 14)), gust_px=float(rng.choice((0.0, 0.6))))
    return replace(spec, weather=weather)


def _camera_shake(rng: np.random.Generator, spec: SceneSpec) -> SceneSpec:
    kind = rng.choice(3)
    gust = float(rng.uniform(1.5, 5.0)) if kind != 1 else 0.4
    drift = float(rng.uniform(5, 16)) if kind != 0 else 0.0
    return replace(spec, weather=replace(spec.weather, gust_px=gust, drift_px=drift), shake_px=0.6)


_TURNS: Mapping[str, _Turn] = MappingProxyType(
    {
        "fog_bank": _fog_bank,
        "cloud_shadow": _cloud_shadow,
        "dust": _dust,
        "rain": _rain,
        "glare": _glare,
        "headlights": _headlights,
        "swaying_trees": _swaying_trees,
        "camera_shake": _camera_shake,
    }
)

NUISANCES: tuple[str, ...] = tuple(_TURNS)
"""The kinds that the smoke benchmark counts false alarms on."""
