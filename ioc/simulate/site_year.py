"""A year of building under the eyes of fixed cameras: 20 poses, four frames a day, works, seasons, weather, traffic.

Truth is what stands when, never whether it may: permits are another matter. A frame is a pure function of (seed, pose,
index).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from ioc.detections import Box
from ioc.opencv import cv2
from ioc.simulate.landscapes import Landscape
from ioc.simulate.lens import Developer, Lens
from ioc.simulate.mast import moved
from ioc.simulate.noise import fractal_field
from ioc.simulate.perspective import BgrImage, Projection
from ioc.simulate.relight import sun_share
from ioc.simulate.seasons import DayWeather, Vegetation, weather_of
from ioc.simulate.site_plan import (
    FRAMES_PER_DAY,
    clearance,
    drawn_plots,
    drawn_work,
    kerb_obstacles,
    landscape_of,
    with_habits,
)
from ioc.simulate.sky import draw_sky
from ioc.simulate.sunlight import Daylight, daylight, sun_at
from ioc.simulate.terrain import build_terrain
from ioc.simulate.traffic import draw_vehicles
from ioc.simulate.weather import CloudShade, FogBank, Shower, Weather, veil
from ioc.simulate.works import (
    Cover,
    Metres,
    Obstacle,
    Plot,
    Stage,
    Work,
    WorkState,
    draw_machine,
    draw_obstacle,
    draw_work,
)

__all__ = ["FRAMES_PER_DAY", "FRAME_MINUTES", "SitePose", "SiteYear", "WorkTruth"]

FRAME_MINUTES = (420, 600, 840, 1050)
"""Local times of a day's frames, in minutes: 7:00, 10:00, 14:00 and 17:30."""

_SUN_STEP_DAYS = 15  # the sun's path is drawn anew every so many days
_STRENGTH = 170  # light gains are bytes: 170 stands for 1
_TAG_POSE, _TAG_LAND, _TAG_SKY, _TAG_FRAME, _TAG_MACHINES, _TAG_HABITS = range(201, 207)
Polygon = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkTruth:
    """What stands on one plot in one frame. `box` and `plot` are in shares of the picture; `footprint_m` in metres.

    `storeys`: ceilings that are on; `is_active`: people and machines are at it in this frame.
    """

    work_id: str
    plot_id: str
    stage: Stage
    storeys: int
    box: Box
    plot: Polygon
    footprint_m: tuple[Metres, ...]
    is_active: bool
    cover: Cover | None


