"""The part of a scene that stands still: ridges under pine forest, a valley with crops, greenhouses, houses and a road.

One pinhole camera on a hillside looks over a flat valley; everything on the valley floor is placed in metres and
projected, so that sizes, overlaps and haze agree. Colours are BGR.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ioc.opencv import cv2
from ioc.simulate.noise import fractal_field, fractal_line

__all__ = ["AIRLIGHT", "BgrImage", "Projection", "Solid", "Terrain", "build_terrain", "draw_solid", "fill"]

BgrImage = NDArray[np.uint8]
"""Height × width × 3, BGR, 0–255."""
Colour = tuple[float, float, float]

AIRLIGHT: Colour = (216.0, 208.0, 197.0)  # what distance fades into: a pale, slightly blue grey
_HAZE_PER_KM = 0.16  # extinction at haze 1.0: a ridge 6 km away keeps 38 % of its own colour
_SHIFT = 4  # cv2 draws at 1/16 px, so that small houses don't jump with the size of the picture

# (distance km, crest in shares of the height, roughness of the crest, colour); far to near.
_RIDGES: tuple[tuple[float, float, float, Colour], ...] = (
    (14.0, 0.235, 0.028, (96, 92, 74)),
    (8.0, 0.270, 0.024, (80, 92, 70)),
    (4.2, 0.315, 0.030, (56, 80, 58)),
    (2.2, 0.365, 0.022, (44, 72, 50)),
)
_CROPS: tuple[Colour, ...] = ((62, 118, 96), (58, 104, 78), (74, 128, 122), (66, 92, 116), (52, 96, 68), (86, 136, 128))
_WALLS: tuple[Colour, ...] = ((196, 206, 212), (170, 196, 214), (206, 212, 206), (150, 178, 200), (190, 200, 188))
_ROOFS: tuple[Colour, ...] = ((62, 70, 148), (70, 84, 164), (150, 112, 74), (112, 116, 118), (58, 62, 120))


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """Metres on the valley floor (x to the right, z ahead, up) to pixels of the picture."""

    width: int
    height: int
    camera_height_m: float = 60.0
    horizon: float = 0.33

    def point(self, x_m: float, z_m: float, up_m: float = 0.0) -> tuple[float, float]:
        return (
            (0.5 + 1.1 * x_m / z_m) * self.width,
            (self.horizon + 1.95 * (self.camera_height_m - up_m) / z_m) * self.height,
        )

    def pixels_per_m(self, z_m: float) -> float:
        return 1.95 * self.height / z_m

    def depth_m(self, y_px: NDArray[np.float32]) -> NDArray[np.float32]:
        """Distance of the valley floor at picture row `y_px`; far beyond the ridges at and above the horizon."""
        below = np.maximum(y_px / self.height - self.horizon, 1e-3)
        return np.asarray(1.95 * self.camera_height_m / below, dtype=np.float32)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Terrain:
    """The still layers. `clear` is without haze; `depth_km` and `trees` (0–1: what sways) are height × width."""

    projection: Projection
    clear: BgrImage
    depth_km: NDArray[np.float32]
    trees: NDArray[np.float32]
    sky: NDArray[np.uint8]
    road_m: tuple[tuple[float, float], ...]
    crest_px: NDArray[np.float32]

    def transmission(self, haze: float) -> NDArray[np.float32]:
        """Share of each pixel's own colour that reaches the camera (Koschmieder's law)."""
        return np.exp(-haze * _HAZE_PER_KM * self.depth_km)

    def hazed(self, haze: float) -> BgrImage:
        """The still picture as the camera sees it through `haze` (0 none, 1 an ordinary morning)."""
        share = self.transmission(haze)[..., None]
        return np.asarray(self.clear * share + np.float32(AIRLIGHT) * (1.0 - share), dtype=np.uint8)


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


def build_terrain(
    rng: np.random.Generator, width: int, height: int, *, houses: int, keep_clear: Sequence[Solid] = ()
) -> Terrain:
    """Returns the still layers of one place. Nothing is built on the plots in `keep_clear`. About 0.5 s at 1280×720."""
    view = Projection(width=width, height=height)
    canvas = np.zeros((height, width, 3), np.float32)
    depth = np.full((height, width), 40.0, np.float32)
    trees = np.zeros((height, width), np.float32)
    rows = np.arange(height, dtype=np.float32)[:, None]
    crest = np.full(width, height, np.float32)
    for distance_km, crest_share, roughness, colour in _RIDGES:
        line = _crest(rng, width, height, crest_share, roughness)
        crest = np.minimum(crest, line)
        _paint_ridge(rng, canvas, depth, trees, rows, line, distance_km, colour)
    floor_row = _crest(rng, width, height, 0.43, 0.008)
    _paint_floor(rng, view, canvas, depth, trees, rows, floor_row)
    image = np.clip(canvas, 0, 255).astype(np.uint8)
    road = _road(rng)
    _paint_road(image, view, road)
    _plant_and_build(rng, image, view, trees, depth, houses, keep_clear, road)
    _foreground(rng, image, depth, trees)
    sky = (rows < crest[None, :]).astype(np.uint8) * np.uint8(255)
    sky[depth < 39.0] = 0  # a near tree may stand before the sky
    return Terrain(projection=view, clear=image, depth_km=depth, trees=trees, sky=sky, road_m=road, crest_px=crest)


def _crest(rng: np.random.Generator, width: int, height: int, share: float, roughness: float) -> NDArray[np.float32]:
    line = fractal_line(rng, 2048, slope=1.35)
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
) -> None:
    height, width = depth.shape
    relief = cv2.resize(fractal_field(rng, 256, 512, slope=1.5), (width, height), interpolation=cv2.INTER_CUBIC)
    gullies = np.cumsum(np.gradient(relief, axis=1), axis=0)  # they run downhill
    relief = np.asarray(relief + min(0.015, 0.06 / distance_km) * gullies, dtype=np.float32)
    light = cv2.Sobel(relief, cv2.CV_32F, 1, 0, ksize=5)
    light = cv2.GaussianBlur(light, (0, 0), 0.004 * width)
    light = light / (light.std() + 1e-6)
    # Crowns: fine and upright; a far forest is smoother than a near one.
    grain = fractal_field(rng, 512, 1024, slope=0.55, lowest=24)
    tile = cv2.resize(grain, (max(width, 64), max(height, 64)), interpolation=cv2.INTER_AREA)[:height, :width]
    roughness = float(np.clip(2.6 / distance_km, 0.12, 0.9))
    jagged = line[None, :] - np.abs(tile[:1]) * height * 0.004 * roughness * 3
    below = rows >= jagged
    shade = 1.0 + 0.13 * light + 0.2 * roughness * tile + 0.05 * relief
    warm = np.clip(0.5 + 0.35 * relief, 0, 1)[..., None]  # cut-over and dry grass among the pines
    paint = (np.float32(colour) * (1 - 0.28 * warm) + np.float32((70, 108, 104)) * 0.28 * warm) * shade[..., None]
    canvas[below] = paint[below]
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
) -> None:
    height, width = depth.shape
    z = np.broadcast_to(view.depth_m(rows), (height, width))
    x = (np.arange(width, dtype=np.float32)[None, :] / width - 0.5) * z / 1.1
    below = rows >= floor_row[None, :]
    wobble = cv2.resize(fractal_field(rng, 64, 128, slope=1.6), (width, height), interpolation=cv2.INTER_CUBIC)
    u, v = x + 9 * wobble, z + 14 * wobble
    angle = 0.35
    u, v = u * np.cos(angle) - v * np.sin(angle), u * np.sin(angle) + v * np.cos(angle)
    plot_u, plot_v = np.floor(u / 46).astype(np.int64), np.floor(v / 74).astype(np.int64)
    plot = (plot_u * 73856093 ^ plot_v * 19349663) % len(_CROPS)
    paint = np.float32(_CROPS)[plot]
    rowing = np.sin(u * 2 * np.pi / 3.2) * np.clip(1.4 - z / 420, 0, 1)
    edge = np.minimum(np.abs(u / 46 - np.round(u / 46)) * 46, np.abs(v / 74 - np.round(v / 74)) * 74)
    hedge = np.clip(1.6 - edge / 1.8, 0, 1) * np.clip(2.0 - z / 700, 0.2, 1)
    grain = cv2.resize(fractal_field(rng, 512, 1024, slope=0.7, lowest=10), (width, height))
    shade = 1.0 + 0.07 * rowing + 0.10 * grain + 0.06 * wobble
    paint = paint * (1 - 0.45 * hedge[..., None]) * shade[..., None]
    canvas[below] = paint[below]
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


def _plant_and_build(
    rng: np.random.Generator,
    image: BgrImage,
    view: Projection,
    trees: NDArray[np.float32],
    depth: NDArray[np.float32],
    houses: int,
    keep_clear: Sequence[Solid],
    road: Sequence[tuple[float, float]],
) -> None:
    things: list[tuple[float, float, str]] = []
    road_x = {round(z): x for x, z in road}
    for kind, count, near, far in (
        ("tree", 700, 190, 1100),
        ("house", houses, 240, 950),
        ("glass", houses // 3, 260, 900),
    ):
        for _ in range(count):
            z = near * (far / near) ** float(rng.random())
            x = float(rng.uniform(-0.5, 0.5)) * z / 1.1
            if kind == "house" and rng.random() < 0.6:  # houses line the road
                nearest = min(road_x, key=lambda known: abs(known - z))
                x = road_x[nearest] + float(rng.choice((-1, 1)) * rng.uniform(14, 30))
            things.append((z, x, kind))
    for z, x, kind in sorted(things, reverse=True):
        reach = 26.0 if kind == "glass" else 14.0
        if any(
            abs(x - plot.x_m) < plot.width_m / 2 + reach and abs(z - plot.z_m) < plot.depth_m / 2 + 2.2 * reach
            for plot in keep_clear
        ):
            continue
        if any(abs(x - rx) < 8.0 + (reach - 14) and abs(z - rz) < 20 for rx, rz in road):
            continue
        if kind == "tree":
            _plant(rng, image, trees, depth, view, x, z)
        else:
            _build(rng, image, view, x, z, kind)


def _build(rng: np.random.Generator, image: BgrImage, view: Projection, x: float, z: float, kind: str) -> None:
    turn = float(rng.uniform(-0.6, 0.6))
    if kind == "glass":  # the plastic greenhouses of the Đà Lạt highland
        tone = float(rng.uniform(178, 222))
        solid = Solid(
            x_m=x,
            z_m=z,
            width_m=float(rng.uniform(22, 44)),
            depth_m=float(rng.uniform(14, 26)),
            height_m=3.4,
            turn=turn * 0.4,
            wall=(tone, tone, tone - 8),
            roof=(tone + 14, tone + 12, tone + 4),
        )
        draw_solid(image, view, solid)
        return
    solid = Solid(
        x_m=x,
        z_m=z,
        width_m=float(rng.uniform(7, 13)),
        depth_m=float(rng.uniform(7, 11)),
        height_m=float(rng.choice((3.6, 6.8, 10.0), p=(0.45, 0.42, 0.13))),
        turn=turn,
        wall=_WALLS[int(rng.integers(len(_WALLS)))],
        roof=_ROOFS[int(rng.integers(len(_ROOFS)))],
        roof_m=float(rng.uniform(1.2, 3.0)),
    )
    draw_solid(image, view, solid, windows=3 if view.pixels_per_m(z) > 2.2 else 0)


def _plant(
    rng: np.random.Generator,
    image: BgrImage,
    trees: NDArray[np.float32],
    depth: NDArray[np.float32],
    view: Projection,
    x: float,
    z: float,
) -> None:
    foot_x, foot_y = view.point(x, z)
    tall = float(rng.uniform(7, 15)) * view.pixels_per_m(z)
    _stamp_pine(rng, image, depth, trees, foot_x, foot_y, tall, z / 1000.0)


def _foreground(
    rng: np.random.Generator, image: BgrImage, depth: NDArray[np.float32], trees: NDArray[np.float32]
) -> None:
    """The camera's own slope: pine tops in the lower corners."""
    height, width = depth.shape
    side = float(rng.choice((-1, 1)))
    count = 46
    for n in range(count):
        share = n / count
        reach = abs(float(rng.normal(0, 0.15)))
        on_main_side = rng.random() < 0.75
        x = (reach if (side < 0) == on_main_side else 1 - reach) * width
        lean = 1 - min(1.0, reach / 0.34)
        foot = (1.22 - 0.16 * lean * (1 - share) + 0.10 * share) * height
        _stamp_pine(rng, image, depth, trees, x, foot, (0.20 + 0.16 * lean * float(rng.random())) * height, 0.06)


