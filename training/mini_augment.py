"""What training does to saccade-mini's frames: moved, hidden, mixed, on the CPU or on a GPU."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


class Draws:
    """Random numbers for N samples, from one generator of their device."""

    def __init__(self, n: int, generator: torch.Generator) -> None:
        self.n, self._generator = n, generator

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """float32 [N, *shape] in [low, high)."""
        device = self._generator.device
        x = torch.rand(self.n, *shape, generator=self._generator, device=device)
        return low + (high - low) * x

    def chance(self, share: float) -> Tensor:
        """bool [N], each true with this probability."""
        return self.uniform(0, 1) < share


def augment(frames: Tensor, generator: torch.Generator, size: int) -> Tensor:
    """Flip, affine, contrast, cut-outs, noise; float32 [N, 1, h, w] -> [N, 1, size, size]."""
    draw = Draws(len(frames), generator)
    frames = _moved(frames, draw, size)
    frames = frames.clamp_min(1e-6) ** draw.uniform(0.6, 1.5).view(-1, 1, 1, 1)
    for _ in range(2):
        frames = frames.masked_fill(_boxes(draw, size).unsqueeze(1), 0.0)
    level = (draw.uniform(0, 0.1) * draw.chance(0.5)).view(-1, 1, 1, 1)
    return frames + draw.uniform(0, 1, 1, size, size) * level


def _moved(frames: Tensor, draw: Draws, size: int) -> Tensor:
    """Mirrored (half of them), turned by up to 14 degrees, sheared, zoomed, stretched, shifted."""
    flip = 1 - 2 * draw.chance(0.5).float()
    angle, shear = draw.uniform(-0.25, 0.25), draw.uniform(-0.15, 0.15)
    zoom, stretch = draw.uniform(-0.22, 0.22).exp(), draw.uniform(-0.15, 0.15).exp()
    theta = torch.zeros(draw.n, 2, 3, device=frames.device)
    theta[:, 0, 0] = flip * zoom * stretch * angle.cos()
    theta[:, 0, 1] = zoom * (shear - angle.sin())
    theta[:, 1, 0] = flip * zoom * angle.sin()
    theta[:, 1, 1] = zoom / stretch * angle.cos()
    theta[:, 0, 2], theta[:, 1, 2] = draw.uniform(-0.15, 0.15), draw.uniform(-0.15, 0.15)
    grid = F.affine_grid(theta, [draw.n, 1, size, size], align_corners=False)
    return F.grid_sample(frames, grid, align_corners=False)


def _boxes(draw: Draws, size: int) -> Tensor:
    """bool [N, size, size]: a box of 10 to 40 % of the side, in about half of them outside."""
    span = torch.arange(size, device=draw.uniform(0, 1).device)
    inside: list[Tensor] = []
    for _ in range(2):
        side, begin = draw.uniform(0.1, 0.4, 1) * size, draw.uniform(-0.4, 1.1, 1) * size
        inside.append((span >= begin) & (span < begin + side))
    return inside[0].unsqueeze(2) & inside[1].unsqueeze(1) & draw.chance(0.6).view(-1, 1, 1)


def mix(frames: Tensor, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Mixes some frames with others of the batch: half by mixup, half by cutmix.

    Args:
        frames: float32 [N, 1, h, w].
        share: how many of the batches are mixed.
        generator: of the device of `frames`.

    Returns:
        The frames, the rows int64 [N] of the others, and the shares float32 [N] of the own class.
    """
    n, size = len(frames), frames.shape[-1]
    draw = Draws(n, generator)
    other = draw.uniform(0, 1).argsort()
    own = torch.ones(n, device=frames.device)
    lot = float(Draws(1, generator).uniform(0, 1))
    if lot < share / 2:
        own = 1 - 0.5 * draw.uniform(0, 1).square()
        weight = own.view(-1, 1, 1, 1)
        frames = weight * frames + (1 - weight) * frames[other]
    elif lot < share:
        side = draw.uniform(0.1, 0.75, 1)
        span = torch.arange(size, device=frames.device)
        rows, columns = (
            (span >= begin) & (span < begin + side * size)
            for begin in (draw.uniform(0, 1, 1) * (1 - side) * size for _ in range(2))
        )
        box = rows.unsqueeze(2) & columns.unsqueeze(1)
        frames = torch.where(box.unsqueeze(1), frames[other], frames)
        own = 1 - box.float().mean((1, 2))
    return frames, other, own
