"""The network in torch. Trained on planes (frame, minus slow, minus fast); exported to take the three pictures raw."""

from pathlib import Path

import torch
from torch import nn

__all__ = ["SmokeNet", "export", "planes"]

_LOUD = 16.0  # differences are small: 16 levels count as 1


def planes(pictures: torch.Tensor) -> torch.Tensor:
    """N × 9 × H × W of 0–255 (now, slow, fast; BGR each) to the 9 planes that are learnt from."""
    pictures = pictures.float()
    now = pictures[:, :3]
    out = torch.empty_like(pictures)
    torch.mul(now, 1 / 64, out=out[:, :3])
    for n in (1, 2):
        torch.sub(now, pictures[:, 3 * n : 3 * n + 3], out=out[:, 3 * n : 3 * n + 3])
    out[:, 3:] *= 1 / _LOUD
    return out


class SmokeNet(nn.Module):
    """Stride 16: four strided convolutions, then residual ones that look 1, 2, 4, 1 and 2 cells far.

    Batch normalisation is a scaffold: it is there while training and folded into the convolutions by `shipped`.
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int] = (12, 24, 48, 56),
        reach: tuple[int, ...] = (1, 2, 4, 1, 2),
        *,
        is_shipped: bool = False,
    ) -> None:
        super().__init__()
        self.widths, self.reach = widths, reach
        channels, last = (9, *widths), widths[-1]
        self.down = nn.ModuleList(nn.Conv2d(channels[n], channels[n + 1], 3, 2, 1) for n in range(4))
        self.context = nn.ModuleList(nn.Conv2d(last, last, 3, 1, d, d) for d in reach)
        self.answer = nn.Conv2d(last, 1, 1)
        norm = (lambda n: nn.Identity()) if is_shipped else nn.BatchNorm2d
        self.down_norm = nn.ModuleList(norm(n) for n in widths)
        self.context_norm = nn.ModuleList(norm(last) for _ in reach)
        nn.init.constant_(self.answer.bias, -2.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Planes N × 9 × H × W to logits N × 1 × H/16 × W/16."""
        for layer, norm in zip(self.down, self.down_norm, strict=True):
            x = torch.relu(norm(layer(x)))
        for layer, norm in zip(self.context, self.context_norm, strict=True):
            x = torch.relu(x + norm(layer(x)))
        return self.answer(x)


class _Answering(nn.Module):
    def __init__(self, net: SmokeNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.net(pictures))


def _shipped(net: SmokeNet) -> SmokeNet:
    """Returns the same function of raw pictures: normalisation folded in, and the planes, which are linear in them."""
    plain = SmokeNet(net.widths, net.reach, is_shipped=True)
    pairs = [*zip(net.down, net.down_norm, strict=True), *zip(net.context, net.context_norm, strict=True)]
    with torch.no_grad():
        for to, (layer, norm) in zip([*plain.down, *plain.context], pairs, strict=True):
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            to.weight.copy_(layer.weight * scale[:, None, None, None])
            to.bias.copy_((layer.bias - norm.running_mean) * scale + norm.bias)
        plain.answer.load_state_dict(net.answer.state_dict())
        now, slow, fast = (w.clone() for w in plain.down[0].weight.split(3, 1))
        plain.down[0].weight.copy_(torch.cat([now / 64 + (slow + fast) / _LOUD, -slow / _LOUD, -fast / _LOUD], 1))
    return plain


def export(net: SmokeNet, path: Path) -> None:
    """Writes the ONNX file: input `pictures` 1 × 9 × H × W of 0–255, output `smoke` 1 × 1 × H/16 × W/16 of 0–1."""
    torch.onnx.export(
        _Answering(_shipped(net)).eval(),
        torch.zeros(1, 9, 64, 64),
        str(path),
        opset_version=12,
        input_names=["pictures"],
        output_names=["smoke"],
        dynamic_axes={"pictures": {2: "height", 3: "width"}, "smoke": {2: "rows", 3: "columns"}},
    )
