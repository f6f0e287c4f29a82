"""Backgrounds without a photo: valleys of `ioc simulate` and layered ridges made of noise, with their sky masks.

python -m deploy.training.smoke.backgrounds --out backgrounds.npz --scenes 150 --ridges 350
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ioc.opencv import cv2
from ioc.simulate.noise import Field, fractal_field, fractal_line
from ioc.simulate.scenes import Scene, SceneSpec

__all__ = ["FRAMES", "HEIGHT", "WIDTH", "Backgrounds", "ridges"]

WIDTH, HEIGHT = 640, 480
FRAMES = 8  # consecutive frames of a rendered scene: its own clouds, shadows and cars
Image = NDArray[np.uint8]


class Backgrounds:
    """`stills` (N × frames × H × W × 3; ridges repeat one frame) and `sky` (N × H × W, 255 where sky)."""

    def __init__(self, path: Path) -> None:
        data = np.load(path)
        self.scenes, self.scene_sky = data["scenes"], data["scene_sky"]
        self.ridges, self.ridge_sky = data["ridges"], data["ridge_sky"]

    def one(self, rng: np.random.Generator) -> tuple[list[Image], Image]:
        """Returns the frames of one place and its sky mask."""
        if rng.random() < 0.4:
            n = int(rng.integers(len(self.scenes)))
            return list(self.scenes[n]), self.scene_sky[n]
        n = int(rng.integers(len(self.ridges)))
        return [self.ridges[n]], self.ridge_sky[n]


def scene(seed: int) -> tuple[NDArray[np.uint8], Image]:
    """Returns consecutive frames of a rendered valley, seed below 10,000, and its sky mask."""
    rng = np.random.default_rng([seed, 11])
    wide = rng.random() < 0.5
    width, height = (854, 480) if wide else (640, 480)
    spec = SceneSpec(
        seed=seed,
        width=width,
        height=height,
        haze=float(rng.uniform(0, 1.8)),
        cloud_cover=float(rng.uniform(0, 1)),
        drifting_haze=float(rng.choice([0, 0, 0.4, 0.9])),
        vehicles=float(rng.choice([0.2, 2.0])),
        houses=int(rng.integers(0, 120)),
        shake_px=float(rng.choice([0.0, 0.35])),
    )
    drawn = Scene(spec)
    left = int(rng.integers(0, width - WIDTH + 1))
    frames = np.stack([drawn.render(n)[:, left : left + WIDTH] for n in range(FRAMES)])
    sky = drawn._terrain.sky[:, left : left + WIDTH]
    return frames, np.where(sky > 0, 255, 0).astype(np.uint8)


_GROUND = (
    (60, 85, 70),
    (50, 75, 90),
    (70, 110, 120),
    (85, 120, 150),
    (60, 70, 75),
    (40, 60, 45),
    (110, 130, 150),
    (95, 115, 110),
)


def ridges(seed: int) -> tuple[Image, Image]:
    """Returns one landscape of ridges behind ridges (H × W × 3) and its sky mask; the nearer the rougher."""
    rng = np.random.default_rng([seed, 12])
    air = float(rng.uniform(140, 235)) * (np.array((1, 0.97, 0.94), np.float32) + rng.normal(0, 0.025, 3))
    blue = float(rng.uniform(0, 1))  # 0 a white sky, 1 a deep blue one
    top = air * (1 - blue * np.array((0.15, 0.5, 0.75)) + rng.normal(0, 0.03, 3))
    line = float(rng.uniform(0.15, 0.55)) * HEIGHT
    share = np.clip(np.arange(HEIGHT, dtype=np.float32) / max(line, 1), 0, 1)[:, None, None] ** float(
        rng.uniform(0.6, 2)
    )
    image = np.broadcast_to(top * (1 - share) + air * share, (HEIGHT, WIDTH, 3)).astype(np.float32).copy()
    sky = np.full((HEIGHT, WIDTH), 255, np.uint8)
    rows = np.arange(HEIGHT, dtype=np.float32)[:, None]
    layers = int(rng.integers(2, 8))
    haze = float(rng.uniform(0.3, 0.97))
    for n in range(layers):
        near = n / max(layers - 1, 1)
        crest = (
            line
            + (HEIGHT - line) * 0.75 * near**1.6
            + fractal_line(rng, WIDTH, slope=float(rng.uniform(1, 1.8))) * (5 + 40 * rng.random() * (0.2 + near))
        )
        mask = rows > crest[None, :]
        ground = _ground(rng, near) * float(rng.uniform(0.6, 1.25))
        clear = (1 - haze) + haze * near ** float(rng.uniform(0.4, 1.2))
        down = np.clip((rows - crest[None, :]) / (HEIGHT - line), 0, 1)[..., None]  # a slope comes nearer downwards
        clear = np.clip(clear + (1 - clear) * down * float(rng.uniform(0, 1.5)), 0, 1)
        layer = ground * clear + air * (1 - clear)
        image[mask] = layer[mask]
        sky[mask] = 0
    _things(rng, image, sky, line)
    return np.clip(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.3, 0.9))), 0, 255).astype(np.uint8), sky


def _field(rng: np.random.Generator, slope: float, lowest: float = 1, stretch: float = 1) -> Field:
    field = fractal_field(rng, 256, 256, slope=slope, lowest=lowest)
    size = (int(WIDTH), int(HEIGHT * max(stretch, 1)))
    return np.asarray(cv2.resize(field, size, interpolation=cv2.INTER_LINEAR)[:HEIGHT], np.float32)


def _ground(rng: np.random.Generator, near: float) -> NDArray[np.float32]:
    first, second, third = (np.array(_GROUND[int(n)], np.float32) for n in rng.integers(0, len(_GROUND), 3))
    patches = np.clip(_field(rng, float(rng.uniform(1, 2)), 2 + 6 * rng.random()) * 3 + rng.normal(), 0, 1)[..., None]
    spots = np.clip(_field(rng, float(rng.uniform(0.4, 1.2)), 4 + 20 * rng.random()) * 4 - rng.uniform(0, 8), 0, 1)[
        ..., None
    ]
    ground = first * (1 - patches) + second * patches
    ground = ground * (1 - spots) + third * float(rng.choice([0.35, 1.0, 1.7])) * spots
    rough = rng.normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32)
    rough = cv2.GaussianBlur(rough, (0, 0), 0.5 + 1.5 * rng.random())
    rough = rough / max(float(rough.std()), 1e-3)
    light = 1 + float(rng.uniform(0.03, 0.3)) * rough + float(rng.uniform(0.05, 0.3)) * _field(rng, 1.0, 3)
    return np.asarray(ground * np.clip(light, 0.15, 2.2)[..., None], np.float32)


def _things(rng: np.random.Generator, image: NDArray[np.float32], sky: Image, line: float) -> None:
    """Houses, roads, water, trees, masts: hard edges, which haze and smoke take away."""
    for _ in range(int(rng.choice([0, 5, 40]))):
        x, y = int(rng.uniform(0, WIDTH)), int(rng.uniform(line + 20, HEIGHT))
        side = max(2, int((y - line) / HEIGHT * rng.uniform(4, 30)))
        paint = tuple(float(v) for v in rng.uniform(40, 240) * rng.uniform(0.8, 1.2, 3))
        cv2.rectangle(image, (x, y), (x + side, y + max(1, side // 2)), paint, -1)
    if rng.random() < 0.3:
        points = np.cumsum(rng.normal((60, 0), (30, 14), (14, 2)), 0)
        points += np.array((-60, rng.uniform(line + 20, HEIGHT)))
        cv2.polylines(image, [points.astype(np.int32)], False, (150, 160, 165), int(rng.integers(1, 6)), cv2.LINE_AA)
    for _ in range(int(rng.choice([0, 0, 6, 40]))):
        x, y, side = float(rng.uniform(0, WIDTH)), float(rng.uniform(HEIGHT * 0.6, HEIGHT)), float(rng.uniform(6, 60))
        leaves = rng.normal((x, y), side / 2, (60, 2))
        shade = float(rng.uniform(0.3, 1))
        for px, py in leaves:
            tone = shade * rng.uniform(0.5, 1.2)
            cv2.circle(image, (int(px), int(py)), max(1, int(side * 0.12)), (45 * tone, 70 * tone, 60 * tone), -1)
            cv2.circle(sky, (int(px), int(py)), max(1, int(side * 0.12)), 0, -1)
    for _ in range(int(rng.choice([0, 0, 1, 3]))):
        x = float(rng.uniform(0, WIDTH))
        lean = rng.normal(0, 8)
        ends = (int(x), HEIGHT), (int(x + lean), int(rng.uniform(0, line)))
        tone, wide = float(rng.uniform(20, 200)), int(rng.integers(1, 8))
        cv2.line(image, *ends, (tone, tone, tone), wide, cv2.LINE_AA)
        cv2.line(sky, *ends, 0, wide + 1)


def main() -> None:
    """Writes the pool."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scenes", type=int, default=150)
    parser.add_argument("--ridges", type=int, default=350)
    parser.add_argument("--seed", type=int, default=1000)
    args = parser.parse_args()
    scenes = [scene(args.seed + n) for n in range(args.scenes)]
    made = [ridges(args.seed + n) for n in range(args.ridges)]
    np.savez(
        args.out,
        scenes=np.stack([s[0] for s in scenes]),
        scene_sky=np.stack([s[1] for s in scenes]),
        ridges=np.stack([m[0] for m in made]),
        ridge_sky=np.stack([m[1] for m in made]),
    )


if __name__ == "__main__":
    main()
