"""Training samples out of whole scenes of `ioc simulate`: plumes and nuisances as they pass before a camera.

    python -m deploy.training.smoke.rendered --out WORK/scenes1 --count 750 --seed 23000

The squares are larger than those of `samples`: the detector shows the network wide strips of the picture, whose middle
has no edge in sight. Every other scene is taken at 1280 × 720 and goes through its JPEG, as a real camera's.
A frame each minute, each 5 s or between: at 5 s a plume hardly grows from frame to frame, and the fast background has
it after three. Half of the plumes are drawn as any varied scene has them, half large, pale and before haze. Seeds are
those of the scenes, one for each; keep them apart from those of tuning and of the benchmark.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.training.smoke.samples import CELL, MARGIN, SEEN_ALPHA, labels_of
from detectors.preprocess import decode_jpeg, downscale
from detectors.smoke.background import ColourBackground
from detectors.smoke.network import WORKING_WIDTH_PX
from ioc.opencv import cv2
from ioc.simulate.nuisances import NUISANCES, nuisance_specs
from ioc.simulate.scenes import Scene, SceneSpec
from ioc.simulate.variety import varied_spec

__all__ = ["samples_of", "spec_of"]

_SIDE = 320
_SIZE = (WORKING_WIDTH_PX, WORKING_WIDTH_PX * 9 // 16)
_INTERVALS_S, _SHARES = (60.0, 5.0, 20.0), (0.4, 0.45, 0.15)
_PLUMES = 0.65  # of the scenes
_LOOKS, _BEFORE = 4, 1  # pictures that are shown after the beginning, and before it
_NEAR = 0.7  # of the squares lie about the smoke


def spec_of(seed: int) -> SceneSpec:
    """The scene of one seed: with a plume, or with one of the nuisances."""
    rng = np.random.default_rng([seed, 81])
    interval = float(rng.choice(_INTERVALS_S, p=_SHARES))
    width, height = _SIZE if rng.random() < 0.5 else (2 * _SIZE[0], 2 * _SIZE[1])
    if rng.random() >= _PLUMES:
        spec = nuisance_specs(str(rng.choice(list(NUISANCES))), seed, width=width, height=height)
        return replace(spec, frame_interval_s=interval)
    spec = replace(
        varied_spec(seed, width=width, height=height),
        plume_start_frame=int(rng.integers(10, 25)),
        frame_interval_s=interval,
    )
    if rng.random() < 0.5:
        spec = replace(
            spec,
            plume_scale=float(rng.uniform(0.5, 1.4)),
            plume_opacity=float(np.exp(rng.uniform(np.log(0.4), np.log(1.3)))),
            plume_growth=float(rng.uniform(0.5, 2.5)),
            plume_distance=float(max(0.0, rng.uniform(-1.0, 0.6))),
            haze=float(rng.uniform(0.2, 1.8)),
            drifting_haze=float(max(0.0, rng.uniform(-0.3, 1.0))),
        )
    return spec


def samples_of(seed: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """Yields (images 3 × side × side × 3, labels 2 × rows × columns) of one scene, as the detector would see it."""
    rng = np.random.default_rng([seed, 82])
    spec = spec_of(seed)
    scene, still = Scene(spec), Scene(replace(spec, plume=False))
    start = spec.plume_start_frame if spec.plume else spec.weather.start_frame
    last = start + int(np.exp(rng.uniform(np.log(4), np.log(30))))
    looks = set(rng.integers(start, last + 1, _LOOKS).tolist()) | set(rng.integers(6, start, _BEFORE).tolist())
    holds, hold_from = rng.random() < 0.6, start + int(rng.integers(1, 6))
    background = ColourBackground()
    for index in range(max(looks) + 1):
        image, alpha = _taken(scene, index), scene.smoke(index)
        if alpha is not None and alpha.shape[1] != _SIZE[0]:
            alpha = np.asarray(cv2.resize(alpha, _SIZE, interpolation=cv2.INTER_AREA), dtype=np.float32)
        if alpha is not None and alpha.max() <= SEEN_ALPHA:
            alpha = None
        if index in looks:
            pictures = np.stack([image, background.slow, background.fast])
            seen = None
            if alpha is not None:
                clean = _taken(still, index).astype(np.int16)
                seen = (alpha, np.abs(image.astype(np.int16) - clean).mean(2).astype(np.float32))
            yield _cut(rng, pictures, seen, is_near=rng.random() < _NEAR)
        held = None
        if alpha is not None and holds and index >= hold_from:
            cells = (_SIZE[0] // CELL, -(-_SIZE[1] // CELL))
            held = cv2.resize((alpha > SEEN_ALPHA).astype(np.float32), cells, interpolation=cv2.INTER_AREA) > 0.1
        background.learn(image, held)


def _taken(scene: Scene, index: int) -> NDArray[np.uint8]:
    """The picture at the network's width; a larger scene goes through its JPEG, whose noise and blocks then show."""
    if scene.spec.width == _SIZE[0]:
        return scene.render(index)
    return downscale(decode_jpeg(scene.render_jpeg(index), least_width_px=_SIZE[0]), _SIZE[0])


def _cut(
    rng: np.random.Generator,
    pictures: NDArray[np.uint8],
    seen: tuple[NDArray[np.float32], NDArray[np.float32]] | None,
    *,
    is_near: bool,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A square about the smoke where it is wanted and there, else anywhere."""
    width, height = _SIZE
    left, top = int(rng.integers(0, width - _SIDE + 1)), int(rng.integers(0, height - _SIDE + 1))
    if is_near and seen is not None:
        rows, columns = np.nonzero(seen[0] > SEEN_ALPHA)
        pick = int(rng.integers(len(rows)))
        left = int(np.clip(columns[pick] - rng.uniform(0.1, 0.9) * _SIDE, 0, width - _SIDE))
        top = int(np.clip(rows[pick] - rng.uniform(0.1, 0.9) * _SIDE, 0, height - _SIDE))
    images = np.ascontiguousarray(pictures[:, top : top + _SIDE, left : left + _SIDE])
    if seen is None:
        return images, labels_of(None, images)
    area = np.s_[top : top + _SIDE + 2 * MARGIN, left : left + _SIDE + 2 * MARGIN]
    alpha, change = (np.pad(plane, MARGIN)[area] for plane in seen)
    return images, labels_of((alpha, change), images)


def main() -> None:
    """Writes one part of the training set."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=750)
    parser.add_argument("--seed", type=int, required=True, help="of the first scene; about 150 scenes make 750")
    args = parser.parse_args()
    images = np.zeros((args.count, 3, _SIDE, _SIDE, 3), np.uint8)
    labels = np.zeros((args.count, 2, _SIDE // CELL, _SIDE // CELL), np.float32)
    done, seed = 0, args.seed
    while done < args.count:
        for image, label in samples_of(seed):
            if done < args.count:
                images[done], labels[done] = image, label
                done += 1
        seed += 1
    np.save(f"{args.out}.images.npy", images)
    np.save(f"{args.out}.labels.npy", labels)
    print(f"{args.out}: scenes {args.seed}–{seed - 1}")


if __name__ == "__main__":
    main()
