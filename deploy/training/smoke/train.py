"""Trains the network (torch, CPU): first on rendered and composited samples, then, if asked, on real crops too.

python train.py --parts 'data/part*' --valid data/part0 --out free.pt --minutes 25
python train.py --parts 'data/part*' --extra 'real/*' --leave-out SITE,SITE --start free.pt --out fold0.pt --minutes 4
"""

import argparse
import glob
import json
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from model import SmokeNet, export, planes

_BATCH = 48  # squares of _SIDE pixels; larger ones fewer, so that each batch has as many cells
_SIDE = 192


class Data:
    """Parts on disk, read as they are asked for; new parts are found between rounds."""

    def __init__(self, pattern: str, without: set[str], leave_out: set[str]) -> None:
        self.pattern, self.without, self.leave_out = pattern, without, leave_out
        self.images: list[np.ndarray] = []
        self.labels: list[np.ndarray] = []
        self.rows: dict[int, list[tuple[int, int]]] = {}  # by the side of the squares in pixels
        self._known: set[str] = set()
        self.refresh()

    def refresh(self) -> None:
        """Takes finished parts in that were not there before."""
        for done in sorted(glob.glob(self.pattern + ".done")):
            part = done[: -len(".done")]
            if part in self._known or part in self.without:
                continue
            self._known.add(part)
            labels = np.load(part + ".labels.npy")
            sites = Path(part + ".sites.json")
            names = json.loads(sites.read_text()) if sites.exists() else [""] * len(labels)
            self.images.append(np.load(part + ".images.npy", mmap_mode="r"))
            self.labels.append(labels)
            number = len(self.images) - 1
            rows = [(number, n) for n, name in enumerate(names) if name not in self.leave_out]
            self.rows.setdefault(self.images[-1].shape[2], []).extend(rows)

    def drawn(self, rng: np.random.Generator, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns a batch of one side, as large as `count` squares of 192 pixels; sides by turns of their pixels."""
        sides = list(self.rows)
        shares = np.array([len(self.rows[side]) * side**2 for side in sides], dtype=np.float64)
        side = sides[int(rng.choice(len(sides), p=shares / shares.sum()))]
        many = max(1, round(count * (_SIDE / side) ** 2))
        return self.batch(side, rng.integers(0, len(self.rows[side]), many))

    def batch(self, side: int, picks: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns images N × 9 × side × side (float) and labels N × 2 × rows × columns."""
        chosen = [self.rows[side][int(p)] for p in picks]
        images = np.stack([self.images[a][b] for a, b in chosen])  # N × 3 × H × W × 3
        n, _, h, w, _ = images.shape
        images = images.transpose(0, 1, 4, 2, 3).reshape(n, 9, h, w)
        labels = np.stack([self.labels[a][b] for a, b in chosen])
        return torch.from_numpy(np.ascontiguousarray(images)).float(), torch.from_numpy(labels)


def varied(x: torch.Tensor, labels: torch.Tensor, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Mirrors, brightness, contrast and colour of the whole sequence, on its planes (changed in place)."""
    if rng.random() < 0.5:
        x, labels = x.flip(3), labels.flip(3)
    n = len(x)
    gain = torch.from_numpy(np.exp(rng.normal(0, 0.15, (n, 1, 1, 1)) + rng.normal(0, 0.04, (n, 3, 1, 1)))).float()
    x.mul_(gain.repeat(1, 3, 1, 1))
    x[:, :3] += torch.from_numpy(rng.normal(0, 8 / 64, (n, 1, 1, 1))).float()
    for number in np.nonzero(rng.random(n) < 0.06)[0]:
        split = x[number].reshape(3, 3, *x.shape[2:])
        x[number] = split.mean(1, keepdim=True).expand(-1, 3, -1, -1).reshape(x.shape[1:])
    return x, labels


def ahead(make: Callable[[], tuple[torch.Tensor, torch.Tensor]]) -> "queue.Queue[tuple[torch.Tensor, torch.Tensor]]":
    """Makes batches in a thread of its own, a few ahead."""
    made: queue.Queue[tuple[torch.Tensor, torch.Tensor]] = queue.Queue(maxsize=4)

    def work() -> None:
        while True:
            made.put(make())

    threading.Thread(target=work, daemon=True).start()
    return made


def loss_of(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross entropy with the share of smoke as target; hard cells count more, quiet sky does not drown them."""
    target, weight = labels[:, :1], labels[:, 1:]
    each = torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    with torch.no_grad():
        hard = (torch.sigmoid(logits) - target).abs()
        weight = weight * (0.25 + hard) * (1 + 1.0 * (target > 0.2))
    return (each * weight).sum() / weight.numel() * 10


def score(net: SmokeNet, data: Data) -> tuple[float, float]:
    """Returns (average precision over cells, share of smoke cells found at 0.1 % false cells)."""
    net.eval()
    answers, truths = [], []
    with torch.no_grad():
        for images, labels in (
            data.batch(side, np.arange(start, min(start + 32, len(rows))))
            for side, rows in data.rows.items()
            for start in range(0, min(1024, len(rows)), 32)
        ):
            p = torch.sigmoid(net(planes(images)))
            keep = labels[:, 1:] > 0.5
            answers.append(p[keep].numpy())
            truths.append((labels[:, :1][keep] > 0.3).numpy())
    net.train()
    answer, truth = np.concatenate(answers), np.concatenate(truths)
    order = np.argsort(-answer)
    hits = np.cumsum(truth[order])
    precision = hits / np.arange(1, len(order) + 1)
    limit = np.quantile(answer[~truth], 0.999)
    return float((precision * truth[order]).sum() / max(1, truth.sum())), float((answer[truth] > limit).mean())


def begin(net: SmokeNet, weights: str) -> None:
    """Goes on from weights, also from those of a network with fewer residual layers: the others begin near nothing."""
    missing, unknown = net.load_state_dict(torch.load(weights), strict=False)
    if unknown or not all(key.startswith("context") for key in missing):
        raise SystemExit(f"{weights} holds the weights of another network")
    for number, norm in enumerate(net.context_norm):
        if f"context.{number}.weight" in missing:
            torch.nn.init.constant_(norm.weight, 0.1)


def main() -> None:
    """Trains until the minutes are over; keeps the best by the validation part."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parts", required=True)
    parser.add_argument("--valid", required=True, help="one part or more, never trained on")
    parser.add_argument("--extra", default="", help="parts of real crops, half of each batch")
    parser.add_argument("--extra-share", type=float, default=0.5)
    parser.add_argument("--leave-out", default="", help="sites of the extra parts that are not shown")
    parser.add_argument("--start", default="")
    parser.add_argument("--out", required=True)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=int, default=150)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    kept = {done[: -len(".done")] for done in glob.glob(args.valid + ".done")}
    data = Data(args.parts, kept, set())
    valid = Data(args.valid, set(), set())
    extra = Data(args.extra, set(), set(filter(None, args.leave_out.split(",")))) if args.extra else None
    net = SmokeNet()
    if args.start:
        begin(net, args.start)
    optimiser = torch.optim.AdamW(net.parameters(), lr=args.rate, weight_decay=1e-3)
    real = int(_BATCH * args.extra_share) if extra else 0

    def make() -> tuple[torch.Tensor, torch.Tensor]:
        if extra is None:
            images, labels = data.drawn(rng, _BATCH)
        else:
            images, labels = data.batch(_SIDE, rng.integers(0, len(data.rows[_SIDE]), _BATCH - real))
            more = extra.batch(_SIDE, rng.integers(0, len(extra.rows[_SIDE]), real))
            images, labels = torch.cat([images, more[0]]), torch.cat([labels, more[1]])
        x, labels = varied(planes(images), labels, rng)
        return x.contiguous(memory_format=torch.channels_last), labels

    batches = ahead(make)
    net = net.to(memory_format=torch.channels_last)
    begun, best, step, losses = time.monotonic(), -1.0, 0, []
    mean = {k: v.clone() for k, v in net.state_dict().items()}  # a running mean of the weights is calmer than the last
    while True:
        spent = (time.monotonic() - begun) / 60 / args.minutes
        if spent >= 1:
            break
        rate = args.rate * min(1, (step + 1) / 40) * (0.5 + 0.5 * np.cos(np.pi * spent)) + 1e-5
        for group in optimiser.param_groups:
            group["lr"] = rate
        images, labels = batches.get()
        loss = loss_of(net(images), labels)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        losses.append(float(loss))
        keep = min(0.995, (step + 1) / (step + 10))
        for key, value in net.state_dict().items():
            if value.is_floating_point():
                mean[key].mul_(keep).add_(value, alpha=1 - keep)
        step += 1
        if step % args.every == 0 or spent > 0.995:
            data.refresh()
            calm = SmokeNet()
            calm.load_state_dict(mean)
            precision, found = score(calm, valid)
            print(
                f"{step} {spent:.2f} rows {sum(map(len, data.rows.values()))} "
                f"loss {np.mean(losses[-args.every :]):.4f} "
                f"valid AP {precision:.4f} found {found:.4f}",
                flush=True,
            )
            if precision > best or extra is not None:
                best = max(best, precision)
                torch.save(mean, args.out)
                export(calm, Path(args.out).with_suffix(".onnx"))


if __name__ == "__main__":
    main()
