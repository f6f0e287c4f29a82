"""The camera's perspective over a flat valley, and boxes drawn in it. Lengths in metres, colours BGR."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ioc.opencv import cv2

__all__ = ["BgrImage", "Colour", "Projection", "Solid", "draw_solid", "fill", "paint"]

BgrImage = NDArray[np.uint8]
"""Height × width × 3, BGR, 0–255."""
Colour = tuple[float, float, float]
_SHIFT = 4  # cv2 draws at 1/16 px, so that small houses don't jump with the size of the picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """Metres on the valley floor (x to the right, z ahead, up) to pixels of the picture."""

    width: int
    height: int
    camera_height_m: float = 60.0
    horizon: float = 0.33
    focal: float = 1.1
    distortion: float = 0.0

    @property
    def focal_px(self) -> float:
        return self.focal * self.width

    def point(self, x_m: float, z_m: float, up_m: float = 0.0) -> tuple[float, float]:
        x = self.focal * x_m / z_m
        y = self.focal * self.width / self.height * (self.camera_height_m - up_m) / z_m
        if self.distortion:  # barrel: r' = r (1 - k r²), with r of the picture's corner about 0.6
            down = (self.horizon - 0.5 + y) * self.height / self.width
            bow = 1 - self.distortion * 4 * (x * x + down * down)
            return (0.5 + x * bow) * self.width, 0.5 * self.height + down * bow * self.width
        return (0.5 + x) * self.width, (self.horizon + y) * self.height

    def pixels_per_m(self, z_m: float) -> float:
        return self.focal_px / z_m

    def depth_m(self, y_px: NDArray[np.float32]) -> NDArray[np.float32]:
        """Distance of the valley floor at picture row `y_px`; far beyond the ridges at and above the horizon."""
        below = np.maximum(y_px / self.height - self.horizon, 1e-3)
        return np.asarray(self.focal * self.width / self.height * self.camera_height_m / below, dtype=np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Solid:
    """A box on the valley floor: centre, size and turn (radians); with `roof_m` over zero a hipped roof on top."""

    x_m: float
    z_m: float
    width_m: float
    depth_m: float
    height_m: float
    turn: float
    wall: Colour
    roof: Colour
    base_m: float = 0.0
    roof_m: float = 0.0


def paint(*colours: Sequence[float]) -> NDArray[np.float32]:
    """One colour as an array to blend with (3), or a table of several (n × 3)."""
    table = np.array(colours, dtype=np.float32)
    return table[0] if len(colours) == 1 else table


def fill(image: BgrImage, points: Sequence[tuple[float, float]], colour: Colour) -> None:
    """Paints a polygon given in pixels onto `image`, with soft edges."""
    corners = np.round(np.array(points, dtype=np.float64) * (1 << _SHIFT)).astype(np.int32)
    cv2.fillPoly(image, [corners], colour, cv2.LINE_AA, _SHIFT)


def draw_solid(image: BgrImage, view: Projection, solid: Solid, windows: int = 0) -> None:
    """Paints the visible faces of `solid`, far to near; the sun stands on the left."""
    corners = _corners(solid)
    top = solid.base_m + solid.height_m
    order = sorted(range(4), key=lambda i: -(corners[i][1] + corners[(i + 1) % 4][1]))
    for i in order[2:]:  # the two faces nearer to the camera hide the others
        (x0, z0), (x1, z1) = corners[i], corners[(i + 1) % 4]
        light = 0.74 + 0.26 * max(0.0, -(z1 - z0) / (np.hypot(x1 - x0, z1 - z0) + 1e-9))
        fill(
            image,
            [
                view.point(x0, z0, solid.base_m),
                view.point(x1, z1, solid.base_m),
                view.point(x1, z1, top),
                view.point(x0, z0, top),
            ],
            _lit(solid.wall, light),
        )
        _draw_windows(image, view, solid, (x0, z0), (x1, z1), windows)
    _draw_roof(image, view, solid, corners, top)


def _draw_windows(
    image: BgrImage,
    view: Projection,
    solid: Solid,
    start: tuple[float, float],
    end: tuple[float, float],
    windows: int,
) -> None:
    (x0, z0), (x1, z1) = start, end
    storeys = max(1, round(solid.height_m / 3.5))
    for storey in range(storeys):
        for n in range(windows):
            a, b = (n + 0.32) / windows, (n + 0.68) / windows
            low, high = (storey + 0.34) / storeys, (storey + 0.76) / storeys
            pane = [
                view.point(x0 + (x1 - x0) * share, z0 + (z1 - z0) * share, solid.base_m + solid.height_m * up)
                for share, up in ((a, low), (b, low), (b, high), (a, high))
            ]
            fill(image, pane, (92, 84, 76))


def _draw_roof(image: BgrImage, view: Projection, solid: Solid, corners: list[tuple[float, float]], top: float) -> None:
    if solid.roof_m <= 0:
        fill(image, [view.point(x, z, top) for x, z in corners], solid.roof)
        return
    peak = view.point(solid.x_m, solid.z_m, top + solid.roof_m)
    eaves = 0.7 if solid.width_m > 5 else 0.0
    corners = _corners(replace(solid, width_m=solid.width_m + 2 * eaves, depth_m=solid.depth_m + 2 * eaves))
    for i in sorted(range(4), key=lambda i: -(corners[i][1] + corners[(i + 1) % 4][1])):
        (x0, z0), (x1, z1) = corners[i], corners[(i + 1) % 4]
        light = 0.72 + 0.36 * max(0.0, -(z1 - z0) / (np.hypot(x1 - x0, z1 - z0) + 1e-9))
        fill(image, [view.point(x0, z0, top), view.point(x1, z1, top), peak], _lit(solid.roof, light))


def _corners(solid: Solid) -> list[tuple[float, float]]:
    cos, sin = np.cos(solid.turn), np.sin(solid.turn)
    half_w, half_d = solid.width_m / 2, solid.depth_m / 2
    return [
        (float(solid.x_m + a * cos - b * sin), float(solid.z_m + a * sin + b * cos))
        for a, b in ((-half_w, -half_d), (half_w, -half_d), (half_w, half_d), (-half_w, half_d))
    ]


def _lit(colour: Colour, light: float) -> Colour:
    return tuple(min(255.0, channel * light) for channel in colour)  # type: ignore[return-value]  # three in, three out
