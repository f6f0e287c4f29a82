"""Makes training samples: what the network would be shown (now, slow, fast), and where there is smoke.

    python -m deploy.training.smoke.samples --backgrounds bg.npz --clip test_smoke.mp4 --out part0 --count 4000 --seed 1

Writes part0.images.npy (N × 3 × side × side × 3, uint8) and part0.labels.npy (N × 2 × rows × columns, float32: share
of smoke, weight). A sequence of 5 to 40 frames stands behind each sample, learnt by the detector's own background.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.training.smoke.backgrounds import Backgrounds
from deploy.training.smoke.nuisances import Camera, Scenery
from deploy.training.smoke.plumes import Clip, Noise, random_plume
from detectors.smoke.background import ColourBackground
from ioc.opencv import cv2

__all__ = ["CELL", "SIDE", "Samples", "labels_of"]

SIDE, CELL, MARGIN = 192, 16, 12
CANVAS = SIDE + 2 * MARGIN
SEEN_ALPHA, SEEN_LEVELS = 0.08, 5.0


class Samples:
    """The generator; `some()` yields the samples of one sequence."""

    def __init__(self, backgrounds: Backgrounds, clip: Clip, seed: int) -> None:
        self._backgrounds, self._clip = backgrounds, clip
        self._rng = np.random.default_rng([seed, 77])
        self._noise = Noise(self._rng)

    def some(self) -> list[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
        """Returns 2 samples of one sequence: images 3 × side × side × 3 and labels 2 × rows × columns."""
        rng = self._rng
        frames, sky = self._cut(*self._backgrounds.one(rng))
        air = self._air(frames[0], sky)
        is_smoky = rng.random() < 0.6
        scenery = Scenery(rng, self._noise, sky, air, float(rng.choice((0.15, 0.5, 1.0))))
        camera = Camera(rng, SIDE, MARGIN)
        last = int(np.exp(rng.uniform(np.log(5), np.log(40))))
        plume = random_plume(rng, self._noise, self._clip, CANVAS, air) if is_smoky else None
        # Most fires begin while the camera watches; some have burnt from the first frame on, as recordings do.
        begun = -float(rng.uniform(0, 30)) if rng.random() < 0.3 else float(rng.integers(0, max(1, last)))
        pace = float(np.exp(rng.uniform(np.log(0.3), np.log(3))))
        # A third of the cameras send a frame each 5 to 20 s: everything but the camera's own noise goes more slowly.
        step = float(np.exp(rng.uniform(np.log(1 / 12), np.log(1 / 3)))) if rng.random() < 0.35 else 1.0
        shown = {last, max(4, last - int(rng.integers(1, 8)))} if last > 5 else {last}
        holds, hold_from = rng.random() < 0.6, int(rng.integers(1, 6))
        background, puffs = ColourBackground(), 0
        made = []
        still = len(frames) == 1
        for t in range(last + 1):
            n = int(t * step)
            canvas = frames[0 if still else (n if n < len(frames) else len(frames) - 1 - n % len(frames)) % len(frames)]
            canvas = scenery.draw(canvas.astype(np.float32), t * step)
            puff = plume.at((t - begun) * pace * step) if plume is not None else None
            seen = None
            if puff is not None:
                share = puff.alpha[..., None]
                change = np.abs(puff.paint - canvas).mean(2) * puff.alpha
                seen = (puff.alpha, change)
                canvas = canvas * (1 - share) + puff.paint * share
            image = camera.take(np.ascontiguousarray(canvas, np.float32), t)
            if t in shown:
                images = np.stack([image, background.slow, background.fast])
                made.append((images, labels_of(seen, images)))
            held = None
            if seen is not None and seen[0].max() > SEEN_ALPHA:
                puffs += 1
                if holds and puffs > hold_from:
                    held = _cells(seen[0] > SEEN_ALPHA).astype(bool)
            elif rng.random() < 0.05:
                held = rng.random((SIDE // CELL, SIDE // CELL)) < 0.1
            background.learn(image, held)
        return made

    def _cut(
        self, frames: list[NDArray[np.uint8]], sky: NDArray[np.uint8]
    ) -> tuple[list[NDArray[np.uint8]], NDArray[np.float32]]:
        """A random square of the place, scaled and flipped; squares near the skyline are the more likely."""
        rng = self._rng
        height, width = sky.shape
        side = int(min(height, CANVAS * float(np.exp(rng.uniform(np.log(0.55), np.log(1.9))))))
        left = int(rng.integers(0, width - side + 1))
        if rng.random() < 0.6:
            ground = np.nonzero(sky[:, left + side // 2] == 0)[0]
            line = int(ground[0]) if len(ground) else height // 2
            top = int(np.clip(line - side * rng.uniform(0.1, 0.8), 0, height - side))
        else:
            top = int(rng.integers(0, height - side + 1))
        area = np.s_[top : top + side, left : left + side]
        way = cv2.INTER_AREA if side > CANVAS else cv2.INTER_CUBIC
        flip = rng.random() < 0.5
        cuts = [cv2.resize(f[area], (CANVAS, CANVAS), interpolation=way) for f in frames]
        mask = cv2.resize(sky[area], (CANVAS, CANVAS), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        if flip:
            cuts, mask = [c[:, ::-1] for c in cuts], mask[:, ::-1]
        if len(cuts) > 1 and rng.random() < 0.3:
            cuts = cuts[:1]
        return cuts, np.ascontiguousarray(mask)

    def _air(self, image: NDArray[np.uint8], sky: NDArray[np.float32]) -> NDArray[np.float32]:
        if (sky > 0.9).sum() > 50:
            return np.asarray(image[sky > 0.9].mean(0), np.float32)
        return np.asarray(image.reshape(-1, 3).mean(0) * 0.4 + (130, 125, 118), np.float32)


def _cells(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    inner = mask[MARGIN:-MARGIN, MARGIN:-MARGIN].astype(np.float32)
    return np.asarray(cv2.resize(inner, (len(inner) // CELL, len(inner) // CELL), interpolation=cv2.INTER_AREA))


def labels_of(
    seen: tuple[NDArray[np.float32], NDArray[np.float32]] | None, images: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Returns (share of smoke, weight) of each cell. Smoke that nobody could see, or that no plane shows, weighs 0."""
    size = images.shape[1] // CELL
    if seen is None:
        return np.stack([np.zeros((size, size), np.float32), np.ones((size, size), np.float32)])
    alpha, change = seen
    any_smoke = _cells(alpha > 0.02)
    visible = _cells((alpha > SEEN_ALPHA) & (change > SEEN_LEVELS))
    now = images[0].astype(np.int16)
    moved = np.maximum(np.abs(now - images[1]).mean(2), np.abs(now - images[2]).mean(2))
    moved = cv2.resize(cv2.blur(moved.astype(np.float32), (5, 5)), (size, size), interpolation=cv2.INTER_AREA)
    share = np.clip(visible * 1.6, 0, 1)
    weight = np.ones_like(share)
    weight[(any_smoke > 0) & (share < 0.15)] = 0
    share[weight == 0] = 0
    weight[(share > 0) & (moved < 2.0)] = 0.0
    return np.stack([share, weight]).astype(np.float32)


def main() -> None:
    """Writes one part of the training set."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--backgrounds", type=Path, required=True)
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    source = Samples(Backgrounds(args.backgrounds), Clip(args.clip), args.seed)
    images = np.lib.format.open_memmap(
        f"{args.out}.images.npy", mode="w+", dtype=np.uint8, shape=(args.count, 3, SIDE, SIDE, 3)
    )
    labels = np.zeros((args.count, 2, SIDE // CELL, SIDE // CELL), np.float32)
    done = 0
    while done < args.count:
        for image, label in source.some():
            if done < args.count:
                images[done], labels[done] = image, label
                done += 1
    images.flush()
    np.save(f"{args.out}.labels.npy", labels)


if __name__ == "__main__":
    main()
