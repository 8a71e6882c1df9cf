"""The network of saccade-mini: a small residual CNN with a cosine head."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

#: That of CLIP ViT-B/32, in whose text space the embeddings live.
DIMENSION = 512


class Block(nn.Module):
    """Two 3x3 convolutions with a shortcut; in training the branch is dropped now and then."""

    def __init__(self, c_in: int, c_out: int, stride: int = 1, drop: float = 0.0) -> None:
        """`drop` is the share of samples that skip the branch (stochastic depth, Huang 2016)."""
        super().__init__()
        self.first = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(c_out)
        self.second = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(c_out)
        self.shortcut = nn.Identity()
        self.drop = drop
        if c_in != c_out or stride > 1:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True) if stride > 1 else nn.Identity(),
                nn.Conv2d(c_in, c_out, 1, bias=False),
                nn.BatchNorm2d(c_out),
            )

    def forward(self, x: Tensor) -> Tensor:
        """float [N, c_in, h, w] -> float [N, c_out, h / stride, w / stride], rounded up."""
        y = self.norm2(self.second(F.relu(self.norm1(self.first(x)))))
        if self.training and self.drop:
            kept = torch.rand(len(x), 1, 1, 1, device=x.device) >= self.drop
            y = y * (kept / (1 - self.drop)).to(y.dtype)
        return F.relu(y + self.shortcut(x))


class MiniEncoder(nn.Module):
    """A frame -> an embedding. The frame is standardised first: its brightness does not matter."""

    def __init__(
        self,
        widths: tuple[int, ...] = (32, 64, 128, 256),
        depths: tuple[int, ...] = (1, 2, 2),
        drop: float = 0.05,
    ) -> None:
        """The stem gives `widths[0]` channels; stage k halves the sides, with `depths[k]` blocks.

        No block stands at the stem's 48 x 48: it would cost a third of the time and bring little.
        """
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(2, widths[0], 5, 2, 2, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()
        )
        blocks: list[nn.Module] = []
        for (c_in, c_out), depth in zip(pairwise(widths), depths, strict=True):
            blocks.append(Block(c_in, c_out, 2))
            blocks += [Block(c_out, c_out, drop=drop) for _ in range(depth - 1)]
        self.blocks = nn.Sequential(*blocks)
        self.embed = nn.Linear(widths[-1], DIMENSION)

    def forward(self, frame: Tensor) -> Tensor:
        """float32 [N, 1, 96, 96] -> float32 [N, 512], L2-normalised; other sizes serve too.

        The stem sees the counts and their square roots, in which faint edges show.
        """
        channels = torch.cat([frame, frame.clamp_min(0).sqrt()], 1)
        centred = channels - channels.mean((2, 3), keepdim=True)
        deviation = (centred * centred).mean((2, 3), keepdim=True).sqrt()
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
        """float32 [N, 512] -> logits float32 [N, classes]."""
        return self.scale * embedding @ F.normalize(self.bank, dim=1).T


class Mini(nn.Module):
    """Encoder and label bank, trained together."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.encoder = MiniEncoder()
        self.head = LabelHead(classes)

    def forward(self, frame: Tensor) -> Tensor:
        """float32 [N, 1, 96, 96] -> logits [N, classes]."""
        return self.head(self.encoder(frame))
