"""Training samples out of the shared HPWREN sequences, for the separately licensed weights only.

    python -m deploy.training.smoke.real --data DATA --clip test_smoke.mp4 --out real0 --count 3000 --seed 1

Half are real smoke and what is beside it, labelled by the shared boxes; half are composited plumes on the parts of the
same cameras that no box of the whole sequence touches. `real0.sites.json` names each sample's site, so that a fold can
leave a site out.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.training.smoke.plumes import Clip
from deploy.training.smoke.samples import CELL, SIDE, Samples
from deploy.training.smoke.sequences import Sequence, real_sequences
from detectors.smoke.background import ColourBackground
from ioc.opencv import cv2

__all__ = ["Boxed", "RealPlaces"]


class RealPlaces:
    """Stands in for the rendered backgrounds: box-free squares of real sequences, frame by frame."""

    def __init__(self, sequences: list[Sequence]) -> None:
        self._sequences = sequences
        self.site = ""

    def one(self, rng: np.random.Generator) -> tuple[list[NDArray[np.uint8]], NDArray[np.uint8]]:
        """Returns consecutive frames of one square and an empty sky mask (clouds are real here)."""
        while True:
            sequence = self._sequences[int(rng.integers(len(self._sequences)))]
            height, width = sequence.frames[0].image.shape[:2]
            side = int(min(rng.uniform(140, 300), height - 1))
            left, top = int(rng.integers(0, width - side)), int(rng.integers(0, height - side))
            if rng.random() < 0.6 and height > 300:  # about the skyline
                top = int(np.clip(rng.uniform(0.3, 0.6) * height - side / 2, 0, height - side))
            edges = (left / width, top / height, (left + side) / width, (top + side) / height)
            boxes = [b for f in sequence.frames for b in f.boxes]
            if any(b[0] < edges[2] and edges[0] < b[2] and b[1] < edges[3] and edges[1] < b[3] for b in boxes):
                continue
            self.site = sequence.site
            start = int(rng.integers(0, max(1, len(sequence.frames) - 10)))
            step = int(rng.choice((1, -1)))
            order = range(start, len(sequence.frames)) if step > 0 else range(len(sequence.frames) - 1 - start, -1, -1)
            frames = [sequence.frames[n].image[top : top + side, left : left + side] for n in order]
            return frames, np.zeros((side, side), np.uint8)


class Boxed:
    """Squares of a real sequence with labels from its boxes."""

    def __init__(self, sequences: list[Sequence], seed: int) -> None:
        self._sequences = [s for s in sequences if s.frames[0].image.shape[0] >= SIDE]
        self._rng = np.random.default_rng([seed, 78])
        self.site = ""

    def some(self) -> list[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
        """Returns samples of one run through one sequence, at one scale, in one direction."""
        rng = self._rng
        sequence = self._sequences[int(rng.integers(len(self._sequences)))]
        self.site = sequence.site
        height, width = sequence.frames[0].image.shape[:2]
        scale = max(float(np.exp(rng.uniform(np.log(0.7), np.log(1.6)))), (SIDE + 2) / height)
        size = (round(width * scale), round(height * scale))
        frames = list(sequence.frames)
        if rng.random() < 0.35:
            frames.reverse()
        start = int(rng.integers(0, max(1, len(frames) - 12)))
        frames = frames[start :: int(rng.choice((1, 1, 1, 2)))]
        touched = self._touched(sequence, size)
        holds = rng.random() < 0.6
        background, made = ColourBackground(), []
        shown = set(
            rng.choice(np.arange(4, max(5, len(frames))), min(6, max(1, len(frames) - 4)), replace=False).tolist()
        )
        shake = float(rng.choice((0, 0.3, 1.5)))
        for number, frame in enumerate(frames):
            if number > max(shown):
                break
            image = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
            if shake:
                dx, dy = rng.normal(0, shake, 2)
                image = cv2.warpAffine(
                    image, np.array([[1, 0, dx], [0, 1, dy]], np.float32), size, borderMode=cv2.BORDER_REPLICATE
                )
            inside = _filled(frame.boxes, size)
            if number in shown:
                slow, fast = background.slow, background.fast
                made += [self._cut(image, slow, fast, inside, touched, is_near=rng.random() < 0.6) for _ in range(3)]
            held = None
            if holds and number >= 5:
                held = cv2.resize(inside, (size[0] // CELL, size[1] // CELL), interpolation=cv2.INTER_AREA) > 60
            background.learn(np.asarray(image, np.uint8), held)
        return made

    def _touched(self, sequence: Sequence, size: tuple[int, int]) -> NDArray[np.uint8]:
        mask = _filled([b for f in sequence.frames for b in f.boxes], size)
        return np.asarray(cv2.dilate(mask, np.ones((33, 33), np.uint8)))

    def _cut(
        self,
        now: NDArray[np.uint8],
        slow: NDArray[np.uint8],
        fast: NDArray[np.uint8],
        inside: NDArray[np.uint8],
        touched: NDArray[np.uint8],
        *,
        is_near: bool,
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        rng = self._rng
        height, width = inside.shape
        if is_near and inside.any():
            ys, xs = np.nonzero(inside)
            pick = int(rng.integers(len(ys)))
            left = int(np.clip(xs[pick] - rng.uniform(0.15, 0.85) * SIDE, 0, width - SIDE))
            top = int(np.clip(ys[pick] - rng.uniform(0.15, 0.85) * SIDE, 0, height - SIDE))
        else:
            left, top = int(rng.integers(0, width - SIDE + 1)), int(rng.integers(0, height - SIDE + 1))
        area = np.s_[top : top + SIDE, left : left + SIDE]
        images = np.stack([now[area], slow[area], fast[area]])
        cells = (SIDE // CELL, SIDE // CELL)
        share = cv2.resize(inside[area], cells, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        near = cv2.resize(touched[area], cells, interpolation=cv2.INTER_AREA)
        level = images.astype(np.int16)
        moved = np.maximum(np.abs(level[0] - level[1]).mean(2), np.abs(level[0] - level[2]).mean(2))
        moved = cv2.resize(cv2.blur(moved.astype(np.float32), (5, 5)), cells, interpolation=cv2.INTER_AREA)
        target = np.where(share > 0.5, 0.9, 0).astype(np.float32)
        weight = np.where(share > 0.5, np.where(moved > 2.5, 1.0, 0.1), np.where(near > 0, 0.0, 1.0))
        return images, np.stack([target, weight.astype(np.float32)])


def _filled(boxes: list[tuple[float, float, float, float]], size: tuple[int, int]) -> NDArray[np.uint8]:
    mask = np.zeros((size[1], size[0]), np.uint8)
    for left, top, right, bottom in boxes:
        mask[int(top * size[1]) : round(bottom * size[1]), int(left * size[0]) : round(right * size[0])] = 255
    return mask


def main() -> None:
    """Writes one part."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--boxed", type=float, default=0.6)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    sequences = [s for s in real_sequences(args.data) if s.site.startswith("hpwren")]
    places, boxed = RealPlaces(sequences), Boxed(sequences, args.seed)
    composed = Samples(places, Clip(args.clip), args.seed + 500)
    images = np.zeros((args.count, 3, SIDE, SIDE, 3), np.uint8)
    labels = np.zeros((args.count, 2, SIDE // CELL, SIDE // CELL), np.float32)
    sites: list[str] = []
    rng = np.random.default_rng([args.seed, 79])
    while len(sites) < args.count:
        is_boxed = rng.random() < args.boxed / 4  # one run gives many samples
        for image, label in boxed.some() if is_boxed else composed.some():
            if len(sites) < args.count:
                images[len(sites)], labels[len(sites)] = image, label
                sites.append(boxed.site if is_boxed else places.site)
    np.save(f"{args.out}.images.npy", images)
    np.save(f"{args.out}.labels.npy", labels)
    Path(f"{args.out}.sites.json").write_text(json.dumps(sites))


if __name__ == "__main__":
    main()
