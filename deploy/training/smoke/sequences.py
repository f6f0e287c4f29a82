"""The network at the level that counts: alarms over sequences, by plain 4-of-6 pooling, no rule, no guard.

    python -m deploy.training.smoke.sequences --model smoke-free.onnx --data DATA
    python -m deploy.training.smoke.sequences --folds folds.json --data DATA

DATA is the folder that holds manifest.csv. Definitions as in detectors/evaluation.py: an alarm is right if its box
overlaps a labelled box of the frame; alarms at one place are one incident while less than 30 minutes apart; an incident
that overlaps no box of the whole sequence is false.
"""

import argparse
import csv
import json
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detectors.horizon import horizon_rows
from detectors.smoke.background import ColourBackground
from detectors.smoke.network import CELL_PX, WORKING_WIDTH_PX, SmokeNetwork
from ioc.opencv import cv2

__all__ = ["Frame", "Outcome", "Sequence", "composites", "judge", "real_sequences", "responses"]

Boxes = list[tuple[float, float, float, float]]
MERGE_FRAMES = 30
WARM_UP = 4
INTO_TERRAIN, BELOW_TERRAIN = -0.03, 0.35  # shares of the height; a cell of 16 pixels is 0.03 of it


@dataclass(frozen=True, slots=True)
class Frame:
    image: NDArray[np.uint8]
    boxes: Boxes  # left, top, right, bottom in shares


@dataclass(frozen=True, slots=True)
class Sequence:
    name: str
    site: str
    is_smoky: bool
    frames: list[Frame]
    onset: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    detected: bool
    first: int | None
    false: int
    alarms: int


def real_sequences(data: Path) -> list[Sequence]:
    """Returns the sequences of the manifest (smoky and clean ones), in its order."""
    rows: dict[str, list[dict[str, str]]] = {}
    with (data / "manifest.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["sequence"] and row["label"] in ("smoke", "no-smoke"):
                rows.setdefault(row["sequence"], []).append(row)
    made = []
    for name, members in rows.items():
        frames = []
        for row in members:
            image = cv2.imread(str(data / row["path"]))
            frames.append(Frame(_small(image), _boxes(row["bbox"])))
        made.append(Sequence(name, members[0]["site"], members[0]["label"] == "smoke", frames))
    return made


def _boxes(text: str) -> Boxes:
    return [(x - w / 2, y - h / 2, x + w / 2, y + h / 2) for x, y, w, h in json.loads(text or "[]")]


def _small(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """At working width; crops of a 640-wide picture stay as they are, their smoke and trees have that scale."""
    height, width = image.shape[:2]
    if width <= WORKING_WIDTH_PX:
        return image
    return np.asarray(
        cv2.resize(image, (WORKING_WIDTH_PX, round(height * WORKING_WIDTH_PX / width)), interpolation=cv2.INTER_AREA)
    )


def composites(data: Path, count: int, seed: int, frames: int = 24) -> list[Sequence]:
    """Pyronear's clip of smoke blended on its clip of a place, and on clean crops: onset known; half have no smoke."""
    rng = np.random.default_rng([seed, 5])
    place = _video(data / "test_bg.mp4", WORKING_WIDTH_PX)
    smoke = _video(data / "test_smoke.mp4", WORKING_WIDTH_PX)
    made = []
    for n in range(count):
        is_smoky = n % 2 == 0
        onset = int(rng.integers(8, 12))
        scale, flip = float(np.exp(rng.uniform(np.log(0.12), np.log(0.6)))), rng.random() < 0.5
        x, y = float(rng.uniform(0.15, 0.85)), float(rng.uniform(0.42, 0.62))
        opacity, rate, lean = float(rng.uniform(0.5, 1)), float(rng.uniform(3, 12)), float(rng.normal(0, 0.6))
        shown = []
        for t in range(frames):
            image = place[(t * 2) % len(place)].astype(np.float32)
            boxes: Boxes = []
            if is_smoky and t >= onset:
                source = smoke[int(min(20 + rate * (t - onset), len(smoke) - 1))][:, :, 1]
                source = source[:, ::-1] if flip else source
                height, width = image.shape[:2]
                lit = np.nonzero(source.max(0) > 20)[0]
                centre = float(lit.mean()) if len(lit) else width / 2
                matrix = np.array([[scale, -lean * scale, 0], [0, scale, y * height - scale * (source.shape[0] - 1)]])
                matrix[0, 2] = x * width - (scale * centre - lean * scale * (source.shape[0] - 1))
                soft = cv2.GaussianBlur(source, (0, 0), 0.35 / scale)
                alpha = cv2.warpAffine(soft, matrix, (width, height)).astype(np.float32) / 235 * opacity
                image = image * (1 - alpha[..., None]) + 205 * alpha[..., None]
                ys, xs = np.nonzero(alpha > 0.1)
                if len(xs):
                    boxes = [(xs.min() / width, ys.min() / height, xs.max() / width, ys.max() / height)]
            image = np.clip(image + rng.normal(0, 1.5, image.shape), 0, 255).astype(np.uint8)
            image = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])[1], 1)
            shown.append(Frame(np.asarray(image, np.uint8), boxes))
        made.append(Sequence(f"composite{n}", "pyrosynth", is_smoky, shown, onset))
    return made


