"""What a rendered camera sees, as numbers: place, light, weather, lens, fire. Drawn by `ioc.simulate.scenes`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from ioc.errors import ConfigurationError
from ioc.simulate.building import ZONE_POLYGON
from ioc.simulate.camera_faults import CameraFault
from ioc.simulate.landscapes import HIGHLAND, Landscape
from ioc.simulate.lens import Lens
from ioc.simulate.perspective import Colour
from ioc.simulate.plume import SMOKE_WHITE
from ioc.simulate.terrain import HAZE_PER_KM
from ioc.simulate.weather import Weather

__all__ = [
    "BUILDING_CAMERA",
    "BUILDING_PARCEL_ID",
    "BUILDING_ZONE_ID",
    "DEMO_POSE",
    "DEMO_SCENES",
    "Night",
    "SceneSpec",
    "building_zone_polygon",
    "demo_scenes",
]

DEMO_POSE = "p0"
BUILDING_CAMERA = "cam-02"
BUILDING_ZONE_ID = "cam-02-plot-1"
BUILDING_PARCEL_ID = "24778-0012-0345"

DEMO_SCENES: Mapping[str, Mapping[str, float | bool | int]] = MappingProxyType(
    {
        "cam-01": MappingProxyType({"plume": True, "haze": 0.8, "houses": 45}),
        "cam-02": MappingProxyType({"building": True, "haze": 0.6, "houses": 110, "vehicles": 1.0}),
        "cam-03": MappingProxyType({"haze": 1.3, "houses": 60, "cloud_cover": 0.75}),
        "cam-04": MappingProxyType({"haze": 1.0, "houses": 90, "vehicles": 3.0, "drifting_haze": 0.5}),
    }
)
"""What each demo camera sees beside its seed: cam-01 smoke, cam-02 building, cam-03 and cam-04 only nuisances."""

Night = Literal["colour", "infrared"]
"""What a camera does in the dark: stays in colour, dark and noisy, or goes grey with its own infrared lamps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneSpec:
    """What one camera sees. `haze`: 0 none, 1 an ordinary morning, 2 thick; `cloud_cover`, `drifting_haze`: 0–1.

    `vehicles` is the mean number on the road in a frame; `building_frames` how many frames the house takes.
    The plume: see `ioc.simulate.plume.Plume`; `plume_distance` 0 is the nearest slope, 1 the farthest ridge.
    `minute_of_day` (local) is the time of frame 0; with `has_day` the sun moves on, else the light stays that of a fair
    morning. `faces_deg`: azimuth that the camera looks to. `night`: what it does in the dark. `faults`: of the camera.
    """

    seed: int
    width: int = 1280
    height: int = 720
    plume: bool = False
    building: bool = False
    haze: float = 0.8
    cloud_shadow: bool = True
    cloud_cover: float = 0.5
    drifting_haze: float = 0.0
    vehicles: float = 0.4
    houses: int = 60
    plume_start_frame: int = 12
    plume_scale: float = 1.0
    plume_opacity: float = 1.0
    plume_growth: float = 1.0
    plume_tint: Colour = SMOKE_WHITE
    plume_wind: float | None = None
    plume_distance: float = 0.0
    building_start_frame: int = 8
    building_frames: int = 24
    shake_px: float = 0.35
    sensor_noise: float = 1.6
    frame_interval_s: float = 60.0
    has_day: bool = False
    minute_of_day: float = 570.0
    day_of_year: int = 80
    faces_deg: float = 0.0
    night: Night = "colour"
    landscape: Landscape = HIGHLAND
    horizon: float = 0.33
    lens: Lens = field(default_factory=Lens)
    weather: Weather = field(default_factory=Weather)
    faults: tuple[CameraFault, ...] = ()

    def __post_init__(self) -> None:
        if not (64 <= self.width <= 4096 and 48 <= self.height <= 4096):
            raise ConfigurationError(
                f"a scene of {self.width}×{self.height} pixels can't be drawn; give a size from 64×48 to 4096×4096"
            )

    @property
    def plume_distance_km(self) -> float:
        """How far the ridge is that burns (the next one that is seen, where things hide it)."""
        ridges = self.landscape.ridges
        return ridges[len(ridges) - 1 - round(self.plume_distance * (len(ridges) - 1))].distance_km

    def plume_size(self, distance_km: float) -> float:
        """The plume's size in the picture from that far: 1 grows to a third of the height."""
        nearest = self.landscape.ridges[-1].distance_km
        return self.plume_scale * math.pow(nearest / distance_km, 0.8) * self.lens.focal / 1.1

    def plume_clear(self, distance_km: float) -> float:
        """Share of the smoke's own colour that comes through the haze from that far; of the nearest slope, all."""
        nearest = self.landscape.ridges[-1].distance_km
        return math.exp(-self.haze * HAZE_PER_KM * (distance_km - nearest))


def demo_scenes(
    seed: int, *, plume: bool = True, building: bool = True, width: int = 1280, height: int = 720
) -> dict[str, SceneSpec]:
    """Returns the scenes of the four demo cameras; each camera has its own landscape."""
    specs: dict[str, SceneSpec] = {}
    for number, (camera_id, wanted) in enumerate(DEMO_SCENES.items()):
        values = {**wanted, "plume": plume and bool(wanted.get("plume"))}
        values["building"] = building and bool(wanted.get("building"))
        specs[camera_id] = SceneSpec(seed=seed * 101 + number, width=width, height=height, **values)  # type: ignore[arg-type]  # each value has its field's type
    return specs


def building_zone_polygon(spec: SceneSpec | None = None) -> tuple[tuple[float, float], ...]:
    """The plot's zone as (x, y) in shares 0–1. The same for every spec: a static catalogue can hold it."""
    del spec
    return ZONE_POLYGON
