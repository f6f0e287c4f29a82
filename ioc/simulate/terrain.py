"""The part of a scene that stands still: ridges under pine forest, a valley with crops, greenhouses, houses and a road.

One pinhole camera on a hillside looks over a flat valley; everything on the valley floor is placed in metres and
projected, so that sizes, overlaps and haze agree. Colours are BGR.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ioc.opencv import cv2
from ioc.simulate.landscapes import HIGHLAND, Landscape, Ridge
from ioc.simulate.noise import Field, fractal_field, fractal_line
from ioc.simulate.perspective import BgrImage, Colour, Projection, Solid, fill, paint
from ioc.simulate.settlement import Standing, plant_and_build, plant_foreground

__all__ = ["AIRLIGHT", "HAZE_PER_KM", "Terrain", "build_terrain"]

AIRLIGHT: Colour = (216.0, 208.0, 197.0)  # what distance fades into: a pale, slightly blue grey
_SKY_KM = 40.0
HAZE_PER_KM = 0.16  # extinction at haze 1.0: a ridge 6 km away keeps 38 % of its own colour


@dataclass(frozen=True, slots=True, kw_only=True)
class Terrain:
    """The still layers. `clear` is without haze; `depth_km` and `trees` (0–1: what sways) are height × width.

    `relief`: the light of a sun on the left that `clear` already holds, mean 0; `ground`: 255 where the valley floor
    shows, so that a shadow may fall there. `fields`: which field (1–255) shows, 0 where none does.
    """

    projection: Projection
    clear: BgrImage
    depth_km: NDArray[np.float32]
    trees: NDArray[np.float32]
    sky: NDArray[np.uint8]
    road_m: tuple[tuple[float, float], ...]
    landscape: Landscape
    relief: NDArray[np.float32]
    ground: NDArray[np.uint8]
    standing: tuple[Standing, ...]
    water: NDArray[np.uint8]
    fields: NDArray[np.uint8]

    def slope_rows(self, column: int, distance_km: float) -> tuple[int, int] | None:
        """First and last row at which `column` shows the ridge at `distance_km`; None where nearer things hide it."""
        rows = np.flatnonzero(np.isclose(self.depth_km[:, column], distance_km))
        return (int(rows[0]), int(rows[-1])) if len(rows) > 1 else None

    def transmission(self, haze: float) -> NDArray[np.float32]:
        """Share of each pixel's own colour that reaches the camera (Koschmieder's law)."""
        return np.asarray(np.exp(-haze * HAZE_PER_KM * self.depth_km), dtype=np.float32)


def build_terrain(
    rng: np.random.Generator,
    width: int,
    height: int,
    *,
    houses: int,
    keep_clear: Sequence[Solid] = (),
    landscape: Landscape = HIGHLAND,
    view: Projection | None = None,
) -> Terrain:
    """Returns the still layers of one place. Nothing is built on the plots in `keep_clear`. About 0.2 s at 640×360."""
    if view is None:
        view = Projection(width=width, height=height, camera_height_m=landscape.camera_height_m)
    canvas = np.zeros((height, width, 3), np.float32)
    depth = np.full((height, width), _SKY_KM, np.float32)
    trees = np.zeros((height, width), np.float32)
    relief = np.zeros((height, width), np.float32)
    rows = np.arange(height, dtype=np.float32)[:, None]
    grain = _grain_field(rng, width, height)
    for ridge in landscape.ridges:
        line = _crest(rng, width, height, _row_share(view, ridge.crest), ridge.roughness * view.focal / 1.1)
        _paint_ridge(rng, canvas, depth, trees, relief, rows, line, ridge, grain, landscape)
    floor_row = _crest(
        rng, width, height, _row_share(view, landscape.floor_row), 0.008 if landscape.floor != "forest" else 0.03
    )
    fields = _paint_floor(rng, view, canvas, depth, trees, rows, floor_row, grain, landscape)
    image = np.clip(canvas, 0, 255).astype(np.uint8)
    below = rows >= floor_row[None, :]
    relief[below] = 0.0
    road = _road(rng)
    water = _flood(rng, view, image, trees, landscape) if landscape.floor == "lake" else np.zeros(below.shape, np.uint8)
    road = _on_land(view, road, below & (water == 0))
    unpaved = image.copy()
    _paint_road(image, view, road)
    fields[(image != unpaved).any(axis=2)] = 0
    bare = image.copy()
    counts = {
        "tree": round(700 * landscape.trees),
        "house": round(houses * landscape.houses),
        "glass": round(houses * landscape.glass),
    }
    standing = plant_and_build(rng, image, view, trees, depth, counts, keep_clear, road, water)
    plant_foreground(rng, image, depth, trees, landscape.foreground)
    ground = ((image == bare).all(axis=2) & below).astype(np.uint8) * 255
    sky = np.asarray((depth >= _SKY_KM) * 255, dtype=np.uint8)
    return Terrain(
        projection=view,
        clear=image,
        depth_km=depth,
        trees=trees,
        sky=sky,
        road_m=road,
        landscape=landscape,
        relief=relief,
        ground=ground,
        standing=tuple(standing),
        water=water,
        fields=np.asarray(cv2.bitwise_and(fields, ground), dtype=np.uint8),
    )


def _row_share(view: Projection, share: float) -> float:
    """Where a row of the default lens (focal 1.1, horizon at 0.33, 16:9) lies for this one."""
    return view.horizon + (share - 0.33) * view.focal / 1.1 * (view.width / view.height) / (16 / 9)


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
    relief_out: NDArray[np.float32],
    rows: NDArray[np.float32],
    line: NDArray[np.float32],
    ridge: Ridge,
    grain: Field,
    landscape: Landscape,
) -> None:
    distance_km, colour = ridge.distance_km, ridge.colour
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
    cover = (paint(colour) * (1 - 0.28 * warm) + paint(landscape.second) * 0.28 * warm) * shade[..., None]
    canvas[below] = cover[below]
    depth[below] = distance_km
    trees[below] = ridge.forest * min(1.0, 1.0 / distance_km)
    relief_out[below] = light[below]


def _paint_floor(
    rng: np.random.Generator,
    view: Projection,
    canvas: NDArray[np.float32],
    depth: NDArray[np.float32],
    trees: NDArray[np.float32],
    rows: NDArray[np.float32],
    floor_row: NDArray[np.float32],
    grain: Field,
    landscape: Landscape,
) -> NDArray[np.uint8]:
    """Paints the valley floor; returns the number of the field (1–255) that each pixel shows, 0 where none does."""
    height, width = depth.shape
    z = np.broadcast_to(view.depth_m(rows), (height, width))
    x = (np.arange(width, dtype=np.float32)[None, :] / width - 0.5) * z / view.focal
    below = rows >= floor_row[None, :]
    wobble = cv2.resize(fractal_field(rng, 64, 128, slope=1.6), (width, height), interpolation=cv2.INTER_CUBIC)
    u, v = x + 9 * wobble + rng.uniform(0, 4000), z + 14 * wobble + rng.uniform(0, 4000)
    angle = float(rng.uniform(-0.6, 0.6))
    u, v = u * np.cos(angle) - v * np.sin(angle), u * np.sin(angle) + v * np.cos(angle)
    plot_u, plot_v = np.floor(u / 46).astype(np.int64), np.floor(v / 74).astype(np.int64)
    mixed = plot_u * 73856093 ^ plot_v * 19349663
    cover = paint(*landscape.covers)[mixed % len(landscape.covers)]
    if landscape.floor != "crops":
        cover = _wild_cover(rng, landscape, np.asarray(wobble, dtype=np.float32), grain)
    rowing = np.sin(u * 2 * np.pi / 3.2) * np.clip(1.4 - z / 420, 0, 1)
    edge = np.minimum(np.abs(u / 46 - np.round(u / 46)) * 46, np.abs(v / 74 - np.round(v / 74)) * 74)
    hedge = np.clip(1.6 - edge / 1.8, 0, 1) * np.clip(2.0 - z / 700, 0.2, 1)
    shade = 1.0 + 0.07 * rowing + 0.10 * grain + 0.06 * wobble
    if landscape.floor in ("dry", "forest"):  # neither rows nor hedges
        shade = 1.0 + (0.30 if landscape.floor == "forest" else 0.14) * grain + 0.10 * wobble
    if landscape.floor != "crops":
        hedge = np.zeros_like(hedge)
    cover = cover * (1 - 0.45 * hedge[..., None]) * shade[..., None]
    canvas[below] = cover[below]
    depth[below] = (z / 1000.0)[below]
    trees[below] = 0.35
    fields = (1 + mixed % 255) * (below & (landscape.floor == "crops"))
    return np.asarray(fields, dtype=np.uint8)


def _on_land(
    view: Projection, road: tuple[tuple[float, float], ...], land: NDArray[np.bool_]
) -> tuple[tuple[float, float], ...]:
    """The road as far as the valley floor goes."""
    for n, (x_m, z_m) in enumerate(road):
        x, y = view.point(x_m, z_m)
        is_seen = 0 <= x < view.width and 0 <= y < view.height
        if is_seen and not land[int(y), int(x)]:
            return road[: max(2, n)]
    return road


def _wild_cover(rng: np.random.Generator, landscape: Landscape, wobble: Field, grain: Field) -> NDArray[np.float32]:
    """Grass, scrub or canopy: soft patches of the covers' colours instead of fields."""
    height, width = wobble.shape
    patches = cv2.resize(
        fractal_field(rng, 128, 256, slope=1.1, lowest=3), (width, height), interpolation=cv2.INTER_LINEAR
    )
    level = np.clip((0.5 + 0.28 * (patches + 0.5 * wobble)) * (len(landscape.covers) - 1), 0, len(landscape.covers) - 1)
    colours = paint(*landscape.covers)
    low = np.minimum(level.astype(np.int64), len(colours) - 2)
    share = (level - low)[..., None]
    cover = colours[low] * (1 - share) + colours[low + 1] * share
    scrub = np.clip(grain * 1.4 + 0.6 * patches - 1.0, 0, 1)[..., None]
    return np.asarray(cover * (1 - 0.6 * scrub) + paint(landscape.second) * 0.6 * scrub, dtype=np.float32)