def _stamp_pine(
    rng: np.random.Generator,
    image: BgrImage,
    depth: NDArray[np.float32],
    trees: NDArray[np.float32],
    foot_x: float,
    foot_y: float,
    tall: float,
    distance_km: float,
) -> None:
    """Paints one pine whose foot stands at (foot_x, foot_y), `tall` pixels high."""
    tall_px = max(2, round(tall))
    half = max(1, round(tall * 0.24))
    x0, y0 = round(foot_x) - half, round(foot_y) - tall_px
    left, top = max(0, x0), max(0, y0)
    right, bottom = min(image.shape[1], x0 + 2 * half + 1), min(image.shape[0], y0 + tall_px)
    if left >= right or top >= bottom:
        return
    down = (np.arange(top, bottom, dtype=np.float32)[:, None] - y0) / tall_px
    across = (np.arange(left, right, dtype=np.float32)[None, :] - foot_x) / half
    tiers = 0.72 + 0.28 * ((down * 6.5 + float(rng.random())) % 1.0)
    ragged = rng.uniform(0.75, 1.1, down.shape).astype(np.float32)
    reach = np.clip(down, 0, 0.93) ** 0.8 * tiers * ragged
    inside = np.abs(across) <= reach
    light = 0.86 - 0.34 * across / np.maximum(reach, 0.15) * 0.6 + rng.normal(0, 0.11, inside.shape)
    tone = float(rng.uniform(0.8, 1.15))
    paint = np.clip(np.float32((42, 72, 50)) * (light * tone)[..., None], 0, 255)
    area = (slice(top, bottom), slice(left, right))
    image[area][inside] = paint[inside]
    depth[area][inside] = distance_km
    trees[area][inside] = 1.0
