"""Labels again, as they are defined: products, softmax over the bank, and a stable sort."""

from __future__ import annotations

import numpy as np


def best_labels(
    embeddings: np.ndarray, bank: np.ndarray, scale: float, top: int
) -> tuple[np.ndarray, np.ndarray]:
    """The `top` best of `bank` [L, D] for `embeddings` [N, D]: indices and scores, both [N, top].

    Equal weights keep the bank's order.
    """
    products = embeddings.astype(np.float64) @ bank.astype(np.float64).T
    logits = (np.float32(scale) * products).astype(np.float32)
    with np.errstate(invalid="ignore"):
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    order = np.argsort(-weights, axis=1, kind="stable")[:, :top]
    scores = weights / weights.sum(axis=1, keepdims=True)
    return order, np.take_along_axis(scores, order, axis=1)
