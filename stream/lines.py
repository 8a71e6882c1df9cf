"""Labels and scores as one line of text."""

from __future__ import annotations

from collections.abc import Sequence

from saccade.camera.errors import printable


def score_text(score: float, kind: str, digits: int = 0) -> str:
    """A probability ("softmax") as per cent with `digits` decimals; a cosine as a number."""
    return f"{score:.3f}" if kind == "cosine" else f"{score:.{digits}%}"


def best_text(
    labels: Sequence[str],
    scores: Sequence[float],
    groups: Sequence[str],
    group_scores: Sequence[float],
    kind: str,
) -> str:
    """The three best labels and the best group: `car 45%  cup 12%  [vehicle 80%]`."""

    def text(names: Sequence[str], values: Sequence[float], most: int) -> str:
        pairs = list(zip(names, values, strict=True))[:most]
        return "  ".join(f"{printable(name)} {score_text(value, kind)}" for name, value in pairs)

    best = text(labels, scores, 3)
    return f"{best}  [{text(groups, group_scores, 1)}]" if groups else best
