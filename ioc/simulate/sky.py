"""The sky of a scene: a gradient by the sun's height, clouds that drift and crowd together towards the skyline."""

from functools import lru_cache

import numpy as np

from ioc.opencv import cv2
from ioc.simulate.noise import Field, drifted
from ioc.simulate.perspective import BgrImage, paint
from ioc.simulate.sunlight import Daylight
from ioc.simulate.weather import grid

__all__ = ["draw_sky"]

_COLUMNS, _ROWS = 160, 40
_WISP_X = np.float32(2.2)


@lru_cache(maxsize=1)
def _places() -> tuple[Field, Field, Field, Field, Field]:
    """Where each cell of the grid lies among the clouds, and how near to the skyline (rows × 1 × 1)."""
    columns, lines = grid(_COLUMNS, _ROWS)
    towards: Field = 1.0 + lines / np.float32(22.0)
    height = (lines[:, :1] / np.float32(_ROWS))[..., None]
    wisps = np.stack([columns, lines * 4.0 + 30])
    return columns * towards * np.float32(0.9), wisps, lines * towards * np.float32(1.8) + 90, height, height**1.5


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
    columns, lines, towards, height, low = _places()
    density = drifted(clouds, columns + np.float32((3.1 * minute) % 256), towards)
    wisp = drifted(wisps, _WISP_X * lines[0] + np.float32((6.0 * minute) % 256), lines[1])
    density = density + np.float32(0.5) * wisp
    share = np.clip(0.10 + 0.30 * (density + (2.2 * cover - 0.7)), 0, 1)[..., None]
    lit = light.level if not light.is_infrared else 0.16
    white = paint(light.cloud) * lit
    dark = np.clip(density - 0.4, 0, 1.2)[..., None] * (paint((22, 26, 30)) * lit * (1 - 0.5 * height))
    if light.elevation_deg < 14:
        white = white * (0.35 + 0.65 * paint(light.sky_low) / max(float(np.max(light.sky_low)), 1e-3))
    fog = low * np.float32(min(0.92, 0.25 + 0.35 * haze))
    blue = paint(light.sky_top) * (1 - height) + paint(light.sky_low) * height
    sky = blue + (white - dark - blue) * share
    sky += (paint(light.airlight) - sky) * fog
    small = np.clip(sky, 0, 255).astype(np.uint8)
    full = cv2.resize(small, (image.shape[1], mask.shape[0]), interpolation=cv2.INTER_LINEAR)
    cv2.copyTo(full, mask, image[: mask.shape[0]])
