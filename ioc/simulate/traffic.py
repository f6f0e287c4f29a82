"""What moves on the road: cars and trucks, their lamps at night, the dust behind them on a dry day."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ioc.opencv import cv2
from ioc.simulate.noise import fractal_field
from ioc.simulate.perspective import BgrImage, Colour, Projection, Solid, draw_solid
from ioc.simulate.plume import SmokeCloud, add_puff, puff_stamp

__all__ = ["DustTrails", "draw_headlights", "draw_vehicles"]

Road = Sequence[tuple[float, float]]
_DUST_TINT: Colour = (0.79, 0.89, 0.99)  # red basalt soil
_LIFE_MIN = 2.6  # a trail can be seen for so long after the vehicle has passed


def draw_vehicles(
    image: BgrImage, view: Projection, road: Road, count: int, rng: np.random.Generator, level: float = 1.0
) -> None:
    """Paints `count` vehicles somewhere on the road, in daylight of `level` (0–1)."""
    for _ in range(count):
        x, z = road[int(rng.integers(len(road) // 8, len(road)))]
        is_truck = rng.random() < 0.25
        paint = float(rng.uniform(40, 225)) * level
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
        draw_solid(image, view, body)


def draw_headlights(
    image: BgrImage, view: Projection, road: Road, count: int, rng: np.random.Generator, is_infrared: bool = False
) -> BgrImage:
    """Returns the picture with the lamps of `count` vehicles: white ones come, red ones go."""
    if count == 0:
        return image
    glow = np.zeros((image.shape[0] // 2 + 1, image.shape[1] // 2 + 1, 3), np.uint8)
    for _ in range(count):
        x, z = road[int(rng.integers(len(road) // 10, len(road)))]
        comes = rng.random() < 0.6
        side = -1.7 if comes else 1.7
        power = float(rng.uniform(0.6, 1.0))
        colour: Colour = (205 * power, 235 * power, 250 * power) if comes else (20, 24, 200 * power)
        size = max(1.0, 0.5 * view.pixels_per_m(z) * (1.0 if comes else 0.6))
        if comes:
            left, right, tip = view.point(x - 4, z - 26), view.point(x + 3, z - 26), view.point(x + side, z)
            beam = np.array([left, right, tip]) / 2
            cv2.fillConvexPoly(glow, beam.astype(np.int32), (60 * power, 74 * power, 80 * power), cv2.LINE_AA)
        for offset in (-0.7, 0.7):
            lamp = view.point(x + side + offset, z, 0.8)
            centre = (round(lamp[0] / 2), round(lamp[1] / 2))
            cv2.circle(glow, centre, max(1, round(size / 2)), colour, -1, cv2.LINE_AA)
    # The wide halo is blurred small: it is soft, and a blur is dear.
    soft = cv2.GaussianBlur(glow, (0, 0), max(1.5, image.shape[1] / 320))
    small = cv2.resize(glow, (glow.shape[1] // 4, glow.shape[0] // 4), interpolation=cv2.INTER_AREA)
    wide = cv2.resize(cv2.GaussianBlur(small, (0, 0), max(1.2, image.shape[1] / 360)), glow.shape[1::-1])
    bloom = cv2.add(glow, cv2.add(soft, cv2.convertScaleAbs(wide, alpha=3.0)))
    if is_infrared:
        bloom = cv2.cvtColor(cv2.cvtColor(bloom, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    full = cv2.resize(bloom, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.add(image, full), dtype=np.uint8)


class DustTrails:
    """Dust of vehicles on a dry road, and of tractors on the fields: brown, low, gone within minutes."""

    def __init__(
        self,
        rng: np.random.Generator,
        *,
        mean_alive: float,
        view: Projection,
        road: Road,
        land: NDArray[np.uint8],
        minutes: float,
    ) -> None:
        self._view, self._road = view, road
        count = max(1, round(mean_alive * minutes / _LIFE_MIN))
        self._begins = np.sort(rng.uniform(0, minutes, count))
        self._place = rng.uniform(0.06, 0.8, count)
        self._speed = rng.choice((-1, 1), count) * rng.uniform(3.0, 11.0, count)
        self._thick = rng.uniform(0.35, 1.2, count)
        self._lasts = rng.uniform(0.6, 3.0, count)
        # A tractor works to and fro on one field, for a quarter of an hour and more.
        self._tractor = rng.random(count) < 0.25
        self._field_x, self._field_z = rng.uniform(-90, 90, count), rng.uniform(260, 700, count)
        self._tractor &= np.array([_is_land(view, land, *at) for at in zip(self._field_x, self._field_z, strict=True)])
        self._lasts = np.where(self._tractor, rng.uniform(8, 20, count), self._lasts)
        self._wind = float(rng.uniform(-14, 14))
        self._stamps = [puff_stamp(rng) for _ in range(4)]
        self._detail = fractal_field(rng, 128, 128, slope=1.2, lowest=3)
        self._tint = tuple(c * float(rng.uniform(0.92, 1.05)) for c in _DUST_TINT)

    def clouds(self, minute: float) -> list[SmokeCloud]:
        """Returns the dust that hangs in the air, far to near."""
        found: list[tuple[float, SmokeCloud]] = []
        for n in np.flatnonzero((self._begins <= minute) & (minute < self._begins + self._lasts + _LIFE_MIN)):
            cloud = self._trail(int(n), minute - float(self._begins[n]))
            if cloud is not None:
                found.append(cloud)
        return [cloud for _, cloud in sorted(found, key=lambda pair: -pair[0])]

    def _trail(self, n: int, age: float) -> tuple[float, SmokeCloud] | None:
        laid = np.linspace(max(0.0, age - _LIFE_MIN), min(age, float(self._lasts[n])), 26)
        hangs = age - laid
        x_m, z_m = self._path(n, laid)
        grown = 1.8 + 6.5 * np.sqrt(np.maximum(hangs, 0))
        x_m = x_m + self._wind * hangs
        depth = self._thick[n] * 0.9 * np.exp(-hangs / 0.8) * np.minimum(1.0, hangs * 8 + 0.15)
        points = [self._view.point(a, b, float(r) * 0.7) for a, b, r in zip(x_m, z_m, grown, strict=True)]
        radius = np.array([self._view.pixels_per_m(float(b)) * float(r) for b, r in zip(z_m, grown, strict=True)])
        return self._summed(n, np.array(points), np.maximum(radius, 1.5), depth, float(z_m.min()))

    def _path(self, n: int, minutes: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if self._tractor[n]:
            swing = np.sin(minutes * 1.7 + n)
            return self._field_x[n] + 42 * swing, self._field_z[n] + 2.5 * minutes
        x, z = np.array(self._road).T
        along = self._place[n] * z[-1] + self._speed[n] * 60 * minutes
        along = np.clip(along, z[0], z[-1])
        return np.interp(along, z, x), along

    def _summed(
        self, n: int, points: NDArray[np.float64], radius: NDArray[np.float64], depth: NDArray[np.float64], z_m: float
    ) -> tuple[float, SmokeCloud] | None:
        width, height = self._view.width, self._view.height
        left, right = max(0, int((points[:, 0] - radius).min())), min(width, int((points[:, 0] + radius).max()) + 2)
        top, bottom = max(0, int((points[:, 1] - radius).min())), min(height, int((points[:, 1] + radius).max()) + 2)
        if right - left < 3 or bottom - top < 3:
            return None
        tau = np.zeros((bottom - top, right - left), np.float32)
        for k, (x, y) in enumerate(points):
            stamp = self._stamps[(k + n) % len(self._stamps)]
            add_puff(tau, stamp, x - left, y - top, float(radius[k]), float(depth[k]))
        wisps = cv2.resize(self._detail, (max(128, tau.shape[1]), max(128, tau.shape[0])))[
            : tau.shape[0], : tau.shape[1]
        ]
        tau = tau * np.clip(1 + 0.35 * wisps, 0.2, 2)
        bright = 196.0 - 12.0 * np.tanh(tau) + 4.0 * wisps
        return z_m, SmokeCloud(
            left=left,
            top=top,
            alpha=np.asarray(0.85 * (1 - np.exp(-tau)), dtype=np.float32),
            bright=np.asarray(bright, dtype=np.float32),
            tint=self._tint,  # type: ignore[arg-type]  # three channels
        )


def _is_land(view: Projection, land: NDArray[np.uint8], x_m: float, z_m: float) -> bool:
    x, y = view.point(x_m, z_m)
    return bool(0 <= x < view.width and 0 <= y < view.height and land[int(y), int(x)])
