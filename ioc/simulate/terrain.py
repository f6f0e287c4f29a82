"""The part of a scene that stands still: ridges under pine forest, a valley with crops, greenhouses, houses and a road.

One pinhole camera on a hillside looks over a flat valley; everything on the valley floor is placed in metres and
projected, so that sizes, overlaps and haze agree. Colours are BGR.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ioc.opencv import cv2
from ioc.simulate.noise import Field, fractal_field, fractal_line
from ioc.simulate.perspective import BgrImage, Colour, Projection, Solid, fill, paint
from ioc.simulate.settlement import plant_and_build, plant_foreground

__all__ = ["AIRLIGHT", "Terrain", "build_terrain"]

AIRLIGHT: Colour = (216.0, 208.0, 197.0)  # what distance fades into: a pale, slightly blue grey
_SKY_KM = 40.0
_HAZE_PER_KM = 0.16  # extinction at haze 1.0: a ridge 6 km away keeps 38 % of its own colour

# (distance km, crest in shares of the height, roughness of the crest, colour); far to near.
_RIDGES: tuple[tuple[float, float, float, Colour], ...] = (
    (14.0, 0.235, 0.028, (96, 92, 74)),
    (8.0, 0.270, 0.030, (80, 92, 70)),
    (4.2, 0.315, 0.038, (56, 80, 58)),
    (2.2, 0.365, 0.030, (44, 72, 50)),
)
_CROPS: tuple[Colour, ...] = ((62, 118, 96), (58, 104, 78), (74, 128, 122), (66, 92, 116), (52, 96, 68), (86, 136, 128))


@dataclass(frozen=True, slots=True, kw_only=True)
class Terrain:
    """The still layers. `clear` is without haze; `depth_km` and `trees` (0–1: what sways) are height × width."""

    projection: Projection
    clear: BgrImage
    depth_km: NDArray[np.float32]
    trees: NDArray[np.float32]
    sky: NDArray[np.uint8]
    road_m: tuple[tuple[float, float], ...]

    def near_slope_rows(self, column: int) -> tuple[int, int]:
        """First and last row at which `column` shows the nearest ridge: the place for a forest fire."""
        rows = np.flatnonzero(np.isclose(self.depth_km[:, column], _RIDGES[-1][0]))
        if not len(rows):  # behind a near tree
            height = self.projection.height
            return round(0.37 * height), round(0.42 * height)
        return int(rows[0]), int(rows[-1])

    def transmission(self, haze: float) -> NDArray[np.float32]:
        """Share of each pixel's own colour that reaches the camera (Koschmieder's law)."""
        return np.asarray(np.exp(-haze * _HAZE_PER_KM * self.depth_km), dtype=np.float32)

    def hazed(self, haze: float) -> BgrImage:
        """The still picture as the camera sees it through `haze` (0 none, 1 an ordinary morning)."""
        share = self.transmission(haze)[..., None]
        return np.asarray(self.clear * share + paint(AIRLIGHT) * (1.0 - share), dtype=np.uint8)


def build_terrain(
    rng: np.random.Generator, width: int, height: int, *, houses: int, keep_clear: Sequence[Solid] = ()
) -> Terrain:
    """Returns the still layers of one place. Nothing is built on the plots in `keep_clear`. About 0.5 s at 1280×720."""
    view = Projection(width=width, height=height)
    canvas = np.zeros((height, width, 3), np.float32)
    depth = np.full((height, width), _SKY_KM, np.float32)
    trees = np.zeros((height, width), np.float32)
    rows = np.arange(height, dtype=np.float32)[:, None]
    grain = _grain_field(rng, width, height)
    for distance_km, crest_share, roughness, colour in _RIDGES:
        line = _crest(rng, width, height, crest_share, roughness)
        _paint_ridge(rng, canvas, depth, trees, rows, line, distance_km, colour, grain)
    floor_row = _crest(rng, width, height, 0.43, 0.008)
    _paint_floor(rng, view, canvas, depth, trees, rows, floor_row, grain)
    image = np.clip(canvas, 0, 255).astype(np.uint8)
    road = _road(rng)
    _paint_road(image, view, road)
    plant_and_build(rng, image, view, trees, depth, houses, keep_clear, road)
    plant_foreground(rng, image, depth, trees)
    sky = np.asarray((depth >= _SKY_KM) * 255, dtype=np.uint8)
    return Terrain(projection=view, clear=image, depth_km=depth, trees=trees, sky=sky, road_m=road)


def _grain_field(rng: np.random.Generator, width: int, height: int) -> Field:
    """Crowns and crops from afar: fine noise, drawn once and shifted for each layer."""
    share = 1 if width > 640 else 2  # a small picture needs no finer noise than its pixels
    grain = fractal_field(rng, 512 // share, 1024 // share, slope=0.58, lowest=24 / share)
    return np.asarray(cv2.resize(grain, (width, height), interpolation=cv2.INTER_AREA), dtype=np.float32)


def _crest(rng: np.random.Generator, width: int, height: int, share: float, roughness: float) -> NDArray[np.float32]:
    line = fractal_line(rng, 2048, slope=1.5)
    start = int(rng.integers(0, 1000))
    part = np.interp(np.linspace(start, start + 900, width), np.arange(2048), line)
    return np.asarray((share - roughness * part) * height, dtype=np.float32)


def _paint_ridge(
    rng: np.random.Generator,
    canvas: NDArray[np.float32],
    depth: NDArray[np.float32],
    trees: NDArray[np.float32],
    rows: NDArray[np.float32],
    line: NDArray[np.float32],
    distance_km: float,
    colour: Colour,
    grain: Field,
) -> None:
    height, width = depth.shape
    relief = cv2.resize(fractal_field(rng, 128, 256, slope=1.5), (width, height), interpolation=cv2.INTER_CUBIC)
    gullies = np.cumsum(np.gradient(relief, axis=1), axis=0)  # they run downhill
    relief = np.asarray(relief + min(0.015, 0.06 / distance_km) * gullies, dtype=np.float32)
    light = cv2.Sobel(relief, cv2.CV_32F, 1, 0, ksize=5)
    light = cv2.GaussianBlur(light, (0, 0), 0.004 * width)
    light = light / (light.std() + 1e-6)
    # Crowns: fine and upright; a far forest is smoother than a near one.
    tile = np.roll(grain, tuple(rng.integers(0, 4096, 2)), (0, 1))
    roughness = float(np.clip(2.6 / distance_km, 0.12, 0.9))
    jagged = line[None, :] - np.abs(tile[:1]) * height * 0.004 * roughness * 3
    below = rows >= jagged
    shade = 1.0 + 0.13 * light + 0.2 * roughness * tile + 0.05 * relief
    warm = np.clip(0.5 + 0.35 * relief, 0, 1)[..., None]  # cut-over and dry grass among the pines
    cover = (paint(colour) * (1 - 0.28 * warm) + paint((70, 108, 104)) * 0.28 * warm) * shade[..., None]
    canvas[below] = cover[below]
    depth[below] = distance_km
    trees[below] = min(1.0, 1.0 / distance_km)


def _paint_floor(
    rng: np.random.Generator,
    view: Projection,
    canvas: NDArray[np.float32],
    depth: NDArray[np.float32],
    trees: NDArray[np.float32],
    rows: NDArray[np.float32],
    floor_row: NDArray[np.float32],
    grain: Field,
) -> None:
    height, width = depth.shape
    z = np.broadcast_to(view.depth_m(rows), (height, width))
    x = (np.arange(width, dtype=np.float32)[None, :] / width - 0.5) * z / 1.1
    below = rows >= floor_row[None, :]
    wobble = cv2.resize(fractal_field(rng, 64, 128, slope=1.6), (width, height), interpolation=cv2.INTER_CUBIC)
    u, v = x + 9 * wobble + rng.uniform(0, 4000), z + 14 * wobble + rng.uniform(0, 4000)
    angle = float(rng.uniform(-0.6, 0.6))
    u, v = u * np.cos(angle) - v * np.sin(angle), u * np.sin(angle) + v * np.cos(angle)
    plot_u, plot_v = np.floor(u / 46).astype(np.int64), np.floor(v / 74).astype(np.int64)
    plot = (plot_u * 73856093 ^ plot_v * 19349663) % len(_CROPS)
    cover = paint(*_CROPS)[plot]
    rowing = np.sin(u * 2 * np.pi / 3.2) * np.clip(1.4 - z / 420, 0, 1)
    edge = np.minimum(np.abs(u / 46 - np.round(u / 46)) * 46, np.abs(v / 74 - np.round(v / 74)) * 74)
    hedge = np.clip(1.6 - edge / 1.8, 0, 1) * np.clip(2.0 - z / 700, 0.2, 1)
    shade = 1.0 + 0.07 * rowing + 0.10 * grain + 0.06 * wobble
    cover = cover * (1 - 0.45 * hedge[..., None]) * shade[..., None]
    canvas[below] = cover[below]
    depth[below] = (z / 1000.0)[below]
    trees[below] = 0.35


def _road(rng: np.random.Generator) -> tuple[tuple[float, float], ...]:
    """A road through the valley in metres, near to far; it passes left of the middle, where a plot may lie."""
    z = np.array([150.0, 190, 240, 300, 380, 480, 620, 800, 1000])
    bend = rng.uniform(-14, 14, z.size)
    x = -70 - 0.10 * (z - 150) + 0.0004 * (z - 150) ** 2 + bend
    fine = np.linspace(z[0], z[-1], 120)
    return tuple((float(a), float(b)) for a, b in zip(np.interp(fine, z, x), fine, strict=True))


def _paint_road(image: BgrImage, view: Projection, road: Sequence[tuple[float, float]]) -> None:
    for half_m, colour in ((5.6, (96, 112, 122)), (3.4, (122, 122, 120))):
        left = [view.point(x - half_m, z) for x, z in road]
        right = [view.point(x + half_m, z) for x, z in reversed(road)]
        fill(image, [*left, *right], colour)
