"""The sky of a scene: a gradient by the sun's height, clouds that drift and crowd together towards the skyline."""

import numpy as np

from ioc.opencv import cv2
from ioc.simulate.noise import Field, drifted
from ioc.simulate.perspective import BgrImage, paint
from ioc.simulate.sunlight import Daylight
from ioc.simulate.weather import grid

__all__ = ["draw_sky"]

_COLUMNS, _ROWS = 160, 40


def draw_sky(
    image: BgrImage,
    mask: BgrImage,
    clouds: Field,
    wisps: Field,
    *,
    minute: float,
    cover: float,
    haze: float,
    light: Daylight,
) -> None:
    """Paints the sky into the top rows of `image`, where `mask` (rows × width, 0 or 255) lets it through.

    `cover` (0–1): how much cloud; `minute` moves it.
    """
    columns, lines = grid(_COLUMNS, _ROWS)
    towards: Field = 1.0 + lines / np.float32(22.0)
    density = drifted(clouds, columns * towards * 0.9 + (3.1 * minute) % 256, lines * towards * 1.8 + 90)
    density = density + 0.5 * drifted(wisps, columns * 2.2 + (6.0 * minute) % 256, lines * 4.0 + 30)
    share = np.clip(0.10 + 0.30 * (density + 2.2 * cover - 0.7), 0, 1)[..., None]
    height = (lines / _ROWS)[..., None]
    blue = paint(light.sky_top) * (1 - height) + paint(light.sky_low) * height
    lit = light.level if not light.is_infrared else 0.16
    dark = np.clip(density - 0.4, 0, 1.2)[..., None] * (1 - 0.5 * height)
    glow = paint(light.sky_low) / max(float(np.max(light.sky_low)), 1e-3)
    white = (paint((243, 240, 236)) - paint((22, 26, 30)) * dark) * lit
    if light.elevation_deg < 14:
        white = white * (0.35 + 0.65 * glow)
    fog = min(0.92, 0.25 + 0.35 * haze) * height**1.5
    sky = (blue * (1 - share) + white * share) * (1 - fog) + paint(light.airlight) * fog
    small = np.clip(sky, 0, 255).astype(np.uint8)
    full = cv2.resize(small, (image.shape[1], mask.shape[0]), interpolation=cv2.INTER_LINEAR)
    cv2.copyTo(full, mask, image[: mask.shape[0]])