class SiteYear:
    """The plan of one year. `works` are spread over the poses; give `works=0` for a year in which nothing is built.
    `minutes`: local times of a day's frames."""

    def __init__(
        self,
        seed: int,
        *,
        poses: int = 20,
        works: int = 90,
        days: int = 365,
        width: int = 640,
        height: int = 360,
        minutes: tuple[int, int, int, int] = FRAME_MINUTES,
    ) -> None:
        self.seed, self.days, self.width, self.height, self.minutes = seed, days, width, height, minutes
        self.pose_ids = tuple(f"pose-{number:02d}" for number in range(1, poses + 1))
        counts = [works // poses + (number < works % poses) for number in range(poses)]
        plans = [self._plan(number, count) for number, count in enumerate(counts)]
        drawn = iter(
            with_habits(
                np.random.default_rng(np.random.SeedSequence([seed, _TAG_HABITS])),
                [work for plan in plans for work in plan.works],
            )
        )
        self._plans = [replace(plan, works=tuple(islice(drawn, len(plan.works)))) for plan in plans]

    @property
    def frames(self) -> int:
        """Frames of each pose."""
        return self.days * FRAMES_PER_DAY

    @property
    def works(self) -> tuple[Work, ...]:
        return tuple(work for plan in self._plans for work in plan.works)

    def pose(self, number: int) -> "SitePose":
        """Returns pose `number` (from 0), ready to draw; it takes some 0.3 s at 640×360."""
        return SitePose(self, number, self._plans[number])

    def _plan(self, number: int, works: int) -> "_Plan":
        rng = np.random.default_rng(np.random.SeedSequence([self.seed, _TAG_POSE, number]))
        landscape = landscape_of(rng)
        view = Projection(
            width=self.width,
            height=self.height,
            focal=float(rng.uniform(1.0, 1.35)),
            camera_height_m=landscape.camera_height_m,
        )
        pose_id = self.pose_ids[number]
        plots = drawn_plots(rng, pose_id, works + 2, view)
        built = [drawn_work(rng, f"{pose_id}-w{n + 1}", plot, self.days) for n, plot in enumerate(plots[:works])]
        return _Plan(landscape=landscape, view=view, plots=plots, works=tuple(built))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    landscape: Landscape
    view: Projection
    plots: tuple[Plot, ...]
    works: tuple[Work, ...]


class SitePose:
    """One camera pose through the year. Some 4 ms a frame at 640×360 where frames are asked for in order."""

    def __init__(self, year: SiteYear, number: int, plan: _Plan) -> None:
        self.pose_id, self.plots, self.works = year.pose_ids[number], plan.plots, plan.works
        self.projection = plan.view
        self._year, self._number = year, number
        rng = self._chance(_TAG_LAND)
        self._faces_deg = float(rng.uniform(0, 360))
        self._vehicles = float(rng.uniform(0.5, 3))
        houses = int(rng.integers(30, 80))
        self._terrain = build_terrain(
            rng,
            year.width,
            year.height,
            houses=houses,
            keep_clear=[clearance(plot) for plot in plan.plots],
            landscape=plan.landscape,
            view=self.projection,
        )
        self.obstacles = kerb_obstacles(rng, self.pose_id, self._terrain.road_m, year.frames)
        self._vegetation = Vegetation(rng, self._terrain)
        sky = self._chance(_TAG_SKY)
        self._clouds = fractal_field(sky, 256, 256, slope=1.7, lowest=2)
        self._wisps = fractal_field(sky, 256, 256, slope=1.4, lowest=4)
        self._sky_rows = int(np.nonzero(self._terrain.sky.any(axis=1))[0].max(initial=0)) + 1
        self._veiled = np.asarray(255 * (1 - self._terrain.transmission(1.0)), dtype=np.uint8)
        self._hidden = {plot.plot_id: self._nearer_than(plot) for plot in plan.plots}
        self._mounted = self._mountings(sky)
        self._developer = Developer(Lens(), sky, year.width, year.height, noise=1.5)
        depth_km = self._terrain.depth_km
        self._banks = (
            FogBank(sky, Weather(fog=1.0, fog_place="valley"), depth_km),
            FogBank(sky, Weather(fog=1.0, fog_place="front"), depth_km),
        )
        self._shower = Shower(sky, 1.0, depth_km)
        self._set_up_caches()

    @property
    def frames(self) -> int:
        return self._year.frames

    def moment(self, index: int) -> tuple[int, int]:
        """Returns (day of the year from 0, local minute of the day) of frame `index`."""
        return index // FRAMES_PER_DAY, self._year.minutes[index % FRAMES_PER_DAY]

    def plot_polygon(self, plot: Plot) -> Polygon:
        """The plot's ground in shares of the picture."""
        return self._shares(plot.corners_m)

    @property
    def road_polygon(self) -> Polygon:
        """The road and its kerbs (7 m to each side) in shares of the picture, as far as 420 m."""
        near = [place for place in self._terrain.road_m if place[1] <= 420]
        return self._shares([(x - 7, z) for x, z in near] + [(x + 7, z) for x, z in reversed(near)])

    def control_points(self) -> tuple[tuple[tuple[float, float], Metres], ...]:
        """Points of the floor as ((x, y) in shares of the picture, (x, z) in metres): for image ↔ ground."""
        places = [corner for plot in self.plots for corner in plot.corners_m]
        return tuple((self._shares([place])[0], place) for place in places)

    def truth(self, index: int) -> tuple[WorkTruth, ...]:
        """Returns what has been built, or is being built, by frame `index`."""
        day, minute = self.moment(index)
        return tuple(
            WorkTruth(
                work_id=state.of.work_id,
                plot_id=state.of.plot.plot_id,
                stage=state.stage,
                storeys=state.storeys,
                box=state.box(self.projection),
                plot=self.plot_polygon(state.of.plot),
                footprint_m=state.of.footprint_m(),
                is_active=self._is_active(state, day, minute),
                cover=state.cover,
            )
            for state in self._states(day)
        )

    def obstacles_at(self, index: int) -> tuple[Obstacle, ...]:
        """Returns the stalls, vehicles and heaps that stand at the kerb in frame `index`."""
        return tuple(thing for thing in self.obstacles if thing.first_frame <= index < thing.end_frame)

    def weather(self, index: int) -> DayWeather:
        """The weather of frame `index`: the same for every pose of the year."""
        day, minute = self.moment(index)
        return weather_of(self._year.seed, day, day % 365 + 1, minute)

    def render(self, index: int) -> BgrImage:
        """Returns frame `index` (from 0): height × width × 3, BGR."""
        day, minute = self.moment(index)
        rng = self._chance(_TAG_FRAME, index)
        weather = self.weather(index)
        light = self._light(day // _SUN_STEP_DAYS, index % FRAMES_PER_DAY)
        image, built = self._land(day)
        image = image.copy()
        self._populate(image, index, day, minute, rng)
        strength = self._strength(built, day, index % FRAMES_PER_DAY, weather, light)
        exposure = float(np.clip(1 + 0.05 * rng.normal(), 0.85, 1.15))
        image = np.asarray(cv2.multiply(image, strength, scale=exposure / _STRENGTH), dtype=np.uint8)
        image = self._shaded(image, index, weather)
        weight = cv2.LUT(self._veiled, _haze_table(round(weather.haze, 2)))
        image = veil(image, np.asarray(weight, dtype=np.uint8), light.airlight)
        minutes = 97.0 * index  # clouds of another frame are other clouds
        draw_sky(
            image, self._terrain.sky[: self._sky_rows], self._clouds, self._wisps, minute=minutes,
            cover=0.2 + 0.8 * weather.cloud, haze=weather.haze, light=light,
        )  # fmt: skip
        image = self._wet(image, index, weather, light, rng)
        dx, dy = self._mounted[np.searchsorted(self._mounted[:, 0], day, side="right") - 1, 1:]
        shake = rng.normal(0, 0.9 * self._year.width / 1280, 2)
        image = moved(image, float(dx + shake[0]), float(dy + shake[1]))
        return self._developer.develop(image, rng, float(np.interp(light.level, (0.3, 0.8), (2.5, 1.0))))

    def render_jpeg(self, index: int, quality: int = 85) -> bytes:
        """Returns frame `index` as a JPEG file."""
        ok, data = cv2.imencode(".jpg", self.render(index), [cv2.IMWRITE_JPEG_QUALITY, quality])
        assert ok, "OpenCV encodes every 8-bit picture as JPEG"
        return bytes(data.tobytes())

    def _chance(self, *tags: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([self._year.seed, *tags, self._number]))

    def _set_up_caches(self) -> None:
        self._week = lru_cache(maxsize=2)(lambda week: self._vegetation.week(week, (week * 7) % 365 + 1))
        self._states = lru_cache(maxsize=8)(self._drawn_states)
        self._finished = lru_cache(maxsize=2)(self._with_finished)
        self._land = lru_cache(maxsize=2)(self._drawn_land)
        self._light = lru_cache(maxsize=16)(self._daylight)
        self._sun_map = lru_cache(maxsize=2 * FRAMES_PER_DAY)(self._drawn_sun_map)

    def _shares(self, places: Sequence[Metres]) -> Polygon:
        width, height = self.projection.width, self.projection.height
        points = (self.projection.point(x, z) for x, z in places)
        return tuple((round(x / width, 5), round(y / height, 5)) for x, y in points)

    def _mountings(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """(day, dx, dy): a technician cleans the camera now and then, and it looks some pixels elsewhere after it."""
        days = np.sort(rng.uniform(30, self._year.days, 2))
        offsets = rng.normal(0, 2.5 * self._year.width / 1280, (2, 2))
        return np.vstack([[0.0, 0.0, 0.0], np.column_stack([days, offsets])])

    def _nearer_than(self, plot: Plot) -> NDArray[np.bool_]:
        """What stands before the plot and hides what is built on it."""
        return self._terrain.depth_km < (plot.z_m - plot.depth_m / 2 - 4) / 1000

    def _daylight(self, step: int, slot: int) -> Daylight:
        sun = sun_at((step * _SUN_STEP_DAYS) % 365 + 1, self._year.minutes[slot])
        return daylight(sun, faces_deg=self._faces_deg)

    def _drawn_sun_map(self, step: int, slot: int) -> BgrImage:
        """Light on each pixel under a clear sky, as bytes."""
        light = self._light(step, slot)
        gain = sun_share(self._terrain, light, 0.0)
        channels = [(gain * light.sun[c] + light.ambient[c]) * _STRENGTH for c in range(3)]
        return np.asarray(cv2.convertScaleAbs(cv2.merge(channels)), dtype=np.uint8)

    def _drawn_states(self, day: int) -> tuple[WorkState, ...]:
        """Works that have begun, far to near."""
        states = (work.state(day) for work in sorted(self.works, key=lambda work: -work.plot.z_m))
        return tuple(state for state in states if state is not None)

    def _is_active(self, state: WorkState, day: int, minute: int) -> bool:
        is_sunday = day % 7 == 6
        return state.stage != "finished" and state.of.hours[0] <= minute <= state.of.hours[1] and not is_sunday

    def _with_finished(self, week: int, finished: tuple[WorkState, ...]) -> BgrImage:
        image = self._week(week).copy()
        for state in finished:
            self._draw(image, state)
        return image

    def _drawn_land(self, day: int) -> tuple[BgrImage, NDArray[np.uint8]]:
        """The land of one day without light or weather, and where something has been built (0 or 255)."""
        states = self._states(day)
        finished = tuple(state for state in states if state.stage == "finished")
        image = self._finished(day // 7, finished).copy()
        for state in states:
            if state.stage != "finished":
                self._draw(image, state)
        blue, green, red = cv2.split(cv2.absdiff(image, self._week(day // 7)))
        changed = cv2.max(cv2.max(blue, green), red)
        return image, np.asarray(cv2.threshold(changed, 0, 255, cv2.THRESH_BINARY)[1], dtype=np.uint8)

    def _draw(self, image: BgrImage, state: WorkState) -> None:
        area = self._area(state.box(self.projection))
        before = image[area].copy()
        draw_work(image, self.projection, state)
        hidden = self._hidden[state.of.plot.plot_id][area]
        if hidden.any():
            np.copyto(image[area], before, where=hidden[..., None])

    def _area(self, box: Box) -> tuple[slice, slice]:
        """The box with a rim, as rows and columns."""
        x0, y0, x1, y1 = box.grown(0.04).edges
        width, height = self._year.width, self._year.height
        rows = slice(max(0, int(y0 * height)), min(height, int(y1 * height) + 1))
        return rows, slice(max(0, int(x0 * width)), min(width, int(x1 * width) + 1))

    def _populate(self, image: BgrImage, index: int, day: int, minute: int, rng: np.random.Generator) -> None:
        """People at work, things at the kerb, traffic."""
        for state in self._states(day):
            if self._is_active(state, day, minute):
                draw_machine(image, self.projection, state.of, self._chance(_TAG_MACHINES, index, state.of.first_day))
        for thing in sorted(self.obstacles_at(index), key=lambda thing: -thing.z_m):
            draw_obstacle(image, self.projection, thing)
        draw_vehicles(image, self.projection, self._terrain.road_m, int(rng.poisson(self._vehicles)), rng)

    def _strength(
        self, built: NDArray[np.uint8], day: int, slot: int, weather: DayWeather, light: Daylight
    ) -> BgrImage:
        """Light on each pixel as bytes, of which `_STRENGTH` stands for 1."""
        clear = self._sun_map(day // _SUN_STEP_DAYS, slot)
        overcast = max(weather.cloud, weather.rain, weather.fog) ** 2
        flat = (
            light.total[1] * _STRENGTH * (1 - 0.2 * weather.cloud)
        )  # light from a covered sky has no side and no colour
        strength = np.asarray(cv2.convertScaleAbs(clear, alpha=1 - overcast, beta=overcast * flat), dtype=np.uint8)
        self._cast_shadows(strength, built, day, light, overcast)
        return strength

    def _cast_shadows(
        self, strength: BgrImage, built: NDArray[np.uint8], day: int, light: Daylight, overcast: float
    ) -> None:
        """Shadows of what has been built, on the ground around it."""
        right, ahead = light.shadow_per_m
        mask = np.zeros(built.shape, np.uint8)
        for state in self._states(day):
            if state.height_m < 1.0:
                continue
            feet = state.of.footprint_m()
            long = state.height_m
            tips = [(x + right * long, max(80.0, z + ahead * long)) for x, z in feet]
            points = np.array([self.projection.point(x, z) for x, z in (*feet, *tips)], dtype=np.float32)
            cv2.fillConvexPoly(mask, np.round(cv2.convexHull(points) * 16).astype(np.int32), 255, cv2.LINE_AA, 4)
        x, y, width, height = cv2.boundingRect(mask)
        if width == 0:
            return
        area = (slice(y, y + height), slice(x, x + width))
        free = cv2.bitwise_and(self._terrain.ground[area], cv2.bitwise_not(built[area]))
        darker = cv2.convertScaleAbs(strength[area], alpha=1 - 0.42 * (1 - overcast))
        np.copyto(strength[area], darker, where=(cv2.bitwise_and(mask[area], free) > 127)[..., None])

    def _shaded(self, image: BgrImage, index: int, weather: DayWeather) -> BgrImage:
        """Shadows of clouds, where there are some and the sun is out."""
        if not 0.15 < weather.cloud < 0.75:
            return image
        shade = CloudShade(self._clouds, self._wisps, _FAIR, weather.cloud, 0.0)
        gain = shade.gain(97.0 * index, np.float32(0.9) * _ONES, 0.0)
        levels = cv2.resize(np.clip(gain * 200, 0, 255).astype(np.uint8), (self._year.width, self._year.height))
        return np.asarray(cv2.multiply(image, cv2.merge([levels] * 3), scale=1 / 200), dtype=np.uint8)

    def _wet(
        self, image: BgrImage, index: int, weather: DayWeather, light: Daylight, rng: np.random.Generator
    ) -> BgrImage:
        if weather.fog > 0:
            weight = self._banks[index % 2].weight(float(rng.uniform(6, 30)))
            assert weight is not None, "it is there from minute 0 on"
            thinned = np.asarray(cv2.convertScaleAbs(weight, alpha=weather.fog), dtype=np.uint8)
            image = veil(image, thinned, light.airlight)
        if weather.rain > 0:
            air = tuple(0.86 * c for c in light.airlight)
            image = self._shower.over(image, 97.0 * index, air, rng, weather.rain)  # type: ignore[arg-type]  # three channels
        return image


_FAIR = Weather(shadow_depth=0.34)
_ONES = np.ones((54, 96), np.float32)


@lru_cache(maxsize=128)
def _haze_table(haze: float) -> NDArray[np.uint8]:
    """From how much haze 1 hides (0–255) to how much this haze does, by Koschmieder's law."""
    clear = 1 - np.arange(256) / 255
    return np.asarray(255 * (1 - clear**haze), dtype=np.uint8)
