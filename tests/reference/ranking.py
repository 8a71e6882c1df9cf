"""Softmax, the best scores, and what is not finite, in plain Python."""

from __future__ import annotations

import math


def first_not_finite(rows: list[list[float]]) -> int:
    """The first row with a nan or an infinity; -1 where all are finite."""
    return next((i for i, row in enumerate(rows) if not all(map(math.isfinite, row))), -1)


def softmax(scores: list[float], scale: float) -> list[float]:
    """softmax(scale * scores)."""
    highest = max(scores)
    weights = [math.exp(scale * (score - highest)) for score in scores]
    return [weight / math.fsum(weights) for weight in weights]


def best(scores: list[float], top: int) -> list[int]:
    """Where the highest lie, best first, equal ones in their order."""
    return sorted(range(len(scores)), key=lambda i: -scores[i])[:top]