def _video(path: Path, width: int) -> list[NDArray[np.uint8]]:
    capture, frames = cv2.VideoCapture(str(path)), []
    while True:
        ok, frame = capture.read()
        if not ok:
            return frames
        frames.append(
            cv2.resize(frame, (width, frame.shape[0] * width // frame.shape[1]), interpolation=cv2.INTER_AREA)
        )


def responses(
    sequence: Sequence, network: SmokeNetwork, *, hold: float = 0.5, blind: bool = False
) -> list[NDArray[np.float32]]:
    """Returns the network's answer for each frame; the background is held where it is above `hold`.

    `blind`: both backgrounds are the frame itself, so that only its looks are left.
    """
    background = ColourBackground()
    answers = []
    for number, frame in enumerate(sequence.frames):
        held = None
        rows, columns = -(-frame.image.shape[0] // CELL_PX), -(-frame.image.shape[1] // CELL_PX)
        if number < WARM_UP:
            answers.append(np.zeros((rows, columns), np.float32))
        else:
            now = frame.image
            slow, fast = (now, now) if blind else (background.slow, background.fast)
            answer = network.probabilities(now, slow, fast)
            answers.append(answer)
            held = answer > hold
        background.learn(frame.image, held)
    return answers


def judge(
    sequence: Sequence, answers: list[NDArray[np.float32]], threshold: float, *, k: int = 4, n: int = 6, least: int = 1
) -> Outcome:
    """Pools the answers: a region of this frame that met a cell in k of the last n frames is an alarm."""
    pool: deque[NDArray[np.uint8]] = deque(maxlen=n)
    all_boxes = [box for frame in sequence.frames for box in frame.boxes]
    incidents: list[list[tuple[int, tuple[float, float, float, float]]]] = []
    first, detected, alarms = None, False, 0
    coarse = _coarse_blue(sequence.frames[0].image)
    line = horizon_rows(coarse) / coarse.shape[0]
    for number, (frame, answer) in enumerate(zip(sequence.frames, answers, strict=True)):
        mask = (answer > threshold).astype(np.uint8)
        pool.append(cv2.dilate(mask, np.ones((3, 3), np.uint8)))
        hits = np.sum(np.stack(pool), 0)
        count, marks, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        height, width = frame.image.shape[:2]
        for region in range(1, count):
            left, top, w, h, area = (int(v) for v in stats[region])
            if area < least or hits[marks == region].max() < k:
                continue
            box = (left * 16 / width, top * 16 / height, (left + w) * 16 / width, (top + h) * 16 / height)
            if not _stands_on_far_terrain(box, line):
                continue
            alarms += 1
            if any(_meet(box, label) for label in frame.boxes):
                detected = True
                first = number if first is None else first
            for incident in incidents:
                if any(number - then < MERGE_FRAMES and _meet(box, other) for then, other in incident):
                    incident.append((number, box))
                    break
            else:
                incidents.append([(number, box)])
    false = sum(not any(_meet(box, label) for _, box in incident for label in all_boxes) for incident in incidents)
    return Outcome(detected, first, false, alarms)


def _coarse_blue(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    height, width = image.shape[:2]
    small = cv2.resize(image, (width // 8, height // 8), interpolation=cv2.INTER_AREA)
    return small[:, :, 0].astype(np.float32) / np.float32(255)


def _stands_on_far_terrain(box: tuple[float, float, float, float], line: NDArray[np.float64]) -> bool:
    """The rule's own limits: the base lies in the terrain and not in the foreground. Without a sky all is terrain."""
    first = int(box[0] * len(line))
    height = float(np.median(line[first : max(first + 1, int(box[2] * len(line)))]))
    return height <= 0 or INTO_TERRAIN < box[3] - height < BELOW_TERRAIN


def _meet(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def main() -> None:
    """Prints a table over thresholds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--folds", type=Path, help='json: [{"model": PATH, "left_out": [SITE, …]}, …]')
    parser.add_argument("--composites", type=int, default=24)
    parser.add_argument("--blind", action="store_true")
    parser.add_argument("--detail", type=float, default=0.0, help="a threshold whose sequences are listed")
    args = parser.parse_args()
    folds = json.loads(args.folds.read_text()) if args.folds else [{"model": str(args.model), "left_out": None}]
    networks = [(SmokeNetwork.load(Path(fold["model"])), fold["left_out"]) for fold in folds]
    real = real_sequences(args.data)
    made = composites(args.data, args.composites, 9)
    answers = {}
    for sequence in real + made:
        net = next((n for n, sites in networks if sites is None or sequence.site in sites), networks[0][0])
        answers[sequence.name] = responses(sequence, net, blind=args.blind)
    for threshold in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        line = [f"{threshold:.2f}"]
        for title, group in (("real", real), ("composite", made)):
            outcomes = [(s, judge(s, answers[s.name], threshold)) for s in group]
            hours = sum(len(s.frames) for s in group) / 60
            found = [(s, o) for s, o in outcomes if s.is_smoky]
            clean = [(s, o) for s, o in outcomes if not s.is_smoky]
            delays = [o.first - s.onset for s, o in found if o.first is not None]
            false = sum(o.false for _, o in outcomes)
            line.append(
                f"{title}: {sum(o.detected for _, o in found)}/{len(found)} false {false} ({false / hours:.2f}/h) "
                f"clean alarmed {sum(o.alarms > 0 for _, o in clean)}/{len(clean)} median delay "
                f"{np.median(delays) if delays else '-'}"
            )
            if abs(threshold - args.detail) < 1e-6:
                for s, o in outcomes:
                    print("   ", s.name, s.site, len(s.frames), o)
        print(" | ".join(line), flush=True)


if __name__ == "__main__":
    main()
