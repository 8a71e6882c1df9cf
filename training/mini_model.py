"""The network of saccade-mini: a small residual CNN with a cosine head."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

DIMENSION = 128


class Block(nn.Module):
    """Two 3x3 convolutions with a shortcut."""

    def __init__(self, c_in: int, c_out: int, stride: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(c_out)
        self.second = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(c_out)
        self.shortcut = nn.Identity()
        if c_in != c_out or stride > 1:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride) if stride > 1 else nn.Identity(),
                nn.Conv2d(c_in, c_out, 1, bias=False),
                nn.BatchNorm2d(c_out),
            )

    def forward(self, x: Tensor) -> Tensor:
        """float [N, c_in, h, w] -> float [N, c_out, h / stride, w / stride]."""
        y = F.relu(self.norm1(self.first(x)))
        return F.relu(self.norm2(self.second(y)) + self.shortcut(x))


class MiniEncoder(nn.Module):
    """A frame -> an embedding. The frame is standardised first: its brightness does not matter."""

    def __init__(
        self, widths: tuple[int, ...] = (32, 64, 128, 256), depths: tuple[int, ...] = (1, 2, 1)
    ) -> None:
        """The stem gives `widths[0]` channels; stage k halves the sides, with `depths[k]` blocks.

        No block stands at the stem's 48 x 48: it would cost a third of the time and bring little.
        """
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, widths[0], 5, 2, 2, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()
        )
        blocks: list[nn.Module] = []
        for (c_in, c_out), depth in zip(pairwise(widths), depths, strict=True):
            blocks += [Block(c_in, c_out, 2), *(Block(c_out, c_out) for _ in range(depth - 1))]
        self.blocks = nn.Sequential(*blocks)
        self.embed = nn.Linear(widths[-1], DIMENSION)

    def forward(self, frame: Tensor) -> Tensor:
        """float32 [N, 1, 96, 96] -> float32 [N, 128], L2-normalised; other sizes serve too."""
        mean = frame.mean((1, 2, 3), keepdim=True)
        centred = frame - mean
        deviation = (centred * centred).mean((1, 2, 3), keepdim=True).sqrt()
        x = self.blocks(self.stem(centred / (deviation + 1e-4)))
        return F.normalize(self.embed(x.mean((2, 3))).float(), dim=1)


class LabelHead(nn.Module):
    """One learned embedding per class: the label bank. Logits are scale * cosine."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.bank = nn.Parameter(F.normalize(torch.randn(classes, DIMENSION), dim=1))
        self.log_scale = nn.Parameter(torch.tensor(2.77))

    @property
    def scale(self) -> Tensor:
        """The softmax's scale; bounded, as CLIP bounds its own, so that it cannot run away."""
        return self.log_scale.clamp(max=3.9).exp()

    def forward(self, embedding: Tensor) -> Tensor:
        """float32 [N, 128] -> logits float32 [N, classes]."""
        return self.scale * embedding @ F.normalize(self.bank, dim=1).T
