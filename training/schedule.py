"""Learning rates and averaged weights."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Schedule:
    """A linear rise over `warmup` steps to `peak`, then a cosine to 0 at step `steps`."""

    peak: float
    warmup: int
    steps: int

    def rate(self, step: int) -> float:
        """The learning rate of a step, the first of which is 0."""
        if step < self.warmup:
            return self.peak * (step + 1) / self.warmup
        done = (step - self.warmup) / max(self.steps - self.warmup, 1)
        return self.peak * (1 + math.cos(math.pi * min(done, 1))) / 2


def peak_rate(base: float, processes: int, batch: int) -> float:
    """base * processes * batch / 256, the paper's rule; `batch` is one process's."""
    return base * processes * batch / 256


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    """Moves the averaged weights towards the model's: average = d average + (1 - d) model.

    d is `decay`, less in the first steps (at most (1 + step) / (10 + step)), lest the average hang
    on to where training began. What is no float (a count) is copied.
    """
    decay = min(decay, (1 + step) / (10 + step))
    pairs = zip(average.state_dict().values(), model.state_dict().values(), strict=True)
    for mean, new in pairs:
        if mean.is_floating_point():
            mean.lerp_(new, 1 - decay)
        else:
            mean.copy_(new)
