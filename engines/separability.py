"""How well the labels of a bank can be told apart, alone and on embeddings of known labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saccade.engines.bank import LabelBank, LabelError

#: Labels this near are one to the encoder: the same text, or one that reads the same.
SAME = 0.9999


@dataclass(frozen=True, slots=True)
class Pair:
    """Two labels, the cosine of their nearest words, and whether these are the same to it."""

    first: str
    second: str
    cosine: float

    @property
    def same(self) -> bool:
        """Whether no embedding can ever tell them apart."""
        return self.cosine >= SAME


def nearest(bank: LabelBank) -> list[Pair]:
    """Each label with the other that is nearest to it, the nearest of all first; empty for one."""
    if len(bank.names) < 2:
        return []
    between = _between(bank)
    np.fill_diagonal(between, -np.inf)
    found: list[int] = between.argmax(axis=1).tolist()
    pairs = [
        Pair(name, bank.names[other], float(between[i, other]))
        for i, (name, other) in enumerate(zip(bank.names, found, strict=True))
    ]
    return sorted(pairs, key=lambda pair: -pair.cosine)


def near_pairs(bank: LabelBank, cosine: float) -> list[Pair]:
    """Each two labels that are nearer than `cosine`, once, the nearest first."""
    between, names = _between(bank), bank.names
    where: list[list[int]] = np.argwhere(np.triu(between > cosine, 1)).tolist()
    pairs = [Pair(names[i], names[j], float(between[i, j])) for i, j in where]
    return sorted(pairs, key=lambda pair: -pair.cosine)


def _between(bank: LabelBank) -> NDArray[np.float32]:
    """Of the nearest words of each two labels, float32 [len(names), len(names)]."""
    return np.maximum.reduceat(bank.cosines(bank.embeddings), bank.starts, axis=0)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How often the right label was the best, and among the best five, of embeddings tested.

    `confused` has (right, taken for it, how often), the most frequent first.
    """

    embeddings: int
    labels: int
    top1: float
    top5: float
    confused: list[tuple[str, str, int]]


def accuracy(bank: LabelBank, embeddings: NDArray[np.float32], truth: NDArray[np.intp]) -> Accuracy:
    """Of embeddings float32 [N, dimension], whose labels are `truth`, intp [N], in the bank.

    Raises:
        LabelError: there are none, they are of another dimension, or are no directions.
    """
    dimension = bank.embeddings.shape[1]
    if embeddings.ndim != 2 or embeddings.shape[1] != dimension or not len(embeddings):
        raise LabelError(
            f"embeddings {list(embeddings.shape)}: must be [N, {dimension}] of the bank's space"
        )
    norms = np.linalg.norm(embeddings.astype(np.float64), axis=1)
    if not np.all((norms > 0) & (norms < np.inf)):
        raise LabelError("embeddings: some have no direction (zeros, or not finite)")
    order = np.argsort(-bank.cosines(embeddings), axis=1, kind="stable")[:, :5]
    hits = order == truth[:, None]
    wrong = ~hits[:, 0]
    rights: list[int] = truth[wrong].tolist()
    takens: list[int] = order[wrong, 0].tolist()
    names = bank.names
    mistakes = Counter((names[i], names[j]) for i, j in zip(rights, takens, strict=True))
    confused = [(right, taken, count) for (right, taken), count in mistakes.most_common()]
    top1, top5 = float(hits[:, 0].mean()), float(hits.any(axis=1).mean())
    return Accuracy(len(embeddings), len(np.unique(truth)), top1, top5, confused)
