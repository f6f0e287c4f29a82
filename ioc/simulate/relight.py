"""The still layers of a terrain under the light of one moment: sun from its side, shadows, haze, lamps at night."""

import numpy as np
from numpy.typing import NDArray

from ioc.opencv import cv2
from ioc.simulate.perspective import BgrImage
from ioc.simulate.sunlight import NOON_LIGHT, Daylight
from ioc.simulate.terrain import Terrain

__all__ = ["lit_still", "shadow_share", "sun_share"]

_BAKED_LIGHT = 0.13  # what `Terrain.clear` holds of a sun on the left
_SHADOW_FLOOR = 0.58  # the light of the sky reaches into a shadow
_REACH_KM = 0.12  # infrared lamps of a camera


def lit_still(
    terrain: Terrain, light: Daylight, clear_share: NDArray[np.float32], *, overcast: float, minute_of_day: float
) -> BgrImage:
    """Returns the still picture in `light` through haze that lets `clear_share` of it through.

    `overcast` (0–1) softens shadows and slopes. Some 6 ms at 640×360: light changes slowly, so it is made but three
    times an hour.
    """
    if light.elevation_deg == NOON_LIGHT.elevation_deg:  # the sun of `Terrain.clear` itself
        gain = np.ones_like(clear_share)
    elif light.sun[1] > 0.003:
        gain = sun_share(terrain, light, overcast)
    else:
        gain = np.zeros_like(clear_share)
    hidden = 1 - clear_share
    channels = []
    for channel, albedo in enumerate(cv2.split(terrain.clear)):
        strength = (gain * np.float32(light.sun[channel]) + np.float32(light.ambient[channel])) * clear_share
        channels.append(cv2.multiply(albedo, strength, dtype=cv2.CV_32F) + hidden * np.float32(light.airlight[channel]))
    image = np.asarray(cv2.merge(channels), dtype=np.float32)
    if light.is_infrared:
        image = _infrared(terrain, image)
    drawn = np.asarray(cv2.convertScaleAbs(image), dtype=np.uint8)
    return drawn if light.level > 0.5 else np.asarray(cv2.add(drawn, _lamps(terrain, light, minute_of_day)), np.uint8)


def shadow_share(terrain: Terrain, light: Daylight) -> NDArray[np.uint8] | None:
    """Returns the shadows of what stands on the floor, 0–255, or None where the sun throws none."""
    right, ahead = light.shadow_per_m
    if right == 0.0 and ahead == 0.0:
        return None
    view = terrain.projection
    mask = np.zeros(terrain.ground.shape, np.uint8)
    corners = np.array([_shadow(terrain, n, right, ahead) for n in range(len(terrain.standing))], dtype=np.float64)
    if not len(corners):
        return None
    x = (0.5 + view.focal * corners[..., 0] / corners[..., 1]) * view.width
    y = (view.horizon + view.focal * view.width / view.height * view.camera_height_m / corners[..., 1]) * view.height
    points = np.round(np.stack([x, y], axis=2) * 16).astype(np.int32)
    for polygon in points:
        cv2.fillConvexPoly(mask, polygon, 255, cv2.LINE_AA, 4)
    return np.asarray(cv2.bitwise_and(mask, terrain.ground), dtype=np.uint8)


def _shadow(terrain: Terrain, n: int, right: float, ahead: float) -> list[tuple[float, float]]:
    """A shadow on the floor in metres: as wide as the thing, drawn out by its height; a tree's ends in a point."""
    thing = terrain.standing[n]
    long = float(np.hypot(right, ahead)) + 1e-6
    side_x, side_z = -ahead / long * thing.half_m, right / long * thing.half_m
    tip = 0.15 if thing.kind == "tree" else 1.0
    end_x, end_z = thing.x_m + right * thing.height_m, max(60.0, thing.z_m + ahead * thing.height_m)
    return [
        (thing.x_m + side_x, thing.z_m + side_z),
        (end_x + tip * side_x, end_z + tip * side_z),
        (end_x - tip * side_x, end_z - tip * side_z),
        (thing.x_m - side_x, thing.z_m - side_z),
    ]


def sun_share(terrain: Terrain, light: Daylight, overcast: float) -> NDArray[np.float32]:
    """Direct sun on each pixel: 1 on level ground, more on slopes that face it, less on those that don't."""
    steep = float(np.interp(light.elevation_deg, (0, 6, 20, 60), (1.6, 1.9, 1.2, 0.5))) * (1 - 0.6 * overcast)
    facing = 1 + _BAKED_LIGHT * 1.6 * steep * light.side * terrain.relief
    gain = np.clip(facing, 0.15, 2.4) / np.maximum(1 + _BAKED_LIGHT * terrain.relief, 0.4)
    shadow = shadow_share(terrain, light)
    if shadow is not None:
        gain *= 1 - (1 - _SHADOW_FLOOR) * (1 - 0.8 * overcast) * (shadow.astype(np.float32) / 255)
    return np.asarray(gain, dtype=np.float32)


def _infrared(terrain: Terrain, image: NDArray[np.float32]) -> NDArray[np.float32]:
    grey = image @ np.array([0.15, 0.45, 0.40], dtype=np.float32)  # leaves are bright in infrared
    near = np.exp(-terrain.depth_km / _REACH_KM)
    grey = grey * (1 + 2.4 * near) + 26 * near * (terrain.trees > 0.5)
    return np.repeat(np.asarray(grey, dtype=np.float32)[..., None], 3, axis=2)


def _lamps(terrain: Terrain, light: Daylight, minute_of_day: float) -> BgrImage:
    """Windows and street lamps. Each house has its own bedtime; lamps along the road burn all night."""
    height, width = terrain.ground.shape
    layer = np.zeros((height, width, 3), np.uint8)
    rng = np.random.default_rng(len(terrain.standing))
    evening = (minute_of_day - 720) % 1440  # minutes since noon
    for thing in terrain.standing:
        if thing.kind != "house":
            continue
        from_noon, until, tone = rng.uniform(340, 420), rng.normal(620, 70), rng.random()
        if not from_noon < evening < until:
            continue
        x, y = terrain.projection.point(thing.x_m, thing.z_m, 0.5 * thing.height_m)
        colour = (120 + 100 * tone, 190 + 40 * tone, 245)
        size = max(1, round(0.8 * terrain.projection.pixels_per_m(thing.z_m)))
        cv2.circle(layer, (round(x), round(y)), size, colour, -1, cv2.LINE_AA)
    for x_m, z_m in terrain.road_m[10::9]:
        x, y = terrain.projection.point(x_m + 6.0, z_m, 7.0)
        size = max(1, round(0.5 * terrain.projection.pixels_per_m(z_m)))
        cv2.circle(layer, (round(x), round(y)), size, (150, 205, 250), -1, cv2.LINE_AA)
    glow = cv2.GaussianBlur(layer, (0, 0), max(2.0, width / 200))
    lamps = cv2.add(layer, cv2.convertScaleAbs(glow, alpha=1.6))
    lamps = cv2.convertScaleAbs(
        lamps, alpha=float(np.interp(light.level, (0.09, 0.5), (1.0, 0.0))) if not light.is_infrared else 1
    )
    if light.is_infrared:
        lamps = cv2.cvtColor(cv2.cvtColor(lamps, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return np.asarray(lamps, dtype=np.uint8)
