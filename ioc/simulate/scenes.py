"""Camera scenes without a camera: a highland valley, rendered. No photo is used and none is kept.

A frame is a pure function of (spec, index): any order, any subset, the same bytes (on one machine and one version of
numpy and OpenCV; another processor may round a last bit differently). One frame stands for about a minute: clouds,
their shadows, smoke and machines move visibly between frames, the ground stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ioc.detections import Box
from ioc.errors import ConfigurationError
from ioc.opencv import cv2
from ioc.simulate.building import PLOT, ZONE_POLYGON, building_extent, draw_building
from ioc.simulate.noise import Field, drifted, fractal_field
from ioc.simulate.perspective import BgrImage, Solid, draw_solid, paint
from ioc.simulate.plume import Plume, SmokeCloud
from ioc.simulate.terrain import AIRLIGHT, build_terrain

__all__ = [
    "BUILDING_CAMERA",
    "BUILDING_PARCEL_ID",
    "BUILDING_ZONE_ID",
    "DEMO_POSE",
    "DEMO_SCENES",
    "BgrImage",
    "Scene",
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

_SWAYS = 4  # stills of the same wind-blown forest; each frame blends two
_SHADE_GRID = (160, 90)  # cloud shadows are soft: a coarse grid is enough
# Each part has its own stream of chance: more clouds must not move the fire.
_TAG_LAND, _TAG_AIR, _TAG_FIRE, _TAG_FRAME, _TAG_SITE = range(1, 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneSpec:
    """What one camera sees. `haze`: 0 none, 1 an ordinary morning, 2 thick; `cloud_cover`, `drifting_haze`: 0–1.

    `vehicles` is the mean number on the road in a frame; `building_frames` how many frames the house takes.
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
    building_start_frame: int = 8
    building_frames: int = 24
    shake_px: float = 0.35
    sensor_noise: float = 1.6

    def __post_init__(self) -> None:
        if not (64 <= self.width <= 4096 and 48 <= self.height <= 4096):
            raise ConfigurationError(
                f"a scene of {self.width}×{self.height} pixels can't be drawn; give a size from 64×48 to 4096×4096"
            )


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


