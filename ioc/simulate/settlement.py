"""What stands on the valley floor and before the camera: pines, houses, the greenhouses of the highland."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ioc.simulate.perspective import BgrImage, Colour, Projection, Solid, draw_solid, paint

__all__ = ["Standing", "plant_and_build", "plant_foreground"]

_WALLS: tuple[Colour, ...] = ((196, 206, 212), (170, 196, 214), (206, 212, 206), (150, 178, 200), (190, 200, 188))
_ROOFS: tuple[Colour, ...] = ((62, 70, 148), (70, 84, 164), (150, 112, 74), (112, 116, 118), (58, 62, 120))


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One thing that stands on the valley floor and throws a shadow: `kind` is tree, house or glass. Metres."""

    x_m: float
    z_m: float
    half_m: float
    height_m: float
    kind: str


def plant_and_build(
    rng: np.random.Generator,
    image: BgrImage,
    view: Projection,
    trees: NDArray[np.float32],
    depth: NDArray[np.float32],
    counts: Mapping[str, int],
    keep_clear: Sequence[Solid],
    road: Sequence[tuple[float, float]],
    water: NDArray[np.uint8],
) -> list[Standing]:
    """Paints trees, houses and greenhouses far to near; returns what stands where."""
    standing: list[Standing] = []
    things: list[tuple[float, float, str]] = []
    road_x = {round(z): x for x, z in road}
    road_x_m, road_z_m = np.array(road).T
    for kind, count, near, far in (
        ("tree", counts["tree"], 190, 1100),
        ("house", counts["house"], 240, 950),
        ("glass", counts["glass"], 260, 900),
    ):
        for _ in range(count):
            z = near * (far / near) ** float(rng.random())
            x = float(rng.uniform(-0.5, 0.5)) * z / view.focal
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
        if ((np.abs(x - road_x_m) < 8.0 + 2 * (reach - 14)) & (np.abs(z - road_z_m) < 20)).any():
            continue
        foot_x, foot_y = view.point(x, z)
        if 0 <= foot_x < view.width and 0 <= foot_y < view.height and water[int(foot_y), int(foot_x)]:
            continue
        if kind == "tree":
            standing.append(_plant(rng, image, trees, depth, view, x, z))
        else:
            standing.append(_build(rng, image, view, x, z, kind))
    return standing


def _build(rng: np.random.Generator, image: BgrImage, view: Projection, x: float, z: float, kind: str) -> Standing:
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
        return Standing(x_m=x, z_m=z, half_m=solid.width_m / 2, height_m=3.4, kind=kind)
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
    return Standing(x_m=x, z_m=z, half_m=solid.width_m / 2, height_m=solid.height_m + solid.roof_m / 2, kind=kind)


def _plant(
    rng: np.random.Generator,
    image: BgrImage,
    trees: NDArray[np.float32],
    depth: NDArray[np.float32],
    view: Projection,
    x: float,
    z: float,
) -> Standing:
    foot_x, foot_y = view.point(x, z)
    tall_m = float(rng.uniform(7, 15))
    _stamp_pine(rng, image, depth, trees, foot_x, foot_y, tall_m * view.pixels_per_m(z), z / 1000.0)
    return Standing(x_m=x, z_m=z, half_m=0.24 * tall_m, height_m=tall_m, kind="tree")


def plant_foreground(
    rng: np.random.Generator, image: BgrImage, depth: NDArray[np.float32], trees: NDArray[np.float32], share: float
) -> None:
    """The camera's own slope: pine tops in the lower corners; `share` (0–1) of them."""
    height, width = depth.shape
    side = float(rng.choice((-1, 1)))
    count = round(46 * share)
    for n in range(count):
        order = n / count
        reach = abs(float(rng.normal(0, 0.15)))
        on_main_side = rng.random() < 0.75
        x = (reach if (side < 0) == on_main_side else 1 - reach) * width
        lean = 1 - min(1.0, reach / 0.34)
        foot = (1.22 - 0.16 * lean * (1 - order) + 0.10 * order) * height
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
    needles = np.clip(paint((42, 72, 50)) * (light * tone)[..., None], 0, 255)
    area = (slice(top, bottom), slice(left, right))
    image[area][inside] = needles[inside]
    depth[area][inside] = distance_km
    trees[area][inside] = 1.0
