"""Sets of scenes by name, as `ioc simulate scenes --kind` and `--fault` ask for them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ioc.errors import ConfigurationError
from ioc.simulate.camera_faults import CameraFault
from ioc.simulate.nuisances import NUISANCES, nuisance_specs
from ioc.simulate.scene_spec import SceneSpec
from ioc.simulate.variety import quiet_day_specs, quiet_week_specs, varied_spec

__all__ = ["KINDS", "fault_of", "scenes_of_kind", "with_faults"]

KINDS: tuple[str, ...] = ("varied", "quiet_day", "quiet_week", *NUISANCES)
"""Kinds of scene beside the demo's; nuisances can be joined: rain+headlights."""


def scenes_of_kind(kind: str, seed: int, count: int, *, width: int, height: int) -> dict[str, SceneSpec]:
    """Returns `count` scenes of `kind` for cam-01, cam-02 …

    Raises:
        ConfigurationError: there is no such kind.
    """
    names = [f"cam-{number:02d}" for number in range(1, count + 1)]
    if kind == "quiet_day":
        specs = quiet_day_specs(count, seed, width=width, height=height)
    elif kind == "quiet_week":
        specs = quiet_week_specs(count, seed, width=width, height=height)
    elif kind == "varied":
        specs = [varied_spec(seed * 1000 + n, width=width, height=height) for n in range(count)]
    elif set(kind.split("+")) <= set(NUISANCES):
        specs = [nuisance_specs(kind, seed * 1000 + n, width=width, height=height) for n in range(count)]
    else:
        raise ConfigurationError(f"--kind: there is no kind {kind!r}; there are demo, {', '.join(KINDS)}")
    return dict(zip(names, specs, strict=True))


def fault_of(text: str, seed: int) -> tuple[str, CameraFault]:
    """Returns (camera, fault) of CAMERA:KIND:FIRST or CAMERA:KIND:FIRST-LAST, like cam-02:covered:20-39.

    Raises:
        ConfigurationError: it is written in another way, or there is no such fault.
    """
    camera, _, rest = text.partition(":")
    kind, _, frames = rest.partition(":")
    first, dash, last = frames.partition("-")
    if not (camera and first.isdecimal() and (last.isdecimal() if dash else True)) or (dash and int(last) < int(first)):
        raise ConfigurationError(f"--fault {text!r} is not CAMERA:KIND:FIRST-LAST; write it like cam-02:covered:20-39")
    end = int(last) + 1 if dash else None
    return camera, CameraFault(kind=kind, start_frame=int(first), end_frame=end, seed=seed)


def with_faults(specs: Mapping[str, SceneSpec], faults: Iterable[tuple[str, CameraFault]]) -> dict[str, SceneSpec]:
    """Returns the scenes with each fault on its camera.

    Raises:
        ConfigurationError: a fault names a camera that has no scene.
    """
    found = dict(specs)
    for camera, fault in faults:
        if camera not in found:
            raise ConfigurationError(f"--fault: {camera!r} has no scene; there are {', '.join(found)}")
        found[camera] = replace(found[camera], faults=(*found[camera].faults, fault))
    return found