class Scene:
    """Draws the frames of one spec. The still layers take about a second at 1280×720, each frame some 25 ms."""

    def __init__(self, spec: SceneSpec) -> None:
        self.spec = spec
        rng = self._chance(_TAG_AIR)
        land = self._chance(_TAG_LAND)
        self._terrain = build_terrain(land, spec.width, spec.height, houses=spec.houses, keep_clear=(PLOT,))
        self._view = self._terrain.projection
        self._clouds = fractal_field(rng, 256, 256, slope=1.7, lowest=2)
        self._banks = fractal_field(rng, 128, 128, slope=3.0, lowest=1)
        self._wisps = fractal_field(rng, 256, 256, slope=1.4, lowest=4)
        self._clear_share = self._terrain.transmission(spec.haze)
        self._stills = _swayed(rng, self._terrain.hazed(spec.haze), self._terrain.trees)
        self._sky_rows = int(np.nonzero(self._terrain.sky.any(axis=1))[0].max(initial=0)) + 1
        self._grain = _grain(rng, spec)
        self._soil = 5 * _field_of(spec, fractal_field(rng, 256, 512, slope=0.6, lowest=16))[..., None]
        self._floor = _cloud_plane(spec)
        # Haze is lit from everywhere: a shadow on a far ridge is as faint as the ridge itself.
        self._shade_share = cv2.resize(self._clear_share, _SHADE_GRID, interpolation=cv2.INTER_AREA)
        self._plume = self._ignite(self._chance(_TAG_FIRE)) if spec.plume else None
        self._cloud_at = lru_cache(maxsize=4)(self._cloud)

    def render(self, index: int) -> BgrImage:
        """Returns frame `index` (from 0): height × width × 3, BGR."""
        rng = self._chance(_TAG_FRAME, index)
        image = self._still(index, rng)
        self._build(image, index)
        self._drive(image, rng)
        image = _bgr(cv2.multiply(image, self._light(index, rng), scale=1 / 200))
        self._draw_sky(image, index)
        self._veil(image, index)
        cloud = self._cloud_at(index)
        if cloud is not None:
            cloud.over(image)
        return self._expose(image, rng)

    def render_jpeg(self, index: int, quality: int = 85) -> bytes:
        """Returns frame `index` as a JPEG file."""
        ok, data = cv2.imencode(".jpg", self.render(index), [cv2.IMWRITE_JPEG_QUALITY, quality])
        assert ok, "OpenCV encodes every 8-bit picture as JPEG"
        return bytes(data.tobytes())

    def plume_box(self, index: int) -> Box | None:
        """The true box of the visible smoke, None where there is none."""
        cloud = self._cloud_at(index)
        return None if cloud is None else cloud.box(self.spec.width, self.spec.height)

    def building_box(self, index: int) -> Box | None:
        """The true box of the works, None where they have not begun."""
        return building_extent(self._view, self._progress(index))

    def _chance(self, *tags: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([self.spec.seed, *tags]))

    def _progress(self, index: int) -> float:
        if not self.spec.building:
            return 0.0
        return float(np.clip((index - self.spec.building_start_frame + 1) / self.spec.building_frames, 0.0, 1.0))

    def _ignite(self, rng: np.random.Generator) -> Plume:
        width, height = self.spec.width, self.spec.height
        x = float(rng.uniform(0.22, 0.78)) * width
        slope_rows = self._terrain.near_slope_rows(int(x))
        y = slope_rows[0] + float(rng.uniform(0.15, 0.75)) * (slope_rows[1] - slope_rows[0])
        return Plume(rng, anchor_x=x, anchor_y=y, width=width, height=height)

    def _cloud(self, index: int) -> SmokeCloud | None:
        return None if self._plume is None else self._plume.cloud(float(index - self.spec.plume_start_frame))

    def _still(self, index: int, rng: np.random.Generator) -> BgrImage:
        first, second = rng.choice(_SWAYS, 2, replace=False)
        share = float(rng.uniform(0.2, 0.8))
        return _bgr(cv2.addWeighted(self._stills[first], share, self._stills[second], 1 - share, 0))

    def _build(self, image: BgrImage, index: int) -> None:
        progress = self._progress(index)
        extent = building_extent(self._view, progress)
        if extent is None:
            return
        x0, y0, x1, y1 = extent.grown(0.02).edges
        width, height = self.spec.width, self.spec.height
        area = (
            slice(max(0, int(y0 * height)), min(height, int(y1 * height) + 1)),
            slice(max(0, int(x0 * width)), min(width, int(x1 * width) + 1)),
        )
        canvas = np.zeros_like(image)
        rng = self._chance(_TAG_SITE, index)
        canvas[area] = self._terrain.clear[area]
        draw_building(canvas, self._view, progress, rng)
        drawn = canvas[area].astype(np.float32) + self._soil[area]
        share = self._clear_share[area][..., None]
        hazed = np.clip(drawn * share + paint(AIRLIGHT) * (1 - share), 0, 255).astype(np.uint8)
        changed = (canvas[area] != self._terrain.clear[area]).any(axis=2)
        image[area][changed] = hazed[changed]

    def _drive(self, image: BgrImage, rng: np.random.Generator) -> None:
        road = self._terrain.road_m
        for _ in range(int(rng.poisson(self.spec.vehicles))):
            x, z = road[int(rng.integers(len(road) // 8, len(road)))]
            is_truck = rng.random() < 0.25
            paint = float(rng.uniform(40, 225))
            side = -1.7 if rng.random() < 0.5 else 1.7
            body = Solid(
                x_m=x + side,
                z_m=z,
                width_m=2.3 if is_truck else 1.8,
                depth_m=8.0 if is_truck else 4.3,
                height_m=2.8 if is_truck else 1.5,
                turn=0.1,
                wall=(paint, paint * 0.95, paint if rng.random() < 0.7 else min(255.0, paint * 1.4)),
                roof=(min(255.0, paint + 20), paint, paint),
            )
            draw_solid(image, self._view, body)

    def _light(self, index: int, rng: np.random.Generator) -> BgrImage:
        """Sunlight on each pixel as 200 times the gain: the sun behind moving clouds, and the camera's exposure."""
        gain = np.full(_SHADE_GRID[::-1], 1.0, np.float32)
        if self.spec.cloud_shadow:
            x, y = self._floor
            density = drifted(self._clouds, x + 5.1 * index, y + 1.3 * index)
            density = density + 0.35 * drifted(self._wisps, x * 2 + 7.0 * index, y * 2 - 2.0 * index)
            cover = 1 / (1 + np.exp(-3.2 * (density - 1.1 + 1.5 * self.spec.cloud_cover)))
            gain = 1.0 + (0.05 - 0.36 * cover) * self._shade_share
        gain = gain * (1 + 0.015 * np.sin(index * 0.23 + self.spec.seed) + 0.004 * rng.normal())
        full = cv2.resize(gain.astype(np.float32), (self.spec.width, self.spec.height), interpolation=cv2.INTER_LINEAR)
        levels = np.clip(full * 200, 0, 255).astype(np.uint8)
        return _bgr(cv2.merge([levels, levels, levels]))

    def _draw_sky(self, image: BgrImage, index: int) -> None:
        rows = self._sky_rows
        columns, lines = _grid(160, 40)
        towards: Field = 1.0 + lines / np.float32(22.0)  # clouds crowd together towards the skyline
        density = drifted(self._clouds, columns * towards * 0.9 + 3.1 * index, lines * towards * 1.8 + 90)
        density = density + 0.5 * drifted(self._wisps, columns * 2.2 + 6.0 * index, lines * 4.0 + 30)
        cover = np.clip(0.10 + 0.30 * (density + 2.2 * self.spec.cloud_cover - 0.7), 0, 1)
        height = (lines / 40.0)[..., None]
        blue = paint((214, 178, 142)) * (1 - height) + paint((224, 212, 198)) * height
        white = paint((243, 240, 236)) - paint((22, 26, 30)) * np.clip(density - 0.4, 0, 1.2)[..., None] * (
            1 - 0.5 * height
        )
        haze = min(0.92, 0.25 + 0.35 * self.spec.haze) * height**1.5
        sky = (blue * (1 - cover[..., None]) + white * cover[..., None]) * (1 - haze) + paint(AIRLIGHT) * haze
        full = cv2.resize(sky.astype(np.float32), (self.spec.width, rows), interpolation=cv2.INTER_CUBIC)
        cv2.copyTo(np.clip(full, 0, 255).astype(np.uint8), self._terrain.sky[:rows], image[:rows])

    def _veil(self, image: BgrImage, index: int) -> None:
        """Broad banks of haze that drift across the distance, never sharp and never small."""
        if self.spec.drifting_haze <= 0:
            return
        columns, lines = _grid(48, 27)
        bank = drifted(self._banks, columns * 0.8 + 1.1 * index, lines * 1.6 + 40)
        share = self.spec.drifting_haze * np.clip(0.30 + 0.22 * bank, 0, 0.8)
        full = cv2.resize(share.astype(np.float32), (self.spec.width, self.spec.height), interpolation=cv2.INTER_CUBIC)
        weight = np.clip(full, 0, 1) * np.clip(1.05 - self._clear_share, 0, 1) * 1.5
        weight = np.minimum(weight, 0.85)
        airlight = np.empty_like(image)
        airlight[:] = np.array(AIRLIGHT, dtype=np.uint8)
        cv2.blendLinear(airlight, image, weight, 1 - weight, dst=image)

    def _expose(self, image: BgrImage, rng: np.random.Generator) -> BgrImage:
        """Camera shake and sensor noise."""
        dx, dy = np.clip(rng.normal(0, self.spec.shake_px, 2), -1.5, 1.5)
        matrix = np.array([[1, 0, dx], [0, 1, dy]], dtype=np.float32)
        size = (self.spec.width, self.spec.height)
        image = _bgr(cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
        y, x = rng.integers(0, 64, 2)
        grain = self._grain[y : y + self.spec.height, x : x + self.spec.width]
        return _bgr(cv2.add(image, grain, dtype=cv2.CV_8U))


def _bgr(image: object) -> BgrImage:
    """OpenCV's answer, which its stubs call an array of some number."""
    return np.asarray(image, dtype=np.uint8)


def _grid(columns: int, rows: int) -> tuple[Field, Field]:
    x, y = np.meshgrid(np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32))
    return x, y


def _swayed(rng: np.random.Generator, image: BgrImage, trees: NDArray[np.float32]) -> list[BgrImage]:
    """Returns `_SWAYS` copies of `image` in which the trees lean a little this way or that, at most about a pixel."""
    height, width = trees.shape
    columns, rows = _grid(width, height)
    image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.65), dtype=np.uint8)  # a lens is softer than a drawing
    stills: list[BgrImage] = []
    for _ in range(_SWAYS):
        wind = fractal_field(rng, 128, 256, slope=0.8, lowest=6)
        lean = cv2.resize(wind, (width, height), interpolation=cv2.INTER_CUBIC) * trees * (0.55 * width / 1280)
        swayed = cv2.remap(image, columns + lean, rows + 0.4 * lean, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
        stills.append(_bgr(swayed))
    return stills


def _field_of(spec: SceneSpec, field: Field) -> Field:
    return np.asarray(cv2.resize(field, (spec.width, spec.height), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _grain(rng: np.random.Generator, spec: SceneSpec) -> NDArray[np.int8]:
    """Sensor noise, larger than the picture by 64 px so that each frame takes its own cut."""
    shape = (spec.height + 64, spec.width + 64)
    grey = rng.normal(0, spec.sensor_noise, (*shape, 1))
    colour = rng.normal(0, spec.sensor_noise * 0.5, (*shape, 3))
    return np.asarray(np.clip(np.round(grey + colour), -40, 40), dtype=np.int8)


def _cloud_plane(spec: SceneSpec) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where each cell of the shade grid lies under the clouds: far ground is packed into few rows."""
    columns, rows = _SHADE_GRID
    x, y = np.meshgrid(np.linspace(-0.5, 0.5, columns), np.linspace(0, 1, rows))
    far = 1.0 / np.maximum(y - 0.12, 0.12)
    return (x * far * 46).astype(np.float32), (far * 30).astype(np.float32)
