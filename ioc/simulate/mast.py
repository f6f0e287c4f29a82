"""The mast that a camera stands on: it shakes in gusts, turns a little and comes back."""

import numpy as np

from ioc.opencv import cv2
from ioc.simulate.perspective import BgrImage
from ioc.simulate.weather import Weather

__all__ = ["Mast", "moved"]


class Mast:
    """Movement in pixels beyond the ordinary tremble of a camera."""

    def __init__(self, rng: np.random.Generator, weather: Weather, width: int) -> None:
        self._gust = weather.gust_px * width / 1280
        self._drift = weather.drift_px * width / 1280
        self._towards = float(rng.uniform(0, 2 * np.pi))
        self._period = float(rng.uniform(14, 36))
        self._waves = rng.uniform(0.4, 1.7, 2)
        self._phases = rng.uniform(0, 2 * np.pi, 2)

    @property
    def is_moving(self) -> bool:
        return self._gust > 0 or self._drift > 0

    def shift(self, minute: float, rng: np.random.Generator) -> tuple[float, float]:
        """Returns pixels to the right and down, `minute` minutes after the wind rose. `rng` is the frame's own."""
        if minute < 0 or not self.is_moving:
            return 0.0, 0.0
        swell = float(
            np.sin(self._waves[0] * minute + self._phases[0]) + np.sin(self._waves[1] * minute + self._phases[1])
        )
        gust_x, gust_y = self._gust * max(0.15, 0.5 + 0.5 * swell) * rng.normal(0, 1, 2)
        away = self._drift * float(np.sin(np.pi * min(1.0, minute / self._period)) ** 2)
        limit = 3.0 * self._gust
        return (
            float(np.clip(gust_x, -limit, limit)) + away * float(np.cos(self._towards)),
            float(np.clip(0.6 * gust_y, -limit, limit)) + away * 0.6 * float(np.sin(self._towards)),
        )


def moved(image: BgrImage, dx: float, dy: float) -> BgrImage:
    """Returns the picture moved by (dx, dy) pixels, bilinear, the rim mirrored. Four times quicker than a warp."""
    height, width = image.shape[:2]
    whole_x, whole_y = int(np.floor(dx)), int(np.floor(dy))
    rim = max(abs(whole_x), abs(whole_y)) + 2
    padded = cv2.copyMakeBorder(image, rim, rim, rim, rim, cv2.BORDER_REFLECT_101)

    def cut(x: int, y: int, rows: int) -> BgrImage:
        return np.asarray(padded[rim - y : rim - y + rows, rim - x : rim - x + width], dtype=np.uint8)

    # Across first, on one row more than is needed, then down.
    share_x, share_y = dx - whole_x, dy - whole_y
    rows = height + 1
    across = cv2.addWeighted(
        cut(whole_x, whole_y + 1, rows), 1 - share_x, cut(whole_x + 1, whole_y + 1, rows), share_x, 0
    )
    return np.asarray(cv2.addWeighted(across[1:], 1 - share_y, across[:-1], share_y, 0), dtype=np.uint8)
