"""The cache of Tip-Adapter: examples that a bank remembers, beside what its words say.

Zhang et al. 2022, "Tip-Adapter: Training-free Adaption of CLIP for Few-shot Classification",
equation 5: with examples' embeddings F and their one-hot labels L, an embedding f gets

    logits = scale * f W^T + alpha * exp(-beta * (1 - f F^T)) L

where W are the embeddings of the words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

ALPHA, BETA = 1.0, 5.5  # where the paper's search starts


@dataclass(frozen=True)
class LabelCache:
    """Examples and the labels of a bank that they show.

    Attributes:
        keys: float32 [examples, dimension], L2-normalised.
        owners: intp [examples], the index of each one's name in the bank.
        alpha: how much the examples count beside the words.
        beta: how near an embedding must be to an example for it to count.
    """

    keys: NDArray[np.float32]
    owners: NDArray[np.intp]
    alpha: float = ALPHA
    beta: float = BETA

    def fault(self, names: int, dimension: int) -> str | None:
        """What is wrong with it in a bank of so many names; None where nothing is."""
        shape = self.keys.shape
        if len(shape) != 2 or shape[1] != dimension or self.keys.dtype != np.float32:
            return f"{self.keys.dtype} {list(shape)} examples for embeddings of {dimension}"
        if self.owners.shape != shape[:1] or not np.all((self.owners >= 0) & (self.owners < names)):
            return f"its {shape[0]} examples are not of its {names} names"
        if not (np.isfinite(self.alpha) and self.alpha >= 0 and 0 <= self.beta < np.inf):
            return f"a cache of alpha {self.alpha} and beta {self.beta}"
        return None

    def logits(self, embeddings: NDArray[np.float32], names: int) -> NDArray[np.float32]:
        """What the examples add to the logits, float32 [N, names], of embeddings [N, dimension]."""
        near: NDArray[np.float32] = np.matmul(embeddings, np.transpose(self.keys))
        weights = self.alpha * np.exp(self.beta * (near - 1))
        out = np.zeros((names, len(embeddings)), np.float32)
        np.add.at(out, self.owners, np.transpose(weights).astype(np.float32))
        return np.transpose(out)

    def select(self, names: Mapping[int, int]) -> LabelCache | None:
        """The examples of some names, by new index for each old one; None where it has none."""
        kept = np.isin(self.owners, [*names])
        if not kept.any():
            return None
        owners = np.array([names[owner] for owner in self.owners[kept].tolist()], np.intp)
        return LabelCache(self.keys[kept], owners, self.alpha, self.beta)


def join_caches(first: LabelCache | None, then: LabelCache | None, names: int) -> LabelCache | None:
    """The examples of two banks, the second's names counted from `names`.

    Where both have some, alpha and beta are those of the first.
    """
    if then is None:
        return first
    shifted = then.owners + names
    if first is None:
        return replace(then, owners=shifted)
    keys, owners = np.concatenate([first.keys, then.keys]), np.append(first.owners, shifted)
    return replace(first, keys=keys, owners=owners)
