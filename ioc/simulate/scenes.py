"""Camera scenes without a camera: a highland valley, rendered. No photo is used and none is kept.

A frame is a pure function of (spec, index): any order, any subset, the same bytes (on one machine and one version of
numpy and OpenCV; another processor may round a last bit differently). One frame stands for about a minute: clouds,
their shadows, smoke and machines move visibly between frames, the ground stays.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ioc.detections import Box
from ioc.opencv import cv2
from ioc.simulate.building import PLOT, building_extent, draw_building
from ioc.simulate.camera_faults import FaultyScene
from ioc.simulate.landscapes import HIGHLAND
from ioc.simulate.lens import Developer, Drops, Flare
from ioc.simulate.mast import Mast, moved
from ioc.simulate.noise import drifted, fractal_field
from ioc.simulate.perspective import BgrImage, Projection, paint
from ioc.simulate.plume import Plume, SmokeCloud
from ioc.simulate.relight import lit_still
from ioc.simulate.scene_spec import (
    BUILDING_CAMERA,
    BUILDING_PARCEL_ID,
    BUILDING_ZONE_ID,
    DEMO_POSE,
    DEMO_SCENES,
    Night,
    SceneSpec,
    building_zone_polygon,
    demo_scenes,
)
from ioc.simulate.sky import draw_sky
from ioc.simulate.sunlight import INFRARED_BELOW_DEG, NOON_LIGHT, Daylight, Sun, daylight, sun_at
from ioc.simulate.terrain import build_terrain
from ioc.simulate.traffic import DustTrails, draw_headlights, draw_vehicles
from ioc.simulate.weather import SHADE_GRID, CloudShade, FogBank, Shower, grid, veil

__all__ = [
    "BUILDING_CAMERA",
    "BUILDING_PARCEL_ID",
    "BUILDING_ZONE_ID",
    "DEMO_POSE",
    "DEMO_SCENES",
    "BgrImage",
    "Night",
    "Scene",
    "SceneSpec",
    "building_zone_polygon",
    "demo_scenes",
]

_SWAYS = 4  # stills of the same wind-blown forest; each frame blends two
_LIGHT_STEP_MIN = 20.0  # in a scene with a day: light is drawn anew so often, and blended between
# Each part has its own stream of chance: more clouds must not move the fire.
_TAG_LAND, _TAG_AIR, _TAG_FIRE, _TAG_FRAME, _TAG_SITE, _TAG_LENS, _TAG_WEATHER, _TAG_SHAKE = range(1, 9)


class Scene:
    """Draws the frames of one spec. At 640×360: set-up 0.2 s, a frame 2–4 ms; at 1280×720 some three times that."""

    def __init__(self, spec: SceneSpec) -> None:
        self.spec = spec
        rng = self._chance(_TAG_AIR)
        self._view = _projection(spec)
        self._terrain = build_terrain(
            self._chance(_TAG_LAND),
            spec.width,
            spec.height,
            houses=spec.houses,
            keep_clear=(PLOT,) if spec.landscape is HIGHLAND else (),
            landscape=spec.landscape,
            view=self._view,
        )
        self._clouds = fractal_field(rng, 256, 256, slope=1.7, lowest=2)
        self._banks = fractal_field(rng, 128, 128, slope=3.0, lowest=1)
        self._wisps = fractal_field(rng, 256, 256, slope=1.4, lowest=4)
        self._clear_share = self._terrain.transmission(spec.haze)
        self._leans = _leans(rng, self._terrain.trees, 2 if spec.has_day else _SWAYS, spec.width)
        self._stills = lru_cache(maxsize=3)(self._lit_stills)
        self._sky_rows = int(np.nonzero(self._terrain.sky.any(axis=1))[0].max(initial=0)) + 1
        self._veil_reach = np.clip((1.05 - self._clear_share) * 255, 0, 255).astype(np.uint8)
        # Haze is lit from everywhere: a shadow on a far ridge is as faint as the ridge itself. Water shows hardly any.
        self._shade_share = np.asarray(
            cv2.resize(
                self._clear_share * (1 - self._terrain.water / np.float32(340)),
                SHADE_GRID,
                interpolation=cv2.INTER_AREA,
            ),
            dtype=np.float32,
        )
        self._shade = CloudShade(self._clouds, self._wisps, spec.weather, spec.cloud_cover, float(spec.seed % 628))
        self._developer = Developer(
            spec.lens, self._chance(_TAG_LENS), spec.width, spec.height, noise=spec.sensor_noise
        )
        self._mast = Mast(self._chance(_TAG_SHAKE, 0), spec.weather, spec.width)
        self._set_up_weather(self._chance(_TAG_WEATHER))
        self._distance_km = spec.plume_distance_km
        self._plume = self._ignite(self._chance(_TAG_FIRE)) if spec.plume else None
        self._clear = spec.plume_clear(self._distance_km)
        self._before_fire = self._terrain.depth_km < 0.93 * self._distance_km if spec.plume_distance > 0 else None
        self._cloud_at = lru_cache(maxsize=4)(self._cloud)
        self._camera = FaultyScene(_Drawing(self._draw), *spec.faults)

    @property
    def projection(self) -> Projection:
        return self._view

    def minutes(self, index: int) -> float:
        """Minutes from frame 0 to frame `index`."""
        return index * self.spec.frame_interval_s / 60.0

    def light(self, index: int) -> Daylight:
        """The daylight of frame `index`."""
        return self._light_at(self.minutes(index))

    def render(self, index: int) -> BgrImage:
        """Returns frame `index` (from 0): height × width × 3, BGR."""
        return self._camera.render(index)

    def _draw(self, index: int) -> BgrImage:
        rng = self._chance(_TAG_FRAME, index)
        minute = self.minutes(index)
        light = self._light_at(minute)
        image = self._still(minute, rng, light.is_infrared)
        self._build(image, index, light)
        vehicles = int(rng.poisson(self.spec.vehicles))
        if light.level > 0.4:
            draw_vehicles(image, self._view, self._terrain.road_m, vehicles, rng, light.level)
        image = self._shaded(image, minute, light, rng)
        self._draw_sky(image, minute, light)
        image = self._haze_over(image, minute, light)
        self._smoke_over(image, index, light)
        image = self._fog_over(image, minute, light)
        if light.level <= 0.4:
            image = draw_headlights(image, self._view, self._terrain.road_m, vehicles, rng, light.is_infrared)
        return self._seen(image, index, rng, light)

    def render_jpeg(self, index: int, quality: int | None = None) -> bytes:
        """Returns frame `index` as a JPEG file, of the lens's own quality where none is given."""
        image = self.render(index)
        ok, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality or self.spec.lens.jpeg_quality])
        assert ok, "OpenCV encodes every 8-bit picture as JPEG"
        return bytes(data.tobytes())

    def plume_box(self, index: int) -> Box | None:
        """The true box of the visible smoke, None where there is none."""
        cloud = self._cloud_at(index)
        if cloud is None:
            return None
        width, height = self.spec.width, self.spec.height
        box = cloud.box(width, height, seen=0.10 / max(0.2, self._clear))
        if box is None or not self._mast.is_moving:
            return box
        dx, dy = self._shift(index)
        x0, y0, x1, y1 = box.edges
        edges = (x0 + dx / width, y0 + dy / height, x1 + dx / width, y1 + dy / height)
        return Box.from_edges(*(float(np.clip(edge, 0, 1)) for edge in edges))

    def smoke(self, index: int) -> NDArray[np.float32] | None:
        """How much of each pixel is smoke, 0–1, height × width, as the camera holds still; None where nothing burns."""
        cloud = self._cloud_at(index)
        if cloud is None:
            return None
        whole = np.zeros((self.spec.height, self.spec.width), np.float32)
        rows, columns = cloud.alpha.shape
        whole[cloud.top : cloud.top + rows, cloud.left : cloud.left + columns] = cloud.alpha
        dx, dy = self._shift(index)
        return np.asarray(cv2.warpAffine(whole, np.array([[1, 0, dx], [0, 1, dy]], np.float32), whole.shape[::-1]))

    def building_box(self, index: int) -> Box | None:
        """The true box of the works, None where they have not begun."""
        return building_extent(self._view, self._progress(index))

    def _chance(self, *tags: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([self.spec.seed, *tags]))

    def _set_up_weather(self, rng: np.random.Generator) -> None:
        spec, weather, terrain = self.spec, self.spec.weather, self._terrain
        seeds = [int(seed) for seed in rng.integers(1 << 31, size=5)]
        chances = [np.random.default_rng(seed) for seed in seeds]
        self._fog = FogBank(chances[0], weather, terrain.depth_km) if weather.fog > 0 else None
        self._shower = (
            Shower(chances[1], weather.rain, terrain.depth_km, minutes=weather.rain_minutes)
            if weather.rain > 0
            else None
        )
        self._drops = Drops(chances[2], count=round(22 * weather.rain), minutes=45) if weather.rain > 0 else None
        self._flare = (
            Flare(chances[3], strength=weather.glare, width=spec.width, height=spec.height)
            if weather.glare > 0
            else None
        )
        self._dust = (
            DustTrails(
                chances[4],
                mean_alive=weather.dust,
                view=self._view,
                road=terrain.road_m,
                land=terrain.ground,
                minutes=120,
            )
            if weather.dust > 0
            else None
        )
        self._base = lru_cache(maxsize=2)(self._lit_base)

    def _since(self, minute: float) -> float:
        """Minutes since the weather turned (for the last time)."""
        since = minute - self.minutes(self.spec.weather.start_frame)
        every = self.spec.weather.every_minutes
        return since % every if every > 0 and since > 0 else since

    def _light_at(self, minute: float) -> Daylight:
        if not self.spec.has_day:
            return NOON_LIGHT.balanced(self.spec.lens.cast)
        step = minute // _LIGHT_STEP_MIN * _LIGHT_STEP_MIN
        return self._daylight(
            minute, self.spec.night == "infrared" and self._sun(step).elevation_deg < INFRARED_BELOW_DEG
        )

    def _daylight(self, minute: float, is_infrared: bool) -> Daylight:
        light = daylight(self._sun(minute), faces_deg=self.spec.faces_deg, is_infrared=is_infrared)
        return light.balanced(self.spec.lens.cast)

    def _sun(self, minute: float) -> Sun:
        total = self.spec.minute_of_day + minute
        return sun_at(self.spec.day_of_year + int(total // 1440), total % 1440)

    def _progress(self, index: int) -> float:
        if not self.spec.building:
            return 0.0
        return float(np.clip((index - self.spec.building_start_frame + 1) / self.spec.building_frames, 0.0, 1.0))

    def _ignite(self, rng: np.random.Generator) -> Plume:
        spec = self.spec
        x, (first, last) = self._place_of_fire(rng)
        y = first + float(rng.uniform(0.15, 0.75)) * (last - first)
        return Plume(
            rng,
            anchor_x=x,
            anchor_y=y,
            width=spec.width,
            height=spec.height,
            scale=spec.plume_size(self._distance_km),
            opacity=spec.plume_opacity,
            growth=spec.plume_growth,
            tint=spec.plume_tint,
            wind=spec.plume_wind,
        )

    def _place_of_fire(self, rng: np.random.Generator) -> tuple[float, tuple[int, int]]:
        """A column and the rows of the slope that burns there: of the wanted ridge, or of the next one that is seen."""
        spec = self.spec
        columns = [float(rng.uniform(0.22, 0.78)) * spec.width, *np.linspace(0.2, 0.8, 25) * spec.width]
        ridges = [ridge.distance_km for ridge in reversed(spec.landscape.ridges)]
        at = ridges.index(self._distance_km)
        for distance_km in (*ridges[at::-1], *ridges[at + 1 :]):
            for x in columns:
                rows = self._terrain.slope_rows(int(x), distance_km)
                if rows is not None:
                    self._distance_km = distance_km
                    return float(x), rows
        return columns[0], (round(0.37 * spec.height), round(0.42 * spec.height))  # trees before everything

    def _cloud(self, index: int) -> SmokeCloud | None:
        if self._plume is None:
            return None
        cloud = self._plume.cloud(self.minutes(index - self.spec.plume_start_frame))
        if cloud is None or self._before_fire is None:
            return cloud
        return cloud.behind(self._before_fire)

    def _lit_base(self, step: int | None, is_infrared: bool) -> BgrImage:
        """The still land in the light of one third of an hour, as soft as the lens."""
        spec = self.spec
        minute = 0.0 if step is None else step * _LIGHT_STEP_MIN
        image = lit_still(
            self._terrain,
            self._light_at(0.0) if step is None else self._daylight(minute, is_infrared),
            self._clear_share,
            overcast=float(np.clip(spec.cloud_cover * 1.4 - 0.4, 0, 1)),
            minute_of_day=(spec.minute_of_day + minute) % 1440,
        )
        softness = max(0.4, spec.lens.softness_px * (1 if spec.width <= 1280 else spec.width / 1280))
        return _bgr(cv2.GaussianBlur(image, (0, 0), softness))

    def _lit_stills(self, step: int | None, is_infrared: bool) -> list[BgrImage]:
        base = self._base(step, is_infrared)
        return [_bgr(cv2.remap(base, *lean, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)) for lean in self._leans]

    def _still(self, minute: float, rng: np.random.Generator, is_infrared: bool) -> BgrImage:
        step = None if not self.spec.has_day else int(minute // _LIGHT_STEP_MIN)
        if self.spec.weather.wind_px > 0:
            return self._windswept(self._base(step, is_infrared), minute)
        first, second = rng.integers(0, len(self._leans), 2)
        share = float(rng.uniform(0.2, 0.8))
        stills = self._stills(step, is_infrared)
        if step is None:
            return _bgr(cv2.addWeighted(stills[first], share, stills[second], 1 - share, 0))
        later = self._stills(step + 1, is_infrared)
        passed = minute / _LIGHT_STEP_MIN - step
        return _bgr(cv2.addWeighted(stills[first], 1 - passed, later[second], passed, 0))

    def _windswept(self, base: BgrImage, minute: float) -> BgrImage:
        """Near trees bend in gusts that run across the picture."""
        spec = self.spec
        columns, rows = grid(spec.width // 8, spec.height // 8)
        gusts = drifted(self._wisps, columns * 0.8 + (41.0 * minute) % 256, rows * 0.8 + (17.0 * minute) % 256)
        flutter = drifted(self._clouds, columns * 2.9 + (97.0 * minute) % 256, rows * 2.9 + (61.0 * minute) % 256)
        lean = cv2.resize(gusts + 0.7 * flutter, (spec.width, spec.height), interpolation=cv2.INTER_LINEAR)
        rising = float(np.clip(self._since(minute) / 4, 0.08, 1.0)) * (0.75 + 0.25 * float(np.sin(minute * 1.3)))
        lean = lean * self._terrain.trees * (0.5 * spec.weather.wind_px * rising * spec.width / 1280)
        x, y = grid(spec.width, spec.height)
        return _bgr(cv2.remap(base, x + lean, y + 0.35 * lean, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE))

    def _build(self, image: BgrImage, index: int, light: Daylight) -> None:
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
        canvas = self._terrain.clear.copy()
        draw_building(canvas, self._view, progress, self._chance(_TAG_SITE, index))
        soil = 5 * cv2.resize(self._wisps, (width, height), interpolation=cv2.INTER_NEAREST)[area][..., None]
        drawn = (canvas[area].astype(np.float32) + soil) * paint(light.total)
        share = self._clear_share[area][..., None]
        hazed = np.clip(drawn * share + paint(light.airlight) * (1 - share), 0, 255).astype(np.uint8)
        changed = (canvas[area] != self._terrain.clear[area]).any(axis=2)
        image[area][changed] = hazed[changed]

    def _shaded(self, image: BgrImage, minute: float, light: Daylight, rng: np.random.Generator) -> BgrImage:
        """The sun behind moving clouds, and the camera's exposure."""
        flicker = float(rng.normal())
        sun = light.sun[1] / (0.55 * max(light.level, 0.05))
        if not self.spec.cloud_shadow or sun < 0.02:
            return _bgr(cv2.convertScaleAbs(image, alpha=self._shade.exposure(minute, flicker)))
        gain = self._shade.gain(minute, self._shade_share * np.float32(sun), flicker)
        small = np.clip(gain * 200, 0, 255).astype(np.uint8)
        levels = cv2.resize(small, (self.spec.width, self.spec.height), interpolation=cv2.INTER_LINEAR)
        return _bgr(cv2.multiply(image, cv2.merge([levels, levels, levels]), scale=1 / 200))

    def _draw_sky(self, image: BgrImage, minute: float, light: Daylight) -> None:
        draw_sky(
            image,
            self._terrain.sky[: self._sky_rows],
            self._clouds,
            self._wisps,
            minute=minute,
            cover=self.spec.cloud_cover,
            haze=self.spec.haze,
            light=light,
        )

    def _haze_over(self, image: BgrImage, minute: float, light: Daylight) -> BgrImage:
        """Broad banks of haze that drift across the distance, never sharp and never small."""
        if self.spec.drifting_haze <= 0:
            return image
        columns, lines = grid(48, 27)
        bank = drifted(self._banks, columns * 0.8 + (1.1 * minute) % 128, lines * 1.6 + 40)
        share = self.spec.drifting_haze * np.clip(0.30 + 0.22 * bank, 0, 0.8)
        size = (self.spec.width, self.spec.height)
        full = cv2.resize((share * 255).astype(np.uint8), size, interpolation=cv2.INTER_LINEAR)
        weight = np.minimum(cv2.multiply(full, self._veil_reach, scale=1.5 / 255), 217)
        return veil(image, weight.astype(np.uint8), light.airlight)

    def _smoke_over(self, image: BgrImage, index: int, light: Daylight) -> None:
        if self._dust is not None and light.level > 0.3:
            since = self._since(self.minutes(index))
            for trail in self._dust.clouds(since) if since >= 0 else ():
                trail.over(image, light=light.total)
        cloud = self._cloud_at(index)
        if cloud is not None:
            cloud.over(image, light=light.total, clear=self._clear, airlight=light.airlight)

    def _fog_over(self, image: BgrImage, minute: float, light: Daylight) -> BgrImage:
        weight = None if self._fog is None else self._fog.weight(self._since(minute))
        if weight is None:
            return image
        bright = tuple(min(255.0, 1.06 * channel) for channel in light.airlight)
        return veil(image, weight, bright)  # type: ignore[arg-type]  # three channels

    def _seen(self, image: BgrImage, index: int, rng: np.random.Generator, light: Daylight) -> BgrImage:
        """What the camera makes of it: rain before the lens, flare, shake, colours, noise."""
        since = self._since(self.minutes(index))
        if self._shower is not None:
            image = self._shower.over(image, since, tuple(0.86 * c for c in light.airlight), rng)  # type: ignore[arg-type]
        if self._flare is not None and since >= 0:
            behind_cloud = 0.5 + 0.5 * float(np.sin(since * 0.9 + self.spec.seed)) ** 2
            image = self._flare.over(image, since, min(1.0, since / 3 + 0.2) * behind_cloud)
        image = moved(image, *self._shift(index))
        if self._drops is not None and since >= 0:
            self._drops.over(image, since)
        image = self._developer.develop(image, rng, float(np.interp(light.level, (0.08, 0.3, 0.8), (4.5, 2.5, 1.0))))
        if light.is_infrared:
            image = _bgr(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR))
        return image

    def _shift(self, index: int) -> tuple[float, float]:
        """Shake of the mast in this frame, in pixels to the right and down."""
        rng = self._chance(_TAG_SHAKE, 1, index)
        dx, dy = np.clip(rng.normal(0, self.spec.shake_px, 2), -1.5, 1.5)
        gust_x, gust_y = self._mast.shift(self._since(self.minutes(index)), rng)
        return float(dx) + gust_x, float(dy) + gust_y


@dataclass(frozen=True, slots=True)
class _Drawing:
    """The scene as a camera without faults sees it."""

    render: Callable[[int], BgrImage]


def _bgr(image: object) -> BgrImage:
    """OpenCV's answer, which its stubs call an array of some number."""
    return np.asarray(image, dtype=np.uint8)


def _projection(spec: SceneSpec) -> Projection:
    return Projection(
        width=spec.width,
        height=spec.height,
        camera_height_m=spec.landscape.camera_height_m,
        horizon=spec.horizon,
        focal=spec.lens.focal,
        distortion=spec.lens.distortion,
    )


def _leans(
    rng: np.random.Generator, trees: NDArray[np.float32], count: int, width_px: int
) -> list[tuple[NDArray[np.int16], NDArray[np.uint16]]]:
    """Maps that bend the trees a little this way or that, at most about a pixel."""
    height, width = trees.shape
    columns, rows = grid(width, height)
    maps = []
    for _ in range(count):
        wind = fractal_field(rng, 128, 256, slope=0.8, lowest=6)
        lean = cv2.resize(wind, (width, height), interpolation=cv2.INTER_CUBIC) * trees * (0.55 * width_px / 1280)
        first, second = cv2.convertMaps(columns + lean, rows + 0.4 * lean, cv2.CV_16SC2)
        maps.append((np.asarray(first, dtype=np.int16), np.asarray(second, dtype=np.uint16)))
    return maps
