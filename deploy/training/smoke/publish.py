"""Writes a trained network as the ONNX file that ships, and what torch answers to a drawn picture, for the tests.

python publish.py --weights free.pt --name smoke-free
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from model import SmokeNet, export, planes

_ROOT = Path(__file__).resolve().parents[3]


def drawn() -> np.ndarray:
    """Three pictures 48 × 80 × 3 by arithmetic alone: a grey blot that the backgrounds do not have."""
    y, x = np.mgrid[0:48, 0:80]
    ground = np.stack([(7 * x + 13 * y) % 97 + 60, (5 * x + 11 * y) % 89 + 70, (3 * x + 17 * y) % 83 + 50], 2)
    blot = np.maximum(0, 400 - (x - 40) ** 2 - (y - 24) ** 2)[..., None]
    now = (ground * (500 - blot) + 190 * blot) // 500
    fast = (ground * (800 - blot) + 190 * blot) // 800
    return np.stack([now, ground, fast]).astype(np.uint8)


def main() -> None:
    """Writes both files."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--name", default="", help="ships as detectors/smoke/models/NAME.onnx")
    parser.add_argument("--out", type=Path, help="or goes to this file alone, as a fold does")
    parser.add_argument("--at", type=float, default=0.5)
    args = parser.parse_args()
    net = SmokeNet()
    net.load_state_dict(torch.load(args.weights))
    net.eval()
    with torch.no_grad():
        net.answer.bias -= float(np.log(args.at / (1 - args.at)))
    if args.out:
        export(net, args.out)
        return
    export(net, _ROOT / "detectors/smoke/models" / f"{args.name}.onnx")
    pictures = torch.from_numpy(drawn().transpose(0, 3, 1, 2).reshape(1, 9, 48, 80).copy()).float()
    with torch.no_grad():
        answer = torch.sigmoid(net(planes(pictures)))[0, 0].numpy()
    known = _ROOT / "tests/unit/detectors/smoke_network_answers.json"
    answers = json.loads(known.read_text()) if known.exists() else {}
    answers[args.name] = [[round(float(v), 6) for v in row] for row in answer]
    known.write_text(json.dumps(answers, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
