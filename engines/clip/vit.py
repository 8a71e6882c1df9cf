"""The event tower, which is also the image tower: a vision transformer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from saccade.engines.clip.blocks import Blocks, LayerNorm
from saccade.engines.clip.config import MEAN, STD, Architecture


class VisionTower(nn.Module):
    """Frames -> embeddings. Its state dict is OpenAI's, less the prefix `visual.`."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        width = architecture.vision.width
        tokens = (architecture.size // architecture.patch) ** 2 + 1
        self.conv1 = nn.Conv2d(3, width, architecture.patch, architecture.patch, bias=False)
        self.class_embedding = nn.Parameter(torch.empty(width))
        self.positional_embedding = nn.Parameter(torch.empty(tokens, width))
        self.ln_pre = LayerNorm(width)
        self.transformer = Blocks(architecture.vision, architecture.activation)
        self.ln_post = LayerNorm(width)
        self.proj = nn.Parameter(torch.empty(width, architecture.dimension))

    def features(self, frames: Tensor, maps: list[Tensor] | None = None) -> Tensor:
        """float [N, channels, size, size] -> float [N, dimension], not normalised.

        Where `maps` is given, every block appends its attention to it, float
        [N, heads, tokens, tokens]; token 0 is the class, the patches follow in rows. For gradients
        with respect to it, `frames` or the tower's weights must require some.
        """
        patches = self.conv1(frames).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(frames.shape[0], 1, -1)
        x = self.ln_pre(torch.cat([first, patches], dim=1) + self.positional_embedding)
        # Only the class token leaves the last block: 6 % of a ViT-B/32 need not be computed.
        x = self.transformer(x, queries=1 if maps is None else None, maps=maps)
        return self.ln_post(x[:, 0]) @ self.proj

    def forward(self, frames: Tensor) -> Tensor:
        """float [N, channels, size, size] -> float [N, dimension], L2-normalised.

        Three channels, or one after `take_gray`.
        """
        features = self.features(frames)
        return F.normalize(features.float(), dim=-1).to(features.dtype)


@torch.no_grad()
def fold_normalisation(tower: VisionTower) -> None:
    """Makes the tower take frames in [0, 1], of which it subtracted CLIP's mean, over CLIP's std.

    The patches tile the frame without padding, so both vanish in the first layer's weights: exact,
    and free at run time.
    """
    conv, patch = tower.conv1, tower.conv1.weight.shape[-1]
    mean, std = (conv.weight.new_tensor(v).reshape(1, 3, 1, 1) for v in (MEAN, STD))
    folded = nn.Conv2d(3, conv.out_channels, patch, patch)
    assert folded.bias is not None
    folded.weight.copy_(conv.weight / std)
    folded.bias.copy_(-(conv.weight.double() * (mean / std).double()).sum((1, 2, 3)))
    tower.conv1 = folded.to(conv.weight)


@torch.no_grad()
def take_gray(tower: VisionTower) -> None:
    """Makes the tower take one channel where it took three copies of it.

    An event frame is gray, so the first layer's weights may be summed over the channels: exact, a
    third of that layer's work, and a third of the bytes that go in.
    """
    conv, patch = tower.conv1, tower.conv1.weight.shape[-1]
    gray = nn.Conv2d(1, conv.out_channels, patch, patch, bias=conv.bias is not None)
    gray.weight.copy_(conv.weight.double().sum(1, keepdim=True))
    if gray.bias is not None and conv.bias is not None:
        gray.bias.copy_(conv.bias)
    tower.conv1 = gray.to(conv.weight)
