"""How often the right prompt is the nearest."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


class Scores:
    """Ranks of the right class among all, gathered over batches."""

    def __init__(self, prompts: Tensor) -> None:
        """`prompts`: float [C, D], of all classes, not normalised."""
        self._prompts = F.normalize(prompts, dim=1)
        self._ranks: list[Tensor] = []
        self._labels: list[Tensor] = []

    def add(self, features: Tensor, labels: Tensor) -> None:
        """Features float [N, D], and their classes int64 [N]."""
        cosines = F.normalize(features, dim=1) @ self._prompts.T
        right = cosines.gather(1, labels[:, None])
        # Of equal cosines the right one counts as the last: a constant encoder scores nothing.
        self._ranks.append((cosines >= right).sum(dim=1).cpu())
        self._labels.append(labels.cpu())

    def figures(self) -> dict[str, float]:
        """Shares of top1 and top5, and of top1 as the mean over classes."""
        ranks, labels = torch.cat(self._ranks), torch.cat(self._labels)
        hit = (ranks <= 1).float()
        each = [float(hit[labels == c].mean()) for c in labels.unique()]
        return {
            "top1": float(hit.mean()),
            "top5": float((ranks <= 5).float().mean()),
            "mean_class": sum(each) / len(each),
        }
