"""Labels from a handful of examples: embeddings of known labels become a label bank."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saccade.engines.bank import LabelBank, LabelError
from saccade.engines.label_cache import ALPHA, BETA, LabelCache

_STEPS = 300  # of the linear head's descent: its loss has long settled
_MOMENTUM = 0.9
_FOLDS = 5  # of `expected`, or one for each example where a label has fewer


@dataclass(frozen=True)
class Examples:
    """Embeddings of known labels.

    Attributes:
        names: the labels.
        embeddings: float32 [N, dimension], L2-normalised.
        owners: intp [N], the index of each one's name; each name has at least one.
        space: that the embeddings live in.
    """

    names: tuple[str, ...]
    embeddings: NDArray[np.float32]
    owners: NDArray[np.intp]
    space: str

    def __post_init__(self) -> None:
        if not self.names or {*self.owners.tolist()} != {*range(len(self.names))}:
            raise LabelError("examples: each label needs at least one, and one needs a label")

    def only(self, kept: NDArray[np.bool_]) -> Examples:
        """Some of them; every name must keep one."""
        return Examples(self.names, self.embeddings[kept], self.owners[kept], self.space)

    def at_most(self, shots: int) -> Examples:
        """The first `shots` of each label."""
        return self.only(self._place() < shots)

    def _place(self) -> NDArray[np.intp]:
        """The how-manieth of its label each is, from 0; intp [N]."""
        place = np.empty(len(self.owners), np.intp)
        for name in range(len(self.names)):
            mine = self.owners == name
            place[mine] = np.arange(mine.sum())
        return place

    def folds(self) -> list[tuple[Examples, Examples]]:
        """The rest and a part left out, in turns: none where a label has one example only."""
        place = self._place()
        n = min(_FOLDS, int(np.bincount(self.owners).min()))
        if n < 2:
            return []
        parts = [place % n == k for k in range(n)]
        return [(self.only(~part), self.only(part)) for part in parts]


Head = Callable[[Examples], LabelBank]


def prototypes(examples: Examples) -> LabelBank:
    """A bank of each label's mean embedding, L2-normalised (Snell et al. 2017)."""
    sums = np.zeros((len(examples.names), examples.embeddings.shape[1]), np.float64)
    np.add.at(sums, examples.owners, examples.embeddings.astype(np.float64))
    return LabelBank(examples.names, _unit(sums, examples.names), examples.space)


def linear_head(examples: Examples, scale: float, decay: float = 0.01) -> LabelBank:
    """A bank trained to tell the examples apart: softmax(scale * cosine), from the prototypes on.

    Minimises (mean cross entropy) / scale + decay * |W - prototypes|^2 over rows W of length 1 by
    gradient descent with momentum, so that it serves wherever a bank does.

    Args:
        examples: embeddings and their labels.
        scale: of the model whose embeddings they are.
        decay: how strongly rows are held at their prototypes.
    """
    start = prototypes(examples)
    if len(examples.names) < 2:
        return start
    seen = examples.embeddings.astype(np.float64)
    wanted = np.eye(len(examples.names))[examples.owners]
    held: NDArray[np.float64] = start.embeddings.astype(np.float64)
    rows, speed = held, np.zeros_like(held)
    rate = 1 / (scale / 2 + 2 * decay)  # the slope rises no faster than this
    for _ in range(_STEPS):
        logits: NDArray[np.float64] = scale * np.matmul(seen, np.transpose(rows))
        shares = np.exp(logits - np.max(logits, axis=1, keepdims=True))
        shares /= np.sum(shares, axis=1, keepdims=True)
        slope = np.matmul(np.transpose(shares - wanted), seen) / len(seen)
        slope += 2 * decay * (rows - held)
        slope -= np.sum(slope * rows, axis=1, keepdims=True) * rows  # along the sphere
        speed = _MOMENTUM * speed - rate * slope
        rows = rows + speed
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return LabelBank(examples.names, rows.astype(np.float32), examples.space)


def cache_head(
    examples: Examples, words: LabelBank | None = None, alpha: float = ALPHA, beta: float = BETA
) -> LabelBank:
    """A bank that remembers every example (see `label_cache`).

    Args:
        examples: what is remembered.
        words: of the same names in their order, what the words say, as a text tower gives it; by
            default the prototypes stand for them.
        alpha, beta: see `LabelCache`.

    Raises:
        LabelError: `words` are of other names or of another space.
    """
    bank = prototypes(examples) if words is None else words
    bank.check_space(examples.space, examples.embeddings.shape[1], "examples")
    if bank.names != examples.names:
        raise LabelError(f"words for {len(bank.names)} labels: must be those of the examples")
    cache = LabelCache(examples.embeddings, examples.owners, alpha, beta)
    return bank.with_cache(cache)


def expected(examples: Examples, head: Head, scale: float) -> float | None:
    """How often a head is right on examples that were left out of it, a share.

    None where a label has one example only. Windows of one recording are alike, so of examples
    from one recording a label this is what can be hoped for, not what is to be expected.
    """
    right = 0
    folds = examples.folds()
    for kept, left_out in folds:
        scores = head(kept).logits(left_out.embeddings, scale)
        right += int((scores.argmax(axis=1) == left_out.owners).sum())
    return right / len(examples.owners) if folds else None


def _unit(sums: NDArray[np.float64], names: tuple[str, ...]) -> NDArray[np.float32]:
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    none = np.flatnonzero(norms[:, 0] == 0)
    if len(none):
        raise LabelError(f"label {names[none[0]]!r}: its examples cancel out; give others")
    return (sums / norms).astype(np.float32)