def _flood(
    rng: np.random.Generator, view: Projection, image: BgrImage, trees: NDArray[np.float32], landscape: Landscape
) -> NDArray[np.uint8]:
    """Paints the lake: pale far off, darker near, faint streaks across. Returns where it lies (0 or 255)."""
    height, width = trees.shape
    rows = np.arange(height, dtype=np.float32)[:, None] / height
    bays = np.interp(np.linspace(0, 700, width), np.arange(1024), fractal_line(rng, 1024, slope=1.2))
    shore_far = _row_share(view, landscape.floor_row) + 0.016 + 0.007 * bays[None, :]
    across = np.interp(np.linspace(0, 600, width), np.arange(1024), fractal_line(rng, 1024, slope=1.5))
    shore_near = view.horizon + (0.22 + float(rng.uniform(0, 0.16))) + 0.05 * across[None, :]
    share = np.clip((rows - shore_far) * 300, 0, 1) * np.clip((shore_near - rows) * 260, 0, 1)
    streaks = cv2.resize(
        fractal_field(rng, 256, 64, slope=1.0, lowest=2), (width, height), interpolation=cv2.INTER_LINEAR
    )
    streaks = cv2.blur(np.asarray(streaks, dtype=np.float32), (max(3, width // 20) | 1, 1))
    near = np.clip((rows - shore_far) / 0.3, 0, 1)[..., None]
    water = paint((200, 188, 168)) * (1 - near) + paint((142, 124, 94)) * near + 7 * streaks[..., None]
    mirrored = np.exp(-np.clip(rows - shore_far, 0, 1) / (0.02 + 0.008 * bays[None, :]).clip(0.008))[..., None]
    water = water * (1 - 0.7 * mirrored) + paint((84, 92, 74)) * 0.7 * mirrored  # the hills behind it
    weight = share.astype(np.float32)[..., None]
    np.copyto(image, np.clip(image * (1 - weight) + water * weight, 0, 255).astype(np.uint8))
    trees *= 1 - share.astype(np.float32)
    return np.asarray((share > 0.3) * 255, dtype=np.uint8)


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
